"""`weir run` without a stack: what it shows, and how it ends."""

from collections.abc import Sequence
from threading import Event

import httpx
import pytest
from rich.console import Console
from rich.live import Live

from tests.fakes.api import FakeApi, an_alert, changed
from weir.readings import Reading
from weir_cli import running
from weir_cli.alert_watch import Wanted, Watch
from weir_cli.api_client import Document
from weir_cli.batches import batches
from weir_cli.delivery import Totals
from weir_cli.demo import DemoOptions, has_ended, is_of, is_scored
from weir_cli.errors import Problem
from weir_cli.faults import Fault
from weir_cli.fleet import FleetOptions
from weir_cli.front_door import FrontDoor
from weir_cli.live_view import Changed, LiveView, PlainView, counts
from weir_cli.rows import Row
from weir_cli.running import Show
from weir_local.control import Pending

T = 1_767_225_600_000
OLD = an_alert(device_id="pump-1", onset=T - 1)
NEW = an_alert(device_id="pump-1")


class Looks(Watch):
    """Alerts as looks find them, the last look for ever; then the operator has seen enough."""

    def __init__(self, stop: Event, *looks: list[Document]) -> None:
        self.fake = FakeApi()
        super().__init__(self.fake.api, Wanted(), cleared_every_s=0)
        self.stop = stop
        self.looks = list(looks)

    def look(self) -> Sequence[tuple[Document | None, Document]]:
        if len(self.looks) == 1:
            self.stop.set()
            now = self.looks[0]
        else:
            now = self.looks.pop(0)
        self.fake.alerts = {alert["alert_id"]: dict(alert) for alert in now}
        return super().look()


class View:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.changed: list[Document] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, totals: Totals, changed: Changed, open_alerts: int, seen: int) -> None:
        self.changed += [alert for _, alert in changed]


def show(
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    *looks: list[Document],
    seconds: float | None = None,
) -> tuple[Show, View]:
    """A show whose time passes at once, of one reading and an API that answers `status`."""
    real = httpx.Client
    transport = httpx.MockTransport(
        lambda _: httpx.Response(status, json={"accepted": 1, "rejected": []})
    )
    monkeypatch.setattr(httpx, "Client", lambda **k: real(**(k | {"transport": transport})))
    monkeypatch.setattr(running, "POLL_S", 0.001)
    stop, view = Event(), View()
    return Show(
        door=FrontDoor("http://api.test", "key"),
        items=batches([Row(1, Reading("pump-1", T, {"flow": 1.0}))], 1),
        watch=Looks(stop, *looks),
        view=view,
        stop=stop,
        is_idle=lambda: True,
        on_sent=lambda totals: [f"sent {totals.accepted}"],
        seconds=seconds,
        connections=1,
    ), view


def test_only_the_alerts_that_come_meanwhile_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    performance, view = show(monkeypatch, 202, [OLD], [OLD], [OLD, NEW])
    performance.run()
    assert view.changed == [NEW]
    assert list(performance.alerts.values()) == [NEW]


def test_it_says_when_all_is_sent_and_when_all_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    performance, view = show(monkeypatch, 202, *[[]] * 500, [])
    totals = performance.run()
    assert totals.complete
    assert view.lines == ["sent 1", "all of it is scored: 0 alerts"]


def test_it_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    performance, _ = show(monkeypatch, 202, [], [], seconds=0)
    performance.run()
    assert performance.stop.is_set()


def test_it_ends_with_a_sentence_when_nothing_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    performance, _ = show(monkeypatch, 403, *[[]] * 500, [])
    with pytest.raises(Problem, match="were not sent"):
        performance.run()


