"""What every protocol is made of: a request in, readings and refusals out, answers in its shape."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from weir.identity import Scope
from weir.readings import NOT_COVERED, Reading, Rejection, Window

MAX_READINGS: Final = 10_000
"""Entries (readings, SenML records, lines, data points) that one request may hold."""

MAX_INFLATED: Final = 8 * 1024 * 1024
"""Bytes of a request's body once inflated, unless a protocol has a narrower bound."""


class UnreadableBody(ValueError):
    """Nothing can be read from the body; the message says why."""


class TooManyReadings(ValueError):
    """The body holds more entries than one request may."""


class NotCovered(Exception):
    """The sender's key speaks for none of the devices that the request is about."""


class Request(msgspec.Struct, frozen=True):
    """A request as a protocol sees it: its inflated body, and the rules that hold for it.

    `media_type` is lower case and without parameters; `query` has the query's parameters.
    """

    body: bytes
    media_type: str
    query: Mapping[str, str]
    now_ms: int
    window: Window
    scope: Scope


class Parsed(msgspec.Struct, frozen=True):
    """The readings of a request, in its order, and the refusals of its other entries.

    `accepted` counts the protocol's own entries that were taken: several data points of one
    device and time may have become one reading.
    """

    readings: Sequence[Reading]
    rejected: Sequence[Rejection]
    accepted: int

    def check_covered(self) -> None:
        """Raise `NotCovered` if every entry is refused because of the key that sent it."""
        if self.accepted or not self.rejected:
            return
        if all(rejection.code == NOT_COVERED for rejection in self.rejected):
            raise NotCovered(self.rejected[0].detail)


class Reply(msgspec.Struct, frozen=True):
    """An answer's status, body and media type, in the shape that the protocol has for it."""

    status: int
    body: bytes
    media_type: str


class Adapter(Protocol):
    """A protocol. Its answers go to clients that know nothing of Weir."""

    media_types: frozenset[str]
    """Those that it reads; "" stands for none named."""

    max_inflated: int
    """Bytes that a body may have once inflated."""

    def parse(self, request: Request) -> Parsed:
        """Read the body. Raises `UnreadableBody` or `TooManyReadings`; a bad entry is refused."""
        ...

    def accept(self, parsed: Parsed, media_type: str) -> Reply:
        """The answer once all that was parsed is durable."""
        ...

    def refuse(
        self, status: int, code: str, detail: str, media_type: str, request_id: str
    ) -> Reply:
        """The answer to a request of which nothing was taken: `code` is for machines."""
        ...
