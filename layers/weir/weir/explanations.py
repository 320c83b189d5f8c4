"""Why an alert opened, in a sentence for a person."""

from collections.abc import Sequence
from typing import Final

from weir.detection import Explanation
from weir.detection.joint import Share

_SEEN: Final = {
    "rhythm": "unusual for the time of day",
    "level": "far from its level of late",
    "jump": "a sudden jump",
    "drift": "off its usual rhythm for some time",
    "trend": "its recent level has moved away",
    "stuck": "the same value for longer than ever",
    "block rhythm": "its last 20 readings are unusual for the time of day",
    "block level": "its last 20 readings are far from its usual level",
    "block jump": "its last 20 readings jumped",
    "block drift": "off its usual rhythm for hours",
    "block trend": "its level keeps moving away",
    "habit": "unlike any of the hours around",
    "noise": "its readings scatter unlike before",
}

_MOST_METRICS: Final = 3
_LEAST_SHARE: Final = 0.05
_NEARLY_ALL: Final = 0.8


def of_value(value: float, explanation: Explanation) -> str:
    """What came, what was expected, and what saw the difference.

    >>> of_value(93.1, Explanation(72.0, 70.25, 75.9, "jump"))
    '93.1, expected 70.25 to 75.9: a sudden jump'
    """
    _, low, high, channel = explanation
    inside = low <= value <= high
    band = f"{low:.4g} to {high:.4g}"
    came = f"{value:.4g} is within {band}, but" if inside else f"{value:.4g}, expected {band}:"
    return f"{came} {_SEEN[channel]}"


def of_device(names: Sequence[str], shares: Sequence[Share]) -> str:
    """Which metrics make the most of a device's departure from its usual state.

    >>> of_device(["flow", "heat"], [Share(1, 0.75), Share(0, 0.25)])
    'several metrics are off together: heat (75 %), flow (25 %)'
    >>> of_device(["flow", "heat"], [Share(1, 0.98), Share(0, 0.02)])
    'heat has moved away from its usual level, and the others have not'
    """
    most = [share for share in shares[:_MOST_METRICS] if share.share >= _LEAST_SHARE]
    if len(most) == 1 and most[0].share >= _NEARLY_ALL:
        others = ", and the others have not" if len(names) > 1 else ""
        return f"{names[most[0].column]} has moved away from its usual level{others}"
    if len(most) < 2:  # many, each of them a little
        most = list(shares[:_MOST_METRICS])
    named = ", ".join(
        f"{names[share.column]} ({share.share:.0%})".replace("%", " %") for share in most
    )
    return f"several metrics are off together: {named}"
