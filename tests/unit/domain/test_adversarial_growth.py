"""No input costs more than in proportion to its size, by work that is counted and not timed."""

import json
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace

import pytest

from tests.fuzz.parsers import NOW_MS, WINDOW
from tests.unit.domain.otlp_requests import attributes, gauge, of_resource, point
from tests.unit.domain.otlp_requests import request as otlp_request
from tests.work import work
from weir import inflation
from weir.chunks import compress_lines, pack, pack_records
from weir.identity import EVERY_DEVICE
from weir.lake import open_record, rows
from weir.protocols.influx import InfluxWrite
from weir.protocols.interface import Adapter, Request, TooManyReadings, UnreadableBody
from weir.protocols.otlp import OtlpMetrics
from weir.protocols.otlp_answers import JSON, PROTOBUF
from weir.protocols.own import NativeJson, NativeLines
from weir.protocols.senml import SenmlJson
from weir.readings import Reading

LINEAR = 2.4
"""By which work may grow when an input doubles; splitting in halves adds a level."""
PER_BYTE = 16.0
"""Calls for each byte of a body, at the very most."""
MEMORY = 34
"""Bytes of memory for each byte of a body: 272 MB for the largest. The function has 1,024."""
MEMORY_LINE = 1_300
"""And for each line, which may be a series of its own: 13 MB for as many as there may be."""


def _native(n: int, body: Callable[[int], object]) -> bytes:
    return json.dumps([body(i) for i in range(n)]).encode()


def _reading(metrics: object, **more: object) -> dict[str, object]:
    return {"device_id": "pump-7", "ts": NOW_MS, "metrics": metrics, **more}


NATIVE: dict[str, Callable[[int], bytes]] = {
    "readings": lambda n: _native(n, lambda i: _reading({"flow": i})),
    "bad readings": lambda n: _native(n, lambda i: _reading({"*": i})),
    "devices": lambda n: _native(n, lambda i: _reading({"flow": i}, device_id=f"d-{i}")),
    "metrics of all readings": lambda n: _native(n, lambda i: _reading({f"m{i}": i})),
    "tags of all readings": lambda n: _native(n, lambda i: _reading({"m": i}, tags={f"t{i}": "x"})),
    "texts of a tag": lambda n: _native(n, lambda i: _reading({"m": i}, tags={"t": f"{i}"})),
    "hours": lambda n: _native(n, lambda i: _reading({"m": 1}, ts=NOW_MS - i % 160 * 3_600_000)),
    "metrics": lambda n: json.dumps(_reading({f"m{i}": i for i in range(n)})).encode(),
    "tags": lambda n: json.dumps(_reading({"m": 1}, tags={f"{i}": "" for i in range(n)})).encode(),
    "a long name": lambda n: json.dumps(_reading({"m" * n: 1})).encode(),
    "a long device": lambda n: json.dumps(_reading({"m": 1}, device_id="d" * n)).encode(),
    "a long number": lambda n: b'{"device_id":"d","ts":1,"metrics":{"m":' + b"9" * n + b"}}",
    "a long fraction": lambda n: b'{"device_id":"d","ts":1,"metrics":{"m":.' + b"9" * n + b"}}",
    "a long time": lambda n: json.dumps(_reading({"m": 1}, ts="2" * n)).encode(),
    "names that stand twice": lambda n: b"{" + b'"a":1,"b":2,' * n + b'"c":1}',
    "opening brackets": lambda n: b"[" * n,
    "nested objects": lambda n: b'{"a":' * n,
    "quotes": lambda n: b'"' * n,
    "backslashes": lambda n: b'["' + b"\\" * n,
    "blank lines": lambda n: b"\n" * n,
    "blanks": lambda n: b" " * n + b"[",
    "broken lines": lambda n: b"{}\n" + b"{\n" * n,
    "empty objects": lambda n: b"[" + b"{}," * n + b"{}]",
    "what is no UTF-8": lambda n: b"\xff" * n,
}
SENML: dict[str, Callable[[int], bytes]] = {
    "records": lambda n: _native(n, lambda i: {"bn": "d:", "n": "m", "v": i, "t": -i}),
    "records at one time": lambda n: _native(n, lambda i: {"n": f"d{i}", "v": 1}),
    "metrics at one time": lambda n: _native(n, lambda i: {"bn": "d:", "n": f"m{i}", "v": 1}),
    "one metric at one time": lambda n: _native(n, lambda i: {"n": "d", "v": 1}),
    "names behind a long one": lambda n: json.dumps(
        [{"bn": "d" * 50 * n}, *({"n": f"m{i}", "v": 1} for i in range(n))]
    ).encode(),
    "units behind a long one": lambda n: json.dumps(
        [{"bu": "u" * 50 * n}, *({"n": f"m{i}", "v": 1} for i in range(n))]
    ).encode(),
    "labels": lambda n: json.dumps([{f"l{i}": 1 for i in range(n)} | {"n": "d", "v": 1}]).encode(),
    "base labels": lambda n: _native(n, lambda i: {f"b{i}_": 1, "n": "d", "v": 1}),
    "large exponents": lambda n: b"[" + b'{"n":"d","v":1,"t":-1e308,"bt":1e-308},' * n + b"{}]",
    "long versions": lambda n: b'[{"bver":' + b"9" * n + b"}]",
}
INFLUX: dict[str, Callable[[int], bytes]] = {
    "lines": lambda n: b"m,host=d f=1\n" * n,
    "series": lambda n: b"".join(b"m,host=d,t=%d f=1\n" % i for i in range(n)),
    "fields": lambda n: b"m,host=d " + b",".join(b"f%d=1" % i for i in range(n)),
    "the same field": lambda n: b"m,host=d " + b",".join([b"f=1"] * n),
    "strings": lambda n: b"m,host=d " + b",".join([b'f="x"'] * n),
    "bad values": lambda n: b"m,host=d " + b",".join([b"f=x"] * n),
    "tags": lambda n: b"m" + b",t=1" * n + b" f=1",
    "commas": lambda n: b"," * n,
    "equals signs": lambda n: b"=" * n,
    "backslashes": lambda n: b"m,a=" + b"\\" * n + b" f=1",
    "escapes": lambda n: b"m,host=d " + b"\\," * n + b"=1",
    "open strings": lambda n: b'm,host=d f="\n' * n,
    "open strings with a backslash": lambda n: b'm,host=d f="\\\n' * n,
    "open strings in fields": lambda n: b"m,host=d " + b'f="' * n,
    "comments": lambda n: b"#\n" * n,
    "what is no comment": lambda n: b" #" * n,
    "returns": lambda n: b"\r" * n,
    "line ends": lambda n: b"\r\n" * n,
    "blanks": lambda n: b" " * n + b"x",
    "blanks before a time": lambda n: b"m,host=d f=1" + b" " * n + b"x",
    "a long number": lambda n: b"m,host=d f=" + b"1" * n,
    "what is no UTF-8": lambda n: b"\xff\n" * n,
}


