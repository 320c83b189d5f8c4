from collections.abc import Mapping
from typing import Final, Literal
import msgspec

DEVICE: Final = "*"


class Control(msgspec.Struct, frozen=True):
    direction: Literal["both", "above", "below"] | None = None
    minimum: float | None = None
    ignore: bool | None = None
    false_alerts_per_week: float | None = None


class Resolved(msgspec.Struct, frozen=True):
    direction: Literal["both", "above", "below"] = "both"
    minimum: float = 0.0
    ignore: bool = False
    false_alerts_per_week: float = 0.1


class Controls(msgspec.Struct, frozen=True):
    fleet: Control = Control()
    device: Control = Control()
    metrics: Mapping[str, Control] = msgspec.field(default_factory=dict)

    def of(self, metric: str, default_rate: float) -> Resolved:
        return Resolved(false_alerts_per_week=default_rate)


NONE: Final = Controls()
