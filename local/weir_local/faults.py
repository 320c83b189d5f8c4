"""Faults to order: what goes wrong, how often, and the dice that decide."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RATES = {
    "refuse_calls": "Firehose answers ServiceUnavailableException (503)",
    "throttle": "Firehose answers ThrottlingException (400)",
    "duplicate": "Firehose delivers the record twice",
    "fail_transform": "the invocation of the transform fails before it begins",
    "kill_transform": "the transform runs, but its answer is lost",
    "fail_deliveries": "S3 does not take Firehose's object",
    "fail_invocations": "the invocation for a stream batch fails before it begins",
    "duplicate_batches": "a stream batch that succeeded is delivered again",
    "kill_mid_batch": "the function gets a part of the batch and its answer is lost: a timeout",
    "redeliver_after_partial": "after a partial failure, the whole batch comes again",
}
"""Each is a whole number, for so many next times, or a fraction, for so many of all."""


@dataclass
class Faults:
    """The faults in force.

    ``fail_records`` is a fraction of the records of each PutRecordBatch, or the list of their
    indexes in each batch. A `seed` makes the dice fall the same way again.

    >>> faults = Faults.parse({"refuse_calls": 1})
    >>> faults.strikes("refuse_calls"), faults.strikes("refuse_calls")
    (True, False)
    """

    rates: dict[str, int | float] = field(default_factory=dict)
    fail_records: float | frozenset[int] = 0.0
    dice: random.Random = field(default_factory=random.Random)

    @classmethod
    def parse(cls, wanted: Mapping[str, Any]) -> "Faults":
        """Read faults as the control endpoint gets them.

        Raises
        ------
        ValueError
            When a name is unknown, a number negative, or a fraction above one.
        """
        if not isinstance(wanted, Mapping):
            raise ValueError("faults are a JSON object")  # noqa: TRY004 - one kind for all
        faults = cls()
        for name, value in wanted.items():
            if name == "seed":
                faults.dice = random.Random(_number(name, value, whole=True))
            elif name == "fail_records" and isinstance(value, list):
                faults.fail_records = frozenset(_number(name, one, whole=True) for one in value)
            elif name == "fail_records":
                faults.fail_records = float(_number(name, value))
                if faults.fail_records > 1:
                    raise ValueError("fail_records is a fraction or a list of indexes")
            elif name in RATES:
                faults.rates[name] = _number(name, value)
            else:
                raise ValueError(f"no fault is called {name!r}; there are {', '.join(RATES)}")
        return faults

    def strikes(self, name: str) -> bool:
        """Tell whether the fault `name` happens this time; a counted one is used up by it."""
        rate = self.rates.get(name, 0)
        if isinstance(rate, float):
            return self.dice.random() < rate
        if rate > 0:
            self.rates[name] = rate - 1
        return rate > 0

    def fails_record(self, index: int) -> bool:
        """Tell whether the record at `index` of a batch is refused."""
        if isinstance(self.fail_records, frozenset):
            return index in self.fail_records
        return self.fail_records > 0 and self.dice.random() < self.fail_records


def _number(name: str, value: Any, *, whole: bool = False) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ValueError(f"{name} takes a number, not {value!r}")  # noqa: TRY004 - likewise
    if value < 0 or (isinstance(value, float) and value > 1):
        raise ValueError(f"{name} takes a count or a fraction up to 1.0, not {value!r}")
    return value
