"""What telling needs from the outside: a ledger, the minutes, and the channels.

`weir.storage` has them on AWS, the tests in memory; one contract test holds both to this.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

from weir.notices.message import Message
from weir.notices.notice import Notice

type Channel = Literal["event", "message"]

type Marks = frozenset[Channel]
"""The channels that have told of something."""

MAX_EVENTS: Final = 10
"""PutEvents takes so many a call."""

MAX_HELD_AT_ONCE: Final = 49
"""A transaction has 100 actions: two for each notice, one for the minute."""


class NotTaken(Exception):
    """A service did not do what was asked, or said so too late to be sure of it.

    `ids` are those of the notices that it did not take, where it took others.
    """

    def __init__(self, why: str, ids: frozenset[str] = frozenset()) -> None:
        super().__init__(why)
        self.ids = ids


class Refused(Exception):
    """The webhook will not take a message, however often it is posted."""


class Claimed(Exception):
    """Another worker is at it, or was when it died; its lease has not ended yet."""


class Patience(Protocol):
    """A moment until which work may go on: `weir.storage.retry.Deadline`."""

    @property
    def left(self) -> float:
        """Seconds that are left; negative once it has passed."""
        ...


class Ledger(Protocol):
    """What was told, and by which channel, by the ids of messages. All may raise `NotTaken`."""

    def suppress(self, message_id: str) -> bool:
        """Note that nobody is told, unless the ledger has the id already.

        Returns whether nobody is; False: the telling has begun, or is done.
        """
        ...

    def claim(self, message_id: str) -> Marks | None:
        """Claim the telling; return what is marked, or None if all is done.

        Raises `Claimed` while another's lease lasts, which is longer than a worker's life.
        """
        ...

    def mark(self, message_ids: Sequence[str], channel: Channel) -> None:
        """Note that a channel has told of these, at most `MAX_EVENTS`: of all or none."""
        ...

    def done(self, message_id: str) -> None:
        """Note that all channels have."""
        ...

    def release(self, message_id: str) -> None:
        """Give one's own claim back, for whoever comes next."""
        ...


class Minutes(Protocol):
    """How many notices came in each minute, and which of them are held. All may raise `NotTaken`.

    A minute is named by its beginning, epoch ms.
    """

    def take(self, minute: int, more: int, limit: int) -> int:
        """Count `more` notices to a minute; return how many of them may go singly."""
        ...

    def is_called(self, minute: int) -> bool:
        """Whether the digest of the minute has been asked for."""
        ...

    def called(self, minute: int) -> None:
        """Note that it has."""
        ...

    def hold(self, minute: int, notices: Sequence[Notice]) -> bool:
        """Hold notices for the digest, and note in the ledger that they are done: all or none.

        At most `MAX_HELD_AT_ONCE`, for a minute whose digest has been called. Returns False if none
        of them is held, since the minute is closed.
        """
        ...

    def close(self, minute: int) -> None:
        """Let nothing be held for the minute any more."""
        ...

    def held(self, minute: int) -> list[Notice]:
        """All that is held for the minute."""
        ...


class Bus(Protocol):
    """The event bus."""

    def put(self, notices: Sequence[Notice], deadline: Patience) -> None:
        """Put an event for each notice, at most `MAX_EVENTS`.

        Raises `NotTaken` naming those that were not taken.
        """
        ...


class Topic(Protocol):
    """The topic that people and programs subscribe to."""

    def publish(self, message: Message) -> None:
        """Publish a message. Raises `NotTaken`."""
        ...


class Queue(Protocol):
    """The queue that comes back to `notify` itself. Both may raise `NotTaken`."""

    def call_digest(self, minute: int, delay_s: int) -> None:
        """Ask for the digest of a minute in so many seconds."""
        ...

    def post(self, message_id: str, document: str) -> None:
        """Ask for a document to be posted to the webhook."""
        ...


class Hook(Protocol):
    """The webhook."""

    def post(self, message_id: str, document: str) -> None:
        """Post a document. Raises `NotTaken` if it may help to post again, otherwise `Refused`."""
        ...
