"""Alerts as they are read, watched and shown."""

from typing import Any

import pytest
from rich.console import Console

from tests.fakes.api import FakeApi, T, an_alert, changed, with_history
from weir.readings import format_ts
from weir_cli import alert_view
from weir_cli.alert_watch import LATELY_MS, Wanted, Watch, read
from weir_cli.timeline import now_ms

ALERT = an_alert()
CLEARED = changed(ALERT, state="CLEARED", ended_at=format_ts(T + 5000), peak=0.9)


class World:
    """A fake API, and a watch on it whose time a test moves."""

    def __init__(self, *alerts: dict[str, Any], **wanted: Any) -> None:
        self.fake = FakeApi(*alerts)
        self.seconds = 0.0
        self.watch = Watch(
            self.fake.api,
            Wanted(**wanted),
            clock=lambda: self.seconds,
            now=lambda: T + int(1000 * self.seconds),
        )

    def look(self) -> list[tuple[str, str]]:
        """The state of each alert that is told of, and what is said to have changed."""
        self.seconds += 1
        return [(a["state"], alert_view.news(before, a)) for before, a in self.watch.look()]


def test_an_alert_is_told_when_it_is_new_and_when_it_changes() -> None:
    world = World(ALERT)
    assert world.look() == [("OPEN", "")]
    assert world.look() == []
    world.fake.put(changed(ALERT, severity="major"))
    assert world.look() == [("OPEN", "minor before")]
    world.fake.put(changed(CLEARED, severity="major"))
    assert world.look() == [("CLEARED", "cleared")]
    world.fake.put(changed(changed(CLEARED, severity="major", state="OPEN", acknowledged=False)))
    assert world.look() == [("OPEN", "reopened")]


def test_an_alert_that_leaves_what_is_asked_for_is_told_of_once() -> None:
    world = World(ALERT, acknowledged=False)
    world.look()
    world.fake.put(changed(ALERT, acknowledged=True, acknowledged_by="ada"))
    assert world.look() == [("OPEN", "acknowledged")]
    asked = len(world.fake.asked("GET /v1/alerts/{alert_id}"))
    assert world.look() == []
    assert len(world.fake.asked("GET /v1/alerts/{alert_id}")) == asked == 1


def test_one_that_opens_and_clears_between_two_looks_is_seen_if_it_is_late() -> None:
    world = World()
    assert world.look() == []
    world.fake.put(changed(an_alert("late", T), state="CLEARED", ended_at=format_ts(T + 1)))
    old = T - LATELY_MS - 1
    world.fake.put(changed(an_alert("early", old), state="CLEARED", ended_at=format_ts(old + 1)))
    seen = [world.look() for _ in range(5)]
    assert [alert for look in seen for alert in look] == [("CLEARED", "")]


def test_a_look_costs_what_is_open_however_much_there_was() -> None:
    ancient = [
        changed(an_alert("flow", T - LATELY_MS - n - 1), state="CLEARED") for n in range(500)
    ]
    world = World(*ancient, ALERT)
    world.look()
    before = len(world.fake.calls)
    for _ in range(10):
        world.look()
    assert len(world.fake.calls) - before == 10 + 2  # those that cleared: every five seconds


def test_who_watches_for_the_end_is_told_of_the_end_alone() -> None:
    world = World(ALERT, state="cleared")
    assert world.look() == []
    world.fake.put(CLEARED)
    assert world.look() == [("CLEARED", "cleared")]


def test_an_alert_that_is_kept_no_more_is_forgotten() -> None:
    world = World(ALERT)
    world.look()
    del world.fake.alerts[ALERT["alert_id"]]
    assert world.look() == []
    assert world.watch.known == {}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), ["a", "b", "c", "d"]),
        (Wanted(state="open"), ["a", "c"]),
        (Wanted(state="cleared"), ["b", "d"]),
        (Wanted(since=T + 2), ["a", "c", "d"]),
        (Wanted(since=T + 2, open_since=T + 2), ["c", "d"]),
        (Wanted(severity="major,critical"), ["d"]),
        (Wanted(acknowledged=True), ["c"]),
        (Wanted(metric="b"), ["b"]),
        (Wanted(device_id="other"), []),
    ],
)
def test_alerts_are_read_in_the_order_of_their_onsets(wanted: Wanted, expected: list[str]) -> None:
    fake = FakeApi(
        an_alert("d", T + 3, state="CLEARED", severity="major"),
        an_alert("c", T + 2, acknowledged=True),
        an_alert("b", T + 1, state="CLEARED"),
        an_alert("a", T),
    )
    fake.page = 1
    assert [alert["metric"] for alert in read(fake.api, wanted)] == expected
    newest = read(fake.api, wanted, limit=1)
    assert [alert["metric"] for alert in newest] == expected[-1:]


def test_in_a_table_times_of_today_are_without_the_date() -> None:
    today = now_ms()
    console = Console(width=160)
    with console.capture() as captured:
        console.print(alert_view.table([ALERT, an_alert(onset=today)]))
    _, old, new = captured.get().splitlines()
    assert " 2026-01-01 00:00  OPEN" in old
    assert f" {format_ts(today)[11:19]}  " in new
    assert "2026" not in new


def test_an_alert_is_one_line() -> None:
    assert alert_view.line(ALERT) == (
        "OPEN     pump-7  flow  2026-01-01T00:00:00Z  minor     12.5, expected 3 to 4: a jump"
    )
    ended = changed(
        CLEARED,
        acknowledged=True,
        acknowledged_by="ada",
        snoozed_until="2999-01-01T00:01:00.000Z",
        feedback={"verdict": "benign", "note": "", "by": "ada", "at": format_ts(T)},
    )
    assert alert_view.line(ended, "feedback").endswith(
        "a jump  ended 2026-01-01T00:00:05Z  acknowledged by ada  "
        "snoozed until 2999-01-01T00:01:00Z  said to be benign  [feedback]"
    )


def test_a_snooze_that_ended_is_nothing_to_tell() -> None:
    assert list(alert_view.notes(an_alert(snoozed_until=format_ts(T)))) == []


def test_an_alert_in_full_has_what_is_known_and_its_history() -> None:
    assert list(alert_view.detail(with_history(CLEARED))) == [
        "pump-7, flow: CLEARED, minor",
        "12.5, expected 3 to 4: a jump",
        "",
        "onset         2026-01-01T00:00:00Z",
        "last seen     2026-01-01T00:00:00Z, 1 readings",
        "score         0.75",
        "peak          0.9 at 2026-01-01T00:00:00Z",
        "value         12.5",
        "expected      3.5, from 3 to 4",
        "ended         2026-01-01T00:00:05Z",
        "id            pump-7~1767225600000~flow",
        "",
        "2026-01-01T00:00:00Z  opened        minor   ",
    ]


def test_a_silence_has_no_value_and_no_score() -> None:
    silence = with_history(
        an_alert("*", kind="silence", value=None, expected=None, expected_low=None)
    )
    lines = list(alert_view.detail(silence))
    assert lines[0] == "pump-7, silence: OPEN, minor"
    assert not any(line.startswith(("score", "value", "expected")) for line in lines)
