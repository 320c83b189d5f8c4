"""The routes for controls: what opens alerts, of the fleet, a device or a metric, and snoozes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from weir.controls import DEVICE, FLEET, Control, control_of
from weir.http.calls import Call, Outcome
from weir.http.fields import checked_metric, moment, only, path_device, snooze_end
from weir.http.queries import Query
from weir.key_service import InvalidField
from weir.readings import format_ts, kind
from weir.storage.control_store import ControlStore

OF_THE_WHOLE: Final = ("ignore", "false_alerts_per_week", "snoozed_until")
"""What can be set for the device as a whole: its score has no direction, and no unit."""

NOT_OF_METRICS: Final = ("silent_after_s",)


def get_of_device(store: ControlStore, call: Call) -> Outcome:
    """What is set for a device and its metrics, or one of them. Raises `InvalidField`."""
    device_id = path_device(call)
    metric = Query(call.raw_query, ("metric",)).metric(or_device=True)
    own, metrics = store.get(device_id)
    if metric is not None:
        metrics = {name: control for name, control in metrics.items() if name == metric}
    return Outcome(200, _document(own, metrics))


def put_of_device(store: ControlStore, call: Call) -> Outcome:
    """Replace the control of a device, or of one of its metrics.

    Raises `InvalidField`, `TooManyControls` or `ControlMoved`.
    """
    device_id = path_device(call)
    metric = Query(call.raw_query, ("metric",)).metric(or_device=True)
    return _put(store, call, device_id, metric)


def delete_of_device(store: ControlStore, call: Call) -> Outcome:
    """Take back what is set for a metric, or for a device, metrics and all."""
    device_id = path_device(call)
    metric = Query(call.raw_query, ("metric",)).metric(or_device=True)
    return _delete(store, device_id, metric)


def get_of_fleet(store: ControlStore, call: Call) -> Outcome:
    """What is set for all devices."""
    Query(call.raw_query, ())
    return Outcome(200, _document(*store.get(FLEET)))


def put_of_fleet(store: ControlStore, call: Call) -> Outcome:
    """Replace the control of all devices. Raises `InvalidField` or `ControlMoved`."""
    Query(call.raw_query, ())
    return _put(store, call, FLEET, None)


def delete_of_fleet(store: ControlStore, call: Call) -> Outcome:
    """Take back what is set for all devices."""
    Query(call.raw_query, ())
    return _delete(store, FLEET, None)


def snooze(store: ControlStore, call: Call) -> Outcome:
    """Tell nobody of alerts of a device, or of one of its metrics, until a time.

    Raises `InvalidField`, `TooManyControls` or `ControlMoved`.
    """
    Query(call.raw_query, ())
    device_id = path_device(call)
    fields = only(call.fields, "until", "for_seconds", "metric")
    metric = fields.get("metric")
    if metric is not None:
        if not isinstance(metric, str):
            raise InvalidField(f"metric is {kind(metric)}; it must be a string")
        metric = checked_metric(metric, or_device=True)
    until = snooze_end(fields, call.now)

    def change(old: Control) -> Control:
        return msgspec.structs.replace(old, snoozed_until=until if until > call.now else None)

    own, metrics = store.change(device_id, metric, change)
    audit = {
        "action": "device_snoozed",
        "device_id": device_id,
        "metric": metric,
        "until": format_ts(until),
    }
    return Outcome(200, _document(own, metrics), audit)


def _put(store: ControlStore, call: Call, key: str, metric: str | None) -> Outcome:
    fields = {name: value for name, value in call.fields.items() if value is not None}
    if "snoozed_until" in fields:
        fields["snoozed_until"] = moment("snoozed_until", fields["snoozed_until"])
    try:
        control = control_of(fields)
    except ValueError as error:
        raise InvalidField(str(error)) from error
    for name in fields:
        if metric == DEVICE and name not in OF_THE_WHOLE:
            raise InvalidField(
                f"{name} is no control of the device as a whole; it has {', '.join(OF_THE_WHOLE)}"
            )
        if metric is not None and name in NOT_OF_METRICS:
            raise InvalidField(f"{name} is no control of a metric; devices and the fleet have it")
    own, metrics = store.change(key, metric, lambda _: control)
    audit = {"action": "controls_set", "of": key, "metric": metric, "control": shown(control)}
    return Outcome(200, _document(own, metrics), audit)


def _delete(store: ControlStore, key: str, metric: str | None) -> Outcome:
    store.remove(key, metric)
    audit = {"action": "controls_cleared", "of": key, "metric": metric}
    return Outcome(200, _document(*store.get(key)), audit)


def shown(control: Control) -> dict[str, Any]:
    """A control as it is shown: the fields that are set."""
    fields: dict[str, Any] = msgspec.to_builtins(control)
    if control.snoozed_until is not None:
        fields["snoozed_until"] = format_ts(control.snoozed_until)
    return fields


def _document(own: Control, metrics: Mapping[str, Control]) -> dict[str, Any]:
    return {
        "control": shown(own),
        "metrics": {name: shown(metrics[name]) for name in sorted(metrics)},
    }
