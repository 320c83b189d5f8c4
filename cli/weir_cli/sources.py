"""Files of readings, row by row: CSV (`csv_source`) and newline-delimited JSON.

A source gives, for each row in the file's order, a `Reading`, or an `Unreadable` that says why
not. Times are not judged here: the server knows which it takes.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from weir.readings import (
    InvalidReading,
    Reading,
    Window,
    check_device_id,
    check_metrics,
    check_tags,
    check_ts,
)
from weir_cli.csv_source import CsvOptions, read_csv
from weir_cli.rows import Item, Row, Unreadable

STDIN: Final = "-"
_ALWAYS: Final = Window(-(1 << 62), 1 << 62)
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._:-]+")


class Source(Protocol):
    """Rows that can be read more than once."""

    def __iter__(self) -> Iterator[Item]:
        """The rows, in the file's order."""
        ...


def device_id_of(name: str) -> str:
    """A valid device id made of a file's name.

    >>> device_id_of("cpu usage (5 min)")
    'cpu-usage-5-min'
    """
    return _FOREIGN.sub("-", name).strip("-")[:128] or "device"


def open_source(file: str, device_id: str | None, options: CsvOptions) -> Source:
    """The rows of `file`, or of stdin for `-`.

    `device_id` is the device of the rows that name none; without it, the file's stem. Raises
    `ValueError` if the file is empty or its header cannot be read, and `OSError`.
    """
    if device_id is not None:
        _check(device_id)
    if file == STDIN:
        return list(read_ndjson(sys.stdin, device_id))  # a pipe can be read only once
    path = Path(file)
    return FileSource(path, device_id or device_id_of(path.stem), options)


def _check(device_id: str) -> None:
    try:
        check_device_id(device_id)
    except InvalidReading as error:
        raise ValueError(error.detail) from error


@dataclass(frozen=True, slots=True)
class FileSource:
    """The rows of a file, read anew each time."""

    path: Path
    device_id: str
    options: CsvOptions

    def __iter__(self) -> Iterator[Item]:
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            first = text.readline()
            while first and not first.strip():
                first = text.readline()
            text.seek(0)
            if first.lstrip().startswith("{"):
                yield from read_ndjson(text, self.device_id)
            else:
                yield from read_csv(text, self.device_id, self.options)


def read_ndjson(lines: Iterable[str], device_id: str | None) -> Iterator[Item]:
    """Read one native reading a line; blank lines do not count.

    `device_id` is the device of the readings that name none.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Row(number, _native(line, device_id))
            except InvalidReading as error:
                yield Unreadable(number, error.detail)


def _native(line: str, device_id: str | None) -> Reading:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidReading("malformed_json", f"the line is not JSON: {error}") from error
    if not isinstance(item, dict):
        raise InvalidReading("wrong_type", "the line is no JSON object")
    for field in ("ts", "metrics"):
        if field not in item:
            raise InvalidReading("missing_field", f"{field} is missing")
    named = item.get("device_id", device_id)
    if named is None:
        raise InvalidReading("missing_field", "device_id is missing; --device names one for all")
    return Reading(
        check_device_id(named),
        check_ts(item["ts"], _ALWAYS),
        check_metrics(item["metrics"]),
        check_tags(item.get("tags")),
    )


@dataclass(frozen=True, slots=True)
class Survey:
    """How many rows a source has, and the time of its newest reading."""

    rows: int
    newest: int | None


def survey(source: Source) -> Survey:
    """Go through the rows once, before anything is sent."""
    rows, newest = 0, None
    for item in source:
        rows += 1
        if isinstance(item, Row) and (newest is None or item.reading.ts > newest):
            newest = item.reading.ts
    return Survey(rows, newest)


def shifted(source: Iterable[Item], shift: int) -> Iterator[Item]:
    """The rows with all times moved by `shift` milliseconds.

    Times are whole milliseconds before and after: equal times stay equal, distances exact.
    """
    for item in source:
        if isinstance(item, Row) and shift:
            old = item.reading
            yield Row(item.line, Reading(old.device_id, old.ts + shift, old.metrics, old.tags))
        else:
            yield item
