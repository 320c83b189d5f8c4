"""What the `api` function serves to everyone: its description, its health, and who it is."""

import itertools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
from influxdb_client import InfluxDBClient  # type: ignore[attr-defined]

from tests.contract import check_answer, document
from tests.handlers import Context
from tests.integration.api import answered, load_api, sample


@pytest.fixture(scope="module")
def api() -> ModuleType:
    return load_api()


def test_the_document_names_the_server_that_it_was_fetched_from(api: ModuleType) -> None:
    status, served = answered(api, sample("openapi"))
    assert status == 200
    assert served["servers"] == [{"url": "https://weir.execute-api.eu-west-1.amazonaws.com"}]
    assert {**served, "servers": None} == {**document(), "servers": None}
    assert list(served) == list(document())


def test_a_stage_or_a_mapping_stands_before_the_paths(api: ModuleType) -> None:
    request = sample("openapi")
    request["headers"]["host"] = request["requestContext"]["domainName"] = "api.example.com"
    request["rawPath"] = "/telemetry/openapi.json"
    _, served = answered(api, request)
    assert served["servers"] == [{"url": "https://api.example.com/telemetry"}]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http"},
        {"forwarded": "host=evil.example"},
        {"host": "evil.example"},
    ],
)
def test_no_header_says_where_readings_and_keys_are_to_be_sent(
    headers: dict[str, str], api: ModuleType
) -> None:
    request = sample("openapi")
    request["headers"] |= headers
    answer = api.lambda_handler(request, Context(20))
    assert "evil.example" not in json.dumps(answer)


def test_behind_something_else_than_api_gateway_the_server_is_where_the_document_is(
    api: ModuleType,
) -> None:
    request = sample("openapi")
    request["headers"]["host"] = "127.0.0.1:4566"
    _, served = answered(api, request)
    assert served["servers"] == document()["servers"]
    assert served["servers"][0]["url"] == "."


def test_whoever_has_the_document_is_not_sent_it_again(api: ModuleType) -> None:
    request = sample("openapi")
    first = api.lambda_handler(request, Context(20))
    etag = first["headers"]["etag"]
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        request["headers"]["if-none-match"] = tags
        again = api.lambda_handler(request, Context(20))
        check_answer("GET /openapi.json", again)
        assert (again["statusCode"], again["headers"]["etag"]) == (304, etag)
        assert "body" not in again
    request["headers"]["if-none-match"] = '"other"'
    assert api.lambda_handler(request, Context(20)) == first


def test_an_etag_is_that_of_what_was_served(api: ModuleType) -> None:
    request = sample("openapi")
    one = api.lambda_handler(request, Context(20))
    request["headers"]["host"] = "127.0.0.1:4566"
    other = api.lambda_handler(request, Context(20))
    assert one["headers"]["etag"] != other["headers"]["etag"]


class _Door(BaseHTTPRequestHandler):
    """Hands requests to the function as API Gateway does."""

    api: ModuleType
    numbers = itertools.count()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        context = {"requestId": f"r-{next(self.numbers)}", "domainName": "weir.example"}
        made = {"routeKey": f"{self.command} {path}", "rawPath": path, "headers": headers}
        answer = self.api.lambda_handler({**made, "requestContext": context}, Context(20))
        self.send_response(answer["statusCode"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        body = answer.get("body", "").encode()
        if answer["statusCode"] != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def url(api: ModuleType) -> Iterator[str]:
    door = type("Door", (_Door,), {"api": api})
    with ThreadingHTTPServer(("127.0.0.1", 0), door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_influxdb_client_finds_the_service_in_good_health(url: str) -> None:
    with InfluxDBClient(url, token="weir_none", org="any") as client:
        assert client.ping()
        assert client.version() == f"v2.0.0+weir.{document()['info']['version']}"
        assert client.build() == "weir"
        with pytest.warns(DeprecationWarning, match="ping"):
            health = client.health()
        assert (health.status, health.name) == ("pass", "weir")