def test_without_a_terminal_each_alert_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    view = PlainView(lambda: now)
    view.show(Totals(accepted=5), [(None, NEW)], 1, 1)
    view.show(Totals(accepted=5), [(NEW, changed(NEW, severity="critical"))], 1, 1)
    now = 31.0
    view.show(Totals(accepted=1200, rejected=2), [], 0, 1)
    now = 62.0
    view.show(Totals(accepted=1200, rejected=2), [], 0, 1)  # nothing new
    view.show(Totals(accepted=1300, rejected=2), [], 0, 1)
    now = 91.0
    view.show(Totals(accepted=1400, rejected=2), [], 0, 1)  # too soon
    out, err = capsys.readouterr()
    why = "12.5, expected 3 to 4: a jump"
    assert out.splitlines() == [
        f"OPEN     pump-1  flow  2026-01-01T00:00:00Z  minor     {why}",
        f"OPEN     pump-1  flow  2026-01-01T00:00:00Z  critical  {why}  [minor before]",
    ]
    assert err.splitlines() == [
        "1,200 readings accepted, 2 rejected; 1 alerts, 0 open",
        "1,300 readings accepted, 2 rejected; 1 alerts, 0 open",
    ]


def test_before_anything_was_accepted_there_is_nothing_to_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    view = PlainView(lambda: now)
    now = 100.0
    view.show(Totals(), [], 0, 0)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_an_alert_stays_one_row_and_its_changes_are_said() -> None:
    console = Console(width=160, color_system=None, force_terminal=True)
    with console.capture() as captured, Live(console=console, auto_refresh=False) as live:
        view = LiveView(live)
        view.show(Totals(), [(None, NEW)], 1, 1)
        ended = changed(NEW, state="CLEARED", ended_at="2026-01-01T00:01:00.000Z")
        view.show(Totals(), [(NEW, ended)], 0, 1)
        view.show(Totals(), [(ended, changed(NEW))], 1, 1)
    text = captured.get()
    assert "[cleared]" in text
    assert "[reopened]" in text
    assert text.rpartition("0 readings accepted")[2].count("pump-1") == 1


def test_counts_leave_out_what_did_not_happen() -> None:
    assert counts(Totals(accepted=1), 0, 0) == "1 readings accepted; 0 alerts, 0 open"


def test_one_pump_of_several_comes_late_and_is_silent_for_longer_than_it_may_be() -> None:
    options = DemoOptions(interval_ms=5000)
    assert options.newcomer == 19
    assert options.silent_after_s == 30.0
    assert options.silent_spans(T) == ((0, T), (T + 15_000, T + 75_000))
    assert DemoOptions(interval_ms=60_000).silent_after_s == 180.0
    assert DemoOptions(pumps=1).newcomer is None


def test_an_alert_is_a_fault_s_if_it_begins_in_its_time_or_just_after() -> None:
    options = FleetOptions(T, pumps=1, interval_ms=1000)
    fault = Fault(0, "flow", "drift", 10, 20, 15.0)

    def alert(onset: int, metric: str = "flow") -> Document:
        return an_alert(metric, onset, device_id="pump-01")

    assert is_of(options, fault, alert(T + 10_000))
    assert is_of(options, fault, alert(T + 25_000))
    assert not is_of(options, fault, alert(T + 26_000))
    assert is_of(options, fault, alert(T + 15_000, "*"))
    assert not is_of(options, fault, {**alert(T + 15_000, "*"), "kind": "silence"})
    assert not is_of(options, fault, alert(T + 9000))
    assert not is_of(options, fault, alert(T + 10_000, "current"))
    assert has_ended(options, fault, T + 20_000)
    assert not has_ended(options, fault, T + 19_999)


def test_what_waits_for_the_lake_is_scored_all_the_same() -> None:
    assert is_scored(Pending(spilled_messages=0, firehose_records=3, stream_records=0, in_flight=0))
    for waiting in ("spilled_messages", "stream_records"):
        nothing = dict.fromkeys(("firehose_records", "in_flight"), 0)
        one = {"spilled_messages": 0, "stream_records": 0, waiting: 1}
        assert not is_scored(Pending(**nothing, **one))
