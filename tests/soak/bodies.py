"""How readings are sent: bodies in five protocols, bad entries among them, and what is answered.

What an answer must say is known before it comes: how many entries are good, and how many are not.
"""

import gzip
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.soak.fleet import ProtocolName, Reading

type Batch = Sequence[tuple[str, Sequence[Reading]]]
"""Devices by their ids, and readings of each."""

GZIP_SHARE: Final = 0.3
_PATHS: Final[Mapping[ProtocolName, tuple[str, str]]] = {
    "json": ("/v1/readings", "application/json"),
    "ndjson": ("/v1/readings", "application/x-ndjson"),
    "senml": ("/v1/readings", "application/senml+json"),
    "influx": ("/api/v2/write?precision=ms", "text/plain; charset=utf-8"),
    "otlp": ("/v1/metrics", "application/x-protobuf"),
}
_SPOILT: Final[Sequence[Mapping[str, Any]]] = ({"metrics": {"flow": "much"}}, {"ts": "yesterday"})
_WRITTEN = re.compile(r"lines written: (\d+), refused in whole or in part: (\d+)")


class WrongAnswer(Exception):
    """An answer that no request of ours can have deserved."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request: where to, what, and how many entries of it must be taken and refused."""

    protocol: ProtocolName
    path: str
    headers: Mapping[str, str]
    content: bytes
    good: int
    bad: int


def encode(protocol: ProtocolName, batch: Batch, bad: int, dice: random.Random) -> Body:
    """Write `batch` as a body with `bad` entries among the good ones, gzipped now and then."""
    content, good = _ENCODERS[protocol](batch, bad)
    path, media_type = _PATHS[protocol]
    headers = {"content-type": media_type}
    if dice.random() < GZIP_SHARE:
        content = gzip.compress(content, 1)
        headers["content-encoding"] = "gzip"
    return Body(protocol, path, headers, content, good, bad)


def is_taken(body: Body, status: int, answer: bytes) -> bool:
    """Whether the good readings are acknowledged; if not, they are to be sent again.

    Raises `WrongAnswer` for one that is neither a yes to just the good ones nor "not now".
    """
    if status in {429, 500, 502, 503, 504}:
        return False
    taken, refused = _counted(body, status, answer)
    if (taken, refused) != (body.good, body.bad):
        raise WrongAnswer(
            f"{body.protocol}: {status} {answer[:300]!r} for {body.good} good entries and "
            f"{body.bad} bad ones"
        )
    return True


def _counted(body: Body, status: int, answer: bytes) -> tuple[int, int]:
    """How many entries an answer takes and refuses; (-1, -1) if it says nothing of the kind."""
    match body.protocol, status:
        case "influx", 204:
            return body.good, 0
        case "influx", 400:
            found = _WRITTEN.search(json.loads(answer).get("message", ""))
            return (int(found[1]), int(found[2])) if found else (-1, -1)
        case "otlp", 200:
            return _counted_otlp(body, answer)
        case (("json" | "ndjson" | "senml"), 202):
            document = json.loads(answer)
            return document["accepted"], len(document["rejected"])
    return -1, -1


# ------------------------------------------------------------------ our own protocols


def _json(batch: Batch, bad: int) -> tuple[bytes, int]:
    readings = _native(batch, bad)
    if len(batch) == 1 and not bad:
        [(device_id, own)] = batch
        rows = [{"ts": reading.ts, "metrics": dict(reading.metrics)} for reading in own]
        return json.dumps({"device_id": device_id, "readings": rows}).encode(), len(rows)
    return json.dumps(readings).encode(), len(readings) - bad


def _ndjson(batch: Batch, bad: int) -> tuple[bytes, int]:
    readings = _native(batch, bad)
    return b"\n".join(json.dumps(one).encode() for one in readings), len(readings) - bad


def _native(batch: Batch, bad: int) -> list[dict[str, Any]]:
    readings: list[dict[str, Any]] = [
        {"device_id": device_id, "ts": reading.ts, "metrics": dict(reading.metrics)}
        for device_id, own in batch
        for reading in own
    ]
    for at in range(bad):
        readings.insert(at * 2, {**readings[0], **_SPOILT[at % 2]})
    return readings


# ------------------------------------------------------------------ SenML


def _senml(batch: Batch, bad: int) -> tuple[bytes, int]:
    pack: list[dict[str, Any]] = []
    for device_id, own in batch:
        base = own[0].ts
        pack.append({"bn": device_id, "bt": base / 1000})
        pack += [
            {"n": name, "t": (reading.ts - base) / 1000, "v": value}
            for reading in own
            for name, value in reading.metrics.items()
        ]
    good = len(pack) - len(batch)
    pack += [{"n": "flow", "vs": "much"}] * bad
    return json.dumps(pack).encode(), good


# ------------------------------------------------------------------ line protocol


def _influx(batch: Batch, bad: int) -> tuple[bytes, int]:
    lines = [
        f"soak,device_id={device_id} {_fields(reading)} {reading.ts}"
        for device_id, own in batch
        for reading in own
    ]
    good = len(lines)
    for at in range(bad):
        spoilt = [f'soak,device_id={batch[0][0]} flow="much" 1', "no line of the protocol,"][at % 2]
        lines.insert(at * 2, spoilt)
    return "\n".join(lines).encode(), good


def _fields(reading: Reading) -> str:
    return ",".join(
        f"{name.removeprefix('soak.')}={value!r}" for name, value in reading.metrics.items()
    )


# ------------------------------------------------------------------ OTLP


def _otlp(batch: Batch, bad: int) -> tuple[bytes, int]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    good = 0
    for device_id, own in batch:
        resource = request.resource_metrics.add()
        attribute = resource.resource.attributes.add()
        attribute.key, attribute.value.string_value = "device.id", device_id
        scope = resource.scope_metrics.add()
        for name in own[0].metrics:
            metric = scope.metrics.add()
            metric.name = name
            for reading in own:
                point = metric.gauge.data_points.add()
                point.time_unix_nano = reading.ts * 1_000_000
                point.as_double = reading.metrics[name]
                good += 1
    for _ in range(bad):
        metric = scope.metrics.add()
        metric.name = "latency"
        metric.histogram.data_points.add().time_unix_nano = own[0].ts * 1_000_000
    return request.SerializeToString(), good


def _counted_otlp(body: Body, answer: bytes) -> tuple[int, int]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    response = ExportMetricsServiceResponse.FromString(answer)
    # The protocol tells of those refused alone.
    return body.good, response.partial_success.rejected_data_points


_ENCODERS: Final[Mapping[ProtocolName, Callable[[Batch, int], tuple[bytes, int]]]] = {
    "json": _json,
    "ndjson": _ndjson,
    "senml": _senml,
    "influx": _influx,
    "otlp": _otlp,
}