def _points(n: int, **attrs: str) -> bytes:
    one = point(attrs=attrs)
    message = otlp_request(of_resource([gauge("flow", *[one] * n)], device__id="pump-7"))
    return bytes(message.SerializeToString())


def _otlp(name: str, points: int, **of: str) -> bytes:
    message = otlp_request(of_resource([gauge(name, *[point()] * points)], **of))
    return bytes(message.SerializeToString())


def _attributes(n: int) -> bytes:
    of_resources = of_resource([gauge("flow", point())], device__id="pump-7")
    of_resources.resource.attributes.extend(attributes({f"a{i}": "x" for i in range(n)}))
    return bytes(otlp_request(of_resources).SerializeToString())


OTLP: dict[str, Callable[[int], bytes]] = {
    "points": _points,
    "points with attributes": lambda n: _points(n, state="idle", cpu="0"),
    "points of a long name": lambda n: _otlp("m" * 50 * n, n, device__id="d"),
    "points of a long device": lambda n: _otlp("m", n, device__id="d" * 50 * n),
    "points with a long tag": lambda n: _otlp("m", n, device__id="d", tag="t" * 50 * n),
    "attributes": _attributes,
    "a long attribute": lambda n: _points(1, state="," * n),
    "resources": lambda n: bytes(
        otlp_request(*[of_resource([gauge("m", point())], device__id=f"d{i}") for i in range(n)])
        .SerializeToString()
    ),
    "nesting": lambda n: b"\x0a" * n,
}  # fmt: skip
OTLP_JSON: dict[str, Callable[[int], bytes]] = {
    "a number in a text": lambda n: _otlp_json(b'"asDouble":"' + b"1" * n + b'"'),
    "no number in a text": lambda n: _otlp_json(b'"asDouble":"0.' + b"1" * n + b'x"'),
    "exponents in a text": lambda n: _otlp_json(b'"asDouble":"' + b"1e" * n + b'"'),
    "an integer in a text": lambda n: _otlp_json(b'"asInt":"' + b"1" * n + b'"'),
    "a long number": lambda n: _otlp_json(b'"asInt":' + b"1" * n),
    "nesting": lambda n: b'{"a":' * n,
    "empty resources": lambda n: b'{"resourceMetrics":[' + b"{}," * n + b"{}]}",
}


