"""What a chart of a week costs: 604,800 readings of one metric, in 600 buckets.

Measured is the whole `api` function, from the event to the answer: botocore makes and parses each
query, and DynamoDB's answers come from memory, in pages of 1 MB. So the network is left out, and
nothing else is. The chunks are of 100 readings, as a device sends that posts every 100 seconds,
and of an hour. Beside each stands the pure part, once the chunks are in memory; the peer is what
one would write first: a loop over the readings that count.
"""

import base64
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from tests.handlers import Context, load_handler

from benchmarks.figures import Figure, Findings, at_most
from benchmarks.sample import as_in_lambda
from benchmarks.stubbed_aws import Raw
from weir.charts.buckets import Chart, width_of
from weir.chunks import Chunk, Document, pack, unpack
from weir.readings import Reading

TARGET_S = 2.0
ROUNDS = 5
DEVICE, METRIC = "pump-7", "flow"
START = 1_767_225_600_000
WEEK_S = 604_800
END = START + WEEK_S * 1000
BUCKETS = 600
_PAGE_BYTES = 1_000_000
_ROUTE = "GET /v1/devices/{device_id}/readings"


def run() -> Findings:
    """Measure a week's chart out of chunks of 100 readings, and of 3,600."""
    figures: list[Figure] = []
    numbers: dict[str, float] = {"chart_readings": WEEK_S}
    measured: dict[int, tuple[int, float, float, float]] = {}
    with as_in_lambda():
        for size in (100, 3600):
            measured[size] = _measured(_week(size))
    for size, (count, whole, pure, naive) in measured.items():
        figures.append(
            Figure(
                f"a week's chart, {count:,} chunks of {size:,} readings",
                f"{whole:.2f} s",
                f"{naive:.2f} s",
                f"a loop over the readings, chunks in memory (Weir's buckets alone: {pure:.2f} s)",
                *at_most(whole, TARGET_S),
            )
        )
        numbers |= {f"chart_{size}_s": whole, f"chart_{size}_pure_s": pure}
    numbers["chart_s"] = max(numbers["chart_100_s"], numbers["chart_3600_s"])
    return Findings(figures, numbers)


def _measured(chunks: list[Chunk]) -> tuple[int, float, float, float]:
    """How many chunks there are, and the seconds of the function, its buckets, and the loop."""
    with _table(chunks):
        whole = _best(_asked())
    documents = [unpack(chunk.document) for chunk in chunks]
    pure = _best(lambda: _chart(documents))
    return len(chunks), whole, pure, _best(lambda: _naive(documents), 1)


def _week(size: int) -> list[Chunk]:
    draw = random.Random(7)
    return [
        chunk
        for first in range(0, WEEK_S, size)
        for chunk in pack(
            Reading(DEVICE, START + at * 1000, {METRIC: float(f"{draw.gauss(50, 10):.6g}")})
            for at in range(first, first + size)
        )
    ]


def _best(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The least wall time: what the machine does besides only ever adds to it."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def _asked() -> Callable[[], None]:
    api = load_handler("api")
    claims = {"sub": "ada@example.com"}
    event = {
        "routeKey": _ROUTE,
        "rawQueryString": f"from={START}&to={END}&metric={METRIC}&buckets={BUCKETS}",
        "pathParameters": {"device_id": DEVICE},
        "requestContext": {"requestId": "r", "authorizer": {"jwt": {"claims": claims}}},
    }

    def ask() -> None:
        answer = api.lambda_handler(event, Context(20))
        assert answer["statusCode"] == 200, answer
        document = json.loads(answer["body"])
        assert (document["readings"], document["next_cursor"]) == (WEEK_S, None)

    ask()
    return ask


def _chart(documents: list[Document]) -> None:
    chart = Chart(START, END, width_of(START, END, BUCKETS))
    chart.add(documents)
    assert sum(chart.series()[METRIC].count) == WEEK_S


def _naive(documents: list[Document]) -> None:
    width = width_of(START, END, BUCKETS)
    values: dict[int, float] = {}
    for document in documents:
        for reading in document.rows():
            values.setdefault(reading.ts, reading.metrics[METRIC])
    buckets: dict[int, list[float]] = {}
    for ts, value in values.items():
        buckets.setdefault(ts // width, []).append(value)
    assert all(min(it) <= sum(it) / len(it) <= max(it) for it in buckets.values())


# ------------------------------------------------------------------ DynamoDB from memory


@contextmanager
def _table(chunks: list[Chunk]) -> Iterator[None]:
    """All of botocore's HTTP goes to a table with these chunks, which can but query a range."""
    items = [
        (
            chunk.sk,
            b'{"sk":{"S":"%s"},"body":{"B":"%s"}}'
            % (chunk.sk.encode(), base64.b64encode(chunk.body)),
        )
        for chunk in sorted(chunks, key=lambda chunk: chunk.sk)
    ]

    def send(_session: Any, request: AWSPreparedRequest) -> AWSResponse:
        body = request.body if isinstance(request.body, bytes) else b""
        content = _page(items, json.loads(body))
        headers = HeadersDict(
            {
                "x-amz-crc32": str(zlib.crc32(content)),
                "Content-Type": "application/x-amz-json-1.0",
                "Content-Length": str(len(content)),
            }
        )
        return AWSResponse(request.url, 200, headers, Raw(content))  # type: ignore[arg-type]

    with patch("botocore.httpsession.URLLib3Session.send", send):
        yield


def _page(items: list[tuple[str, bytes]], query: dict[str, Any]) -> bytes:
    values = query["ExpressionAttributeValues"]
    low, high = values[":low"]["S"], values[":high"]["S"]
    after = query.get("ExclusiveStartKey", {"sk": {"S": ""}})["sk"]["S"]
    page: list[bytes] = []
    room, last = _PAGE_BYTES, ""
    for sk, item in items:
        if not low <= sk <= high or sk <= after:
            continue
        if room < 0:
            key = json.dumps({"pk": {"S": DEVICE}, "sk": {"S": last}}).encode()
            return b'{"Items":[%s],"LastEvaluatedKey":%s}' % (b",".join(page), key)
        page.append(item)
        room -= len(item) * 3 // 4
        last = sk
    return b'{"Items":[%s]}' % b",".join(page)
