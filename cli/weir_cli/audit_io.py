"""Reads what an audit compares: the tables, and every object of the lake."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from weir.detection import IN_USE
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.reading_store import ReadingStore
from weir_cli.audit import DeviceAudit, LakeSide, compare, devices, score_side, table_side
from weir_cli.errors import Problem
from weir_cli.merge import chunks_of
from weir_cli.target import Target
from weir_cli.timeline import moment_ms

READINGS: Final = "readings/"
ERRORS: Final = "errors/"
FAILURES: Final = "aws/lambda/"
_SETTLE_S: Final = 5.0
_SETTLE_ATTEMPTS: Final = 12


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of all devices, and what lies where nothing should."""

    devices: Sequence[DeviceAudit]
    lake_objects: int
    error_objects: int
    failure_objects: int
    unreadable_chunks: int

    @property
    def agrees(self) -> bool:
        """Whether all devices agree and nothing was unreadable."""
        return not self.unreadable_chunks and all(device.agrees for device in self.devices)


def settle(control_url: str, say: Callable[[str], None]) -> None:
    """Let the local stack deliver and score all that is under way; raise `Problem` if it can't.

    `say` is told what it waits for, if it has to.
    """
    from weir_local.control import Control

    with Control(control_url) as control:
        for _ in range(_SETTLE_ATTEMPTS):
            waiting = control.pending()
            if not waiting:
                return
            say(f"waiting until all is delivered and scored: {_in_words(asdict(waiting))}")
            control.flush()  # again, since a transform may put records back into the stream
            with suppress(TimeoutError):
                control.wait_idle(_SETTLE_S)
                return
        raise Problem(f"The stack does not come to rest: {_in_words(asdict(control.pending()))}.")


def _in_words(pending: Mapping[str, int]) -> str:
    texts = [f"{count:,} {name.replace('_', ' ')}" for name, count in pending.items() if count]
    return ", ".join(texts) or "nothing any more"


def audit(target: Target, asked: Sequence[str], say: Callable[[str], None]) -> Audit:
    """Audit the devices `asked` for, or every device that the lake or either table knows.

    Reads the whole lake, and without `asked` scans the tables: it is an audit.
    """
    s3, dynamodb = target.client("s3"), target.client("dynamodb")
    lake, objects = _read_lake(s3, target.lake_bucket, frozenset(asked))
    known = devices(asked, lake)
    if not asked:
        tables = (target.readings_table, target.states_table)
        known = devices((), lake, *(_keys_of(dynamodb, table) for table in tables))
    unreadable: list[str] = []

    def on_unreadable(device_id: str, sk: str, error: Exception) -> None:
        unreadable.append(sk)
        say(f"the chunk {sk} of {device_id} cannot be read: {error}")

    log = ReadingStore(dynamodb, target.readings_table, on_unreadable=on_unreadable)
    detector = IN_USE
    checkpoints = CheckpointStore(dynamodb, target.states_table, detector)
    alerts = AlertStore(dynamodb, target.alerts_table)
    found = []
    for device_id in known:
        chunks = list(chunks_of(log, device_id, 0))
        found.append(
            compare(
                device_id,
                table_side(chunks),
                lake.get(device_id, LakeSide()),
                score_side(chunks, checkpoints.get(device_id), detector),
                sum(1 for _ in alerts.of_device(device_id)),
            )
        )
    return Audit(
        found,
        objects,
        _count(s3, target.lake_bucket, ERRORS),
        _count(s3, target.failure_bucket, FAILURES),
        len(unreadable),
    )


def _read_lake(s3: Any, bucket: str, asked: frozenset[str]) -> tuple[dict[str, LakeSide], int]:
    sides: dict[str, LakeSide] = {}
    objects = 0
    for key in _keys(s3, bucket, READINGS):
        objects += 1
        for line in gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).split(
            b"\n"
        ):
            if not line:
                continue
            row = json.loads(line)
            device_id = row["device_id"]
            if not asked or device_id in asked:
                sides.setdefault(device_id, LakeSide()).add(
                    row["reading_id"], moment_ms(row["ts"]), row["position"], row["metrics"]
                )
    return sides, objects


def _keys_of(dynamodb: Any, table: str) -> Iterator[str]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="pk")
    return (item["pk"]["S"] for page in pages for item in page["Items"])


def _count(s3: Any, bucket: str, prefix: str) -> int:
    return sum(1 for _ in _keys(s3, bucket, prefix))


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return (entry["Key"] for page in pages for entry in page.get("Contents", ()))
