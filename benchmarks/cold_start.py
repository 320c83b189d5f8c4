"""How long a cold start of ingest keeps its first caller, against the two clients alone.

Both functions start in Lambda's own runtime (awslambdaric) under the interface emulator, which
starts a function when its first request comes: measured is from that request to its answer, with
the layer as it is deployed and boto3's bytecode compiled for both. The floor is a handler that
makes the same two clients with boto3 and returns. The request is one that ingest refuses before
it calls AWS, so that neither waits for a service.
"""

import compileall
import shutil
import sysconfig
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.handlers import ENVIRONMENT as SETTINGS
from tests.handlers import http_event

from benchmarks.figures import Figure, Findings, at_most
from benchmarks.sample import ENVIRONMENT
from weir_local.build import build
from weir_local.paths import REPOSITORY
from weir_local.real_runtime import invoke_cold

TARGET = 1.25
STARTS = 7

_TWO_CLIENTS = '''"""The two clients and nothing else."""

import boto3

firehose = boto3.client("firehose")
dynamodb = boto3.client("dynamodb")


def lambda_handler(event, context):
    return {"statusCode": 200}
'''
_NOTHING = '''"""An empty function: what the runtime itself takes."""


def lambda_handler(event, context):
    return {"statusCode": 200}
'''


def run() -> Findings:
    """Start ingest, its floor and an empty function in turn."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        built = build(REPOSITORY, folder / "build.log", lambda _: None)
        shutil.copytree(
            built / "Ingest", folder / "ingest", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name, source in (("two_clients", _TWO_CLIENTS), ("nothing", _NOTHING)):
            (folder / name).mkdir()
            (folder / name / "app.py").write_text(source, encoding="utf-8")
        _compile_runtime()
        environment = {**ENVIRONMENT, **SETTINGS, "POWERTOOLS_SERVICE_NAME": "ingest"}
        refused = http_event("not read", {"content-type": "text/plain"})
        layer = built / "WeirLayer" / "python"
        starts: dict[str, list[float]] = {"ingest": [], "two_clients": [], "nothing": []}
        for turn in range(STARTS + 1):
            for name, seconds in starts.items():
                of_layer = layer if name == "ingest" else None
                invoked = invoke_cold(folder / name, of_layer, environment, refused)
                expected = 415 if name == "ingest" else 200
                assert invoked.answer["statusCode"] == expected, invoked
                if turn:  # the first of each fills the disk's cache
                    seconds.append(invoked.seconds)
    ingest, two_clients, nothing = (median(starts[name]) for name in starts)
    ratio = median(
        mine / theirs for mine, theirs in zip(starts["ingest"], starts["two_clients"], strict=True)
    )
    return Findings(
        [
            Figure(
                "ingest, cold start to first answer",
                f"{ingest * 1000:.0f} ms",
                f"{two_clients * 1000:.0f} ms",
                f"floor: the two boto3 clients (an empty function: {nothing * 1000:.0f} ms)",
                *at_most(ratio, TARGET),
            )
        ],
        {
            "cold_start_over_boto3": ratio,
            "cold_start_ms": ingest * 1000,
            "cold_start_boto3_ms": two_clients * 1000,
            "cold_start_empty_ms": nothing * 1000,
        },
    )


def _compile_runtime() -> None:
    packages = Path(sysconfig.get_path("purelib"))
    for name in (
        "awslambdaric",
        "boto3",
        "botocore",
        "jmespath",
        "s3transfer",
        "urllib3",
        "dateutil",
    ):
        compileall.compile_dir(packages / name, quiet=2)
