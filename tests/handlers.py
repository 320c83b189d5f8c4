"""The functions as tests run them: loaded afresh by path, with the environment of the template."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from weir.storage import clients

FUNCTIONS = Path(__file__).parent.parent / "functions"

ENVIRONMENT = {
    "READINGS_TABLE": "readings",
    "STATES_TABLE": "states",
    "ALERTS_TABLE": "alerts",
    "CONTROLS_TABLE": "controls",
    "DEVICES_TABLE": "devices",
    "OIDC_ISSUER": "https://login.example.com",
    "OIDC_AUDIENCE": "weir",
    "OIDC_CLIENT_ID": "",
    "SPILL_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/spill.fifo",
    "SPILL_BUCKET": "failures",
    "NOTICES_TABLE": "notices",
    "NOTICE_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/notices",
    "ALERT_TOPIC": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "ALERT_BUS": "alerts",
    "MESSAGES_PER_MINUTE": "3",
    "WEBHOOK_URL": "",
    "WEBHOOK_SECRET": "",
    "KEY_MEMORY_SECONDS": "60",
    "FALSE_ALERTS_PER_WEEK": "0.1",
    "LAKE_STREAM": "weir-lake",
    "RETENTION_DAYS": "30",
    "ACCEPT_PAST_DAYS": "7",
    "ACCEPT_FUTURE_SECONDS": "600",
    "ALERT_RETENTION_DAYS": "365",
    "POWERTOOLS_METRICS_NAMESPACE": "Weir",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}


class Context:
    """The context that Lambda gives a handler."""

    function_name = "weir"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:weir"
    aws_request_id = "request-1"

    def __init__(self, seconds: float = 29) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def load_handler(function: str) -> ModuleType:
    """Import `functions/<function>/app.py` as a cold start does: new module, new clients."""
    clients.client.cache_clear()
    clients._session.cache_clear()
    path = FUNCTIONS / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions_{function}_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    own = {"AWS_DEFAULT_REGION": "eu-west-1", "POWERTOOLS_SERVICE_NAME": function}
    with patch.dict(os.environ, {**ENVIRONMENT, **own}):
        spec.loader.exec_module(module)
    return module


def http_event(
    body: str,
    headers: dict[str, str] | None = None,
    *,
    path: str = "/v1/readings",
    authorizer: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The event of a POST, payload format 2.0, of a key for every device unless it says other."""
    admitted = {"lambda": {"key_id": "0123456789abcdef", "prefix": ""}}
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {
            "requestId": "api-request-1",
            "http": {"method": "POST", "path": path},
            "authorizer": admitted if authorizer is None else authorizer,
        },
        "body": body,
        "isBase64Encoded": False,
        **more,
    }
