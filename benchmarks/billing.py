"""What AWS bills for 100 readings, packed and naive, from the requests that really go out.

DynamoDB bills a write in steps of 1 KB of the item, Firehose a record in steps of 5 KB; what the
documentation says of sizes is in `item_size` (DynamoDB developer guide, "Item sizes and formats").
"""

import base64
import json
from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from tests.handlers import Context, http_event, load_handler

from benchmarks.figures import Figure, Findings
from benchmarks.naive import make_handler
from benchmarks.sample import READINGS, as_in_lambda, body
from benchmarks.stubbed_aws import StubbedAws, stubbed_aws

WRITE_UNIT = 1024
FIREHOSE_STEP = 5 * 1024
UNITS_TARGET = 3
STEPS_TARGET = 1


def run() -> Findings:
    """Count units and steps of one POST, ours and the naive peer's."""
    with as_in_lambda(), stubbed_aws() as aws:
        event = http_event(body())
        packed = _sent_by(load_handler("ingest").lambda_handler, event, aws)
        naive = _sent_by(make_handler(), event, aws)
    units, steps, item_bytes, record_bytes = packed
    naive_units, naive_steps, naive_item_bytes, naive_record_bytes = naive
    return Findings(
        [
            Figure(
                f"DynamoDB write units, {READINGS} readings",
                f"{units} ({item_bytes:,} bytes)",
                f"{naive_units} ({naive_item_bytes:,} bytes)",
                "peer: an item a reading",
                f"{naive_units / units:.0f} to 1",
                f"≤ {UNITS_TARGET}",
                units <= UNITS_TARGET,
            ),
            Figure(
                f"Firehose 5 KB steps, {READINGS} readings",
                f"{steps} ({record_bytes:,} bytes)",
                f"{naive_steps} ({naive_record_bytes:,} bytes)",
                "peer: a record a reading",
                f"{naive_steps / steps:.0f} to 1",
                f"≤ {STEPS_TARGET}",
                steps <= STEPS_TARGET,
            ),
        ],
        {
            "write_units_per_100": units,
            "firehose_steps_per_100": steps,
            "naive_write_units_per_100": naive_units,
            "naive_firehose_steps_per_100": naive_steps,
            "item_bytes_per_100": item_bytes,
            "record_bytes_per_100": record_bytes,
        },
    )


def _sent_by(
    handler: Callable[[dict[str, Any], Any], object], event: dict[str, Any], aws: StubbedAws
) -> tuple[int, int, int, int]:
    """Write units, Firehose steps, bytes of items, bytes of records."""
    aws.sent.clear()
    aws.keep = True
    handler(event, Context())
    aws.keep = False
    items = [item_size(item) for item in _items(aws.sent)]
    records = [len(record) for record in _records(aws.sent)]
    return (
        sum(ceil(size / WRITE_UNIT) for size in items),
        sum(ceil(size / FIREHOSE_STEP) for size in records),
        sum(items),
        sum(records),
    )


def _items(sent: Iterable[tuple[str, bytes]]) -> Iterable[dict[str, Any]]:
    for operation, content in sent:
        if operation == "BatchWriteItem":
            for requests in json.loads(content)["RequestItems"].values():
                yield from (request["PutRequest"]["Item"] for request in requests)


def _records(sent: Iterable[tuple[str, bytes]]) -> Iterable[bytes]:
    for operation, content in sent:
        if operation == "PutRecordBatch":
            for record in json.loads(content)["Records"]:
                yield base64.b64decode(record["Data"])


def item_size(item: dict[str, Any]) -> int:
    """The size of an item in DynamoDB's JSON: its attributes' names and values, in bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            digits = content.lstrip("-").partition("E")[0].replace(".", "").strip("0")
            return ceil(len(digits) / 2) + 1
        case "B":
            return len(base64.b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + len(content) + item_size(content)
        case "L":
            return 3 + len(content) + sum(map(_value_size, content))
        case _:
            raise NotImplementedError(f"no item here has an attribute of type {kind}")
