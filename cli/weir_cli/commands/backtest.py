"""`weir backtest`: what the detector makes of stored series."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress, TaskID

    from weir_cli.backtest import Outcome
    from weir_cli.backtest_files import Job, Labels


def backtest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV with a header timestamp,value.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the scores go, a file for each.")
    ],
    png: Annotated[bool, typer.Option("--png", help="Draw each series as a picture, too.")] = False,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known anomalies to shade: JSON, windows by file."),
    ] = None,
    false_alerts: Annotated[
        float,
        typer.Option(min=1e-6, max=1000.0, help="False alerts a week that are allowed."),
    ] = 0.1,
) -> None:
    """Score stored series row by row, as if each row arrived now.

    Writes DIR/<name of FILE> with the columns timestamp, value and anomaly_score: a row for each
    row, in the file's order. Times are ISO 8601, UTC unless they say otherwise, or epoch
    milliseconds. A row without a time or a number scores 0 and teaches the detector nothing.
    """
    if labels is not None and not png:
        raise typer.BadParameter("labels are only drawn: add --png", param_hint="'--labels'")

    from weir_cli.backtest_files import plan, read_labels

    jobs = plan(files, out)
    known = read_labels(labels) if labels is not None else None
    if png:
        from weir_cli.backtest_plot import require_matplotlib

        require_matplotlib()
    out.mkdir(parents=True, exist_ok=True)
    _score_all(jobs, known, false_alerts, png=png)


def _score_all(
    jobs: "Sequence[Job]", labels: "Labels | None", false_alerts: float, *, png: bool
) -> None:
    from functools import partial

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from weir_cli.console import put, say, terminal

    sizes = [job.source.stat().st_size for job in jobs]
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        console=terminal(), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("scoring", total=sum(sizes))
        done = 0
        for job, size in zip(jobs, sizes, strict=True):
            bar.update(task, description=job.source.name)
            progress = partial(_advance, bar, task, done)
            outcome = _score(job, labels, false_alerts, progress, png=png)
            done += size
            bar.update(task, completed=done)
            put(f"{job.target}: {outcome.rows:,} rows, {_counted(outcome.alerts, 'alert')}")
            if outcome.unreadable:
                say(
                    f"weir: {job.source}: {_counted(outcome.unreadable, 'row')} without a time or "
                    f"a number scored 0, the first in line {outcome.first_unreadable}"
                )
            if png and labels is not None and labels.of(job.source) is None:
                say(f"weir: {job.source}: the labels have no entry for it")


def _advance(bar: "Progress", task: "TaskID", before: int, read: int) -> None:
    bar.update(task, completed=before + read)


def _score(
    job: "Job",
    labels: "Labels | None",
    false_alerts: float,
    progress: "Callable[[int], None]",
    *,
    png: bool,
) -> "Outcome":
    from weir.detection import IN_USE
    from weir.scoring.alarms import Rules
    from weir_cli.backtest import backtest as score
    from weir_cli.errors import Problem

    trace = None
    if png:
        from weir_cli.backtest_plot import Trace

        trace = Trace(IN_USE)
    try:
        rules = Rules(false_alerts_per_week=false_alerts)
        outcome = score(
            job.source, job.target, IN_USE, progress=progress, watcher=trace, rules=rules
        )
    except ValueError as error:
        raise Problem(f"{job.source}: {error}.") from error
    if trace is not None:
        from weir_cli.backtest_plot import draw

        windows = labels.of(job.source) if labels is not None else None
        draw(trace, job.source.stem, windows or (), job.picture)
    return outcome


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
