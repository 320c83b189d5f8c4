"""`notify` from the stream to the subscribers' queues, and back through its own queue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from moto import mock_aws

from tests.fakes.aws import client_error
from tests.fakes.notices import START, an_alert
from tests.integration.notice_stack import Stack, record
from tests.tables import TEMPLATE
from weir.alerts.alarm import Cleared
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import acknowledge, snooze, tell
from weir.controls import FLEET, Control
from weir.notices.notice import Notice
from weir.storage.control_store import ControlStore
from weir.storage.notice_ledger import LEASE_S

MINUTE = 60_000


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        yield Stack()


def cleared(alert: Alert) -> Alert:
    fact = Cleared(alert.metric, alert.onset, alert.onset + MINUTE, alert.peak, alert.peak_ts)
    ended = tell(alert, alert.device_id, [fact], 1)
    assert ended is not None
    return ended


def test_an_alert_that_opened_and_cleared_is_a_message_and_an_event_each(stack: Stack) -> None:
    alert = an_alert()
    assert stack.deliver([record(alert), record(cleared(alert), alert, 2)]) == []
    mails, events = stack.mails(), stack.events()
    assert sorted(mail["Subject"] for mail in mails) == [
        "[critical] pump-7 flow: alert cleared",
        "[critical] pump-7 flow: alert opened",
    ]
    assert sorted(event["detail-type"] for event in events) == [
        "Weir Alert Cleared",
        "Weir Alert Opened",
    ]
    details = {event["detail"]["notice_id"]: event["detail"] for event in events}
    for mail in mails:
        document = json.loads(mail["Message"])
        assert details[document["notice_id"]] == document
        assert mail["MessageAttributes"]["severity"] == {"Type": "String", "Value": "critical"}
        assert mail["MessageAttributes"]["device_id"]["Value"] == "pump-7"


def test_delivering_again_tells_nothing_again(stack: Stack) -> None:
    records = [record(an_alert(f"pump-{at}"), number=at) for at in range(6)]
    for batch in (records, records[2:], records):
        assert stack.deliver(batch) == []
        stack.clock.sleep(1)
    stack.clock.now = START + 70_000
    stack.mapping.drain()
    assert set(stack.told().values()) == {1}
    assert len(stack.events()) == 6


def test_what_people_do_tells_nobody(stack: Stack) -> None:
    alert = an_alert()
    assert stack.deliver([record(acknowledge(alert, "ann", START), alert)]) == []
    assert stack.mails() == stack.events() == []


@pytest.mark.parametrize("set_for", [(FLEET, None), ("pump-7", None), ("pump-7", "flow")])
def test_the_snoozed_are_not_told(stack: Stack, set_for: tuple[str, str | None]) -> None:
    ControlStore(stack.dynamodb, "controls").put(*set_for, Control(snoozed_until=START + MINUTE))
    assert stack.deliver([record(an_alert()), record(an_alert("pump-8"), number=2)]) == []
    assert set(stack.told()) == (set() if set_for[0] == FLEET else {"pump-8~1767225600000~flow#1"})
    stack.clock.now = START + MINUTE
    stack.deliver([record(an_alert())])
    assert stack.mails() == []
    stack.deliver([record(an_alert(onset=START + 1))])
    assert len(stack.events()) == (1 if set_for[0] == FLEET else 2)


def test_an_alert_s_own_snooze_keeps_it_quiet(stack: Stack) -> None:
    alert = snooze(an_alert(), START + MINUTE, "ann", START)
    assert stack.deliver([record(cleared(alert), alert)]) == []
    assert stack.mails() == stack.events() == []


def test_a_storm_of_devices_is_a_handful_of_messages_with_each_transition_in_one(
    stack: Stack,
) -> None:
    alerts = [an_alert(f"pump-{at}", score=0.5 + at / 300) for at in range(120)]
    for at in range(0, 120, 30):
        records = [record(alert, number=n) for n, alert in enumerate(alerts[at : at + 30])]
        assert stack.deliver(records) == []
        stack.clock.sleep(20)  # over two minutes of the clock
    assert stack.undelayed.delays == [62, 62]
    stack.clock.now = START + 3 * MINUTE
    stack.mapping.drain()
    mails = stack.mails()
    assert len(mails) == 5
    digests = [json.loads(m["Message"]) for m in mails if "digest_id" in m["Message"]]
    assert sorted(digest["notices"] for digest in digests) == [30, 87]
    ids = [
        each
        for mail in mails
        for document in [json.loads(mail["Message"])]
        for each in document.get("notice_ids", [document.get("notice_id")])
    ]
    assert sorted(ids) == sorted(f"{alert.key}#1" for alert in alerts)
    assert len(stack.events()) == 120


class Sns:
    """A topic that fails so often before it takes anything."""

    def __init__(self, sns: Any, times: int) -> None:
        self._sns = sns
        self.times = times

    def publish(self, **request: Any) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise client_error("ThrottlingException")
        return self._sns.publish(**request)


def test_a_record_that_fails_comes_again_alone_with_those_after_it(stack: Stack) -> None:
    records = [record(an_alert(f"pump-{at}"), number=at) for at in range(1, 4)]
    stack.use(sns=Sns(stack.sns, 2))
    (failed,) = stack.deliver(records)
    assert failed in {"1", "2"}
    assert stack.deliver(records[int(failed) - 1 :]) == []
    stack.mapping.drain()  # they took their share of the minute twice: they may wait for a digest
    assert sorted(stack.told().values()) == [1, 1, 1]
    assert len(stack.events()) == 3


def test_a_record_that_another_worker_is_at_fails(stack: Stack) -> None:
    alert = an_alert()
    notice_id = f"{alert.key}#1"
    stack.app.teller._ledger.claim(notice_id)  # and that worker dies
    assert stack.deliver([record(an_alert("pump-8")), record(alert, number=2)], 10.5) == ["2"]
    assert set(stack.told()) == {"pump-8~1767225600000~flow#1"}
    stack.clock.sleep(76)
    assert stack.deliver([record(alert, number=2)]) == []
    assert set(stack.told()) == {notice_id}


def test_a_record_that_cannot_be_read_costs_only_itself(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    poison = record(an_alert("pump-8"), number=2)
    del poison["dynamodb"]["NewImage"]["history"]
    assert stack.deliver([record(an_alert()), poison, record(an_alert("pump-9"), number=3)]) == [
        "2"
    ]
    assert len(stack.mails()) == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = {name: lines[-1][name] for name in ("NoticesSent", "NoticesFailed", "EventsSent")}
    assert counted == {"NoticesSent": [2.0], "NoticesFailed": [1.0], "EventsSent": [2.0]}


def test_subscribers_can_filter_single_messages_and_digests_alike(stack: Stack) -> None:
    stack.sqs.create_queue(QueueName="pump-5")
    stack.sns.subscribe(
        TopicArn=stack.app.settings.alert_topic,
        Protocol="sqs",
        Endpoint="arn:aws:sqs:eu-west-1:123456789012:pump-5",
        Attributes={
            "FilterPolicy": json.dumps({"device_id": ["pump-5"], "severity": ["critical"]}),
            "RawMessageDelivery": "true",
        },
    )
    stack.deliver([record(an_alert(f"pump-{at}"), number=at) for at in range(9)])
    stack.clock.now = START + 70_000
    stack.mapping.drain()
    (body,) = stack._drain("pump-5")
    assert "pump-5" in json.loads(body)["device_ids"]


def test_a_message_of_the_queue_that_cannot_be_read_ends_with_the_dead_letters(
    stack: Stack,
) -> None:
    for body in ("", "{", "[]", '{"digest":"now"}', '{"post":"a"}', '{"version":2,"digest":1}'):
        stack.sqs.send_message(
            QueueUrl=stack.app.settings.notice_queue_url, MessageBody=body or " "
        )
    for _ in range(40):
        stack.mapping.deliver()
    assert len(stack._drain("dead")) == 6


def test_a_notice_s_json_keeps_to_its_schema(stack: Stack) -> None:
    stack.deliver([record(an_alert())])
    (event,) = stack.events()
    assert set(event["detail"]) == set(Notice.__struct_fields__)
    assert event["source"] == "weir"


def test_a_lease_outlasts_the_function_and_the_queue_waits_longer_than_both() -> None:
    resources = load(str(TEMPLATE))["Resources"]
    timeout = resources["Notify"]["Properties"]["Timeout"]
    assert timeout < LEASE_S < resources["NoticeQueue"]["Properties"]["VisibilityTimeout"]
