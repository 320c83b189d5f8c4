"""AWS without the network: botocore does all its work, and answers come from here at once."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

_RECORD_ID = "F" * 222  # as long as Firehose's are


class Raw:
    """What botocore reads an answer's body from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self._content


class StubbedAws:
    """Answers PutRecordBatch and BatchWriteItem; `sent` keeps what came while `keep` is true."""

    def __init__(self) -> None:
        self.keep = False
        self.sent: list[tuple[str, bytes]] = []

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Take the place of botocore's HTTP session."""
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body if isinstance(request.body, bytes) else b""
        if self.keep:
            self.sent.append((operation, body))
        records = body.count(b'"Data"') if operation == "PutRecordBatch" else 0
        content, checksum = _answer(operation, records)
        headers = HeadersDict(
            {
                "x-amzn-RequestId": "A" * 52,
                "x-amz-crc32": checksum,
                "Content-Type": "application/x-amz-json-1.1",
                "Content-Length": str(len(content)),
            }
        )
        return AWSResponse(request.url, 200, headers, Raw(content))  # type: ignore[arg-type]


@cache
def _answer(operation: str, records: int) -> tuple[bytes, str]:
    match operation:
        case "PutRecordBatch":
            replies = b",".join([b'{"RecordId":"%s"}' % _RECORD_ID.encode()] * records)
            content = b'{"Encrypted":true,"FailedPutCount":0,"RequestResponses":[%s]}' % replies
        case "BatchWriteItem":
            content = b'{"UnprocessedItems":{}}'
        case _:
            raise NotImplementedError(f"no benchmark calls {operation}")
    return content, str(zlib.crc32(content))


@contextmanager
def stubbed_aws() -> Iterator[StubbedAws]:
    """All of botocore's HTTP goes to a stub."""
    stub = StubbedAws()

    def send(_session: Any, request: AWSPreparedRequest) -> AWSResponse:
        return stub.send(request)

    with patch("botocore.httpsession.URLLib3Session.send", send):
        yield stub
