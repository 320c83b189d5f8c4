"""`weir tail`: what a look brings, and how it is drawn."""

from threading import Event
from typing import Any

import pytest
from rich.console import Console

from tests.fakes.api import FakeApi, T, an_alert, changed
from weir.readings import format_ts
from weir_cli import chart, tail_view
from weir_cli.chart import Band, Frame
from weir_cli.commands.tail import follow
from weir_cli.tail import Tail


class World:
    """A device that is followed; a test moves the time."""

    def __init__(self, *metrics: str, readings: int = 0) -> None:
        self.fake = FakeApi()
        self.now = T
        for n in range(readings):
            self.fake.readings.append((T - 1000 * (readings - n), {"flow": float(n), "heat": 5.0}))
        self.tail = Tail(
            self.fake.api,
            "pump-7",
            metrics,
            window_ms=600_000,
            clock=lambda: self.now / 1000,
            now=lambda: self.now,
        )

    def look(self, *readings: tuple[int, dict[str, float]]) -> Any:
        self.now += 2000
        self.fake.readings += readings
        return self.tail.look()


def test_the_first_look_brings_the_past_and_the_next_what_is_new() -> None:
    world = World(readings=3)
    assert [ts for ts, _ in world.look().readings] == [T - 3000, T - 2000, T - 1000]
    assert world.look().readings == []
    assert len(world.fake.asked("GET /v1/devices/{device_id}/readings")) == 1
    assert world.look((T + 1, {"flow": 9.0})).readings == [(T + 1, {"flow": 9.0})]


def test_a_metric_that_comes_in_a_request_of_its_own_is_not_missed() -> None:
    world = World()
    world.look((T, {"flow": 1.0}))
    assert world.look((T, {"heat": 2.0})).readings == [(T, {"heat": 2.0})]


def test_what_is_older_than_the_window_is_forgotten() -> None:
    world = World(readings=3)
    world.look()
    world.now += 598_000
    world.look()
    assert sorted(world.tail.values["flow"]) == []


def test_alerts_of_other_metrics_are_left_out() -> None:
    world = World("flow", readings=3)
    for metric in ("flow", "heat", "*"):
        world.fake.put(an_alert(metric, T - 2000))
    told = world.look().alerts
    assert sorted(alert["metric"] for _, alert in told) == ["*", "flow"]
    (asked,) = world.fake.asked("GET /v1/devices/{device_id}/readings")
    assert dict(asked.query)["metric"] == "flow"


def test_what_was_expected_is_asked_of_a_metric_at_a_time_and_not_again_at_once() -> None:
    world = World(readings=3)
    world.look()
    world.fake.band = {"ts": [T], "low": [1.0], "high": [2.0]}
    for _ in range(5):
        world.tail.refresh_band(10)
    assert set(world.tail.bands) == {"flow", "heat"}
    route = "GET /v1/devices/{device_id}/expected"
    assert [dict(call.query)["metric"] for call in world.fake.asked(route)] == ["flow", "heat"]


def test_a_chart_is_drawn_even_where_the_api_has_no_band() -> None:
    world = World(readings=3)
    world.look()
    world.tail.refresh_band(10)
    assert world.tail.bands == {}


def drawn(world: World, height: int) -> list[str]:
    console = Console(width=60, height=height, color_system=None, force_terminal=True)
    with console.capture() as captured:
        console.print(tail_view.shown(world.tail, console))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_each_metric_has_a_chart_with_its_figures_and_marks_where_an_alert_was_open() -> None:
    world = World(readings=300)
    world.fake.put(
        changed(an_alert("flow", T - 200_000), state="CLEARED", ended_at=format_ts(T - 100_000))
    )
    world.look()
    lines = drawn(world, 24)
    assert lines[0] == "pump-7  last reading 2025-12-31T23:59:59Z"
    assert lines[1] == "flow  299  min 0  max 299"
    marks = lines[1 + 8 + 1]
    assert marks.strip() == "▲" + "━" * 10
    assert len(lines) <= 24


