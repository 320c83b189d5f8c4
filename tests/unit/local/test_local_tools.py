"""The parts of the local stack that need no stack: hashes, processes, the status file."""

import dataclasses
import stat
import sys
import time
from pathlib import Path

from weir_local.build import content_hash
from weir_local.processes import is_running, spawn, stop_group, stop_recorded
from weir_local.status import SECRETS, StackStatus, load_status, save_status

STATUS = StackStatus(
    **{field.name: field.name for field in dataclasses.fields(StackStatus)}  # type: ignore[arg-type]
    | {"emulator_pid": 2**22 + 1, "standins_pid": 2**22 + 2}
)


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


def test_the_status_is_its_owner_s_alone_and_no_text_of_it_tells_a_secret(tmp_path: Path) -> None:
    status = dataclasses.replace(STATUS, device_key="weir_hush", operator_token="e.y.J")
    save_status(status, tmp_path)
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not {"weir_hush", "e.y.J"} & set(repr(status).split("'"))
    assert {field.name for field in dataclasses.fields(status) if not field.repr} == SECRETS


def test_there_is_no_status_without_a_file_or_with_a_broken_one(tmp_path: Path) -> None:
    assert load_status(tmp_path) is None
    (tmp_path / "status.json").write_text("{")
    assert load_status(tmp_path) is None


def test_the_status_of_a_stack_that_died_counts_as_none(tmp_path: Path) -> None:
    save_status(STATUS, tmp_path)
    assert load_status(tmp_path) is None
