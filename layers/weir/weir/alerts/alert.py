"""An alert as the Alerts table keeps it, its id, and its history."""

import base64
import re
from collections.abc import Sequence
from typing import Final, Literal, Self

import msgspec

from weir.alerts.alarm import Severity

type State = Literal["OPEN", "CLEARED"]
type Kind = Literal["anomaly", "silence"]
type Verdict = Literal["true", "false", "benign"]
type EntryKind = Literal[
    "opened",
    "rose",
    "cleared",
    "reopened",
    "withdrawn",
    "acknowledged",
    "snoozed",
    "unsnoozed",
    "snooze_ended",
    "feedback",
]

VERDICTS: Final[tuple[Verdict, ...]] = ("true", "false", "benign")

MOST_ENTRIES: Final = 64
"""So many entries of its history an alert keeps: the first, and then the newest."""

MAX_NOTE: Final = 500
"""So many characters an alert keeps of a note, and of why it opened."""

MAX_BY: Final = 128
"""So many characters it keeps of a person's name."""

SILENCE: Final = "!silence"
"""What stands in the place of the metric in a silence alert's keys; its metric is the device."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._*-]+")
_ID: Final = re.compile(r"([A-Za-z0-9._:-]{1,128})~([0-9]{13})~(\S{1,800})")


class NoSuchAlert(LookupError):
    """There is no alert with this id."""


class AlertKey(msgspec.Struct, frozen=True, order=True):
    """What makes an alert the same alert: device, metric and onset, and its kind.

    A device's silence is about the device as a whole, as its joint anomalies are, and could begin
    at the same reading: its key differs.
    """

    device_id: str
    onset: int
    metric: str
    kind: Kind = "anomaly"

    @property
    def sk(self) -> str:
        """The sort key in the Alerts table: no metric's can be that of a silence."""
        place = f"{self.onset:013d}"
        return f"{place}{SILENCE}" if self.kind == "silence" else f"{place}#{self.metric}"

    @classmethod
    def of_item(cls, device_id: str, sk: str) -> Self:
        """The key of an item. `sk` is as `AlertKey.sk` writes it."""
        onset, sign, metric = int(sk[:13]), sk[13], sk[14:]
        return cls(device_id, onset, "*", "silence") if sign == "!" else cls(
            device_id, onset, metric
        )  # fmt: skip

    def __str__(self) -> str:
        """The alert's id, which can stand in a URL's path as it is.

        >>> str(AlertKey("pump-7", 1767225600000, "flow"))
        'pump-7~1767225600000~flow'
        """
        metric = self.metric
        if self.kind == "silence":
            metric = SILENCE
        elif not _PLAIN.fullmatch(metric):
            metric = "=" + base64.urlsafe_b64encode(metric.encode()).decode().rstrip("=")
        return f"{self.device_id}~{self.onset:013d}~{metric}"

    @classmethod
    def of_id(cls, alert_id: str) -> Self:
        """The key that an id stands for. Raises `NoSuchAlert` if it is none."""
        found = _ID.fullmatch(alert_id)
        if found is None:
            raise NoSuchAlert(alert_id)
        device_id, onset, metric = found.groups()
        if metric == SILENCE:
            return cls(device_id, int(onset), "*", "silence")
        if metric.startswith("="):
            try:
                padded = metric[1:] + "=" * (-len(metric[1:]) % 4)
                metric = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
            except ValueError as error:
                raise NoSuchAlert(alert_id) from error
        key = cls(device_id, int(onset), metric)
        if str(key) != alert_id:  # one alert, one id
            raise NoSuchAlert(alert_id)
        return key


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transition in an alert's history, the `n`-th.

    `at` is the readings' time for what the readings did, and the clock's for what people did, who
    are named in `by`. `severity` is the alert's after it; `note` is what there is to say.
    """

    n: int
    kind: EntryKind
    at: int
    severity: Severity
    by: str = ""
    note: str = ""


class Feedback(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person says of an alert: right, wrong, or right and of no concern."""

    verdict: Verdict
    by: str
    at: int
    note: str = ""


class Alert(msgspec.Struct, frozen=True):
    """An alert; times in epoch ms.

    The anomaly's side: `state` (OPEN, CLEARED), how high it went (`peak` at `peak_ts`), and how
    many readings were not calm (`count`, the last at `last_seen`). The people's side: whether it is
    `acknowledged`, quiet until `snoozed_until`, and their `feedback`. Both are one state in alarm
    standards (ISA-18.2, OPC UA part 9): an alert that cleared unacknowledged still wants eyes.

    `score` is of the reading that opened it; `because`, `value` and what was expected are of the
    one that opened it, or opened it again last.

    `revision` rises with every write, and every write names the one that it replaces. `basis` is
    the version of the checkpoint from which the readings were scored: facts from an older one are
    out of date.
    """

    key: AlertKey
    state: State
    severity: Severity
    score: float
    peak: float
    peak_ts: int
    last_seen: int
    count: int
    because: str = ""
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    ended_at: int | None = None
    withdrawn: bool = False
    acknowledged: bool = False
    acknowledged_by: str = ""
    acknowledged_at: int | None = None
    snoozed_until: int | None = None
    feedback: Feedback | None = None
    history: Sequence[Entry] = ()
    revision: int = 1
    basis: int = 0

    @property
    def device_id(self) -> str:
        """The device that it is about."""
        return self.key.device_id

    @property
    def metric(self) -> str:
        """The metric that it is about, or `weir.controls.DEVICE` for the device as a whole."""
        return self.key.metric

    @property
    def onset(self) -> int:
        """When it began; of a silence, when the device was last heard."""
        return self.key.onset

    @property
    def kind(self) -> Kind:
        """Whether readings are off, or missing."""
        return self.key.kind

    @property
    def reopened_at(self) -> int | None:
        """When it opened again, if it did and is open: the time of the newest such transition."""
        if not self.is_open:
            return None
        times = (entry.at for entry in reversed(self.history) if entry.kind == "reopened")
        return next(times, None)

    @property
    def is_open(self) -> bool:
        """Whether the anomaly goes on."""
        return self.state == "OPEN"

    @property
    def transitions(self) -> int:
        """How many transitions it went through: the number of its newest entry."""
        return self.history[-1].n if self.history else 0

    def is_snoozed(self, now: int) -> bool:
        """Whether it is to be quiet at `now`, by its own snooze."""
        return self.snoozed_until is not None and now < self.snoozed_until
