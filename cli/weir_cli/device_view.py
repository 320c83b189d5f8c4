"""Devices of the API as a table, and one in full."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from weir_cli.api_client import Document
from weir_cli.timeline import show_span, show_time, show_ts

_STYLES: Final = {"silent": "bold yellow", "alerting": "bold red", "reporting": "green"}


def table(devices: Iterable[Document]) -> Table:
    """A row for each device; its times are those of its checkpoint, so that they are marked ~."""
    shown = Table("device", "state", "~ last reading", "~ last heard", box=None,
                  header_style="bold")  # fmt: skip
    for heading in ("every", "scored", "open alerts"):
        shown.add_column(heading, justify="right")
    shown.add_column("worst")
    for device in devices:
        shown.add_row(
            Text(device["device_id"]),
            Text(device["state"], _STYLES.get(device["state"], "")),
            _time(device["last_reading"]),
            _time(device["last_heard"]),
            _cadence(device),
            f"{device['scored']:,}",
            str(device["open_alerts"] or ""),
            device["worst_severity"] or "",
        )
    return shown


def detail(device: Document) -> Iterator[str]:
    """A device, a fact a line."""
    yield f"{device['device_id']}: {device['state']}"
    if device["silent_since"] is not None:
        yield f"silent since  {show_time(device['silent_since'])}"
    yield f"last reading  {_time(device['last_reading']) or 'none'}"
    yield f"last heard    {_time(device['last_heard']) or 'never'}"
    if device["cadence_s"] is not None:
        yield f"every         {_cadence(device)}"
    worst = f", the worst {device['worst_severity']}" if device["worst_severity"] else ""
    yield f"open alerts   {device['open_alerts']}{worst}"
    yield f"scored        {device['scored']:,} values"
    yield ""


def metrics(device: Document, latest: Document) -> Table:
    """A row for each metric: its newest value, and how much of it was scored."""
    shown = Table("metric", "time", box=None, header_style="bold")
    for heading in ("value", "scored"):
        shown.add_column(heading, justify="right")
    scored = {entry["metric"]: entry for entry in device["metrics"]}
    values = latest["values"]
    for name in sorted({*scored, *values}):
        value = values.get(name)
        shown.add_row(
            Text(name),
            _time(value["ts"] if value else scored[name]["last_scored"]),
            f"{value['value']:.6g}" if value else "",
            f"{scored[name]['scored']:,}" if name in scored else "",
        )
    return shown


def controls(found: Document) -> Iterator[str]:
    """What is set for the device and its metrics, a line each."""
    for name, control in (("", found["control"]), *sorted(found["metrics"].items())):
        if any(value is not None for value in control.values()):
            yield f"set for {name or 'all its metrics'}: {settings(control)}"


def settings(control: Document) -> str:
    """A control's fields in words."""
    texts = []
    for name, value in control.items():
        if value is None:
            continue
        shown = show_ts(value) if name == "snoozed_until" and isinstance(value, int) else value
        texts.append(f"{name} {shown}")
    return ", ".join(texts)


def _time(text: str | None) -> str:
    return "" if text is None else show_time(text)


def _cadence(device: Document) -> str:
    cadence = device["cadence_s"]
    return "" if cadence is None else show_span(cadence)
