"""Gateways: each speaks for some devices, and sends what they measured until it is acknowledged.

Of one device a gateway sends in order, and goes on only once it is acknowledged; but what it sends
together is drawn anew each time, so that what is sent again is seldom grouped as it was. Whatever
worker is free sends for whatever gateway is due, over its own connection.
"""

import heapq
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition
from typing import Final

from tests.soak.bodies import Body, encode
from tests.soak.fleet import BULK_READINGS, Device, Reading

SIZES: Final = (20, 100)
"""The fewest and the most readings of a request."""
RECENT: Final = 20
"""So many readings of a device may be sent once more, though they are acknowledged."""

_BAD_SHARE: Final = 0.05
_ENCORE_SHARE: Final = 0.03
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.5
"""Clients are told to wait for 5 s; in a stack whose waits are a twentieth, that is long."""


@dataclass(slots=True)
class Gateway:
    """Some devices of one protocol. `bulk`: what there is goes in one request."""

    devices: Sequence[Device]
    dice: random.Random
    pace: float
    """Readings a second that each device takes."""
    key: str
    """Its device key, which speaks for these devices and some others."""
    sizes: tuple[int, int] = SIZES
    bulk: bool = False
    failures: int = 0
    wanted: int = 1
    drawn: list[tuple[Device, int]] = field(default_factory=list)
    """What the last body holds: for each device, the readings up to the one at this place."""

    def next_body(self, taken: int, *, only_sent: bool) -> Body | None:
        """What to send, if each device has taken `taken` readings; None if there is nothing.

        `only_sent`: nothing new leaves the devices any more.
        """
        self.drawn = []
        left = BULK_READINGS if self.bulk else self.wanted
        batch: list[tuple[str, Sequence[Reading]]] = []
        for device in self.dice.sample(self.devices, len(self.devices)):
            until = device.sent if only_sent or self.bulk else max(device.sent, taken)
            most = min(left, until - device.acknowledged)
            if most <= 0:
                continue
            n = (
                most
                if self.bulk and not self.failures
                else self.dice.randint((most + 1) // 2, most)
            )
            until = device.acknowledged + n
            batch.append((device.device_id, device.upto(until)[device.acknowledged :]))
            device.sent = max(device.sent, until)
            self.drawn.append((device, until))
            left -= n
        if not batch:
            return None
        bad = self.dice.randint(1, 3) if self.dice.random() < _BAD_SHARE else 0
        return encode(self.devices[0].protocol, batch, bad, self.dice)

    def encore(self) -> Body | None:
        """Now and then: acknowledged readings once more, in another grouping."""
        if self.bulk or self.dice.random() >= _ENCORE_SHARE:
            return None
        batch = []
        for device in self.devices:
            first = max(0, device.acknowledged - self.dice.randint(1, RECENT))
            if again := device.readings[first : device.acknowledged]:
                batch.append((device.device_id, again))
        return encode(self.devices[0].protocol, batch, 0, self.dice) if batch else None

    def succeeded(self) -> int:
        """The last body is acknowledged; return how many readings are so for the first time."""
        fresh = 0
        for device, until in self.drawn:
            fresh += until - device.acknowledged
            device.acknowledged = until
        self.failures = 0
        self.wanted = self.dice.randint(*self.sizes)
        return fresh

    def failed(self) -> float:
        """The last body is not acknowledged; return for how many seconds to wait."""
        self.failures += 1
        self.wanted = self.dice.randint(*self.sizes)
        bound = min(_FIRST_PAUSE_S * 2**self.failures, _LONGEST_PAUSE_S)
        return self.dice.uniform(bound / 2, bound)

    @property
    def unacknowledged(self) -> int:
        """Readings that were sent and are not acknowledged."""
        return sum(device.sent - device.acknowledged for device in self.devices)

    def due_in(self, taken: int) -> float:
        """Seconds until there is as much to send as the next request wants."""
        missing = self.wanted - sum(taken - device.acknowledged for device in self.devices)
        return 0.0 if self.bulk else max(0.0, missing / (self.pace * len(self.devices)))


class Pool:
    """The gateways that wait, the one that is due next first.

    Once `end` is called, a gateway is due as long as it has sent what is not acknowledged.
    """

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._begun = time.monotonic()
        self._waiting: list[tuple[float, int, Gateway]] = []
        self._order = count()
        self._changed = Condition()
        self._busy = 0
        self._ended = False
        self._abandoned = False

    @property
    def ended(self) -> bool:
        """Whether nothing new is to be sent."""
        return self._ended

    def taken(self) -> int:
        """How many readings each device has taken by now."""
        return int((time.monotonic() - self._begun) * self._pace)

    def add(self, gateways: Iterable[Gateway]) -> None:
        """Let more gateways wait for a worker."""
        with self._changed:
            for gateway in gateways:
                self._push(gateway, 0.0)
            self._changed.notify_all()

    def end(self) -> None:
        """Send nothing new from here on."""
        with self._changed:
            self._ended = True
            self._waiting = [
                (min(at, time.monotonic() + _LONGEST_PAUSE_S), order, gateway)
                for at, order, gateway in self._waiting
                if gateway.unacknowledged
            ]
            heapq.heapify(self._waiting)
            self._changed.notify_all()

    def take(self) -> Gateway | None:
        """Wait for a gateway that is due; None when all is acknowledged and nothing more comes."""
        with self._changed:
            while True:
                if self._abandoned or (self._ended and not self._waiting and not self._busy):
                    return None
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    self._busy += 1
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)

    def abandon(self) -> None:
        """Send nothing at all from here on, acknowledged or not."""
        with self._changed:
            self._ended = self._abandoned = True
            self._changed.notify_all()

    def give(self, gateway: Gateway, pause: float) -> None:
        """Give a gateway back, to be due after `pause` seconds at the earliest."""
        with self._changed:
            self._busy -= 1
            if gateway.unacknowledged or not (self._ended or gateway.bulk):
                self._push(gateway, pause)
            self._changed.notify_all()

    def _push(self, gateway: Gateway, pause: float) -> None:
        wait = pause if self._ended else max(pause, gateway.due_in(self.taken()))
        heapq.heappush(self._waiting, (time.monotonic() + wait, next(self._order), gateway))
