"""What becomes of a call: the faults in force decide; pure but for their dice."""

from enum import Enum

from weir_local.faults import CALLS, Faults
from weir_local.proxy import batch
from weir_local.proxy.call import Call

_PREFIXES = {
    "dynamodb": "dynamo", "events": "events", "firehose": "firehose", "s3": "s3", "sns": "sns",
    "sqs": "sqs",
}  # fmt: skip
_OTHER_NAMES = {"firehose_refuse": "refuse_calls", "firehose_throttle": "throttle"}


class Fate(Enum):
    """What a fault does to a call."""

    PASS = "pass"  # noqa: S105 - no password
    REFUSE = "refuse"
    THROTTLE = "throttle"
    SPLIT = "split"
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    LOSE_ANSWER = "lose answer"
    DELAY_ANSWER = "delay answer"


_KINDS = (
    ("refuse", Fate.REFUSE),
    ("throttle", Fate.THROTTLE),
    ("lose_answers", Fate.LOSE_ANSWER),
    ("slow", Fate.DELAY_ANSWER),
)


def decide(call: Call, body: bytes, faults: Faults) -> Fate:
    """Return what befalls a call: one thing at most, the first that strikes."""
    places = (call.function or "unknown", call.operation)
    kill = f"kill_{call.function}"
    # The transform's is another fault: it makes hardly any calls to be killed at.
    if call.pid is not None and kill in CALLS and faults.strikes(kill, *places):
        return Fate.KILL_BEFORE if faults.dice.random() < 0.5 else Fate.KILL_AFTER
    prefix = _PREFIXES.get(call.service)
    if prefix is None:
        return Fate.PASS
    split = batch.FAULTS.get(call.operation)
    if split and batch.can_be_split(call.operation, body) and faults.strikes(split, *places):
        return Fate.SPLIT
    for kind, fate in _KINDS:
        name = f"{prefix}_{kind}"
        if faults.strikes(_OTHER_NAMES.get(name, name), *places):
            return fate
    return Fate.PASS
