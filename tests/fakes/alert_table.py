"""The Alerts table in memory: single items, read and put on the conditions that the store makes."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

type Item = dict[str, Any]


def refused() -> ClientError:
    """What botocore raises for a condition that does not hold."""
    code = "ConditionalCheckFailedException"
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, "PutItem")


class FakeAlertTable:
    """A client of the table, one view a worker; `gate` is called before every call.

    All views share `items` and `writes`, the items in the order in which they were written.
    `lose_answers` of a view's puts are carried out and answered as botocore does when the answer
    was lost and its own retry is refused.
    """

    def __init__(self, gate: Callable[[str], None] = lambda _: None) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.writes: list[Item] = []
        self.lose_answers = 0
        self._gate = gate

    def view(self, gate: Callable[[str], None]) -> "FakeAlertTable":
        """The same table behind a gate."""
        view = FakeAlertTable(gate)
        view.items, view.writes = self.items, self.writes
        return view

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"]
        self._gate("get")
        item = self.items.get(_key(request["Key"]))
        return {} if item is None else {"Item": dict(item)}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self._gate("put")
        item: Item = request["Item"]
        old = self.items.get(_key(item))
        if request["ConditionExpression"] == "attribute_not_exists(pk)":
            holds = old is None
        else:
            assert request["ConditionExpression"] == "revision = :old"
            expected = request["ExpressionAttributeValues"][":old"]
            holds = old is not None and old["revision"] == expected
        if not holds:
            raise refused()
        self.items[_key(item)] = dict(item)
        self.writes.append(dict(item))
        if self.lose_answers:
            self.lose_answers -= 1
            self._gate("lost")
            raise refused()
        return {}


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
