"""How long a request waits for sinks that are down, and for the spill behind them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fakes.spill import FakeSpill
from weir.chunks import Chunk, pack
from weir.readings import Reading
from weir.spill import Spilled
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.sinks import PATIENCE_S, SPILL_PATIENCE_S, Sinks

CLIENTS_LISTEN_S = 10.0
"""What OTLP exporters and InfluxDB's clients wait for an answer, unless told otherwise."""


class Down:
    """A sink that is down, and the spill too; they note how long they were given."""

    def __init__(self) -> None:
        self.given: list[float] = []

    def put(self, entries: Sequence[Any], deadline: Deadline) -> int:
        self.given.append(deadline.left)
        raise SinkUnavailable("DynamoDB", len(entries), "InternalServerError", throttled=False)


class Spill(FakeSpill):
    """A spill that takes all; it notes how long it was given."""

    given = 0.0

    def put(self, spilled: Sequence[Spilled], deadline: Deadline) -> int:
        self.given = deadline.left
        return super().put(spilled, deadline)


def store(spill: Any, seconds: float) -> Down:
    sink = Down()
    with ThreadPoolExecutor(1) as executor:
        Sinks(sink, sink, lambda: spill, executor).store(  # type: ignore[arg-type]
            chunks(), 0, seconds
        )
    return sink


def chunks() -> list[Chunk]:
    return pack([Reading("pump-7", 1_767_225_600_000, {"flow": 1.5})])


def test_a_request_hears_no_while_its_client_still_listens() -> None:
    spill = Down()
    with pytest.raises(SinkUnavailable):
        store(spill, seconds=27.0)
    assert PATIENCE_S + spill.given[0] < CLIENTS_LISTEN_S


def test_the_spill_has_time_for_more_than_one_try() -> None:
    spill = Spill()
    store(spill, seconds=27.0)
    assert SPILL_PATIENCE_S - 0.5 < spill.given <= SPILL_PATIENCE_S


def test_a_request_that_has_little_time_left_gives_the_spill_what_there_is() -> None:
    spill = Spill()
    sink = store(spill, seconds=3.0)
    assert max(sink.given) <= 1.5 < spill.given <= 3.0
