"""Which files a backtest reads and writes, and which windows are labelled in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weir_cli.errors import Problem
from weir_cli.timeline import moment_ms

type Window = tuple[int, int]
"""The first and last time of a labelled anomaly, epoch ms."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to score: where it is, and where its scores and its picture go."""

    source: Path
    target: Path
    picture: Path


def plan(files: Sequence[Path], out: Path) -> list[Job]:
    """What is written where; raise `Problem` if one file would take the place of another."""
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for source in files:
        if not source.is_file():
            raise Problem(f"{source}: {'is no file' if source.exists() else 'no such file'}.")
        job = Job(source, out / source.name, out / f"{source.stem}.png")
        for written in (job.target, job.picture):
            if written in taken:
                raise Problem(
                    f"{taken[written]} and {source} would both be written to {written}: "
                    "score them into different folders."
                )
            taken[written] = source
        if job.target.exists() and job.target.samefile(source):
            raise Problem(f"{source} would be overwritten by its scores: choose another --out.")
        jobs.append(job)
    return jobs


@dataclass(frozen=True, slots=True)
class Labels:
    """The labelled windows of files, by name, as in `{"pumps/a.csv": [["first", "last"], ...]}`."""

    windows: Mapping[str, Sequence[Window]]

    def of(self, source: Path) -> Sequence[Window] | None:
        """The windows of the entry that agrees with the longest end of the file's path, if any."""
        parts = source.absolute().parts
        names = (Path(*parts[at:]).as_posix() for at in range(1, len(parts)))
        return next((self.windows[name] for name in names if name in self.windows), None)


def read_labels(path: Path) -> Labels:
    """Read a document of windows; raise `Problem` if it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Problem(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise Problem(f"{path} is no JSON object of windows by file.")
    return Labels({name: _windows(path, name, windows) for name, windows in document.items()})


def _windows(path: Path, name: str, windows: Any) -> list[Window]:
    try:
        return [(moment_ms(first), moment_ms(last)) for first, last in windows]
    except (TypeError, ValueError, AttributeError) as error:
        raise Problem(
            f"{path}: the windows of {name} are no list of pairs of times such as "
            '[["2026-01-31 12:00:00", "2026-01-31 13:00:00"]].'
        ) from error
