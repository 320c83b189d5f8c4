"""What the watchdog reads to find 20 silent devices among 10,000, and 1,000 at once.

On the tables of the template in moto, through a client that counts: the items that calls answer
with, and the calls. What a fleet costs that has no index is a scan of all of it.
"""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from msgspec.structs import replace
from tests.tables import create_tables

from benchmarks.figures import Figure, Findings
from weir.chunks import pack
from weir.controls import NONE
from weir.detection import IN_USE
from weir.readings import Reading
from weir.scoring.hearing import Heard
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir.storage.watch_store import WatchStore
from weir.watch import Tally, Watchdog

DEVICES = 10_000
SILENT = 20
OUTAGE = 1_000
MINUTE = 60_000
MOST_READ = 60

_NOW = 1_767_225_600_000
_HEARD = Heard(gaps=100, mean_s=30.0, longest_s=32.0, second_s=31.0, pace=1.0, lag_s=2.0)


class CountingClient:
    """A DynamoDB client that counts calls by name, and the items that reading ones answer with."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.calls: Counter[str] = Counter()
        self.items = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(**request: Any) -> Any:
            answer = call(**request)
            with self._lock:
                self.calls[name] += 1
                self.items += len(answer.get("Items", ())) + ("Item" in answer)
            return answer

        return counted


def run() -> Findings:
    """Measure a fleet with few silent devices, and then one in an outage."""
    account = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    with patch.dict(os.environ, account), mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(dynamodb)
        for n in range(DEVICES):
            silent = n % (DEVICES // SILENT) == 0
            _put(dynamodb, f"dev-{n:05d}", 180 if silent else n % 32)
        tally, client, _ = _watch(dynamodb)
        found = len(list(AlertStore(dynamodb, "alerts").of_state("OPEN")))
        for n in range(OUTAGE):
            _put(dynamodb, f"out-{n:05d}", 180)
        outage, outage_client, seconds = _watch(dynamodb)
    looks = client.calls["query"]
    return Findings(
        [
            Figure(
                f"watchdog, items read for {SILENT} silent of {DEVICES:,}",
                f"{client.items} in {looks} queries; {found} found",
                f"{DEVICES:,}",
                "floor: without an index, a scan",
                str(client.items),
                f"≤ {MOST_READ}",
                client.items <= MOST_READ and found == tally.silent == SILENT,
            ),
            Figure(
                f"watchdog, {OUTAGE:,} silent at once",
                f"{outage.silent:,} found, {outage_client.items:,} items read, {seconds:.0f} s",
                target=f"{OUTAGE:,} found",
                met=outage.silent == OUTAGE,
            ),
        ],
        {
            "watchdog_found": found,
            "watchdog_items_read": client.items,
            "watchdog_queries": looks,
            "watchdog_outage_found": outage.silent,
            "watchdog_outage_items_read": outage_client.items,
        },
        ["The watchdog's seconds are moto's; against a table each call takes some milliseconds."],
    )


def _put(dynamodb: Any, device_id: str, minutes_ago: int) -> None:
    """A device whose checkpoint was written and that was heard so long ago."""
    last = _NOW - minutes_ago * MINUTE
    heard = replace(_HEARD, last=last)
    state = DeviceState({"flow": MetricState(last - 2_000, scored=1000)})
    checkpoint = Checkpoint(
        device_id, 1, state, state, heard=heard, expected_by=heard.expected_by()
    )
    CheckpointStore(dynamodb, "states", IN_USE).put(checkpoint)
    if minutes_ago > 100:
        chunks = pack([Reading(device_id, last - 2_000, {"flow": 20.0})])
        ReadingStore(dynamodb, "readings", retention_s=86_400).put(chunks, Deadline(5))


def _watch(dynamodb: Any) -> tuple[Tally, CountingClient, float]:
    client = CountingClient(dynamodb)
    failures: dict[str, Exception] = {}
    watchdog = Watchdog(AlertStore(client, "alerts"), lambda: _NOW, failures.__setitem__)
    deadline = Deadline(600)
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as executor:
        tally = watchdog.run(
            lambda: WatchStore(client, "states", "readings", deadline),
            lambda device_ids: dict.fromkeys(device_ids, NONE),
            executor,
            deadline,
        )
    for error in failures.values():
        raise error
    return tally, client, time.monotonic() - begun
