"""The local stack as a whole: up and down."""

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError

from weir.identity import EVERY_DEVICE, NewKey
from weir.storage.device_key_store import DeviceKeyStore
from weir_local import emulator
from weir_local.aws import emulator_session
from weir_local.build import BuildError, build, host_architecture
from weir_local.deploy import DeployError, deploy
from weir_local.issuer import Issuer
from weir_local.paths import HOST, REGION, REPOSITORY, stack_directory
from weir_local.processes import any_recorded, spawn, stop_recorded
from weir_local.status import FILE, ISSUER_FILE, StackStatus, load_status, save_status
from weir_local.supplements import supplement

Say = Callable[[str], None]

# The local stack takes readings of any age, so that recorded data can be played into it.
_PARAMETERS = {"StreamMapping": "DISABLED", "AcceptPastDays": "400", "RetentionDays": "430"}
_AUDIENCE = "weir-local"
_REMOVING = 8
_TOKEN_LIFETIME_S = 30 * 86_400
_OUTPUTS = {
    "readings_table": "ReadingsTable",
    "states_table": "StatesTable",
    "alerts_table": "AlertsTable",
    "controls_table": "ControlsTable",
    "devices_table": "DevicesTable",
    "spill_queue_url": "SpillQueueUrl",
    "spill_dead_letters_url": "SpillDeadLettersUrl",
    "lake_bucket": "LakeBucket",
    "failure_bucket": "FailureBucket",
    "notices_table": "NoticesTable",
    "notice_queue_url": "NoticeQueueUrl",
    "notice_dead_letters_url": "NoticeDeadLettersUrl",
    "alert_topic": "AlertTopic",
    "alert_bus": "AlertBus",
    "firehose": "LakeStream",
    "ingest_function": "IngestFunction",
    "transform_function": "TransformFunction",
    "score_function": "ScoreFunction",
    "authorize_function": "AuthorizeFunction",
    "respill_function": "RespillFunction",
    "api_function": "ApiFunction",
    "notify_function": "NotifyFunction",
    "watchdog_function": "WatchdogFunction",
}
"""The fields of the status that are outputs of the template."""


class StackError(Exception):
    """The local stack could not be started; the message is one sentence that names a log."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How to start a local stack.

    Parameters
    ----------
    directory
        Holds its status, logs and state; ``WEIR_LOCAL_DIR`` overrides the default.
    parameters
        Further parameters of the template.
    auth
        Whether the emulator enforces the functions' IAM policies.
    time_scale
        What waits are multiplied by (Firehose's buffer intervals, the watchdog's, a function's own
        with ChangeMessageVisibility and DelaySeconds): 0.05 makes a minute three seconds.
    breakable
        Whether a proxy stands between the functions and DynamoDB, SQS, S3, SNS and EventBridge, so
        that faults can strike there. It costs a hop each call.
    watchdog
        Whether the watchdog looks by itself; where it does not, `Control.tick_watchdog` lets it.
    source
        The folder with ``template.yaml``.
    """

    directory: Path = field(default_factory=stack_directory)
    parameters: Mapping[str, str] = field(default_factory=dict)
    auth: bool = False
    time_scale: float = 0.05
    breakable: bool = False
    watchdog: bool = True
    source: Path = REPOSITORY


def up(options: StackOptions, say: Say) -> StackStatus:
    """Start the local stack, or return the one that already runs in this directory.

    Raises
    ------
    StackError
        When it cannot be started. Whatever had been started is stopped again.
    """
    directory = options.directory.resolve()
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    with _only_one(directory), _terminable():
        running = load_status(directory)
        if running is not None:
            say(f"the local stack already runs: POST {running.api_url}/v1/readings")
            return running
        _clear(directory)
        started = time.monotonic()
        try:
            status = _start(options, directory, say)
        except BaseException as error:
            stop_recorded(directory)
            if isinstance(error, _EXPECTED):
                raise _explained(error, directory) from error
            raise
        say(f"up after {time.monotonic() - started:.1f} s: POST {status.api_url}/v1/readings")
        return status


def down(directory: Path | None, say: Say) -> bool:
    """Stop the local stack of `directory` and wait for the end of all its processes."""
    folder = stack_directory(directory)
    if not folder.is_dir():
        return False
    with _only_one(folder):
        if any_recorded(folder):
            say("stopping the local stack")
        stopped = stop_recorded(folder)
        _forget(folder)
    say("the local stack is down" if stopped else "no local stack runs")
    return stopped


