"""The event bus: one event for each notice.

Source: EventBridge API reference, "PutEvents" (10 entries a call; HTTP 200 with FailedEntryCount,
and the answers in the order of the entries).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from weir.notices.notice import DETAIL_TYPES, Notice
from weir.notices.ports import NotTaken, Patience
from weir.storage.notice_calls import taken
from weir.storage.retry import Deadline, Rest, send_all

SOURCE: Final = "weir"

_PATIENCE_S: Final = 10.0


class EventBus:
    """Puts events on the bus."""

    def __init__(self, events: Any, bus: str) -> None:
        self._events = events
        self._bus = bus

    def put(self, notices: Sequence[Notice], deadline: Patience) -> None:
        """Put an event for each notice, ten at the most; those that fail are put again.

        Raises `NotTaken` naming those that failed to the end.
        """
        left = {notice.notice_id for notice in notices}

        def send(batch: Sequence[Notice]) -> Rest[Notice]:
            answer = self._events.put_events(Entries=[self._entry(each) for each in batch])
            codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
            failed = [each for each, code in zip(batch, codes, strict=True) if code]
            left.intersection_update(each.notice_id for each in failed)
            return Rest(failed, next(filter(None, codes), ""))

        if deadline.left <= 0:
            raise NotTaken("no time was left", frozenset(left))
        patience = Deadline(min(_PATIENCE_S, deadline.left))
        try:
            with taken("the bus"):
                send_all("EventBridge", notices, send, patience)
        except NotTaken as error:
            raise NotTaken(str(error), frozenset(left)) from error

    def _entry(self, notice: Notice) -> dict[str, Any]:
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPES[notice.kind],
            "Detail": msgspec.json.encode(notice).decode(),
        }
