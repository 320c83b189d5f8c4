"""The commands as they are typed: exit codes, one clear sentence, never a traceback."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

import weir_local.stack
import weir_local.status
from weir_cli.errors import Problem, explained
from weir_cli.main import app
from weir_local.status import SECRETS, StackStatus

STATUS = StackStatus(
    endpoint_url="http://127.0.0.1:1",
    api_url="http://127.0.0.1:1/api",
    firehose_url="http://127.0.0.1:2",
    control_url="http://127.0.0.1:3",
    readings_table="readings",
    states_table="states",
    alerts_table="alerts",
    controls_table="controls",
    devices_table="devices",
    spill_queue_url="http://127.0.0.1:1/spill",
    spill_dead_letters_url="http://127.0.0.1:1/dead",
    lake_bucket="lake",
    failure_bucket="failures",
    firehose="lake",
    ingest_function="ingest",
    transform_function="transform",
    score_function="score",
    authorize_function="authorize",
    respill_function="respill",
    api_function="api",
    notify_function="notify",
    watchdog_function="watchdog",
    notices_table="notices",
    notice_queue_url="http://127.0.0.1:1/notices",
    notice_dead_letters_url="http://127.0.0.1:1/dead-notices",
    alert_topic="topic",
    alert_bus="bus",
    region="us-east-1",
    logs="/logs",
    emulator_pid=1,
    standins_pid=2,
    device_key="weir_secret",
    operator_token="token",
)
NAB = "timestamp,value\n2014-04-14 23:55:00,1.0\n2014-04-15 00:00:00,broken\n"


@pytest.fixture(autouse=True)
def a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_DEVICE_KEY", "weir_key")


@pytest.fixture
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_LOCAL_DIR", str(tmp_path / "local"))


@pytest.fixture
def stack_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weir_local.status, "load_status", lambda: STATUS)


def weir(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts"],
        ["alerts", "--follow"],
        ["readings", "pump-7"],
        ["readings", "pump-7", "--latest"],
        ["audit"],
        ["simulate", "--hours", "1"],
        ["send", __file__],
    ],
)
def test_without_a_stack_a_command_says_how_to_get_one(arguments: list[str]) -> None:
    result = weir(*arguments)
    assert result.exit_code == 1
    assert result.stderr == (
        "weir: No local stack runs; start one with `weir up`, or name one in AWS with "
        "--stack-name.\n"
    )


@pytest.mark.usefixtures("nothing_runs")
def test_status_says_that_nothing_runs() -> None:
    assert weir("status").exit_code == 1
    result = weir("status", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"running": False}


@pytest.mark.usefixtures("stack_runs")
def test_status_says_what_runs() -> None:
    result = weir("status", "--json")
    assert result.exit_code == 0
    known = {name: value for name, value in asdict(STATUS).items() if name not in SECRETS}
    console = "http://127.0.0.1:1/api/"
    assert json.loads(result.stdout) == {"running": True, **known, "console_url": console}
    assert weir("status", "--get", "console_url").stdout == f"{console}\n"
    assert "http://127.0.0.1:1/api" in weir("status").stdout


@pytest.mark.usefixtures("stack_runs")
def test_status_shows_a_secret_only_when_it_is_asked_for() -> None:
    for shown in (weir("status"), weir("status", "--json")):
        assert "weir_secret" not in shown.output
    assert weir("status", "--get", "device_key").stdout == "weir_secret\n"
    assert weir("status", "--get", "nonsense").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["send"],
        ["send", "x.csv", "--rebase-end", "soon"],
        ["send", "x.csv", "--api-url", "localhost"],
        ["send", "x.csv", "--batch", "0"],
        ["alerts", "--since", "yesterday"],
        ["alerts", "--state", "new"],
        ["readings", "pump-7", "--json", "--csv"],
        ["readings", "pump-7", "--since", "1 fortnight"],
        ["simulate", "--speed", "fast"],
        ["simulate", "--speed", "realtime", "--out", "x"],
        ["simulate", "--pumps", "1", "--faults", "9"],
        ["run", "--history", "5s"],
        ["up", "--parameter", "RetentionDays"],
        ["nonsense"],
    ],
)
def test_a_wrong_use_ends_with_2(arguments: list[str]) -> None:
    result = weir(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_choice_that_there_is_not_is_said_in_plain_words() -> None:
    said = " ".join(weir("alerts", "--state", "bogus").output.split())
    assert "'--state': 'bogus' is not one of 'open', 'cleared', 'all'." in said


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no such file or directory"),
        ("", "no header"),
        ("timestamp,value\n", "there is no row in it"),
        ("nonsense\n", "no header"),
    ],
)
def test_a_file_that_cannot_be_sent_is_one_sentence(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "x.csv"
    if content is not None:
        file.write_text(content)
    result = weir("send", str(file), "--api-url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.startswith("weir: ")
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1


def answer_with(monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    real = httpx.Client

    def client(**arguments: Any) -> httpx.Client:
        return real(**(arguments | {"transport": httpx.MockTransport(handler)}))

    monkeypatch.setattr(httpx, "Client", client)


def test_send_counts_everything_and_fails_if_anything_was_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = [{"index": 0, "code": "ts_out_of_window", "detail": "ts lies before"}]
    answer_with(
        monkeypatch,
        lambda _: httpx.Response(202, json={"accepted": 0, "rejected": rejected}),
    )
    file = tmp_path / "x.csv"
    file.write_text(NAB)
    result = weir("send", str(file), "--api-url", "http://api.test")
    assert result.exit_code == 1
    assert "line 2 rejected: ts_out_of_window: ts lies before" in result.stderr
    assert "line 3 unreadable: value is 'broken', not a finite number" in result.stderr
    assert "`--rebase-end now` moves the newest reading to now" in result.stderr
    counts = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines())
    assert counts | {"seconds": "", "readings/s": ""} == {
        "rows read": "2", "readings sent": "1", "accepted": "0", "rejected": "1",
        "unreadable": "1", "requests": "1", "retries": "0", "seconds": "", "readings/s": "",
    }  # fmt: skip


def test_the_same_file_with_the_same_end_makes_the_very_same_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        rows = request.content.count(b"\n")
        return httpx.Response(202, json={"accepted": rows, "rejected": []})

    answer_with(monkeypatch, handler)
    file = tmp_path / "x.csv"
    file.write_text(
        "timestamp,value\n" + "".join(f"{1397519700 + n // 2},{n}\n" for n in range(20))
    )
    for _ in range(2):
        result = weir(
            "send", str(file), "--api-url", "http://api.test", "--batch", "7",
            "--rebase-end", "2026-01-01T00:00:00Z", "--connections", "1",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    assert len(bodies) == 6
    assert bodies[:3] == bodies[3:]
    times = [json.loads(line)["ts"] for body in bodies[:3] for line in body.splitlines()]
    assert times[-1] == times[-2] == 1_767_225_600_000


def test_a_simulated_fleet_is_written_the_same_every_time(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        out, labels = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.labels"
        result = weir(
            "simulate", "--pumps", "3", "--hours", "1", "--end", "2026-01-01T00:00:00Z",
            "--out", str(out), "--labels", str(labels),
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        written.append((out.read_bytes(), labels.read_bytes()))
    assert written[0] == written[1]
    readings = [json.loads(line) for line in written[0][0].splitlines()]
    assert len(readings) == 180
    assert max(reading["ts"] for reading in readings) < 1_767_225_600_000
    assert {json.loads(line)["kind"] for line in written[0][1].splitlines()} <= {
        "spike", "shift", "drift", "stuck", "noise",
    }  # fmt: skip


@pytest.mark.usefixtures("nothing_runs")
def test_a_stack_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> StackStatus:
        raise weir_local.stack.StackError("The local stack did not start: no emulator.")

    monkeypatch.setattr(weir_local.stack, "up", fails)
    result = weir("up")
    assert result.exit_code == 1
    assert result.stderr == "weir: The local stack did not start: no emulator.\n"


def test_a_failure_that_nobody_expected_stays_one() -> None:
    with pytest.raises(ZeroDivisionError), explained():
        raise ZeroDivisionError


def test_a_connection_that_is_refused_is_a_sentence() -> None:
    request = httpx.Request("GET", "http://127.0.0.1:1/pending")
    with pytest.raises(Problem, match="/pending cannot be reached: refused"), explained():
        raise httpx.ConnectError("refused", request=request)
