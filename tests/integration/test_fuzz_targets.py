"""The fuzzer's targets hold for the inputs that it begins with, and for what becomes of them."""

import random
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import checks
from tests.fuzz.mutators import Unfit
from tests.fuzz.targets import TARGETS
from weir.identity import EVERY_DEVICE
from weir.protocols.interface import Parsed
from weir.readings import InvalidReading, Reading, Rejection, Window

MUTATIONS = 25


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_bears_its_seeds_and_what_its_mutations_make_of_them(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    assert len(seeds) >= 3
    for seed in seeds:
        target.check(seed)
    if target.mutator is None:
        return
    rng = random.Random(zlib.crc32(name.encode()))
    mutated = 0
    for _ in range(MUTATIONS):
        data = rng.choice(seeds)
        for _ in range(3):
            with suppress(Unfit):
                data = target.mutator(data, rng)
                mutated += 1
        target.check(data)
    assert mutated >= MUTATIONS, "the mutations do not fit the seeds"


@pytest.mark.parametrize("name", TARGETS)
@given(st.binary(max_size=64))
def test_a_target_bears_anything(name: str, data: bytes) -> None:
    TARGETS[name].check(data)


WINDOW = Window(0, 10)
GOOD = Reading("pump-7", 5, {"flow": 1.0})


@pytest.mark.parametrize(
    "parsed",
    [
        Parsed([GOOD], (), 0),
        Parsed([], (), 1),
        Parsed([], [Rejection(0, "two\nlines", "why")], 0),
        Parsed([], [Rejection(0, "code", "two\nlines")], 0),
        Parsed([], [Rejection(0, "code", "x" * 5000)], 0),
        Parsed([], [Rejection(0, "code", "")], 0),
        Parsed([], [Rejection(1, "code", "why"), Rejection(0, "code", "why")], 0),
        Parsed([Reading("pump-7", 5, {"flow": 1})], (), 1),
    ],
)
def test_what_a_parser_must_not_make_is_found(parsed: Parsed) -> None:
    with pytest.raises(AssertionError):
        checks.check_parsed(parsed, WINDOW, EVERY_DEVICE)


@pytest.mark.parametrize(
    "reading",
    [
        Reading("pump 7", 5, {"flow": 1.0}),
        Reading("pump-7", 11, {"flow": 1.0}),
        Reading("pump-7", 5, {}),
        Reading("pump-7", 5, {"flow": float("nan")}),
        Reading("pump-7", 5, {"*": 1.0}),
        Reading("pump-7", 5, {"flow": 1.0}, {"site": "\n"}),
    ],
)
def test_a_reading_that_breaks_a_rule_is_found(reading: Reading) -> None:
    with pytest.raises(InvalidReading):
        checks.check_parsed(Parsed([reading], (), 1), WINDOW, EVERY_DEVICE)
