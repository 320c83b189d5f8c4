"""Alerts of the API as lines, as a table, and one in full."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from weir_cli.api_client import Document
from weir_cli.timeline import moment_ms, now_ms, show_time, show_ts

_STYLES: Final = {"OPEN": "bold red", "CLEARED": "green"}
_SEVERITIES: Final = {"critical": "bold red", "major": "yellow", "minor": ""}
_VERDICTS: Final = {"true": "right", "false": "false", "benign": "benign"}


def line(alert: Document, news: str = "") -> str:
    """One line: device, metric, onset, severity, why it opened, what else there is, and `news`."""
    parts = (
        f"{alert['state']:<7}",
        alert["device_id"],
        alert["metric"],
        show_time(alert["onset"]),
        f"{alert['severity']:<8}",
        alert["because"],
        *notes(alert),
    )
    return "  ".join(parts) + (f"  [{news}]" if news else "")


def notes(alert: Document, time: Callable[[str], str] = show_time) -> Iterator[str]:
    """What became of it: its end, and what people did; `time` writes the API's times."""
    if alert["ended_at"] is not None:
        yield f"ended {time(alert['ended_at'])}"
    if alert["withdrawn"]:
        yield "withdrawn"
    if alert["acknowledged"]:
        yield f"acknowledged by {alert['acknowledged_by']}"
    if is_snoozed(alert):
        yield f"snoozed until {time(alert['snoozed_until'])}"
    if alert["feedback"] is not None:
        yield f"said to be {_VERDICTS[alert['feedback']['verdict']]}"


def is_snoozed(alert: Document) -> bool:
    """Whether nobody is told of it now, by its own snooze."""
    until = alert["snoozed_until"]
    return until is not None and moment_ms(until) > now_ms()


def news(before: Document | None, after: Document) -> str:
    """What changed from one look to the next, in words; "" for nothing that matters."""
    if before is None:
        return ""
    changes = []
    if before["state"] != after["state"]:
        cleared = "withdrawn" if after["withdrawn"] else "cleared"
        changes.append("reopened" if after["state"] == "OPEN" else cleared)
    if before["severity"] != after["severity"]:
        changes.append(f"{before['severity']} before")
    if before["acknowledged"] != after["acknowledged"]:
        changes.append("acknowledged" if after["acknowledged"] else "not acknowledged any more")
    if before["snoozed_until"] != after["snoozed_until"]:
        changes.append("snoozed" if after["snoozed_until"] else "snoozed no more")
    if before["feedback"] != after["feedback"]:
        changes.append("feedback")
    return ", ".join(changes)


def table(alerts: Iterable[Document], *, ids: bool = False) -> Table:
    """A row for each alert; with `ids`, how `weir ack` and others name it.

    Of today there is the time of day, of other days the date and the minute.
    """
    shown = Table(box=None, header_style="bold")
    if ids:
        shown.add_column("alert", overflow="fold")
    else:
        shown.add_column("device")
    for heading in ("metric", "onset (UTC)", "state", "severity", "because", "what became of it"):
        shown.add_column(heading, no_wrap=heading == "onset (UTC)")
    today = show_ts(now_ms())[:10]

    def brief(text: str) -> str:
        return text[11:19] if text.startswith(today) else f"{text[:10]} {text[11:16]}"

    for alert in alerts:
        shown.add_row(
            Text(alert["alert_id" if ids else "device_id"]),
            Text(alert["metric"]),
            brief(alert["onset"]),
            Text(alert["state"], _STYLES[alert["state"]]),
            Text(alert["severity"], _SEVERITIES[alert["severity"]]),
            Text(alert["because"]),
            Text(", ".join(notes(alert, brief))),
        )
    return shown


def detail(alert: Document) -> Iterator[str]:
    """An alert in full, a fact a line, and then its history."""
    whole = "the device as a whole" if alert["metric"] == "*" else alert["metric"]
    about = "silence" if alert["kind"] == "silence" else whole
    yield f"{alert['device_id']}, {about}: {alert['state']}, {alert['severity']}"
    if alert["because"]:
        yield alert["because"]
    yield ""
    yield f"onset         {show_time(alert['onset'])}"
    yield f"last seen     {show_time(alert['last_seen'])}, {alert['count']:,} readings"
    if alert["kind"] == "anomaly":
        yield f"score         {alert['score']:.3g}"
        yield f"peak          {alert['peak']:.3g} at {show_time(alert['peak_at'])}"
    if alert["value"] is not None:
        low, high = alert["expected_low"], alert["expected_high"]
        between = "" if low is None else f", from {low:.6g} to {high:.6g}"
        yield f"value         {alert['value']:.6g}"
        yield f"expected      {alert['expected']:.6g}{between}"
    if alert["ended_at"] is not None:
        ended = "withdrawn" if alert["withdrawn"] else "ended"
        yield f"{ended:<14}{show_time(alert['ended_at'])}"
    if alert["acknowledged"]:
        when = (
            "" if alert["acknowledged_at"] is None else f", {show_time(alert['acknowledged_at'])}"
        )
        yield f"acknowledged  {alert['acknowledged_by']}{when}"
    if is_snoozed(alert):
        yield f"snoozed until {show_time(alert['snoozed_until'])}"
    feedback = alert["feedback"]
    if feedback is not None:
        note = f": {feedback['note']}" if feedback["note"] else ""
        yield f"feedback      {_VERDICTS[feedback['verdict']]}, {feedback['by']}{note}"
    yield f"id            {alert['alert_id']}"
    yield ""
    for entry in alert["history"]:
        by = f"  {entry['by']}" if entry["by"] else ""
        note = f": {entry['note']}" if entry["note"] else ""
        kind = entry["kind"].replace("_", " ")
        yield f"{show_time(entry['at'])}  {kind:<12}  {entry['severity']:<8}{by}{note}"
