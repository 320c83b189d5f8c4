"""A call of the API, and what comes of it: what the operations of all the routes share."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from weir.storage.retry import Deadline

MOST_S: Final = 12.0
"""Seconds that an operation reads for; the client's next call reads what is left over."""


class Call(msgspec.Struct, frozen=True):
    """An operator's request: the parameters of path and query, the body's fields, the time (ms).

    `raw_query` is the query as it was sent; `query` is what API Gateway makes of it, which cannot
    tell two parameters of one name from one with a comma. `operator` is who asks.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    fields: Mapping[str, object]
    now: int
    raw_query: str = ""
    operator: str = ""
    if_none_match: str = ""
    deadline: Deadline = msgspec.field(default_factory=lambda: Deadline(MOST_S))

    @property
    def now_s(self) -> int:
        """The time in epoch seconds."""
        return self.now // 1000


class Outcome(msgspec.Struct, frozen=True):
    """The answer's status and document, and what the audit log is to say of the change, if any.

    `etag` names what the document was made from, in quotes. The status 304 has no document.
    """

    status: int
    document: object
    audit: Mapping[str, object] | None = None
    etag: str | None = None


type Operation[S] = Callable[[S, Call], Outcome]
"""What a route does, with the store that it is given."""


def tagged(call: Call, etag: str, document: Callable[[], Any]) -> Outcome:
    """The document under this entity tag, or 304 to whoever has it (RFC 9110, 13.1.2)."""
    if has(call.if_none_match, etag):
        return Outcome(304, None, etag=etag)
    return Outcome(200, document(), etag=etag)


def has(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match header names the entity tag, compared weakly (RFC 9110, 13.1.2)."""
    bare = etag.removeprefix("W/")
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return bare in tags or "*" in tags
