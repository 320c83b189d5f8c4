"""What scoring knows of a device, and the packed layout of it.

A packed device state, little-endian:

    u8  layout (1)     u8  flags (bit 0: re-learning)     u16 detector version     u16 metrics
    then for each metric, names sorted:
    u16 length of the name, the name in UTF-8
    i64 watermark      i64 quiet until      u32 readings scored
    u8  alarm (0 or 1); if 1: i64 onset, f64 peak, i64 time of the peak, u8 calm readings
    u16 length of the detector's state (0: nothing learned yet), the detector's state
"""

import struct
from collections.abc import Mapping
from typing import Any, Final, Self

import msgspec

from weir.alerts import Alarm
from weir.detector import Detector

NEVER: Final = -(1 << 62)
"""A time before all others."""

_LAYOUT: Final = 1
_RELEARNING: Final = 1
_HEADER: Final = struct.Struct("<BBHH")
_METRIC: Final = struct.Struct("<qqIB")
_ALARM: Final = struct.Struct("<qdqB")
_LENGTH: Final = struct.Struct("<H")


class UnreadableState(ValueError):
    """The bytes are no device state of this layout and detector version."""


class MetricState(msgspec.Struct, frozen=True):
    """How far a metric is scored, and what its detector and its alarm remember.

    `learned` is the detector's state, or None while nothing was learned. Up to `quiet_until`,
    values are learned from without opening alerts: history that is learned again.
    """

    watermark: int
    learned: Any = None
    alarm: Alarm | None = None
    scored: int = 0
    quiet_until: int = NEVER


class DeviceState(msgspec.Struct, frozen=True):
    """The metrics of a device. `relearning`: an earlier state could not be read."""

    metrics: Mapping[str, MetricState] = msgspec.field(default_factory=dict)
    relearning: bool = False

    @property
    def frontier(self) -> int:
        """The newest time that was scored, of whichever metric."""
        return max((metric.watermark for metric in self.metrics.values()), default=NEVER)

    @property
    def scored(self) -> int:
        """How many values were scored, of all metrics."""
        return sum(metric.scored for metric in self.metrics.values())


class Checkpoint(msgspec.Struct, frozen=True):
    """The durable state of a device, and the one before it to rewind to.

    `current` counts every chunk that `previous` counts, and `folded` more: those are kept as a
    count and the sum of their digests (modulo 2^64), and none begins before `folded_from`, so
    that reading the log again can tell a chunk that was counted from one that came late.
    `version` rises with every write, and every write names the version that it replaces.
    """

    device_id: str
    version: int
    current: DeviceState
    previous: DeviceState
    folded: int = 0
    digest_sum: int = 0
    folded_from: int = NEVER

    @classmethod
    def fresh(cls, device_id: str, *, version: int = 0, relearning: bool = False) -> Self:
        """The checkpoint of a device of which nothing is known."""
        state = DeviceState(relearning=relearning)
        return cls(device_id, version, state, state)


def pack_state(state: DeviceState, detector: Detector[Any]) -> bytes:
    """Pack `state`; `unpack_state` gives back the same, bit for bit."""
    parts = [
        _HEADER.pack(_LAYOUT, int(state.relearning), detector.version, len(state.metrics)),
    ]
    for name in sorted(state.metrics):
        metric = state.metrics[name]
        encoded = name.encode()
        learned = b"" if metric.learned is None else detector.pack(metric.learned)
        parts += (
            _LENGTH.pack(len(encoded)),
            encoded,
            _METRIC.pack(
                metric.watermark, metric.quiet_until, metric.scored, metric.alarm is not None
            ),
        )
        if metric.alarm is not None:
            alarm = metric.alarm
            parts.append(_ALARM.pack(alarm.onset, alarm.peak, alarm.peak_ts, alarm.calm))
        parts += (_LENGTH.pack(len(learned)), learned)
    return b"".join(parts)


def unpack_state(data: bytes, detector: Detector[Any]) -> DeviceState:
    """Unpack what `pack_state` wrote with the same detector version.

    Raises `UnreadableState` otherwise.
    """
    try:
        return _unpack(memoryview(data), detector)
    except (struct.error, ValueError) as error:
        raise UnreadableState(f"the state cannot be read: {error}") from error


def _unpack(data: memoryview, detector: Detector[Any]) -> DeviceState:
    layout, flags, version, count = _HEADER.unpack_from(data)
    if layout != _LAYOUT:
        raise UnreadableState(f"the state has layout {layout}, not {_LAYOUT}")
    if version != detector.version:
        raise UnreadableState(f"the state is of detector {version}, not {detector.version}")
    at = _HEADER.size
    metrics: dict[str, MetricState] = {}
    for _ in range(count):
        encoded, at = _take(data, at)
        watermark, quiet_until, scored, alarmed = _METRIC.unpack_from(data, at)
        at += _METRIC.size
        alarm = None
        if alarmed:
            alarm = Alarm(*_ALARM.unpack_from(data, at))
            at += _ALARM.size
        learned, at = _take(data, at)
        metrics[str(encoded, "utf-8")] = MetricState(
            watermark,
            detector.unpack(bytes(learned)) if learned else None,
            alarm,
            scored,
            quiet_until,
        )
    if at != len(data):
        raise UnreadableState(f"the state has {len(data) - at} bytes too many")
    return DeviceState(metrics, bool(flags & _RELEARNING))


def _take(data: memoryview, at: int) -> tuple[memoryview, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    end = at + _LENGTH.size + length
    if end > len(data):
        raise UnreadableState("the state ends early")
    return data[at + _LENGTH.size : end], end
