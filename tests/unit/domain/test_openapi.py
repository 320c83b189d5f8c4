"""The OpenAPI document agrees with itself, with the code, with the template and with docs/api.md.

docs/api.md is read by three rules. A heading that names a route in backticks (`POST /v1/readings`)
opens that route's section, and the section has one line that begins with "Answers" and names each
of its statuses in backticks. A table whose first column is called "Code" names rejection codes
there. A table whose first columns are called "Status" and "Code" names the statuses and codes of
problem documents.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from cfnlint.decode.cfn_yaml import load
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests import strategies
from tests.contract import FILE, document, errors, operations, resolve, schema
from tests.tables import TEMPLATE
from weir import identity, key_service, readings
from weir.alerts import alert
from weir.alerts.alarm import SEVERITIES
from weir.controls import LEAST_RATE, LEAST_SILENCE_S, MOST_RATE, MOST_SILENCE_S, Control
from weir.http import alerts, bodies, device_keys, devices, expected, fields
from weir.http import readings as http_readings
from weir.protocols.doors import INFLUX, OTLP, READINGS, adapter_of
from weir.protocols.interface import MAX_READINGS
from weir.protocols.native import parse_json

ROOT = TEMPLATE.parent
DOMAIN = ROOT / "layers" / "weir" / "weir"
OPERATIONS = dict(operations())
WINDOW = readings.Window.around(strategies.NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
SCHEMAS: dict[str, Any] = document()["components"]["schemas"]
MEDIA_TYPES = {
    route: list(op["requestBody"]["content"])
    for route, op in OPERATIONS.items()
    if "requestBody" in op
}
INTAKES = [
    (route, media_type) for route in (READINGS, INFLUX, OTLP) for media_type in MEDIA_TYPES[route]
]


# ------------------------------------------------------------------ with itself


def nodes(at: object = None, path: str = "#") -> Iterator[tuple[str, Any]]:
    """Everything in the document, with its place."""
    thing = document() if at is None and path == "#" else at
    yield path, thing
    if isinstance(thing, dict):
        for name, part in thing.items():
            yield from nodes(part, f"{path}/{name}")
    elif isinstance(thing, list):
        for place, part in enumerate(thing):
            yield from nodes(part, f"{path}/{place}")


def test_it_is_written_so_that_people_can_read_it_and_changes_show() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text == json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    assert list(document()) == [
        "openapi", "info", "servers", "tags", "paths", "components"
    ]  # fmt: skip


def test_its_version_is_weirs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert document()["info"]["version"] == project["version"]
    assert document()["openapi"].startswith("3.1.")


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = {thing["$ref"] for _, thing in nodes() if isinstance(thing, dict) and "$ref" in thing}
    for pointer in used:
        resolve({"$ref": pointer})
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in document()["components"].items()
        if kind != "securitySchemes"
        for name in components
    }
    assert used == there


@pytest.mark.parametrize("route", OPERATIONS)
def test_an_operation_says_what_openapi_asks_of_it(route: str) -> None:
    operation = OPERATIONS[route]
    assert {"operationId", "tags", "summary", "security", "responses"} <= set(operation)
    assert set(operation["tags"]) <= {tag["name"] for tag in document()["tags"]}
    for requirement in operation["security"]:
        assert set(requirement) <= set(document()["components"]["securitySchemes"])
    parameters = [resolve(parameter) for parameter in operation.get("parameters", ())]
    assert {p["name"] for p in parameters if p["in"] == "path"} == set(
        re.findall(r"{(.*?)}", route)
    )
    assert all(p["required"] for p in parameters if p["in"] == "path")
    for status, response in operation["responses"].items():
        assert re.fullmatch("[2-5][0-9][0-9]", status)
        assert resolve(response)["description"]


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["description"]


def test_every_example_is_what_its_schema_says() -> None:
    checked = 0
    for path, thing in nodes():
        if not isinstance(thing, dict) or "examples" not in thing or path.endswith("/examples"):
            continue
        if isinstance(thing["examples"], list):  # of a schema
            examples, described = thing["examples"], thing
        else:  # of a media type
            examples = [example["value"] for example in thing["examples"].values()]
            described = thing["schema"]
        for example in examples:
            assert errors(described, example) == [], path
            checked += 1
    assert checked > 15


@pytest.mark.parametrize("route", OPERATIONS)
def test_what_is_sent_or_answered_as_json_has_a_schema_and_an_example_of_it(route: str) -> None:
    operation = OPERATIONS[route]
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [
        resolve(response).get("content", {})
        for status, response in operation["responses"].items()
        if status.startswith("2")
    ]
    for content in contents:
        for media_type, media in content.items():
            assert ("schema" in media) == (media_type != "application/x-protobuf")
            assert "examples" in media or "schema" not in media or route == "GET /openapi.json"


# ------------------------------------------------------------------ with the template


def test_its_routes_are_the_templates_each_behind_its_authorizer() -> None:
    routes = {  # OpenAPI has no parameter that takes slashes, and calls {file+} {file}
        resource["Properties"]["RouteKey"].replace("+}", "}"): resource["Properties"][
            "AuthorizationType"
        ]
        for resource in load(str(TEMPLATE))["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    }
    authorizers = {"deviceKey": "CUSTOM", "operator": "JWT"}
    assert routes == {
        route: authorizers[next(iter(operation["security"][0]))]
        if operation["security"]
        else "NONE"
        for route, operation in OPERATIONS.items()
    }


# ------------------------------------------------------------------ with the code


def rejection_codes() -> set[str]:
    """The codes with which the domain refuses readings, read from its sources."""
    trees = {
        file: ast.parse(file.read_text(encoding="utf-8"))
        for file in (DOMAIN / "readings.py", *sorted((DOMAIN / "protocols").glob("*.py")))
    }
    constants = {
        (file, name): value for file, tree in trees.items() for name, value in _constants(tree)
    }
    known = {name: value for (_, name), value in constants.items()}
    codes = set()
    for file, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="InvalidReading"), args=[code, *_]):
                    pass
                case ast.Call(func=ast.Name(id="Rejection"), args=[_, code, *_]):
                    pass
                case ast.ClassDef(name="Malformed", body=[*body]):
                    codes |= {value for _, value in _constants(ast.Module(body, []))}
                    continue
                case _:
                    continue
            match code:
                case ast.Constant(value=str(value)):
                    codes.add(value)
                case ast.Name(id=name) if name.isupper():
                    codes.add(constants.get((file, name)) or known[name])
                case ast.Name(id="code") | ast.Attribute(attr="code"):  # of another refusal
                    pass
                case _:
                    raise AssertionError(f"{file}:{node.lineno}: what is the code?")
    return codes


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(value)))
            ):
                yield name, value


def problems() -> set[tuple[int, str]]:
    """The statuses and codes of problem documents: pairs that stand together in the code."""
    found = set()
    functions = [ROOT / "functions" / name / "app.py" for name in ("ingest", "api")]
    for file in (*functions, *sorted((DOMAIN / "http").glob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.Tuple(elts=[ast.Constant(value=int(s)), ast.Constant(value=str(c)), *_])
                    | ast.Call(args=[ast.Constant(value=int(s)), ast.Constant(value=str(c)), *_])
                ) if 400 <= s <= 599:
                    found.add((s, c))
    return found


def test_a_reading_is_refused_with_the_codes_that_it_names() -> None:
    codes = rejection_codes()
    assert {"not_finite", "device_not_covered", "malformed_json"} <= codes
    assert SCHEMAS["RejectionCode"]["enum"] == sorted(codes)


def test_a_problem_has_one_of_the_codes_that_it_names() -> None:
    pairs = problems()
    assert {(400, "unreadable_body"), (404, "no_such_key"), (503, "sink_unavailable")} <= pairs
    assert SCHEMAS["ProblemCode"]["enum"] == sorted({code for _, code in pairs})


def test_its_rules_for_readings_are_the_codes() -> None:
    metrics, tags = SCHEMAS["Metrics"], SCHEMAS["Tags"]
    assert SCHEMAS["DeviceId"]["pattern"] == f"^{readings._DEVICE_ID.pattern}$"
    assert metrics["maxProperties"] == readings.MAX_METRICS
    assert metrics["propertyNames"]["maxLength"] == readings.MAX_NAME_LENGTH
    assert metrics["propertyNames"]["not"]["const"] == readings.RESERVED_NAME
    assert tags["maxProperties"] == readings.MAX_TAGS
    assert tags["propertyNames"]["maxLength"] == readings.MAX_NAME_LENGTH
    assert tags["additionalProperties"]["maxLength"] == readings.MAX_TAG_VALUE_LENGTH
    _, array, _ = SCHEMAS["Readings"]["oneOf"]
    for entries in (array, SCHEMAS["SenmlPack"], SCHEMAS["Envelope"]["properties"]["readings"]):
        assert entries["maxItems"] == MAX_READINGS


@pytest.mark.parametrize(("route", "media_type"), INTAKES)
def test_its_limits_are_those_of_the_protocol(route: str, media_type: str) -> None:
    assert OPERATIONS[route]["requestBody"]["x-limits"] == {
        "bytes": bodies.MAX_BODY,
        "inflated_bytes": adapter_of(route, media_type).max_inflated,
        "entries": MAX_READINGS,
    }


@pytest.mark.parametrize("route", [READINGS, INFLUX, OTLP])
def test_its_media_types_are_those_that_the_protocols_read(route: str) -> None:
    named = MEDIA_TYPES[route]
    read = set().union(*(adapter_of(route, name).media_types for name in named))
    assert set(named) == read - {""}


def test_its_rules_for_keys_are_the_codes() -> None:
    new, rotation = SCHEMAS["NewDeviceKey"], SCHEMAS["Rotation"]["properties"]
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in map(resolve, OPERATIONS["GET /v1/device-keys"]["parameters"])
    }
    assert SCHEMAS["DevicePrefix"]["pattern"] == f"^{key_service._PREFIX.pattern}$"
    assert SCHEMAS["KeyId"]["pattern"] == f"^{key_service._KEY_ID.pattern}$"
    assert SCHEMAS["Label"]["maxLength"] == key_service.MAX_LABEL
    assert SCHEMAS["ExpiresIn"]["maximum"] == key_service.MAX_LIFETIME_S
    assert rotation["overlap_seconds"]["maximum"] == key_service.MAX_OVERLAP_S
    assert rotation["overlap_seconds"]["default"] == key_service.DEFAULT_OVERLAP_S
    assert parameters["limit"]["maximum"] == device_keys.MAX_PAGE
    assert parameters["limit"]["default"] == device_keys.PAGE
    secret = identity.NewKey.make(identity.EVERY_DEVICE, 0).secret
    assert errors(schema("Secret"), secret) == []
    assert new["additionalProperties"] is False


def parameters_of(route: str) -> dict[str, Any]:
    parameters = map(resolve, OPERATIONS[route]["parameters"])
    return {parameter["name"]: parameter["schema"] for parameter in parameters}


@pytest.mark.parametrize(
    ("route", "page", "most"),
    [
        ("GET /v1/devices", devices.PAGE, devices.MAX_PAGE),
        ("GET /v1/alerts", alerts.PAGE, alerts.MAX_PAGE),
        ("GET /v1/devices/{device_id}/readings", http_readings.PAGE, http_readings.MAX_PAGE),
    ],
)
def test_its_pages_are_as_long_as_the_codes(route: str, page: int, most: int) -> None:
    limit = parameters_of(route)["limit"]
    assert (limit["default"], limit["maximum"]) == (page, most)


def test_its_rules_for_charts_are_the_codes() -> None:
    for part, default in (("readings", None), ("expected", expected.BUCKETS)):
        buckets = parameters_of(f"GET /v1/devices/{{device_id}}/{part}")["buckets"]
        assert buckets["maximum"] == http_readings.MAX_BUCKETS
        assert buckets.get("default") == default
    parameters = parameters_of("GET /v1/devices/{device_id}/readings")
    assert parameters["metric"]["maxItems"] == readings.MAX_METRICS
    assert SCHEMAS["Device"]["properties"]["state"]["enum"] == list(devices.STATES)


def test_its_rules_for_alerts_and_controls_are_the_codes() -> None:
    assert SCHEMAS["AlertId"]["pattern"] == f"^{alert._ID.pattern}$".translate({40: None, 41: None})
    assert SCHEMAS["Severity"]["enum"] == list(SEVERITIES)
    assert SCHEMAS["Verdict"]["enum"] == list(alert.VERDICTS)
    kinds = list(get_args(alert.EntryKind.__value__))
    assert SCHEMAS["Transition"]["properties"]["kind"]["enum"] == kinds
    assert SCHEMAS["Note"]["maxLength"] == alert.MAX_NOTE
    assert SCHEMAS["ForSeconds"]["maximum"] == fields.MAX_SNOOZE_S
    control = SCHEMAS["NewControl"]["properties"]
    assert list(control) == list(SCHEMAS["Control"]["properties"])
    assert list(control) == list(Control.__struct_fields__)
    assert control["false_alerts_per_week"]["minimum"] == LEAST_RATE
    assert control["false_alerts_per_week"]["maximum"] == MOST_RATE
    assert control["silent_after_s"]["oneOf"][1]["minimum"] == LEAST_SILENCE_S
    assert control["silent_after_s"]["oneOf"][1]["maximum"] == MOST_SILENCE_S


@given(st.lists(strategies.readings, min_size=1, max_size=3))
def test_readings_are_what_it_says_if_and_only_if_they_are_taken(
    drawn: list[readings.Reading],
) -> None:
    array = [msgspec.structs.asdict(reading) for reading in drawn]
    envelope = {"device_id": "a", "readings": [{**reading, "device_id": "a"} for reading in array]}
    for body in (array, array[0], envelope):
        refused = parse_json(msgspec.json.encode(body), WINDOW).rejected
        assert (errors(schema("Readings"), body) == []) == (not refused)


GOOD: dict[str, Any] = {"device_id": "pump-7", "ts": 1769860800250, "metrics": {"flow": 1.25}}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        "text",
        {**GOOD, "device_id": "pump 7"},
        {**GOOD, "device_id": None},
        {**GOOD, "ts": 1.5},
        {**GOOD, "ts": None},
        {**GOOD, "metrics": {}},
        {**GOOD, "metrics": {"flow": "1"}},
        {**GOOD, "metrics": {"*": 1}},
        {**GOOD, "metrics": {"": 1}},
        {**GOOD, "metrics": {str(n): n for n in range(65)}},
        {**GOOD, "tags": {"site": 7}},
        {**GOOD, "tags": {"site": "x" * 257}},
        [GOOD, {**GOOD, "metrics": None}],
        {"device_id": "pump-7", "readings": []},
        {"readings": [GOOD]},
    ],
    ids=repr,
)
def test_readings_that_break_a_rule_are_not(broken: object) -> None:
    assert errors(schema("Readings"), broken)


# ------------------------------------------------------------------ with docs/api.md

GUIDE = Path(ROOT / "docs" / "api.md").read_text(encoding="utf-8")
_ROUTE = re.compile(r"`((?:GET|HEAD|POST|PUT|PATCH|DELETE) /[^`]*)`")


def sections(text: str) -> dict[str, str]:
    """The sections of the routes that headings name: up to the next heading that is no deeper."""
    found: dict[str, str] = {}
    open_sections: list[tuple[int, list[str]]] = []
    for line in _without_code(text).splitlines():
        if heading := re.match(r"(#+) ", line):
            depth = len(heading[1])
            open_sections = [(d, routes) for d, routes in open_sections if d < depth]
            open_sections.append((depth, _ROUTE.findall(line)))
            found |= dict.fromkeys(_ROUTE.findall(line), "")
        for _, routes in open_sections:
            for route in routes:
                found[route] += line + "\n"
    return found


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The tables: the names of their columns, and their rows."""
    rows: list[list[str]] = []
    for line in [*_without_code(text).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows:
            yield rows[0], rows[2:]
            rows = []


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_the_guide_has_a_section_for_each_route_and_for_no_other() -> None:
    assert set(sections(GUIDE)) == set(OPERATIONS)


@pytest.mark.parametrize("route", OPERATIONS)
def test_the_guide_names_each_status_of_a_route(route: str) -> None:
    lines = [
        line for line in sections(GUIDE).get(route, "").splitlines() if line.startswith("Answers")
    ]
    assert len(lines) == 1
    named = {word for word in quoted(lines[0]) if re.fullmatch("[1-5][0-9][0-9]", word)}
    assert named == set(OPERATIONS[route]["responses"])


def test_the_guide_explains_each_rejection_code_once() -> None:
    rows = [row for head, rows in tables(GUIDE) if head[0] == "Code" for row in rows]
    named = [code for row in rows for code in sorted(quoted(row[0]))]
    assert sorted(named) == SCHEMAS["RejectionCode"]["enum"]


def test_the_guide_explains_each_problem_code_with_its_status() -> None:
    rows = [row for head, rows in tables(GUIDE) if head[:2] == ["Status", "Code"] for row in rows]
    named = {(int(row[0].strip("`")), code) for row in rows for code in quoted(row[1])}
    assert named == problems()
