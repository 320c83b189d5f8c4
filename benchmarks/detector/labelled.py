"""Labelled series on disk: NAB's files, its windows, and stored results of detectors.

The layout is NAB's: `<category>/<name>.csv` with the columns timestamp and value, and a JSON
document of windows, `{"<category>/<name>.csv": [[first, last], ...]}`, whose ends are rows' times.
Times without an offset are UTC.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Series:
    """One labelled file: epoch ms, values, and the first and last row of each window."""

    name: str
    times: tuple[int, ...]
    values: tuple[float, ...]
    windows: tuple[tuple[int, int], ...]

    @property
    def category(self) -> str:
        """The folder that the file lies in."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What a detector once gave for one labelled file."""

    name: str
    scores: tuple[float, ...]
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """The windows of each file, by their first and last times in epoch ms."""

    windows: Mapping[str, Sequence[tuple[int, int]]]

    @classmethod
    def read(cls, path: Path) -> "Labels":
        """Read a document of windows."""
        document: dict[str, list[tuple[str, str]]] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            {
                name: [(epoch_ms(first), epoch_ms(last)) for first, last in windows]
                for name, windows in document.items()
            }
        )

    def rows(self, name: str, times: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The first and last row of each window; of rows with one time, the first counts.

        Raises `ValueError` if no row has the time of a window's end.
        """
        found: list[tuple[int, int]] = []
        for first, last in self.windows[name]:
            begin = times.index(first)
            found.append((begin, times.index(last, begin)))
        return tuple(found)


def epoch_ms(text: str) -> int:
    """A time as NAB writes it, in epoch ms.

    >>> epoch_ms("1970-01-01 00:00:01.500000")
    1500
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def load(folder: Path) -> list[Series]:
    """Every labelled series below `folder`, which holds `windows.json`; sorted by name.

    Raises `FileNotFoundError` if the windows or a series that they label is absent.
    """
    labels = Labels.read(folder / "windows.json")
    found: list[Series] = []
    for name in sorted(labels.windows):
        rows = list(_columns(folder / name, "timestamp", "value"))
        times = tuple(epoch_ms(moment) for moment, _ in rows)
        values = tuple(float(value) for _, value in rows)
        found.append(Series(name, times, values, labels.rows(name, times)))
    return found


def read_results(folder: Path, labels: Labels) -> Iterator[Result]:
    """The stored results of labelled files anywhere below `folder`.

    A result's file has the labelled file's name, alone or behind the detector's, as in
    `numenta_exchange-2_cpm_results.csv`.
    """
    stored = sorted(folder.rglob("*.csv"))
    for name in sorted(labels.windows):
        base = name.rpartition("/")[2]
        for path in stored:
            if path.name == base or path.name.endswith(f"_{base}"):
                rows = list(_columns(path, "timestamp", "anomaly_score"))
                times = [epoch_ms(moment) for moment, _ in rows]
                scores = tuple(float(score) for _, score in rows)
                yield Result(name, scores, labels.rows(name, times))
                break


def _columns(path: Path, *names: str) -> Iterator[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        header = next(rows)
        at = [header.index(name) for name in names]
        for cells in rows:
            yield tuple(cells[column] for column in at)
