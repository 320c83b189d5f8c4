"""The real `influxdb-client` writes through the front door, and its values are found, exact."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write import point as points
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from tests.e2e.stack import Stack
from weir.readings import format_ts

pytestmark = pytest.mark.e2e

Point: Any = points.Point  # its methods have no types

FIELDS = {"temp": 21.1, "co2": 417, "counter": 2**53 + 1, "open": True, "tiny": 5e-324}
METRICS = {f"air.{name}": float(value) for name, value in FIELDS.items()}


@contextmanager
def writing(stack: Stack, *, token: str = "", gzip: bool = False) -> Iterator[Any]:
    """The client's blocking write API, with the key that speaks for every device."""
    with (
        InfluxDBClient(
            stack.status.api_url,
            token=token or stack.status.device_key,
            org="weir",
            enable_gzip=gzip,
            timeout=40_000,
        ) as client,
        client.write_api(SYNCHRONOUS) as write_api,
    ):
        yield write_api


def seconds_ago(seconds: int) -> datetime:
    """A time without a fraction, which every precision can say."""
    return datetime.fromtimestamp(int(time.time()) - seconds, UTC)


def epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def point(device_id: str, moment: datetime, precision: str) -> Any:
    made = Point("air").tag("device_id", device_id).time(moment, precision)
    for name, value in FIELDS.items():
        made.field(name, value)
    return made


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "precision", [WritePrecision.NS, WritePrecision.US, WritePrecision.MS, WritePrecision.S]
)
def test_points_are_found_in_table_and_lake_exact(stack: Stack, precision: str, gzip: bool) -> None:
    device_id = f"influx-{precision}-{'gzip' if gzip else 'plain'}"
    moments = [seconds_ago(20), seconds_ago(10)]
    with writing(stack, gzip=gzip) as write_api:
        write_api.write(
            "telemetry",
            record=[point(device_id, moment, precision) for moment in moments],
            write_precision=precision,
        )
    assert stack.in_table(device_id) == {
        (epoch_ms(moment), name, value): 1 for moment in moments for name, value in METRICS.items()
    }
    stack.settle()
    rows = {row["ts"]: row["metrics"] for row in stack.lake_rows(device_id)}
    assert rows == {format_ts(epoch_ms(moment)): METRICS for moment in moments}


def test_series_that_differ_by_a_tag_are_told_apart_in_table_and_lake(stack: Stack) -> None:
    moment = seconds_ago(5)
    cpus = [
        Point("cpu").tag("host", "influx-tags").tag("cpu", name).field("idle", idle).time(moment)
        for name, idle in (("cpu0", 98.5), ("cpu1", 97.25))
    ]
    with writing(stack) as write_api:
        write_api.write("telemetry", record=cpus)
    ts = epoch_ms(moment)
    assert stack.in_table("influx-tags") == {
        (ts, "cpu.idle{cpu=cpu0}", 98.5): 1,
        (ts, "cpu.idle{cpu=cpu1}", 97.25): 1,
    }
    stack.settle()
    assert {row["tags"]["cpu"]: row["metrics"] for row in stack.lake_rows("influx-tags")} == {
        "cpu0": {"cpu.idle{cpu=cpu0}": 98.5},
        "cpu1": {"cpu.idle{cpu=cpu1}": 97.25},
    }


def test_a_partial_write_keeps_what_is_good_and_tells_the_client_what_was_not(
    stack: Stack,
) -> None:
    lines = [
        "air,host=influx-partial temp=1.5",
        'air,host=influx-partial co2=417i,state="ok"',
        "air,host= temp=2",
    ]
    with writing(stack) as write_api, pytest.raises(ApiException) as caught:
        write_api.write("telemetry", record=lines)
    assert caught.value.status == 400
    assert caught.value.message.startswith("partial write: lines written: 2, refused")
    assert "line 2: the field state is a string" in caught.value.message
    found = {(name, value) for _, name, value in stack.in_table("influx-partial")}
    assert found == {("air.temp", 1.5), ("air.co2", 417.0)}


def test_a_key_that_is_nobodys_writes_nothing(stack: Stack) -> None:
    record = point("influx-nobody", seconds_ago(1), WritePrecision.NS)
    with writing(stack, token=f"weir_{'A' * 43}") as write_api, pytest.raises(ApiException) as no:
        write_api.write("telemetry", record=record)
    assert no.value.status in {401, 403}
    assert not stack.in_table("influx-nobody")


def test_curl_writes_under_a_forms_media_type(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.status.api_url}/api/v2/write?org=weir&bucket=telemetry&precision=s",
        content=b"air,device_id=influx-curl temp=1.5\n",
        headers={
            "authorization": f"Token {stack.status.device_key}",
            "content-type": "application/x-www-form-urlencoded",
        },
        timeout=40,
        trust_env=False,
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert {(name, value) for _, name, value in stack.in_table("influx-curl")} == {
        ("air.temp", 1.5)
    }
