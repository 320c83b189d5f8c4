"""Faults to order."""

from collections import Counter

import pytest

from weir_local.faults import CALLS, DELIVERIES, RATES, Faults


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


def test_a_fault_may_be_narrowed_to_a_function_to_an_operation_or_to_both() -> None:
    faults = Faults.parse(
        {
            "dynamo_refuse@ingest": 1.0,
            "dynamo_throttle@PutItem": 1.0,
            "dynamo_slow@score@Query": 1.0,
        }
    )
    assert faults.strikes("dynamo_refuse", "ingest", "BatchWriteItem")
    assert not faults.strikes("dynamo_refuse", "score", "BatchWriteItem")
    assert faults.strikes("dynamo_throttle", "score", "PutItem")
    assert not faults.strikes("dynamo_throttle", "score", "Query")
    assert faults.strikes("dynamo_slow", "score", "Query")
    assert not faults.strikes("dynamo_slow", "api", "Query")


def test_a_fault_of_a_stream_s_batches_may_be_narrowed_to_whose_they_are() -> None:
    faults = Faults.parse({"kill_mid_batch@notify": 1.0, "duplicate_batches": 1.0})
    assert not faults.strikes("kill_mid_batch", "score")
    assert faults.strikes("kill_mid_batch", "notify")
    assert faults.strikes("duplicate_batches", "score")
    assert faults.struck["kill_mid_batch@notify"] == faults.struck["kill_mid_batch"] == 1


def test_one_fault_may_be_ordered_for_several_places() -> None:
    faults = Faults.parse({"kill_score@PutItem": 1, "kill_score@Query": 1})
    calls = ["Query", "PutItem", "Query", "PutItem"]
    assert [faults.strikes("kill_score", "score", one) for one in calls] == [
        True,
        True,
        False,
        False,
    ]


def test_what_struck_is_counted_by_name_and_by_place_across_orders() -> None:
    struck: Counter[str] = Counter()
    faults = Faults.parse({"dynamo_refuse": 1, "fail_records": [0]}, struck)
    faults.strikes("dynamo_refuse", "ingest", "BatchWriteItem")
    faults.strikes("dynamo_refuse", "ingest", "BatchWriteItem")
    faults.fails_record(0)
    Faults.parse({"duplicate": 1}, struck).strikes("duplicate")
    assert struck == {
        "dynamo_refuse": 1,
        "dynamo_refuse@ingest.BatchWriteItem": 1,
        "fail_records": 1,
        "duplicate": 1,
    }


def test_a_fault_that_takes_the_proxy_is_named() -> None:
    assert Faults.parse({"refuse_calls@ingest": 1, "duplicate": 1}).needs_proxy() is None
    assert Faults.parse({"duplicate": 1, "s3_slow@ingest": 1}).needs_proxy() == "s3_slow"


def test_every_fault_can_be_ordered() -> None:
    faults = Faults.parse(dict.fromkeys(RATES, 1))
    assert all(faults.strikes(name) for name in RATES)
    assert not CALLS.keys() & DELIVERIES.keys()


@pytest.mark.parametrize(
    "wanted",
    [{"nonsense": 1}, {"duplicate": -1}, {"duplicate": 1.5}, {"duplicate": True}, [],
     {"dynamo_refuse@ingester": 1}, {"kill_mid_batch@ingest": 1}, {"kill_mid_batch@PutItem": 1},
     {"duplicate@ingest": 1}, {"dynamo_refuse@": 1},
     {"split_shards": 0}, {"split_shards": 9}, {"split_shards": 0.5}, {"slow_seconds": -1},
     {"slow_seconds": True}, {"duplicate": float("nan")},
     {"fail_records": 2}, {"fail_records": ["1"]}, {"seed": 0.5}],
)  # fmt: skip
def test_faults_that_make_no_sense_are_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Faults.parse(wanted)
