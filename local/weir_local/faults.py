"""Faults to order: what goes wrong, where, how often, and the dice that decide."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS = (
    "api", "authorize", "ingest", "notify", "respill", "score", "transform", "watchdog",
)  # fmt: skip

FIREHOSE_CALLS = {
    "refuse_calls": "Firehose answers ServiceUnavailableException (503)",
    "throttle": "Firehose answers ThrottlingException (400)",
    "firehose_lose_answers": "Firehose takes the records, and the connection ends unanswered",
    "firehose_slow": "Firehose's answer comes late",
}
"""What befalls a function's call to Firehose."""

PROXY_CALLS = {
    "dynamo_refuse": "DynamoDB answers InternalServerError (500)",
    "dynamo_throttle": "DynamoDB answers that the throughput is exceeded (400)",
    "dynamo_unprocessed": "a part of a batch of two items or more is left unprocessed",
    "dynamo_lose_answers": "DynamoDB does what it is asked, and the connection ends unanswered",
    "dynamo_slow": "DynamoDB's answer comes late",
    "sqs_refuse": "SQS answers ServiceUnavailable (503)",
    "sqs_throttle": "SQS answers ThrottlingException (400)",
    "sqs_fail_entries": "some of the entries of a SendMessageBatch fail",
    "sqs_lose_answers": "SQS does what it is asked, and the connection ends unanswered",
    "sqs_slow": "the answer of SQS comes late",
    "s3_refuse": "S3 answers InternalError (500)",
    "s3_throttle": "S3 answers SlowDown (503)",
    "s3_lose_answers": "S3 does what it is asked, and the connection ends unanswered",
    "s3_slow": "the answer of S3 comes late",
    "sns_refuse": "SNS answers InternalError (500)",
    "sns_throttle": "SNS answers Throttling (400)",
    "sns_lose_answers": "SNS does what it is asked, and the connection ends unanswered",
    "sns_slow": "the answer of SNS comes late",
    "events_refuse": "EventBridge answers InternalException (500)",
    "events_throttle": "EventBridge answers ThrottlingException (400)",
    "events_fail_entries": "some of the entries of a PutEvents fail",
    "events_lose_answers": "EventBridge does what it is asked, and the connection ends unanswered",
    "events_slow": "the answer of EventBridge comes late",
    "kill_api": "the api function is killed at a call, before or after it is carried out",
    "kill_authorize": "the authorize function is killed at a call, likewise",
    "kill_ingest": "the ingest function is killed at a call, likewise",
    "kill_notify": "the notify function is killed at a call, likewise",
    "kill_respill": "the respill function is killed at a call, likewise",
    "kill_score": "the score function is killed at a call, likewise",
    "kill_watchdog": "the watchdog function is killed at a call, likewise",
}
"""What befalls a function's other calls; only in a stack that is breakable."""

STREAM_BATCHES = {
    "fail_invocations": "the invocation for a stream batch fails before it begins",
    "duplicate_batches": "a stream batch that succeeded is delivered again",
    "kill_mid_batch": "the function gets a part of the batch and its answer is lost: a timeout",
    "redeliver_after_partial": "after a partial failure, the whole batch comes again",
    "reorder_batches": "records of several devices change places; each device's keep theirs",
}
"""What befalls the batches of a table's stream, on their way to `score` or `notify`."""

DELIVERIES = {
    "duplicate": "Firehose delivers the record twice",
    "fail_transform": "the invocation of the transform fails before it begins",
    "kill_transform": "the transform runs, but its answer is lost",
    "kill_transform_process": "the transform is killed while it works",
    "fail_deliveries": "S3 does not take Firehose's object",
    **STREAM_BATCHES,
}
"""What befalls the delivery of records, by Firehose and by the streams."""

CALLS = FIREHOSE_CALLS | PROXY_CALLS
RATES = CALLS | DELIVERIES
"""Each is a whole number, for so many next times, or a fraction, for so many of all.

One of `CALLS` may be narrowed to the calls of a function, to an operation, or to both:
``dynamo_refuse@ingest``, ``kill_score@PutItem``, ``dynamo_throttle@score@BatchGetItem``. One of
`STREAM_BATCHES` may be narrowed to the function that they go to: ``kill_mid_batch@notify``.
"""

MOST_SHARDS = 8


@dataclass(slots=True)
class _Order:
    """One fault that was asked for: how often, and at which calls only."""

    rate: int | float
    only: frozenset[str]

    def falls(self, dice: random.Random) -> bool:
        if isinstance(self.rate, float):
            return dice.random() < self.rate
        if self.rate > 0:
            self.rate -= 1
            return True
        return False


