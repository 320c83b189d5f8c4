"""Where an object goes: evaluated prefixes and object names, pure.

Sources: Amazon Data Firehose developer guide, "Understand custom prefixes for Amazon S3 objects"
and "Configure Amazon S3 object name format".
"""

import random
import re
import string
import uuid
from datetime import UTC, datetime

_EXPRESSION = re.compile(r"!\{(\w+):([^}]*)\}")
_TOKEN = re.compile(r"'([^']*)'|([A-Za-z])\2*|([^A-Za-z']+)")
_DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH}/"
# Java DateTimeFormatter letters and what they are in strftime.
_LETTERS = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "DDD": "%j",
    "HH": "%H", "mm": "%M", "ss": "%S",
}  # fmt: skip


def evaluate(prefix: str, arrival: float, error_type: str | None = None) -> str:
    """Return `prefix` for an object whose oldest record arrived at `arrival` (epoch seconds, UTC).

    >>> evaluate("a/date=!{timestamp:yyyy-MM-dd}/", 0)
    'a/date=1970-01-01/'
    >>> evaluate("errors/!{firehose:error-output-type}/", 0, "processing-failed")
    'errors/processing-failed/1970/01/01/00/'
    """
    moment = datetime.fromtimestamp(arrival, UTC)

    def value(found: re.Match[str]) -> str:
        match found[1], found[2]:
            case "timestamp", pattern:
                return java_time(pattern, moment)
            case "firehose", "error-output-type" if error_type is not None:
                return error_type
            case "firehose", "random-string":
                return "".join(random.choices(string.ascii_letters + string.digits, k=11))
        raise ValueError(f"the prefix expression {found[0]} is not one of Firehose's here")

    # "If your prefix doesn't contain a timestamp expression, Firehose appends one."
    whole = prefix if "!{timestamp:" in prefix else prefix + _DEFAULT_TIME
    return _EXPRESSION.sub(value, whole)


def java_time(pattern: str, moment: datetime) -> str:
    """Format a time with the letters of Java's DateTimeFormatter that prefixes are made of."""
    parts: list[str] = []
    for found in _TOKEN.finditer(pattern):
        if found[1] is not None:
            parts.append(found[1])
        elif found[2] is None:
            parts.append(found[0])
        elif found[0] in _LETTERS:
            parts.append(moment.strftime(_LETTERS[found[0]]))
        else:
            raise ValueError(f"the time pattern {found[0]!r} is not supported here")
    return "".join(parts)


def object_name(stream: str, version: str, arrival: float, extension: str) -> str:
    """Return ``<stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><extension>``."""
    moment = datetime.fromtimestamp(arrival, UTC)
    return f"{stream}-{version}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"
