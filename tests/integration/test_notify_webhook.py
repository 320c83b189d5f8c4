"""The webhook against a receiver on this machine: signed, bounded, posted again as it may be."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.fakes.notices import START, an_alert
from tests.integration import notice_stack
from tests.integration.notice_stack import Stack, record
from tests.receiver import Receiver
from tests.unit.test_notifications_docs import snippet
from weir.notices.hooks import signature
from weir.notices.ports import NotTaken, Refused
from weir.storage.message_webhook import Webhook, WebhookSecret

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def stack(receiver: Receiver) -> Iterator[Stack]:
    with mock_aws():
        made = Stack(receiver.url)
        made.secrets.create_secret(Name="hook", SecretString=SECRET)
        yield made
    notice_stack.handler.cache_clear()


class Secret(WebhookSecret):
    def __init__(self) -> None:
        self.reads = 0

    def get(self) -> str:
        self.reads += 1
        return SECRET


def test_a_message_is_posted_signed_as_the_docs_verify_it(stack: Stack, receiver: Receiver) -> None:
    stack.deliver([record(an_alert())])
    assert receiver.requests == []  # the stream does not wait for it
    stack.mapping.drain()
    ((path, headers, body),) = receiver.requests
    assert path == "/hook?team=a"
    assert headers["Weir-Notice"] == json.loads(body)["notice_id"] == f"{an_alert().key}#1"
    assert headers["Content-Type"] == "application/json"
    verified = snippet("verify")["verify"]
    assert verified(headers["Weir-Signature"], body, [SECRET])
    assert verified(headers["Weir-Signature"], body, ["another", SECRET])
    assert not verified(headers["Weir-Signature"], body, ["another"])
    assert not verified(headers["Weir-Signature"], body + b" ", [SECRET])
    old = signature(SECRET, int(time.time()) - 301, body)
    assert not verified(old, body, [SECRET])
    for broken in ("", "t=1", "v1=ab", "t=x,v1=ab", "t=1,v1="):
        assert not verified(broken, body, [SECRET])


def test_a_storm_s_digest_is_posted_once(stack: Stack, receiver: Receiver) -> None:
    stack.deliver([record(an_alert(f"pump-{at}"), number=at) for at in range(9)])
    stack.clock.now = START + 70_000
    stack.mapping.drain()
    ids = [headers["Weir-Notice"] for _, headers, _ in receiver.requests]
    assert len(ids) == len(set(ids)) == 4
    assert ids[-1] == "digest~1767225600000" or "digest~1767225600000" in ids


def test_a_failing_receiver_is_asked_again_until_it_takes_the_message(
    stack: Stack, receiver: Receiver
) -> None:
    receiver.answers = [500, 429, 302, 408]
    stack.deliver([record(an_alert())])
    stack.mapping.drain()
    assert [path for path, *_ in receiver.requests] == ["/hook?team=a"] * 5
    assert len({headers["Weir-Notice"] for _, headers, _ in receiver.requests}) == 1


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_receiver_that_refuses_is_asked_once(
    stack: Stack,
    receiver: Receiver,
    status: int,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.answers = [status]
    stack.deliver([record(an_alert())])
    stack.mapping.drain()
    assert len(receiver.requests) == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["WebhookFailures"] == [1]
    assert [vars(record)["why"] for record in caplog.records if record.msg == "given up"] == [
        f"the webhook answered {status}"
    ]


def test_a_receiver_that_never_takes_it_leaves_it_with_the_dead_letters(
    stack: Stack, receiver: Receiver
) -> None:
    receiver.answers = [503] * 99
    stack.deliver([record(an_alert())])
    for _ in range(10):
        stack.mapping.deliver()
        stack.mapping.let_time_pass()
    assert stack.mapping.deliver() is None
    assert len(receiver.requests) == 10
    assert len(stack._drain("dead")) == 1
    assert len(stack.mails()) == 1  # the topic has had it all the time


def test_a_receiver_that_is_away_or_slow_is_left(receiver: Receiver) -> None:
    began = time.monotonic()
    receiver.answers = [0]
    hook = Webhook(receiver.url, Secret(), timeout_s=0.3)
    with pytest.raises(NotTaken):
        hook.post("a", "{}")
    assert time.monotonic() - began < 3
    receiver.close()
    with pytest.raises(NotTaken, match="ConnectionRefusedError"):
        hook.post("a", "{}")


def test_an_answer_s_body_is_not_waited_for(receiver: Receiver) -> None:
    receiver.answers = [200, 410]  # each promises 100 MB
    hook = Webhook(receiver.url, Secret(), timeout_s=0.3)
    hook.post("a", "{}")
    with pytest.raises(Refused):
        hook.post("b", "{}")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://127.0.0.1/",
        "https://",
        "example.com",
        "https://a:b@c.example/",
    ],
)
def test_only_https_or_this_machine_is_posted_to(url: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_URL"):
        Webhook(url, Secret())


def test_the_secret_is_read_when_needed_and_again_after_five_minutes() -> None:
    class Secrets:
        reads = 0

        def get_secret_value(self, **_: Any) -> dict[str, str]:
            self.reads += 1
            return {"SecretString": f"secret {self.reads}"}

    secrets, now = Secrets(), [0.0]
    secret = WebhookSecret(lambda: secrets, "hook", clock=lambda: now[0])
    assert secrets.reads == 0
    assert [secret.get(), secret.get()] == ["secret 1"] * 2
    now[0] = 299.0
    assert secret.get() == "secret 1"
    now[0] = 300.0
    assert secret.get() == "secret 2"


def test_without_its_secret_nothing_is_posted(stack: Stack, receiver: Receiver) -> None:
    stack.secrets.delete_secret(SecretId="hook", ForceDeleteWithoutRecovery=True)
    stack.deliver([record(an_alert())])
    assert len(stack.mapping.deliver() or []) == 1
    assert receiver.requests == []
