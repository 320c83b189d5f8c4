"""What the end-to-end tests do to the deployed stack, and what they look at in it."""

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from weir.detection import IN_USE
from weir.scoring.fold import fold
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.control_store import ControlStore
from weir.storage.device_key_store import DeviceKeyStore
from weir.storage.reading_store import ReadingStore
from weir_local.aws import client
from weir_local.control import Control
from weir_local.status import StackStatus

type Value = tuple[int, str, float]  # time, metric, value


@dataclass
class Stack:
    """The deployed local stack, through its front door and its stores."""

    status: StackStatus
    control: Control

    @property
    def url(self) -> str:
        return f"{self.status.api_url}/v1/readings"

    @cached_property
    def dynamodb(self) -> Any:
        return client(self.status, "dynamodb")

    @cached_property
    def s3(self) -> Any:
        return client(self.status, "s3")

    @cached_property
    def readings(self) -> ReadingStore:
        return ReadingStore(self.dynamodb, self.status.readings_table)

    @cached_property
    def alerts(self) -> AlertStore:
        return AlertStore(self.dynamodb, self.status.alerts_table)

    @cached_property
    def keys(self) -> DeviceKeyStore:
        return DeviceKeyStore(self.dynamodb, self.status.devices_table)

    @cached_property
    def controls(self) -> ControlStore:
        return ControlStore(self.dynamodb, self.status.controls_table)

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """POST `body` with the key for every device; a header's name is given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("content-type", "application/json")
        named.setdefault("authorization", f"Bearer {self.status.device_key}")
        return httpx.post(self.url, content=body, headers=named, timeout=40, trust_env=False)

    def post_json(self, value: Any) -> httpx.Response:
        return self.post(json.dumps(value).encode())

    def post_json_as(self, media_type: str, value: Any) -> httpx.Response:
        return self.post(json.dumps(value).encode(), content_type=media_type)

    def operate(self, method: str, path: str, content: Any = None, **query: str) -> httpx.Response:
        """Ask for an operator's route; `content` becomes the JSON body."""
        return httpx.request(
            method,
            f"{self.status.api_url}{path}",
            params=query or None,
            json=content,
            headers={"authorization": f"Bearer {self.status.operator_token}"},
            timeout=40,
            trust_env=False,
        )

    def settle(self) -> None:
        """Wait until all that was posted is delivered and scored."""
        self.control.flush()
        self.control.wait_idle(60)

    def chunks(self, device_id: str) -> list[Any]:
        page = self.readings.read(device_id, from_t0=0)
        chunks = list(page.chunks)
        while page.next_sk is not None:
            page = self.readings.read(device_id, from_t0=0, after_sk=page.next_sk)
            chunks += page.chunks
        return chunks

    def in_table(self, device_id: str) -> Counter[Value]:
        """How often each value of the device stands in the Readings table."""
        return Counter(
            (reading.ts, name, value)
            for chunk in self.chunks(device_id)
            for reading in chunk.document.rows()
            for name, value in reading.metrics.items()
        )

    def lake_rows(self, device_id: str) -> list[dict[str, Any]]:
        """The device's rows in the lake, as they were delivered."""
        lines = (
            line
            for body in self.objects(self.status.lake_bucket, "readings/")
            for line in gzip.decompress(body).splitlines()
        )
        rows = map(json.loads, lines)
        return [row for row in rows if row["device_id"] == device_id]

    def objects(self, bucket: str, prefix: str = "") -> list[bytes]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return [self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]

    def scored(self, device_id: str) -> int:
        """How many values are scored once the device's log is folded to its end."""
        detector = IN_USE
        checkpoint = CheckpointStore(self.dynamodb, self.status.states_table, detector).get(
            device_id
        )
        assert checkpoint is not None
        state = checkpoint.current
        folded = fold(state, self.chunks(device_id), set(state.metrics), 1 << 60, detector)
        return folded.state.scored
