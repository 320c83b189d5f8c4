"""Queues that listen at the topic and on the bus: what people and programs are told."""

import json
import time
from dataclasses import dataclass
from typing import Any, Self

from weir_local.aws import client
from weir_local.status import StackStatus

_RULE = "everything"
_MOST = 10  # what a call receives
_LAST_S = 1


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came, and when it was sent, in epoch seconds."""

    body: str
    sent: float

    def json(self) -> Any:
        """Return the message's content."""
        return json.loads(self.body)


class Tap:
    """A queue to which messages are copied."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._url = queue_url

    @classmethod
    def at_topic(cls, status: StackStatus, name: str) -> Self:
        """Listen at the topic of alerts, with a queue called `name`."""
        tap, arn = cls._make(status, name, "sns.amazonaws.com")
        client(status, "sns").subscribe(
            TopicArn=status.alert_topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )
        return tap

    @classmethod
    def on_bus(cls, status: StackStatus, name: str) -> Self:
        """Listen on the bus of alerts, with a queue called `name`."""
        tap, arn = cls._make(status, name, "events.amazonaws.com")
        events = client(status, "events")
        rule = {"Name": f"{_RULE}-{name}", "EventBusName": status.alert_bus}
        # Every event has a source.
        events.put_rule(**rule, EventPattern=json.dumps({"source": [{"exists": True}]}))
        rule = {"Rule": rule["Name"], "EventBusName": status.alert_bus}
        events.put_targets(**rule, Targets=[{"Id": "tap", "Arn": arn}])
        return tap

    @classmethod
    def _make(cls, status: StackStatus, name: str, service: str) -> tuple[Self, str]:
        sqs = client(status, "sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = found["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return cls(sqs, url), arn

    def drain(self) -> list[Heard]:
        """Take all that is there, in the order in which it came."""
        heard: list[Heard] = []
        while page := self._receive(wait_s=0):
            heard += page
        return sorted(heard, key=lambda one: one.sent)

    def wait_for(self, count: int, timeout_s: float) -> list[Heard]:
        """Take messages until there are `count`, and what else comes within a second then.

        Fewer are returned if no more have come after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        heard: list[Heard] = []
        while len(heard) < count and time.monotonic() < deadline:
            heard += self._receive(wait_s=1)
        while page := self._receive(wait_s=_LAST_S):
            heard += page
        return sorted(heard, key=lambda one: one.sent)

    def _receive(self, wait_s: int) -> list[Heard]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_MOST,
            WaitTimeSeconds=wait_s,
            AttributeNames=["SentTimestamp"],
        )
        found = answer.get("Messages", [])
        if found:
            entries = [
                {"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]}
                for at, one in enumerate(found)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return [Heard(one["Body"], int(one["Attributes"]["SentTimestamp"]) / 1000) for one in found]
