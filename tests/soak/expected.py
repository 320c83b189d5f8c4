"""Which alerts there must be: those of a fold of the true readings, in order, in memory.

The one thing that the soak takes from the pipeline is what it says of values in their order: the
detectors and the rules of alerts. That they see each value once, and in order, is what is tested.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.soak.fleet import Device
from weir.alerts.alarm import Cleared
from weir.chunks import StoredChunk, pack, unpack
from weir.detection import IN_USE
from weir.readings import Reading
from weir.scoring.alarms import Rules
from weir.scoring.fold import fold
from weir.scoring.state import DeviceState, MetricState

type AlertKey = tuple[str, str, int]
"""Device, metric, onset."""

RULES: Final = Rules()
"""Those of a stack on which nothing was set."""

_FOREVER: Final = 1 << 62


def expected_alerts(devices: Iterable[Device]) -> Mapping[AlertKey, int | None]:
    """The alerts that in-order readings open, and when each ended, None if it goes on."""
    found: dict[AlertKey, int | None] = {}
    for device in devices:
        found |= _of_device(device)
    return found


def _of_device(device: Device) -> Mapping[AlertKey, int | None]:
    sent = device.readings[: device.sent]
    state = DeviceState({name: MetricState(sent[0].ts - 1) for name in sent[0].metrics})
    folded = fold(state, _log(device, sent), set(state.metrics), _FOREVER, IN_USE, RULES)
    alerts: dict[AlertKey, int | None] = {}
    for fact in folded.facts:
        key = (device.device_id, fact.metric, fact.onset)
        alerts[key] = fact.ended_at if isinstance(fact, Cleared) else None
    return alerts


def _log(device: Device, sent: Sequence[object]) -> list[StoredChunk]:
    readings = [
        Reading(device.device_id, reading.ts, dict(reading.metrics))
        for reading in device.readings[: len(sent)]
    ]
    chunks = [StoredChunk(chunk.sk, unpack(chunk.document)) for chunk in pack(readings)]
    return sorted(chunks, key=lambda chunk: chunk.sk)
