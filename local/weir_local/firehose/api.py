"""Firehose's JSON API, as far as clients of a delivery stream use it."""

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from weir_local.aws import ACCOUNT
from weir_local.firehose.delivery import DeliveryStream
from weir_local.firehose.limits import ApiError, check_batch, check_name, check_record
from weir_local.http_server import Request, Response
from weir_local.proxy.call import Call, read_call
from weir_local.proxy.fate import Fate, decide
from weir_local.workers import Workers

_log = logging.getLogger(__name__)

_TARGET = "Firehose_20150804."
_TYPE = "application/x-amz-json-1.1"
_SLOW_DOWN = "Slow down."
_PUTS = frozenset({"PutRecord", "PutRecordBatch"})
_REFUSALS = {
    Fate.REFUSE: ("ServiceUnavailableException", _SLOW_DOWN, 503),
    Fate.THROTTLE: ("ThrottlingException", "Rate exceeded", 400),
}


class FirehoseApi:
    """Answers the operations on one delivery stream.

    Parameters
    ----------
    description
        What DescribeDeliveryStream answers, timestamps as epoch seconds.
    workers
        The functions' processes, which a fault may kill.
    """

    def __init__(
        self,
        stream: DeliveryStream,
        description: Mapping[str, Any],
        counts: Counter[str],
        workers: Workers,
    ) -> None:
        self._stream = stream
        self._description = description
        self._counts = counts
        self._workers = workers
        self._operations: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "PutRecord": self._put_record,
            "PutRecordBatch": self._put_record_batch,
            "DescribeDeliveryStream": self._describe,
            "ListDeliveryStreams": self._list,
        }

    async def handle(self, request: Request) -> Response | None:
        """Answer one request; None where the answer is lost."""
        headers = {"content-type": _TYPE, "x-amzn-requestid": str(uuid.uuid4())}
        call = read_call(request)
        fate = self._fate(call)
        if fate is Fate.KILL_BEFORE:
            self._kill(call)
            return None
        try:
            answer = self._answer(request, fate)
        except ApiError as error:
            _log.info("refused: %s: %s", error.code, error.message)
            body = json.dumps({"__type": error.code, "message": error.message}).encode()
            return Response(error.status, body, {**headers, "x-amzn-errortype": error.code})
        match fate:
            case Fate.KILL_AFTER:
                self._kill(call)
                return None
            case Fate.LOSE_ANSWER:
                return None
            case Fate.DELAY_ANSWER:
                await asyncio.sleep(self._stream.faults.slow_seconds)
        return Response(200, json.dumps(answer).encode(), headers)

    def _answer(self, request: Request, fate: Fate) -> Any:
        if fate in _REFUSALS:
            raise ApiError(*_REFUSALS[fate])
        target = request.headers.get("x-amz-target", "")
        operation = self._operations.get(target.removeprefix(_TARGET))
        if operation is None or not target.startswith(_TARGET):
            raise ApiError("UnknownOperationException", f"The operation {target} is not known here")
        try:
            arguments = json.loads(request.body or b"{}")
        except ValueError as error:
            raise ApiError("SerializationException", "The request is not JSON") from error
        if not isinstance(arguments, dict):
            raise ApiError("SerializationException", "The request is not an object")
        return operation(arguments)

    def _put_record(self, request: Mapping[str, Any]) -> Any:
        self._check_stream(request)
        data = check_record(request.get("Record"))
        if self._stream.faults.fails_record(0):
            self._counts["records_failed"] += 1
            raise ApiError("ServiceUnavailableException", _SLOW_DOWN, 503)
        return {"RecordId": self._stream.put(data), "Encrypted": False}

    def _put_record_batch(self, request: Mapping[str, Any]) -> Any:
        self._check_stream(request)
        batch = check_batch(request)
        entries: list[dict[str, str]] = []
        failed = 0
        for index, data in enumerate(batch):
            if self._stream.faults.fails_record(index):
                failed += 1
                code = "ServiceUnavailableException"
                entries.append({"ErrorCode": code, "ErrorMessage": _SLOW_DOWN})
            else:
                entries.append({"RecordId": self._stream.put(data)})
        self._counts["records_failed"] += failed
        return {"FailedPutCount": failed, "Encrypted": False, "RequestResponses": entries}

    def _describe(self, request: Mapping[str, Any]) -> Any:
        self._check_stream(request)
        return {"DeliveryStreamDescription": self._description}

    def _list(self, _request: Mapping[str, Any]) -> Any:
        names = [self._stream.config.name]
        return {"DeliveryStreamNames": names, "HasMoreDeliveryStreams": False}

    def _check_stream(self, request: Mapping[str, Any]) -> None:
        name = check_name(request)
        if name != self._stream.config.name:
            raise ApiError(
                "ResourceNotFoundException", f"Firehose {name} under account {ACCOUNT} not found."
            )

    def _fate(self, call: Call) -> Fate:
        if call.operation not in _PUTS:
            return Fate.PASS
        self._counts["calls"] += 1
        fate = decide(call, b"", self._stream.faults)
        self._counts["calls_refused"] += fate in _REFUSALS
        return fate

    def _kill(self, call: Call) -> None:
        """Kill the caller; there is nobody left to be answered."""
        if call.pid is not None:
            self._workers.kill(call.pid)
