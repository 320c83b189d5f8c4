"""What `weir tail` shows: charts of the metrics on a terminal, lines of readings elsewhere."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from weir.controls import DEVICE
from weir_cli import alert_view, chart
from weir_cli.console import put
from weir_cli.tail import News, Tail
from weir_cli.timeline import moment_ms, show_span, show_ts

_HIGHEST: Final = 8
_LEAST: Final = 2
_NAMES: Final = 16
_FIGURES: Final = 44
"""Characters of the names and of the figures beside a row of blocks."""


def put_news(news: News) -> None:
    """Lines on stdout: readings, then the alerts that changed."""
    for ts, metrics in news.readings:
        values = "  ".join(f"{name} {value:.6g}" for name, value in sorted(metrics.items()))
        put(f"{show_ts(ts)}  {values}")
    for before, alert in news.alerts:
        put(alert_view.line(alert, alert_view.news(before, alert)))


def shown(tail: Tail, console: Console) -> RenderableType:
    """The charts as they are now, as high as the terminal has room for."""
    width, height = console.width, console.height
    names = sorted(name for name, known in tail.values.items() if known)
    head = _head(tail, names)
    if not names:
        return head
    room = max(height - 3, 1)
    each = room // len(names) - 2  # a line of figures above, one of marks below
    now = tail.now()
    start = now - tail.window_ms
    parts: list[RenderableType] = [head]
    if each >= _LEAST:
        for name in names:
            parts += _tall(tail, name, start, now, width, min(each, _HIGHEST))
    else:
        for name in names[:room]:
            parts.append(_flat(tail, name, start, now, width))
        if len(names) > room:
            parts.append(Text(f"and {len(names) - room} more: choose with --metric", "dim"))
    return Group(*parts)


def waiting(tail: Tail) -> str:
    """Why there is nothing to show: none ever came, or none lately."""
    if tail.newest is None:
        return f"no reading of {tail.device_id} has come yet; waiting"
    lately = show_span(tail.window_ms / 1000)
    which = ", ".join(tail.metrics) or "reading"
    return f"no {which} in the last {lately}, the last reading {show_ts(tail.newest)}; waiting"


def _head(tail: Tail, names: list[str]) -> Text:
    newest = max((max(tail.values[name]) for name in names), default=None)
    still_open = sum(alert["state"] == "OPEN" for alert in tail.alerts)
    heard = waiting(tail) if newest is None else f"last reading {show_ts(newest)}"
    alerts = f"; {still_open} open alerts" if still_open else ""
    return Text.assemble((tail.device_id, "bold"), f"  {heard}{alerts}")


def _tall(
    tail: Tail, name: str, start: int, end: int, width: int, height: int
) -> Iterator[RenderableType]:
    points = sorted(tail.values[name].items())
    band = tail.bands.get(name)
    frame = chart.frame_of(points, start, end, (width, height), band)
    alarmed = list(_alarmed(tail, name, start, end))
    yield Text.assemble((name, "bold"), "  ", _figures(points))
    yield from chart.lines(frame, points, band, alarmed)
    yield chart.marks(frame, alarmed) or Text("")


def _flat(tail: Tail, name: str, start: int, end: int, width: int) -> Text:
    points = sorted(tail.values[name].items())
    figures = _figures(points)
    frame = chart.frame_of(points, start, end, (max(width - _NAMES - _FIGURES - 3, 8), 1))
    open_now = any(last == end for _, last in _alarmed(tail, name, start, end))
    return Text.assemble(
        (f"{name[:_NAMES]:<{_NAMES}} ", "bold"),
        (chart.spark(frame, points), chart.ALARMED if open_now else chart.LINE),
        f" {'▲' if open_now else ' '}{figures}",
    )


def _figures(points: list[tuple[int, float]]) -> str:
    values = [value for _, value in points]
    return f"{values[-1]:.5g}  min {min(values):.5g}  max {max(values):.5g}"


def _alarmed(tail: Tail, name: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """From when to when alerts of the metric, or of the device, were open, within the window."""
    for alert in tail.alerts:
        if alert["metric"] not in {name, DEVICE}:
            continue
        ended = alert["ended_at"]
        last = end if alert["state"] == "OPEN" or ended is None else moment_ms(ended)
        if last >= start:
            yield moment_ms(alert["onset"]), last
