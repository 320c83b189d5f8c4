"""The parts of the local stack that need no stack: hashes, routes, processes, the status file."""

import dataclasses
import sys
import time
from pathlib import Path

import pytest

from weir_local.build import content_hash
from weir_local.deploy import DeployError
from weir_local.processes import is_running, spawn, stop_group, stop_recorded
from weir_local.status import StackStatus, load_status, save_status
from weir_local.supplements import routes

STATUS = StackStatus(
    **{field.name: field.name for field in dataclasses.fields(StackStatus)}  # type: ignore[arg-type]
    | {"emulator_pid": 2**22 + 1, "standins_pid": 2**22 + 2}
)


def operation(function: str) -> dict[str, object]:
    uri = {"Fn::Sub": f"arn:aws:apigateway:x:lambda:path/functions/${{{function}.Arn}}/invocations"}
    return {"x-amazon-apigateway-integration": {"uri": uri, "payloadFormatVersion": "2.0"}}


def test_a_build_is_due_when_a_file_changes_its_content_or_name(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "template.yaml").write_text("a")
    code = tmp_path / "functions" / "app.py"
    code.write_text("b")
    first = content_hash(tmp_path)
    assert content_hash(tmp_path) == first
    code.write_text("c")
    assert content_hash(tmp_path) != first
    code.write_text("b")
    code.rename(code.with_name("other.py"))
    assert content_hash(tmp_path) != first


def test_each_operation_of_the_api_becomes_a_route_to_its_function() -> None:
    body = {
        "paths": {
            "/v1/readings": {"post": operation("Ingest"), "options": {}},
            "/{proxy+}": {"x-amazon-apigateway-any-method": operation("Read")},
            "/$default": {"x-amazon-apigateway-any-method": operation("Rest")},
        }
    }
    assert list(routes(body)) == [
        ("POST /v1/readings", "Ingest", "2.0"),
        ("ANY /{proxy+}", "Read", "2.0"),
        ("$default", "Rest", "2.0"),
    ]


def test_an_authorizer_is_refused_rather_than_left_out() -> None:
    secured = operation("Ingest") | {"security": [{"jwt": []}]}
    with pytest.raises(DeployError, match="authorizer"):
        list(routes({"paths": {"/v1/readings": {"post": secured}}}))


def test_a_process_is_stopped_with_its_children(tmp_path: Path) -> None:
    script = (
        "import pathlib, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path('child').write_text(str(child.pid)); time.sleep(60)"
    )
    pid = spawn([sys.executable, "-c", script], {}, tmp_path / "log", tmp_path)
    deadline = time.monotonic() + 10
    while not (file := tmp_path / "child").exists() or not file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = int(file.read_text())
    assert is_running(pid)
    assert is_running(child)
    assert stop_recorded(tmp_path)
    assert not is_running(pid)
    assert not is_running(child)
    assert not stop_recorded(tmp_path)


def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path('ready').touch(); time.sleep(60)"
    )
    pid = spawn([sys.executable, "-c", script], {}, tmp_path / "log", tmp_path)
    deadline = time.monotonic() + 10
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert stop_group(pid, grace=0.2)
    assert not is_running(pid)


def test_there_is_no_status_without_a_file_or_with_a_broken_one(tmp_path: Path) -> None:
    assert load_status(tmp_path) is None
    (tmp_path / "status.json").write_text("{")
    assert load_status(tmp_path) is None


def test_the_status_of_a_stack_that_died_counts_as_none(tmp_path: Path) -> None:
    save_status(STATUS, tmp_path)
    assert load_status(tmp_path) is None
