"""What the control endpoint answers by itself."""

import asyncio
import json
from collections import Counter
from typing import Any, cast

import pytest

from weir_local.control_server import ControlServer
from weir_local.faults import Faults
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import Request, Response
from weir_local.proxy.server import AwsProxy
from weir_local.spill import SpillQueue
from weir_local.stream_mapping.poller import StreamMapping

DOCUMENTS = {"/jwks.json": b'{"keys": []}'}


class Standin:
    """Whatever faults are put in force at."""

    faults: Faults


def server(proxy: Standin | None) -> tuple[ControlServer, Standin, Standin]:
    stream, mapping = Standin(), Standin()
    made = ControlServer(
        cast("DeliveryStream", stream),
        cast("StreamMapping", mapping),
        cast("SpillQueue", None),
        cast("AwsProxy | None", proxy),
        {"struck": Counter()},
        DOCUMENTS,
    )
    return made, stream, mapping


def ask(server: ControlServer, method: str, path: str, content: Any = None) -> Response:
    body = json.dumps(content).encode()
    answer = asyncio.run(server.handle(Request(method, path, {}, body)))
    assert answer is not None
    return answer


def test_faults_are_put_in_force_everywhere_and_ended_everywhere() -> None:
    proxy = Standin()
    made, stream, mapping = server(proxy)
    assert ask(made, "POST", "/faults", {"duplicate": 1, "s3_slow": 1}).status == 200
    assert stream.faults is mapping.faults is proxy.faults
    assert stream.faults.strikes("duplicate")
    ask(made, "DELETE", "/faults")
    assert not proxy.faults.strikes("s3_slow")
    assert json.loads(ask(made, "GET", "/counts").body)["struck"] == {"duplicate": 1}


@pytest.mark.parametrize("fault", ["dynamo_refuse@ingest", "kill_score", "sqs_fail_entries"])
def test_a_fault_that_this_stack_cannot_do_is_refused_by_name(fault: str) -> None:
    made, stream, _ = server(None)
    answer = ask(made, "POST", "/faults", {"duplicate": 1, fault: 1})
    assert answer.status == 400
    assert fault.partition("@")[0] in json.loads(answer.body)["error"]
    assert not hasattr(stream, "faults")
    assert ask(made, "POST", "/faults", {"firehose_slow@ingest": 1}).status == 200


def test_the_issuer_s_documents_are_served_and_nothing_else() -> None:
    made, _, _ = server(None)
    answer = ask(made, "GET", "/jwks.json")
    assert (answer.status, answer.body) == (200, DOCUMENTS["/jwks.json"])
    assert ask(made, "POST", "/jwks.json").status == 404
    assert ask(made, "GET", "/issuer.json").status == 404
