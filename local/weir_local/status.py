"""What runs and where: the status file of a local stack."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from weir_local.paths import stack_directory
from weir_local.processes import is_running

FILE = "status.json"
ISSUER_FILE = "issuer.json"
"""Beside it: what `weir_local.issuer.Issuer.load` reads."""

SECRETS = frozenset({"device_key", "operator_token"})
"""The fields that are not to be shown unless asked for."""

_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class StackStatus:
    """A running local stack: its endpoints, the names of what was deployed, and its secrets.

    `device_key` speaks for every device; `operator_token` is one of the development issuer's.
    """

    endpoint_url: str
    api_url: str
    firehose_url: str
    control_url: str
    readings_table: str
    states_table: str
    alerts_table: str
    controls_table: str
    devices_table: str
    spill_queue_url: str
    spill_dead_letters_url: str
    lake_bucket: str
    failure_bucket: str
    notices_table: str
    notice_queue_url: str
    notice_dead_letters_url: str
    alert_topic: str
    alert_bus: str
    firehose: str
    ingest_function: str
    transform_function: str
    score_function: str
    authorize_function: str
    respill_function: str
    api_function: str
    notify_function: str
    watchdog_function: str
    region: str
    logs: str
    emulator_pid: int
    standins_pid: int
    device_key: str = field(repr=False)
    operator_token: str = field(repr=False)

    @property
    def console_url(self) -> str:
        """Where the console is; it takes a token from the fragment ``#token=…``."""
        return f"{self.api_url}/"


def save_status(status: StackStatus, directory: Path) -> None:
    """Write the status file in one step, so that nobody reads half of it; only its owner can."""
    # mkstemp gives it the mode 0600.
    descriptor, name = tempfile.mkstemp(dir=directory, prefix=FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(status), file, indent=2)
    Path(name).replace(directory / FILE)


def load_status(directory: Path | None = None) -> StackStatus | None:
    """Return the status of the stack in `directory`, or None when nothing runs there.

    A file left behind by a stack that died, or one whose processes do not answer, counts as
    nothing.
    """
    try:
        text = (stack_directory(directory) / FILE).read_text(encoding="utf-8")
        status = StackStatus(**json.loads(text))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not (is_running(status.emulator_pid) and is_running(status.standins_pid)):
        return None
    return status if _answers(status) else None


def _answers(status: StackStatus) -> bool:
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            health = client.get(f"{status.control_url}/health")
            ready = client.get(f"{status.endpoint_url}/_ministack/ready")
    except httpx.HTTPError:
        return False
    # Another program may have taken a dead stack's process id and port: ask who answers.
    same = health.is_success and health.json().get("pid") == status.standins_pid
    return bool(same and ready.is_success)
