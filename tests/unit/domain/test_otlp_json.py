"""OTLP metrics in JSON: what proto3's mapping allows for, and what is refused or unreadable."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.strategies import NOW_MS
from tests.unit.domain.otlp_requests import JSON, NOW_NS, codes, parse
from weir.protocols.interface import Parsed, UnreadableBody

GOOD_FIELDS: dict[str, Any] = {
    "timeUnixNano": NOW_NS - 10**9, "asDouble": 0.5, "asInt": None, "flags": 0, "attributes": None
}  # fmt: skip


def json_point(**fields: Any) -> Parsed:
    made = {"timeUnixNano": str(NOW_NS), "asDouble": 1.5, **fields}
    metrics = [{"name": "flow", "gauge": {"dataPoints": [made, {**made, **GOOD_FIELDS}]}}]
    device = {"key": "device.id", "value": {"stringValue": "pump-7"}}
    document = {
        "resourceMetrics": [
            {"resource": {"attributes": [device]}, "scopeMetrics": [{"metrics": metrics}]}
        ]
    }
    return parse(json.dumps(document).encode(), JSON)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"timeUnixNano": NOW_NS}, 1.5),
        ({"timeUnixNano": float(NOW_NS)}, 1.5),
        ({"asDouble": "1e3"}, 1000.0),
        ({"asDouble": 3}, 3.0),
        ({"asDouble": None, "asInt": "-9007199254740992"}, -9007199254740992.0),
        ({"asDouble": None, "asInt": 12}, 12.0),
        ({"asDouble": None, "asInt": 12.0}, 12.0),
        ({"flags": "2", "unknown": [{"deep": {}}], "startTimeUnixNano": {}}, 1.5),
    ],
)
def test_numbers_may_be_strings_or_numbers_and_unknown_fields_do_not_count(
    fields: dict[str, Any], value: float
) -> None:
    parsed = json_point(**fields)
    assert [(r.ts, r.metrics["flow"]) for r in parsed.readings] == [
        (NOW_MS, value),
        (NOW_MS - 1000, 0.5),
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"asDouble": "NaN"}, "not_finite"),
        ({"asDouble": "-Infinity"}, "not_finite"),
        ({"asDouble": "1e400"}, "not_finite"),
        ({"asDouble": "nan"}, "wrong_type"),
        ({"asDouble": "1_0"}, "wrong_type"),
        ({"asDouble": ""}, "wrong_type"),
        ({"asDouble": None, "asInt": "1.5"}, "wrong_type"),
        ({"asDouble": None, "asInt": 1.5}, "wrong_type"),
        ({"asDouble": None, "asInt": ""}, "wrong_type"),
        ({"asDouble": None, "asInt": 2**63}, "wrong_type"),
        ({"asDouble": None, "asInt": "9" * 5000}, "wrong_type"),
        ({"timeUnixNano": "yesterday"}, "wrong_type"),
        ({"timeUnixNano": -1}, "wrong_type"),
        ({"timeUnixNano": None}, "missing_field"),
        ({"flags": -1}, "wrong_type"),
        ({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}, "wrong_type"),
        ({"attributes": [{}]}, "unsupported_attribute"),
    ],
)
def test_a_number_that_is_none_is_refused_and_its_neighbour_is_taken(
    fields: dict[str, Any], code: str
) -> None:
    parsed = json_point(**fields)
    assert codes(parsed) == [(0, code)]
    assert parsed.accepted == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nope",
        b"[]",
        b'{"resourceMetrics": {}}',
        b'{"resourceMetrics": [null]}',
        b'{"resourceMetrics": [{"resource": {"attributes": [{"key": 5}]}}]}',
        b'{"resourceMetrics": [{"resource": {"attributes": [{"key": "\xff"}]}}]}',
        b'{"resourceMetrics": [{"resource": {"attributes": [{"key": "\\ud800"}]}}]}',
        b'{"x":' + b"[" * 100_000,
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {}, "sum": {}}]}]}]}',
    ],
)
def test_json_of_which_nothing_can_be_read_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableBody):
        parse(text, JSON)


def test_a_data_point_of_two_values_is_unreadable() -> None:
    with pytest.raises(UnreadableBody, match="as_double and as_int"):
        json_point(asInt=1)


WITHOUT_PROTOBUF = """
import sys
from weir.identity import EVERY_DEVICE
from weir.protocols.interface import Request
from weir.protocols.otlp import OtlpMetrics
from weir.readings import Window

adapter, window = OtlpMetrics(), Window(0, 1)
parsed = adapter.parse(Request(b"{}", "application/json", {}, 0, window, EVERY_DEVICE))
adapter.accept(parsed, "application/json")
adapter.refuse(400, "code", "detail", "application/x-protobuf", "request-1")
print([name for name in sys.modules if name.startswith(("google", "opentelemetry"))])
"""


def test_json_and_refusals_do_not_pay_for_the_import_of_protobuf() -> None:
    command = [sys.executable, "-c", WITHOUT_PROTOBUF]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
