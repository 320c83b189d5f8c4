"""After a rewind: what was told of the history that is undone, put right by the new one."""

from collections.abc import Iterator, Mapping, Sequence

from weir.alerts.alarm import Alarm, Cleared, Fact, Followed, Reopened, Withdrawn
from weir.controls import DEVICE
from weir.scoring.fold import Folded
from weir.scoring.state import DeviceState
from weir.scoring.telling import AlertName, name_of


def amends(
    doubted: Sequence[Fact], start: DeviceState, folded: Folded
) -> tuple[list[Fact], list[Fact]]:
    """What to tell of the alerts `doubted` after a fold from `start`, and which are still so.

    An alert of which the fold itself tells something stands as that says: it is told last. One
    that there is not any more is withdrawn, one that there is stands as its alarm does.
    """
    told = {name_of(fact) for fact in folded.facts}
    stands = {**_standing(start), **_standing(folded.state)}
    facts: list[Fact] = []
    still: list[Fact] = []
    for before in doubted:
        if not _has_reached(folded.state, before):
            still.append(before)
        elif name_of(before) not in told:
            facts += _amend(before, stands.get(name_of(before)))
    return facts, still


def _amend(before: Fact, now: Fact | None) -> Iterator[Fact]:
    ended = isinstance(before, Cleared | Withdrawn)
    match now:
        case None:
            if not isinstance(before, Withdrawn):
                yield Withdrawn(before.metric, before.onset, before.at)
        case Cleared():
            if not isinstance(before, Cleared):
                yield now
        case Followed():
            if ended:
                yield Reopened(now.metric, now.onset, now.at, now.peak, now.peak_ts, now.count)


def _has_reached(state: DeviceState, fact: Fact) -> bool:
    """Whether what the fact is about is scored up to when it happened."""
    if fact.metric == DEVICE:
        marks = [group.watermark for group in state.groups.values()] or [state.frontier]
        return max(marks) >= fact.at
    metric = state.metrics.get(fact.metric)
    return metric is not None and metric.watermark >= fact.at


def _standing(state: DeviceState) -> Mapping[AlertName, Cleared | Followed]:
    """How the state's alarms stand, open or ended."""
    alarms = [(name, metric.alarm) for name, metric in state.metrics.items()]
    alarms += [(DEVICE, group.alarm) for group in state.groups.values()]
    return {(name, alarm.onset): _stands(name, alarm) for name, alarm in alarms if alarm}


def _stands(name: str, alarm: Alarm) -> Cleared | Followed:
    course = alarm.peak, alarm.peak_ts
    if alarm.ended_at is None:
        return Followed(name, alarm.onset, alarm.last_seen, *course, alarm.count)
    return Cleared(name, alarm.onset, alarm.ended_at, *course, alarm.last_seen, alarm.count)
