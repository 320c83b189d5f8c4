"""What the documentation shows of notices is what there is, and its code runs."""

import json
import re
from pathlib import Path
from typing import Any

from moto.events.models import EventPattern

from tests.fakes.notices import an_alert
from weir.notices.message import Digest, single
from weir.notices.notice import DETAIL_TYPES, KINDS, Notice, notices_of

TEXT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code after the comment with this name."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def snippet(name: str) -> dict[str, Any]:
    """What the code with this name defines."""
    defined: dict[str, Any] = {}
    exec(block(name), defined)  # noqa: S102 - our own documentation
    return defined


def _fields(heading: str) -> list[str]:
    table = TEXT.partition(heading)[2].partition("\n\n")[0]
    rows = table.splitlines()[1:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_fields_are_those_of_the_documents() -> None:
    assert sorted(_fields("| Field | Type | |\n")) == sorted(Notice.__struct_fields__)
    assert sorted(_fields("| Field | |\n")) == sorted(Digest.__struct_fields__)


def test_the_example_is_what_an_alert_makes() -> None:
    (notice,) = notices_of(None, an_alert())
    example = json.loads(block("example"))
    assert example["detail"] == json.loads(single(notice).document)
    assert example["detail-type"] == DETAIL_TYPES[notice.kind]
    assert single(notice).text.strip() in TEXT


def test_the_rule_s_pattern_is_for_some_and_not_for_others() -> None:
    pattern = EventPattern.load(block("pattern"))
    event = json.loads(block("example"))
    detail = event["detail"]
    assert pattern.matches_event(event)
    assert not pattern.matches_event(event | {"detail": detail | {"severity": "minor"}})
    assert not pattern.matches_event(event | {"detail-type": "Weir Alert Cleared"})
    silence = {"severity": "major", "alert_kind": "silence", "device_id": "valve-1"}
    assert pattern.matches_event(event | {"detail": detail | silence})


def test_every_kind_and_detail_type_is_named() -> None:
    for name in (*KINDS, *DETAIL_TYPES.values()):
        assert f"`{name}`" in TEXT
