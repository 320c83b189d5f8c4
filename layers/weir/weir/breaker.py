"""A circuit breaker: it stops calls to a sink that is down, and lets one through now and then.

Sources: M. Nygard, Release It!, "Circuit Breaker"; AWS Prescriptive Guidance, Cloud design
patterns, "Circuit breaker pattern"; Microsoft, Azure Architecture Center, "Circuit Breaker".
"""

import random
import time
from collections.abc import Callable
from threading import Lock
from typing import Literal

type State = Literal["closed", "open", "half-open"]


class Breaker:
    """Says whether a call is worth its while, from how the calls before it ended.

    Closed, it allows every call, and opens after `failures` of them in a row have failed. Open, it
    allows none until it has rested: for `rest_s` seconds at first, and twice as long each time, up
    to `longest_rest_s`, of which a half or more is drawn, so that the environments of a function
    do not all come back at once. Then it is half-open and allows one call, the probe, whose success
    closes it and whose failure opens it again. A probe that never tells how it ended (its function
    was stopped) is given up after another rest, and one more call is allowed.

    `clock` gives seconds and `draw` numbers from 0 to 1. It may be used from several threads.
    """

    def __init__(
        self,
        *,
        failures: int = 1,
        rest_s: float = 5.0,
        longest_rest_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._enough = failures
        self._rest_s = rest_s
        self._longest_rest_s = longest_rest_s
        self._clock = clock
        self._draw = draw
        self._lock = Lock()
        self._state: State = "closed"
        self._failures = 0
        self._bound = rest_s
        self._rests_until = 0.0

    @property
    def state(self) -> State:
        """`closed`, `open` (until a call is allowed again), or `half-open` (a probe is out)."""
        return self._state

    def allows(self) -> bool:
        """Whether to call. Who is told so must call, and then `succeeded` or `failed`."""
        with self._lock:
            if self._state == "closed":
                return True
            if self._clock() < self._rests_until:
                return False
            self._state = "half-open"
            self._rest()
            return True

    def succeeded(self) -> None:
        """A call ended well, the probe or another: the sink takes calls again."""
        with self._lock:
            self._state = "closed"
            self._failures = 0
            self._bound = self._rest_s

    def failed(self) -> None:
        """A call failed. One that had begun before the breaker opened no longer matters."""
        with self._lock:
            if self._state == "open":
                return
            if self._state == "half-open":
                self._bound = min(2 * self._bound, self._longest_rest_s)
            else:
                self._failures += 1
                if self._failures < self._enough:
                    return
            self._state = "open"
            self._rest()

    def _rest(self) -> None:
        self._rests_until = self._clock() + self._bound * (1 + self._draw()) / 2
