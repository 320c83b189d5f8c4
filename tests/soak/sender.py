"""Sends what the gateways have, over several connections, until every reading is acknowledged."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Final

import httpx

from tests.soak.bodies import Body, is_taken
from tests.soak.fleet import Device
from tests.soak.gateway import SIZES, Gateway, Pool

CONNECTIONS: Final = 6
DEVICES_OF_A_GATEWAY: Final = 5

_TWICE_SHARE: Final = 0.04
"""So many of the acknowledged requests are sent once more as they were."""
_TIMEOUT_S: Final = 35.0
"""API Gateway answers within 30 s, with a 503 if need be."""


@dataclass(slots=True)
class Tally:
    """What went out and what came back."""

    acknowledged: int = 0
    requests: int = 0
    sent_twice: int = 0
    regrouped: int = 0
    bad_entries: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    """By the status that made a request be sent again."""


class Sender:
    """Sends for the gateways in threads of its own, until it is ended and all is acknowledged.

    `fleet` is served from the beginning; `add` brings more. `begun` is set once something is
    acknowledged, `enough` once `target` readings are, and `abandoned` when a worker or the one
    who waits has given up. `keys` makes a device key for devices whose ids have a prefix.
    """

    def __init__(
        self,
        api_url: str,
        keys: Callable[[str], str],
        fleet: Sequence[Device],
        pace: float,
        target: int,
        seed: int,
        sizes: tuple[int, int] = SIZES,
    ) -> None:
        self._api_url = api_url
        self._keys = keys
        self._pace = pace
        self._target = target
        self._seed = seed
        self._sizes = sizes
        self._lock = Lock()
        self.tally = Tally()
        self.devices: list[Device] = list(fleet)
        self.begun = Event()
        self.enough = Event()
        self.abandoned = Event()
        self._pool = Pool(pace)
        self._pool.add(self._gateways(fleet))
        self._executor = ThreadPoolExecutor(CONNECTIONS)
        self._work: list[Future[None]] = []

    def start(self) -> None:
        """Begin to send."""
        self._work = [self._executor.submit(self._run, at) for at in range(CONNECTIONS)]

    def add(self, device: Device) -> None:
        """Let a device upload all that it has at once."""
        self.devices.append(device)
        dice = random.Random(f"{self._seed}/{device.device_id}")
        device.sent = len(device.readings)
        key = self._keys(device.device_id)
        self._pool.add([Gateway([device], dice, self._pace, key, bulk=True)])

    def finish(self) -> None:
        """Send nothing new, and return when all that was sent is acknowledged.

        Raises what a worker raised, such as `WrongAnswer`.
        """
        self._pool.end()
        for work in self._work:
            work.result()

    def close_fleet(self) -> None:
        """After `finish`: let every device send its closing reading."""
        for device in self.devices:
            device.close()
            device.sent += 1
        self._pool = Pool(self._pace)
        self._pool.add(self._gateways(self.devices))
        self._pool.end()
        self.start()
        self.finish()

    def abandon(self) -> None:
        """Give up: nothing is sent any more, acknowledged or not."""
        self._pool.abandon()
        for event in (self.abandoned, self.begun, self.enough):
            event.set()

    def close(self) -> None:
        """Let the threads end; whatever they still have to send is abandoned."""
        self._pool.abandon()
        self._executor.shutdown()

    def _gateways(self, devices: Sequence[Device]) -> list[Gateway]:
        by_group: dict[str, list[Device]] = {}
        for device in devices:
            # The ids of the devices that a gateway may speak for begin alike.
            by_group.setdefault(device.device_id.rpartition("-")[0], []).append(device)
        return [
            Gateway(
                of_one[at : at + DEVICES_OF_A_GATEWAY],
                self._dice(prefix, at),
                self._pace,
                self._keys(f"{prefix}-"),
                self._sizes,
            )
            for prefix, of_one in by_group.items()
            for at in range(0, len(of_one), DEVICES_OF_A_GATEWAY)
        ]

    def _dice(self, *name: object) -> random.Random:
        return random.Random("/".join(map(str, (self._seed, *name))))

    # -------------------------------------------------------------- a worker

    def _run(self, number: int) -> None:
        dice = self._dice("worker", number)
        pool = self._pool
        with httpx.Client(base_url=self._api_url, timeout=_TIMEOUT_S, trust_env=False) as client:
            try:
                while (gateway := pool.take()) is not None:
                    pool.give(gateway, self._serve(client, gateway, pool, dice))
            except BaseException:
                self.abandon()
                raise

    def _serve(
        self, client: httpx.Client, gateway: Gateway, pool: Pool, dice: random.Random
    ) -> float:
        """Send one request for a gateway; return for how long it is to wait."""
        body = gateway.next_body(pool.taken(), only_sent=pool.ended)
        if body is None:
            return 0.0
        if not self._post(client, body, gateway.key, retried=True):
            return gateway.failed()
        fresh = gateway.succeeded()
        with self._lock:
            self.tally.acknowledged += fresh
            self.tally.bad_entries += body.bad
            self.begun.set()
            if self.tally.acknowledged >= self._target:
                self.enough.set()
        if dice.random() < _TWICE_SHARE:
            self.tally.sent_twice += 1
            self._post(client, body, gateway.key, retried=False)
        if (encore := gateway.encore()) is not None:
            self.tally.regrouped += 1
            self._post(client, encore, gateway.key, retried=False)
        return 0.0

    def _post(self, client: httpx.Client, body: Body, key: str, *, retried: bool) -> bool:
        try:
            answer = client.post(
                body.path,
                content=body.content,
                headers={**body.headers, "authorization": f"Bearer {key}"},
            )
        except httpx.TransportError as error:
            status, taken = type(error).__name__, False
        else:
            status, taken = (
                str(answer.status_code),
                is_taken(body, answer.status_code, answer.content),
            )
        with self._lock:
            self.tally.requests += 1
            if retried and not taken:
                self.tally.retries[status] += 1
        return taken
