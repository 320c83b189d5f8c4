"""Send again what failed, and only that, with jittered backoff, inside the time that is left."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's: no connection, or none in time
    HTTPClientError,
)

_BASE_S: Final = 0.05
_CAP_S: Final = 2.0

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServerErrorException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_THROTTLES = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailableException",  # Firehose says so when a stream is over its quota
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class SinkUnavailable(Exception):
    """A sink did not take all entries in the time that was left."""

    def __init__(self, sink: str, left: int, reason: str, *, throttled: bool) -> None:
        super().__init__(f"{sink} did not take {left} entries in time: {reason}")
        self.sink = sink
        self.left = left
        self.reason = reason
        self.throttled = throttled


class Deadline:
    """A moment until which work may go on."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; negative once it has passed."""
        return self._end - self._clock()


class Rest[T]:
    """What a call left over: the entries to send again, and the reason that was given."""

    __slots__ = ("entries", "reason")

    def __init__(self, entries: Sequence[T], reason: str = "") -> None:
        self.entries = entries
        self.reason = reason


def send_all[T](
    sink: str,
    entries: Sequence[T],
    send: Callable[[Sequence[T]], Rest[T]],
    deadline: Deadline,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send `entries`, and what `send` leaves over again and again; return how often.

    Waits between, drawn evenly from zero to a doubling bound ("full jitter", AWS Architecture
    Blog, Exponential Backoff and Jitter). Raises `SinkUnavailable` when the time runs out, and
    whatever `send` raises that trying again would not mend.
    """
    retries = 0
    while True:
        try:
            rest = send(entries)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code not in _TRANSIENT and status < 500:
                raise
            rest = Rest(entries, code)
        except (ConnectionError, HTTPClientError) as error:
            rest = Rest(entries, type(error).__name__)
        if not rest.entries:
            return retries
        entries = rest.entries
        wait = random.uniform(0.0, min(_CAP_S, _BASE_S * 2**retries))
        if wait >= deadline.left:
            throttled = rest.reason in _THROTTLES
            raise SinkUnavailable(sink, len(entries), rest.reason, throttled=throttled)
        sleep(wait)
        retries += 1
