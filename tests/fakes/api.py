"""The read API in memory, for the command line: alerts, a device, its readings; and what fails."""

import json
from collections.abc import Callable
from typing import Any

from weir.readings import format_ts
from weir_cli.api_client import Api
from weir_cli.api_transport import Answer, Call
from weir_cli.timeline import moment_ms

T = 1_767_225_600_000


def an_alert(metric: str = "flow", onset: int = T, **named: Any) -> dict[str, Any]:
    """An alert as `GET /v1/alerts` lists it: open, of pump-7, not acknowledged."""
    device = named.get("device_id", "pump-7")
    return {
        "alert_id": f"{device}~{onset:013d}~{metric}",
        "device_id": device,
        "metric": metric,
        "kind": "anomaly",
        "state": "OPEN",
        "acknowledged": False,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "severity": "minor",
        "onset": format_ts(onset),
        "last_seen": format_ts(onset),
        "ended_at": None,
        "reopened_at": None,
        "peak_at": format_ts(onset),
        "score": 0.75,
        "peak": 0.75,
        "count": 1,
        "because": "12.5, expected 3 to 4: a jump",
        "value": 12.5,
        "expected": 3.5,
        "expected_low": 3.0,
        "expected_high": 4.0,
        "withdrawn": False,
        "snoozed_until": None,
        "feedback": None,
        "transitions": 1,
        **named,
    }


def with_history(alert: dict[str, Any]) -> dict[str, Any]:
    opened = {"n": 1, "kind": "opened", "at": alert["onset"], "severity": "minor"}
    return {**alert, "history": [{**opened, "by": "", "note": ""}]}


def changed(alert: dict[str, Any], **named: Any) -> dict[str, Any]:
    """The alert after one more transition."""
    return {**alert, "transitions": alert["transitions"] + 1, **named}


