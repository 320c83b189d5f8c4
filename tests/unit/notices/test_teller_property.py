"""Each transition is told exactly once, whatever is delivered again and wherever workers die,
but between a channel's yes and the mark; wherever they die, it is told at least once."""

import json
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.notices import Crash, World, an_alert, some_notices
from weir.alerts.alarm import Cleared
from weir.alerts.lifecycle import tell
from weir.notices.notice import Notice, notices_of
from weir.notices.ports import Claimed, NotTaken

TELLS_TWICE = frozenset({"was put", "mark", "was published", "done"})
"""Where a death, or a call that fails, makes a channel tell twice: what it did is not marked."""

NOTICES = [
    *some_notices(4, score=0.7),
    *(
        notice
        for alert in [an_alert("valve-1"), an_alert("valve-1", "heat")]
        for ended in [
            tell(alert, alert.device_id, [Cleared(alert.metric, alert.onset, alert.onset, 1, 0)], 1)
        ]
        if ended is not None
        for notice in notices_of(None, ended)
    ),
]


class Doomed:
    """A gate at which a worker dies, or a call fails, at the `at`-th access that may be it."""

    def __init__(self, at: int | None, *, dies: bool, spared: frozenset[str]) -> None:
        self.left = at
        self.dies = dies
        self.spared = spared
        self.dead = False

    def __call__(self, point: str) -> None:
        if self.dead:
            raise Crash(point)
        if self.left is None or point in self.spared:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            if self.dies:
                self.dead = True
                raise Crash(point)
            if not point.startswith("was"):
                raise NotTaken(point)


step = st.tuples(
    st.slices(len(NOTICES)),
    st.one_of(st.none(), st.integers(0, 40)),  # at which access
    st.booleans(),  # dies, or fails
    st.sampled_from([0, 500, 20_000, 62_000, 80_000]),  # ms that pass
    st.booleans(),  # whether digests come before their time, as by a clock that is ahead
)
plans = st.lists(step, max_size=8)

type Plan = list[tuple[slice, int | None, bool, int, bool]]


def run(world: World, plan: Plan, spared: frozenset[str]) -> None:
    """Deliver as planned, then again and again until all has been told."""
    calls: list[int] = []  # digests that are due, until they are sent
    for what, at, dies, pause, early in plan:
        gate = Doomed(at, dies=dies, spared=spared)
        _deliver(world, calls, NOTICES[what], gate, early=early)
        world.clock.now += pause
    for _ in range(20):
        if not _deliver(world, calls, NOTICES, Doomed(None, dies=False, spared=spared)):
            break
        world.clock.now += 80_000
    else:
        raise AssertionError("it is still not all told")


def _deliver(
    world: World, calls: list[int], notices: list[Notice], gate: Doomed, *, early: bool = False
) -> bool:
    """Deliver once; return whether anything is left."""
    worker = world.worker(gate)
    try:
        failed = worker.tell(notices, set(), world.soon(1)).failed
    except Crash:
        return True
    calls += world.digests(early=early)
    for minute in list(calls):
        try:
            worker.tell_digest(minute)
        except (Claimed, NotTaken):
            continue
        except Crash:
            return True
        calls.remove(minute)
    return bool(failed or calls or world.queue.digests)


def in_messages(world: World) -> Counter[str]:
    told: Counter[str] = Counter()
    for message in world.topic.messages:
        document = json.loads(message.document)
        told.update(
            document["notice_ids"] if document["type"] == "digest" else [message.message_id]
        )
    return told


def told_once(check: Callable[[int], bool], world: World) -> None:
    ids = [each.notice_id for each in NOTICES]
    events = Counter(each.notice_id for each in world.bus.events)
    messages = in_messages(world)
    assert set(events) == set(messages) == set(ids)
    assert all(map(check, events.values())), events
    assert all(map(check, messages.values())), messages


@settings(max_examples=400)
@given(plan=plans, limit=st.integers(1, 4), webhook=st.booleans())
def test_each_transition_is_told_exactly_once(plan: Plan, limit: int, webhook: bool) -> None:
    world = World(limit=limit, webhook=webhook)
    run(world, plan, TELLS_TWICE)
    told_once(lambda times: times == 1, world)
    if webhook:
        assert {message_id for message_id, _ in world.queue.posts} == {
            each.message_id for each in world.topic.messages
        }


@settings(max_examples=300)
@given(plan=plans, limit=st.integers(1, 4), webhook=st.booleans())
def test_wherever_workers_die_each_transition_is_told_and_no_more_often_than_they_died(
    plan: Plan, limit: int, webhook: bool
) -> None:
    world = World(limit=limit, webhook=webhook)
    run(world, plan, frozenset())
    most = 1 + sum(at is not None for _, at, *_ in plan)
    told_once(lambda times: 1 <= times <= most, world)
