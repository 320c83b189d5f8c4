"""Controls: what is narrower overrides what is wider, and what makes no sense is refused."""

from typing import Any

import pytest

from weir.controls import DEVICE, NONE, Control, Controls, Resolved, control_of
from weir.readings import InvalidReading, check_metric_name


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
        ({"direction": "up"}, "direction is a string: "),
        ({"minimum": -1.0}, "minimum is the number -1.0; it must be finite, and at least 0"),
        ({"minimum": "x"}, "minimum is a string: "),
        ({"ignore": 1}, "ignore is a number: "),
        ({"false_alerts_per_week": 0.0}, "false_alerts_per_week is the number 0.0; it must lie"),
        ({"loud": True}, "a control has no field 'loud'; it has direction, minimum"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        control_of(fields)


def test_no_metric_can_have_the_name_of_the_device_as_a_whole() -> None:
    with pytest.raises(InvalidReading, match="stands for the device as a whole"):
        check_metric_name(DEVICE)
