"""How the stream mapping reads a stream to its end."""

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from tests.unit.local.local_fakes import FakeWire, record
from weir_local.faults import Faults
from weir_local.stream_mapping.config import read_config
from weir_local.stream_mapping.poller import StreamMapping
from weir_local.wire import Wire, WireError

CONFIG = read_config(
    {
        "UUID": "esm",
        "FunctionArn": "arn:score",
        "EventSourceArn": "arn:stream",
        "ParallelizationFactor": 2,
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
    }
)


class FakeStream(FakeWire):
    """One shard; an iterator is the position as a string."""

    def __init__(self) -> None:
        super().__init__(lambda _event: None)
        self.records: list[Any] = []
        self.expire_iterators = 0
        self.page_size = 2

    async def json(self, _service: str, target: str, arguments: Any) -> Any:
        match target.partition(".")[2]:
            case "DescribeStream":
                return {"StreamDescription": {"Shards": [{"ShardId": "shard-1"}]}}
            case "GetShardIterator":
                return {"ShardIterator": str(self._position(arguments))}
        if self.expire_iterators:
            self.expire_iterators -= 1
            raise WireError("ExpiredIteratorException", "too late")
        await asyncio.sleep(0)
        start = int(arguments["ShardIterator"])
        page = self.records[start : start + self.page_size]
        return {"Records": page, "NextShardIterator": str(start + len(page))}

    def _position(self, arguments: Any) -> int:
        if arguments["ShardIteratorType"] == "TRIM_HORIZON":
            return 0
        numbers = [one["dynamodb"]["SequenceNumber"] for one in self.records]
        return numbers.index(arguments["SequenceNumber"]) + 1

    def put(self, key: str, event_name: str = "INSERT") -> None:
        self.records.append({**record(key).content, "eventName": event_name})


def keys(stream: FakeStream) -> list[str]:
    events = [one for event in stream.events for one in event["Records"]]
    return [one["dynamodb"]["Keys"]["pk"]["S"] for one in events]


def drain(stream: FakeStream, faults: Faults | None = None) -> Counter[str]:
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        mapping = StreamMapping(CONFIG, cast("Wire", stream), 1.0, counts)
        await mapping.begin()
        mapping.faults = faults or Faults()
        work = asyncio.create_task(mapping.run())
        while await mapping.pending():
            await asyncio.sleep(0.001)
        work.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 10))
    return counts


def test_nothing_is_pending_only_when_the_stream_was_read_to_its_end() -> None:
    stream = FakeStream()
    for number in range(25):
        stream.put(f"pump-{number}")
    assert drain(stream)["records_polled"] == 25
    assert sorted(keys(stream)) == sorted(f"pump-{number}" for number in range(25))


def test_pages_of_filtered_records_do_not_look_like_the_end() -> None:
    stream = FakeStream()
    for _ in range(7):
        stream.put("gone", "REMOVE")
    stream.put("pump-1")
    assert drain(stream)["records_filtered"] == 7
    assert keys(stream) == ["pump-1"]


@pytest.mark.parametrize("shards", [1, 3, 8])
def test_each_device_s_records_stay_in_order_across_lanes(shards: int) -> None:
    stream = FakeStream()
    for number in range(40):
        stream.put(f"pump-{number % 4}")
    stream.page_size = 20
    faults = Faults.parse({"split_shards": shards})
    drain(stream, faults)
    # The mapping has two lanes anyway: only more of them at once are the fault's doing.
    assert bool(faults.struck) == (shards > 1)
    seen: dict[str, list[int]] = {}
    for event in stream.events:
        for one in event["Records"]:
            key = one["dynamodb"]["Keys"]["pk"]["S"]
            seen.setdefault(key, []).append(int(one["dynamodb"]["SequenceNumber"]))
    assert len(seen) == 4
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_an_expired_iterator_goes_on_after_the_last_record() -> None:
    stream = FakeStream()
    for number in range(3):
        stream.put(f"pump-{number}")
    stream.expire_iterators = 1
    drain(stream)
    assert sorted(keys(stream)) == ["pump-0", "pump-1", "pump-2"]
