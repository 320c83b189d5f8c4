"""Making, rotating and revoking device keys: what the API's routes and the command line share.

The store is given, so that nothing here knows where keys are kept. What comes from people is
checked here too, in one wording: `checked_scope`, `checked_label`, `checked_expiry`,
`checked_overlap`.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from weir.identity import KEY_ID_DIGITS, DeviceKey, NewKey, Scope
from weir.readings import (
    AwareDatetime,
    InvalidReading,
    check_device_id,
    format_ts,
    kind,
    to_epoch_ms,
)

MAX_LABEL: Final = 128
"""Characters of a label."""

MAX_LIFETIME_S: Final = 10 * 365 * 86_400
"""Seconds from now within which a key that is to expire must."""

DEFAULT_OVERLAP_S: Final = 86_400
MAX_OVERLAP_S: Final = 90 * 86_400
"""Seconds for which a rotated key may go on holding beside its successor."""

_SECONDS: Final = " of seconds"

_PREFIX = re.compile(r"[A-Za-z0-9._:-]{0,128}")
_KEY_ID = re.compile(rf"[0-9a-f]{{{KEY_ID_DIGITS}}}")


class NoSuchKey(LookupError):
    """No key has this id."""


class KeyNotActive(ValueError):
    """The key has expired or was revoked, so nothing can take over from it."""


class InvalidField(ValueError):
    """What was asked for breaks a rule; the message names the field, its kind and the rule."""


class DeviceKeys(Protocol):
    """Where keys are kept."""

    def put(self, key: DeviceKey) -> None:
        """Keep a new key."""
        ...

    def get(self, key_id: str, consistent: bool = False) -> DeviceKey | None:
        """The key with this id; `consistent`: as it is after every write that was answered."""
        ...

    def revoke(self, key_id: str, now_s: int) -> DeviceKey | None:
        """Revoke the key from `now_s` on, unless it was before; None if there is none."""
        ...

    def expire(self, key_id: str, at_s: int) -> DeviceKey | None:
        """Let the key expire at `at_s`, unless it does so earlier; None if there is none."""
        ...

    def of_scope(self, scope: Scope) -> list[DeviceKey]:
        """The keys that have this very scope."""
        ...

    def all(self, after: str | None = None) -> Iterator[DeviceKey]:
        """Every key, in an order of the store's; only those after the key with the id `after`."""
        ...


# ------------------------------------------------------------------ what is done


def add_key(
    store: DeviceKeys, scope: Scope, now_s: int, *, label: str = "", expires_at: int | None = None
) -> NewKey:
    """Make a key and keep it. Its secret is in the result, and nowhere else."""
    new = NewKey.make(scope, now_s, label=label, expires_at=expires_at)
    store.put(new.key)
    return new


def rotate_key(
    store: DeviceKeys,
    key_id: str,
    now_s: int,
    overlap_s: int = DEFAULT_OVERLAP_S,
    *,
    expires_at: int | None = None,
) -> NewKey:
    """Make a key that takes over from another; the old one expires after the overlap.

    The new key has the old one's scope and label, and not its end: that may be the end of an
    overlap before this one. It expires at `expires_at` (epoch seconds), or never. It is kept
    before the old one is given an end, so that no failure leaves a device without a key.

    Raises `NoSuchKey` or `KeyNotActive`.
    """
    old = store.get(key_id, consistent=True)
    if old is None:
        raise NoSuchKey(key_id)
    status = old.status(now_s)
    if status != "active":
        raise KeyNotActive(f"the key is {status}; only an active key can be rotated")
    new = add_key(store, old.scope, now_s, label=old.label, expires_at=expires_at)
    store.expire(key_id, now_s + overlap_s)
    return new


def revoke_key(store: DeviceKeys, key_id: str, now_s: int) -> DeviceKey:
    """Revoke a key for good; one that was revoked before stays so. Raises `NoSuchKey`."""
    key = store.revoke(key_id, now_s)
    if key is None:
        raise NoSuchKey(key_id)
    return key


