"""Signed HTTP to the emulator, below boto3, whose parsing would cost more than the work."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3.exceptions import HTTPError

from weir_local.aws import ACCESS_KEY, SECRET_KEY

_THREADS = 16
_READ_TIMEOUT = 900.0  # what a Lambda function may take at the most


class WireError(Exception):
    """The emulator could not be reached, or answered with an error of type `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a synchronous invocation of a function gave.

    `error` is None, or Lambda's word for the kind of failure: ``Unhandled``, ``Handled``, or
    ``TooManyRequests`` and the like when the function was not invoked at all.
    """

    request_id: str
    status: int
    payload: bytes
    error: str | None


class Wire:
    """A pool of connections to the emulator, used from the event loop."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self._endpoint = endpoint_url
        self._region = region
        self._credentials = Credentials(ACCESS_KEY, SECRET_KEY)
        timeout = urllib3.Timeout(connect=5.0, read=_READ_TIMEOUT)
        self._pool = urllib3.PoolManager(maxsize=_THREADS, timeout=timeout, retries=False)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="wire")

    async def json(self, service: str, target: str, arguments: Mapping[str, Any]) -> Any:
        """Call an operation of a JSON service and return its answer, base64 left as it is.

        Raises
        ------
        WireError
            With the service's error type, or ``Unreachable``.
        """
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
        answer = await self.send(service, "POST", "/", headers, json.dumps(arguments).encode())
        found = json.loads(answer.body)
        if answer.status >= 400:
            code = str(found.get("__type", "UnknownError")).rpartition("#")[2]
            raise WireError(code, str(found.get("message") or found.get("Message") or ""))
        return found

    async def invoke(self, function: str, event: bytes) -> Invocation:
        """Invoke a function with `event` and wait for its answer."""
        path = f"/2015-03-31/functions/{function.rpartition(':')[2]}/invocations"
        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse"}
        answer = await self.send("lambda", "POST", path, headers, event)
        error = answer.headers.get("X-Amz-Function-Error")
        if error is None and answer.status >= 300:
            error = answer.headers.get("X-Amzn-ErrorType") or f"HTTP {answer.status}"
        request_id = answer.headers.get("X-Amzn-RequestId", "")
        return Invocation(request_id, answer.status, answer.body, error)

    async def put_object(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        """Write an object.

        Raises
        ------
        WireError
            When S3 did not take it.
        """
        answer = await self.send("s3", "PUT", f"/{bucket}/{key}", headers, body)
        if answer.status >= 300:
            raise WireError(f"HTTP {answer.status}", answer.body[:200].decode(errors="replace"))

    async def send(
        self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Send one signed request, in a thread of the pool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._send, service, method, path, headers, body
        )

    def close(self) -> None:
        """Close the connections; calls under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.clear()

    def _send(
        self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        escaped = urllib3.util.parse_url(self._endpoint + path).url
        request = AWSRequest(method, escaped, data=body, headers=dict(headers))
        SigV4Auth(self._credentials, service, self._region).add_auth(request)
        try:
            answer = self._pool.request(method, escaped, body=body, headers=dict(request.headers))
        except HTTPError as error:
            raise WireError("Unreachable", str(error)) from error
        return Answer(answer.status, answer.headers, answer.data)
