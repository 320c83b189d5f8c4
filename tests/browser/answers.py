"""The documents that the stand-in answers with, by the contract of docs/api.md."""

from collections.abc import Iterator
from typing import Any

from tests.browser.world import HOUR, Device, World
from weir.alerts.alarm import SEVERITIES
from weir.alerts.alert import Alert
from weir.charts.buckets import width_of
from weir.http.controls import shown as shown_control
from weir.readings import format_ts


def when(ts: int | None) -> str | None:
    return None if ts is None else format_ts(ts)


def overview(world: World, now: int) -> dict[str, Any]:
    devices = [device(world, one, now) for one in world.devices.values()]
    states = [one["state"] for one in devices]
    alerts = world.alerts.values()
    opened = [found for found in alerts if found.is_open]
    first = now - now % HOUR - 23 * HOUR
    return {
        "at": when(now),
        "devices": {
            "total": len(devices),
            **{state: states.count(state) for state in ("reporting", "silent", "alerting")},
        },
        "alerts": {
            "open": len(opened),
            "unacknowledged": sum(not found.acknowledged for found in opened),
            "by_severity": {
                name: sum(found.severity == name for found in opened) for name in SEVERITIES
            },
            "per_hour": [
                {
                    "hour": when(hour),
                    "opened": sum(hour <= found.onset < hour + HOUR for found in alerts),
                }
                for hour in range(first, first + 24 * HOUR, HOUR)
            ],
        },
        "readings_per_second": round(
            sum(1000 / one.cadence for one in world.devices.values() if one.stopped is None), 2
        ),
        "truncated": False,
    }


def device(world: World, found: Device, now: int, *, whole: bool = False) -> dict[str, Any]:
    opened = [one for one in of_device(world, found.device_id) if one.is_open]
    silent = found.stopped is not None and now - found.stopped > 3 * found.cadence
    last = found.last(now)
    worst = max((SEVERITIES.index(one.severity) for one in opened), default=None)
    scored = 120_960 * len(found.metrics)
    document: dict[str, Any] = {
        "device_id": found.device_id,
        "state": "silent" if silent else "alerting" if opened else "reporting",
        "last_reading": when(last),
        "last_heard": when(last),
        "cadence_s": found.cadence / 1000 if found.is_learned else None,
        "scored": scored,
        "open_alerts": len(opened),
        "worst_severity": None if worst is None else SEVERITIES[worst],
    }
    if whole:
        document["silent_since"] = when(last) if silent else None
        document["metrics"] = [
            {"metric": name, "last_scored": when(last), "scored": 120_960}
            for name in sorted(found.metrics)
        ]
    return document


def of_device(world: World, device_id: str) -> Iterator[Alert]:
    return (found for found in world.alerts.values() if found.device_id == device_id)


def latest(found: Device, now: int) -> dict[str, Any]:
    last = found.last(now)
    return {
        "device_id": found.device_id,
        "at": when(last),
        "values": {
            name: {"ts": when(last), "value": found.value(name, last)} for name in found.metrics
        },
    }


def readings(found: Device, start: int, end: int, limit: int, now: int) -> dict[str, Any]:
    times = list(found.times(start, end, now))
    return {
        "device_id": found.device_id,
        "from": when(start),
        "to": when(end),
        "readings": [
            {"ts": when(ts), "metrics": {name: found.value(name, ts) for name in found.metrics}}
            for ts in times[:limit]
        ],
        "next_cursor": str(times[limit]) if len(times) > limit else None,
    }


def buckets(
    found: Device, metrics: list[str], start: int, end: int, buckets: int, now: int
) -> dict[str, Any]:
    """At most some readings of each bucket are looked at: enough for a picture."""
    width = width_of(start, end, buckets)
    columns: dict[str, dict[str, list[float]]] = {}
    seen = 0
    skip = max(width // found.cadence // 8, 1) * found.cadence
    for name in metrics:
        column = columns[name] = {key: [] for key in ("ts", "min", "max", "mean", "count")}
        for ts in found.times(start, end, now):
            if (ts // found.cadence * found.cadence) % skip:
                continue
            value, bucket = found.value(name, ts), ts // width * width
            seen += 1
            if column["ts"] and column["ts"][-1] == bucket:
                count = column["count"][-1]
                column["min"][-1] = min(column["min"][-1], value)
                column["max"][-1] = max(column["max"][-1], value)
                column["mean"][-1] = (column["mean"][-1] * count + value) / (count + 1)
                column["count"][-1] = count + 1
            else:
                for key, first in zip(column, (bucket, value, value, value, 1), strict=True):
                    column[key].append(first)
    return {
        "device_id": found.device_id,
        "from": when(start),
        "to": when(end),
        "bucket_ms": width,
        "readings": seen,
        "series": columns,
        "next_cursor": None,
    }


def expected(
    found: Device, metric: str, start: int, end: int, buckets: int, now: int
) -> dict[str, Any]:
    width = max((end - start) // buckets, found.cadence)
    times = list(found.times(start, end, now))[:: max(width // found.cadence, 1)]
    rule = found.metrics[metric]
    middle = [rule.expected(ts) for ts in times]
    off = [abs(found.value(metric, ts) - rule.expected(ts)) / rule.reach for ts in times]
    return {
        "device_id": found.device_id,
        "metric": metric,
        "from": when(start),
        "to": when(end),
        "warm_from": when(start - HOUR),
        "ts": times,
        "expected": [round(value, 4) for value in middle],
        "low": [round(value - rule.reach, 4) for value in middle],
        "high": [round(value + rule.reach, 4) for value in middle],
        "score": [round(min(0.28 * x if x < 1.2 else 0.6 + 0.06 * x, 0.98), 3) for x in off],
        "truncated": False,
    }


def controls(found: Device) -> dict[str, Any]:
    return {
        "control": shown_control(found.control),
        "metrics": {name: shown_control(one) for name, one in found.controls.items()},
    }
