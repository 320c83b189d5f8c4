"""Readings on stdout: as JSON lines, as CSV, or as a table."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from weir.chunks import StoredChunk
from weir.readings import Reading, format_ts
from weir_cli.console import put, table_console
from weir_cli.merge import latest
from weir_cli.timeline import show_ts


def show_json(readings: Iterable[Reading]) -> int:
    """One native reading a line, so that `weir send -` takes them back; return how many."""
    shown = 0
    for reading in readings:
        document: dict[str, Any] = {
            "device_id": reading.device_id,
            "ts": format_ts(reading.ts),
            "metrics": dict(sorted(reading.metrics.items())),
        }
        if reading.tags:
            document["tags"] = dict(reading.tags)
        put(json.dumps(document, ensure_ascii=False))
        shown += 1
    return shown


def show_csv(readings: Iterable[Reading]) -> int:
    """A header and a row for each reading; return how many."""
    rows = list(readings)
    names = _names(rows)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["ts", "device_id", *names])
    for row in rows:
        values = [row.metrics.get(name, "") for name in names]
        writer.writerow([format_ts(row.ts), row.device_id, *values])
    return len(rows)


def show_table(readings: Iterable[Reading]) -> int:
    """A table with a column for each metric; return how many rows it has."""
    rows = list(readings)
    if not rows:
        return 0
    names = _names(rows)
    table = Table("time", box=None, header_style="bold")
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(show_ts(row.ts), *(_value(row.metrics.get(name)) for name in names))
    table_console().print(table)
    return len(rows)


def show_latest(
    chunk: StoredChunk, metrics: Sequence[str] | None, *, as_json: bool, as_csv: bool
) -> None:
    """For each metric of a device's newest chunk, its newest value and the time of it."""
    found = {
        name: entry
        for name, entry in sorted(latest(chunk).items())
        if not metrics or name in metrics
    }
    if as_json:
        values = {
            name: {"ts": format_ts(ts), "value": value} for name, (ts, value) in found.items()
        }
        put(json.dumps({"device_id": chunk.document.device_id, "latest": values}))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["metric", "ts", "value"])
        writer.writerows([name, format_ts(ts), value] for name, (ts, value) in found.items())
    else:
        table = Table("metric", "time", box=None, header_style="bold")
        table.add_column("value", justify="right")
        for name, (ts, value) in found.items():
            table.add_row(name, show_ts(ts), _value(value))
        table_console().print(table)


def _names(rows: Iterable[Reading]) -> list[str]:
    return sorted({name for row in rows for name in row.metrics})


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
