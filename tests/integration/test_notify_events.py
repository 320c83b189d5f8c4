"""The sample events of `notify` go through its handler on moto."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from moto import mock_aws

from tests.fakes.notices import some_notices
from tests.handlers import Context
from tests.integration.notice_stack import Stack
from weir.notices.notice import DETAIL_TYPES, NoticeKind
from weir_local.sample_events import load_event

EVENTS = Path(__file__).parents[2] / "events" / "notify"
HELD = 4
"""Notices that wait for the sample digest."""


@dataclass(frozen=True)
class Notified:
    """The kinds of the events, how many messages come, and the places of what failed."""

    events: list[NoticeKind] = field(default_factory=list)
    messages: int = 0
    failed: list[int] = field(default_factory=list)


NOTIFY = {
    "opened": Notified(["opened"], 1),
    "cleared": Notified(["cleared"], 1),
    "several_transitions": Notified(["rose", "cleared"], 2),
    "acknowledged": Notified(),
    "snoozed": Notified(),
    "snooze_ended": Notified(["snooze_ended"], 1),
    "silence": Notified(["opened"], 1),
    "delivered_again": Notified(["opened"], 1),
    "storm": Notified(["opened"] * 12, 3),
    "unreadable_among_good": Notified(["opened"] * 2, 2, [1]),
    "digest": Notified(messages=1),
    "post_without_webhook": Notified(),
    "unreadable_message": Notified(messages=1, failed=[1]),
}


@pytest.mark.parametrize("case", NOTIFY)
def test_notify(case: str) -> None:
    event = load_event(EVENTS / f"{case}.json", 0)
    with mock_aws():
        stack = Stack()
        minutes = stack.app.teller._minutes
        if "messageId" in event["Records"][0]:
            minutes.called(1_767_225_600_000)
            assert minutes.hold(1_767_225_600_000, some_notices(HELD))

        answer = stack.app.lambda_handler(event, Context(60))

        events, mails = stack.events(), stack.mails()
    places = [
        record.get("messageId") or record["dynamodb"]["SequenceNumber"]
        for record in event["Records"]
    ]
    expected = NOTIFY[case]
    assert [places.index(f["itemIdentifier"]) for f in answer["batchItemFailures"]] == (
        expected.failed
    )
    assert sorted(event["detail-type"] for event in events) == sorted(
        DETAIL_TYPES[kind] for kind in expected.events
    )
    assert len(mails) == expected.messages
    if "messageId" in event["Records"][0] and mails:
        assert json.loads(mails[0]["Message"])["notices"] == HELD