@dataclass
class Faults:
    """The faults in force.

    ``fail_records`` is a fraction of the records of each PutRecordBatch, or the list of their
    indexes in each batch. ``split_shards`` is how many shards the stream seems to have, so that
    batches of different devices are delivered at the same time. A late answer comes after
    ``slow_seconds``. A `seed` makes the dice fall the same way again.

    What strikes is counted in `struck`, under the fault's name, and for a call or a batch also
    under the name and the place: ``dynamo_refuse@ingest.BatchWriteItem``.

    >>> faults = Faults.parse({"refuse_calls": 1})
    >>> faults.strikes("refuse_calls"), faults.strikes("refuse_calls")
    (True, False)
    """

    fail_records: float | frozenset[int] = 0.0
    split_shards: int = 1
    slow_seconds: float = 2.0
    dice: random.Random = field(default_factory=random.Random)
    struck: Counter[str] = field(default_factory=Counter)
    _orders: dict[str, list[_Order]] = field(default_factory=dict)

    @classmethod
    def parse(cls, wanted: Mapping[str, Any], struck: Counter[str] | None = None) -> "Faults":
        """Read faults as the control endpoint gets them; strikes are added to `struck`.

        Raises
        ------
        ValueError
            When a name is unknown, a number negative, a fraction above one, or a fault is narrowed
            to what it cannot be.
        """
        if not isinstance(wanted, Mapping):
            raise ValueError("faults are a JSON object")  # noqa: TRY004 - one kind for all
        faults = cls() if struck is None else cls(struck=struck)
        for name, value in wanted.items():
            faults.add(name, value)
        return faults

    def add(self, name: str, value: Any) -> None:
        """Put one more in force. Raises `ValueError`, as `parse` does."""
        match name:
            case "seed":
                self.dice = random.Random(_number(name, value, whole=True))
            case "fail_records" if isinstance(value, list):
                self.fail_records = frozenset(_number(name, one, whole=True) for one in value)
            case "fail_records":
                self.fail_records = float(_number(name, value))
                if self.fail_records > 1:
                    raise ValueError("fail_records is a fraction or a list of indexes")
            case "split_shards":
                self.split_shards = _number(name, value, whole=True)
                if not 1 <= self.split_shards <= MOST_SHARDS:
                    raise ValueError(f"split_shards is a number from 1 to {MOST_SHARDS}")
            case "slow_seconds":
                self.slow_seconds = _seconds(name, value)
            case _:
                kind, *only = name.split("@")
                _check_kind(kind, only)
                order = _Order(_number(name, value), frozenset(only))
                self._orders.setdefault(kind, []).append(order)

    def needs_proxy(self) -> str | None:
        """Return a fault in force that only the proxy of a breakable stack can do, if any is."""
        return next((kind for kind in self._orders if kind in PROXY_CALLS), None)

    def strikes(self, kind: str, *places: str) -> bool:
        """Tell whether the fault `kind` happens this time; a counted one is used up by it.

        `places` say of a call whose it is, and to which operation, and of a batch whose it is.
        """
        for order in self._orders.get(kind, ()):
            if order.only.issubset(places) and order.falls(self.dice):
                self.note(kind, *places)
                return True
        return False

    def fails_record(self, index: int) -> bool:
        """Tell whether the record at `index` of a batch is refused."""
        if isinstance(self.fail_records, frozenset):
            fails = index in self.fail_records
        else:
            fails = self.fail_records > 0 and self.dice.random() < self.fail_records
        if fails:
            self.note("fail_records")
        return fails

    def note(self, kind: str, *places: str) -> None:
        """Count that a fault has struck."""
        self.struck[kind] += 1
        if places:
            self.struck[f"{kind}@{'.'.join(places)}"] += 1


def _check_kind(kind: str, only: list[str]) -> None:
    if kind not in RATES:
        raise ValueError(f"no fault is called {kind!r}; there are {', '.join(RATES)}")
    if only and kind not in CALLS | STREAM_BATCHES:
        raise ValueError(f"{kind} is not about a function's calls or batches: no function has it")
    for word in only:
        if kind in STREAM_BATCHES and word not in ("notify", "score"):
            raise ValueError(f"{kind} befalls the batches of notify and score, not of {word!r}")
        # Operations are in CamelCase, and too many to list.
        if word not in FUNCTIONS and not word[:1].isupper():
            raise ValueError(f"{word!r} is no operation, nor one of {', '.join(FUNCTIONS)}")


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 60:
        raise ValueError(f"{name} takes seconds, from 0 to 60, not {value!r}")
    return float(value)


def _number(name: str, value: Any, *, whole: bool = False) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ValueError(f"{name} takes a number, not {value!r}")  # noqa: TRY004 - likewise
    if value < 0 or (isinstance(value, float) and not value <= 1):
        raise ValueError(f"{name} takes a count or a fraction up to 1.0, not {value!r}")
    return value
