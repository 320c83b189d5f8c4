"""What scoring knows of a device, and the packed layout of it.

A packed device state, little-endian:

    u8  layout (3)     u8  flags (bit 0: re-learning)
    u16 detector version     u16 joint detector version     u16 metrics     u8 groups
    then for each metric, names sorted:
    u16 length of the name, the name in UTF-8
    i64 watermark      i64 quiet until      u32 readings scored
    u8  alarm (0: none, 1: open, 2: ended); unless 0: i64 onset, f64 peak, i64 time of the peak,
        i64 last seen, u32 readings that were not calm; if 1: u8 calm readings; if 2: i64 end
    u16 length of the detector's state (0: nothing learned yet), the detector's state
    then for each group:
    u8  metrics; of each, the u16 place of its name among those above
    i64 watermark      i64 quiet until      alarm as above
    u16 length of the joint detector's state, the state

Layout 2, of an older Weir, is read too. Of alarms it has the open ones alone, without last seen
and the count: i64 onset, f64 peak, i64 time of the peak, u8 calm readings.
"""

import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from weir.alerts.alarm import Alarm
from weir.detection import JOINT, Detector
from weir.detection.joint import JointState
from weir.scoring.hearing import NOTHING_HEARD, Heard, Silence
from weir.scoring.telling import NOTHING, Telling

NEVER: Final = -(1 << 62)
"""A time before all others."""

MAX_GROUPS: Final = 4
"""So many groups of a device are scored, the first that come."""

_LAYOUT: Final = 3
_OLD_LAYOUT: Final = 2
_RELEARNING: Final = 1
_HEADER: Final = struct.Struct("<BBHHHB")
_METRIC: Final = struct.Struct("<qqI")
_GROUP: Final = struct.Struct("<qq")
_ALARM: Final = struct.Struct("<qdqqI")
_CALM: Final = struct.Struct("<B")
_END: Final = struct.Struct("<q")
_OLD_ALARM: Final = struct.Struct("<qdqB")
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


class GroupState(msgspec.Struct, frozen=True):
    """The same of metrics that come together, whose rows the joint detector scores."""

    watermark: int
    learned: JointState
    alarm: Alarm | None = None
    quiet_until: int = NEVER


type Group = tuple[str, ...]
"""The names of metrics that come together, sorted: all that a chunk has."""


def group_of(names: Collection[str]) -> Group | None:
    """The group of a chunk with the metrics `names`, of which it takes at least two."""
    return tuple(sorted(names)) if len(names) > 1 else None


