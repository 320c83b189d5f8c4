"""The minutes in the Notices table: how many notices came in each, and which wait for its digest.

pk "minute~<its beginning, epoch ms, 13 digits>"
sk "count"         told: how many came; storm: whether the minute before had more than go singly
sk "digest"        called_at, closed_at (epoch ms)
sk "held~<notice>" notice: its JSON

The counter is apart from the digest's item, since a transaction that checks an item conflicts with
writes to it.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from weir.notices import pace
from weir.notices.notice import Notice
from weir.storage.notice_calls import taken
from weir.storage.notice_ledger import clock_ms, key_of, moment_update
from weir.storage.retry import Deadline, Rest, send_all

KEEP_S: Final = 30 * 86_400

_PATIENCE_S: Final = 5.0
"""Seconds for which a transaction that conflicts with others is tried again."""

_HELD: Final = "held~"
_PASSING: Final = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)


class NoticeMinutes:
    """Counts notices by minute, and holds those that wait."""

    def __init__(self, dynamodb: Any, table: str, *, clock: Callable[[], int] = clock_ms) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def take(self, minute: int, more: int, limit: int) -> int:
        """Count `more` notices to a minute; return how many of them may go singly."""
        with taken("the minutes"):
            count = self._update(
                minute, "count", "SET expires_at = :expires ADD told :more", {":more": _n(more)}
            )
            if "storm" not in count:
                before = self._get(pace.before(minute), "count")
                storm = pace.is_storm(int(before["told"]["N"]), limit) if before else False
                # Whoever comes first says it for the whole minute.
                count = self._update(
                    minute,
                    "count",
                    "SET storm = if_not_exists(storm, :storm), expires_at = :expires",
                    {":storm": {"BOOL": storm}},
                ) | {"told": count["told"]}
        told = int(count["told"]["N"]) - more
        return pace.singles(told, more, limit, storm_before=count["storm"]["BOOL"])

    def is_called(self, minute: int) -> bool:
        """Whether the digest of the minute has been asked for."""
        with taken("the minutes"):
            return "called_at" in self._get(minute, "digest")

    def called(self, minute: int) -> None:
        """Note that it has."""
        self._note(minute, "called_at")

    def close(self, minute: int) -> None:
        """Let nothing be held for the minute any more."""
        self._note(minute, "closed_at")

    def hold(self, minute: int, notices: Sequence[Notice]) -> bool:
        """Hold notices, and note in the ledger that they are done: all, or none if it is closed."""
        now = self._clock()
        check = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": _key(minute, "digest"),
                "ConditionExpression": (
                    "attribute_exists(called_at) AND attribute_not_exists(closed_at)"
                ),
            }
        }
        writes = chain.from_iterable(
            (
                {"Put": {"TableName": self._table, "Item": self._held_item(minute, notice)}},
                {"Update": moment_update(self._table, key_of(notice.notice_id), "done_at", now)},
            )
            for notice in notices
        )
        actions = [check, *writes]
        closed = False

        def write(transactions: Sequence[list[Any]]) -> Rest[list[Any]]:
            nonlocal closed
            try:
                self._dynamodb.transact_write_items(TransactItems=transactions[0])
            except ClientError as error:
                codes = _reasons(error)
                if "ConditionalCheckFailed" in codes:
                    closed = True
                elif codes and codes <= _PASSING:
                    return Rest(transactions, codes.pop())
                else:
                    raise
            return Rest(())

        with taken("the minutes"):
            send_all("DynamoDB", [actions], write, Deadline(_PATIENCE_S))
        return not closed

    def held(self, minute: int) -> list[Notice]:
        """All that is held for the minute, strongly consistent."""
        with taken("the minutes"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :minute AND begins_with(sk, :held)",
                ExpressionAttributeValues={
                    ":minute": _key(minute, "")["pk"],
                    ":held": {"S": _HELD},
                },
                ConsistentRead=True,
            )
            texts = [item["notice"]["S"] for page in pages for item in page["Items"]]
        return [msgspec.json.decode(text, type=Notice) for text in texts]

    def _held_item(self, minute: int, notice: Notice) -> dict[str, Any]:
        return {
            **_key(minute, _HELD + notice.notice_id),
            "notice": {"S": msgspec.json.encode(notice).decode()},
            "expires_at": _expiry(minute),
        }

    def _note(self, minute: int, name: str) -> None:
        with taken("the minutes"):
            self._update(
                minute,
                "digest",
                f"SET {name} = if_not_exists({name}, :now), expires_at = :expires",
                {":now": _n(self._clock())},
            )

    def _update(
        self, minute: int, sk: str, expression: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(minute, sk),
            UpdateExpression=expression,
            ExpressionAttributeValues={**values, ":expires": _expiry(minute)},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return answer

    def _get(self, minute: int, sk: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(minute, sk), ConsistentRead=True
        )
        found: dict[str, Any] = answer.get("Item", {})
        return found


def _reasons(error: ClientError) -> set[str]:
    """Why a transaction was cancelled, but for the actions that would have been fine."""
    reasons = error.response.get("CancellationReasons", ())
    return {reason["Code"] for reason in reasons if reason.get("Code", "None") != "None"}


def _key(minute: int, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"minute~{minute:013d}"}, "sk": {"S": sk}}


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _expiry(minute: int) -> dict[str, str]:
    return _n(minute // 1000 + KEEP_S)
