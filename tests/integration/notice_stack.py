"""`notify` on moto: table, queue, a topic and a bus, and queues that listen to both.

What stands in is only Lambda's event source mappings, and the clock.
"""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

import boto3

from tests.fakes.notices import START, Clock
from tests.fakes.spill import SpillMapping
from tests.handlers import ENVIRONMENT, Context, load_handler
from tests.tables import create_tables
from weir.alerts.alert import Alert
from weir.storage.alert_store import item_of

REGION = "eu-west-1"
ARN = f"arn:aws:sqs:{REGION}:123456789012:"
QUEUE = ENVIRONMENT["NOTICE_QUEUE_URL"]


class OneAtATime:
    """A client whose calls are atomic: DynamoDB's are, but not moto's from several threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not callable(attribute) or name == "get_paginator":
            return attribute

        def call(**arguments: Any) -> Any:
            with self._lock:
                return attribute(**arguments)

        return call


class Undelayed:
    """A queue whose messages come at once; `delays` are the seconds that were asked for."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self.delays: list[int] = []

    def send_message(self, **request: Any) -> Any:
        self.delays.append(request.pop("DelaySeconds"))
        return self._sqs.send_message(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)


@cache
def clients() -> dict[str, Any]:
    """Made once, since that takes a second: they hold nothing of a test."""
    session: Any = boto3.Session(region_name=REGION)
    names = ("dynamodb", "sns", "sqs", "events", "secretsmanager")
    return {name: session.client(name) for name in names}


@cache
def handler(webhook_url: str) -> Any:
    """The handler with or without a webhook."""
    before = dict(ENVIRONMENT)
    ENVIRONMENT.update(WEBHOOK_URL=webhook_url, WEBHOOK_SECRET="hook" if webhook_url else "")
    try:
        return load_handler("notify")
    finally:
        ENVIRONMENT.update(before)


class Stack:
    """All of it, and what came out at the other end."""

    def __init__(self, webhook_url: str = "") -> None:
        self.clock = Clock()
        made = clients()
        self.sqs, self.secrets, self.sns = made["sqs"], made["secretsmanager"], made["sns"]
        self.dynamodb = OneAtATime(made["dynamodb"])
        create_tables(made["dynamodb"])
        self._make_channels(made["events"])
        self.app = handler(webhook_url)
        self.undelayed = Undelayed(self.sqs)
        self.use(events=made["events"])
        self.mapping = SpillMapping(self.sqs, QUEUE, self.app.lambda_handler)

    def _make_channels(self, events: Any) -> None:
        topic = self.sns.create_topic(Name="alerts")["TopicArn"]
        assert topic == ENVIRONMENT["ALERT_TOPIC"]
        for name in ("dead", "mails", "events"):
            self.sqs.create_queue(QueueName=name)
        redrive = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 10})
        made = self.sqs.create_queue(QueueName="notices", Attributes={"RedrivePolicy": redrive})
        assert made["QueueUrl"] == QUEUE
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ARN + "mails")
        events.create_event_bus(Name="alerts")
        pattern = json.dumps({"source": ["weir"], "detail": {"version": [1]}})
        events.put_rule(Name="all", EventBusName="alerts", EventPattern=pattern)
        target = {"Id": "queue", "Arn": ARN + "events"}
        events.put_targets(Rule="all", EventBusName="alerts", Targets=[target])

    def use(self, *, sns: Any = None, events: Any = None, controls: Any = None) -> None:
        """Let `notify` call these from now on, with this stack's clock and table."""
        app, teller = self.app, self.app.teller
        app.clock_ms = teller._clock = self.clock
        for part in (teller._ledger, teller._minutes):
            part._clock, part._dynamodb = self.clock, self.dynamodb
        if app.courier is not None:
            app.courier._ledger._clock = self.clock
            app.courier._ledger._dynamodb = self.dynamodb
            app.courier._hook._secret._kept = None
        teller._topic._sns = sns or self.sns
        if events is not None:
            teller._bus._events = events
        teller._queue._sqs = self.undelayed
        app.sqs = self.sqs
        app.controls._dynamodb = controls or self.dynamodb
        app.controls._kept.clear()

    def deliver(self, records: Sequence[dict[str, Any]], seconds: float = 60) -> list[str]:
        """Hand a batch of the stream over; return the sequence numbers that failed."""
        answer = self.app.lambda_handler({"Records": list(records)}, Context(seconds))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def mails(self) -> list[dict[str, Any]]:
        """What the topic told a queue, as SNS wraps it, in order of coming."""
        return [json.loads(body) for body in self._drain("mails")]

    def events(self) -> list[dict[str, Any]]:
        """The events on the bus."""
        return [json.loads(body) for body in self._drain("events")]

    def told(self) -> Counter[str]:
        """How often each notice was in a message since it was last asked."""
        told: Counter[str] = Counter()
        for mail in self.mails():
            document = json.loads(mail["Message"])
            one = document["type"] == "notice"
            told.update([document["notice_id"]] if one else document["notice_ids"])
        return told

    def _drain(self, name: str) -> list[str]:
        url = QUEUE.replace("notices", name)
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def record(new: Alert, old: Alert | None = None, number: int = 1) -> dict[str, Any]:
    """A write to the Alerts table as its stream tells of it."""
    image = item_of(new, expires_at=START // 1000)
    images = {"NewImage": image}
    if old is not None:
        images["OldImage"] = item_of(old, expires_at=START // 1000)
    return {
        "eventName": "INSERT" if old is None else "MODIFY",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {name: image[name] for name in ("pk", "sk")},
            **images,
            "SequenceNumber": str(number),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
