"""The sender: what is sent again, how long it waits, and when it says that it gave up."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from weir.readings import Reading
from weir_cli.batches import Batch
from weir_cli.sender import NotSent, Refusal, Sender

BATCH = Batch("a", [Reading("a", 1, {"x": 1.0}), Reading("a", 2, {"x": 1.0})])
TAKEN = httpx.Response(202, json={"accepted": 2, "rejected": []})


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """Gives its answers in turn, the last one for ever; an exception is a broken connection."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def sender(handler: Callable[[httpx.Request], httpx.Response], clock: Clock) -> Sender:
    return Sender(
        "http://api.test/",
        transport=httpx.MockTransport(handler),
        sleep=clock.sleep,
        clock=clock,
        rng=random.Random(1),
    )


def test_a_request_goes_to_the_api_s_path_and_comes_back_as_a_receipt() -> None:
    server = Server(TAKEN)
    receipt = sender(server, Clock()).send(BATCH)
    (request,) = server.requests
    assert str(request.url) == "http://api.test/v1/readings"
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.content == BATCH.document
    assert (receipt.accepted, list(receipt.rejected), receipt.retries) == (2, [], 0)


def test_what_the_server_rejects_is_part_of_the_receipt() -> None:
    rejected = [{"index": 1, "code": "wrong_type", "detail": "it is wrong"}]
    server = Server(httpx.Response(202, json={"accepted": 1, "rejected": rejected}))
    receipt = sender(server, Clock()).send(BATCH)
    assert receipt.accepted == 1
    assert list(receipt.rejected) == [Refusal(1, "wrong_type", "it is wrong")]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_gets_the_very_same_request_again(status: int) -> None:
    server, clock = Server(httpx.Response(status), httpx.Response(status), TAKEN), Clock()
    receipt = sender(server, clock).send(BATCH)
    assert receipt.retries == 2
    assert len({request.content for request in server.requests}) == 1
    assert 0 <= clock.slept[0] <= 0.1
    assert 0 <= clock.slept[1] <= 0.2


def test_a_broken_connection_is_tried_again() -> None:
    server = Server(httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), TAKEN)
    assert sender(server, Clock()).send(BATCH).retries == 2


def test_the_wait_is_the_one_that_the_server_asks_for() -> None:
    server, clock = Server(httpx.Response(429, headers={"retry-after": "7"}), TAKEN), Clock()
    sender(server, clock).send(BATCH)
    assert clock.slept == [7.0]


def test_the_server_may_ask_for_a_wait_until_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server, clock = Server(httpx.Response(503, headers={"retry-after": date}), TAKEN), Clock()
    sender(server, clock).send(BATCH)
    assert 25 < clock.slept[0] <= 30


@pytest.mark.parametrize("value", ["0", "soon", "nan", "-3"])
def test_a_wait_that_says_nothing_is_drawn_instead(value: str) -> None:
    server, clock = Server(httpx.Response(503, headers={"retry-after": value}), TAKEN), Clock()
    sender(server, clock).send(BATCH)
    assert 0 < clock.slept[0] <= 0.1


def test_whoever_asked_is_told_why_a_request_is_sent_again() -> None:
    told: list[tuple[str, float]] = []
    server, clock = Server(httpx.ConnectError("refused"), TAKEN), Clock()
    with Sender(
        "http://api.test",
        transport=httpx.MockTransport(server),
        sleep=clock.sleep,
        on_retry=lambda reason, wait: told.append((reason, wait)),
    ) as client:
        client.send(BATCH)
    assert told == [("refused", clock.slept[0])]


def test_patience_ends_with_a_sentence() -> None:
    server, clock = Server(httpx.Response(503, json={"detail": "no room"})), Clock()
    with pytest.raises(NotSent, match=r"tried \d+ times: status 503, no room") as error:
        sender(server, clock).send(BATCH)
    assert clock.now <= 120
    assert error.value.retries == len(server.requests) - 1 > 10


def test_a_wait_past_the_patience_is_not_begun() -> None:
    server, clock = Server(httpx.Response(429, headers={"retry-after": "3600"})), Clock()
    with pytest.raises(NotSent, match="tried once"):
        sender(server, clock).send(BATCH)
    assert clock.slept == []


def test_what_trying_again_would_not_mend_is_not_tried_again() -> None:
    problem = {"code": "too_large", "detail": "the body is too large"}
    server = Server(httpx.Response(413, json=problem))
    with pytest.raises(NotSent, match="answered 413, too_large: the body is too large"):
        sender(server, Clock()).send(BATCH)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (httpx.Response(202, text="thanks"), "without a receipt"),
        (httpx.Response(202, json={"accepted": 2}), "without a receipt"),
        (httpx.Response(202, json={"accepted": 1, "rejected": []}), "for 1 of 2 readings"),
    ],
)
def test_a_receipt_that_does_not_add_up_is_no_receipt(
    answer: httpx.Response, complaint: str
) -> None:
    with pytest.raises(NotSent, match=complaint):
        sender(Server(answer), Clock()).send(BATCH)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "no device key was sent"), (403, "unknown, has expired or was")]
)
def test_what_api_gateway_means_by_its_no_is_said(status: int, said: str) -> None:
    server = Server(httpx.Response(status, json={"message": "Forbidden"}))
    with pytest.raises(NotSent, match=said):
        sender(server, Clock()).send(BATCH)
