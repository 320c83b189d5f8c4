"""Background processes: each leads a group, is remembered, and is stopped with its children."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_RECORD = "processes.json"
_PROC = Path("/proc")
_GRACE_S = 3.0
"""What a stack knows is thrown away when it stops: nothing of it is worth a longer wait."""


def spawn(argv: Sequence[str], env: Mapping[str, str], log: Path, directory: Path) -> int:
    """Start a process in its own session, its output appended to `log`, and return its id.

    The id is noted in `directory` at once: whatever becomes of the starter, ``stop_recorded``
    finds it.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the programs are our own tools
            list(argv),
            env=dict(env),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # The process outlives this object on purpose; without this, Popen warns when it is collected.
    process.returncode = 0
    record = _read(directory)
    record.append((process.pid, _started(process.pid)))
    _write(directory, record)
    return process.pid


def is_running(pid: int) -> bool:
    """Tell whether `pid` is a live process; one that ended but was not waited for is not."""
    _reap(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def stop_group(pid: int, grace: float = 10.0) -> bool:
    """Stop the process group that `pid` leads and wait for its end; True if there was one.

    A group that ignores SIGTERM for `grace` seconds is killed.
    """
    if not _group_runs(pid):
        return False
    for sent, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(pid, sent)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _group_runs(pid):
                return True
            time.sleep(0.02)
    return True


def any_recorded(directory: Path) -> bool:
    """Tell whether a process was spawned for `directory` that was not stopped since."""
    return bool(_read(directory))


def stop_recorded(directory: Path) -> bool:
    """Stop every process that was ever spawned for `directory`, the latest first."""
    stopped = False
    for pid, started in reversed(_read(directory)):
        # The system may have given the id of a dead process to a stranger.
        if _started(pid) == started or not is_running(pid):
            stopped = stop_group(pid, _GRACE_S) or stopped
    _write(directory, [])
    return stopped


def _group_runs(group: int) -> bool:
    _reap(group)
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not _PROC.is_dir():
        return True
    # Ended processes that nobody waited for still count for killpg.
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if len(fields) > 2 and fields[2] == str(group) and fields[0] != "Z":
                return True
    return False


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another process started it


def _stat(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold spaces


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _read(directory: Path) -> list[tuple[int, str]]:
    try:
        entries = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return [(int(pid), str(started)) for pid, started in entries]


def _write(directory: Path, record: Sequence[object]) -> None:
    (directory / _RECORD).write_text(json.dumps(record), encoding="utf-8")
