"""The OpenAPI document as a contract: whether a body or an answer is what it says."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FILE = Path(__file__).parent.parent / "functions" / "api" / "openapi.json"
_URI = "urn:weir"


@cache
def document() -> dict[str, Any]:
    """The document."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation, by its route: "POST /v1/readings"."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def resolve(thing: dict[str, Any]) -> dict[str, Any]:
    """What a reference object refers to, or the thing itself. Raises `KeyError`."""
    found = thing
    while "$ref" in found:
        pointer = found["$ref"].removeprefix("#/")
        found = document()
        for part in pointer.split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def errors(schema: Mapping[str, Any], value: object) -> list[str]:
    """Why `value` is not what the schema, a part of the document, says; empty if it is."""
    found = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


@cache
def _validator(schema: str) -> Any:
    absolute = json.loads(schema.replace('"#/', f'"{_URI}#/'))
    return Draft202012Validator(absolute, registry=_registry())


@cache
def _registry() -> Registry[Any]:
    resource: Resource[Any] = DRAFT202012.create_resource(document())
    registry: Registry[Any] = Registry().with_resource(_URI, resource)
    return registry


def schema(name: str) -> dict[str, Any]:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def check_answer(route: str, answer: Mapping[str, Any]) -> None:
    """Raise `AssertionError` unless the document foresees a function's answer at a route."""
    status = str(answer["statusCode"])
    declared = dict(operations())[route.replace("+}", "}")]["responses"]
    assert status in declared, f"{route} answers {status}, which is not declared"
    response = resolve(declared[status])
    headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
    known = {"content-type", *map(str.lower, response.get("headers", {}))}
    assert set(headers) <= known, f"{route} {status} has headers {set(headers) - known}"
    body = answer.get("body", "")
    if not body:
        assert "content" not in response or "application/x-protobuf" in response["content"]
        return
    media_type = headers["content-type"].partition(";")[0]
    assert media_type in response["content"], f"{route} {status} comes as {media_type}"
    described = response["content"][media_type].get("schema")
    packed = headers.get("content-encoding") == "gzip"
    assert answer.get("isBase64Encoded", False) == (packed or described is None)
    content = base64.b64decode(body, validate=True) if packed or described is None else b""
    text = gzip.decompress(content).decode() if packed else body
    if described is not None:
        found = errors(described, json.loads(text) if media_type.endswith("json") else text)
        assert not found, f"{route} {status}: {found}"
