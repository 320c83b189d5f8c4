"""One device, followed: what it measured lately, then what is new from look to look.

A look asks for the newest chunk alone, and the answer is empty while that is the same.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from weir.controls import DEVICE
from weir.readings import format_ts
from weir_cli.alert_watch import Wanted, Watch
from weir_cli.api_client import Api, ApiProblem, Document, Query
from weir_cli.api_transport import Call
from weir_cli.chart import Band
from weir_cli.timeline import moment_ms, now_ms

POLL_S: Final = 1.0
_AHEAD_MS: Final = 600_000
"""Clocks of devices may run ahead by so much."""
_OVERLAP_MS: Final = 60_000
"""Metrics may come in requests of their own, each a little later than another."""
_ALERTS_EVERY_S: Final = 2.0
_BAND_EVERY_S: Final = 20.0
_MOST_BANDS: Final = 8
"""What was expected is worked out anew by the API for each metric: not for a wall of them."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new: readings in the order of their times, and alerts with what they were before."""

    readings: Sequence[tuple[int, Mapping[str, float]]] = ()
    alerts: Sequence[tuple[Document | None, Document]] = ()


@dataclass
class Tail:
    """Follows a device, all its metrics or some, and remembers the last `window_ms`.

    Attributes
    ----------
    values
        Of each metric, the values by their times (epoch ms).
    newest
        The time (epoch ms) of the newest reading that the device ever sent; None without any.
    """

    api: Api
    device_id: str
    metrics: Sequence[str] = ()
    window_ms: int = 600_000
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], int] = now_ms
    values: dict[str, dict[int, float]] = field(default_factory=dict, init=False)
    bands: dict[str, Band] = field(default_factory=dict, init=False)
    newest: int | None = field(default=None, init=False)
    _etag: str | None = field(default=None, init=False)
    _alerts_at: float = field(default=float("-inf"), init=False)
    _asked_at: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        since = self.now() - self.window_ms
        wanted = Wanted(device_id=self.device_id, since=since)
        self._watch = Watch(
            self.api, wanted, lately_ms=self.window_ms, cleared_every_s=0, now=self.now
        )

    def look(self) -> News:
        """What came since the last look; at the first, all of the window."""
        newest, etag = self.api.latest(self.device_id, self._etag)
        readings: Sequence[tuple[int, Mapping[str, float]]] = []
        if newest is not None and newest["at"] is not None:
            self.newest = moment_ms(newest["at"])
            readings = self._readings()
        self._etag = etag
        self._forget()
        return News(readings, self._changed_alerts())

    @property
    def alerts(self) -> list[Document]:
        """The alerts of what is followed."""
        return [alert for alert in self._watch.known.values() if self._is_of(alert)]

    def refresh_band(self, buckets: int) -> None:
        """Ask what had been expected of one metric, if there are few: that asked about longest ago.

        Each has its turn now and then, so that no look takes long.
        """
        if not 0 < len(self.values) <= _MOST_BANDS:
            return
        metric = min(self.values, key=lambda name: self._asked_at.get(name, float("-inf")))
        if self.clock() - self._asked_at.get(metric, float("-inf")) < _BAND_EVERY_S:
            return
        self._asked_at[metric] = self.clock()
        end = self.now()
        query = [
            ("metric", metric),
            ("from", format_ts(end - self.window_ms)),
            ("to", format_ts(end)),
            ("buckets", str(buckets)),
        ]
        band = self._band(query)
        if band is not None:
            self.bands[metric] = band

    # ------------------------------------------------------------------ inside

    def _readings(self) -> list[tuple[int, Mapping[str, float]]]:
        """The readings that are not known yet."""
        fresh: list[tuple[int, Mapping[str, float]]] = []
        for reading in self.api.readings(
            self.device_id, self._from(), self.now() + _AHEAD_MS, self.metrics
        ):
            ts = moment_ms(reading["ts"])
            new = {
                name: value
                for name, value in reading["metrics"].items()
                if ts not in self.values.setdefault(name, {})
            }
            for name, value in new.items():
                self.values[name][ts] = value
            if new:
                fresh.append((ts, new))
        return fresh

    def _from(self) -> int:
        start = self.now() - self.window_ms
        newest = max((max(known) for known in self.values.values() if known), default=None)
        return start if newest is None else max(start, newest - _OVERLAP_MS)

    def _forget(self) -> None:
        oldest = self.now() - self.window_ms
        for known in self.values.values():
            for ts in [ts for ts in known if ts < oldest]:
                del known[ts]

    def _changed_alerts(self) -> Sequence[tuple[Document | None, Document]]:
        if self.clock() - self._alerts_at < _ALERTS_EVERY_S:
            return []
        self._alerts_at = self.clock()
        return [pair for pair in self._watch.look() if self._is_of(pair[1])]

    def _is_of(self, alert: Document) -> bool:
        return not self.metrics or alert["metric"] in {*self.metrics, DEVICE}

    def _band(self, query: Query) -> Band | None:
        path = {"device_id": self.device_id}
        try:
            found: Any = self.api.ask(Call("GET", "/v1/devices/{device_id}/expected", path, query))
        except ApiProblem:  # a chart without its band is a chart all the same
            return None
        return Band(found["ts"], found["low"], found["high"])
