"""Batches that are carried out in part: what goes on, and what is answered as not done; pure.

Sources: DynamoDB API reference, BatchWriteItem and BatchGetItem (UnprocessedItems and
UnprocessedKeys, with HTTP 200; when nothing at all could be done, the call fails instead); SQS API
reference, SendMessageBatch, and EventBridge API reference, PutEvents (each entry succeeds or fails
by itself, with HTTP 200; the answers of PutEvents are in the order of its entries).
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAULTS = {
    "BatchWriteItem": "dynamo_unprocessed",
    "BatchGetItem": "dynamo_unprocessed",
    "PutEvents": "events_fail_entries",
    "SendMessageBatch": "sqs_fail_entries",
}
"""The operations that can be carried out in part, and the fault that does it."""

_EVENTS = "events"
_LEFT = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}


@dataclass(frozen=True, slots=True)
class Split:
    """A batch in two parts: the request that goes on, if any does, and what of it is left.

    Of PutEvents, `left` has each entry's failure by its place.
    """

    forwarded: bytes | None
    member: str
    left: Any

    def merged(self, answer: bytes) -> bytes:
        """Return the answer to the part that went on, with what is left in it."""
        found = json.loads(answer or b"{}")
        if self.member == _EVENTS:
            done = found.get("Entries", [])
            for at in sorted(self.left):
                done.insert(at, self.left[at])
            failed = sum("ErrorCode" in one for one in done)
            return json.dumps({"FailedEntryCount": failed, "Entries": done}).encode()
        if isinstance(self.left, list):
            found.setdefault("Successful", [])
            found[self.member] = [*found.get(self.member, []), *self.left]
        else:
            found[self.member] = _joined(found.get(self.member, {}), self.left)
        return json.dumps(found).encode()


def can_be_split(operation: str, body: bytes) -> bool:
    """Tell whether a part of the batch can fail while the call succeeds."""
    try:
        request = json.loads(body)
    except ValueError:
        return False
    if not isinstance(request, dict):
        return False
    if operation in ("SendMessageBatch", "PutEvents"):
        return bool(request.get("Entries"))
    return len(_entries(operation, request)) > 1


def split(operation: str, body: bytes, dice: random.Random) -> Split:
    """Divide a batch that can be split, as the dice fall.

    At least one entry is left. Of DynamoDB's at least one goes on, since DynamoDB fails a call of
    which it could do nothing.
    """
    request = json.loads(body)
    if operation == "SendMessageBatch":
        return _split_messages(request, dice)
    if operation == "PutEvents":
        return _split_events(request, dice)
    entries = _entries(operation, request)
    left_out = set(dice.sample(range(len(entries)), dice.randint(1, len(entries) - 1)))
    done = [one for index, one in enumerate(entries) if index not in left_out]
    left = [one for index, one in enumerate(entries) if index in left_out]
    forwarded = {**request, "RequestItems": _by_table(operation, request, done)}
    return Split(
        json.dumps(forwarded).encode(), _LEFT[operation], _by_table(operation, request, left)
    )


def _split_messages(request: Mapping[str, Any], dice: random.Random) -> Split:
    entries = request["Entries"]
    left_out = set(dice.sample(range(len(entries)), dice.randint(1, len(entries))))
    done = [one for index, one in enumerate(entries) if index not in left_out]
    failed = [
        {
            "Id": one["Id"],
            "Code": "InternalError",
            "Message": "The entry was made to fail.",
            "SenderFault": False,
        }
        for index, one in enumerate(entries)
        if index in left_out
    ]
    forwarded = json.dumps({**request, "Entries": done}).encode() if done else None
    return Split(forwarded, "Failed", failed)


def _split_events(request: Mapping[str, Any], dice: random.Random) -> Split:
    entries = request["Entries"]
    left_out = set(dice.sample(range(len(entries)), dice.randint(1, len(entries))))
    done = [one for index, one in enumerate(entries) if index not in left_out]
    failure = {"ErrorCode": "InternalFailure", "ErrorMessage": "The entry was made to fail."}
    forwarded = json.dumps({**request, "Entries": done}).encode() if done else None
    return Split(forwarded, _EVENTS, dict.fromkeys(left_out, failure))


def _entries(operation: str, request: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the table and the content of each write or key."""
    return [
        (table, entry)
        for table, of_table in request.get("RequestItems", {}).items()
        for entry in (of_table["Keys"] if operation == "BatchGetItem" else of_table)
    ]


def _by_table(
    operation: str, request: Mapping[str, Any], entries: Sequence[tuple[str, Any]]
) -> dict[str, Any]:
    tables: dict[str, list[Any]] = {}
    for table, entry in entries:
        tables.setdefault(table, []).append(entry)
    if operation == "BatchWriteItem":
        return dict(tables)
    # The projection and the consistency of a table's keys belong to each part of them.
    return {
        table: {**request["RequestItems"][table], "Keys": keys} for table, keys in tables.items()
    }


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(one)
    for table, entries in other.items():
        present = joined.get(table)
        if present is None:
            joined[table] = entries
        elif isinstance(entries, list):
            joined[table] = [*present, *entries]
        else:
            joined[table] = {**entries, "Keys": [*present["Keys"], *entries["Keys"]]}
    return joined
