"""Whatever happens to an alert at once, each of it happens, once, one after the other.

Workers that tell what checkpoints say, tell it again or die over it, and people, stop before every
call of the table; hypothesis says who goes on. A telling begins once all older ones were told to
the end, as scoring has it (docs/scoring.md); anyone may tell an older one again.
"""

import os

from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from tests.fakes.alert_table import FakeAlertTable
from tests.unit.alerts.courses import (
    DEEDS,
    Course,
    check_readings_side,
    check_story,
    courses,
    deed,
    entries_by,
)
from tests.unit.alerts.facts import DEVICE, ONSET
from tests.unit.scoring.interleaving import Worker
from weir.alerts.alert import Alert, AlertKey, NoSuchAlert
from weir.storage.alert_store import AlertMoved, AlertStore, alert_of

KEY = AlertKey(DEVICE, ONSET, "flow")


class Actor:
    """A worker with a view of the table, at one task at a time."""

    def __init__(self, table: FakeAlertTable) -> None:
        self.worker = Worker()
        self.view = table.view(self.worker.gate)
        self.store = AlertStore(self.view, "alerts", sleep=lambda _: None)
        self.task: tuple[str, int] | None = None
        self.changed = False
        """Whether the deed changed the alert, when it was made last."""

    def begin_telling(self, course: Course, version: int) -> None:
        self.task = ("tell", version)
        facts = course[version - 1]
        self.worker.start(lambda: self.store.tell(DEVICE, facts, version))

    def begin_deed(self, name: str, number: int) -> None:
        self.task = (name, number)
        self.changed = False
        made = deed(name, str(number))

        def recorded(alert: Alert) -> Alert:
            after = made(alert)
            self.changed = after != alert
            return after

        self.worker.start(lambda: self.store.change(KEY, recorded))


class Scene:
    """The table, who works on it, and what was done so far."""

    def __init__(self, course: Course) -> None:
        self.table = FakeAlertTable()
        self.actors = [Actor(self.table) for _ in range(5)]
        self.course = course
        self.told = 0
        """All checkpoints up to this version were told to the end."""
        self.done: list[tuple[str, bool]] = []
        """Who did what and was told that it is done, and whether it changed the alert then."""
        self.failed: list[str] = []
        self.deeds = 0

    @property
    def busy(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.task is not None]

    @property
    def idle(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.task is None]

    def do(self, name: str) -> None:
        self.deeds += 1
        self.idle[0].begin_deed(name, self.deeds)

    def settle(self) -> None:
        for actor in self.busy:
            if actor.worker.running:
                continue
            assert actor.task is not None
            name, number = actor.task
            failure = actor.worker.failure
            actor.task = actor.worker.failure = None
            if failure is not None and not isinstance(failure, AlertMoved | NoSuchAlert):
                raise failure
            if name == "tell":
                if actor.worker.succeeded and number == self.told + 1:
                    self.told = number
            elif failure is not None:
                self.failed.append(str(number))
            elif actor.worker.succeeded and name != "end a snooze":
                self.done.append((str(number), actor.changed))

    def finish(self) -> None:
        """Let everyone come to an end, and tell what is left."""
        while self.busy or self.told < len(self.course):
            if not self.busy:
                self.idle[0].begin_telling(self.course, self.told + 1)
            for actor in self.busy:
                while actor.worker.running:
                    actor.worker.step()
            self.settle()


@given(course=courses(), data=st.data())
@settings(
    max_examples=int(os.environ.get("WEIR_EXAMPLES", "150")),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
def test_no_transition_is_lost_or_doubled_in_any_interleaving(
    course: Course, data: st.DataObject
) -> None:
    scene = Scene(course)
    for _ in range(data.draw(st.integers(20, 90), label="steps")):
        choices = ["step"] * 5 * bool(scene.busy)
        choices += ["lose"] * bool(scene.busy)
        choices += ["kill"] * bool(scene.busy)
        if scene.idle:
            choices += ["tell"] * 2 * (scene.told < len(course))
            choices += ["again"] * (scene.told > 0)
            choices += ["deed"] * 2 * (scene.deeds < 12)
        if not choices:
            break
        match data.draw(st.sampled_from(choices), label="next"):
            case "step":
                data.draw(st.sampled_from(scene.busy)).worker.step()
            case "lose":
                data.draw(st.sampled_from(scene.busy)).view.lose_answers = 1
            case "kill":
                data.draw(st.sampled_from(scene.busy)).worker.kill()
            case "tell":
                scene.idle[0].begin_telling(course, scene.told + 1)
            case "again":
                version = data.draw(st.integers(1, scene.told))
                scene.idle[0].begin_telling(course, version)
            case "deed":
                scene.do(data.draw(st.sampled_from(DEEDS)))
        scene.settle()
    scene.finish()

    assert set(scene.table.items) == {(DEVICE, KEY.sk)}
    writes = [alert_of(item) for item in scene.table.writes]
    check_story(writes)
    check_readings_side(writes[-1], course)
    for by, changed in scene.done:
        assert len(entries_by(writes[-1], by)) == (1 if changed else 0)
    for by in scene.failed:
        assert entries_by(writes[-1], by) == []
    made = sum(changed for _, changed in scene.done)
    event(f"deeds: {min(made, 6)}, checkpoints: {len(course)}")
