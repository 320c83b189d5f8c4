"""The emulator process: its environment, its start and its readiness."""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from weir_local.aws import ACCESS_KEY, SECRET_KEY
from weir_local.paths import HOST, REGION, tool
from weir_local.processes import is_running, spawn

_PATIENCE = 30.0


class EmulatorError(Exception):
    """The emulator did not come up."""


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anything of AWS or of a virtual environment."""
    unwanted = ("AWS_", "SAM_", "PYTHON", "VIRTUAL_ENV", "POWERTOOLS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Where the emulator is and what the functions under it call instead of it.

    `proxy_url` is what stands before DynamoDB, SQS, S3, SNS and EventBridge, or None.
    """

    port: int
    directory: Path
    firehose_url: str
    proxy_url: str | None

    @property
    def state(self) -> Path:
        """All that the emulator writes."""
        return self.directory / "emulator"

    @property
    def workers(self) -> Path:
        """Where the process of a function leaves a file of its name."""
        return self.state / "workers"


def emulator_environment(place: Place, *, auth: bool, time_scale: float) -> Mapping[str, str]:
    """Return the environment of the emulator, which the functions inherit."""
    state = place.state
    environment = clean_environment() | {
        "GATEWAY_PORT": str(place.port),
        # Without these three it listens on every interface.
        "BIND_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "STATE_DIR": str(state / "state"),
        # The functions are unpacked into the folder for temporary files: ours, to be thrown away.
        "TMPDIR": str(state / "tmp"),
        "S3_DATA_DIR": str(state / "s3"),
        "AUTH": "true" if auth else "false",
        "AWS_DEFAULT_REGION": REGION,
        # The functions' Firehose calls, and only those, go to the stand-in.
        "AWS_ENDPOINT_URL_FIREHOSE": place.firehose_url,
        # Both are for `weir_local.emulator_process`.
        "WEIR_WORKERS": str(place.workers),
        "WEIR_TIME_SCALE": str(time_scale),
    }
    if place.proxy_url is not None:
        # The emulator itself calls no service over HTTP: only the functions heed these.
        for service in ("DYNAMODB", "EVENTBRIDGE", "S3", "SNS", "SQS"):
            environment[f"AWS_ENDPOINT_URL_{service}"] = place.proxy_url
    return environment


def start(place: Place, *, auth: bool, time_scale: float) -> int:
    """Start the emulator in the background and return its process id; it is not ready yet."""
    (place.state / "tmp").mkdir(parents=True, exist_ok=True)
    place.workers.mkdir(exist_ok=True)
    environment = emulator_environment(place, auth=auth, time_scale=time_scale)
    log = place.directory / "logs" / "emulator.log"
    python = tool("ministack").with_name("python")
    program = Path(__file__).with_name("emulator_process.py")
    # -P: what lies beside the program must not be found by import.
    return spawn([str(python), "-P", str(program)], environment, log, place.directory)


def wait_until_answers(url: str, pid: int) -> None:
    """Return when `url` answers.

    Raises
    ------
    EmulatorError
        When the process ends first, or does not answer in half a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    with httpx.Client(timeout=1.0, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                if client.get(url).is_success:
                    return
            except httpx.HTTPError:
                if not is_running(pid):
                    raise EmulatorError("it ended while starting") from None
            time.sleep(0.03)
    raise EmulatorError(f"it did not answer within {_PATIENCE:.0f} s")
