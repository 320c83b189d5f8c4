"""The core of `weir run`: readings in, alerts out, until the operator has seen enough."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

from weir_cli.alert_watch import Watch
from weir_cli.api_client import Document
from weir_cli.batches import Batch
from weir_cli.delivery import Delivery, Totals, interruptible
from weir_cli.errors import Problem
from weir_cli.front_door import FrontDoor
from weir_cli.live_view import View
from weir_cli.patience import Patience
from weir_cli.rows import Unreadable
from weir_cli.sender import Sender

POLL_S: Final = 0.7
_GRACE_S: Final = 4.0


@dataclass
class Show:
    """Sends `items` and shows the alerts that follow.

    Attributes
    ----------
    is_idle
        Tells whether everything that was sent has been scored.
    on_sent
        Is called once all items were sent; returns what to say.
    seconds
        How long the show lasts; None for until `stop` is set.
    """

    door: FrontDoor
    items: Iterable[Batch | Unreadable]
    watch: Watch
    view: View
    stop: Event
    is_idle: Callable[[], bool]
    on_sent: Callable[[Totals], Sequence[str]]
    seconds: float | None = None
    connections: int = 4
    clock: Callable[[], float] = time.monotonic
    alerts: dict[str, Document] = field(default_factory=dict, init=False)
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.view.say)

    def run(self) -> Totals:
        """Run until `stop` is set or `seconds` have passed; raise `Problem` if sending fails."""
        self._patience.look(self.watch.look)  # what an earlier run left is no news
        with Sender(
            self.door.url,
            connections=self.connections,
            headers=self.door.headers,
            sleep=interruptible(self.stop),
        ) as sender:
            delivery = Delivery(sender, connections=self.connections, stop=self.stop)
            errors: list[Exception] = []
            feeder = Thread(target=_feed, args=(delivery, self.items, errors), daemon=True)
            feeder.start()
            try:
                self._until_stopped(delivery, feeder, errors)
            finally:
                self.stop.set()
                feeder.join(_GRACE_S)
        self._look(delivery.totals)
        return delivery.totals

    def _until_stopped(
        self, delivery: Delivery, feeder: Thread, errors: Sequence[Exception]
    ) -> None:
        began = self.clock()
        sent = settled = False
        while not self.stop.is_set():
            ended = not feeder.is_alive()
            idle = ended and self.is_idle()
            self._look(delivery.totals)
            if errors:
                raise errors[0]
            if delivery.totals.failure is not None:
                raise Problem(delivery.totals.failure)
            if ended and not sent:
                sent = True
                self._say(self.on_sent(delivery.totals))
            if idle and not settled:
                settled = True
                self.view.say(f"all of it is scored: {len(self.alerts):,} alerts")
            if self.seconds is not None and self.clock() - began >= self.seconds:
                return
            self.stop.wait(POLL_S)

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.view.say(line)

    def _look(self, totals: Totals) -> None:
        changed = self._patience.look(self.watch.look) or ()
        self.alerts.update((alert["alert_id"], alert) for _, alert in changed)
        still_open = sum(alert["state"] == "OPEN" for alert in self.alerts.values())
        self.view.show(totals, changed, still_open, len(self.alerts))


def _feed(delivery: Delivery, items: Iterable[Batch | Unreadable], errors: list[Exception]) -> None:
    try:
        delivery.run(items)
    except Exception as error:  # noqa: BLE001 - the thread that looks raises it
        errors.append(error)
