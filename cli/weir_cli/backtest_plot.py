"""A picture of one scored series: values within their expected band, scores, alerts, labels."""

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from weir.alerts.alarm import Cleared, Fact, Opened, Reopened
from weir.detection import Detector
from weir.detection.surprise import threshold_of
from weir.scoring.alarms import DEFAULT_RULES
from weir_cli.backtest_files import Window
from weir_cli.errors import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY_MS: Final = 86_400_000.0
_INK, _BAND, _SCORE, _ALERT, _LABEL = "#1b3a57", "#7fa8c9", "#3c3c3c", "#c62828", "#f2b632"


class _Expected(Protocol):
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Trace:
    """What a picture needs of each row: some 40 bytes, unlike the scores kept until the end."""

    def __init__(self, detector: Detector[Any]) -> None:
        # A detector that gives no reasons has no band to draw.
        self._explain: Callable[[Any, int, float], _Expected] | None = getattr(
            detector, "explain", None
        )
        self.days = array("d")
        self.values = array("d")
        self.scores = array("d")
        self.low = array("d")
        self.high = array("d")
        self.alerts: list[tuple[float, float | None]] = []
        """Onset and end of each alert, in days; no end while it is open."""

    def scored(self, state: Any, ts: int, value: float, score: float) -> None:
        """Keep a row."""
        self.days.append(ts / _DAY_MS)
        self.values.append(value)
        self.scores.append(score)
        if self._explain is not None:
            expected = self._explain(state, ts, value)
            self.low.append(expected.low)
            self.high.append(expected.high)

    def alerted(self, fact: Fact) -> None:
        """Keep the beginning or the end of an alert; a reopening is drawn as a beginning."""
        if isinstance(fact, Opened | Reopened):
            self.alerts.append((fact.at / _DAY_MS, None))
        elif isinstance(fact, Cleared):
            self.alerts[-1] = (self.alerts[-1][0], fact.ended_at / _DAY_MS)


def require_matplotlib() -> None:
    """Raise `Problem` if no picture can be drawn; asked before the work begins."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise Problem("--png needs matplotlib: pip install matplotlib.") from error


def draw(trace: Trace, title: str, windows: Sequence[Window], target: Path) -> None:
    """Write the picture of `trace` to `target`."""
    # A figure without pyplot has no window and no global state: it is drawn by Agg.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 7), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in (above, below):
        _mark(axes, trace, windows)
    if trace.low:
        above.fill_between(
            trace.days, trace.low, trace.high, color=_BAND, alpha=0.35, lw=0, label="expected"
        )
        _keep_in_view(above, trace)
    above.plot(trace.days, trace.values, color=_INK, lw=0.8, label="value")
    below.plot(trace.days, trace.scores, color=_SCORE, lw=0.7)
    below.axhline(threshold_of(DEFAULT_RULES.false_alerts_per_week), color=_ALERT, lw=0.6, ls=":")
    below.set(ylim=(-0.02, 1.02), ylabel="score")
    above.set(title=f"{title}: {len(trace.alerts)} alerts", ylabel="value")
    above.legend(loc="upper left", framealpha=0.8)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    figure.savefig(target, dpi=110)


def _mark(axes: "Axes", trace: Trace, windows: Sequence[Window]) -> None:
    label = "labelled"
    for first, last in windows:
        axes.axvspan(first / _DAY_MS, last / _DAY_MS, color=_LABEL, alpha=0.3, lw=0, label=label)
        label = "_"  # named once
    label = "alert"
    for onset, end in trace.alerts:
        axes.axvline(onset, color=_ALERT, lw=0.9, label=label)
        axes.axvspan(onset, trace.days[-1] if end is None else end, color=_ALERT, alpha=0.12, lw=0)
        label = "_"


def _keep_in_view(axes: "Axes", trace: Trace) -> None:
    """Show the values: a band that is still wide open must not flatten them."""
    low, high = min(trace.values), max(trace.values)
    margin = 0.15 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
