"""Killing the processes of functions, and no others."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weir_local.workers import Workers

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the group of this test, which stands in for the emulator."""
    with subprocess.Popen(SLEEP) as process:  # noqa: S603 - this interpreter
        yield process
        process.kill()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, start_new_session=True) as process:  # noqa: S603 - likewise
        yield process
        process.kill()


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path, os.getpgid(0))


def test_a_process_of_the_group_is_killed_at_once(
    workers: Workers, worker: subprocess.Popen[bytes]
) -> None:
    assert workers.kill(worker.pid)
    assert worker.wait(5) == -signal.SIGKILL
    assert not workers.kill(worker.pid)


def test_a_stranger_is_left_alone(
    workers: Workers, stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / f"weir-local-ingest.{stranger.pid}").touch()
    assert not workers.kill(stranger.pid)
    assert not workers.kill_all("ingest")
    assert stranger.poll() is None


def test_the_emulator_itself_is_no_worker(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    emulator = stranger
    assert not Workers(tmp_path, emulator.pid).kill(emulator.pid)
    assert emulator.poll() is None


def test_all_processes_of_one_function_are_killed(
    workers: Workers, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    mine, other = tmp_path / f"weir-local-score.{worker.pid}", tmp_path / "weir-local-ingest.1"
    mine.touch()
    other.touch()
    (tmp_path / "no worker").touch()
    assert workers.kill_all("score")
    assert worker.wait(5) == -signal.SIGKILL
    assert not mine.exists()
    assert other.exists()
    assert not workers.kill_all("score")
