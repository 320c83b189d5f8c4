"""The routes for devices: listing them, and one with its metrics."""

from typing import Any, Final

from weir.charts.merging import latest as latest_of
from weir.http.calls import Call, Outcome, tagged
from weir.http.fields import checked_device_id, path_device, prefix
from weir.http.fleet import NOTHING_OPEN, Fleet, Opened
from weir.http.queries import Query, bad_cursor, cursor_of
from weir.key_service import InvalidField
from weir.readings import format_ts
from weir.scoring.hearing import NOTHING_HEARD
from weir.storage.device_store import Device
from weir.storage.reading_range import ReadingRange

PAGE: Final = 100
MAX_PAGE: Final = 500
"""Devices in an answer: by default, and at most."""

MOST_LOOKED_AT: Final = 20_000
"""So many devices are looked at for an answer, whichever of them are asked for."""

STATES: Final = ("reporting", "silent", "alerting")

LATEST_CHUNKS: Final = 8
"""The latest values are those of so many chunks: metrics may come in requests of their own."""

_AT_ONCE: Final = 500


class NoSuchDevice(LookupError):
    """Nothing is known of a device with this id."""


def list_devices(fleet: Fleet, call: Call) -> Outcome:
    """Devices by name. Raises `InvalidField`."""
    query = Query(call.raw_query, ("prefix", "state", "limit", "cursor"))
    begin = prefix(query.text("prefix") or "")
    state = query.choice("state", STATES, "") or None
    limit = query.whole("limit", 1, MAX_PAGE, PAGE)
    last = query.cursor("devices")
    if last is not None and not _is_place(last, begin):
        raise bad_cursor()
    opened = fleet.open_alerts(call.deadline)
    at_once = limit // 4 + 8 if state is None else _AT_ONCE
    found: list[dict[str, Any]] = []
    more = False
    for looked_at, device in enumerate(fleet.devices.by_name(begin, last, at_once)):
        if len(found) == limit or looked_at == MOST_LOOKED_AT or call.deadline.left <= 0:
            more = True
            break
        last = device.device_id
        opens = opened.of(last)
        if state is None or state_of(device, opens) == state:
            found.append(shown(device, opens))
    document = {
        "devices": found,
        "next_cursor": cursor_of("devices", last or "") if more else None,
    }
    return Outcome(200, document)


def get_device(fleet: Fleet, call: Call) -> Outcome:
    """A device and its metrics. Raises `InvalidField` or `NoSuchDevice`."""
    Query(call.raw_query, ())
    device_id = path_device(call)
    known = fleet.devices.get(device_id)
    newest = fleet.readings.newest(device_id, 1)
    if known is None and not newest:
        raise NoSuchDevice(device_id)
    device, state = known or (Device(device_id, None, 0, NOTHING_HEARD), b"")
    last_reading = max([device.last_reading or 0, *(chunk.t1 for chunk in newest)])
    last_heard = device.last_heard
    if last_heard is not None and last_reading > (device.last_reading or 0):
        last_heard = min(device.heard.heard_at(last_reading), call.now)
    document = {
        **shown(device, fleet.opened_of(device_id)),
        # Newer than the checkpoint, which the list goes by.
        "last_reading": format_ts(last_reading) if last_reading else None,
        "last_heard": _time(last_heard),
        "silent_since": _time(device.silent_since),
        "metrics": _metrics(state),
    }
    return Outcome(200, {"device": document})


def latest(readings: ReadingRange, call: Call) -> Outcome:
    """The newest value of each metric. Raises `InvalidField`."""
    Query(call.raw_query, ())
    device_id = path_device(call)
    chunks = readings.newest(device_id, LATEST_CHUNKS)

    def document() -> dict[str, Any]:
        values = latest_of(chunk.document for chunk in chunks)
        at = max((ts for ts, _ in values.values()), default=None)
        return {
            "device_id": device_id,
            "at": _time(at),
            "values": {
                name: {"ts": format_ts(values[name][0]), "value": values[name][1]}
                for name in sorted(values)
            },
        }

    # Any chunk that comes, late ones among these included, changes the first or the last of them.
    ends = f"{chunks[0].sk}.{chunks[-1].sk}.{len(chunks)}" if chunks else "none"
    return tagged(call, f'"{ends}"', document)


def state_of(device: Device, opened: Opened) -> str:
    """What a device does: one of `STATES`. A silent one is that, whatever its alerts."""
    if device.silent_since is not None:
        return "silent"
    return "alerting" if opened.count else "reporting"


def shown(device: Device, opened: Opened = NOTHING_OPEN) -> dict[str, Any]:
    """A device as it is listed."""
    return {
        "device_id": device.device_id,
        "state": state_of(device, opened),
        "last_reading": _time(device.last_reading),
        "last_heard": _time(device.last_heard),
        "cadence_s": device.cadence_s,
        "scored": device.scored,
        "open_alerts": opened.count,
        "worst_severity": opened.worst,
    }


def _metrics(packed: bytes) -> list[dict[str, Any]]:
    """The metrics in a packed state; none, if it is of another version and is learned anew."""
    if not packed:
        return []
    from weir.detection import IN_USE
    from weir.scoring.state import UnreadableState, unpack_state

    try:
        metrics = unpack_state(bytes(packed), IN_USE).metrics
    except UnreadableState:
        return []
    return [
        {
            "metric": name,
            "last_scored": format_ts(max(0, metrics[name].watermark)),
            "scored": metrics[name].scored,
        }
        for name in sorted(metrics)
    ]


def _is_place(last: str, begin: str) -> bool:
    try:
        checked_device_id(last)
    except InvalidField:
        return False
    return last.startswith(begin)


def _time(at: int | None) -> str | None:
    return None if at is None else format_ts(at)