def _otlp_json(value: bytes) -> bytes:
    return (
        b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"device.id","value":'
        b'{"stringValue":"d"}}]},"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":'
        b'[{"timeUnixNano":"%d",%s}]}}]}]}]}' % (NOW_MS * 1_000_000, value)
    )


CASES = [
    pytest.param(adapter, media_type, make, id=f"{protocol}: {what}")
    for protocol, adapter, media_type, shapes in [
        ("json", NativeJson(), "application/json", NATIVE),
        ("ndjson", NativeLines(), "application/x-ndjson", NATIVE),
        ("senml", SenmlJson(), "application/senml+json", SENML | NATIVE),
        ("influx", InfluxWrite(), "text/plain", INFLUX),
        ("protobuf", OtlpMetrics(), PROTOBUF, OTLP),
        ("otlp json", OtlpMetrics(), JSON, OTLP_JSON),
    ]
    for what, make in shapes.items()
]


def read(adapter: Adapter, media_type: str, body: bytes) -> Sequence[Reading]:
    """Read a body, and say what came of it."""
    sent = Request(body, media_type, {"precision": "ms"}, NOW_MS, WINDOW, EVERY_DEVICE)
    with suppress(UnreadableBody, TooManyReadings):
        parsed = adapter.parse(sent)
        adapter.accept(parsed, media_type)
        return parsed.readings
    return ()


def take(adapter: Adapter, media_type: str, body: bytes) -> None:
    """Do with a body what `ingest` does, but for the sinks."""
    pack_records(pack(read(adapter, media_type, body)))


@pytest.mark.parametrize(("adapter", "media_type", "make"), CASES)
def test_work_grows_with_the_body_and_no_faster(
    adapter: Adapter, media_type: str, make: Callable[[int], bytes]
) -> None:
    take(adapter, media_type, make(2))  # imports, caches
    small, large = make(700), make(1400)
    once = work(lambda: take(adapter, media_type, small))
    twice = work(lambda: take(adapter, media_type, large))
    assert twice <= LINEAR * once + 200
    assert twice <= PER_BYTE * len(large) + 1000


@pytest.mark.parametrize(("adapter", "media_type", "make"), CASES)
def test_reading_takes_memory_by_the_body(
    adapter: Adapter, media_type: str, make: Callable[[int], bytes]
) -> None:
    read(adapter, media_type, make(2))
    body = make(160 * 1024 * 700 // len(make(700)))
    tracemalloc.start()
    try:
        read(adapter, media_type, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= MEMORY * len(body) + MEMORY_LINE * body.count(b"\n") + 500_000


@pytest.mark.parametrize("each", [1, 16, 64])
@pytest.mark.parametrize("what", ["metrics", "tags"])
def test_packing_costs_by_the_values_and_not_by_the_cells_that_have_none(
    each: int, what: str
) -> None:
    def readings(n: int) -> list[Reading]:
        if what == "metrics":
            return [
                Reading("d", NOW_MS + i, {f"{i}.{j}": 1.0 for j in range(each)}) for i in range(n)
            ]
        names = min(each, 16)
        return [
            Reading("d", NOW_MS + i, {"m": 1.0}, {f"{i}.{j}": "x" for j in range(names)})
            for i in range(n)
        ]

    sent, more = readings(500), readings(1000)
    once, twice = work(lambda: pack(sent)), work(lambda: pack(more))
    assert twice <= LINEAR * once + 200
    assert twice <= 40 * sum(len(r.metrics) + len(r.tags or ()) for r in more) + 1000


def test_rows_of_a_record_cost_by_its_values() -> None:
    def record(n: int) -> bytes:
        readings = [Reading("d", NOW_MS + i, {"m": 1.0, f"m{i % 7}": 2.0}) for i in range(n)]
        return compress_lines(chunk.document for chunk in pack(readings))

    small, large = record(500), record(1000)
    once = work(lambda: rows(open_record(small, 0)))
    twice = work(lambda: rows(open_record(large, 0)))
    assert twice <= LINEAR * once + 200


def test_a_bomb_is_inflated_to_its_bound_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inner = zlib.decompressobj(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            part = self._inner.decompress(data, most)
            made.append(len(part))
            return part

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    counting = SimpleNamespace(decompressobj=Counting, error=zlib.error)
    monkeypatch.setattr(inflation, "zlib", counting)
    bomb = compress_lines([bytes(10_000_000)])
    for data in (bomb, compress_lines([b"x" * 60_000]) + bomb):
        made.clear()
        with pytest.raises(inflation.InflatesTooFar):
            inflation.inflate(data, 100_000, inflation.GZIP)
        assert sum(made) <= 100_001
