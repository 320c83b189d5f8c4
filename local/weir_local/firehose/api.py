"""Firehose's JSON API, as far as clients of a delivery stream use it."""

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

_log = logging.getLogger(__name__)

_TARGET = "Firehose_20150804."
_TYPE = "application/x-amz-json-1.1"
_SLOW_DOWN = "Slow down."


class FirehoseApi:
    """Answers the operations on one delivery stream.

    Parameters
    ----------
    description
        What DescribeDeliveryStream answers, timestamps as epoch seconds.
    """

    def __init__(
        self, stream: DeliveryStream, description: Mapping[str, Any], counts: Counter[str]
    ) -> None:
        self._stream = stream
        self._description = description
        self._counts = counts
        self._operations: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "PutRecord": self._put_record,
            "PutRecordBatch": self._put_record_batch,
            "DescribeDeliveryStream": self._describe,
            "ListDeliveryStreams": self._list,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        headers = {"content-type": _TYPE, "x-amzn-requestid": str(uuid.uuid4())}
        try:
            answer = self._answer(request)
        except ApiError as error:
            _log.info("refused: %s: %s", error.code, error.message)
            body = json.dumps({"__type": error.code, "message": error.message}).encode()
            return Response(error.status, body, {**headers, "x-amzn-errortype": error.code})
        return Response(200, json.dumps(answer).encode(), headers)

    def _answer(self, request: Request) -> Any:
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
        self._strike_call()
        if self._stream.faults.fails_record(0):
            self._counts["records_failed"] += 1
            raise ApiError("ServiceUnavailableException", _SLOW_DOWN, 503)
        return {"RecordId": self._stream.put(data), "Encrypted": False}

    def _put_record_batch(self, request: Mapping[str, Any]) -> Any:
        self._check_stream(request)
        batch = check_batch(request)
        self._strike_call()
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

    def _strike_call(self) -> None:
        self._counts["calls"] += 1
        faults = self._stream.faults
        for fault, code, message, status in (
            ("refuse_calls", "ServiceUnavailableException", _SLOW_DOWN, 503),
            ("throttle", "ThrottlingException", "Rate exceeded", 400),
        ):
            if faults.strikes(fault):
                self._counts["calls_refused"] += 1
                raise ApiError(code, message, status)
