"""A batch that was given up, put through again: the good records are done, whatever fails."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weir_cli.replay import FailedChange, event_of
from weir_cli.replay_batch import FAILED, PATIENCE_S, Answer, parts, put_through, read_answer
from weir_local.stream_mapping.batches import Batch, StreamRecord, first_failure


class Score:
    """Fails a device as a whole if one of its records is poison; raises for some of them."""

    def __init__(self, poison: set[str], raising: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.poison, self.raising = poison, raising
        self.done: set[str] = set()
        self.calls: list[list[str]] = []

    def __call__(self, batch: Sequence[FailedChange]) -> Answer:
        self.calls.append([change.sequence for change in batch])
        if any(change.sequence in self.raising for change in batch):
            return Answer(b'{"errorType": "KeyError", "errorMessage": "\'pk\'"}', "Unhandled")
        failed = {change.device for change in batch if change.sequence in self.poison}
        self.done |= {change.sequence for change in batch if change.device not in failed}
        first = next((c.sequence for c in batch if c.device in failed), None)
        named = [] if first is None else [{"itemIdentifier": first}]
        return Answer(json.dumps({"batchItemFailures": named}).encode())


def batch_of(devices: Sequence[str]) -> list[FailedChange]:
    return [FailedChange(b"{}", str(n), device) for n, device in enumerate(devices)]


def going() -> bool:
    return False


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["good", "good", "poison", "raising"])),
        max_size=40,
    )
)
def test_every_good_record_is_done_and_every_other_stays(records: list[tuple[str, str]]) -> None:
    batch = batch_of([device for device, _ in records])
    of_kind = {
        kind: {str(n) for n, (_, k) in enumerate(records) if k == kind}
        for kind in ("good", "poison", "raising")
    }
    score = Score(of_kind["poison"], of_kind["raising"])
    left = put_through(batch, score, going)
    assert score.done == of_kind["good"]
    assert {str(place) for place in left} == of_kind["poison"] | of_kind["raising"]
    assert {str(n) for n, v in left.items() if v.because == "score raised KeyError"} == of_kind[
        "raising"
    ]
    assert len(score.calls) <= 1 + 4 * len(batch)


def test_a_batch_without_fault_is_one_call_in_the_order_of_the_stream() -> None:
    score = Score(set())
    assert put_through(batch_of("abcab"), score, going) == {}
    assert score.calls == [["0", "1", "2", "3", "4"]]


def test_a_poison_record_among_a_hundred_is_found_in_few_calls() -> None:
    score = Score({"50"})
    (left,) = put_through(batch_of(["a"] * 100), score, going)
    assert left == 50
    assert len(score.calls) <= 14


def test_a_part_has_at_most_100_records_and_6_mb() -> None:
    batch = [
        FailedChange(b"x" * size, str(n))
        for n, size in enumerate([5_999_000, 900, 900] + [1] * 250)
    ]
    found = list(parts(range(len(batch)), batch))
    assert [place for part in found for place in part] == list(range(len(batch)))
    for part in found:
        assert len(part) <= 100
        assert len(event_of([batch[place] for place in part])) <= 6_000_000
    assert len(found) == 4


def test_when_nothing_gets_done_for_ten_minutes_the_rest_is_not_tried() -> None:
    now = [0.0]

    def hangs(batch: Sequence[FailedChange]) -> Answer:
        now[0] += 60
        return Answer(b'{"errorMessage": "Task timed out after 60.00 seconds"}', "Unhandled")

    left = put_through(batch_of("a" * 64), hangs, going, lambda: now[0])
    assert len(left) == 64
    assert now[0] == PATIENCE_S
    assert "Task timed out" in left[63].detail
    assert left[63].because == "not tried"


def test_a_slow_device_does_not_use_up_the_time_of_the_others() -> None:
    now = [0.0]
    score = Score({str(n) for n in range(64)})

    def slow(batch: Sequence[FailedChange]) -> Answer:
        now[0] += 55
        return score(batch)

    left = put_through(batch_of("a" * 64 + "b"), slow, going, lambda: now[0])
    assert score.done == {"64"}
    assert set(left) == set(range(64))


def test_what_is_stopped_is_not_tried() -> None:
    score = Score({"1"})
    left = put_through(batch_of("aabb"), score, lambda: bool(score.calls))
    assert set(left) == {0, 1, 2, 3}  # what stands behind the first failure may not be done
    assert {verdict.because for verdict in left.values()} == {"not tried"}


ANSWERS = st.one_of(
    st.sampled_from([None, {}, [], 0, "", "x", 7, {"batchItemFailures": None}, [1]]),
    st.fixed_dictionaries(
        {
            "batchItemFailures": st.lists(
                st.one_of(
                    st.fixed_dictionaries(
                        {"itemIdentifier": st.sampled_from(["0", "1", "2", "9", "", None])}
                    ),
                    st.sampled_from([{}, None, "0"]),
                ),
                max_size=3,
            )
        }
    ),
)


@given(ANSWERS)
def test_an_answer_is_read_as_lambda_reads_it(answer: Any) -> None:
    payload = json.dumps(answer).encode()
    batch = batch_of("abc")
    mapping = Batch(tuple(StreamRecord(c.sequence, {}, "{}", 0.0) for c in batch))
    expected = first_failure(payload, mapping, report_failures=True)
    found = read_answer(payload, batch)
    assert found.done == (3 if expected is None else expected)
    assert (found.verdict is None) == (expected is None)


def test_an_answer_that_is_no_json_is_a_failure_of_the_whole_batch() -> None:
    for payload in (b"{", b"\xff", b"[" * 100_000):
        found = read_answer(payload, batch_of("ab"))
        assert found.done == 0
        assert found.verdict is not None
        assert found.verdict.because == FAILED
