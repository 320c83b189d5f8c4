"""Faults to order."""

import pytest

from weir_local.faults import Faults


def test_a_counted_fault_strikes_so_many_times_and_no_more() -> None:
    faults = Faults.parse({"kill_mid_batch": 2})
    assert [faults.strikes("kill_mid_batch") for _ in range(4)] == [True, True, False, False]


def test_a_fraction_strikes_that_often_and_the_same_way_for_the_same_seed() -> None:
    runs = []
    for _ in range(2):
        faults = Faults.parse({"duplicate": 0.25, "seed": 3})
        runs.append([faults.strikes("duplicate") for _ in range(1000)])
    assert runs[0] == runs[1]
    assert 200 < sum(runs[0]) < 300


def test_records_fail_by_index_or_by_fraction() -> None:
    by_index = Faults.parse({"fail_records": [0, 3]})
    assert [index for index in range(5) if by_index.fails_record(index)] == [0, 3]
    assert all(Faults.parse({"fail_records": 1.0}).fails_record(index) for index in range(5))
    assert not any(Faults().fails_record(index) for index in range(5))


@pytest.mark.parametrize(
    "wanted",
    [{"nonsense": 1}, {"duplicate": -1}, {"duplicate": 1.5}, {"duplicate": True}, [],
     {"fail_records": 2}, {"fail_records": ["1"]}, {"seed": 0.5}],
)  # fmt: skip
def test_faults_that_make_no_sense_are_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Faults.parse(wanted)
