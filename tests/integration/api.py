"""Requests to the `api` function, and its answers, each held to the OpenAPI document."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.contract import check_answer
from tests.handlers import Context, load_handler
from weir_local.sample_events import load_event

EVENTS = Path(__file__).parents[2] / "events" / "api"


def load_api() -> ModuleType:
    """The function, loaded outside of any test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        return load_handler("api")


def sample(case: str) -> dict[str, Any]:
    return load_event(EVENTS / f"{case}.json", time.time_ns() // 1_000_000)


def event(route: str, body: object = None, **more: Any) -> dict[str, Any]:
    """An operator's request."""
    made = sample("list_keys")
    made |= {"routeKey": route, "rawPath": route.partition(" ")[2], **more}
    if body is not None:
        made["headers"]["content-type"] = "application/json"
        made["body"] = json.dumps(body)
    return made


def answered(api: ModuleType, request: dict[str, Any]) -> tuple[int, Any]:
    """The status and the document of an answer that is what the OpenAPI document says.

    Of one that is no JSON, the document is None.
    """
    answer = api.lambda_handler(request, Context(20))
    check_answer(request["routeKey"], answer)
    is_json = "json" in answer["headers"].get("content-type", "")
    return answer["statusCode"], json.loads(answer["body"]) if is_json else None


def made_id(answer: dict[str, Any]) -> str:
    key_id: str = json.loads(answer["body"])["key"]["key_id"]
    return key_id


@contextmanager
def logged(api: ModuleType) -> Iterator[io.StringIO]:
    """What the function logs meanwhile."""
    written = io.StringIO()
    handler = api.logger.registered_handler
    before = handler.setStream(written)
    yield written
    handler.setStream(before)