def _start(options: StackOptions, directory: Path, say: Say) -> StackStatus:
    port, firehose_port, control_port, proxy_port = emulator.free_ports(4)
    endpoint = f"http://{HOST}:{port}"
    control_url = f"http://{HOST}:{control_port}"
    place = emulator.Place(
        port,
        directory,
        firehose_url=f"http://{HOST}:{firehose_port}",
        proxy_url=f"http://{HOST}:{proxy_port}" if options.breakable else None,
    )
    say("starting the emulator")
    emulator_pid = emulator.start(place, auth=options.auth, time_scale=options.time_scale)
    built = build(options.source.resolve(), directory / "logs" / "deploy.log", say)
    emulator.wait_until_answers(f"{endpoint}/_ministack/ready", emulator_pid)

    say("deploying")
    session = emulator_session(endpoint, REGION)
    issuer = Issuer.create(control_url, _AUDIENCE, directory / ISSUER_FILE)
    parameters = {
        "Architecture": host_architecture(),
        "OidcIssuer": issuer.url,
        "OidcAudience": issuer.audience,
        **_PARAMETERS,
        **options.parameters,
    }
    deployed = deploy(session, built, parameters)
    supplement(session, deployed)

    say("starting the stand-ins for Firehose, the stream mappings and the schedule")
    settings = {
        "endpoint_url": endpoint,
        "region": REGION,
        "firehose_port": firehose_port,
        "control_port": control_port,
        "proxy_port": proxy_port if options.breakable else None,
        "delivery_stream": deployed.outputs["LakeStream"],
        "score_mapping": deployed.resources["ScoreMapping"],
        "notify_mapping": deployed.resources["NotifyMapping"],
        "watchdog_rule": deployed.resources["WatchdogSchedule"],
        "watchdog": options.watchdog,
        "spill_queue_url": deployed.outputs["SpillQueueUrl"],
        "notice_queue_url": deployed.outputs["NoticeQueueUrl"],
        "emulator_pid": emulator_pid,
        "workers": str(place.workers),
        "issuer_file": str(directory / ISSUER_FILE),
        "time_scale": options.time_scale,
    }
    standins_pid = _start_standins(settings, directory)
    emulator.wait_until_answers(f"{control_url}/health", standins_pid)

    outputs = deployed.outputs
    status = StackStatus(
        endpoint_url=endpoint,
        # By path, since not every system resolves <api>.execute-api.localhost.
        api_url=f"{endpoint}/_aws/execute-api/{outputs['ApiId']}",
        firehose_url=place.firehose_url,
        control_url=control_url,
        **{field: outputs[output] for field, output in _OUTPUTS.items()},
        region=REGION,
        logs=str(directory / "logs"),
        emulator_pid=emulator_pid,
        standins_pid=standins_pid,
        device_key=_development_key(session, outputs["DevicesTable"]),
        operator_token=issuer.token("developer", lifetime_s=_TOKEN_LIFETIME_S),
    )
    save_status(status, directory)
    return status


def _start_standins(settings: Mapping[str, object], directory: Path) -> int:
    file = directory / "standins.json"
    file.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    environment = emulator.clean_environment() | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[1])
    }
    log = directory / "logs" / "standins.log"
    return spawn(
        [sys.executable, "-m", "weir_local.standins", str(file)], environment, log, directory
    )


def _development_key(session: boto3.Session, table: str) -> str:
    """Make a key that speaks for every device, and let it in."""
    made = NewKey.make(EVERY_DEVICE, int(time.time()), label="development")
    DeviceKeyStore(session.client("dynamodb"), table).put(made.key)
    return made.secret


_EXPECTED = (
    emulator.EmulatorError,
    BuildError,
    DeployError,
    BotoCoreError,
    ClientError,
    httpx.HTTPError,
    FileNotFoundError,
    KeyError,
)


def _explained(error: BaseException, directory: Path) -> StackError:
    log = directory / "logs" / "emulator.log"
    if isinstance(error, BuildError):
        log = log.with_name("deploy.log")
    reason = f"{error} is missing from the stack" if isinstance(error, KeyError) else str(error)
    return StackError(f"The local stack did not start: {reason} (see {log}).")


def _clear(directory: Path) -> None:
    """Stop what an earlier stack left running, and forget its state: it would not survive well."""
    stop_recorded(directory)
    _forget(directory)
    for log in (directory / "logs").glob("*.log"):
        log.unlink()
    for name in ("emulator", "standins", "deploy"):
        (directory / "logs" / f"{name}.log").touch()


def _forget(directory: Path) -> None:
    """Remove what belongs to a stack that no longer runs, its secrets first."""
    for name in (FILE, ISSUER_FILE):
        (directory / name).unlink(missing_ok=True)
    _remove(directory / "emulator")


def _remove(state: Path) -> None:
    """Remove what the emulator wrote.

    Each process of a function has a copy of the layer, a thousand files. One thread takes ten times
    as long over them as eight.
    """
    copies = [folder for folder in state.glob("tmp/*") if folder.is_dir()]
    with ThreadPoolExecutor(_REMOVING) as threads:
        for _ in threads.map(partial(shutil.rmtree, ignore_errors=True), copies):
            pass  # each is awaited
    shutil.rmtree(state, ignore_errors=True)


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: two starts at once would take each other's processes."""
    descriptor = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception while starting, so that what was started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