class FakeApi:
    """Answers calls from what a test puts in; remembers them all."""

    def __init__(self, *alerts: dict[str, Any]) -> None:
        self.alerts = {alert["alert_id"]: alert for alert in alerts}
        self.devices: list[dict[str, Any]] = []
        self.readings: list[tuple[int, dict[str, float]]] = []
        self.calls: list[Call] = []
        self.band: dict[str, Any] | None = None
        self.page = 100
        self.failing: list[Answer] = []
        self.slept: list[float] = []
        self._routes: dict[str, Callable[[Call], Answer]] = {
            "GET /v1/alerts": self._list_alerts,
            "GET /v1/alerts/{alert_id}": self._alert,
            "POST /v1/alerts/{alert_id}/acknowledge": self._acknowledge,
            "POST /v1/alerts/{alert_id}/snooze": self._snooze,
            "POST /v1/alerts/{alert_id}/feedback": self._judge,
            "GET /v1/devices": lambda call: self._page_of("devices", self.devices, call),
            "GET /v1/devices/{device_id}": self._device,
            "GET /v1/devices/{device_id}/latest": self._latest,
            "GET /v1/devices/{device_id}/readings": self._list_readings,
            "GET /v1/devices/{device_id}/expected": self._expected,
            "GET /v1/devices/{device_id}/controls": self._controls,
            "POST /v1/devices/{device_id}/snooze": self._snooze_device,
        }

    @property
    def api(self) -> Api:
        return Api(self, sleep=self.slept.append)

    def put(self, alert: dict[str, Any]) -> None:
        self.alerts[alert["alert_id"]] = alert

    def asked(self, route: str) -> list[Call]:
        return [call for call in self.calls if f"{call.method} {call.route}" == route]

    # ------------------------------------------------------------------ a transport

    def send(self, call: Call) -> Answer:
        self.calls.append(call)
        if self.failing:
            return self.failing.pop(0)
        route = self._routes.get(f"{call.method} {call.route}")
        return problem(404, "") if route is None else route(call)

    def close(self) -> None:
        pass

    # ------------------------------------------------------------------ routes

    def _list_alerts(self, call: Call) -> Answer:
        query = dict(call.query)
        found = [a for a in self.alerts.values() if _is_wanted(a, query)]
        found.sort(key=lambda alert: alert["onset"], reverse=True)
        return self._page_of("alerts", found, call)

    def _page_of(self, name: str, found: list[Any], call: Call) -> Answer:
        query = dict(call.query)
        start = int(query.get("cursor", 0))
        end = start + min(int(query["limit"]), self.page)
        cursor = str(end) if end < len(found) else None
        return _ok({name: found[start:end], "next_cursor": cursor})

    def _alert(self, call: Call) -> Answer:
        return self._change(call)

    def _acknowledge(self, call: Call) -> Answer:
        return self._change(call, acknowledged=True, acknowledged_by="ada")

    def _snooze(self, call: Call) -> Answer:
        body = dict(call.body or {})
        until = body.get("until") or (format_ts(T + 1000 * body["for_seconds"]))
        return self._change(call, snoozed_until=until if body.get("for_seconds") != 0 else None)

    def _judge(self, call: Call) -> Answer:
        said = {"note": "", **(call.body or {}), "by": "ada", "at": format_ts(T)}
        return self._change(call, feedback=said)

    def _change(self, call: Call, **named: Any) -> Answer:
        alert = self.alerts.get(call.path["alert_id"])
        if alert is None:
            return problem(404, "no_such_alert")
        if named:
            alert = changed(alert, **named)
            self.put(alert)
        return _ok({"alert": with_history(alert)})

    def _device(self, call: Call) -> Answer:
        for device in self.devices:
            if device["device_id"] == call.path["device_id"]:
                return _ok({"device": {**device, "silent_since": None, "metrics": [
                    {"metric": "flow", "last_scored": format_ts(T), "scored": 9}]}})  # fmt: skip
        return problem(404, "no_such_device")

    def _latest(self, call: Call) -> Answer:
        etag = f'"{len(self.readings)}"'
        if call.etag == etag:
            return Answer(304, {"etag": etag}, b"")
        values = {}
        for ts, metrics in self.readings:
            for name, value in metrics.items():
                values[name] = {"ts": format_ts(ts), "value": value}
        at = format_ts(self.readings[-1][0]) if self.readings else None
        found = {"device_id": call.path["device_id"], "at": at, "values": values}
        return Answer(200, {"etag": etag}, json.dumps(found).encode())

    def _list_readings(self, call: Call) -> Answer:
        query = dict(call.query)
        start, end = moment_ms(query["from"]), moment_ms(query["to"])
        names = [value for name, value in call.query if name == "metric"]
        found = [
            {
                "ts": format_ts(ts),
                "metrics": {n: v for n, v in m.items() if not names or n in names},
            }
            for ts, m in self.readings
            if start <= ts <= end
        ]
        return self._page_of("readings", found, call)

    def _expected(self, call: Call) -> Answer:
        return problem(413, "too_large") if self.band is None else _ok(self.band)

    def _controls(self, call: Call) -> Answer:
        return _ok({"control": {"minimum": 2.5}, "metrics": {"flow": {"snoozed_until": T}}})

    def _snooze_device(self, call: Call) -> Answer:
        body = dict(call.body or {})
        seconds = body.get("for_seconds", 0)
        control = {"snoozed_until": T + 1000 * seconds} if seconds else {}
        metric = body.get("metric")
        if metric is None:
            return _ok({"control": control, "metrics": {}})
        return _ok({"control": {}, "metrics": {metric: control}})


def problem(status: int, code: str, detail: str = "It is so.", **headers: str) -> Answer:
    """A problem document, or without a code what API Gateway itself says."""
    document = {"code": code, "detail": detail} if code else {"message": "Not Found"}
    return Answer(status, headers, json.dumps(document).encode())


def _ok(document: dict[str, Any]) -> Answer:
    return Answer(200, {}, json.dumps(document).encode())


def _is_wanted(alert: dict[str, Any], query: dict[str, str]) -> bool:
    acknowledged = query.get("acknowledged")
    return (
        query["state"] in {"all", alert["state"].lower()}
        and query.get("device_id") in {None, alert["device_id"]}
        and query.get("metric") in {None, alert["metric"]}
        and ("severity" not in query or alert["severity"] in query["severity"].split(","))
        and acknowledged in {None, str(alert["acknowledged"]).lower()}
        and alert["onset"] >= query.get("since", "")
    )
