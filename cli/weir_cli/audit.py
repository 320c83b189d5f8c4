"""Conservation: what was accepted is in the table, in the lake and in the scores, once.

The pure part: one device's log, its lake rows and its checkpoint, compared value by value. A value
is named by device, metric and time; `audit_io` reads what is compared here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from weir.chunks import StoredChunk
from weir.detection import Detector
from weir.scoring.fold import fold
from weir.scoring.state import Checkpoint
from weir.scoring.watermarks import HOURLY, Cadence
from weir_cli.merge import merged

type Values = Mapping[tuple[str, int], float]
"""Metric and time to the value that counts."""

_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class TableSide:
    """A device in the Readings table."""

    rows: int
    values: Values


@dataclass(slots=True)
class LakeSide:
    """A device in the lake: its rows, their distinct ids, and for each value the first position."""

    rows: int = 0
    ids: set[str] = field(default_factory=set)
    found: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)

    def add(self, reading_id: str, ts: int, position: str, metrics: Mapping[str, float]) -> None:
        """Count one row; of two values of one name and time, the one placed first counts."""
        self.rows += 1
        self.ids.add(reading_id)
        for name, value in metrics.items():
            known = self.found.get((name, ts))
            if known is None or position < known[0]:
                self.found[name, ts] = position, value

    @property
    def values(self) -> Values:
        """The values that count."""
        return {key: value for key, (_, value) in self.found.items()}


@dataclass(frozen=True, slots=True)
class ScoreSide:
    """How much of a device is scored: at its checkpoint, and what lies in the log after it."""

    checkpointed: int
    after: int
    behind: bool
    """Whether a checkpoint is overdue: what lies after the last one has not been scored."""

    @property
    def scored(self) -> int:
        """The values scored once the log is folded to its end."""
        return self.checkpointed + self.after


@dataclass(frozen=True, slots=True)
class DeviceAudit:
    """What was found of a device, and what does not agree."""

    device_id: str
    table_rows: int
    table_values: int
    lake_rows: int
    lake_ids: int
    lake_values: int
    checkpointed: int
    scored: int
    alerts: int
    faults: Sequence[str]

    @property
    def agrees(self) -> bool:
        """Whether table, lake and scores tell the same story."""
        return not self.faults


def table_side(chunks: Sequence[StoredChunk]) -> TableSide:
    """Count the rows of a device's whole log, and merge them into values."""
    values = {
        (name, reading.ts): value
        for reading in merged(chunks, since=-_FOREVER)
        for name, value in reading.metrics.items()
    }
    return TableSide(sum(len(chunk.document.dt) for chunk in chunks), values)


def score_side(
    chunks: Iterable[StoredChunk],
    checkpoint: Checkpoint | None,
    detector: Detector[Any],
    cadence: Cadence = HOURLY,
) -> ScoreSide:
    """Fold a device's whole log after its checkpoint, as `score` would.

    A device or a metric that no checkpoint knows counts as not scored: the first value of one is
    always written down.
    """
    if checkpoint is None:
        return ScoreSide(0, 0, behind=False)
    current = checkpoint.current
    folded = fold(current, chunks, set(current.metrics), _FOREVER, detector)
    return ScoreSide(
        current.scored,
        folded.state.scored - current.scored,
        behind=cadence.is_due(current, folded.state),
    )


def compare(
    device_id: str, table: TableSide, lake: LakeSide, score: ScoreSide, alerts: int
) -> DeviceAudit:
    """Put the three sides of a device together."""
    lake_values = lake.values
    return DeviceAudit(
        device_id=device_id,
        table_rows=table.rows,
        table_values=len(table.values),
        lake_rows=lake.rows,
        lake_ids=len(lake.ids),
        lake_values=len(lake_values),
        checkpointed=score.checkpointed,
        scored=score.scored,
        alerts=alerts,
        faults=list(_faults(table.values, lake_values, score)),
    )


def _faults(table: Values, lake: Values, score: ScoreSide) -> Iterator[str]:
    if missing := table.keys() - lake.keys():
        yield f"{len(missing):,} values of the table are not in the lake"
    if missing := lake.keys() - table.keys():
        yield f"{len(missing):,} values of the lake are not in the table"
    if differing := sum(table[key] != lake[key] for key in table.keys() & lake.keys()):
        yield f"{differing:,} values differ between table and lake"
    if score.scored != len(table):
        yield (
            f"{len(table):,} values are in the table, {score.scored:,} are scored: "
            "the others came too late, or were passed over"
        )
    if score.behind:
        yield f"scoring is behind: {score.after:,} values lie after the checkpoint, which is due"


def devices(asked: Sequence[str], *found: Iterable[str]) -> list[str]:
    """The devices to audit: those asked for, else all that were found."""
    return list(dict.fromkeys(asked)) if asked else sorted(set(chain(*found)))
