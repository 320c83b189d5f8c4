"""The Alerts table: one item an alert, found by device and onset, or by state and onset.

pk "pump-7"   sk "<onset, 13 digits>#<metric>", or "<onset, 13 digits>!silence"
index by_state: state "OPEN" or "CLEARED", onset_key "<onset, 13 digits>#<device>#<metric>"
index by_snooze: snoozed "1" while it is, snoozed_until (epoch ms)

An item is written whole, over the revision that it was made from: whoever comes second makes the
change anew, from what the first one wrote. A call that fails, or is throttled for longer than the
client's own retries last, raises what botocore raises.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from weir.alerts.alarm import Fact
from weir.alerts.alert import Alert, AlertKey, Entry, Feedback, Kind, NoSuchAlert, State
from weir.alerts.lifecycle import tell

BY_STATE: Final = "by_state"
BY_SNOOZE: Final = "by_snooze"
SNOOZED: Final = "1"

_ATTEMPTS: Final = 12
_BASE_S: Final = 0.005
_CAP_S: Final = 0.5
_LAST_ONSET: Final = 10**13 - 1
_NUMBERS: Final = ("value", "expected", "low", "high")
"""What an alert of the device as a whole has none of."""

type _Item = dict[str, Any]


class AlertMoved(Exception):
    """Others changed an alert time and again while this change was made."""


class AlertPage(msgspec.Struct, frozen=True):
    """Some alerts, and where the listing goes on; `after` is None at its end."""

    alerts: Sequence[Alert]
    after: AlertKey | None


class AlertStore:
    """Keeps alerts so that no transition is lost, and telling one again changes nothing."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        *,
        retention_s: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention_s = retention_s
        self._sleep = sleep

    # -------------------------------------------------------------- changes

    def tell(
        self, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
    ) -> None:
        """Write what `facts` make of the device's alerts; each alert changes once.

        See `weir.alerts.lifecycle.tell`. A new alert is one write, a change is a read and a write.
        Raises `AlertMoved`; what was written by then may be told again.
        """
        by_alert: dict[AlertKey, list[Fact]] = {}
        for fact in facts:
            key = AlertKey(device_id, fact.onset, fact.metric, kind)
            by_alert.setdefault(key, []).append(fact)
        for key, told in by_alert.items():
            new = tell(None, device_id, told, basis, kind)
            if new is not None and self._put(new, over=None):
                continue
            self._change(key, lambda old, told=told: tell(old, device_id, told, basis, kind))  # type: ignore[misc]

    def change(self, key: AlertKey, change: Callable[[Alert], Alert]) -> Alert:
        """Change an alert; return it as it is then.

        `change` is called again when others were faster. Raises `NoSuchAlert` or `AlertMoved`.
        """
        changed = self._change(key, lambda old: None if old is None else change(old))
        if changed is None:
            raise NoSuchAlert(str(key))
        return changed

    def _change(
        self, key: AlertKey, change: Callable[[Alert | None], Alert | None]
    ) -> Alert | None:
        tried: Entry | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:  # full jitter, as in `weir.storage.retry`
                self._sleep(random.uniform(0.0, min(_CAP_S, _BASE_S * 2**attempt)))
            old = self.get(key)
            if old is not None and tried is not None and tried in old.history:
                return old  # we did it: the answer was lost, and botocore's retry refused
            new = change(old)
            if new is None or new == old:
                return new
            if old is not None:
                new = msgspec.structs.replace(new, revision=old.revision + 1)
            if self._put(new, over=old):
                return new
            tried = _deed(old, new)
        raise AlertMoved(f"{key} changed {_ATTEMPTS} times meanwhile")

    def _put(self, alert: Alert, *, over: Alert | None) -> bool:
        """Write `alert`; return whether the alert was still `over`, or not there."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if over is not None:
            condition = {
                "ConditionExpression": "revision = :old",
                "ExpressionAttributeValues": {":old": {"N": str(over.revision)}},
            }
        try:
            self._dynamodb.put_item(TableName=self._table, Item=self._item(alert), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _item(self, alert: Alert) -> _Item:
        return item_of(alert, expires_at=alert.onset // 1000 + self._retention_s)

    # -------------------------------------------------------------- reads

    def get(self, key: AlertKey) -> Alert | None:
        """The alert, strongly consistent; None if there is none."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"pk": {"S": key.device_id}, "sk": {"S": key.sk}},
            ConsistentRead=True,
        )
        return alert_of(answer["Item"]) if "Item" in answer else None

    def page_of_state(
        self,
        state: State,
        *,
        since: int = 0,
        until: int | None = None,
        after: AlertKey | None = None,
        limit: int = 100,
    ) -> AlertPage:
        """One page of the alerts in `state` with an onset from `since` to `until`, newest first.

        `limit` is at least 1. The index is a moment behind the table.
        """
        query = {
            "IndexName": BY_STATE,
            "KeyConditionExpression": "#state = :partition AND onset_key BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#state": "state"},
        }
        start = None if after is None else _index_key(state, after)
        return self._page(query, state, since, until, after, start, limit)

    def page_of_device(
        self,
        device_id: str,
        *,
        since: int = 0,
        until: int | None = None,
        after: AlertKey | None = None,
        limit: int = 100,
    ) -> AlertPage:
        """One page of a device's alerts with an onset from `since` to `until`, newest first.

        `limit` is at least 1. Strongly consistent.
        """
        query = {
            "KeyConditionExpression": "pk = :partition AND sk BETWEEN :first AND :last",
            "ConsistentRead": True,
        }
        start = None if after is None else _key(after)
        return self._page(query, device_id, since, until, after, start, limit)

    def of_state(
        self, state: State, *, since: int = 0, until: int | None = None
    ) -> Iterator[Alert]:
        """All alerts in `state` with an onset from `since` to `until` (epoch ms), newest first."""
        after: AlertKey | None = None
        while True:
            page = self.page_of_state(state, since=since, until=until, after=after, limit=1000)
            yield from page.alerts
            after = page.after
            if after is None:
                return

    def of_device(self, device_id: str) -> Iterator[Alert]:
        """All alerts of a device, in the order of their onsets, strongly consistent."""
        found: list[Alert] = []
        after: AlertKey | None = None
        while True:
            page = self.page_of_device(device_id, after=after, limit=1000)
            found += page.alerts
            after = page.after
            if after is None:
                return iter(reversed(found))

    def snoozed_until(self, now: int, limit: int = 100) -> Sequence[AlertKey]:
        """The alerts whose snooze ended at `now` or before, at most `limit` of them."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=BY_SNOOZE,
            KeyConditionExpression="snoozed = :snoozed AND snoozed_until <= :now",
            ExpressionAttributeValues={":snoozed": {"S": SNOOZED}, ":now": {"N": str(now)}},
            Limit=limit,
        )
        return [AlertKey.of_item(item["pk"]["S"], item["sk"]["S"]) for item in answer["Items"]]

    def _page(
        self,
        query: _Item,
        partition: str,
        since: int,
        until: int | None,
        after: AlertKey | None,
        start: _Item | None,
        limit: int,
    ) -> AlertPage:
        """One page of a partition; `start` is the key of `after`."""
        first = max(since, 0)
        last = _LAST_ONSET if until is None else min(until, _LAST_ONSET)
        if after is not None and after.onset > last:
            start = None  # DynamoDB takes no start outside the range, and the range begins after it
        if first > last or (after is not None and after.onset < first):
            return AlertPage((), None)
        if start is not None:
            query["ExclusiveStartKey"] = start
        answer = self._dynamodb.query(
            TableName=self._table,
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":first": {"S": f"{first:013d}"},
                ":last": {"S": f"{last:013d}\x7f"},  # after all keys that begin with the onset
            },
            ScanIndexForward=False,
            Limit=limit,
            **query,
        )
        end = answer.get("LastEvaluatedKey")
        return AlertPage(
            [alert_of(item) for item in answer["Items"]],
            AlertKey.of_item(end["pk"]["S"], end["sk"]["S"]) if end else None,
        )


def _key(key: AlertKey) -> _Item:
    return {"pk": {"S": key.device_id}, "sk": {"S": key.sk}}


def _index_key(state: State, key: AlertKey) -> _Item:
    return {**_key(key), "state": {"S": state}, "onset_key": {"S": _onset_key(key)}}


def _onset_key(key: AlertKey) -> str:
    return f"{key.onset:013d}#{key.device_id}{key.sk[13:]}"


def item_of(alert: Alert, *, expires_at: int) -> _Item:
    """The item that keeps `alert`; `alert_of` gives it back."""
    item: _Item = {
        **_key(alert.key),
        "onset_key": {"S": _onset_key(alert.key)},
        "kind": {"S": alert.kind},
        "metric": {"S": alert.metric},
        "onset": {"N": str(alert.onset)},
        "state": {"S": alert.state},
        "severity": {"S": alert.severity},
        "score": {"N": _number(alert.score)},
        "peak": {"N": _number(alert.peak)},
        "peak_ts": {"N": str(alert.peak_ts)},
        "last_seen": {"N": str(alert.last_seen)},
        "count": {"N": str(alert.count)},
        "because": {"S": alert.because},
        "acknowledged": {"BOOL": alert.acknowledged},
        "history": {"S": msgspec.json.encode(alert.history).decode()},
        "revision": {"N": str(alert.revision)},
        "basis": {"N": str(alert.basis)},
        "expires_at": {"N": str(expires_at)},
    }
    for name in _NUMBERS:
        number = getattr(alert, name)
        if number is not None:
            item[name] = {"N": _number(number)}
    for name in ("ended_at", "acknowledged_at", "snoozed_until"):
        moment = getattr(alert, name)
        if moment is not None:
            item[name] = {"N": str(moment)}
    if alert.acknowledged_by:
        item["acknowledged_by"] = {"S": alert.acknowledged_by}
    if alert.withdrawn:
        item["withdrawn"] = {"BOOL": True}
    if alert.feedback is not None:
        item["feedback"] = {"S": msgspec.json.encode(alert.feedback).decode()}
    if alert.snoozed_until is not None:
        item["snoozed"] = {"S": SNOOZED}
    return item


def alert_of(item: _Item) -> Alert:
    """The alert that an item, or the image of one on the table's stream, keeps."""
    numbers: dict[str, Any] = {name: float(item[name]["N"]) for name in _NUMBERS if name in item}
    moments: dict[str, Any] = {
        name: int(item[name]["N"])
        for name in ("ended_at", "acknowledged_at", "snoozed_until")
        if name in item
    }
    state: State = "OPEN" if item["state"]["S"] == "OPEN" else "CLEARED"
    return Alert(
        AlertKey.of_item(item["pk"]["S"], item["sk"]["S"]),
        state,
        item["severity"]["S"],
        float(item["score"]["N"]),
        float(item["peak"]["N"]),
        int(item["peak_ts"]["N"]),
        int(item["last_seen"]["N"]),
        int(item["count"]["N"]),
        because=item["because"]["S"],
        **numbers,
        **moments,
        withdrawn="withdrawn" in item,
        acknowledged=item["acknowledged"]["BOOL"],
        acknowledged_by=item.get("acknowledged_by", {}).get("S", ""),
        feedback=(
            msgspec.json.decode(item["feedback"]["S"], type=Feedback)
            if "feedback" in item
            else None
        ),
        history=msgspec.json.decode(item["history"]["S"], type=tuple[Entry, ...]),
        revision=int(item["revision"]["N"]),
        basis=int(item["basis"]["N"]),
    )


def _number(value: float) -> str:
    """A finite float as DynamoDB takes it: at most 38 digits, from 1e-130 to 9.9e125."""
    magnitude = abs(value)
    if magnitude < 1e-130:
        return "0"
    if magnitude > 9.9e125:
        return "9.9e125" if value > 0 else "-9.9e125"
    return repr(value)


def _deed(old: Alert | None, new: Alert) -> Entry | None:
    """The entry of a person's deed that `new` has more than `old`."""
    newest = new.history[-1]
    added = old is None or newest.n > old.transitions
    return newest if added and newest.by else None
