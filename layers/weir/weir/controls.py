"""Controls: what operators want alerts for, of all devices, of one, or of one metric.

A narrower control overrides, field by field, what a wider one sets. Controls decide what opens an
alert, not what is learned: a metric that is ignored goes on being scored.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Final, Literal

import msgspec

from weir.readings import kind

DEVICE: Final = "*"
"""The name under which a device as a whole is alerted on; no metric can have it."""

FLEET: Final = "*"
"""The name under which the controls of all devices are kept; no device can have it."""

LEAST_RATE: Final = 1e-6
MOST_RATE: Final = 1000.0

type Direction = Literal["both", "above", "below"]


class Control(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is set for the fleet, a device or a metric; None leaves it to the wider control."""

    direction: Direction | None = None
    """Departures from what was expected that open alerts."""
    minimum: float | None = None
    """The least departure that does, in the unit of the metric; not for the device as a whole."""
    ignore: bool | None = None
    """Whether no alerts are opened at all."""
    false_alerts_per_week: float | None = None
    """How many false alerts a week a healthy device may open."""


class Resolved(msgspec.Struct, frozen=True):
    """What holds for a metric, or for the device as a whole."""

    direction: Direction
    minimum: float
    ignore: bool
    false_alerts_per_week: float


class Controls(msgspec.Struct, frozen=True):
    """All that is set for a device and its metrics, the device as a whole (`DEVICE`) among them."""

    fleet: Control = Control()
    device: Control = Control()
    metrics: Mapping[str, Control] = msgspec.field(default_factory=dict)

    def of(self, metric: str, default_rate: float) -> Resolved:
        """What holds for `metric`, given how many false alerts a week are allowed by default."""
        own = self.metrics.get(metric, _UNSET)
        if own == _UNSET and self.device == _UNSET and self.fleet == _UNSET:
            return _plain(default_rate)
        return _resolve((own, self.device, self.fleet), default_rate)


NONE: Final = Controls()
_RULES: Final = {
    "direction": "it must be both, above or below",
    "minimum": "it must be a finite number",
    "ignore": "it must be true or false",
    "false_alerts_per_week": "it must be a finite number",
}
_UNSET: Final = Control()


@lru_cache(maxsize=16)
def _plain(rate: float) -> Resolved:
    return _resolve((), rate)


def _resolve(controls: tuple[Control, ...], rate: float) -> Resolved:
    direction: Direction = "both"
    minimum, ignore = 0.0, False
    for control in reversed(controls):  # the narrowest last
        direction = control.direction or direction
        minimum = minimum if control.minimum is None else control.minimum
        ignore = ignore if control.ignore is None else control.ignore
        wanted = control.false_alerts_per_week
        rate = rate if wanted is None else wanted
    return Resolved(direction, minimum, ignore, rate)


def control_of(fields: Mapping[str, object]) -> Control:
    """The control with these fields; raises `ValueError` naming the field, what it is, the rule."""
    unknown = fields.keys() - set(Control.__struct_fields__)
    if unknown:
        known = ", ".join(Control.__struct_fields__)
        raise ValueError(f"a control has no field {min(unknown)!r}; it has {known}")
    try:
        control = msgspec.convert(dict(fields), Control)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        raise ValueError(f"{name} is {kind(fields[name])}; {_RULES[name]}") from error
    minimum, rate = control.minimum, control.false_alerts_per_week
    if minimum is not None and not (isfinite(minimum) and minimum >= 0.0):
        raise ValueError(f"minimum is the number {minimum}; it must be finite, and at least 0")
    if rate is not None and not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"false_alerts_per_week is the number {rate}; it must lie from {LEAST_RATE} to "
            f"{MOST_RATE:g}"
        )
    return control
