"""The stores that the operators' routes read and write."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from typing import Any, Final

from weir.chunks import UnreadableChunk
from weir.http.fleet import Fleet
from weir.key_service import DeviceKeys
from weir.settings import ApiSettings
from weir.storage.alert_store import AlertStore
from weir.storage.control_store import ControlStore
from weir.storage.device_key_store import DeviceKeyStore
from weir.storage.device_store import DeviceStore
from weir.storage.reading_range import AT_ONCE, ReadingRange


@cache
def _threads() -> Executor:
    """Threads for reads that can go on at once, made for the first of them."""
    return ThreadPoolExecutor(AT_ONCE, "read")


class Stores:
    """One store for each kind of route.

    `on_trouble` is told what cannot be read, and why; it is left out of answers.
    """

    def __init__(
        self, settings: ApiSettings, dynamodb: Any, on_trouble: Callable[[str, str], None]
    ) -> None:
        def unreadable(device_id: str, sk: str, error: UnreadableChunk) -> None:
            on_trouble(f"{device_id} {sk}", str(error))

        self.keys: DeviceKeys = DeviceKeyStore(dynamodb, settings.devices_table)
        self.alerts: Final = AlertStore(
            dynamodb, settings.alerts_table, retention_s=settings.alert_retention_s
        )
        self.controls: Final = ControlStore(dynamodb, settings.controls_table, on_trouble)
        self.readings: Final = ReadingRange(dynamodb, settings.readings_table, _threads, unreadable)
        devices = DeviceStore(dynamodb, settings.states_table, _threads)
        self.fleet: Final = Fleet(devices, self.alerts, self.readings)
