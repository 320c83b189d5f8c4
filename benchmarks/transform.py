"""What transform costs a reading, above undoing and redoing what Firehose's form demands.

The floor is base64 and gzip undone, the documents parsed with orjson, and finished rows written
with orjson and base64: the bytes that come and go, without working out what they should say.
"""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import orjson
from tests.handlers import Context, load_handler
from tests.integration.pipeline import firehose_event

from benchmarks.figures import Figure, Findings
from benchmarks.rounds import in_turn
from benchmarks.sample import READINGS, as_in_lambda, readings
from weir.chunks import pack, pack_records
from weir.readings import Reading, Window, check_ts

RECORDS = 20


def run() -> Findings:
    """Measure the whole handler on an event of 20 records of 100 readings."""
    with as_in_lambda():
        app = load_handler("transform")
        event = firehose_event([_record(seed) for seed in range(RECORDS)])
        context = Context(110)
        answer = app.lambda_handler(event, context)
        assert all(record["result"] == "Ok" for record in answer["records"])
        timings = in_turn(
            {
                "transform": lambda: app.lambda_handler(event, context),
                "floor": _floor(event, answer),
            }
        )
    count = RECORDS * READINGS
    ratio = timings.ratio("transform", "floor")
    return Findings(
        [
            Figure(
                "transform, CPU a reading",
                f"{timings.seconds('transform') / count * 1e6:.1f} µs",
                f"{timings.seconds('floor') / count * 1e6:.1f} µs",
                "floor: gunzip, orjson.loads, orjson.dumps of finished rows",
                f"{ratio:.2f}",
            )
        ],
        {
            "transform_over_floor": ratio,
            "transform_us_per_reading": timings.seconds("transform") / count * 1e6,
        },
    )


def as_readings(seed: int) -> list[Reading]:
    """The sample's readings, parsed."""
    window = Window(0, 1 << 60)
    return [
        Reading(row["device_id"], check_ts(row["ts"], window), row["metrics"])
        for row in readings(seed=seed)
    ]


def _record(seed: int) -> bytes:
    (record,) = pack_records(pack(as_readings(seed)))
    return record


def _floor(event: dict[str, Any], answer: dict[str, Any]) -> Callable[[], object]:
    rows = [
        [json.loads(line) for line in base64.b64decode(record["data"]).splitlines()]
        for record in answer["records"]
    ]

    def floor() -> list[str]:
        answers = []
        for record, finished in zip(event["records"], rows, strict=True):
            for line in gzip.decompress(base64.b64decode(record["data"])).split(b"\n"):
                orjson.loads(line)
            lines = b"\n".join(map(orjson.dumps, finished))
            answers.append(base64.b64encode(lines).decode())
        return answers

    return floor
