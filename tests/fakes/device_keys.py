"""Device keys in memory; one contract test holds them to the behaviour of the real store."""

from collections.abc import Iterator

import msgspec

from weir.identity import DeviceKey, Scope, admitted, digest_of, id_of


class MemoryKeys:
    """Keys in a dictionary; `calls` names the writes in order."""

    def __init__(self) -> None:
        self.keys: dict[str, DeviceKey] = {}
        self.calls: list[str] = []

    def put(self, key: DeviceKey) -> None:
        self.calls.append("put")
        if self.keys.setdefault(key.key_id, key).digest != key.digest:
            raise ValueError(f"another key has the id {key.key_id}")

    def get(self, key_id: str, consistent: bool = False) -> DeviceKey | None:
        return self.keys.get(key_id)

    def revoke(self, key_id: str, now_s: int) -> DeviceKey | None:
        self.calls.append("revoke")
        key = self.keys.get(key_id)
        if key is not None and key.revoked_at is None:
            key = self.keys[key_id] = msgspec.structs.replace(key, revoked_at=now_s)
        return key

    def expire(self, key_id: str, at_s: int) -> DeviceKey | None:
        self.calls.append("expire")
        key = self.keys.get(key_id)
        if key is not None and (key.expires_at is None or key.expires_at > at_s):
            key = self.keys[key_id] = msgspec.structs.replace(key, expires_at=at_s)
        return key

    def of_scope(self, scope: Scope) -> list[DeviceKey]:
        found = [key for key in self.keys.values() if key.scope == scope]
        return sorted(found, key=lambda key: key.created_at)

    def all(self, after: str | None = None) -> Iterator[DeviceKey]:
        for key_id in sorted(self.keys):
            if after is None or key_id > after:
                yield self.keys[key_id]

    def lets_in(self, secret: str, now_s: int) -> Scope | None:
        """The scope in which a secret lets its sender in, if it does."""
        digest = digest_of(secret)
        return admitted(digest, self.keys.get(id_of(digest)), now_s)
