"""RFC 8428's own examples, sent as they are but for their year, and found in the lake, exact."""

import json
import time
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.strategies import NOW_MS
from tests.unit.domain.test_senml_examples import EXAMPLES, EXPECTED
from weir.protocols.senml import ABSOLUTE_FROM
from weir.readings import Reading, format_ts

pytestmark = pytest.mark.e2e

WITH_VALUES = sorted(name for name, readings in EXPECTED.items() if readings)


def moved(pack: list[dict[str, Any]], seconds: int) -> list[dict[str, Any]]:
    """The pack with its absolute times moved: they are of 2010 and 2011."""
    return [
        {
            label: round(value + seconds, 3)
            if label in {"bt", "t"} and value >= ABSOLUTE_FROM
            else value
            for label, value in record.items()
        }
        for record in pack
    ]


@pytest.mark.parametrize("example", WITH_VALUES)
def test_the_rfcs_example_is_found_in_the_lake(stack: Stack, example: str) -> None:
    pack = json.loads((EXAMPLES / f"{example}.json").read_text(encoding="utf-8"))
    readings = EXPECTED[example]
    absolute = [reading.ts for reading in readings if reading.ts != NOW_MS]
    # To somewhere in the last hours, another place for each example: they share their devices.
    end = int(time.time()) - 60 * (1 + WITH_VALUES.index(example)) * 7
    seconds = end - max(absolute) // 1000 if absolute else 0
    before = int(time.time() * 1000)

    answer = stack.post_json_as("application/senml+json", moved(pack, seconds))

    assert answer.status_code == 202
    assert answer.json()["accepted"] > 0
    stack.settle()
    for reading in readings:
        assert _in_lake(stack, reading, seconds, before), reading


def _in_lake(stack: Stack, reading: Reading, seconds: int, before: int) -> bool:
    rows = stack.lake_rows(reading.device_id)
    alike = [
        row["ts"]
        for row in rows
        if (row["metrics"], row["tags"]) == (dict(reading.metrics), dict(reading.tags or {}))
    ]
    if reading.ts == NOW_MS:  # it carries no time: it is of when it came
        return any(ts >= format_ts(before) for ts in alike)
    return format_ts(reading.ts + seconds * 1000) in alike
