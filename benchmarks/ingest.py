"""What ingest costs a reading: above the two calls that nothing can do without, below the usual.

The whole handler runs, from the event to both AWS calls, with logs and metrics; botocore does all
its work, and only its HTTP session is a stub. The floor is `orjson.loads` of the same body and the
same two calls through the same clients, each with the least that it may carry, one after the
other, which takes less CPU time than side by side.
"""

from collections.abc import Callable
from typing import Any

import orjson
from tests.handlers import Context, http_event, load_handler

from benchmarks.figures import Figure, Findings, at_least, at_most
from benchmarks.naive import make_handler
from benchmarks.rounds import in_turn
from benchmarks.sample import READINGS, as_in_lambda, body
from benchmarks.stubbed_aws import stubbed_aws

FLOOR_TARGET = 1.7
NAIVE_TARGET = 12


def run() -> Findings:
    """Measure ingest, its floor and its naive peer."""
    with as_in_lambda(), stubbed_aws():
        app = load_handler("ingest")
        naive = make_handler()
        event = http_event(body())
        event_epoch_ms = http_event(body(rfc3339=False))
        ways = {
            "ingest": _taken(app.lambda_handler, event),
            "floor": _floor(app, event["body"]),
            "ingest, epoch ms": _taken(app.lambda_handler, event_epoch_ms),
            "floor, epoch ms": _floor(app, event_epoch_ms["body"]),
        }
        timings = in_turn(ways, rounds=15)
        peers = in_turn({"ingest": ways["ingest"], "naive": _taken(naive, event)}, rounds=7)
    over_floor = timings.ratio("ingest", "floor")
    epoch_ms = timings.ratio("ingest, epoch ms", "floor, epoch ms")
    naive_over = peers.ratio("naive", "ingest")

    def us(seconds: float) -> float:
        return seconds / READINGS * 1e6

    floor_does = "floor: orjson.loads, and two calls that carry nothing"
    return Findings(
        [
            Figure(
                "ingest, CPU a reading (RFC 3339 times)",
                f"{us(timings.seconds('ingest')):.1f} µs",
                f"{us(timings.seconds('floor')):.1f} µs",
                floor_does,
                *at_most(over_floor, FLOOR_TARGET),
            ),
            Figure(
                "ingest, CPU a reading (epoch ms)",
                f"{us(timings.seconds('ingest, epoch ms')):.1f} µs",
                f"{us(timings.seconds('floor, epoch ms')):.1f} µs",
                floor_does,
                f"{epoch_ms:.2f}",
            ),
            Figure(
                "a naive ingest, CPU a reading",
                f"{us(peers.seconds('ingest')):.1f} µs",
                f"{us(peers.seconds('naive')):.1f} µs",
                "peer: pydantic, json.dumps, a record and an item a reading",
                *at_least(naive_over, NAIVE_TARGET),
            ),
        ],
        {
            "ingest_over_floor": over_floor,
            "ingest_over_floor_epoch_ms": epoch_ms,
            "naive_over_ingest": naive_over,
            "ingest_us_per_reading": us(timings.seconds("ingest")),
            "floor_us_per_reading": us(timings.seconds("floor")),
            "naive_us_per_reading": us(peers.seconds("naive")),
        },
    )


def _taken(
    handler: Callable[[dict[str, Any], Any], dict[str, Any]], event: dict[str, Any]
) -> Callable[[], object]:
    context = Context()
    answer = handler(event, context)
    accepted = orjson.loads(answer["body"])["accepted"]
    assert (answer["statusCode"], accepted) == (202, READINGS), answer
    return lambda: handler(event, context)


def _floor(app: Any, sent: str) -> Callable[[], object]:
    firehose, dynamodb = app.client("firehose"), app.client("dynamodb")

    def floor() -> None:
        orjson.loads(sent)
        firehose.put_record_batch(DeliveryStreamName="weir-lake", Records=[{"Data": b""}])
        dynamodb.batch_write_item(
            RequestItems={
                "readings": [{"PutRequest": {"Item": {"pk": {"S": "d"}, "sk": {"S": "0"}}}}]
            }
        )

    return floor
