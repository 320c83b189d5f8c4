"""The OpenTelemetry SDK's own exporter, as a device would use it, for tests to send with."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

type Value = tuple[int, str, float]  # time in milliseconds, metric, value


class Exporter(OTLPMetricExporter):
    """The exporter; it remembers what it sent, how that went, and what was answered."""

    def __init__(self, endpoint: str, device_key: str, compression: Compression) -> None:
        session = requests.Session()
        session.trust_env = False  # no proxy stands before the loopback
        session.hooks["response"].append(self._remember)
        super().__init__(
            endpoint=endpoint,
            headers={"Authorization": f"Bearer {device_key}"},
            compression=compression,
            session=session,
            timeout=40,
        )
        self.sent: list[MetricsData] = []
        self.results: list[MetricExportResult] = []
        self.replies: list[tuple[int, str, bytes]] = []

    def _remember(self, response: Any, **_: Any) -> None:
        media_type = response.headers.get("content-type", "")
        self.replies.append((response.status_code, media_type, response.content))

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self.sent.append(metrics_data)
        self.results.append(result)
        return result

    @property
    def values(self) -> Counter[Value]:
        """What was sent as gauges and sums: time, name with attributes, value."""
        return Counter(
            (point.time_unix_nano // 1_000_000, _series(metric.name, point), float(point.value))
            for data in self.sent
            for of_resource in data.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint)
        )


def _series(name: str, point: NumberDataPoint) -> str:
    """As the tests' own attributes are written: strings with a comma, whole numbers, True."""
    written = {key: str(value) for key, value in (point.attributes or {}).items()}
    plain = {key: text.replace(",", r"\,").replace("True", "true") for key, text in written.items()}
    attributes = ",".join(f"{key}={plain[key]}" for key in sorted(plain))
    return f"{name}{{{attributes}}}" if attributes else name


class Pumps:
    """An instrumented program: what it measures, `measure` by `measure`."""

    def __init__(self, meter: Meter, *, with_histogram: bool) -> None:
        self._starts = meter.create_counter("pump.starts", unit="1")
        self._waiting = meter.create_up_down_counter("jobs.waiting")
        self._flow = meter.create_gauge("flow", unit="l/s")
        self._latency = meter.create_histogram("latency") if with_histogram else None
        meter.create_observable_gauge("temperature", [self._temperatures])
        meter.create_observable_counter("energy", [lambda _: [Observation(1 << 60)]])
        self._measured = 0

    def _temperatures(self, _: CallbackOptions) -> Iterator[Observation]:
        for phase in (1, 2):
            yield Observation(48.7 + self._measured / 3, {"motor": "m,1", "phase": phase})

    def measure(self) -> None:
        self._measured += 1
        self._starts.add(3, {"line": "north"})
        self._starts.add(self._measured, {"line": "south", "manual": True})
        self._waiting.add(-2)
        self._flow.set(0.1 + 0.2 * self._measured)
        if self._latency is not None:
            self._latency.record(1.5)


@contextmanager
def exporting(
    exporter: Exporter, *, with_histogram: bool = False, **resource: str
) -> Iterator[Callable[[], None]]:
    """A program whose metrics `exporter` sends; each call of what is given measures and sends.

    `__` in a resource attribute's name stands for a dot.
    """
    # Without an interval nothing is sent but by force_flush, on this thread.
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    named = {name.replace("__", "."): value for name, value in resource.items()}
    provider = MeterProvider([reader], Resource.create(named), shutdown_on_exit=False)
    pumps = Pumps(provider.get_meter("pumps"), with_histogram=with_histogram)

    def export() -> None:
        pumps.measure()
        provider.force_flush()

    try:
        yield export
    finally:
        provider.shutdown()
