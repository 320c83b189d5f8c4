"""A test a fault: after each, every accepted reading is in lake and table, scored once, and no
alert is doubled or missing."""

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.aws import FlakyDynamo, FlakyFirehose, client_error, timed_out
from tests.fakes.spill import FakeSpill
from tests.handlers import Context, load_handler
from tests.integration.pipeline import Pipeline, firehose_event
from tests.tables import create_tables
from weir.chunks import pack, pack_records
from weir.readings import Reading, format_ts
from weir.storage.retry import SinkUnavailable

START = int(time.time() * 1000) // 3_600_000 * 3_600_000 - 5 * 3_600_000
ONSET = START + 80 * 60_000


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(dynamodb)
        yield Pipeline(dynamodb, *map(load_handler, ("ingest", "transform", "score")))


def readings(device_id: str = "pump-7", n: int = 100) -> list[dict[str, Any]]:
    """Readings a minute apart with one anomaly, from minute 80 on."""
    return [
        {
            "device_id": device_id,
            "ts": START + at * 60_000,
            "metrics": {"flow": 900.0 if at == 80 else 20.0 + at % 3},
        }
        for at in range(n)
    ]


def assert_conserved(pipeline: Pipeline, sent: list[dict[str, Any]]) -> None:
    """All that was sent is in the table once, in the lake, scored once, with its one alert."""
    pipeline.deliver()
    values = [(r["device_id"], r["ts"], n, v) for r in sent for n, v in r["metrics"].items()]
    in_table = pipeline.in_table()
    assert set(in_table) == set(values)
    assert max(in_table.values()) == 1
    assert pipeline.in_lake() == {(d, format_ts(ts), n, v) for d, ts, n, v in values}
    for device_id in {r["device_id"] for r in sent}:
        assert pipeline.scored(device_id) == sum(v[0] == device_id for v in values)
        assert pipeline.alerts(device_id) == [("flow", ONSET)]


def test_without_a_fault_everything_arrives(pipeline: Pipeline) -> None:
    answer = pipeline.post(readings())
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {"accepted": 100, "rejected": []}
    assert pipeline.ring(pipeline.new_records()) == []
    assert_conserved(pipeline, readings())


def test_records_that_firehose_refuses_are_sent_again(pipeline: Pipeline) -> None:
    pipeline.use_firehose(FlakyFirehose([0], client_error("ServiceUnavailableException", 503), [0]))
    assert pipeline.post(readings())["statusCode"] == 202
    assert len(pipeline.firehose.records) == 1
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


def test_items_left_unprocessed_are_sent_again(pipeline: Pipeline) -> None:
    pipeline.use_dynamodb(FlakyDynamo(pipeline.dynamodb, "batch_write_item", 2, 1))
    assert pipeline.post(readings())["statusCode"] == 202
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


def test_throttling_that_passes_is_waited_out(pipeline: Pipeline) -> None:
    throttles = [client_error("ProvisionedThroughputExceededException")] * 3
    pipeline.use_dynamodb(FlakyDynamo(pipeline.dynamodb, "batch_write_item", *throttles))
    assert pipeline.post(readings())["statusCode"] == 202
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


@pytest.mark.parametrize("sink", ["firehose", "dynamodb"])
@pytest.mark.parametrize(
    "trouble",
    [
        client_error("ThrottlingException"),
        client_error("InternalServerError", 500),
        client_error("AccessDeniedException"),
        timed_out(),
    ],
    ids=["throttled", "down", "forbidden", "silent"],
)
def test_what_a_sink_does_not_take_waits_in_the_spill_and_the_202_is_true(
    pipeline: Pipeline, sink: str, trouble: Exception
) -> None:
    if sink == "firehose":
        pipeline.use_firehose(FlakyFirehose(*[trouble] * 100))
    else:
        pipeline.use_dynamodb(FlakyDynamo(pipeline.dynamodb, "batch_write_item", *[trouble] * 100))
    assert pipeline.post(readings(), seconds=2.6)["statusCode"] == 202
    assert len(pipeline.spill.readings()) == 100
    well = FlakyFirehose()
    well.records = pipeline.firehose.records
    pipeline.use_firehose(well)
    pipeline.respill()
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


