"""Nothing is lost and nothing is scored twice, whatever fails between the functions."""

import base64
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack
from weir.controls import Control
from weir.readings import format_ts

pytestmark = pytest.mark.e2e

SHARED = Path(os.environ.get("WEIR_SHARED", Path(__file__).parents[3] / "shared"))
MACHINE = SHARED / "data/nab/realKnownCause/machine_temperature_system_failure.csv"

FAULTS: dict[str, dict[str, Any]] = {
    "no fault": {},
    "failed Firehose records": {"fail_records": 0.5},
    "refused Firehose calls": {"refuse_calls": 2},
    "throttled Firehose calls": {"throttle": 2},
    "records delivered twice": {"duplicate": 1.0},
    "a transform that fails": {"fail_transform": 1},
    "duplicate stream batches": {"duplicate_batches": 3},
    "a kill in mid-batch": {"kill_mid_batch": 2},
    "redelivery after a partial response": {"redeliver_after_partial": 2},
    "a score that fails": {"fail_invocations": 2},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_everything_is_there_and_scored_once(stack: Stack, fault: str) -> None:
    device_id = fault.replace(" ", "-")
    start = int(time.time() * 1000) // 3_600_000 * 3_600_000 - 4 * 3_600_000
    onset = start + 150 * 60_000
    values = [(start + at * 60_000, 900.0 if at == 150 else 20.0 + at % 3) for at in range(200)]
    stack.control.set_faults({**FAULTS[fault], "seed": 7} if FAULTS[fault] else {})
    for at in range(0, 200, 20):
        batch = [
            {"device_id": device_id, "ts": ts, "metrics": {"flow": value}}
            for ts, value in values[at : at + 20]
        ]
        answer = stack.post_json(batch)
        assert answer.status_code == 202, answer.text
    stack.settle()
    assert stack.in_table(device_id) == Counter((ts, "flow", value) for ts, value in values)
    in_lake = {(row["ts"], row["metrics"]["flow"]) for row in stack.lake_rows(device_id)}
    assert in_lake == {(format_ts(ts), value) for ts, value in values}
    assert stack.scored(device_id) == 200
    assert [(a.metric, a.onset) for a in stack.alerts.of_device(device_id)] == [("flow", onset)]


def test_a_poison_record_ends_in_the_failure_bucket_and_stops_nobody(stack: Stack) -> None:
    before = len(stack.objects(stack.status.failure_bucket))
    now = int(time.time() * 1000)
    poison = {"pk": {"S": "poisoned"}, "sk": {"S": f"{now}#0"}, "body": {"B": b"garbage"}}
    stack.dynamodb.put_item(TableName=stack.status.readings_table, Item=poison)
    reading = {"device_id": "beside-poison", "ts": now, "metrics": {"flow": 1.0}}
    assert stack.post_json(reading).status_code == 202
    stack.settle()
    assert stack.scored("beside-poison") == 1
    failed = stack.objects(stack.status.failure_bucket)[before:]
    payload = json.dumps([json.loads(body)["payload"] for body in failed])
    assert base64.b64encode(b"garbage").decode() in payload


def test_a_record_that_cannot_be_read_ends_under_the_error_prefix_whole(stack: Stack) -> None:
    from weir_local.aws import client

    client(stack.status, "firehose").put_record(
        DeliveryStreamName=stack.status.firehose, Record={"Data": b"no record of ours"}
    )
    stack.settle()
    errors = stack.objects(stack.status.lake_bucket, "errors/processing-failed/")
    assert any(base64.b64encode(b"no record of ours") in _plain(body) for body in errors)


def _plain(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


@pytest.mark.skipif(not MACHINE.exists(), reason=f"no shared data at {SHARED}")
def test_a_file_of_real_data_arrives_whole_and_sending_it_again_changes_nothing(
    stack: Stack,
) -> None:
    with MACHINE.open() as file:
        rows = list(csv.DictReader(file))
    distinct = {row["timestamp"] for row in rows}
    assert (len(rows), len(distinct)) == (22_695, 22_683)
    device_id = "machine"
    stack.controls.put(device_id, None, Control(false_alerts_per_week=1.0))

    send(stack, device_id)
    stack.settle()
    table = stack.in_table(device_id)
    assert sum(table.values()) == 22_695
    assert len({ts for ts, _, _ in table}) == 22_683
    lake = stack.lake_rows(device_id)
    assert len(lake) == 22_695
    assert len({row["reading_id"] for row in lake}) == 22_683
    assert stack.scored(device_id) == 22_683
    alerts = list(stack.alerts.of_device(device_id))
    assert alerts
    assert all(alert.because for alert in alerts)

    polled = stack.control.counts()["stream"]["records_polled"]
    send(stack, device_id)
    stack.settle()
    assert stack.in_table(device_id) == table
    assert list(stack.alerts.of_device(device_id)) == alerts
    assert stack.control.counts()["stream"]["records_polled"] == polled


def send(stack: Stack, device_id: str) -> None:
    """`weir send` the file, shifted so that it ends at a fixed time of today."""
    weir = Path(sys.executable).parent / "weir"
    end = format_ts(int(time.time() * 1000) // 3_600_000 * 3_600_000)
    command: list[str | Path] = [weir, "send", MACHINE, "--device", device_id, "--rebase-end", end]
    command += ["--api-url", stack.status.api_url]
    environment = {**os.environ, "WEIR_DEVICE_KEY": stack.status.device_key}
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
