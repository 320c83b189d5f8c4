"""The report of a replay: what it counts, and how it is shown."""

import io

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from weir_cli.commands import replay as replay_command
from weir_cli.replay_report import Entry, Left, Place, PlaceReport, Report
from weir_cli.replay_view import Bar, lines, table

T = 1_767_225_600_000
FAILED_AT = T + 90_000


def report() -> PlaceReport:
    entries = [Entry("k", f"line {n}", FAILED_AT, "[red]Code") for n in range(30)]
    stays = [Left(entry, "cannot be read", "the record is empty") for entry in entries[:25]]
    return PlaceReport(Place.LAKE, entries, replayed=5, stays=stays, unseen=2)


def test_a_report_counts_what_was_found_and_what_is_left() -> None:
    document = Report([report(), PlaceReport(Place.SPILL)], since=T).document()
    assert not document["through"]
    assert document["since"] == "2026-01-01T00:00:00Z"
    lake, spill = document["places"]
    assert (lake["found"], lake["replayed"], lake["left"]) == (32, 5, 27)
    assert lake["why"] == {"[red]Code": 30}
    assert lake["left_because"] == {"cannot be read": 25, "not looked at": 2}
    assert len(lake["entries"]) == 25
    assert lake["entries"][0] == {
        "where": "k",
        "name": "line 0",
        "failed_at": "2026-01-01T00:01:30Z",
        "why": "[red]Code",
        "because": "cannot be read",
        "detail": "the record is empty",
    }
    assert spill == {
        "place": "spill", "found": 0, "replayed": 0, "left": 0, "why": {}, "left_because": {},
        "problem": None, "entries": [],
    }  # fmt: skip


def test_a_dry_run_lists_every_entry() -> None:
    document = Report([report()], dry_run=True).document()
    assert len(document["places"][0]["entries"]) == 30


def test_a_place_with_a_problem_is_not_through() -> None:
    assert Report([PlaceReport(Place.LAKE)]).is_through
    assert not Report([PlaceReport(Place.LAKE, problem="it is not there")]).is_through


def test_what_is_shown_is_bounded_and_takes_no_markup() -> None:
    found = Report([report()])
    shown = list(lines(found))
    assert shown[0] == (
        "lake: k line 0: [red]Code, 2026-01-01T00:01:30Z; cannot be read: the record is empty"
    )
    assert shown[-2:] == [
        "lake: 5 more; --json has all",
        "32 failed: 5 put through again, 27 left",
    ]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table(found))
    assert "[red]Code (30)" in console.export_text()


def test_nothing_found_is_said_and_a_problem_is_not_nothing() -> None:
    assert list(lines(Report([PlaceReport(Place.LAKE)], since=T))) == [
        "nothing failed since 2026-01-01T00:00:00Z"
    ]
    assert list(lines(Report([PlaceReport(Place.LAKE, problem="no")]))) == ["nothing was found"]


def test_without_a_terminal_the_bar_says_a_line_now_and_then() -> None:
    now = [0.0]
    written = io.StringIO()
    with Bar(Console(file=written), lambda: now[0]) as bar:
        bar.begin(Place.STREAM, 1200)
        for _ in range(12):
            now[0] += 1.0
            bar.advance(100)
    assert written.getvalue() == (
        "500 of 1,200 objects in stream\n1,000 of 1,200 objects in stream\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("all", 0), ("90s", T - 90_000), ("2025-12-31", T - 86_400_000), (str(T), T)],
)
def test_since_is_a_span_or_a_time(text: str, expected: int) -> None:
    assert replay_command._start(text, T) == expected


def test_since_that_is_neither_is_a_wrong_use() -> None:
    app = typer.Typer()
    app.command()(replay_command.replay)
    result = CliRunner().invoke(app, ["--since", "yesterday"])
    assert result.exit_code == 2
    assert "neither a span" in " ".join(result.output.split())