@pytest.mark.parametrize(("throttled", "status"), [(True, 429), (False, 503)])
def test_with_the_spill_away_too_the_answer_is_honest_and_sending_again_heals_it(
    pipeline: Pipeline, throttled: bool, status: int
) -> None:
    pipeline.spill = FakeSpill(SinkUnavailable("SQS", 1, "away", throttled=throttled))
    pipeline.use_firehose(FlakyFirehose(client_error("AccessDeniedException")))
    answer = pipeline.post(readings())
    assert answer["statusCode"] == status
    assert int(answer["headers"]["retry-after"]) > 0
    assert json.loads(answer["body"])["code"] == ("throttled" if throttled else "sink_unavailable")
    pipeline.use_firehose(FlakyFirehose())
    assert pipeline.post(readings())["statusCode"] == 202
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


def test_a_sink_that_is_down_is_left_alone_by_the_requests_that_follow(pipeline: Pipeline) -> None:
    down = FlakyFirehose(*[client_error("AccessDeniedException")] * 3)
    pipeline.use_firehose(down)
    for at in range(3):
        assert pipeline.post(readings(f"pump-{at}"))["statusCode"] == 202
    assert len(down.calls) == 1
    assert len(pipeline.spill.readings()) == 300


def test_a_device_that_is_throttled_does_not_make_the_others_spill(pipeline: Pipeline) -> None:
    throttled = [client_error("ProvisionedThroughputExceededException")] * 4
    flaky = FlakyDynamo(pipeline.dynamodb, "batch_write_item", *throttled)
    pipeline.use_dynamodb(flaky)
    assert pipeline.post(readings("hot"), seconds=2.05)["statusCode"] == 202
    assert {device for device, *_ in pipeline.spill.readings()} == {"hot"}
    flaky._faults.clear()
    assert pipeline.post(readings("pump-7"))["statusCode"] == 202
    assert {device for device, *_ in pipeline.spill.readings()} == {"hot"}


def test_a_call_that_was_carried_out_but_not_answered_doubles_nothing(pipeline: Pipeline) -> None:
    class WroteThenTimedOut(FlakyDynamo):
        def _guarded(self, call: Any) -> Any:
            def guarded(**request: Any) -> Any:
                answer = call(**request)
                self.calls += 1
                if self.calls == 1:
                    raise timed_out()
                return answer

            return guarded

    pipeline.use_dynamodb(WroteThenTimedOut(pipeline.dynamodb, "batch_write_item"))
    assert pipeline.post(readings())["statusCode"] == 202
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())


def test_a_batch_of_the_stream_that_comes_twice_scores_nothing_twice(pipeline: Pipeline) -> None:
    pipeline.post(readings())
    records = pipeline.new_records()
    pipeline.ring(records)
    pipeline.ring(records)
    pipeline.new_score_worker()
    pipeline.ring(records)
    assert_conserved(pipeline, readings())


@pytest.mark.parametrize("operation", ["put_item", "query", "batch_get_item"])
def test_a_kill_anywhere_in_score_is_made_good_by_redelivery(
    pipeline: Pipeline, operation: str
) -> None:
    pipeline.post(readings())
    records = pipeline.new_records()
    for call in range(4):  # put_item: the first alerts, then checkpoints

        class Killed(BaseException):
            pass

        faults: list[Any] = [None] * call + [Killed()]
        pipeline.new_score_worker(_Killing(pipeline.dynamodb, operation, *faults))
        with suppress(Killed):
            pipeline.ring(records)
    pipeline.new_score_worker()
    assert pipeline.ring(records) == []
    assert_conserved(pipeline, readings())


class _Killing(FlakyDynamo):
    def _guarded(self, call: Any) -> Any:
        def guarded(**request: Any) -> Any:
            fault = self._faults.pop(0) if self._faults else None
            if isinstance(fault, BaseException):
                raise fault
            return call(**request)

        return guarded


def test_a_poison_record_fails_alone_and_its_shard_mates_are_scored(pipeline: Pipeline) -> None:
    pipeline.post(readings("pump-7") + readings("pump-8"))
    records = pipeline.new_records()
    poison = json.loads(json.dumps(records[0]))
    poison["dynamodb"]["Keys"]["pk"]["S"] = "poisoned"
    poison["dynamodb"]["NewImage"]["body"]["B"] = base64.b64encode(b"garbage").decode()
    poison["dynamodb"]["SequenceNumber"] = "poison"
    batch = [*records[:2], poison, *records[2:]]
    assert pipeline.ring(batch) == [{"itemIdentifier": "poison"}]
    assert_conserved(pipeline, readings("pump-7") + readings("pump-8"))