# ------------------------------------------------------------------ what is asked for


def checked_scope(device_id: object, prefix: object) -> Scope:
    """The scope of a device id or a prefix, of which just one is not None.

    The empty prefix is that of every device. Raises `InvalidField`.
    """
    if (device_id is None) == (prefix is None):
        raise InvalidField("device_id and prefix: a key has one of the two")
    if device_id is not None:
        try:
            return Scope(device_id=check_device_id(device_id))
        except InvalidReading as error:
            raise InvalidField(error.detail) from error
    if not isinstance(prefix, str):
        raise InvalidField(f"prefix is {kind(prefix)}; it must be a string")
    if _PREFIX.fullmatch(prefix) is None:
        raise InvalidField(
            f"prefix is a string of {len(prefix)} characters; it must be 0 to 128 of "
            "A-Z a-z 0-9 . _ : -"
        )
    return Scope(prefix=prefix)


def checked_label(label: object) -> str:
    """The label, "" for None. Raises `InvalidField`."""
    if label is None:
        return ""
    if not isinstance(label, str):
        raise InvalidField(f"label is {kind(label)}; it must be a string")
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidField(
            f"label is a string of {len(label)} characters; it must be at most {MAX_LABEL} "
            "printable characters"
        )
    return label


def checked_expiry(expires_in: object, expires_at: object, now_s: int) -> int | None:
    """When a key is to expire, in epoch seconds; None: never.

    It is asked for in seconds from now, or as a time in RFC 3339, and at most one of the two.
    Raises `InvalidField`.
    """
    if expires_in is not None and expires_at is not None:
        raise InvalidField("expires_in and expires_at: a key may have one of the two")
    if expires_in is not None:
        return now_s + whole("expires_in", expires_in, 1, MAX_LIFETIME_S, of=_SECONDS)
    if expires_at is not None:
        return _moment("expires_at", expires_at, now_s + 1, now_s + MAX_LIFETIME_S)
    return None


def checked_overlap(seconds: object) -> int:
    """For how many seconds a rotated key goes on holding. Raises `InvalidField`."""
    if seconds is None:
        return DEFAULT_OVERLAP_S
    return whole("overlap_seconds", seconds, 0, MAX_OVERLAP_S, of=_SECONDS)


def checked_key_id(key_id: str) -> str:
    """A key's id, which is no secret. Raises `NoSuchKey` for what can be none."""
    if _KEY_ID.fullmatch(key_id) is None:
        raise NoSuchKey
    return key_id


def whole(field: str, value: object, least: int, most: int, *, of: str = "") -> int:
    """A whole number from `least` to `most`; JSON Schema's integers may be written 1.0.

    `of` says what it counts. Raises `InvalidField`.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        what = "a number that is not whole" if isinstance(value, float) else kind(value)
        raise InvalidField(f"{field} is {what}; it must be a whole number{of}")
    if not least <= value <= most:
        side = "less" if value < least else "more"
        raise InvalidField(
            f"{field} is a number {side} than it may be; it must lie from {least} to {most}"
        )
    return value


def _moment(field: str, value: object, earliest: int, latest: int) -> int:
    if not isinstance(value, str):
        raise InvalidField(f"{field} is {kind(value)}; it must be an RFC 3339 time with an offset")
    try:
        at_s = to_epoch_ms(msgspec.convert(value, AwareDatetime)) // 1000
    except (msgspec.ValidationError, OverflowError) as error:
        raise InvalidField(
            f"{field} is a string that is no RFC 3339 time with an offset, such as "
            "2027-01-31T12:00:00Z"
        ) from error
    if not earliest <= at_s <= latest:
        side = "before" if at_s < earliest else "after"
        raise InvalidField(
            f"{field} lies {side} the times taken now: it must be from "
            f"{format_ts(earliest * 1000)} to {format_ts(latest * 1000)}"
        )
    return at_s
