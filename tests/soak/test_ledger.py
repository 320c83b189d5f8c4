"""The ledger finds what is wrong, each kind by itself, and nothing where nothing is."""

from collections.abc import Callable, Mapping

import pytest

from tests.soak.fleet import Device, Reading
from tests.soak.found import Arrivals, Copies, Lake, StoredAlert
from tests.soak.ledger import compare, compare_alerts

READINGS = [Reading(1000 * at, {"flow": 0.1 + at, "heat": 20.0}) for at in range(1, 6)]
LAST = 5000


class World:
    """A device whose readings, all but the last one, are acknowledged, stored and scored."""

    def __init__(self) -> None:
        self.device = Device("pump-7", "json", iter(()), READINGS, acknowledged=4, sent=5)
        self.table = Copies()
        self.lake = Lake()
        for reading in READINGS[:4]:
            for name, value in reading.metrics.items():
                self.table.add(name, reading.ts, value)
                self.lake.devices["pump-7"].add(name, reading.ts, value)
            self.lake.ids["pump-7"].add(f"id of {reading.ts}")
        self.scored = {"flow": (4, 4000), "heat": (4, 4000)}

    def wrong(self) -> dict[str, int]:
        found = compare([self.device], {"pump-7": self.table}, self.lake, {"pump-7": self.scored})
        counts = {
            "missing": len(found.missing),
            "not scored": found.not_scored,
            "strange": found.strange,
            **found.doubled,
        }
        return {name: count for name, count in counts.items() if count}


def lose_from_table(world: World) -> None:
    del world.table.values["flow", 2000]


def lose_from_lake(world: World) -> None:
    del world.lake.devices["pump-7"].values["heat", 1000]


def change_in_lake(world: World) -> None:
    world.lake.devices["pump-7"].values["flow", 1000] += 1e-15


def leave_unscored(world: World) -> None:
    world.scored["heat"] = (2, 4000)


def never_score(world: World) -> None:
    del world.scored["heat"]


def score_twice(world: World) -> None:
    world.scored["flow"] = (5, 4000)


def disagree(world: World) -> None:
    world.table.add("flow", 1000, 7.0)


def name_twice(world: World) -> None:
    world.lake.ids["pump-7"].add("another id of 1000")


def invent(world: World) -> None:
    world.table.add("flow", 1500, 1.0)


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lose_from_table, {"missing": 1}),
        (lose_from_lake, {"missing": 1}),
        (change_in_lake, {"missing": 1}),
        (leave_unscored, {"not scored": 2}),
        (never_score, {"not scored": 4}),
        (score_twice, {"values scored twice": 1}),
        (disagree, {"copies that disagree": 1}),
        (name_twice, {"readings with several ids": 1}),
        (invent, {"strange": 1}),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[World], None], wrong: dict[str, int]) -> None:
    world = World()
    assert world.wrong() == {}
    spoil(world)
    assert world.wrong() == wrong


def test_equal_copies_are_counted_and_are_nothing_wrong() -> None:
    world = World()
    world.table.add("flow", 1000, 1.1)
    world.lake.devices["pump-7"].add("flow", 1000, 1.1)
    assert world.wrong() == {}
    assert world.table.copies == len(world.table.values) + 1


def test_what_is_not_acknowledged_need_not_be_there() -> None:
    assert READINGS[4].ts == LAST
    assert World().wrong() == {}


# ------------------------------------------------------------------ alerts

ANOMALY = ("pump-7", "flow", 1000)


def came(*times: int, metric: str = "flow", device: str = "pump-7") -> Mapping[str, Arrivals]:
    """The values of a metric in the order in which they came."""
    return {device: {(metric, ts): place for place, ts in enumerate(times)}}


IN_ORDER = came(*range(500, 9001, 500), 9001, 9500)


def stored(
    onset: int, ended_at: int | None = None, metric: str = "flow", *, withdrawn: bool = False
) -> StoredAlert:
    return StoredAlert("pump-7", metric, onset, ended_at is not None, ended_at, withdrawn)


def test_alerts_that_agree_are_nothing_wrong() -> None:
    found = compare_alerts({ANOMALY: 9000}, [stored(1000, 9000)], IN_ORDER)
    assert (found.missing, found.false, found.misstated, found.doubled) == ([], [], [], 0)
    assert (found.provisional, found.ended_late) == ([], 0)


def test_an_alert_that_is_not_there_is_missing() -> None:
    assert compare_alerts({ANOMALY: None}, [], IN_ORDER).missing == [ANOMALY]


def test_an_alert_of_what_was_no_anomaly_is_false_though_it_is_cleared() -> None:
    for extra in (stored(500, 800), stored(9001, 9500), stored(2000, 3000, metric="heat")):
        assert compare_alerts({ANOMALY: 9000}, [stored(1000, 9000), extra], IN_ORDER).false == [
            extra
        ]


def test_an_alert_that_stands_twice_is_doubled() -> None:
    assert (
        compare_alerts({ANOMALY: 9000}, [stored(1000, 9000), stored(1000)], IN_ORDER).doubled == 1
    )


def test_an_alert_that_ended_and_stands_open_is_misstated_and_the_other_way_round() -> None:
    assert compare_alerts({ANOMALY: 9000}, [stored(1000)], IN_ORDER).misstated == [ANOMALY]
    assert compare_alerts({ANOMALY: None}, [stored(1000, 9000)], IN_ORDER).misstated == [ANOMALY]


def test_an_alert_that_stands_withdrawn_and_is_not_is_misstated() -> None:
    withdrawn = stored(1000, 9000, withdrawn=True)
    assert compare_alerts({ANOMALY: 9000}, [withdrawn], IN_ORDER).misstated == [ANOMALY]


def test_an_end_that_was_found_late_is_counted_apart() -> None:
    found = compare_alerts({ANOMALY: 9000}, [stored(1000, 9500)], IN_ORDER)
    assert (found.misstated, found.ended_late) == ([], 1)


def test_an_alert_is_provisional_if_a_value_before_it_came_later_and_it_is_withdrawn() -> None:
    extra = stored(500, 800, withdrawn=True)
    late = came(300, 500, 600, 400)
    found = compare_alerts({}, [extra], late)
    assert (found.provisional, found.false) == ([extra], [])
    for stands in (stored(500), stored(500, 800)):
        assert compare_alerts({}, [stands], late).false == [stands]
    of_device = stored(500, 800, metric="*", withdrawn=True)
    assert compare_alerts({}, [of_device], late).provisional == [of_device]


def test_a_withdrawn_alert_is_false_if_all_before_it_was_there() -> None:
    extra = stored(500, 800, withdrawn=True)
    for arrivals in (
        came(400, 500, 700, 600),  # what came late is later than the alert,
        came(500, 400, device="pump-8"),  # or of another device,
        came(500, 400, metric="heat"),  # or of another metric,
        came(600, 400),  # or there is no reading of the onset
    ):
        assert compare_alerts({}, [extra], arrivals).false == [extra]
