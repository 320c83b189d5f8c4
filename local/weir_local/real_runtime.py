"""A function in Lambda's own runtime without Docker: awslambdaric under the interface emulator.

The emulator comes with aws-sam-cli. It answers one request at a time; a function that is started
here gets one request and is stopped.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import httpx

from weir_local.build import host_architecture
from weir_local.emulator import free_ports
from weir_local.paths import HOST, REPOSITORY

_PATH = "/2015-03-31/functions/function/invocations"
_PATIENCE_S = 10.0
_EMULATOR_CHATTER = ("[INFO] (rapid)", "[WARNING] (rapid)", "[ERROR] (rapid)")
_LAMBDA_CHATTER = ("START RequestId:", "END RequestId:", "REPORT RequestId:")


class RuntimeUnavailable(Exception):
    """The interface emulator is not there, or did not start; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """An answer, the lines that the function printed, and how long a cold start and it took."""

    answer: Any
    log: str
    seconds: float


def interface_emulator() -> Path:
    """Return the interface emulator that aws-sam-cli ships for this machine.

    Raises
    ------
    RuntimeUnavailable
        When aws-sam-cli is not installed under ``.tools/sam``.
    """
    name = f"aws-lambda-rie-{host_architecture()}"
    folder = REPOSITORY / ".tools" / "sam" / "lib"
    found = next(folder.glob(f"python3*/site-packages/samcli/local/rapid/{name}"), None)
    if found is None:
        raise RuntimeUnavailable(f"{name} is not under {folder}: run `make setup`.")
    return found


def invoke_cold(
    function: Path,
    layer: Path | None,
    environment: Mapping[str, str],
    event: object,
    timeout_s: float = 30.0,
) -> Invoked:
    """Start the function in the folder `function`, send it `event`, and stop it.

    Parameters
    ----------
    function
        The folder with ``app.py``.
    layer
        The layer's ``python`` folder, or None for none. boto3 comes from this environment, as it
        comes from the runtime in Lambda.
    environment
        The function's environment, whole: nothing of this process's is handed on but PATH.
    event
        What the handler gets.
    timeout_s
        How long an answer may take.
    """
    port, api_port = free_ports(2)
    command = [
        str(interface_emulator()),
        # Without both it listens on every interface.
        "--runtime-interface-emulator-address", f"{HOST}:{port}",
        "--runtime-api-address", f"{HOST}:{api_port}",
        sys.executable, "-m", "awslambdaric", "app.lambda_handler",
    ]  # fmt: skip
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{timeout_s:.0f}",
        **environment,
    }
    if layer is not None:
        variables["PYTHONPATH"] = str(layer)
    with TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - aws-sam-cli's emulator and our own function
            command,
            cwd=function,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_listening(port, process)
            begun = time.perf_counter()
            reply = httpx.post(
                f"http://{HOST}:{port}{_PATH}",
                content=json.dumps(event),
                timeout=timeout_s + _PATIENCE_S,
                trust_env=False,
            )
            seconds = time.perf_counter() - begun
        finally:
            process.terminate()
            process.wait()
        output.seek(0)
        log = output.read().decode(errors="replace")
    return Invoked(_json(reply.text), _lines_of_function(log), seconds)


def _wait_until_listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeUnavailable("The interface emulator did not start.")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _lines_of_function(log: str) -> str:
    """What the function printed, without the emulator's own lines."""
    return "\n".join(
        line
        for line in log.splitlines()
        if line.strip()
        and not any(chatter in line for chatter in _EMULATOR_CHATTER)
        and not line.startswith(_LAMBDA_CHATTER)
    )
