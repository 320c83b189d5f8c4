"""Polling of a DynamoDB stream, and the mapping as a whole."""

import asyncio
import logging
from collections import Counter
from typing import Any

from weir_local.faults import MOST_SHARDS, Faults
from weir_local.stream_mapping import batches
from weir_local.stream_mapping.batches import StreamRecord
from weir_local.stream_mapping.config import MappingConfig
from weir_local.stream_mapping.filters import passes
from weir_local.stream_mapping.worker import Lane
from weir_local.wire import Wire, WireError

_log = logging.getLogger(__name__)

_TARGET = "DynamoDBStreams_20120810."
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.08
_MOST_WAITING = 10_000


class Shard:
    """Reads one shard and hands its records to the lanes.

    AWS polls four times a second. Here the pause adapts, so that a local stack answers fast and
    is still quiet when nothing happens.
    """

    def __init__(
        self, shard_id: str, config: MappingConfig, wire: Wire, window: float, counts: Counter[str]
    ) -> None:
        self.lanes = [
            Lane(config, shard_id, wire, window, counts)
            for _ in range(config.parallelization * MOST_SHARDS)
        ]
        self._faults = Faults()
        self._in_use = config.parallelization
        self._id = shard_id
        self._config = config
        self._wire = wire
        self._counts = counts
        self._last: str | None = None
        self._wake = asyncio.Event()
        self._closed = False
        self._polls = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def set_faults(self, faults: Faults) -> None:
        """Put other faults in force."""
        self._faults = faults
        for lane in self.lanes:
            lane.faults = faults

    def pending(self) -> int:
        """Return how many records were read and are not done with."""
        return sum(len(lane.queue) + lane.delivering for lane in self.lanes)

    async def caught_up(self) -> None:
        """Return when all that was on the shard at the call has been read, or some of it waits."""
        if self._closed:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A poll under way may have been answered already: only the next one counts.
        self._waiting.append((self._polls + 1, future))
        self._wake.set()
        await future

    async def run(self) -> None:
        """Read and deliver, for ever."""
        async with asyncio.TaskGroup() as group:
            for lane in self.lanes:
                group.create_task(lane.run())
            await self._poll()

    async def _poll(self) -> None:
        iterator: str | None = None
        pause = _SHORTEST_PAUSE
        while True:
            try:
                iterator = iterator or await self._iterator()
                self._polls += 1
                page = await self._call("GetRecords", ShardIterator=iterator, Limit=1000)
            except WireError as error:
                _log.warning("polling: %s", error)
                iterator = None
                await asyncio.sleep(_LONGEST_PAUSE)
                continue
            iterator = page.get("NextShardIterator")
            self._take(page["Records"])
            if iterator is None:
                _log.info("the shard %s is closed", self._id)
                self._closed = True
                self._answer_waiting()
                return
            if page["Records"]:
                pause = _SHORTEST_PAUSE
                while self.pending() > _MOST_WAITING:
                    await asyncio.sleep(_LONGEST_PAUSE)
                continue
            self._wake.clear()
            if any(number > self._polls for number, _ in self._waiting):
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                pause = min(pause * 1.3, _LONGEST_PAUSE)

    def _take(self, found: list[dict[str, Any]]) -> None:
        if not self.pending():
            # While records wait, a device's next one must go where its last one went.
            self._in_use = self._config.parallelization * self._faults.split_shards
        for one in found:
            record = StreamRecord.of(one, self._config.stream_arn)
            self._last = record.sequence
            if passes(record.content, self._config.patterns):
                self.lanes[batches.lane(record, self._in_use)].add(record)
            else:
                self._counts["records_filtered"] += 1
        self._counts["records_polled"] += len(found)
        busy = sum(bool(lane.queue or lane.delivering) for lane in self.lanes)
        if found and busy > self._config.parallelization:
            self._faults.note("split_shards")
        if found and not self.pending():
            return  # all were filtered out; there may be more behind them
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        """Let those go on who waited for this poll; after the last one, all of them."""
        later = [one for one in self._waiting if one[0] > self._polls and not self._closed]
        for one in self._waiting:
            # Whoever waited may have gone away meanwhile.
            if one not in later and not one[1].done():
                one[1].set_result(None)
        self._waiting = later

    async def _iterator(self) -> str:
        position: dict[str, str] = {"ShardIteratorType": self._config.starting_position}
        if self._last is not None:
            position = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": self._last,
            }
        answer = await self._call(
            "GetShardIterator", StreamArn=self._config.stream_arn, ShardId=self._id, **position
        )
        return str(answer["ShardIterator"])

    async def _call(self, operation: str, **arguments: Any) -> Any:
        return await self._wire.json("dynamodb", _TARGET + operation, arguments)


class StreamMapping:
    """An event source mapping at work on every shard of its stream."""

    def __init__(
        self, config: MappingConfig, wire: Wire, time_scale: float, counts: Counter[str]
    ) -> None:
        self._config = config
        self._wire = wire
        self._window = config.window * time_scale
        self._counts = counts
        self._faults = Faults()
        self._shards: dict[str, Shard] = {}

    @property
    def faults(self) -> Faults:
        """The faults in force on every lane."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        for shard in self._shards.values():
            shard.set_faults(faults)

    async def pending(self) -> int:
        """Return how many records are on the stream and not yet done with."""
        await asyncio.gather(*(shard.caught_up() for shard in self._shards.values()))
        return sum(shard.pending() for shard in self._shards.values())

    def in_flight(self) -> int:
        """Return how many batches are being delivered."""
        lanes = [lane for shard in self._shards.values() for lane in shard.lanes]
        return sum(lane.delivering > 0 for lane in lanes)

    async def begin(self) -> None:
        """Find the stream's shards.

        The emulator has one shard a stream for ever, so they are looked for once.
        """
        target = _TARGET + "DescribeStream"
        arguments = {"StreamArn": self._config.stream_arn}
        answer = await self._wire.json("dynamodb", target, arguments)
        for found in answer["StreamDescription"]["Shards"]:
            shard_id = found["ShardId"]
            self._shards[shard_id] = Shard(
                shard_id, self._config, self._wire, self._window, self._counts
            )

    async def run(self) -> None:
        """Read and deliver all shards, for ever."""
        async with asyncio.TaskGroup() as group:
            for shard in self._shards.values():
                group.create_task(shard.run())
