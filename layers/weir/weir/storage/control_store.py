"""The Controls table: one item a device, and one for the fleet.

pk "pump-7" or "*"   own: a control in JSON   by_metric: a map from names to controls in JSON

`score` reads it, operators write it. A worker keeps what it read for a minute, what is absent
too, so that scoring costs next to no reads here.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.controls import FLEET, Control, Controls, control_of
from weir.storage.retry import Deadline, Rest, SinkUnavailable, send_all

MAX_BATCH: Final = 100
"""BatchGetItem takes so many keys a call."""

_MOST_KEPT: Final = 10_000

_PATIENCE_S: Final = 2.0
"""Seconds that scoring waits for controls at most; the rest of its time is for the readings."""

type _Item = tuple[Control, dict[str, Control]]
_NOTHING: Final[_Item] = (Control(), {})


def _unheard(key: str, why: str) -> None:
    del key, why


class ControlStore:
    """Reads and writes controls."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        on_trouble: Callable[[str, str], None] | None = None,
        *,
        keep_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._on_trouble = on_trouble or _unheard
        self._keep_s = keep_s
        self._clock = clock
        self._kept: dict[str, tuple[float, _Item]] = {}

    def get_all(self, device_ids: Sequence[str], deadline: Deadline) -> dict[str, Controls]:
        """The controls of the devices, at most a minute old.

        Scoring does not stop for want of them: what cannot be read is reported, and what was known
        before, or nothing, holds for another minute.
        """
        now = self._clock()
        patience = Deadline(min(_PATIENCE_S, deadline.left))
        wanted = [
            key
            for key in dict.fromkeys((FLEET, *device_ids))
            if key not in self._kept or self._kept[key][0] <= now
        ]
        if wanted:
            found: dict[str, _Item] = {}
            try:
                for at in range(0, len(wanted), MAX_BATCH):
                    part = wanted[at : at + MAX_BATCH]
                    send_all("DynamoDB", part, lambda keys: self._fetch(keys, found), patience)
            except (SinkUnavailable, ClientError, BotoCoreError) as error:
                self._on_trouble(FLEET, f"controls cannot be read: {error}")
                found = {key: self._kept[key][1] for key in wanted if key in self._kept} | found
            if len(self._kept) + len(wanted) > _MOST_KEPT:
                now_used = (FLEET, *device_ids)
                self._kept = {key: self._kept[key] for key in now_used if key in self._kept}
            for key in wanted:
                self._kept[key] = (now + self._keep_s, found.get(key, _NOTHING))
        fleet = self._kept.get(FLEET, (0.0, _NOTHING))[1][0]
        return {
            device_id: Controls(fleet, *self._kept.get(device_id, (0.0, _NOTHING))[1])
            for device_id in device_ids
        }

    def get(self, key: str) -> tuple[Control, dict[str, Control]]:
        """What is set for a device or the fleet, and for its metrics; strongly consistent."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        return self._item(answer["Item"]) if "Item" in answer else _NOTHING

    def all(self) -> Iterator[tuple[str, Control, dict[str, Control]]]:
        """All that is set: the fleet's or device's id, its control, and its metrics'. A scan."""
        paginator = self._dynamodb.get_paginator("scan")
        for page in paginator.paginate(TableName=self._table):
            for item in page["Items"]:
                yield item["pk"]["S"], *self._item(item)

    def put(self, key: str, metric: str | None, control: Control) -> None:
        """Set the control of a device or the fleet, or of a metric; others stay as they are."""
        text = {":control": {"S": msgspec.json.encode(control).decode()}}
        if metric is None:
            self._update(key, "SET own = :control", {}, text)
            return
        # Two steps, since a place in a map can only be set once the map is there.
        empty: dict[str, Any] = {":empty": {"M": {}}}
        self._update(key, "SET by_metric = if_not_exists(by_metric, :empty)", {}, empty)
        self._update(key, "SET by_metric.#metric = :control", {"#metric": metric}, text)

    def remove(self, key: str, metric: str | None) -> None:
        """Take back what was set for a metric, or for a device or the fleet, metrics and all."""
        if metric is None:
            self._dynamodb.delete_item(TableName=self._table, Key={"pk": {"S": key}})
        elif metric in self.get(key)[1]:
            self._update(key, "REMOVE by_metric.#metric", {"#metric": metric}, {})

    def _update(
        self, key: str, expression: str, names: dict[str, str], values: dict[str, Any]
    ) -> None:
        optional: dict[str, Any] = {}
        if names:
            optional["ExpressionAttributeNames"] = names
        if values:
            optional["ExpressionAttributeValues"] = values
        self._dynamodb.update_item(
            TableName=self._table, Key={"pk": {"S": key}}, UpdateExpression=expression, **optional
        )

    def _fetch(self, keys: Sequence[str], found: dict[str, _Item]) -> Rest[str]:
        answer = self._dynamodb.batch_get_item(
            RequestItems={self._table: {"Keys": [{"pk": {"S": key}} for key in keys]}}
        )
        for item in answer["Responses"].get(self._table, ()):
            found[item["pk"]["S"]] = self._item(item)
        rest = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", ())
        return Rest([key["pk"]["S"] for key in rest], "ThrottlingException")

    def _item(self, item: dict[str, Any]) -> _Item:
        key = item["pk"]["S"]
        own = self._control(key, item["own"]) if "own" in item else Control()
        metrics = item.get("by_metric", {}).get("M", {})
        return own, {name: self._control(key, text) for name, text in metrics.items()}

    def _control(self, key: str, attribute: dict[str, Any]) -> Control:
        text = attribute.get("S", "")  # another kind of attribute is no JSON either
        try:
            return control_of(msgspec.json.decode(text, type=dict[str, object]))
        except ValueError as error:  # msgspec's errors are of this kind
            self._on_trouble(key, f"a control cannot be read: {error}")
            return Control()
