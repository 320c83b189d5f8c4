"""The proxy at work: passes a function's calls on to the emulator, unless a fault strikes."""

import asyncio
import logging
from collections import Counter

from weir_local.faults import Faults
from weir_local.http_client import HttpClient
from weir_local.http_server import Request, Response
from weir_local.proxy import batch
from weir_local.proxy.answers import error_answer
from weir_local.proxy.call import Call, read_call
from weir_local.proxy.fate import Fate, decide
from weir_local.wire import Wire, WireError
from weir_local.workers import Workers

_log = logging.getLogger(__name__)

_SIGNED_ANEW = frozenset({"content-type", "x-amz-target", "x-amzn-query-mode"})
_OF_THE_ANSWER_BEFORE = frozenset(
    {"connection", "content-encoding", "content-length", "transfer-encoding", "x-amz-crc32"}
)


class AwsProxy:
    """Stands between the functions and DynamoDB, SQS, S3, SNS and EventBridge.

    A call goes on byte for byte, so that its signature holds. The part of a batch that is carried
    out is signed anew, for the account's root: the function's own rights are not asked for there.

    Parameters
    ----------
    wire
        Sends those parts.
    counts
        Counters to add to: the calls, by service.
    """

    def __init__(
        self, endpoint_url: str, wire: Wire, workers: Workers, counts: Counter[str]
    ) -> None:
        self.faults = Faults()
        self._client = HttpClient(endpoint_url)
        self._wire = wire
        self._workers = workers
        self._counts = counts

    async def handle(self, request: Request) -> Response | None:
        """Answer one request; None where the answer is lost."""
        call = read_call(request)
        self._counts[f"{call.service or 'unsigned'}_calls"] += 1
        faults = self.faults
        fate = decide(call, request.body, faults)
        try:
            match fate:
                case Fate.KILL_BEFORE:
                    self._kill(call)
                    return None
                case Fate.REFUSE | Fate.THROTTLE:
                    return error_answer(call.service, fate, faults.dice)
                case Fate.SPLIT:
                    return await self._carry_out_in_part(call, request)
            answer = await self._client.send(request)
        except (OSError, WireError) as error:
            _log.warning("%s of %s was not passed on: %s", call.operation, call.service, error)
            return None
        match fate:
            case Fate.KILL_AFTER:
                self._kill(call)
                return None
            case Fate.LOSE_ANSWER:
                return None
            case Fate.DELAY_ANSWER:
                await asyncio.sleep(faults.slow_seconds)
        return answer

    def close(self) -> None:
        """Close the connections to the emulator."""
        self._client.close()

    def _kill(self, call: Call) -> None:
        """Kill the caller; there is nobody left to be answered."""
        if call.pid is not None:
            self._workers.kill(call.pid)

    async def _carry_out_in_part(self, call: Call, request: Request) -> Response:
        part = batch.split(call.operation, request.body, self.faults.dice)
        if part.forwarded is None:
            headers = {"content-type": request.headers.get("content-type", "")}
            return Response(200, part.merged(b""), headers)
        sent = {name: value for name, value in request.headers.items() if name in _SIGNED_ANEW}
        answer = await self._wire.send(call.service, "POST", "/", sent, part.forwarded)
        headers = {
            name.lower(): value
            for name, value in answer.headers.items()
            if name.lower() not in _OF_THE_ANSWER_BEFORE
        }
        # What is refused as a whole is nothing that could be merged with.
        body = part.merged(answer.body) if answer.status == 200 else answer.body
        return Response(answer.status, body, headers)
