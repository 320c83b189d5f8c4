"""What is told of an alert's history, and under which id."""

import msgspec

from tests.fakes.notices import START, an_alert
from weir.alerts.alarm import Cleared, Fact, Followed, Reopened, Withdrawn
from weir.alerts.lifecycle import acknowledge, end_snooze, judge, silence_opened, snooze, tell
from weir.notices.notice import DETAIL_TYPES, Notice, is_quiet, notices_of, worst

MINUTE = 60_000


def test_a_new_alert_is_told_as_it_opened() -> None:
    (notice,) = notices_of(None, an_alert())
    assert notice == Notice(
        "pump-7~1767225600000~flow#1",
        "opened",
        "2026-01-01T00:00:00.000Z",
        "critical",
        "pump-7~1767225600000~flow",
        "pump-7",
        "flow",
        "anomaly",
        "OPEN",
        "2026-01-01T00:00:00.000Z",
        None,
        0.95,
        0.95,
        1,
        "93.1, expected 70.25 to 75.9",
        value=93.1,
        expected=72.0,
        expected_low=70.25,
        expected_high=75.9,
    )


def test_a_write_tells_what_it_added_to_the_history_and_no_more() -> None:
    old = an_alert(score=0.6)
    end = START + 9 * MINUTE
    facts: list[Fact] = [
        Followed("flow", START, START + MINUTE, 0.85, START + MINUTE, 2),
        Cleared("flow", START, end, 0.95, START + 2 * MINUTE, START + 3 * MINUTE, 4),
    ]
    new = tell(old, "pump-7", facts, 1)
    assert new is not None
    told = notices_of(old, new)
    assert [(each.kind, each.severity, each.notice_id[-2:]) for each in told] == [
        ("rose", "major", "#2"),
        ("rose", "critical", "#3"),
        ("cleared", "critical", "#4"),
    ]
    assert told[-1].ended_at == told[-1].at == "2026-01-01T00:09:00.000Z"
    assert notices_of(new, new) == []
    assert notices_of(None, new)[1:] == told


def test_what_people_do_is_not_told_but_that_a_snooze_ended_is() -> None:
    old = an_alert()
    done = acknowledge(old, "ann", START + 1)
    done = snooze(done, START + MINUTE, "ann", START + 2)
    done = judge(done, "true", "a worn seal", "ann", START + 3)
    assert notices_of(old, done) == []
    awake = end_snooze(done, START + MINUTE)
    (notice,) = notices_of(done, awake)
    assert (notice.kind, notice.notice_id[-2:], notice.acknowledged) == ("snooze_ended", "#5", True)
    assert DETAIL_TYPES[notice.kind] == "Weir Alert Still Open"


def test_reopening_and_withdrawing_are_told_with_their_reasons() -> None:
    opened = an_alert()
    ended = tell(opened, "pump-7", [Cleared("flow", START, START + MINUTE, 0.95, START)], 1)
    again = Reopened("flow", START, START + 2 * MINUTE, 0.95, START, 3, "off once more")
    reopened = tell(ended, "pump-7", [again], 1)
    withdrawn = tell(reopened, "pump-7", [Withdrawn("flow", START, START + 2 * MINUTE)], 2)
    assert withdrawn is not None
    told = [(each.kind, each.note) for each in notices_of(opened, withdrawn)]
    assert told == [
        ("cleared", ""),
        ("reopened", "off once more"),
        ("withdrawn", "readings that came late explain it"),
    ]


def test_an_alert_s_own_snooze_or_a_control_keeps_quiet_until_its_time() -> None:
    alert = snooze(an_alert(), START + MINUTE, "ann", START)
    assert is_quiet(alert, snoozed=False, now=START)
    assert not is_quiet(alert, snoozed=False, now=START + MINUTE)
    assert is_quiet(alert, snoozed=True, now=START + MINUTE)
    assert not is_quiet(an_alert(), snoozed=False, now=START)


def test_the_worst_are_those_that_go_on_then_the_severest_then_the_highest() -> None:
    def notice(device: str, score: float, kind: str = "opened", n: int = 1) -> Notice:
        (made,) = notices_of(None, an_alert(device, score=score))
        return msgspec.structs.replace(made, kind=kind, notice_id=f"{made.alert_id}#{n}")

    given = [
        notice("a", 0.5),
        notice("b", 0.85),
        notice("c", 0.99),
        notice("c", 0.99, "cleared", 2),
        notice("d", 0.91),
        notice("e", 0.6),
        notice("f", 0.92, "rose", 2),
        notice("f", 0.92, "opened", 1),
    ]
    found = [(each.device_id, each.kind) for each in worst(given, 5)]
    assert found == [
        ("f", "rose"),
        ("d", "opened"),
        ("b", "opened"),
        ("e", "opened"),
        ("a", "opened"),
    ]
    assert worst(given, 10)[-1].kind == "cleared"


def test_a_silence_is_of_the_device_as_a_whole() -> None:
    alert = tell(None, "pump-7", [silence_opened(START, "expected every 60 s")], 1, "silence")
    assert alert is not None
    (notice,) = notices_of(None, alert)
    assert (notice.alert_kind, notice.metric, notice.severity) == ("silence", "*", "major")
    assert notice.notice_id == "pump-7~1767225600000~!silence#1"
