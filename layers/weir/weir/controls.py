"""Controls: what operators want alerts for, of all devices, of one, or of one metric.

A narrower control overrides, field by field, what a wider one sets. Controls decide what opens an
alert, not what is learned: a metric that is ignored goes on being scored.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Final, Literal

import msgspec

from weir.readings import kind, show

DEVICE: Final = "*"
"""The name under which a device as a whole is alerted on; no metric can have it."""

FLEET: Final = "*"
"""The name under which the controls of all devices are kept; no device can have it."""

LEAST_SILENCE_S: Final = 30.0
MOST_SILENCE_S: Final = 366 * 86_400.0
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
    snoozed_until: int | None = None
    """Until when (epoch ms) nobody is told of alerts; they are opened all the same."""
    silent_after_s: float | None = None
    """After how long without readings a device counts as silent, in place of what was learned of
    it; 0: never. Not for a metric."""


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

    def is_snoozed(self, metric: str, now: int) -> bool:
        """Whether nobody is to be told of alerts of `metric` at `now`: the longest snooze holds."""
        until = (self.metrics.get(metric, _UNSET), self.device, self.fleet)
        return any(now < (control.snoozed_until or 0) for control in until)

    @property
    def silent_after_s(self) -> float | None:
        """After how long without readings the device counts as silent; 0: never, None: learned."""
        own = self.device.silent_after_s
        return self.fleet.silent_after_s if own is None else own


NONE: Final = Controls()
_RULES: Final = {
    "direction": "it must be both, above or below",
    "minimum": "it must be a finite number",
    "ignore": "it must be true or false",
    "false_alerts_per_week": "it must be a finite number",
    "snoozed_until": "it must be a whole number, a time in epoch milliseconds",
    "silent_after_s": "it must be a finite number",
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
        raise ValueError(f"{name} is {_named(fields[name])}; {_RULES[name]}") from error
    minimum, rate = control.minimum, control.false_alerts_per_week
    if minimum is not None and not (isfinite(minimum) and minimum >= 0.0):
        raise ValueError(f"minimum is {_named(minimum)}; it must be finite, and at least 0")
    if rate is not None and not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"false_alerts_per_week is {_named(rate)}; it must lie from {LEAST_RATE:f} to "
            f"{MOST_RATE:g}"
        )
    silent = control.silent_after_s
    if silent is not None and silent != 0 and not LEAST_SILENCE_S <= silent <= MOST_SILENCE_S:
        raise ValueError(
            f"silent_after_s is {_named(silent)}; it must be 0 (never), or from "
            f"{LEAST_SILENCE_S:.0f} to {MOST_SILENCE_S:.0f} seconds"
        )
    return control


def _named(value: object) -> str:
    """A value that came from outside, safe and short enough for a message."""
    if isinstance(value, float):
        return f"the number {value:.15g}"
    if isinstance(value, str):
        shown = show(value)
        return f"the string {shown}" if shown[0] in "'\"" else f"the string '{shown}'"
    return kind(value)
