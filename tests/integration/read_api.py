"""A small world for the read API: tables on moto, a function that reads them, things to read."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import boto3
from moto import mock_aws

from tests.handlers import load_handler
from tests.integration.api import answered, event
from tests.tables import create_tables
from weir.alerts.alarm import Cleared, Opened
from weir.chunks import pack
from weir.controls import Control
from weir.detection import IN_USE
from weir.readings import Reading
from weir.scoring.hearing import Heard
from weir.scoring.state import DeviceState, MetricState, pack_state
from weir.shards import shard_of
from weir.storage.alert_store import AlertStore
from weir.storage.control_store import ControlStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline

T0 = 1_767_225_600_000
HOUR = 3_600_000


class World:
    """The function, and what its tables hold."""

    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        self.api: ModuleType = load_handler("api")
        self.alerts = AlertStore(dynamodb, "alerts", retention_s=365 * 86_400)
        self.controls = ControlStore(dynamodb, "controls")

    def ask(
        self, route: str, query: object = (), body: object = None, **path: str
    ) -> tuple[int, Any]:
        """The status and the document; `query` as `urlencode` takes it."""
        return answered(self.api, self.request(route, query, body, **path))

    def get(self, route: str, query: object = (), **path: str) -> Any:
        """The document of an answer that is 200."""
        status, document = self.ask(route, query, **path)
        assert status == 200, document
        return document

    def request(
        self, route: str, query: object = (), body: object = None, **path: str
    ) -> dict[str, Any]:
        raw = query if isinstance(query, str) else urlencode(query)  # type: ignore[arg-type]
        return event(route, body, rawQueryString=raw, pathParameters=path)

    def store(self, readings: list[Reading]) -> None:
        """As one request."""
        ReadingStore(self.dynamodb, "readings", retention_s=86_400).put(
            pack(readings), Deadline(30)
        )

    def device(
        self,
        device_id: str,
        heard: Heard | None = None,
        metrics: Mapping[str, MetricState] | None = None,
        silent_since: int | None = None,
    ) -> None:
        """What score and the watchdog keep of a device."""
        state = DeviceState(metrics if metrics is not None else {"flow": MetricState(T0)})
        item: dict[str, Any] = {
            "pk": {"S": device_id},
            "shard": {"S": shard_of(device_id)},
            "version": {"N": "1"},
            "current": {"B": pack_state(state, IN_USE)},
            "watermark": {"N": str(state.frontier)},
            "scored": {"N": str(state.scored)},
        }
        if heard is not None:
            item["heard"] = {"S": heard.text()}
        if silent_since is not None:
            item["silent_since"] = {"N": str(silent_since)}
        self.dynamodb.put_item(TableName="states", Item=item)

    def alert(
        self,
        device_id: str,
        onset: int,
        metric: str = "flow",
        score: float = 0.81,
        ended_at: int | None = None,
    ) -> str:
        """An alert, and its id."""
        told: list[Any] = [Opened(metric, onset, score, "because", 9.5, 1.2, 0.9, 1.5)]
        if ended_at is not None:
            told.append(Cleared(metric, onset, ended_at, score, onset, onset, 3))
        self.alerts.tell(device_id, told, 1)
        return f"{device_id}~{onset}~{metric}"

    def lines(self, text: str, message: str) -> list[dict[str, Any]]:
        return [it for it in map(json.loads, text.splitlines()) if it["message"] == message]


class OneAtATime:
    """Calls one after the other: moto looks at a condition and writes in two steps."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def alone(**request: Any) -> Any:
            with self._lock:
                return call(**request)

        return alone


@contextmanager
def a_world() -> Iterator[World]:
    """Empty tables."""
    with mock_aws():
        dynamodb = boto3.Session(region_name="eu-west-1").client("dynamodb")
        create_tables(dynamodb)
        yield World(dynamodb)


def furnish(world: World) -> None:
    """What the sample events ask for."""
    world.store(
        [Reading("pump-7", T0 + at * 1000, {"flow": 1.0 + at, "pressure": 3.0}) for at in range(90)]
    )
    world.device("pump-7", Heard(T0 + 90_000, 30, 10.0, pace=10.0))
    world.device("valve-1", silent_since=T0)
    world.alert("pump-7", T0)
    world.controls.put("pump-7", "flow", Control(minimum=1.0))


def now() -> int:
    return time.time_ns() // 1_000_000
