"""What it costs to know who is at the door, and to read and pack what they bring.

For the native protocol the cost of authorisation, parsing and packing is held to what parsing and
packing alone cost before there were keys. Both are counted in `orjson.loads` of the same body, so
that the figure does not depend on the machine. API Gateway keeps the authorizer's answers, so most
requests don't pay for it at all; here each one does.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import orjson
from tests.handlers import Context, load_handler

from benchmarks.figures import Figure, Findings, at_most
from benchmarks.rounds import in_turn
from benchmarks.sample import DEVICE, METRICS, READINGS, as_in_lambda, readings
from weir.chunks import pack, pack_records
from weir.identity import NewKey, Scope
from weir.key_memory import KeyMemory
from weir.protocols.doors import INFLUX, OTLP, adapter_of
from weir.protocols.doors import READINGS as OWN
from weir.protocols.interface import Request
from weir.readings import Window

BEFORE = 4.30
"""Parsing and packing the body, in `orjson.loads` of it, at the last commit without device keys
(f1167ed; the median of 4.27, 4.30 and 4.33)."""

TARGET = 1.5
SCOPE = Scope(device_id=DEVICE)


def run() -> Findings:
    """Measure authorisation, parsing and packing, and each protocol beside the native one."""
    with as_in_lambda():
        authorize = _authorization()
        bodies = _bodies()
        ways: dict[str, Callable[[], object]] = {
            name: _parse_and_pack(route, media, body)
            for name, (route, media, body) in bodies.items()
        }
        native = ways["native"]
        sent = bodies["native"][2]

        def door() -> None:
            authorize()
            native()

        timings = in_turn({"door": door, "floor": lambda: orjson.loads(sent), **ways}, rounds=15)
    over_before = timings.ratio("door", "floor") / BEFORE
    us = {name: timings.seconds(name) * 1e6 for name in timings.rounds}
    figures = [
        Figure(
            "authorise, parse and pack 100 readings",
            f"{us['door']:.0f} µs",
            f"{BEFORE * us['floor']:.0f} µs",
            "parsing and packing before there were keys",
            *at_most(over_before, TARGET),
        )
    ]
    numbers = {"front_door_over_before": over_before}
    for name, label in (("senml", "SenML"), ("influx", "InfluxDB lines"), ("otlp", "OTLP")):
        ratio = timings.ratio(name, "native")
        figures.append(
            Figure(
                f"parse and pack the same as {label}",
                f"{us[name]:.0f} µs",
                f"{us['native']:.0f} µs",
                "native JSON",
                f"{ratio:.2f}",
            )
        )
        numbers[f"{name}_over_native"] = ratio
    return Findings(figures, numbers)


def _authorization() -> Callable[[], object]:
    app: Any = load_handler("authorize")
    new = NewKey.make(SCOPE, 0)
    app.keys = KeyMemory(lambda _: new.key, 1e9)
    event = {
        "headers": {"authorization": f"Bearer {new.secret}"},
        "requestContext": {"requestId": "request"},
    }
    context = Context()
    assert app.lambda_handler(event, context)["isAuthorized"]
    return lambda: app.lambda_handler(event, context)


def _parse_and_pack(route: str, media: str, body: bytes) -> Callable[[], object]:
    adapter = adapter_of(route, media)
    now_ms = time.time_ns() // 1_000_000
    window = Window.around(now_ms, past_ms=7 * 86_400_000, future_ms=600_000)
    request = Request(body, media, {"precision": "ms"}, now_ms, window, SCOPE)

    def work() -> None:
        chunks = pack(adapter.parse(request).readings)
        for chunk in chunks:
            chunk.body  # noqa: B018 - deflates
        pack_records(chunks)

    parsed = adapter.parse(request)
    assert not parsed.rejected, parsed.rejected[0]
    assert len(parsed.readings) == READINGS
    return work


def _bodies() -> dict[str, tuple[str, str, bytes]]:
    """The same 100 readings of 5 metrics in each protocol: route, media type and body."""
    sample = readings()
    epoch_ms = [reading["ts"] for reading in readings(rfc3339=False)]
    senml = [
        {
            **({"bn": f"{DEVICE}:", "bt": ts / 1000} if place == 0 else {}),
            "n": name,
            "v": reading["metrics"][name],
        }
        for ts, reading in zip(epoch_ms, sample, strict=True)
        for place, name in enumerate(METRICS)
    ]
    lines = [
        f"pump,device_id={DEVICE} "
        + ",".join(f"{name}={value}" for name, value in reading["metrics"].items())
        + f" {ts}"
        for ts, reading in zip(epoch_ms, sample, strict=True)
    ]
    return {
        "native": (OWN, "application/json", json.dumps(sample).encode()),
        "senml": (OWN, "application/senml+json", json.dumps(senml).encode()),
        "influx": (INFLUX, "text/plain", "\n".join(lines).encode()),
        "otlp": (OTLP, "application/x-protobuf", _otlp(epoch_ms, sample)),
    }


def _otlp(epoch_ms: list[int], sample: list[dict[str, Any]]) -> bytes:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    attribute = resource.resource.attributes.add(key="device.id")
    attribute.value.string_value = DEVICE
    scope = resource.scope_metrics.add()
    for name in METRICS:
        points = scope.metrics.add(name=name).gauge.data_points
        for ts, reading in zip(epoch_ms, sample, strict=True):
            points.add(time_unix_nano=ts * 1_000_000, as_double=reading["metrics"][name])
    serialized: bytes = request.SerializeToString()
    return serialized
