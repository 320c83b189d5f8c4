"""The peer: ingestion as the services' own documentation shows it, one record, one item a reading.

pydantic validates the list, Firehose gets one record a reading in calls of up to 500, DynamoDB one
item a reading through boto3's batch writer, with an expiry as ours have. It logs nothing and counts
nothing.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import batched
from typing import Any

import boto3
from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat, TypeAdapter

TABLE = "readings"
STREAM = "weir-lake"
RETENTION_S = 30 * 86_400


class Reading(BaseModel):
    """One reading, checked by pydantic."""

    device_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")
    ts: AwareDatetime | int
    metrics: dict[str, FiniteFloat] = Field(min_length=1, max_length=64)
    tags: dict[str, str] | None = None

    def time(self) -> datetime:
        """When it was measured."""
        return (
            self.ts
            if isinstance(self.ts, datetime)
            else datetime.fromtimestamp(self.ts / 1000, UTC)
        )


_READINGS = TypeAdapter(list[Reading])


def make_handler() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """A handler with its clients made, as after a cold start."""
    session = boto3.Session()
    firehose = session.client("firehose")
    table = session.resource("dynamodb").Table(TABLE)

    def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        readings = _READINGS.validate_json(event["body"])
        for batch in batched(readings, 500, strict=False):
            firehose.put_record_batch(
                DeliveryStreamName=STREAM,
                Records=[
                    {"Data": (json.dumps(reading.model_dump(mode="json")) + "\n").encode()}
                    for reading in batch
                ],
            )
        with table.batch_writer() as writer:
            for reading in readings:
                time = reading.time()
                writer.put_item(
                    Item={
                        "device_id": reading.device_id,
                        "ts": time.isoformat(),
                        "metrics": {
                            name: Decimal(str(value)) for name, value in reading.metrics.items()
                        },
                        "expires_at": int(time.timestamp()) + RETENTION_S,
                    }
                )
        return {"statusCode": 202, "body": json.dumps({"accepted": len(readings)})}

    return lambda_handler
