"""What scoring asks of a detector."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Explanation(NamedTuple):
    """Why a value scored as it did, in the unit of the metric."""

    expected: float
    low: float
    high: float
    """Between `low` and `high`, the value itself is nothing unusual for the time of day."""
    channel: str
    """What saw it: the name of the channel that gave most of the evidence."""


class Folded[S](NamedTuple):
    """The state after some values, and how unusual each of them is, in [0, 1)."""

    state: S
    scores: Sequence[float]
    """What is new: 0 for nothing unusual, or nothing that was not scored just before. One half is
    what a healthy metric shows once in the number of values that a week has at one each five
    minutes."""
    weekly: Sequence[float]
    """What is unusual, new or not. One half is what a healthy metric shows once a week, at the
    rate at which this one's values come: what alerts go by."""


class Detector[S](Protocol):
    """How surprising is a value, given those before it? A pure fold: no I/O, clock or chance."""

    @property
    def version(self) -> int:
        """Names the packed layout and the arithmetic; a state of another version is re-learned."""
        ...

    def initial(self) -> S:
        """The state before the first value."""
        ...

    def fold(self, state: S, times: Sequence[int], values: Sequence[float]) -> Folded[S]:
        """Score finite `values` at `times` (epoch ms, not falling), each before it is learned.

        However the values of a metric are split into folds, states and scores are the same.
        """
        ...

    def step(self, state: S, ts: int, value: float) -> tuple[S, float]:
        """Fold one value; return the new state and the score."""
        ...

    def explain(self, state: S, ts: int, value: float) -> Explanation:
        """What was expected of `value`, given the `state` before it."""
        ...

    def pack(self, state: S) -> bytes:
        """The state as bytes; `unpack` gives back the same, bit for bit."""
        ...

    def unpack(self, data: bytes) -> S:
        """The state that was packed; raises `ValueError` for what `pack` did not write."""
        ...
