"""What the watchdog sees of the States and Readings tables, and the marks that it sets.

index by_expected: shard "3", expected_by (epoch ms); version, watermark, heard and silent_since
marks on a checkpoint: silent_since (time of the newest reading), marked_at (clock); epoch ms

Every write is conditional on what was seen, so of two watchdogs, or a watchdog and a scorer, one
comes to nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError
from msgspec.structs import replace

from weir.late import Due, DuePage, Newest
from weir.scoring.hearing import Heard
from weir.storage.retry import Deadline, Rest, send_all

BY_EXPECTED: Final = "by_expected"
PAGE: Final = 100

type _Item = dict[str, Any]


class WatchStore:
    """The devices that are late, on DynamoDB, for one thread and until `deadline`.

    Throttled calls are made again; raises `SinkUnavailable` when the time runs out.
    """

    def __init__(
        self, dynamodb: Any, states_table: str, readings_table: str, deadline: Deadline
    ) -> None:
        self._dynamodb = dynamodb
        self._states_table = states_table
        self._readings_table = readings_table
        self._deadline = deadline
        self.items_read = 0

    def page(self, shard: str, now: int, after: Any = None) -> DuePage:
        """Up to 100 devices of a shard that were expected before `now`, the longest late first."""
        start = {} if after is None else {"ExclusiveStartKey": after}
        answer = self._patiently(
            lambda: self._dynamodb.query(
                TableName=self._states_table,
                IndexName=BY_EXPECTED,
                KeyConditionExpression="#shard = :shard AND expected_by < :now",
                ExpressionAttributeNames={"#shard": "shard"},  # a reserved word
                ExpressionAttributeValues={":shard": {"S": shard}, ":now": _number(now)},
                Limit=PAGE,
                **start,
            )
        )
        self.items_read += len(answer["Items"])
        return DuePage([_due(item) for item in answer["Items"]], answer.get("LastEvaluatedKey"))

    def newest(self, device_id: str, after_sk: str = "") -> Newest | None:
        """Its newest chunk if that sorts after `after_sk`; strongly consistent."""
        condition, values = "pk = :device", {":device": {"S": device_id}}
        if after_sk:
            condition += " AND sk > :after"
            values[":after"] = {"S": after_sk}
        answer = self._patiently(
            lambda: self._dynamodb.query(
                TableName=self._readings_table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ProjectionExpression="sk, t1",
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        )
        self.items_read += len(answer["Items"])
        for item in answer["Items"]:
            return Newest(item["sk"]["S"], int(item["t1"]["N"]))
        return None

    def mark(self, due: Due, silent_since: int, now: int) -> Due | None:
        """Mark it under the next version; None if it is not any more as `due` says."""
        marked = self._update(
            due.device_id,
            "SET version = :next, silent_since = :since, marked_at = :now",
            "version = :version AND expected_by = :expected",
            {
                ":next": _number(due.version + 1),
                ":since": _number(silent_since),
                ":now": _number(now),
                ":version": _number(due.version),
                ":expected": _number(due.expected_by),
            },
        )
        if not marked:
            return None
        return replace(due, version=due.version + 1, silent_since=silent_since)

    def unmark(self, marked: Due, expected_by: int | None) -> None:
        """Take the mark off, and expect it by then; nothing if it is not as `marked` says."""
        if expected_by is None:
            self._update_marked(marked, "REMOVE silent_since, marked_at, expected_by", {})
        else:
            self._update_marked(
                marked,
                "SET expected_by = :next REMOVE silent_since, marked_at",
                {":next": _number(expected_by)},
            )

    def settle(self, marked: Due) -> None:
        """Take it out of the index, marked as it is; nothing if it is not as `marked` says."""
        self._update_marked(marked, "REMOVE expected_by", {})

    def postpone(self, due: Due, expected_by: int | None) -> None:
        """Expect it by then, or not at all; nothing if it is not any more as `due` says."""
        values = {":version": _number(due.version), ":expected": _number(due.expected_by)}
        update = "REMOVE expected_by"
        if expected_by is not None:
            update = "SET expected_by = :next"
            values[":next"] = _number(expected_by)
        self._update(
            due.device_id, update, "version = :version AND expected_by = :expected", values
        )

    def _update_marked(self, marked: Due, update: str, values: _Item) -> None:
        self._update(
            marked.device_id,
            update,
            "version = :version AND silent_since = :since",
            {
                ":version": _number(marked.version),
                ":since": _number(marked.silent_since or 0),
                **values,
            },
        )

    def _update(self, device_id: str, update: str, condition: str, values: _Item) -> bool:
        """Change a checkpoint's item; return whether the condition was met."""
        try:
            self._patiently(
                lambda: self._dynamodb.update_item(
                    TableName=self._states_table,
                    Key={"pk": {"S": device_id}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _patiently(self, call: Callable[[], _Item]) -> _Item:
        answers: list[_Item] = []

        def send(_: object) -> Rest[None]:
            answers.append(call())
            return Rest(())

        send_all("DynamoDB", [None], send, self._deadline)
        return answers[0]


def _number(value: int) -> _Item:
    return {"N": str(value)}


def _due(item: _Item) -> Due:
    return Due(
        item["pk"]["S"],
        int(item["version"]["N"]),
        int(item["expected_by"]["N"]),
        Heard.of_text(item["heard"].get("S") if "heard" in item else None),
        int(item["watermark"]["N"]) if "watermark" in item else 0,
        int(item["silent_since"]["N"]) if "silent_since" in item else None,
    )
