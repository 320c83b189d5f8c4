"""From chunks to the values that count.

Of two values of one metric and time, the one whose chunk sorts first counts; within a chunk, the
earlier.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import lt
from typing import NamedTuple

from weir.chunks import Document


class Column(NamedTuple):
    """The values of a metric at `base` + `offsets` (ms), in the order of time, each time once."""

    base: int
    offsets: Sequence[int]
    values: Sequence[float]


def columns(
    documents: Iterable[Document], metrics: Collection[str] | None = None
) -> Iterator[tuple[str, Column]]:
    """Each metric's values that count, of chunks in the order of their sort keys.

    Columns of one metric come in the order of time, and none overlap. Nearly all chunks stand
    alone, and theirs are handed on as they are. `metrics`: only these.
    """
    by_metric: dict[str, list[tuple[Document, bool]]] = {}
    for document in documents:
        entry = (document, _is_rising(document.dt))
        for name in document.v:
            if metrics is None or name in metrics:
                by_metric.setdefault(name, []).append(entry)
    for name, entries in by_metric.items():
        for run in _runs(entries):
            document, rising = run[0]
            if len(run) == 1 and rising:
                column = _alone(document, name)
            else:
                column = _merged([document for document, _ in run], name)
            if column.offsets:
                yield name, column


def values_of(documents: Iterable[Document], metric: str) -> tuple[list[int], list[float]]:
    """The times (epoch ms) and values of one metric, in the order of time."""
    times: list[int] = []
    values: list[float] = []
    for _, column in columns(documents, (metric,)):
        times += [column.base + offset for offset in column.offsets]
        values += column.values
    return times, values


def rows(
    documents: Iterable[Document], metrics: Collection[str] | None = None
) -> Mapping[int, Mapping[str, float]]:
    """The values that count by their times; `documents` in the order of their chunks' sort keys."""
    found: dict[int, dict[str, float]] = {}
    for document in documents:
        times = [document.t0 + offset for offset in document.dt]
        for name, column in document.v.items():
            if metrics is not None and name not in metrics:
                continue
            for ts, value in zip(times, column, strict=True):
                if value is not None:
                    found.setdefault(ts, {}).setdefault(name, value)
    return found


def latest(documents: Iterable[Document]) -> Mapping[str, tuple[int, float]]:
    """The newest time and value of each metric; `documents` as for `rows`."""
    found: dict[str, tuple[int, float]] = {}
    for document in documents:
        for name, column in document.v.items():
            for offset, value in zip(document.dt, column, strict=True):
                ts = document.t0 + offset
                if value is not None and (name not in found or ts > found[name][0]):
                    found[name] = (ts, value)
    return found


def _is_rising(offsets: Sequence[int]) -> bool:
    return all(map(lt, offsets, islice(offsets, 1, None)))


def _runs(entries: list[tuple[Document, bool]]) -> Iterator[list[tuple[Document, bool]]]:
    """The chunks, those together that share some of their time."""
    run: list[tuple[Document, bool]] = []
    end = -1
    for entry in entries:
        document = entry[0]
        if run and document.t0 > end:
            yield run
            run = []
        run.append(entry)
        end = max(end, document.t0 + max(document.dt))
    yield run


def _alone(document: Document, name: str) -> Column:
    offsets, values = document.dt, document.v[name]
    if None not in values:
        return Column(document.t0, offsets, values)  # type: ignore[arg-type]
    there = [
        (offset, value) for offset, value in zip(offsets, values, strict=True) if value is not None
    ]
    return Column(document.t0, [offset for offset, _ in there], [value for _, value in there])


def _merged(documents: Sequence[Document], name: str) -> Column:
    found: dict[int, float] = {}
    for document in documents:
        for offset, value in zip(document.dt, document.v[name], strict=True):
            if value is not None:
                found.setdefault(document.t0 + offset, value)
    times = sorted(found)
    return Column(0, times, [found[ts] for ts in times])
