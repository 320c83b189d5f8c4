"""Facts of one anomaly, in minutes, and alerts that they make."""

from weir.alerts.alarm import Cleared, Fact, Followed, Opened, Reopened, Withdrawn
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import tell

DEVICE = "pump-7"
MINUTE = 60_000
ONSET = 10 * MINUTE

MINOR, MAJOR, CRITICAL = 0.75, 0.85, 0.95


def opened(score: float = MINOR, because: str = "93.1, expected 70 to 74") -> Opened:
    return Opened("flow", ONSET, score, because, 93.1, 72.0, 70.0, 74.0)


def followed(minute: int, peak: float = MINOR, count: int = 2) -> Followed:
    return Followed("flow", ONSET, minute * MINUTE, peak, minute * MINUTE, count)


def cleared(minute: int, peak: float = MINOR, count: int = 4) -> Cleared:
    at = minute * MINUTE
    return Cleared("flow", ONSET, at, peak, at - 6 * MINUTE, at - 5 * MINUTE, count)


def reopened(minute: int, peak: float = MINOR, count: int = 5) -> Reopened:
    at, because = minute * MINUTE, f"{minute}, expected 70 to 74"
    return Reopened("flow", ONSET, at, peak, at, count, because, minute, 72.0, 70.0, 74.0)


def withdrawn(minute: int) -> Withdrawn:
    return Withdrawn("flow", ONSET, minute * MINUTE)


def told(*tellings: tuple[int, tuple[Fact, ...]], alert: Alert | None = None) -> Alert:
    """The alert after tellings: pairs of a basis and its facts."""
    for basis, facts in tellings:
        alert = tell(alert, DEVICE, facts, basis)
    assert alert is not None
    return alert


def kinds(alert: Alert) -> list[str]:
    """What happened to an alert, in order."""
    return [entry.kind for entry in alert.history]
