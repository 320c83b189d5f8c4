"""`weir alerts`, `alert`, `ack`, `snooze`, `feedback`, `devices` as they are typed."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.fakes.api import FakeApi, T, an_alert
from tests.targets import a_target
from weir.readings import format_ts
from weir_cli import api_client, target
from weir_cli.main import app

FLOW, HEAT = an_alert("flow"), an_alert("heat", T + 1000)
OTHER = an_alert("flow", T + 2000, device_id="pump-8", severity="critical")
OLDER = "`--since all` shows older ones\n"
DEVICE = {
    "device_id": "pump-7", "state": "alerting", "last_reading": format_ts(T),
    "last_heard": format_ts(T), "cadence_s": 5.0, "scored": 1234, "open_alerts": 2,
    "worst_severity": "major",
}  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    made = FakeApi(FLOW, HEAT, OTHER)
    made.devices = [DEVICE, {**DEVICE, "device_id": "pump-8", "state": "silent", "cadence_s": None}]
    made.readings = [(T, {"flow": 1.5})]
    monkeypatch.setattr(target, "resolve", lambda stack_name: a_target())
    monkeypatch.setattr(api_client, "api_of", lambda target, token: made.api)
    return made


def weir(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def documents(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_alerts_are_a_table_with_their_ids_or_documents(fake: FakeApi) -> None:
    table = weir("alerts").stdout
    assert table.splitlines()[0].split()[:3] == ["alert", "metric", "onset"]
    assert FLOW["alert_id"] in table
    assert documents(weir("alerts", "--json")) == [FLOW, HEAT, OTHER]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--open"], ["flow", "heat", "flow"]),
        (["--cleared"], []),
        (["--all", "--limit", "1"], ["flow"]),
        (["--state", "open", "--open"], ["flow", "heat", "flow"]),
        (["--device", "pump-7"], ["flow", "heat"]),
        (["--metric", "heat"], ["heat"]),
        (["--severity", "critical, major"], ["flow"]),
        (["--acknowledged"], []),
        (["--unacknowledged"], ["flow", "heat", "flow"]),
        (["--since", "1s"], []),
        (["--since", "all"], ["flow", "heat", "flow"]),
    ],
)
def test_alerts_are_chosen(fake: FakeApi, arguments: list[str], expected: list[str]) -> None:
    found = documents(weir("alerts", "--json", *arguments))
    assert [alert["metric"] for alert in found] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cleared"], f"no cleared alerts in the last 24 h; {OLDER}"),
        (["--acknowledged"], f"no alerts in the last 24 h; {OLDER}"),
        (["--open", "--acknowledged"], "no open alerts\n"),
        (["--since", "all", "--acknowledged"], "no alerts\n"),
        (["--since", "1s"], f"no alerts in the last 1 s; {OLDER}"),
        (["--open", "--since", "90m"], f"no open alerts in the last 90 min; {OLDER}"),
    ],
)
def test_where_there_are_none_it_says_so(fake: FakeApi, arguments: list[str], said: str) -> None:
    assert weir("alerts", *arguments).stderr == said


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "--open", "--cleared"],
        ["alerts", "--severity", "bad"],
        ["alerts", "--follow", "--limit", "3"],
        ["ack"],
        ["ack", "x", "--device", "pump-7"],
        ["ack", "x", "--metric", "flow"],
        ["snooze", "x"],
        ["snooze", "x", "--for", "2h", "--end"],
        ["snooze", "x", "--for", "soon"],
        ["snooze", "x", "--until", "soon"],
        ["feedback", "x", "maybe"],
        ["devices", "--json", "show", "pump-7"],
        ["devices", "--state", "tired"],
        ["tail", "pump-7", "--since", "2d"],
    ],
)
def test_a_wrong_use_ends_with_2(fake: FakeApi, arguments: list[str]) -> None:
    weir(*arguments, code=2)
    assert fake.calls == []


def test_one_alert_is_shown_in_full(fake: FakeApi) -> None:
    shown = weir("alert", FLOW["alert_id"]).stdout
    assert shown.startswith("pump-7, flow: OPEN, minor\n")
    (found,) = documents(weir("alert", FLOW["alert_id"], "--json"))
    assert found["history"][0]["kind"] == "opened"
    assert "There is no alert x" in weir("alert", "x", code=1).stderr


def test_alerts_are_acknowledged_each_in_a_line(fake: FakeApi) -> None:
    done = weir("ack", FLOW["alert_id"], OTHER["alert_id"], "--note", "on it").stdout.splitlines()
    assert [line.split(": ")[0] for line in done] == ["acknowledged"] * 2
    assert done[0].endswith("acknowledged by ada")
    assert {call.body["note"] for call in fake.calls if call.body} == {"on it"}


def test_all_of_a_device_or_of_its_metric_are_acknowledged(fake: FakeApi) -> None:
    assert len(weir("ack", "--device", "pump-7", "--metric", "heat").stdout.splitlines()) == 1
    (left,) = documents(weir("ack", "--device", "pump-7", "--json"))
    assert (left["metric"], left["acknowledged"]) == ("flow", True)
    nothing = weir("ack", "--device", "pump-7", "--metric", "flow")
    assert nothing.stderr == "nothing of flow of pump-7 is open and not acknowledged\n"


def test_an_unknown_id_does_not_keep_the_others_from_it(fake: FakeApi) -> None:
    result = weir("ack", "x~1~y", FLOW["alert_id"], code=1)
    assert result.stderr == "weir: There is no alert x~1~y; `weir alerts` lists them.\n"
    assert "acknowledged: OPEN" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["--for", "2h"], {"for_seconds": 7200}),
        (["--for", "1ms"], {"for_seconds": 1}),  # 0 would end it
        (["--until", "2026-01-01T08:00:00+02:00"], {"until": "2026-01-01T06:00:00.000Z"}),
        (["--end"], {"for_seconds": 0}),
    ],
)
def test_an_alert_is_snoozed(fake: FakeApi, arguments: list[str], body: dict[str, Any]) -> None:
    said = weir("snooze", FLOW["alert_id"], *arguments).stdout
    assert said.startswith("snoozed no more" if "--end" in arguments else "snoozed: OPEN")
    assert fake.calls[-1].body == body


def test_a_device_or_a_metric_of_it_is_snoozed(fake: FakeApi) -> None:
    said = weir("snooze", "--device", "pump-7", "--for", "1m").stdout
    assert said == "pump-7 is snoozed until 2026-01-01T00:01:00Z; in force within a minute\n"
    said = weir("snooze", "--device", "pump-7", "--metric", "flow", "--end").stdout
    assert said == "flow of pump-7 is snoozed no more; in force within a minute\n"
    assert fake.calls[-1].body == {"for_seconds": 0, "metric": "flow"}
    assert documents(weir("snooze", "--device", "pump-7", "--for", "1m", "--json")) == [
        {"control": {"snoozed_until": T + 60_000}, "metrics": {}}
    ]


def test_feedback_is_kept_with_its_note(fake: FakeApi) -> None:
    said = weir("feedback", FLOW["alert_id"], "false", "--note", "a test").stdout
    assert said.startswith("feedback kept: ")
    assert said.endswith("said to be false\n")
    assert fake.calls[-1].body == {"verdict": "false", "note": "a test"}
    assert "There is no alert" in weir("feedback", "x", "true", code=1).stderr


def test_devices_are_listed(fake: FakeApi) -> None:
    rows = weir("devices").stdout.splitlines()
    assert rows[1].split() == [
        "pump-7", "alerting", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "5", "s", "1,234",
        "2", "major",
    ]  # fmt: skip
    assert len(rows) == 3
    assert documents(weir("devices", "--json")) == fake.devices
    assert "the first 1; there may be more" in weir("devices", "--limit", "1").stderr
    weir("devices", "--state", "silent", "--prefix", "pump-")
    assert {("state", "silent"), ("prefix", "pump-")} <= set(fake.calls[-1].query)
    fake.devices = []
    assert weir("devices").stderr.startswith("no devices; ")
    assert weir("devices", "--prefix", "x").stderr == "no such devices\n"


def test_a_device_is_shown_with_its_latest_values_and_what_is_set(fake: FakeApi) -> None:
    shown = weir("devices", "show", "pump-7").stdout
    assert shown.startswith("pump-7: alerting\n")
    assert "open alerts   2, the worst major\n" in shown
    assert ["flow", "2026-01-01T00:00:00Z", "1.5", "9"] in [r.split() for r in shown.splitlines()]
    assert "set for all its metrics: minimum 2.5\n" in shown
    assert "set for flow: snoozed_until 2026-01-01T00:00:00Z\n" in shown
    found = json.loads(weir("devices", "show", "pump-7", "--json").stdout)
    assert found.keys() == {"device", "latest", "controls"}
    assert "Nothing is known of the device x" in weir("devices", "show", "x", code=1).stderr


def test_the_help_of_devices_says_which_commands_are_about_keys() -> None:
    shown = weir("devices", "--help").stdout
    for command in ("add", "list", "rotate", "revoke"):
        (line,) = [row for row in shown.splitlines() if f" {command} " in f"{row} "][:1]
        assert "Keys: " in line
