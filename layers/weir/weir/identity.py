"""Who may speak for which devices: device keys, and the scope that each one has.

A device key is 256 random bits, written `weir_` and 43 characters of base64url (RFC 4648). It is
shown once, when it is made; what is kept is its SHA-256, from which it cannot be had back. The
first 16 hexadecimal digits of that are the key's id, which is no secret: lists and logs name keys
by it. A fast hash is right here, and a slow one would only slow each request: nobody can guess
256 bits.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final, Self

import msgspec

PREFIX: Final = "weir_"
KEY_ID_DIGITS: Final = 16
MAX_CREDENTIAL: Final = 256
"""Characters of a credential that are looked at; a key has 48."""

_KEY_BYTES: Final = 32
_KEY_LENGTH: Final = len(PREFIX) + 43


class Scope(msgspec.Struct, frozen=True):
    """Which devices a key speaks for: the one `device_id`, or all whose ids begin with `prefix`."""

    device_id: str | None = None
    prefix: str = ""

    def covers(self, device_id: str) -> bool:
        """Whether the key speaks for `device_id`."""
        if self.device_id is not None:
            return device_id == self.device_id
        return device_id.startswith(self.prefix)

    def __str__(self) -> str:
        return self.device_id if self.device_id is not None else f"{self.prefix}*"


EVERY_DEVICE: Final = Scope()


class DeviceKey(msgspec.Struct, frozen=True):
    """What is kept of a device key. Times are epoch seconds; None: it does not expire, or holds."""

    key_id: str
    digest: bytes
    scope: Scope
    created_at: int
    label: str = ""
    expires_at: int | None = None
    revoked_at: int | None = None

    def status(self, now_s: int) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and now_s >= self.expires_at:
            return "expired"
        return "active"


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made: the secret to hand over, and what to keep of it."""

    secret: str
    key: DeviceKey

    @classmethod
    def make(
        cls, scope: Scope, now_s: int, *, label: str = "", expires_at: int | None = None
    ) -> Self:
        """Make a key of 256 bits from the system's source of randomness."""
        secret = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        digest = digest_of(secret)
        return cls(secret, DeviceKey(id_of(digest), digest, scope, now_s, label, expires_at))


def digest_of(secret: str) -> bytes:
    """The SHA-256 of a key, which is all that is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def is_key(secret: str) -> bool:
    """Whether `secret` has the form of a key; what has not is nobody's, and need not be sought."""
    return len(secret) == _KEY_LENGTH and secret.startswith(PREFIX)


def id_of(digest: bytes) -> str:
    """The id of the key with this digest."""
    return digest.hex()[:KEY_ID_DIGITS]


_NOBODY: Final = DeviceKey("", bytes(32), Scope(device_id=""), 0, revoked_at=0)


def admitted(digest: bytes, key: DeviceKey | None, now_s: int) -> Scope | None:
    """The scope of the presented key with this `digest`, or None.

    `key` is what is kept under its id, if anything is. An unknown key, a wrong one, one that
    expired and one that was revoked take the same steps, and the digests are compared in constant
    time, so that an answer tells nothing but no.
    """
    kept = key or _NOBODY
    same = hmac.compare_digest(kept.digest, digest)
    active = kept.status(now_s) == "active"
    return kept.scope if same and active else None


def credential(authorization: str) -> str:
    """The key in an Authorization header: `Bearer` (RFC 6750), `Token` (InfluxDB 2), or `Basic`.

    Of `Basic` (RFC 7617) it is the password, whatever the user name: InfluxDB 1 clients send no
    other. What is none of these gives "", which is nobody's key.
    """
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if len(rest) > MAX_CREDENTIAL:
        return ""
    match scheme.lower():
        case "bearer" | "token":
            return rest
        case "basic":
            return _password(rest)
        case _:
            return ""


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:  # no base64, no ASCII at all, or no UTF-8 within
        return ""
