"""Where readings are sent, and with which key."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """An API that takes readings, and a device key for it. The key is never printed."""

    url: str
    key: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request must say of its sender."""
        return {"authorization": f"Bearer {self.key}"}
