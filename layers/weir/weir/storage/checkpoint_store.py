"""The States table: the checkpoint of each device."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from weir.detection import Detector
from weir.scoring.hearing import Heard, Silence
from weir.scoring.ports import CheckpointMoved
from weir.scoring.state import (
    Checkpoint,
    DeviceState,
    UnreadableState,
    pack_state,
    unpack_state,
)
from weir.scoring.telling import NOTHING, Telling, pack_telling, unpack_telling
from weir.shards import shard_of
from weir.storage.retry import Deadline, Rest, send_all

MAX_BATCH: Final = 100
"""BatchGetItem takes so many keys a call."""


class CheckpointStore:
    """Reads and writes checkpoints; a write names the version that it replaces."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        detector: Detector[Any],
        on_unreadable: Callable[[str, UnreadableState], None] | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._detector = detector
        self._on_unreadable = on_unreadable

    def get(self, device_id: str) -> Checkpoint | None:
        """The device's checkpoint, strongly consistent; None if it never had one.

        One that cannot be read is reported, and comes back as a device to be learned again.
        """
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": device_id}}, ConsistentRead=True
        )
        return self._checkpoint(answer["Item"]) if "Item" in answer else None

    def get_all(self, device_ids: Sequence[str], deadline: Deadline) -> dict[str, Checkpoint]:
        """The checkpoints of the devices that have one, strongly consistent.

        Raises `SinkUnavailable` when the time runs out.
        """
        found: dict[str, Checkpoint] = {}

        def fetch(keys: Sequence[dict[str, Any]]) -> Rest[dict[str, Any]]:
            answer = self._dynamodb.batch_get_item(
                RequestItems={self._table: {"Keys": list(keys), "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self._table, ()):
                checkpoint = self._checkpoint(item)
                found[checkpoint.device_id] = checkpoint
            left = answer.get("UnprocessedKeys", {}).get(self._table, {})
            return Rest(left.get("Keys", ()), "ThrottlingException")

        keys = [{"pk": {"S": device_id}} for device_id in device_ids]
        for at in range(0, len(keys), MAX_BATCH):
            send_all("DynamoDB", keys[at : at + MAX_BATCH], fetch, deadline)
        return found

    def put(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint` over the version before it; raise `CheckpointMoved` if it is not."""
        item = {
            "pk": {"S": checkpoint.device_id},
            "version": {"N": str(checkpoint.version)},
            "current": {"B": pack_state(checkpoint.current, self._detector)},
            "previous": {"B": pack_state(checkpoint.previous, self._detector)},
            "folded": {"N": str(checkpoint.folded)},
            "digest_sum": {"N": str(checkpoint.digest_sum)},
            "folded_from": {"N": str(checkpoint.folded_from)},
            "watermark": {"N": str(checkpoint.current.frontier)},
            "scored": {"N": str(checkpoint.current.scored)},
            "shard": {"S": shard_of(checkpoint.device_id)},
        }
        if checkpoint.heard.last:
            item["heard"] = {"S": checkpoint.heard.text()}
        if checkpoint.expected_by is not None:
            item["expected_by"] = {"N": str(checkpoint.expected_by)}
        if checkpoint.silence is not None:
            item["silent_since"] = {"N": str(checkpoint.silence.since)}
            item["marked_at"] = {"N": str(checkpoint.silence.marked_at)}
        if checkpoint.telling != NOTHING:
            item["telling"] = {"B": pack_telling(checkpoint.telling)}
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="version = :old"
                if checkpoint.version > 1
                else "attribute_not_exists(pk)",
                **(
                    {"ExpressionAttributeValues": {":old": {"N": str(checkpoint.version - 1)}}}
                    if checkpoint.version > 1
                    else {}
                ),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise CheckpointMoved(checkpoint.device_id) from error
            raise

    def _checkpoint(self, item: dict[str, Any]) -> Checkpoint:
        device_id, version = item["pk"]["S"], int(item["version"]["N"])
        try:
            current = self._state(item["current"]["B"])
            previous = self._state(item["previous"]["B"])
        except UnreadableState as error:
            if self._on_unreadable is not None:
                self._on_unreadable(device_id, error)
            fresh = Checkpoint.fresh(device_id, version=version, relearning=True)
            telling = Telling(untold=self._telling(item).untold)
            return msgspec.structs.replace(fresh, telling=telling, **_watched(item))
        return Checkpoint(
            device_id,
            version,
            current,
            previous,
            int(item["folded"]["N"]),
            int(item["digest_sum"]["N"]),
            int(item["folded_from"]["N"]),
            self._telling(item),
            **_watched(item),
        )

    def _telling(self, item: dict[str, Any]) -> Telling:
        if "telling" not in item:
            return NOTHING
        try:
            return unpack_telling(item["telling"]["B"])
        except ValueError as error:
            if self._on_unreadable is not None:
                self._on_unreadable(item["pk"]["S"], UnreadableState(f"its facts: {error}"))
            return NOTHING

    def _state(self, data: bytes) -> DeviceState:
        return unpack_state(data, self._detector)


def _watched(item: dict[str, Any]) -> dict[str, Any]:
    """What the watchdog has to do with, of a checkpoint; what is missing is learned anew."""
    silence: Silence | None = None
    if "silent_since" in item:
        since, marked_at = item["silent_since"], item.get("marked_at", {"N": "0"})
        silence = Silence(int(since["N"]), int(marked_at["N"]))
    return {
        "heard": Heard.of_text(item["heard"].get("S") if "heard" in item else None),
        "expected_by": int(item["expected_by"]["N"]) if "expected_by" in item else None,
        "silence": silence,
    }
