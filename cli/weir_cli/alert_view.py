"""Alerts as lines, as JSON, and as a table."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from weir.alerts.alert import Alert
from weir.readings import format_ts
from weir_cli.timeline import show_ts

_STYLES = {"OPEN": "bold red", "CLEARED": "green"}


def line(alert: Alert) -> str:
    """One line: device, metric, onset, severity, why it opened, and the end if it has ended."""
    ended = "" if alert.ended_at is None else f"  ended {show_ts(alert.ended_at)}"
    return (
        f"{alert.state:<7}  {alert.device_id}  {alert.metric}  {show_ts(alert.onset)}  "
        f"{alert.severity:<8}  {alert.because}{ended}"
    )


def document(alert: Alert) -> dict[str, Any]:
    """An alert as JSON."""
    return {
        "device_id": alert.device_id,
        "metric": alert.metric,
        "onset": format_ts(alert.onset),
        "state": alert.state,
        "severity": alert.severity,
        "because": alert.because,
        "value": alert.value,
        "expected": alert.expected,
        "expected_low": alert.low,
        "expected_high": alert.high,
        "score": alert.score,
        "peak": alert.peak,
        "peak_at": format_ts(alert.peak_ts),
        "ended_at": None if alert.ended_at is None else format_ts(alert.ended_at),
    }


def table(alerts: Iterable[Alert]) -> Table:
    """A row for each alert."""
    shown = Table("device", "metric", "onset", "state", box=None, header_style="bold")
    shown.add_column("severity")
    shown.add_column("because")
    shown.add_column("ended")
    for alert in alerts:
        shown.add_row(
            alert.device_id,
            Text(alert.metric),
            show_ts(alert.onset),
            Text(alert.state, _STYLES[alert.state]),
            alert.severity,
            alert.because,
            "" if alert.ended_at is None else show_ts(alert.ended_at),
        )
    return shown
