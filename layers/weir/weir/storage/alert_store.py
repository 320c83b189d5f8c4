"""The Alerts table: one item an alert, found by device and onset, or by state and onset.

pk "pump-7"   sk "<onset, 13 digits>#<metric>"
index by_state: state "OPEN" or "CLEARED", onset_key "<onset, 13 digits>#<device>#<metric>"
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from weir.alerts import Alert, Cleared, Opened, severity_of

BY_STATE: Final = "by_state"

_NUMBERS: Final = ("value", "expected", "low", "high")
"""What an alert of the device as a whole has none of."""


class AlertStore:
    """Writes alerts so that whoever writes one again changes nothing."""

    def __init__(self, dynamodb: Any, table: str, *, retention_s: int = 0) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention_s = retention_s

    def open(self, device_id: str, opened: Opened) -> None:
        """Write a new alert; nothing happens if it was written before."""
        onset = f"{opened.onset:013d}"
        self._unless_refused(
            self._dynamodb.put_item,
            Item={
                "pk": {"S": device_id},
                "sk": {"S": f"{onset}#{opened.metric}"},
                "onset_key": {"S": f"{onset}#{device_id}#{opened.metric}"},
                "state": {"S": "OPEN"},
                "metric": {"S": opened.metric},
                "onset": {"N": str(opened.onset)},
                "score": {"N": _number(opened.score)},
                "severity": {"S": severity_of(opened.score)},
                "because": {"S": opened.because},
                "expires_at": {"N": str(opened.onset // 1000 + self._retention_s)},
                **{
                    name: {"N": _number(number)}
                    for name in _NUMBERS
                    if (number := getattr(opened, name)) is not None
                },
            },
            ConditionExpression="attribute_not_exists(pk)",
        )

    def clear(self, device_id: str, cleared: Cleared) -> None:
        """Mark an alert cleared; nothing happens if it was, as late or later."""
        self._unless_refused(
            self._dynamodb.update_item,
            Key={"pk": {"S": device_id}, "sk": {"S": f"{cleared.onset:013d}#{cleared.metric}"}},
            UpdateExpression="SET #state = :cleared, ended_at = :end, peak = :peak, "
            "peak_ts = :at, severity = :severity",
            ConditionExpression="attribute_exists(pk) AND "
            "(attribute_not_exists(ended_at) OR ended_at < :end)",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":cleared": {"S": "CLEARED"},
                ":end": {"N": str(cleared.ended_at)},
                ":peak": {"N": _number(cleared.peak)},
                ":at": {"N": str(cleared.peak_ts)},
                ":severity": {"S": severity_of(cleared.peak)},
            },
        )

    def of_state(
        self, state: Literal["OPEN", "CLEARED"], *, since: int = 0, newest_first: bool = True
    ) -> Iterator[Alert]:
        """All alerts in `state` whose onset is at `since` (epoch ms) or later."""
        paginator = self._dynamodb.get_paginator("query")
        for page in paginator.paginate(
            TableName=self._table,
            IndexName=BY_STATE,
            KeyConditionExpression="#state = :state AND onset_key >= :since",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":state": {"S": state},
                ":since": {"S": f"{since:013d}"},
            },
            ScanIndexForward=not newest_first,
        ):
            yield from map(_alert, page["Items"])

    def of_device(self, device_id: str) -> Iterator[Alert]:
        """All alerts of a device, in the order of their onsets, strongly consistent."""
        paginator = self._dynamodb.get_paginator("query")
        for page in paginator.paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :device",
            ExpressionAttributeValues={":device": {"S": device_id}},
            ConsistentRead=True,
        ):
            yield from map(_alert, page["Items"])

    def _unless_refused(self, write: Any, **arguments: Any) -> None:
        try:
            write(TableName=self._table, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _alert(item: dict[str, Any]) -> Alert:
    state: Literal["OPEN", "CLEARED"] = "OPEN" if item["state"]["S"] == "OPEN" else "CLEARED"
    onset, score = int(item["onset"]["N"]), float(item["score"]["N"])
    value, expected, low, high = (
        float(item[name]["N"]) if name in item else None for name in _NUMBERS
    )
    return Alert(
        item["pk"]["S"],
        item["metric"]["S"],
        onset,
        state,
        score,
        float(item["peak"]["N"]) if "peak" in item else score,
        int(item["peak_ts"]["N"]) if "peak_ts" in item else onset,
        item["because"]["S"] if "because" in item else "",
        value,
        expected,
        low,
        high,
        int(item["ended_at"]["N"]) if "ended_at" in item else None,
    )


def _number(value: float) -> str:
    """A finite float as DynamoDB takes it: at most 38 digits, from 1e-130 to 9.9e125."""
    magnitude = abs(value)
    if magnitude < 1e-130:
        return "0"
    if magnitude > 9.9e125:
        return "9.9e125" if value > 0 else "-9.9e125"
    return repr(value)
