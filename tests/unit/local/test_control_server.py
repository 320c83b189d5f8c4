"""What the control endpoint answers by itself."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from weir_local.control import Pending
from weir_local.control_server import ControlServer, Standins
from weir_local.faults import Faults
from weir_local.http_server import Request, Response
from weir_local.message_queue import Messages
from weir_local.wire import Invocation

DOCUMENTS = {"/jwks.json": b'{"keys": []}'}


class Standin:
    """Whatever faults are put in force at, and under which `waiting` things are under way."""

    faults: Faults

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting

    async def pending(self) -> int:
        return self.waiting

    def in_flight(self) -> int:
        return self.waiting

    async def messages(self) -> Messages:
        return Messages(self.waiting, self.waiting, self.waiting)


class Firehose(Standin):
    def pending(self) -> int:  # type: ignore[override]
        return self.waiting


class Watchdog(Standin):
    def __init__(self, done: Invocation) -> None:
        super().__init__()
        self.done = done

    async def tick(self) -> Invocation:
        return self.done


def standins(**given: Standin | None) -> Standins:
    names = ("scoring", "notifying", "watchdog", "spill", "notices", "proxy")
    made: dict[str, Any] = {"stream": Firehose(), **{name: Standin() for name in names}}
    return Standins(**{**made, **given})


def serving(of: Standins) -> ControlServer:
    return ControlServer(of, {"struck": Counter()}, DOCUMENTS)


def ask(server: ControlServer, method: str, path: str, content: Any = None) -> Response:
    body = json.dumps(content).encode()
    answer = asyncio.run(server.handle(Request(method, path, {}, body)))
    assert answer is not None
    return answer


def test_faults_are_put_in_force_everywhere_and_ended_everywhere() -> None:
    of = standins()
    made = serving(of)
    assert ask(made, "POST", "/faults", {"duplicate": 1, "s3_slow": 1}).status == 200
    assert of.proxy is not None
    assert of.stream.faults is of.scoring.faults is of.notifying.faults is of.proxy.faults
    assert of.stream.faults.strikes("duplicate")
    ask(made, "DELETE", "/faults")
    assert not of.proxy.faults.strikes("s3_slow")
    assert json.loads(ask(made, "GET", "/counts").body)["struck"] == {"duplicate": 1}


@pytest.mark.parametrize(
    "fault", ["dynamo_refuse@ingest", "kill_score", "sqs_fail_entries", "sns_refuse"]
)
def test_a_fault_that_this_stack_cannot_do_is_refused_by_name(fault: str) -> None:
    of = standins(proxy=None)
    made = serving(of)
    answer = ask(made, "POST", "/faults", {"duplicate": 1, fault: 1})
    assert answer.status == 400
    assert fault.partition("@")[0] in json.loads(answer.body)["error"]
    assert not hasattr(of.stream, "faults")
    assert ask(made, "POST", "/faults", {"firehose_slow@ingest": 1}).status == 200


@pytest.mark.parametrize("name", ["stream", "scoring", "notifying", "watchdog", "spill", "notices"])
def test_whatever_is_under_way_is_pending(name: str) -> None:
    busy = Firehose(2) if name == "stream" else Standin(2)
    found = json.loads(ask(serving(standins(**{name: busy})), "GET", "/pending").body)
    assert Pending(**found)


def test_a_notice_that_waits_for_its_minute_to_end_is_told_and_is_not_under_way() -> None:
    class Waiting(Standin):
        async def messages(self) -> Messages:
            return Messages(visible=0, in_flight=0, delayed=2)

    found = json.loads(ask(serving(standins(notices=Waiting())), "GET", "/pending").body)
    assert found["notices_delayed"] == 2
    assert not Pending(**found)


def test_the_watchdog_s_answer_or_its_failure_is_told() -> None:
    done = Invocation("1", 200, b'{"late": 3}', None)
    told = json.loads(ask(serving(standins(watchdog=Watchdog(done))), "POST", "/tick").body)
    assert told == {"error": None, "answer": '{"late": 3}'}
    failed = Invocation("1", 200, b'{"errorMessage": "no"}', "Unhandled")
    told = json.loads(ask(serving(standins(watchdog=Watchdog(failed))), "POST", "/tick").body)
    assert told["error"] == "Unhandled"


def test_the_issuer_s_documents_are_served_and_nothing_else() -> None:
    made = serving(standins(proxy=None))
    answer = ask(made, "GET", "/jwks.json")
    assert (answer.status, answer.body) == (200, DOCUMENTS["/jwks.json"])
    assert ask(made, "POST", "/jwks.json").status == 404
    assert ask(made, "GET", "/issuer.json").status == 404
