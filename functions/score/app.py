"""The doorbell: score the devices that a batch of the Readings stream names."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from weir.chunks import StoredChunk, UnreadableChunk, unpack_body
from weir.detection import IN_USE
from weir.observability import MetricLine, make_logger
from weir.scoring.alarms import Rules
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Outcome, Scorer
from weir.scoring.state import Checkpoint, UnreadableState
from weir.settings import ScoreSettings
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.clients import client
from weir.storage.control_store import ControlStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline

RESERVE_S = 5.0
"""Seconds kept back from the function's time: what has not begun by then rings again."""
PARALLEL = 8

logger = make_logger()
metrics = MetricLine()
settings = ScoreSettings.read()
detector = IN_USE
executor = ThreadPoolExecutor(PARALLEL)


def _unreadable_chunk(device_id: str, sk: str, error: UnreadableChunk) -> None:
    logger.error("unreadable chunk", extra={"device_id": device_id, "sk": sk, "why": str(error)})


def _unreadable_state(device_id: str, error: UnreadableState) -> None:
    logger.error("unreadable state", extra={"device_id": device_id, "why": str(error)})


def _unreadable_control(key: str, why: str) -> None:
    logger.error("unreadable control", extra={"key": key, "why": why})


dynamodb = client("dynamodb", attempts=4)
readings = ReadingStore(dynamodb, settings.readings_table, on_unreadable=_unreadable_chunk)
checkpoints = CheckpointStore(dynamodb, settings.states_table, detector, _unreadable_state)
alerts = AlertStore(dynamodb, settings.alerts_table, retention_s=settings.alert_retention_s)
controls = ControlStore(client("dynamodb"), settings.controls_table, _unreadable_control)
scorer = Scorer(readings, checkpoints, alerts, detector, MemoryCache())


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Score each device of the batch; answer with the first record of those that failed."""
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
    rung: dict[str, list[dict[str, Any]]] = {}
    for record in event["Records"]:
        if record["eventName"] != "REMOVE":  # the mapping's filter stops expired items already
            rung.setdefault(record["dynamodb"]["Keys"]["pk"]["S"], []).append(record)
    known = checkpoints.get_all(list(rung), deadline)
    rules = {
        device_id: Rules(set_for, settings.false_alerts_per_week)
        for device_id, set_for in controls.get_all(list(rung), deadline).items()
    }
    visits = {
        device_id: executor.submit(
            _score, device_id, records, known.get(device_id), rules[device_id], deadline
        )
        for device_id, records in rung.items()
    }
    total: dict[str, int] = dict.fromkeys(Outcome.__struct_fields__, 0)
    failed: set[str] = set()
    for device_id, visit in visits.items():
        try:
            outcome = visit.result(max(0.0, deadline.left))
        except Exception:
            # Whatever is wrong with one device, taking too long among it, must not stop the
            # others: it rings again, alone, and after its retries lies in the failure bucket.
            logger.exception("device failed", extra={"device_id": device_id})
            failed.add(device_id)
        else:
            for name in total:
                total[name] += getattr(outcome, name)
    metrics.write(
        context.aws_request_id,
        Scored=total["scored"],
        Late=total["late"],
        MetricsIgnored=total["ignored"],
        Rewinds=total["rewinds"],
        Checkpoints=total["checkpoints"],
        AlertsOpened=total["opened"],
        AlertsCleared=total["cleared"],
        AlertsReopened=total["reopened"],
        AlertsWithdrawn=total["withdrawn"],
        SilencesEnded=total["silences_ended"],
        Devices=len(rung),
        DevicesFailed=len(failed),
    )
    return {"batchItemFailures": _first_failure(event, failed)}


def _score(
    device_id: str,
    records: list[dict[str, Any]],
    checkpoint: Checkpoint | None,
    rules: Rules,
    deadline: Deadline,
) -> Outcome:
    if deadline.left <= 0:
        raise TimeoutError("no time was left to begin")
    chunks = [_chunk(record) for record in records]
    arrivals = [at for record in records if (at := _written_at(record)) is not None]
    return scorer.score(device_id, chunks, checkpoint, rules, arrivals)


def _chunk(record: dict[str, Any]) -> StoredChunk:
    image = record["dynamodb"].get("NewImage", {})
    try:
        body = base64.b64decode(image["body"]["B"], validate=True)
    except (KeyError, ValueError) as error:
        raise UnreadableChunk("the record has no body in base64") from error
    return StoredChunk(record["dynamodb"]["Keys"]["sk"]["S"], unpack_body(body))


def _written_at(record: dict[str, Any]) -> int | None:
    """When the chunk was written (epoch ms), to the second."""
    seconds = record["dynamodb"].get("ApproximateCreationDateTime")
    return None if seconds is None else round(seconds * 1000)


def _first_failure(event: dict[str, Any], failed: set[str]) -> list[dict[str, str]]:
    """The first record of a failed device: Lambda delivers from there on once more."""
    for record in event["Records"]:
        if record["dynamodb"]["Keys"]["pk"]["S"] in failed:
            return [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
    return []
