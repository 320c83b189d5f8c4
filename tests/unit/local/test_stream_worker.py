"""How a lane of the stream mapping sees batches through."""

import asyncio
import json
import re
import time
from collections import Counter
from typing import Any, cast

from tests.unit.local.local_fakes import FakeWire, Function, record
from weir_local.faults import Faults
from weir_local.stream_mapping.batches import StreamRecord
from weir_local.stream_mapping.config import MappingConfig, read_config
from weir_local.stream_mapping.worker import Lane
from weir_local.wire import Wire

CONFIG = read_config(
    {
        "UUID": "esm",
        "FunctionArn": "arn:score",
        "EventSourceArn": "arn:stream",
        "BatchSize": 4,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1,
        "MaximumRecordAgeInSeconds": 3600,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failures"}},
    }
)


def keys(event: Any) -> list[str]:
    return [one["dynamodb"]["Keys"]["pk"]["S"] for one in event["Records"]]


def deliver(
    wire: FakeWire,
    records: list[StreamRecord],
    faults: dict[str, Any] | Faults | None = None,
    config: MappingConfig = CONFIG,
) -> Counter[str]:
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        lane = Lane(config, "shard-1", cast("Wire", wire), 0.0, counts)
        lane.faults = faults if isinstance(faults, Faults) else Faults.parse(faults or {})
        for one in records:
            lane.add(one)
        work = asyncio.create_task(lane.run())
        while lane.queue or lane.delivering:
            await asyncio.sleep(0.001)
        work.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 10))
    return counts


def named(*names: str) -> list[StreamRecord]:
    return [record(name, created=time.time()) for name in names]


def raises_on(bad: str) -> Function:
    def function(event: Any) -> Any:
        if bad in keys(event):
            raise RuntimeError(f"{bad} is bad")
        return {"batchItemFailures": []}

    return function


def reports(bad: str) -> Function:
    def function(event: Any) -> Any:
        failed = [
            {"itemIdentifier": one["dynamodb"]["SequenceNumber"]}
            for one in event["Records"]
            if one["dynamodb"]["Keys"]["pk"]["S"] == bad
        ]
        return {"batchItemFailures": failed}

    return function


def discarded(wire: FakeWire) -> list[Any]:
    return [json.loads(body) for body in wire.objects.values()]


def test_batches_come_in_order_and_none_is_larger_than_its_size() -> None:
    wire = FakeWire(raises_on("nothing"))
    deliver(wire, named(*"abcdefghij"))
    assert [keys(event) for event in wire.events] == [list("abcd"), list("efgh"), list("ij")]


def test_bisection_leaves_only_the_poison_record_to_be_discarded() -> None:
    wire = FakeWire(raises_on("c"))
    counts = deliver(wire, named("a", "b", "c", "d"))
    tried = [keys(event) for event in wire.events]
    assert tried == [list("abcd"), ["a", "b"], ["c", "d"], ["c"], ["c"], ["d"]]
    [failure] = discarded(wire)
    assert keys(json.loads(failure["payload"])) == ["c"]
    assert (counts["bisects"], counts["records_discarded"]) == (2, 1)


def test_after_a_report_only_the_rest_is_retried() -> None:
    wire = FakeWire(reports("c"))
    deliver(wire, named("a", "b", "c", "d"))
    tried = [keys(event) for event in wire.events]
    assert tried == [list("abcd"), ["c", "d"], ["c", "d"]]
    [failure] = discarded(wire)
    assert keys(json.loads(failure["payload"])) == ["c", "d"]


def test_a_discarded_batch_is_written_as_lambda_documents_it() -> None:
    wire = FakeWire(raises_on("a"))
    some = named("a")
    deliver(wire, some)
    [key] = wire.objects
    assert re.fullmatch(
        r"failures/aws/lambda/esm/shard-1/\d{4}/\d\d/\d\d/"
        r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}",
        key,
    )
    [failure] = discarded(wire)
    assert failure["requestContext"] == {
        "requestId": "request",
        "functionArn": "arn:score",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert failure["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert failure["version"] == "1.0"
    information = failure["DDBStreamBatchInfo"]
    assert information["startSequenceNumber"] == some[0].sequence
    assert information["batchSize"] == 1
    assert information["streamArn"] == "arn:stream"
    assert information["approximateArrivalOfFirstRecord"].endswith("Z")


def test_records_that_are_too_old_are_discarded_without_an_invocation() -> None:
    wire = FakeWire(raises_on("nothing"))
    deliver(wire, [record("old", created=time.time() - 7200), *named("new")])
    assert [keys(event) for event in wire.events] == [["new"]]
    [failure] = discarded(wire)
    assert failure["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in failure


def test_a_batch_killed_midway_is_done_in_part_and_then_comes_again() -> None:
    wire = FakeWire(raises_on("nothing"))
    counts = deliver(wire, named("a", "b", "c"), {"kill_mid_batch": 1, "seed": 1})
    first = keys(wire.events[0])
    assert first == list("abc")[: len(first)]
    assert [key for event in wire.events[1:] for key in keys(event)] == ["a", "b", "c"]
    assert (counts["killed"], counts["records_discarded"]) == (1, 0)


def test_a_duplicated_batch_comes_twice() -> None:
    wire = FakeWire(raises_on("nothing"))
    deliver(wire, named("a", "b"), {"duplicate_batches": 1})
    assert [keys(event) for event in wire.events] == [["a", "b"], ["a", "b"]]


def test_a_whole_batch_can_come_again_after_a_partial_failure() -> None:
    wire = FakeWire(reports("b"))
    deliver(wire, named("a", "b"), {"redeliver_after_partial": 1})
    assert [keys(event) for event in wire.events] == [["a", "b"], ["a", "b"], ["b"], ["b"]]


def test_an_invocation_made_to_fail_never_reaches_the_function() -> None:
    wire = FakeWire(raises_on("nothing"))
    counts = deliver(wire, named("a"), {"fail_invocations": 1})
    assert [keys(event) for event in wire.events] == [["a"]]
    assert counts["retries"] == 1


def test_records_of_several_devices_can_change_places() -> None:
    wire = FakeWire(raises_on("nothing"))
    faults = Faults.parse({"reorder_batches": 1.0, "seed": 2})
    counts = deliver(wire, named(*"aabbccddee"), faults)
    seen = [key for event in wire.events for key in keys(event)]
    assert seen != list("aabbccddee")
    assert sorted(seen) == list("aabbccddee")
    assert (faults.struck["reorder_batches"] > 0, counts["retries"]) == (True, 0)


def test_records_of_one_device_cannot_change_places_and_no_strike_is_counted() -> None:
    wire = FakeWire(raises_on("nothing"))
    faults = Faults.parse({"reorder_batches": 1.0})
    deliver(wire, named(*"aaaaaa"), faults)
    sequences = [
        one["dynamodb"]["SequenceNumber"] for event in wire.events for one in event["Records"]
    ]
    assert sequences == sorted(sequences, key=int)
    assert not faults.struck
