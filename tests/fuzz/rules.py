"""What must hold of whatever a parser makes of any bytes."""

from collections import Counter
from collections.abc import Iterable

from weir.chunks import pack, unpack, unpack_body
from weir.identity import EVERY_DEVICE, Scope
from weir.protocols.interface import Parsed
from weir.readings import (
    Reading,
    Window,
    check_device_id,
    check_metrics,
    check_tags,
    check_ts,
)

LONGEST_MESSAGE = 2000

type Value = tuple[str, int, str, float, tuple[tuple[str, str], ...]]


def check_message(text: str) -> None:
    """A message is bounded, and one printable line: it goes into logs and answers."""
    assert len(text) <= LONGEST_MESSAGE, f"a message of {len(text)} characters"
    assert text.isprintable(), f"a message that is not printable: {text!r}"


def check_parsed(parsed: Parsed, window: Window, scope: Scope = EVERY_DEVICE) -> None:
    """Readings keep every rule, refusals have their reasons, and packing loses nothing."""
    for rejection in parsed.rejected:
        assert rejection.index >= 0
        assert rejection.code.replace("_", "a").isalnum()
        check_message(rejection.detail)
    for reading in parsed.readings:
        check_device_id(reading.device_id, scope)
        check_ts(reading.ts, window)
        assert check_metrics(reading.metrics)
        check_tags(reading.tags)
    assert bool(parsed.readings) == bool(parsed.accepted)
    chunks = pack(parsed.readings)
    assert _values(parsed.readings) == _values(
        reading for chunk in chunks for reading in unpack(chunk.document).rows()
    )
    for chunk in chunks:
        unpack_body(chunk.body)


def _values(readings: Iterable[Reading]) -> Counter[Value]:
    return Counter(
        (reading.device_id, reading.ts, name, value, tuple(sorted((reading.tags or {}).items())))
        for reading in readings
        for name, value in reading.metrics.items()
    )
