"""The Devices table: the device keys, each under its id; of the key itself only the SHA-256.

pk "<key id>"   scope "device#pump-7" or "prefix#gw-1-"   created_at, and the rest of `DeviceKey`
index by_scope: scope, created_at
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from weir.identity import DeviceKey, Scope

BY_SCOPE: Final = "by_scope"
_DEVICE, _PREFIX = "device#", "prefix#"


class DeviceKeyStore:
    """Keeps device keys."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, key: DeviceKey) -> None:
        """Keep a new key; one that is there already stays as it is.

        Raises `ValueError` if there is another with its id.
        """
        optional = {"expires_at": key.expires_at, "revoked_at": key.revoked_at}
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": key.key_id},
                    "digest": {"B": key.digest},
                    "scope": {"S": _scope_text(key.scope)},
                    "created_at": {"N": str(key.created_at)},
                    "label": {"S": key.label},
                    **{n: {"N": str(at)} for n, at in optional.items() if at is not None},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if not _is_refused_condition(error):
                raise
            # A try whose answer was lost may have written it.
            there = self.get(key.key_id, consistent=True)
            if there is None or there.digest != key.digest:
                raise ValueError(f"another key has the id {key.key_id}") from error

    def get(self, key_id: str, consistent: bool = False) -> DeviceKey | None:
        """The key with this id; `consistent`: as it is after every write that was answered."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": key_id}}, ConsistentRead=consistent
        )
        return _key(answer["Item"]) if "Item" in answer else None

    def revoke(self, key_id: str, now_s: int) -> DeviceKey | None:
        """Revoke the key from `now_s` on, unless it was before; None if there is none."""
        return self._update(
            key_id,
            "SET revoked_at = if_not_exists(revoked_at, :at)",
            "attribute_exists(pk)",
            now_s,
        )

    def expire(self, key_id: str, at_s: int) -> DeviceKey | None:
        """Let the key expire at `at_s`, unless it does so earlier; None if there is none."""
        changed = self._update(
            key_id,
            "SET expires_at = :at",
            "attribute_exists(pk) AND (attribute_not_exists(expires_at) OR expires_at > :at)",
            at_s,
        )
        return changed or self.get(key_id, consistent=True)

    def of_scope(self, scope: Scope) -> list[DeviceKey]:
        """The keys that have this very scope, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=BY_SCOPE,
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":scope": {"S": _scope_text(scope)}},
        )
        return [_key(item) for page in pages for item in page["Items"]]

    def all(self, after: str | None = None) -> Iterator[DeviceKey]:
        """Every key, in the table's order; only those after the key with the id `after`. A scan."""
        more = {} if after is None else {"ExclusiveStartKey": {"pk": {"S": after}}}
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, **more)
        return (_key(item) for page in pages for item in page["Items"])

    def _update(self, key_id: str, expression: str, condition: str, at_s: int) -> DeviceKey | None:
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": key_id}},
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues={":at": {"N": str(at_s)}},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if _is_refused_condition(error):
                return None
            raise
        return _key(answer["Attributes"])


def _key(item: Mapping[str, Any]) -> DeviceKey:
    def moment(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    return DeviceKey(
        item["pk"]["S"],
        bytes(item["digest"]["B"]),
        _scope(item["scope"]["S"]),
        int(item["created_at"]["N"]),
        item["label"]["S"],
        moment("expires_at"),
        moment("revoked_at"),
    )


def _scope_text(scope: Scope) -> str:
    if scope.device_id is not None:
        return _DEVICE + scope.device_id
    return _PREFIX + scope.prefix


def _scope(text: str) -> Scope:
    if text.startswith(_DEVICE):
        return Scope(device_id=text.removeprefix(_DEVICE))
    return Scope(prefix=text.removeprefix(_PREFIX))


def _is_refused_condition(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
