"""Controls: what is narrower overrides what is wider, and what makes no sense is refused."""

import re
from typing import Any

import pytest

from weir.controls import DEVICE, NONE, Control, Controls, Resolved, control_of
from weir.protocols.native import parse_json
from weir.readings import InvalidReading, Window, check_metric_name


def test_nothing_set_leaves_the_default() -> None:
    assert NONE.of("m", 0.1) == Resolved("both", 0.0, ignore=False, false_alerts_per_week=0.1)
    assert NONE.of("m", 0.1) is NONE.of("n", 0.1)


def test_a_metric_overrides_its_device_and_that_the_fleet_field_by_field() -> None:
    controls = Controls(
        fleet=Control(direction="above", minimum=1.0, false_alerts_per_week=1.0),
        device=Control(minimum=2.0, ignore=True),
        metrics={"m": Control(ignore=False, minimum=0.0)},
    )
    assert controls.of("m", 0.1) == Resolved("above", 0.0, ignore=False, false_alerts_per_week=1.0)
    assert controls.of("n", 0.1) == Resolved("above", 2.0, ignore=True, false_alerts_per_week=1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"direction": "up"}, "direction is the string 'up'; it must be both, above or below"),
        ({"direction": ""}, "direction is the string ''; it must be both, above or below"),
        ({"direction": "a\nb"}, r"direction is the string 'a\nb'; it must be both"),
        ({"minimum": -1.0}, "minimum is the number -1; it must be finite, and at least 0"),
        ({"minimum": "x"}, "minimum is the string 'x'; it must be a finite number"),
        ({"minimum": 10**400}, "minimum is a number; it must be a finite number"),
        ({"minimum": float("nan")}, "minimum is the number nan; it must be finite"),
        ({"ignore": 1}, "ignore is a number; it must be true or false"),
        ({"false_alerts_per_week": True}, "false_alerts_per_week is a boolean; it must be a"),
        ({"false_alerts_per_week": 0.0}, "false_alerts_per_week is the number 0; it must lie"),
        (
            {"silent_after_s": 5},
            "silent_after_s is the number 5; it must be 0 (never), or from 30 to 31622400 seconds",
        ),
        ({"loud": True}, "a control has no field 'loud'; it has direction, minimum"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        control_of(fields)


def test_no_metric_can_have_the_name_of_the_device_as_a_whole() -> None:
    with pytest.raises(InvalidReading, match="stands for the device as a whole"):
        check_metric_name(DEVICE)


@pytest.mark.parametrize("name", [b"*", rb"\u002a"])  # an escape goes the careful way at once
def test_a_reading_with_that_name_is_refused_alone(name: bytes) -> None:
    row = b'{"device_id": "a", "ts": 1, "metrics": {"%s": 1}}'
    parsed = parse_json(b"[%s, %s]" % (row % b"m", row % name), Window(0, 10))
    assert [list(reading.metrics) for reading in parsed.readings] == [["m"]]
    assert [(entry.index, entry.code) for entry in parsed.rejected] == [(1, "invalid_metric_name")]
    assert 'has the name "*"' in parsed.rejected[0].detail