def test_a_device_that_fails_is_named_by_its_first_record(pipeline: Pipeline) -> None:
    pipeline.post(readings("pump-7") + readings("pump-8"))
    records = pipeline.new_records()
    eighth = [r for r in records if r["dynamodb"]["Keys"]["pk"]["S"] == "pump-8"]
    pipeline.dynamodb.put_item(TableName="readings", Item={"pk": {"S": "x"}, "sk": {"S": "0"}})
    score = pipeline.score.scorer.score

    def failing(device_id: str, *arguments: Any) -> Any:
        if device_id == "pump-8":
            raise RuntimeError("no")
        return score(device_id, *arguments)

    pipeline.score.scorer.score = failing
    failures = pipeline.ring(records)
    assert failures == [{"itemIdentifier": eighth[0]["dynamodb"]["SequenceNumber"]}]
    assert pipeline.scored("pump-7") == 100


def test_a_device_that_takes_too_long_fails_and_the_others_are_scored(pipeline: Pipeline) -> None:
    pipeline.post(readings("pump-7") + readings("pump-8"))
    records = pipeline.new_records()
    score, released = pipeline.score.scorer.score, threading.Event()

    def endless(device_id: str, *arguments: Any) -> Any:
        if device_id == "pump-8":
            released.wait(30)
        return score(device_id, *arguments)

    pipeline.score.scorer.score = endless
    try:
        answer = pipeline.score.lambda_handler({"Records": records}, Context(7))
    finally:
        released.set()
    eighth = [r for r in records if r["dynamodb"]["Keys"]["pk"]["S"] == "pump-8"]
    first = eighth[0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert pipeline.scored("pump-7") == 100


def test_a_record_that_transform_cannot_read_fails_alone(pipeline: Pipeline) -> None:
    pipeline.post(readings())
    pipeline.firehose.records.insert(0, b"garbage")
    pipeline.firehose.records.append(gzip.compress(b'{"device_id": 7}'))
    pipeline.ring(pipeline.new_records())
    assert_conserved(pipeline, readings())
    assert len(pipeline.errors) == 2


def wide_record(device_id: str, hours: int = 3) -> tuple[bytes, int]:
    """A record that inflates to megabytes of rows, and how many there are."""
    names = [f"metric-{n:02d}-{'x' * 100}" for n in range(64)]
    rows = [
        Reading(device_id, START + h * 3_600_000 + at, dict.fromkeys(names, 1.0))
        for h in range(hours)
        for at in range(40)
    ]
    (record,) = pack_records(pack(rows))
    return record, len(rows)


def test_what_does_not_fit_into_an_answer_goes_back_into_the_stream(pipeline: Pipeline) -> None:
    records, total = [], 0
    for n in range(8):
        record, rows = wide_record(f"pump-{n}")
        records.append(record)
        total += rows
    back = FlakyFirehose()
    pipeline.transform.client = lambda _: back  # type: ignore[attr-defined]
    answer = pipeline.transform.lambda_handler(firehose_event(records), Context(60))
    assert len(json.dumps(answer)) <= 6_000_000
    results = [reply["result"] for reply in answer["records"]]
    assert set(results) == {"Ok", "Dropped"}
    assert len(back.records) == results.count("Dropped")
    lines = sum(
        base64.b64decode(reply["data"]).count(b"\n")
        for reply in answer["records"]
        if reply["result"] == "Ok"
    )
    again = pipeline.transform.lambda_handler(firehose_event(back.records, START), Context(60))
    rest = [base64.b64decode(reply["data"]) for reply in again["records"]]
    assert lines + sum(data.count(b"\n") for data in rest) == total
    came = json.loads(rest[0].splitlines()[0])["received_at"]
    assert came.startswith("2026-01-01")  # when it first came, not when it came again


def test_what_the_stream_does_not_take_back_is_failed_not_lost(pipeline: Pipeline) -> None:
    records = [wide_record(f"pump-{n}")[0] for n in range(8)]
    back = FlakyFirehose(*[client_error("ServiceUnavailableException")] * 50)
    pipeline.transform.client = lambda _: back  # type: ignore[attr-defined]
    answer = pipeline.transform.lambda_handler(firehose_event(records), Context(5.2))
    results = [reply["result"] for reply in answer["records"]]
    assert set(results) == {"Ok", "ProcessingFailed"}


def test_sending_everything_again_changes_nothing_and_rings_no_doorbell(
    pipeline: Pipeline,
) -> None:
    pipeline.post(readings())
    pipeline.ring(pipeline.new_records())
    pipeline.post(readings())
    assert pipeline.new_records() == []
    assert_conserved(pipeline, readings())
