"""The local stack with small functions, as the tests speak with it."""

import gzip
import json
from dataclasses import dataclass
from typing import Any

import httpx

from weir_local.aws import client
from weir_local.control import Control
from weir_local.stack import StackOptions
from weir_local.status import StackStatus


@dataclass
class Stack:
    status: StackStatus
    options: StackOptions
    control: Control

    def post(self, device: str, sk: str = "1", **more: Any) -> httpx.Response:
        return self.send(json.dumps({"device_id": device, "sk": sk, **more}).encode())

    def send(self, body: bytes, key: str = "good", **headers: str) -> httpx.Response:
        """POST `body`; a header's name is given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": "application/json", "authorization": f"Bearer {key}", **named}
        return self.call("POST", "/v1/readings", content=body, headers=named)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        url = self.status.api_url + path
        return httpx.request(method, url, timeout=30, trust_env=False, **more)

    def struck(self, fault: str) -> int:
        return self.control.counts()["struck"].get(fault, 0)

    def readings(self, device: str) -> dict[str, Any]:
        found = client(self.status, "dynamodb").query(
            TableName=self.status.readings_table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": device}},
        )
        return {item["sk"]["S"]: item for item in found["Items"]}

    def settle(self) -> None:
        self.control.flush()
        self.control.wait_idle(30)

    def states(self) -> dict[str, Any]:
        found = client(self.status, "dynamodb").scan(TableName=self.status.states_table)
        return {item["pk"]["S"]: json.loads(item["record"]["S"]) for item in found["Items"]}

    def objects(self, bucket: str, prefix: str) -> list[bytes]:
        s3 = client(self.status, "s3")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]

    def lake(self, prefix: str) -> list[Any]:
        bodies = self.objects(self.status.lake_bucket, prefix)
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]
