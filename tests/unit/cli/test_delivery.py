"""Delivery: each device in its order, nothing lost without a word."""

import json
from collections import defaultdict
from threading import Event, Lock

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.readings import Reading
from weir_cli.batches import Batch, batches
from weir_cli.delivery import Delivery, Pace, Totals
from weir_cli.rows import Item, Row, Unreadable
from weir_cli.sender import Receipt, Sender

URL = "http://api.test"


class Server:
    """Takes everything but the readings of `rejects`, and breaks for the device `broken`."""

    def __init__(self, rejects: frozenset[int] = frozenset(), broken: str | None = None) -> None:
        self.rejects = rejects
        self.broken = broken
        self.taken: defaultdict[str, list[int]] = defaultdict(list)
        self._lock = Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        rows = [json.loads(line) for line in request.content.splitlines()]
        if rows[0]["device_id"] == self.broken:
            return httpx.Response(403, json={"message": "Forbidden"})
        rejected = []
        with self._lock:
            for index, row in enumerate(rows):
                if row["ts"] in self.rejects:
                    rejected.append({"index": index, "code": "wrong", "detail": "it is wrong"})
                else:
                    self.taken[row["device_id"]].append(row["ts"])
        accepted = len(rows) - len(rejected)
        return httpx.Response(202, json={"accepted": accepted, "rejected": rejected})


class Notes:
    """Remembers what an observer is told."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.unreadable: list[int] = []

    def on_receipt(self, batch: Batch, receipt: Receipt) -> None:
        self.refused += [batch.lines[refusal.index] for refusal in receipt.rejected]

    def on_unreadable(self, row: Unreadable) -> None:
        self.unreadable.append(row.line)


def deliver(
    server: Server, items: list[Item], connections: int = 3, notes: Notes | None = None
) -> Totals:
    with Sender(URL, transport=httpx.MockTransport(server)) as sender:
        delivery = Delivery(sender, connections=connections, observer=notes)
        return delivery.run(batches(items, 2))


def rows(*devices: str) -> list[Item]:
    return [Row(at + 2, Reading(device, at, {"x": 1.0})) for at, device in enumerate(devices)]


@settings(max_examples=25)
@given(st.lists(st.sampled_from("abcde"), max_size=30), st.integers(1, 4))
def test_everything_arrives_each_device_in_its_order(devices: list[str], connections: int) -> None:
    server = Server()
    totals = deliver(server, rows(*devices), connections)
    assert totals.complete
    assert totals.accepted == totals.sent == totals.rows == len(devices)
    for device in set(devices):
        sent = [at for at, name in enumerate(devices) if name == device]
        assert server.taken[device] == sent


def test_what_is_not_accepted_is_counted_and_told_with_its_line() -> None:
    notes = Notes()
    items = [*rows("a", "a", "a"), Unreadable(9, "no value")]
    totals = deliver(Server(rejects=frozenset({1})), items, notes=notes)
    assert (totals.rows, totals.sent, totals.accepted) == (4, 3, 2)
    assert (totals.rejected, totals.unreadable, totals.requests) == (1, 1, 2)
    assert (notes.refused, notes.unreadable) == ([3], [9])
    assert not totals.complete
    assert totals.failure is None


def test_a_request_that_cannot_be_sent_stops_the_delivery_and_says_where() -> None:
    totals = deliver(Server(broken="b"), rows("b", "b", *"a" * 500), connections=1)
    assert totals.failure is not None
    assert "2 readings of b, from line 2, and all after them were not sent" in totals.failure
    assert "403, http_403: the device key is unknown" in totals.failure
    assert totals.accepted < 500
    assert not totals.complete


def test_a_stop_ends_the_delivery_without_a_failure() -> None:
    stop = Event()
    stop.set()
    server = Server()
    with Sender(URL, transport=httpx.MockTransport(server)) as sender:
        totals = Delivery(sender, stop=stop).run(batches(rows("a", "a"), 1))
    assert totals.failure is None
    assert not server.taken


def test_a_pace_holds_the_readings_to_their_rate() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(50.0, clock=lambda: now, sleep=sleep)
    for _ in range(5):
        pace.wait(100)
    assert now == 8.0  # the fifth hundred goes once the first four have had their time
