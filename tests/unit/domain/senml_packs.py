"""SenML packs on their way through the adapter."""

import json
from typing import Any

from tests.strategies import NOW_MS
from weir.identity import EVERY_DEVICE, Scope
from weir.protocols.interface import Parsed, Request
from weir.protocols.senml import SenmlJson
from weir.readings import Reading, Window

ALWAYS = Window(0, 253_402_300_799_999)  # to the last day of the year 9999


def parse(
    pack: Any, *, now_ms: int = NOW_MS, window: Window = ALWAYS, scope: Scope = EVERY_DEVICE
) -> Parsed:
    body = pack if isinstance(pack, bytes) else json.dumps(pack).encode()
    return SenmlJson().parse(
        Request(body, "application/senml+json", {}, now_ms, window=window, scope=scope)
    )


def only(*records: dict[str, Any], **rules: Any) -> Reading:
    """The one reading that the records become, none of them refused."""
    parsed = parse(list(records), **rules)
    assert not parsed.rejected
    (reading,) = parsed.readings
    return reading


def refusals(parsed: Parsed) -> list[tuple[int, str]]:
    return [(rejection.index, rejection.code) for rejection in parsed.rejected]
