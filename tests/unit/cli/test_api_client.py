"""The API's client: the same over HTTP and by invoking the function, and what a refusal says."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.fakes.api import FakeApi, T, an_alert, problem
from tests.targets import a_target
from weir_cli.api_client import Api, ApiProblem, api_of
from weir_cli.api_transport import Answer, Call, HttpTransport, InvokeTransport, Transport
from weir_cli.errors import Problem

ARN = "arn:aws:iam::123456789012:user/ada"
CALL = Call(
    "POST",
    "/v1/alerts/{alert_id}/snooze",
    {"alert_id": "gw:1~1767225600000~=w7w"},
    [("metric", "a,b"), ("metric", "c d")],
    {"for_seconds": 60},
    '"7"',
)


class Aws:
    """Clients of Lambda and STS: the function answers what a test says, and its event is kept."""

    def __init__(self, answer: dict[str, Any], error: str = "") -> None:
        self.answer = answer
        self.error = error
        self.events: list[dict[str, Any]] = []
        self.functions: list[str] = []

    def __call__(self, service: str) -> "Aws":
        assert service in {"lambda", "sts"}
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": ARN}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        if self.error == "AccessDeniedException":
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "Invoke")
        self.functions.append(FunctionName)
        self.events.append(json.loads(Payload))
        payload = io.BytesIO(json.dumps(self.answer).encode())
        return {"Payload": payload, **({"FunctionError": self.error} if self.error else {})}


def over_http(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response
) -> tuple[HttpTransport, list[httpx.Request]]:
    """A transport whose requests are kept, and answered so."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer

    real = httpx.Client
    monkeypatch.setattr(
        httpx,
        "Client",
        lambda **named: real(**(named | {"transport": httpx.MockTransport(handle)})),
    )
    return HttpTransport("https://api.test/", "token"), requests


def test_over_http_a_call_is_a_request_with_the_operator_s_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transport, requests = over_http(
        monkeypatch, httpx.Response(200, json={"a": 1}, headers={"ETag": '"8"'})
    )
    answer = transport.send(CALL)
    assert (answer.status, json.loads(answer.body), answer.headers["etag"]) == (
        200,
        {"a": 1},
        '"8"',
    )
    (request,) = requests
    assert str(request.url) == (
        "https://api.test/v1/alerts/gw:1~1767225600000~=w7w/snooze?metric=a%2Cb&metric=c+d"
    )
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["if-none-match"] == '"7"'
    assert json.loads(request.content) == {"for_seconds": 60}


def test_invoked_a_call_is_the_event_that_api_gateway_would_send() -> None:
    aws = Aws({"statusCode": 200, "headers": {"ETag": '"8"'}, "body": '{"a":1}'})
    answer = InvokeTransport(aws, "weir-api").send(CALL)
    assert answer == Answer(200, {"etag": '"8"'}, b'{"a":1}')
    (event,) = aws.events
    assert aws.functions == ["weir-api"]
    context = event["requestContext"]
    assert context["authorizer"]["jwt"]["claims"] == {"sub": ARN}
    assert event["routeKey"] == "POST /v1/alerts/{alert_id}/snooze"
    assert event["rawPath"] == "/v1/alerts/gw:1~1767225600000~=w7w/snooze"
    assert event["rawQueryString"] == "metric=a%2Cb&metric=c+d"
    assert event["queryStringParameters"] == {"metric": "a,b,c d"}
    assert event["pathParameters"] == CALL.path
    assert event["headers"]["if-none-match"] == '"7"'
    assert json.loads(event["body"]) == {"for_seconds": 60}


def test_an_answer_may_come_in_base64() -> None:
    body = base64.b64encode(b'{"a":1}').decode()
    aws = Aws({"statusCode": 200, "body": body, "isBase64Encoded": True})
    assert InvokeTransport(aws, "f").send(CALL).body == b'{"a":1}'


