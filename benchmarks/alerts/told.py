"""What had to be told of some alerts, and what was: every transition, and each of them once."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from weir.alerts.alert import Alert
from weir.notices.notice import notices_of
from weir_local.control import Control
from weir_local.status import StackStatus
from weir_local.taps import Heard, Tap


def expected(alerts: Iterable[Alert]) -> set[str]:
    """The ids of the notices that these alerts have given rise to, none of them snoozed."""
    return {notice.notice_id for alert in alerts for notice in notices_of(None, alert)}


def of_event(event: Any) -> str:
    """The id of the notice that an event on the bus is about."""
    return str(event["detail"]["notice_id"])


def of_message(document: Any) -> list[str]:
    """The ids of the notices that a message of the topic tells of, alone or in a digest.

    Raises `ValueError` for a digest that had no room for all of them.
    """
    if document["type"] == "notice":
        return [document["notice_id"]]
    if document["truncated"]:
        raise ValueError(f"the digest {document['digest_id']} leaves ids out")
    return list(document["notice_ids"])


@dataclass(frozen=True, slots=True)
class Difference:
    """How many notices never came, came too often, and came of nothing."""

    missing: int
    doubled: int
    unknown: int


def compare(wanted: set[str], told: Counter[str]) -> Difference:
    """Hold what was told against what had to be."""
    return Difference(
        missing=len(wanted - told.keys()),
        doubled=sum(count - 1 for count in told.values()),
        unknown=len(told.keys() - wanted),
    )


class Ears:
    """Listens at the topic and on the bus of a stack."""

    def __init__(self, status: StackStatus, name: str) -> None:
        self._topic = Tap.at_topic(status, f"{name}-topic")
        self._bus = Tap.on_bus(status, f"{name}-bus")
        self.messages: list[Any] = []
        """The documents of the messages."""
        self.events: list[Heard] = []

    def listen(self) -> None:
        """Take what has come."""
        self.messages += [one.json() for one in self._topic.drain()]
        self.events += self._bus.drain()

    def listen_until_quiet(self, control: Control, timeout_s: float) -> None:
        """Take all that comes until no notice waits any more, in a digest either.

        Raises `TimeoutError`.
        """
        deadline = time.monotonic() + timeout_s
        control.flush()
        while (pending := control.pending()) or pending.notices_delayed:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still under way after {timeout_s:g} s: {pending}")
            self.listen()
            time.sleep(0.2)
        self.listen()

    def forget(self) -> None:
        """Begin anew."""
        self.listen()
        self.messages.clear()
        self.events.clear()

    def on_topic(self) -> Counter[str]:
        """How often each notice came to the topic."""
        return Counter(one for document in self.messages for one in of_message(document))

    def on_bus(self) -> Counter[str]:
        """How often each notice came on the bus."""
        return Counter(of_event(event.json()) for event in self.events)
