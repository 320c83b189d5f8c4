"""Clients that fail as AWS does and moto can't: in part, for a while, or after having written."""

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


def client_error(code: str, status: int = 400) -> ClientError:
    """The error that botocore raises for an answer with this code."""
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


def timed_out() -> ReadTimeoutError:
    """No answer came; whether the call was carried out is not known."""
    return ReadTimeoutError(endpoint_url="https://aws.example")


class FlakyFirehose:
    """Takes records, but refuses those that `refuse` names, call by call (place in the call)."""

    def __init__(self, *faults: Sequence[int] | Exception) -> None:
        self.records: list[bytes] = []
        self.calls: list[list[bytes]] = []
        self._faults = list(faults)

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        data = [record["Data"] for record in request["Records"]]
        self.calls.append(data)
        fault = self._faults.pop(0) if self._faults else ()
        if isinstance(fault, Exception):
            raise fault
        replies = []
        for place, record in enumerate(data):
            if place in fault:
                replies.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow"})
            else:
                self.records.append(record)
                replies.append({"RecordId": str(len(self.records))})
        return {"FailedPutCount": len(fault), "RequestResponses": replies}


class FlakyDynamo:
    """Passes calls on to a real client, but leaves items unprocessed or fails, as it is told.

    `faults` are taken one a call of `operation`: an exception is raised instead of the call, a
    number says how many of the call's items to leave unprocessed, a callable is called after it.
    """

    def __init__(
        self,
        client: Any,
        operation: str,
        *faults: int | Exception | Callable[[], None],
    ) -> None:
        self._client = client
        self._operation = operation
        self._faults = list(faults)
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return self._guarded(call) if name == self._operation else call

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(**request: Any) -> Any:
            self.calls += 1
            fault = self._faults.pop(0) if self._faults else None
            if isinstance(fault, Exception):
                raise fault
            if isinstance(fault, int):
                ((table, requests),) = request["RequestItems"].items()
                done, left = requests[fault:], requests[:fault]
                if done:
                    call(RequestItems={table: done})
                return {"UnprocessedItems": {table: left}}
            answer = call(**request)
            if fault is not None:
                fault()
            return answer

        return guarded