@pytest.mark.parametrize(
    ("aws", "said"),
    [
        (Aws({}, "AccessDeniedException"), f"{ARN} may not invoke weir-api: give it lambda:Invoke"),
        (Aws({"errorMessage": "boom"}, "Unhandled"), "The function weir-api failed: boom."),
    ],
)
def test_a_function_that_does_not_answer_is_a_sentence(aws: Aws, said: str) -> None:
    with pytest.raises(Problem, match=said):
        InvokeTransport(aws, "weir-api").send(CALL)


def test_whoever_has_a_token_goes_over_http_and_who_has_none_invokes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WEIR_OPERATOR_TOKEN", raising=False)
    in_aws = a_target(api_url="https://a", api_function="f", client=Aws({}))
    local = a_target(api_url="http://a", operator_token="own", control_url="http://c")

    def way(target: Any, token: str | None = None) -> tuple[str, str]:
        transport: Transport = api_of(target, token)._transport
        if isinstance(transport, HttpTransport):
            return "http", transport._client.headers["authorization"]
        return "invoke", ""

    assert way(in_aws) == ("invoke", "")
    assert way(in_aws, "given") == ("http", "Bearer given")
    assert way(local) == ("http", "Bearer own")
    monkeypatch.setenv("WEIR_OPERATOR_TOKEN", "of the environment")
    assert way(in_aws) == ("http", "Bearer of the environment")
    assert way(local) == ("http", "Bearer own")  # that of the environment is for AWS
    assert way(local, "given") == ("http", "Bearer given")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(404, "no_such_alert"), "There is no alert x~1~y; `weir alerts` lists them."),
        (problem(401, ""), "The API did not accept the operator's token; it may have expired"),
        (problem(404, ""), "This stack's API has no GET /v1/alerts/{alert_id}: it has no OIDC"),
        (
            problem(400, "invalid_field", "a is b."),
            r"The API refused \(400 invalid_field\): a is b.",
        ),
        (Answer(500, {}, b"<html>"), r"The API refused \(500\): no reason given."),
    ],
)
def test_a_refusal_is_one_sentence(answer: Answer, said: str) -> None:
    fake = FakeApi()
    fake.failing = [answer]
    with pytest.raises(ApiProblem, match=said):
        fake.api.alert("x~1~y")


def test_what_is_busy_is_asked_again_and_for_as_long_as_it_says_not() -> None:
    alert = an_alert()
    fake = FakeApi(alert)
    fake.failing = [problem(503, "busy", **{"retry-after": "2"}), problem(429, "")]
    assert fake.api.acknowledge(alert["alert_id"], "on it")["acknowledged_by"] == "ada"
    assert fake.slept == [2.0, 0.6]
    assert [call.body for call in fake.calls] == [{"note": "on it"}] * 3


def test_what_stays_busy_is_a_sentence() -> None:
    fake = FakeApi()
    fake.failing = [problem(503, "busy", "Later.")] * 9
    with pytest.raises(ApiProblem, match="503 busy"):
        fake.api.alert("x~1~y")
    assert len(fake.calls) == 3


def test_a_listing_goes_on_for_as_long_as_there_is_a_cursor() -> None:
    fake = FakeApi(*(an_alert("flow", T + n) for n in range(250)))
    found = list(fake.api.alerts([("state", "open")]))
    assert [alert["onset"] for alert in found] == sorted(
        (alert["onset"] for alert in found), reverse=True
    )
    assert len(found) == 250
    assert len(fake.calls) == 3
    assert len(list(fake.api.alerts([("state", "open")], limit=120))) == 120
    assert [dict(call.query)["limit"] for call in fake.calls[3:]] == ["100", "20"]


def test_what_is_the_same_still_has_no_document() -> None:
    fake = FakeApi()
    fake.readings = [(T, {"flow": 1.0})]
    api: Api = fake.api
    newest, etag = api.latest("pump-7")
    assert newest is not None
    assert newest["values"]["flow"]["value"] == 1.0
    assert api.latest("pump-7", etag) == (None, etag)
