"""What a function asks of AWS, read from the HTTP request; pure."""

import re
from dataclasses import dataclass

from weir_local.http_server import Request
from weir_local.paths import STACK_NAME

WORKER = "x-weir-worker"
"""The header by which a function's process says who it is: ``<function name>.<process id>``.

``weir_local.emulator_process`` sees to it that every call of a function carries it.
"""

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_OBJECT_OPERATIONS = {
    "DELETE": "DeleteObject",
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `service` as it is signed for (``dynamodb``), the operation, and the caller.

    `function` is the name without the stack's (``ingest``); without a caller that is known, it is
    empty and `pid` is None.
    """

    service: str
    operation: str
    function: str = ""
    pid: int | None = None


def read_call(request: Request) -> Call:
    """Read whose call a request is, and what for."""
    found = _SCOPE.search(request.headers.get("authorization", ""))
    service = found[1] if found else ""
    function, pid = read_worker(request.headers.get(WORKER, ""))
    if service == "s3":
        return Call(service, _s3_operation(request), function, pid)
    if service == "sns":
        return Call(service, _query_operation(request), function, pid)
    target = request.headers.get("x-amz-target", "")
    return Call(service, target.rpartition(".")[2], function, pid)


def read_worker(name: str) -> tuple[str, int | None]:
    """Return the function and the process id of a worker's name.

    >>> read_worker("weir-local-ingest.4711")
    ('ingest', 4711)
    """
    function, _, pid = name.rpartition(".")
    if not function or not pid.isdecimal():
        return "", None
    return function.removeprefix(f"{STACK_NAME}-"), int(pid)


def _query_operation(request: Request) -> str:
    found = _ACTION.search(request.body)
    return found[1].decode() if found else ""


def _s3_operation(request: Request) -> str:
    path, _, query = request.path.partition("?")
    has_key = "/" in path.strip("/")
    if has_key:
        return _OBJECT_OPERATIONS.get(request.method, request.method)
    if request.method == "POST" and query.split("=")[0] == "delete":
        return "DeleteObjects"
    return "ListObjectsV2" if request.method == "GET" else request.method
