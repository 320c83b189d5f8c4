"""What becomes of the records of a delivery stream."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from tests.unit.local.local_fakes import FakeWire, FakeWorkers, Function
from weir_local.faults import Faults
from weir_local.firehose.config import StreamConfig
from weir_local.firehose.delivery import DeliveryStream
from weir_local.firehose.limits import PutData
from weir_local.wire import Wire
from weir_local.workers import Workers

CONFIG = StreamConfig(
    name="lake",
    arn="arn:lake",
    version="1",
    bucket="b",
    prefix="rows/!{timestamp:yyyy}/",
    error_prefix="errors/!{firehose:error-output-type}/!{timestamp:yyyy}/",
    compressed=True,
    buffer_bytes=1_000_000,
    buffer_interval=60,
    function_arn="arn:transform",
    processor_bytes=1_000,
    processor_interval=60,
    retries=2,
)


def put(stream: DeliveryStream, content: Any) -> None:
    raw = json.dumps(content).encode() + b"\n"
    stream.put(PutData(base64.b64encode(raw).decode(), len(raw)))


def results(result: str) -> Function:
    def function(event: Any) -> Any:
        return {"records": [one | {"result": result} for one in event["records"]]}

    return function


def run(
    wire: FakeWire,
    act: Callable[[DeliveryStream], Awaitable[None]],
    time_scale: float = 1.0,
    workers: FakeWorkers | None = None,
) -> Counter[str]:
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        stream = DeliveryStream(
            CONFIG,
            cast("Wire", wire),
            "us-east-1",
            time_scale,
            counts,
            cast("Workers", workers or FakeWorkers()),
        )
        work = asyncio.create_task(stream.run())
        await asyncio.wait_for(act(stream), 10)
        assert stream.pending() == 0
        work.cancel()

    asyncio.run(scenario())
    return counts


def test_records_are_transformed_together_and_written_compressed() -> None:
    async def act(stream: DeliveryStream) -> None:
        for number in range(3):
            put(stream, number)
        assert stream.pending() == 3
        await stream.flush()

    wire = FakeWire(results("Ok"))
    run(wire, act)
    assert wire.lines("b/rows/") == [0, 1, 2]
    assert [len(event["records"]) for event in wire.events] == [3]


def test_a_batch_closes_before_it_would_outgrow_the_processor_buffer() -> None:
    async def act(stream: DeliveryStream) -> None:
        for _ in range(5):
            put(stream, "x" * 300)
        await stream.flush()

    wire = FakeWire(results("Ok"))
    run(wire, act)
    assert [len(event["records"]) for event in wire.events] == [3, 2]


def test_buffers_are_delivered_when_their_scaled_interval_ends() -> None:
    async def act(stream: DeliveryStream) -> None:
        put(stream, 1)
        while stream.pending():
            await asyncio.sleep(0.01)

    wire = FakeWire(results("Ok"))
    run(wire, act, time_scale=0.001)
    assert wire.lines("b/rows/") == [1]


def test_a_record_that_failed_goes_to_the_error_prefix_with_its_data() -> None:
    async def act(stream: DeliveryStream) -> None:
        put(stream, "bad")
        await stream.flush()

    wire = FakeWire(results("ProcessingFailed"))
    counts = run(wire, act)
    [error] = wire.lines("b/errors/processing-failed/")
    assert json.loads(base64.b64decode(error["rawData"])) == "bad"
    assert (error["attemptsMade"], counts["records_processing_failed"]) == (1, 1)


def test_a_dropped_record_goes_nowhere() -> None:
    async def act(stream: DeliveryStream) -> None:
        put(stream, 1)
        await stream.flush()

    wire = FakeWire(results("Dropped"))
    assert run(wire, act)["records_dropped"] == 1
    assert not wire.objects


def test_a_function_that_keeps_failing_is_retried_and_then_everything_goes_to_errors() -> None:
    def function(_event: Any) -> Any:
        raise RuntimeError("down")

    async def act(stream: DeliveryStream) -> None:
        put(stream, 1)
        put(stream, 2)
        await stream.flush()

    wire = FakeWire(function)
    run(wire, act)
    assert len(wire.events) == 1 + CONFIG.retries
    errors = wire.lines("b/errors/processing-failed/")
    assert [one["attemptsMade"] for one in errors] == [3, 3]
    assert errors[0]["errorCode"] == "Lambda.FunctionError"


def test_an_invocation_whose_answer_is_lost_runs_again() -> None:
    async def act(stream: DeliveryStream) -> None:
        stream.faults = Faults.parse({"kill_transform": 1})
        put(stream, 1)
        await stream.flush()

    wire = FakeWire(results("Ok"))
    run(wire, act)
    assert len(wire.events) == 2
    assert wire.lines("b/rows/") == [1]


def test_a_transform_that_is_killed_at_work_runs_again() -> None:
    async def act(stream: DeliveryStream) -> None:
        stream.faults = Faults.parse({"kill_transform_process": 2})
        put(stream, 1)
        await stream.flush()
        assert stream.faults.struck == {"kill_transform_process": 2}

    wire = FakeWire(results("Ok"))
    workers = FakeWorkers()
    counts = run(wire, act, workers=workers)
    assert set(workers.killed) == {"transform"}
    assert counts["transform_failures"] == 2
    assert wire.lines("b/rows/") == [1]


def test_an_object_that_s3_refuses_is_written_later() -> None:
    async def act(stream: DeliveryStream) -> None:
        put(stream, 1)
        await stream.flush()

    wire = FakeWire(results("Ok"))
    wire.refuse_puts = 2
    assert run(wire, act)["delivery_failures"] == 2
    assert wire.lines("b/rows/") == [1]


def test_a_duplicated_record_arrives_twice_under_two_ids() -> None:
    async def act(stream: DeliveryStream) -> None:
        stream.faults = Faults.parse({"duplicate": 1.0})
        put(stream, 1)
        await stream.flush()

    wire = FakeWire(results("Ok"))
    assert run(wire, act)["records_duplicated"] == 1
    assert wire.lines("b/rows/") == [1, 1]


def test_what_the_transform_puts_back_is_flushed_too() -> None:
    async def act(stream: DeliveryStream) -> None:
        def function(event: Any) -> Any:
            if len(wire.events) == 1:
                put(stream, "rest")
            return results("Ok")(event)

        wire.function = function
        put(stream, "first")
        await stream.flush()

    wire = FakeWire(results("Ok"))
    run(wire, act)
    assert sorted(wire.lines("b/rows/")) == ["first", "rest"]
