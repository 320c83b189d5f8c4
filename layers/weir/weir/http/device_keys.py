"""The operators' routes for device keys: from what was asked for to what was done."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from weir.http.calls import Call, Outcome
from weir.identity import DeviceKey, NewKey
from weir.key_service import (
    DeviceKeys,
    InvalidField,
    NoSuchKey,
    add_key,
    checked_expiry,
    checked_key_id,
    checked_label,
    checked_overlap,
    checked_scope,
    revoke_key,
    rotate_key,
)
from weir.readings import format_ts, show

PAGE: Final = 100
MAX_PAGE: Final = 1000
"""Keys in an answer: by default, and at most."""


def list_keys(store: DeviceKeys, call: Call) -> Outcome:
    """All keys, or those of one scope, page by page; never a secret.

    Raises `InvalidField`.
    """
    limit = _limit(call.query.get("limit"))
    after = _cursor(call.query.get("cursor"))
    device_id, prefix = call.query.get("device_id"), call.query.get("prefix")
    keys: Iterable[DeviceKey]
    if device_id is None and prefix is None:
        keys = store.all(after)
    else:
        keys = _after(store.of_scope(checked_scope(device_id, prefix)), after)
    page = list(islice(keys, limit + 1))
    more, page = len(page) > limit, page[:limit]
    document = {
        "keys": [shown(key, call.now_s) for key in page],
        "next_cursor": page[-1].key_id if more else None,
    }
    return Outcome(200, document)


def add(store: DeviceKeys, call: Call) -> Outcome:
    """Make a key for a device or a prefix. Raises `InvalidField`."""
    fields = _known(call.fields, "device_id", "prefix", "label", "expires_in", "expires_at")
    new = add_key(
        store,
        checked_scope(fields.get("device_id"), fields.get("prefix")),
        call.now_s,
        label=checked_label(fields.get("label")),
        expires_at=_expiry(fields, call.now_s),
    )
    return Outcome(201, _made(new, call.now_s), _audit("device_key_added", new.key))


def rotate(store: DeviceKeys, call: Call) -> Outcome:
    """Make a key that takes over from another.

    Raises `InvalidField`, `NoSuchKey` or `KeyNotActive`.
    """
    fields = _known(call.fields, "overlap_seconds", "expires_in", "expires_at")
    overlap_s = checked_overlap(fields.get("overlap_seconds"))
    expires_at = _expiry(fields, call.now_s)
    old_id = checked_key_id(call.path.get("key_id", ""))
    new = rotate_key(store, old_id, call.now_s, overlap_s, expires_at=expires_at)
    return Outcome(
        201,
        {**_made(new, call.now_s), "replaces": old_id},
        {
            **_audit("device_key_rotated", new.key),
            "replaces": old_id,
            "overlap_seconds": overlap_s,
        },
    )


def revoke(store: DeviceKeys, call: Call) -> Outcome:
    """Revoke a key for good. Raises `InvalidField` or `NoSuchKey`."""
    _known(call.fields)
    key = revoke_key(store, checked_key_id(call.path.get("key_id", "")), call.now_s)
    return Outcome(200, {"key": shown(key, call.now_s)}, _audit("device_key_revoked", key))


def shown(key: DeviceKey, now_s: int) -> dict[str, str | None]:
    """A key as it is shown: all but the digest."""
    return {
        "key_id": key.key_id,
        "device_id": key.scope.device_id,
        "prefix": key.scope.prefix if key.scope.device_id is None else None,
        "label": key.label,
        "status": key.status(now_s),
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
    }


def _made(new: NewKey, now_s: int) -> dict[str, object]:
    return {"secret": new.secret, "key": shown(new.key, now_s)}


def _audit(action: str, key: DeviceKey) -> dict[str, object]:
    return {
        "action": action,
        "key_id": key.key_id,
        "scope": str(key.scope),
        "expires_at": _moment(key.expires_at),
    }


def _moment(at_s: int | None) -> str | None:
    return None if at_s is None else format_ts(at_s * 1000)


def _expiry(fields: Mapping[str, object], now_s: int) -> int | None:
    return checked_expiry(fields.get("expires_in"), fields.get("expires_at"), now_s)


def _known(fields: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """The fields, all of them known and none null.

    One that is misspelt, or that a client left empty by mistake, would make a key that never
    expires.
    """
    for name, value in fields.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise InvalidField(f"the body has a field {show(name)}; its fields are: {known}")
        if value is None:
            raise InvalidField(f"{name} is null; what is not meant to be given is left out")
    return fields


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidField(f"limit must be a whole number from 1 to {MAX_PAGE}")
    return limit


def _cursor(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return checked_key_id(text)
    except NoSuchKey:
        raise InvalidField("cursor must be the next_cursor of an earlier answer") from None


def _after(keys: Iterable[DeviceKey], key_id: str | None) -> Iterator[DeviceKey]:
    found = key_id is None
    for key in keys:
        if found:
            yield key
        found = found or key.key_id == key_id
