"""How a batch that was given up is put through the function, and what its answers mean. Pure.

Source: Lambda developer guide, "Configuring partial batch response with DynamoDB and Lambda".
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from weir_cli.replay import NOT_TRIED, FailedChange, Failure, bounded, text_of
from weir_cli.replay_report import Left

MAX_RECORDS: Final = 100
MAX_PAYLOAD: Final = 6_000_000
"""The mapping's batch size, and what a synchronous invocation takes: 6 MB."""

PATIENCE_S: Final = 600.0
"""Seconds in which nothing is done before the rest of a batch is left for another time."""

FAILED: Final = "score failed on it"

_ENVELOPE: Final = len('{"Records":[]}')


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation came to: its payload, and Lambda's FunctionError or empty."""

    payload: bytes
    error: str = ""


type Invoke = Callable[[Sequence[FailedChange]], Answer]
"""Invokes the function with some records."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a record is not done: in few words, and the details."""

    because: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What an invocation did: so many of its records from the first on, and why no more.

    `named` says that the next record failed; otherwise it may be any of them.
    """

    done: int
    verdict: Verdict | None = None
    named: bool = False


_NONSENSE: Final = Found(0, Verdict(FAILED, "its answer makes no sense"))


def put_through(
    changes: Sequence[FailedChange],
    invoke: Invoke,
    stopped: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> dict[int, Verdict]:
    """Have `changes` done in their order; return those that were not, by their places.

    An answer names the first record that failed: those before it are done, those after it may not
    be. So the others are tried without that record's device, which follows by itself and is halved
    for as long as it fails, since the record that is named need not be the one at fault. Where the
    function fails whole, the batch is halved. In the end a record stays only if it failed alone.
    When `stopped`, or when nothing was done for ten minutes, the others are not tried.
    """
    return _PutThrough(changes, invoke, stopped, clock).run()


class _PutThrough:
    def __init__(
        self,
        changes: Sequence[FailedChange],
        invoke: Invoke,
        stopped: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._changes = changes
        self._invoke = invoke
        self._stopped = stopped
        self._clock = clock
        self._left: dict[int, Verdict] = {}
        self._aside: dict[str, list[int]] = {}

    def run(self) -> dict[int, Verdict]:
        self._work(range(len(self._changes)))
        while self._aside:
            self._work(self._aside.pop(next(iter(self._aside))))
        return self._left

    def _work(self, places: Sequence[int]) -> None:
        todo = list(parts(places, self._changes))
        in_vain, last = 0.0, ""
        while todo:
            reason = "stopped" if self._stopped() else ""
            if in_vain >= PATIENCE_S:
                reason = f"score did nothing for {in_vain / 60:.0f} minutes: {last}"
            if reason:
                untried = [place for batch in todo for place in batch]
                self._left |= dict.fromkeys(untried, Verdict(NOT_TRIED, reason))
                return
            batch = todo.pop(0)
            begun = self._clock()
            found = self._try(batch)
            in_vain = 0.0 if found.done else in_vain + self._clock() - begun
            if found.verdict is not None:
                last = found.verdict.detail or found.verdict.because
                todo[:0] = self._after(batch, found, found.verdict)

    def _try(self, batch: Sequence[int]) -> Found:
        tried = [self._changes[place] for place in batch]
        answer = self._invoke(tried)
        return _raised(answer) if answer.error else read_answer(answer.payload, tried)

    def _after(self, batch: list[int], found: Found, verdict: Verdict) -> list[list[int]]:
        """What to try next, where some of `batch` failed."""
        if len(batch) == 1:
            self._left[batch[0]] = verdict
            return []
        rest = batch[found.done :]
        device = self._changes[rest[0]].device
        others = [place for place in rest if self._changes[place].device != device]
        if found.named and others:
            alone = [place for place in rest if self._changes[place].device == device]
            self._aside.setdefault(device, []).extend(alone)
            return [others]
        if found.done:
            return [rest]
        middle = len(batch) // 2
        return [batch[:middle], batch[middle:]]


def parts(places: Sequence[int], changes: Sequence[FailedChange]) -> Iterator[list[int]]:
    """Some places of `changes` in parts of at most 100 records and 6 MB, in their order."""
    part: list[int] = []
    size = _ENVELOPE
    for place in places:
        more = len(changes[place].encoded) + 1
        if part and (len(part) == MAX_RECORDS or size + more > MAX_PAYLOAD):
            yield part
            part, size = [], _ENVELOPE
        part.append(place)
        size += more
    if part:
        yield part


def read_answer(payload: bytes, batch: Sequence[FailedChange]) -> Found:
    """Read what a function answers for a batch, as Lambda does.

    An empty or null answer or list is a complete success; an identifier that is of no record in
    the batch makes the whole batch a failure; otherwise the first record that is named counts.
    """
    try:
        answer = msgspec.json.decode(payload or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NONSENSE
    if not answer:
        return Found(len(batch))
    if not isinstance(answer, dict):
        return _NONSENSE
    failures = answer.get("batchItemFailures")
    if not failures:
        return Found(len(batch))
    places = {change.sequence: place for place, change in enumerate(batch) if change.sequence}
    first = len(batch)
    for failure in failures if isinstance(failures, list) else [None]:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or identifier not in places:
            return _NONSENSE
        first = min(first, places[identifier])
    return Found(first, Verdict(FAILED), named=True)


def _raised(answer: Answer) -> Found:
    """What a function raised: in few words, and with its message."""
    kind, message = answer.error, ""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = msgspec.json.decode(answer.payload, type=dict[str, Any])
        kind = text_of(said, "errorType") or kind
        message = text_of(said, "errorMessage")
    detail = bounded(f"{kind}: {message}" if message else kind)
    return Found(0, Verdict(f"score raised {kind}", detail))


def lefts[T](failures: Sequence[Failure[T]], verdicts: dict[int, Verdict]) -> dict[int, Left]:
    """The verdicts of some failures as what stays, by their places."""
    return {
        place: Left(failures[place].entry, verdict.because, verdict.detail)
        for place, verdict in verdicts.items()
    }
