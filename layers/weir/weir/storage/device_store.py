"""The States table as a list of devices: who there is, and when each was last heard.

pk "pump-7"   watermark, scored, heard (see `weir.scoring.hearing`), silent_since (epoch ms)
index by_name: shard, pk

What stands there is as fresh as the device's last checkpoint: 64 readings or an hour.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from heapq import merge
from typing import Any, Final

import msgspec

from weir.scoring.hearing import LEAST_GAPS, Heard
from weir.shards import SHARDS
from weir.storage.retry import Deadline

BY_NAME: Final = "by_name"

_ATTRIBUTES: Final = "pk, watermark, scored, heard, silent_since"
_BEFORE_ALL: Final = " "
_AFTER_ALL: Final = "\x7f"
"""Sort before and after every character of a device id."""

_MISSED: Final = 4.0
_LATE_S: Final = 10.0
"""A device goes on sending until so many arrivals, and so long besides, have not come."""

type _Item = dict[str, Any]


class Device(msgspec.Struct, frozen=True, gc=False):
    """A device as its last checkpoint has it; times in epoch ms.

    `scored` values were scored, the last of them measured at `last_reading`. `silent_since` is set
    while the watchdog counts the device as silent.
    """

    device_id: str
    last_reading: int | None
    scored: int
    heard: Heard
    silent_since: int | None = None

    @property
    def last_heard(self) -> int | None:
        """When it was heard last, by the clock."""
        return self.heard.last or None

    @property
    def cadence_s(self) -> float | None:
        """How many seconds apart it is heard, usually; None while that is not known."""
        known = self.heard.gaps >= LEAST_GAPS and self.heard.mean_s > 0.0
        return self.heard.mean_s if known else None

    def readings_per_second(self, now: int) -> float:
        """Readings a second of its fastest metric at `now` (epoch ms).

        0 while that is not known, and of a device that goes on no more: by when the next checkpoint
        was to come, it was not heard.
        """
        if self.silent_since is not None or not self.cadence_s:
            return 0.0
        due_s = self.heard.lease_s() + _MISSED * self.cadence_s + _LATE_S
        if now - self.heard.last > 1000.0 * due_s:
            return 0.0
        return (self.heard.pace or 1.0) / self.cadence_s


class AllDevices(msgspec.Struct, frozen=True):
    """Devices, and whether there are more of them."""

    devices: Sequence[Device]
    truncated: bool


class DeviceStore:
    """Reads the States table; writes nothing."""

    def __init__(self, dynamodb: Any, table: str, executor: Callable[[], Executor]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._executor = executor

    def get(self, device_id: str) -> tuple[Device, bytes] | None:
        """A device and its packed state, see `weir.scoring.state`; None if it was never scored."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"pk": {"S": device_id}},
            ProjectionExpression=f"{_ATTRIBUTES}, #current",
            ExpressionAttributeNames={"#current": "current"},
        )
        if "Item" not in answer:
            return None
        item = answer["Item"]
        return device_of(item), item.get("current", {}).get("B", b"")

    def by_name(
        self, prefix: str = "", after: str | None = None, page: int = 100
    ) -> Iterator[Device]:
        """The devices whose ids begin with `prefix` and come after `after`, by name.

        All shards are read at once, `page` devices of each, and more as they are asked for.
        """
        # A key's value may not be empty, and an id that is the prefix itself is among them.
        low = after + _BEFORE_ALL if after is not None else prefix or _BEFORE_ALL
        high = prefix + _AFTER_ALL
        executor = self._executor()
        first = [executor.submit(self._query, shard, low, high, None, page) for shard in SHARDS]
        shards = [
            self._shard(shard, low, high, page, found.result())
            for shard, found in zip(SHARDS, first, strict=True)
        ]
        return merge(*shards, key=lambda device: device.device_id)

    def all(self, deadline: Deadline, most: int) -> AllDevices:
        """All devices, in no order; at most about `most`, and as many as time allows."""
        each = -(-most // len(SHARDS))
        found = list(self._executor().map(lambda shard: self._whole(shard, deadline, each), SHARDS))
        return AllDevices(
            [device for part in found for device in part.devices],
            any(part.truncated for part in found),
        )

    def _whole(self, shard: str, deadline: Deadline, most: int) -> AllDevices:
        devices: list[Device] = []
        after: _Item | None = None
        while True:
            items, after = self._query(shard, _BEFORE_ALL, _AFTER_ALL, after, None)
            devices += map(device_of, items)
            if after is None:
                return AllDevices(devices, False)
            if len(devices) >= most or deadline.left <= 0:
                return AllDevices(devices, True)

    def _shard(
        self, shard: str, low: str, high: str, page: int, first: tuple[list[_Item], _Item | None]
    ) -> Iterator[Device]:
        items, after = first
        yield from map(device_of, items)
        while after is not None:
            items, after = self._query(shard, low, high, after, page)
            yield from map(device_of, items)

    def _query(
        self, shard: str, low: str, high: str, after: _Item | None, limit: int | None
    ) -> tuple[list[_Item], _Item | None]:
        optional: _Item = {}
        if after is not None:
            optional["ExclusiveStartKey"] = after
        if limit is not None:
            optional["Limit"] = limit
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=BY_NAME,
            KeyConditionExpression="#shard = :shard AND pk BETWEEN :low AND :high",
            ExpressionAttributeNames={"#shard": "shard"},  # a reserved word
            ExpressionAttributeValues={
                ":shard": {"S": shard},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ProjectionExpression=_ATTRIBUTES,
            **optional,
        )
        return answer["Items"], answer.get("LastEvaluatedKey")


def device_of(item: _Item) -> Device:
    """The device that an item, or an index's part of one, is about."""
    watermark = int(item["watermark"]["N"]) if "watermark" in item else -1
    return Device(
        item["pk"]["S"],
        watermark if watermark >= 0 else None,
        int(item["scored"]["N"]) if "scored" in item else 0,
        Heard.of_text(item["heard"]["S"] if "heard" in item else None),
        int(item["silent_since"]["N"]) if "silent_since" in item else None,
    )
