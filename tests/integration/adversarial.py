"""What the adversarial tests share: requests in each protocol, and what any answer must be."""

import base64
import json
import re
from typing import Any

from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from tests.fuzz.checks import check_message
from tests.fuzz.door import Door
from tests.fuzz.parsers import NOW_MS
from tests.handlers import http_event
from tests.unit.domain.otlp_requests import attributes, gauge, in_json, of_resource, point, request

PROTOCOLS = {
    "json": ("/v1/readings", "application/json"),
    "ndjson": ("/v1/readings", "application/x-ndjson"),
    "senml": ("/v1/readings", "application/senml+json"),
    "influx": ("/api/v2/write", "text/plain; charset=utf-8"),
    "otlp": ("/v1/metrics", "application/json"),
    "protobuf": ("/v1/metrics", "application/x-protobuf"),
}


def post(door: Door, protocol: str, body: bytes | str, **headers: str) -> dict[str, Any]:
    """Post a body as API Gateway would pass it on: what is no text in base64."""
    path, content_type = PROTOCOLS[protocol]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    event = http_event("", {"content-type": content_type, **named}, path=path)
    if path == "/api/v2/write":
        event["queryStringParameters"] = {"precision": "ms"}
    try:
        event["body"] = body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError:
        assert isinstance(body, bytes)
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    answer, _ = door.post(event)
    return answer


def said(answer: dict[str, Any]) -> str:
    """The whole of an answer's body as text; of protobuf, its message to people."""
    body: str = answer.get("body", "")
    if not answer.get("isBase64Encoded"):
        return body
    content = base64.b64decode(body)
    if answer["statusCode"] == 200:
        taken = ExportMetricsServiceResponse.FromString(content)
        return str(taken.partial_success.error_message)
    return str(Status.FromString(content).message)


def message(answer: dict[str, Any]) -> str:
    """What a refusal of the whole request tells people, which is short and printable."""
    text = said(answer)
    if not answer.get("isBase64Encoded"):
        document = json.loads(text)
        text = document.get("detail") or document["message"]
    check_message(text)
    return text


def refused(answer: dict[str, Any], *statuses: int) -> str:
    """Check that a request was refused as a whole, with one of `statuses`; what it was told."""
    assert answer["statusCode"] in statuses, answer
    return message(answer)


def one_reading(
    protocol: str,
    device_id: str = "pump-7",
    metric: str = "flow",
    tags: dict[str, str] | None = None,
) -> bytes:
    """A request with one reading. JSON is in ASCII, so that it can hold lone surrogates."""
    match protocol:
        case "json" | "ndjson":
            reading = {"device_id": device_id, "ts": NOW_MS, "metrics": {metric: 1.5}}
            return json.dumps(reading | ({"tags": tags} if tags else {})).encode()
        case "senml":
            return json.dumps([{"bn": device_id, "n": metric, "v": 1.5}]).encode()
        case "influx":
            named = {"device_id": device_id, **(tags or {})}
            series = "".join(f",{_escaped(k)}={_escaped(v)}" for k, v in named.items())
            line = f"m{series} {_escaped(metric)}=1.5 {NOW_MS}"
            return line.encode("utf-8", "surrogatepass")
        case _:
            of = of_resource([gauge(metric, point())])
            of.resource.attributes.extend(attributes({"device.id": device_id, **(tags or {})}))
            made = request(of)
            return bytes(made.SerializeToString()) if protocol == "protobuf" else in_json(made)


def _escaped(text: str) -> str:
    return re.sub(r"([,= ])", r"\\\1", text)
