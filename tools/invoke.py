"""Run one sample event through one function: `make invoke FUNCTION=ingest EVENT=…`.

Where a Docker engine answers, `sam local invoke` runs it; otherwise Lambda's own runtime does,
under the interface emulator that aws-sam-cli ships. Either way against the running local stack,
with the environment that the function has there. The answer goes to standard output as JSON, the
function's log lines to standard error.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from cfnlint.decode.cfn_yaml import load as load_template

from weir_local.aws import ACCESS_KEY, SECRET_KEY, client
from weir_local.build import BuildError, build
from weir_local.emulator import clean_environment
from weir_local.paths import HOST, REPOSITORY, STACK_NAME, tool
from weir_local.real_runtime import RuntimeUnavailable, invoke_cold
from weir_local.sample_events import load_event
from weir_local.status import StackStatus, load_status

_TIMEOUT_S = 120
_DOCKER_PATIENCE_S = 2


class CannotInvoke(Exception):
    """The event cannot be run; the message is one sentence."""


def main(arguments: list[str]) -> int:
    """Run the event, print what comes of it; 1 if the function failed or could not be run."""
    try:
        function, event = _chosen(arguments)
        answer = _invoke(function, event)
    except (CannotInvoke, RuntimeUnavailable, BuildError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError, httpx.HTTPError, subprocess.SubprocessError) as error:
        print(f"The function could not be run: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return int(isinstance(answer, dict) and "errorType" in answer)


def _chosen(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """The function's name, and the event with its placeholders filled."""
    functions = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py"))
    given = [argument for argument in arguments if argument]
    if len(given) != 2:
        raise CannotInvoke(
            "Name a function and an event: make invoke FUNCTION=ingest "
            "EVENT=events/ingest/array.json."
        )
    function, path = given[0], Path(given[1])
    if function not in functions:
        raise CannotInvoke(f"There is no function {function}: there are {', '.join(functions)}.")
    if not path.is_file():
        samples = sorted(str(file.stem) for file in (REPOSITORY / "events" / function).glob("*"))
        raise CannotInvoke(f"There is no event {path}; events/{function} has {', '.join(samples)}.")
    try:
        return function, load_event(path, time.time_ns() // 1_000_000)
    except (ValueError, AttributeError) as error:
        raise CannotInvoke(f"{path} is no event: {error}.") from error


def _invoke(function: str, event: dict[str, Any]) -> Any:
    status = load_status()
    if status is None:
        raise CannotInvoke("No local stack runs: start one with `make up`.")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            built = build(REPOSITORY, folder / "build.log", _say)
        except BuildError as error:
            log = (folder / "build.log").read_text(encoding="utf-8", errors="replace")
            raise CannotInvoke(f"{log}\n{error}") from error
        if _docker_answers():
            return _in_docker(function, event, status, built, folder)
    _say(f"{function} in Lambda's runtime, without Docker")
    invoked = invoke_cold(
        built / _logical_id(function),
        built / "WeirLayer" / "python",
        _environment(function, status, HOST),
        event,
        _TIMEOUT_S,
    )
    _say(invoked.log)
    return invoked.answer


def _in_docker(
    function: str, event: dict[str, Any], status: StackStatus, built: Path, folder: Path
) -> Any:
    """`sam local invoke`, of a copy of the built template that has the function's environment.

    Its own option for that sets only variables that the template declares.
    """
    _say(f"{function} in Docker (sam local invoke)")
    # On Linux the container shares the host's network; elsewhere the host has a name.
    on_linux = sys.platform.startswith("linux")
    host = HOST if on_linux else "host.docker.internal"
    template = json.loads(json.dumps(load_template(str(built / "template.yaml"))))
    properties = template["Resources"][_logical_id(function)]["Properties"]
    properties["Environment"] = {"Variables": dict(_environment(function, status, host))}
    copy = built / f"invoke-{function}.json"
    copy.write_text(json.dumps(template), encoding="utf-8")
    event_file = folder / "event.json"
    event_file.write_text(json.dumps(event), encoding="utf-8")
    command = [
        str(tool("sam")), "local", "invoke", _logical_id(function),
        "--template-file", str(copy), "--event", str(event_file), "--region", status.region,
        *(("--docker-network", "host") if on_linux else ()),
    ]  # fmt: skip
    environment = clean_environment() | {"SAM_CLI_TELEMETRY": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - sam, with our own arguments
            command, env=environment, stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=True
        )
    finally:
        copy.unlink(missing_ok=True)
    lines = done.stdout.decode().strip().splitlines()
    return json.loads(lines[-1]) if lines else None


def _environment(function: str, status: StackStatus, host: str) -> Mapping[str, str]:
    """The function's environment in the local stack, with endpoints that `host` reaches."""
    name = f"{STACK_NAME}-{function}"
    deployed = client(status, "lambda").get_function_configuration(FunctionName=name)
    declared: dict[str, str] = deployed.get("Environment", {}).get("Variables", {})
    return {
        **declared,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed["MemorySize"]),
        "AWS_REGION": status.region,
        "AWS_DEFAULT_REGION": status.region,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": status.endpoint_url.replace(HOST, host),
        "AWS_ENDPOINT_URL_FIREHOSE": status.firehose_url.replace(HOST, host),
    }


def _logical_id(function: str) -> str:
    """The template's name of the function whose code lies in `functions/<function>`."""
    resources = load_template(str(REPOSITORY / "template.yaml"))["Resources"]
    return next(
        str(name)
        for name, resource in resources.items()
        if resource.get("Properties", {}).get("CodeUri") == f"functions/{function}"
    )


def _docker_answers() -> bool:
    try:
        subprocess.run(
            ["docker", "info"],  # noqa: S607 - whichever the user has
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DOCKER_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