class DeviceState(msgspec.Struct, frozen=True):
    """The metrics of a device, and their groups.

    `relearning`: an earlier state could not be read.
    """

    metrics: Mapping[str, MetricState] = msgspec.field(default_factory=dict)
    relearning: bool = False
    groups: Mapping[Group, GroupState] = msgspec.field(default_factory=dict)

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
    `telling` is what is to be told of the way to `current`, and what was told of it before.
    `heard` is how often the device is heard, `expected_by` (epoch ms) when the watchdog looks for
    it; `silence` is set while it is marked silent.
    `version` rises with every write, and every write names the version that it replaces.
    """

    device_id: str
    version: int
    current: DeviceState
    previous: DeviceState
    folded: int = 0
    digest_sum: int = 0
    folded_from: int = NEVER
    telling: Telling = NOTHING
    heard: Heard = NOTHING_HEARD
    expected_by: int | None = None
    silence: Silence | None = None

    @classmethod
    def fresh(cls, device_id: str, *, version: int = 0, relearning: bool = False) -> Self:
        """The checkpoint of a device of which nothing is known."""
        state = DeviceState(relearning=relearning)
        return cls(device_id, version, state, state)


def pack_state(state: DeviceState, detector: Detector[Any]) -> bytes:
    """Pack `state`; `unpack_state` gives back the same, bit for bit."""
    names = sorted(state.metrics)
    flags = _RELEARNING if state.relearning else 0
    versions = (detector.version, JOINT.version)
    parts = [_HEADER.pack(_LAYOUT, flags, *versions, len(names), len(state.groups))]
    for name in names:
        metric = state.metrics[name]
        learned = b"" if metric.learned is None else detector.pack(metric.learned)
        parts += (
            _prefixed(name.encode()),
            _METRIC.pack(metric.watermark, metric.quiet_until, metric.scored),
            _pack_alarm(metric.alarm),
            _prefixed(learned),
        )
    place = {name: at for at, name in enumerate(names)}
    for members, group in sorted(state.groups.items()):
        parts += (
            struct.pack(f"<B{len(members)}H", len(members), *(place[name] for name in members)),
            _GROUP.pack(group.watermark, group.quiet_until),
            _pack_alarm(group.alarm),
            _prefixed(JOINT.pack(group.learned)),
        )
    return b"".join(parts)


def _prefixed(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _pack_alarm(alarm: Alarm | None) -> bytes:
    if alarm is None:
        return b"\0"
    body = _ALARM.pack(alarm.onset, alarm.peak, alarm.peak_ts, alarm.last_seen, alarm.count)
    if alarm.ended_at is None:
        return b"\1" + body + _CALM.pack(alarm.calm)
    return b"\2" + body + _END.pack(alarm.ended_at)


def unpack_state(data: bytes, detector: Detector[Any]) -> DeviceState:
    """Unpack what `pack_state` wrote, now or in layout 2, with the same detector versions.

    Raises `UnreadableState` otherwise.
    """
    try:
        return _unpack(memoryview(data), detector)
    except (struct.error, ValueError, IndexError) as error:
        raise UnreadableState(f"the state cannot be read: {error}") from error


def _unpack(data: memoryview, detector: Detector[Any]) -> DeviceState:
    layout, flags, version, joint, count, group_count = _HEADER.unpack_from(data)
    if layout not in {_LAYOUT, _OLD_LAYOUT}:
        raise UnreadableState(f"the state has layout {layout}, not {_LAYOUT}")
    take_alarm = _take_alarm if layout == _LAYOUT else _take_old_alarm
    if version != detector.version:
        raise UnreadableState(f"the state is of detector {version}, not {detector.version}")
    if joint != JOINT.version:
        raise UnreadableState(f"the state is of joint detector {joint}, not {JOINT.version}")
    at = _HEADER.size
    metrics: dict[str, MetricState] = {}
    for _ in range(count):
        encoded, at = _take(data, at)
        watermark, quiet_until, scored = _METRIC.unpack_from(data, at)
        alarm, at = take_alarm(data, at + _METRIC.size)
        learned, at = _take(data, at)
        metrics[str(encoded, "utf-8")] = MetricState(
            watermark,
            detector.unpack(bytes(learned)) if learned else None,
            alarm,
            scored,
            quiet_until,
        )
    names = list(metrics)
    groups: dict[Group, GroupState] = {}
    for _ in range(group_count):
        members, at = _take_members(data, at, names)
        watermark, quiet_until = _GROUP.unpack_from(data, at)
        alarm, at = take_alarm(data, at + _GROUP.size)
        packed, at = _take(data, at)
        groups[members] = GroupState(watermark, JOINT.unpack(bytes(packed)), alarm, quiet_until)
    if at != len(data):
        raise UnreadableState(f"the state has {len(data) - at} bytes too many")
    return DeviceState(metrics, bool(flags & _RELEARNING), groups)


def _take(data: memoryview, at: int) -> tuple[memoryview, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    end = at + _LENGTH.size + length
    if end > len(data):
        raise UnreadableState("the state ends early")
    return data[at + _LENGTH.size : end], end


def _take_alarm(data: memoryview, at: int) -> tuple[Alarm | None, int]:
    kind, at = data[at], at + 1
    if not kind:
        return None, at
    onset, peak, peak_ts, last_seen, count = _ALARM.unpack_from(data, at)
    at += _ALARM.size
    calm, ended_at = 0, None
    if kind == 1:
        (calm,) = _CALM.unpack_from(data, at)
        at += _CALM.size
    else:
        (ended_at,) = _END.unpack_from(data, at)
        at += _END.size
    return Alarm(onset, peak, peak_ts, calm, last_seen, count, ended_at), at


def _take_old_alarm(data: memoryview, at: int) -> tuple[Alarm | None, int]:
    if not data[at]:
        return None, at + 1
    onset, peak, peak_ts, calm = _OLD_ALARM.unpack_from(data, at + 1)
    return Alarm(onset, peak, peak_ts, calm, last_seen=peak_ts), at + 1 + _OLD_ALARM.size


def _take_members(data: memoryview, at: int, names: Sequence[str]) -> tuple[Group, int]:
    places = struct.unpack_from(f"<{data[at]}H", data, at + 1)
    return tuple(names[place] for place in places), at + 1 + 2 * len(places)
