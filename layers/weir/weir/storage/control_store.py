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

MAX_CONTROLLED: Final = 256
"""Metrics of a device that may have controls: as many as are scored. An item holds 400 KB."""

_ATTEMPTS: Final = 10
_MOST_KEPT: Final = 10_000

_PATIENCE_S: Final = 2.0
"""Seconds that scoring waits for controls at most; the rest of its time is for the readings."""

type _Item = tuple[Control, dict[str, Control]]
_NOTHING: Final[_Item] = (Control(), {})


class ControlMoved(Exception):
    """Others changed a control time and again while this change was made."""


class TooManyControls(ValueError):
    """A device has controls for as many metrics as it may have."""


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
        item = self._read(key)
        return self._item(item) if item else _NOTHING

    def all(self) -> Iterator[tuple[str, Control, dict[str, Control]]]:
        """All that is set: the fleet's or device's id, its control, and its metrics'. A scan."""
        paginator = self._dynamodb.get_paginator("scan")
        for page in paginator.paginate(TableName=self._table):
            for item in page["Items"]:
                yield item["pk"]["S"], *self._item(item)

    def put(self, key: str, metric: str | None, control: Control) -> None:
        """Set the control of a device or the fleet, or of a metric; others stay as they are.

        Raises `TooManyControls` or `ControlMoved`.
        """
        self.change(key, metric, lambda _: control)

    def change(
        self, key: str, metric: str | None, change: Callable[[Control], Control]
    ) -> tuple[Control, dict[str, Control]]:
        """Change the control of a device or the fleet, or of a metric; return all as it is then.

        It is written only over the one that it was made from: `change` is called again when others
        were faster. Raises `TooManyControls` or `ControlMoved`.
        """
        for _ in range(_ATTEMPTS):
            item = self._read(key)
            own, metrics = self._item(item) if item else _NOTHING
            metrics = dict(metrics)
            if metric is None:
                own = new = change(own)
            else:
                if metric not in metrics and len(metrics) >= MAX_CONTROLLED:
                    raise TooManyControls(
                        f"{key} has controls for {len(metrics)} metrics; it may have "
                        f"{MAX_CONTROLLED}"
                    )
                metrics[metric] = new = change(metrics.get(metric, Control()))
            if self._write(key, item, metric, msgspec.json.encode(new).decode()):
                return own, metrics
        raise ControlMoved(f"the controls of {key} changed {_ATTEMPTS} times meanwhile")

    def remove(self, key: str, metric: str | None) -> None:
        """Take back what was set for a metric, or for a device or the fleet, metrics and all."""
        if metric is None:
            self._dynamodb.delete_item(TableName=self._table, Key={"pk": {"S": key}})
            return
        self._update(
            key,
            "REMOVE by_metric.#metric",
            "attribute_exists(by_metric.#metric)",
            {"#metric": metric},
            {},
        )

    def _read(self, key: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        item: dict[str, Any] = answer.get("Item", {})
        return item

    def _write(self, key: str, item: dict[str, Any], metric: str | None, text: str) -> bool:
        """Write a control over the one in `item`; return whether that was still there."""
        names: dict[str, str] = {}
        new: dict[str, Any]
        if metric is None:
            place, old, new = "own", item.get("own"), {"S": text}
        elif "by_metric" in item:
            names = {"#metric": metric}
            place, new = "by_metric.#metric", {"S": text}
            old = item["by_metric"]["M"].get(metric)
        else:  # a place in a map can only be set once the map is there
            place, old, new = "by_metric", None, {"M": {metric: {"S": text}}}
        condition, values = f"attribute_not_exists({place})", {":new": new}
        if old is not None:
            condition, values = f"{place} = :old", {":new": new, ":old": old}
        elif names:
            condition += " AND attribute_exists(by_metric)"
        return self._update(key, f"SET {place} = :new", condition, names, values)

    def _update(
        self,
        key: str,
        expression: str,
        condition: str,
        names: dict[str, str],
        values: dict[str, Any],
    ) -> bool:
        """Update the item if the condition holds; return whether it did."""
        optional: dict[str, Any] = {}
        if names:
            optional["ExpressionAttributeNames"] = names
        if values:
            optional["ExpressionAttributeValues"] = values
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                UpdateExpression=expression,
                ConditionExpression=condition,
                **optional,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

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