def test_where_there_is_little_room_a_metric_is_one_row() -> None:
    world = World(readings=300)
    world.fake.put(an_alert("heat", T - 200_000))
    world.look()
    lines = drawn(world, 6)
    assert lines[0].endswith("1 open alerts")
    assert lines[1].startswith("flow ")
    assert "█" in lines[1]
    assert "▲" in lines[2]
    assert len(lines) == 3
    assert drawn(world, 4)[-1] == "and 1 more: choose with --metric"


def test_a_device_of_which_nothing_came_is_waited_for() -> None:
    world = World()
    world.look()
    assert drawn(world, 24) == ["pump-7  no reading of pump-7 has come yet; waiting"]


def test_who_has_sent_nothing_lately_is_told_from_who_never_did() -> None:
    world = World()
    world.look((T - 900_000, {"flow": 1.0}))
    assert tail_view.waiting(world.tail) == (
        "no reading in the last 10 min, the last reading 2025-12-31T23:45:00Z; waiting"
    )


def test_without_a_terminal_it_says_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    stop = Event()
    look = world.tail.look
    world.tail.look = lambda: (stop.set(), look())[1]  # type: ignore[method-assign, func-returns-value]
    follow(world.tail, stop)
    assert capsys.readouterr().err == "no reading of pump-7 has come yet; waiting\n"


def test_plain_lines_are_readings_and_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(readings=1)
    world.fake.put(an_alert("flow", T - 1000))
    stop = Event()
    look = world.tail.look
    world.tail.look = lambda: (stop.set(), look())[1]  # type: ignore[method-assign, func-returns-value]
    follow(world.tail, stop)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "2025-12-31T23:59:59Z  flow 0  heat 5"
    assert second.startswith("OPEN     pump-7  flow  2025-12-31T23:59:59Z")


FRAME = Frame(0, 100, 0.0, 8.0, width=5, height=2)


def text(points: list[chart.Point], band: Band | None = None) -> list[str]:
    return [row.plain for row in chart.lines(FRAME, points, band, [])]


def test_a_line_rises_from_the_lower_left_to_the_upper_right() -> None:
    points = [(n * 10, n * 0.8) for n in range(11)]
    top, bottom = text(points)
    assert [char == "⠀" for char in top] == [True, True, False, False, False]
    assert [char == "⠀" for char in bottom] == [False, False, False, True, True]


def test_where_nothing_came_there_is_a_gap() -> None:
    points = [(n * 2, 4.0) for n in range(6)] + [(90 + n * 2, 4.0) for n in range(6)]
    both = [a if a != "⠀" else b for a, b in zip(*text(points), strict=True)]
    assert both[1:4] == ["⠀"] * 3


def test_the_band_is_two_edges_behind_the_line() -> None:
    band = Band([n * 10 for n in range(10)], [0.0] * 10, [8.0, *[None] * 9])
    top, bottom = text([], band)
    assert bottom == "⣀" * 5
    assert top[0] == "⠁"
    assert set(top[1:]) == {"⠀"}


def test_a_wide_band_does_not_make_the_line_flat() -> None:
    points = [(0, 2.0), (100, 4.0)]
    near = chart.frame_of(points, 0, 100, (5, 2), Band([0, 50], [1.5, None], [4.5, None]))
    wide = chart.frame_of(points, 0, 100, (5, 2), Band([0], [-90.0], [90.0]))
    assert (near.low, near.high) == (1.5, 4.5)
    assert (wide.low, wide.high) == (1.0, 5.0)
    outside = chart.lines(wide, [], Band([0], [-90.0], [90.0]), [])
    assert {row.plain for row in outside} == {"⠀" * 5}


def test_one_value_or_none_is_drawn_too() -> None:
    assert text([]) == ["⠀" * 5] * 2
    assert sum(char != "⠀" for row in text([(50, 4.0)]) for char in row) == 1
    flat = chart.frame_of([(0, 1.0), (100, 1.0)], 0, 100, (5, 1))
    assert chart.spark(flat, [(0, 1.0), (100, 1.0)]) == "▅   ▅"


def test_a_row_of_blocks_shows_what_is_farthest_off() -> None:
    points = [(n, 4.0) for n in range(100)] + [(50, 8.0), (90, 0.0)]
    row = chart.spark(FRAME, points)
    assert (row[2], row[4], len(row)) == ("█", "▁", 5)
