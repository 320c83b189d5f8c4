"""The ledger in the Notices table: one item for each message that is told, and by which channel.

pk a notice's or digest's id   sk "told" or "posted"
claimed_until (epoch ms), claimed_by; event, message (epoch ms): when the channel had told; done_at;
suppressed: nobody was told

All writes name what must hold. A claim lasts longer than any worker that made it, so that two are
never at one message; what it leaves undone, the next one does.
"""

import time
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from weir.notices.ports import Channel, Claimed, Marks
from weir.storage.notice_calls import is_refused_condition, taken

LEASE_S: Final = 75
"""Longer than the function's timeout: nobody is at work any more when it ends."""

KEEP_S: Final = 30 * 86_400
"""How long it is known that a notice was told. A record comes again within a day."""

_CHANNELS: Final[tuple[Channel, ...]] = ("event", "message")


def clock_ms() -> int:
    """The time in epoch ms."""
    return time.time_ns() // 1_000_000


class NoticeLedger:
    """Keeps what was told."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        what: Literal["told", "posted"] = "told",
        *,
        clock: Callable[[], int] = clock_ms,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._what = what
        self._clock = clock
        self._own = token_hex(8)

    def suppress(self, message_id: str) -> bool:
        """Note that nobody is told, unless the ledger has the id; return whether nobody is."""
        now = self._clock()
        item = {
            **key_of(message_id, self._what),
            "done_at": _n(now),
            "suppressed": {"BOOL": True},
            "expires_at": _expiry(now),
        }
        with taken("the ledger"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
            except ClientError as error:
                if not is_refused_condition(error):
                    raise
                return "suppressed" in self._get(message_id)
        return True

    def claim(self, message_id: str) -> Marks | None:
        """Claim the telling; return what is marked, or None if all is done. Raises `Claimed`."""
        now = self._clock()
        with taken("the ledger"):
            try:
                answer = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=key_of(message_id, self._what),
                    UpdateExpression=(
                        "SET claimed_until = :until, claimed_by = :own, expires_at = :expires"
                    ),
                    ConditionExpression=(
                        "attribute_not_exists(done_at) AND "
                        "(attribute_not_exists(claimed_until) OR claimed_until < :now)"
                    ),
                    ExpressionAttributeValues={
                        ":until": _n(now + LEASE_S * 1000),
                        ":own": {"S": self._own},
                        ":expires": _expiry(now),
                        ":now": _n(now),
                    },
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if not is_refused_condition(error):
                    raise
                if "done_at" in self._get(message_id):
                    return None
                raise Claimed(message_id) from error
        return frozenset(name for name in _CHANNELS if name in answer["Attributes"])

    def mark(self, message_ids: Sequence[str], channel: Channel) -> None:
        """Note that a channel has told of these: of all or none."""
        self._set(message_ids, channel)

    def done(self, message_id: str) -> None:
        """Note that all channels have."""
        self._set([message_id], "done_at")

    def release(self, message_id: str) -> None:
        """Give one's own claim back; nothing happens if it is another's by now."""
        with taken("the ledger"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=key_of(message_id, self._what),
                    UpdateExpression="REMOVE claimed_until, claimed_by",
                    ConditionExpression="claimed_by = :own",
                    ExpressionAttributeValues={":own": {"S": self._own}},
                )
            except ClientError as error:
                if not is_refused_condition(error):
                    raise

    def _set(self, message_ids: Sequence[str], name: str) -> None:
        now = self._clock()
        updates = [
            moment_update(self._table, key_of(message_id, self._what), name, now)
            for message_id in message_ids
        ]
        with taken("the ledger"):
            if len(updates) == 1:
                self._dynamodb.update_item(**updates[0])
            elif updates:
                self._dynamodb.transact_write_items(
                    TransactItems=[{"Update": update} for update in updates]
                )

    def _get(self, message_id: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=key_of(message_id, self._what), ConsistentRead=True
        )
        found: dict[str, Any] = answer.get("Item", {})
        return found


def key_of(message_id: str, what: str = "told") -> dict[str, Any]:
    """The key of the ledger's item for a message."""
    return {"pk": {"S": message_id}, "sk": {"S": what}}


def moment_update(table: str, key: dict[str, Any], name: str, now: int) -> dict[str, Any]:
    """The arguments of an update that notes when something happened."""
    return {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET #name = :now, expires_at = :expires",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": {":now": _n(now), ":expires": _expiry(now)},
    }


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _expiry(now: int) -> dict[str, str]:
    return _n(now // 1000 + KEEP_S)
