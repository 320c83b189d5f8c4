"""The whole of `ingest` as a target: an event in, an answer out, sinks that only count."""

import base64
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.contract import check_answer
from tests.fakes.aws import FlakyFirehose
from tests.fakes.spill import FakeSpill
from tests.fuzz.checks import MAX_ANSWER, check_message
from tests.fuzz.parsers import NOW_MS
from tests.handlers import Context, http_event, load_handler
from weir.chunks import unpack_body
from weir.protocols.interface import MAX_READINGS
from weir.readings import Reading
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import MAX_BATCH, ReadingStore
from weir.storage.sinks import Sinks

MAX_LINE = 8_000
"""Characters of a log line; Lambda splits none, but whoever reads them pays by the byte."""

ROUTES = (
    ("/v1/readings", "application/json"),
    ("/v1/readings", "application/x-ndjson"),
    ("/v1/readings", "application/senml+json"),
    ("/api/v2/write", "text/plain; charset=utf-8"),
    ("/v1/metrics", "application/json"),
    ("/v1/metrics", "application/x-protobuf"),
)
AUTHORIZERS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"lambda": {"key_id": "0123456789abcdef", "prefix": "pump-"}},
    {"lambda": {"key_id": "0123456789abcdef", "device_id": "pump-7"}},
    {"lambda": {}},
)
PACKED, CLAIMED, BASE64, TYPED, QUERIED, AUTHORIZED, OTHERWISE, UNBASED = map(
    (1).__lshift__, range(8)
)
"""What the second byte of an input asks for, bit by bit; see `event`."""


class CountingTable:
    """Takes items as DynamoDB does, within its limits, and keeps them until the next request."""

    def __init__(self) -> None:
        self.calls = 0
        self.items: list[dict[str, Any]] = []

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        ((_, requests),) = request["RequestItems"].items()
        items = [each["PutRequest"]["Item"] for each in requests]
        keys = {(item["pk"]["S"], item["sk"]["S"]) for item in items}
        assert 1 <= len(items) == len(keys) <= MAX_BATCH
        self.calls += 1
        self.items += items
        return {"UnprocessedItems": {}}


class Door:
    """`ingest` with sinks that count, a clock that stands, and its log lines kept apart."""

    def __init__(self) -> None:
        self.app: ModuleType = load_handler("ingest")
        self.app.time = SimpleNamespace(time_ns=lambda: NOW_MS * 1_000_000)  # type: ignore[attr-defined]
        self.table = CountingTable()
        self.firehose = FlakyFirehose()
        self.spill = FakeSpill()
        self.app.sinks = Sinks(  # type: ignore[attr-defined]
            LakeStream(self.firehose, "lake"),
            ReadingStore(self.table, "readings"),
            lambda: self.spill,  # type: ignore[arg-type,return-value]
            self.app.executor,
        )

    def readings(self) -> list[Reading]:
        """What the last request left in the table."""
        documents = [unpack_body(item["body"]["B"]) for item in self.table.items]
        return [reading for document in documents for reading in document.rows()]

    def post(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The answer to an event, and the log lines of it; whatever holds for all is checked."""
        self.table.calls = 0
        self.table.items.clear()
        self.firehose.calls.clear()
        self.firehose.records.clear()
        with self._logged() as log:
            answer: dict[str, Any] = self.app.lambda_handler(request, Context())
        lines = log.getvalue().splitlines()
        check_log(log.getvalue())
        check_answer(request["routeKey"], answer)
        assert answer["statusCode"] < 500, answer
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < MAX_ANSWER
        assert all(value.isascii() and value.isprintable() for value in answer["headers"].values())
        assert self.table.calls <= MAX_READINGS // MAX_BATCH
        assert len(self.firehose.calls) <= 100
        assert not self.spill.bodies
        return answer, lines

    @contextmanager
    def _logged(self) -> Iterator[io.StringIO]:
        log = io.StringIO()
        handlers = self.app.logger.handlers
        streams = [handler.stream for handler in handlers]
        for handler in handlers:
            handler.stream = log
        try:
            with redirect_stdout(log):
                yield log
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                handler.stream = stream


def check_log(text: str) -> None:
    """Each line is one JSON object, short, and nothing in it can break it or steer a terminal."""
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        assert line.isprintable(), ascii(line)[:500]
        assert len(line) <= MAX_LINE, line[:500]
        assert isinstance(json.loads(line), dict)


@cache
def door() -> Door:
    """The one handler of this process."""
    return Door()


def ingest(data: bytes) -> None:
    """An event; see `event` for how it is made of bytes."""
    answer, _ = door().post(event(data))
    if answer["statusCode"] >= 400 and not answer["isBase64Encoded"]:
        document = json.loads(answer["body"])
        check_message(str(document.get("detail") or document.get("message")))


def event(data: bytes) -> dict[str, Any]:
    """The event that bytes stand for: two choose its form, up to two lines are headers.

    The first byte chooses the route and the media type. The second has bits: gzip the body; claim
    gzip; send in base64; take the Content-Type from the next line; take the query's precision from
    the next line; send with a key of a prefix; with one of a device, or with none at all; claim
    base64.
    """
    path, content_type = ROUTES[data[0] % len(ROUTES)] if data else ROUTES[0]
    bits = data[1] if len(data) > 1 else 0
    body = data[2:]
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if bits & TYPED:
        line, _, body = body.partition(b"\n")
        content_type = line.decode("latin-1")
    if bits & QUERIED:
        line, _, body = body.partition(b"\n")
        more["queryStringParameters"] = {"precision": line.decode("utf-8", "replace")}
    if bits & AUTHORIZED:
        more["authorizer"] = AUTHORIZERS[1 + bool(bits & OTHERWISE)]
    elif bits & OTHERWISE:
        more["authorizer"] = AUTHORIZERS[3]
    if bits & (PACKED | CLAIMED):
        headers["content-encoding"] = "gzip"
    if bits & PACKED:
        body = gzip.compress(body, 1, mtime=0)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        bits |= BASE64
    if bits & BASE64:
        text = base64.b64encode(body).decode()
        more["isBase64Encoded"] = True
    elif bits & UNBASED:
        more["isBase64Encoded"] = True
    return http_event(text, {"content-type": content_type, **headers}, path=path, **more)
