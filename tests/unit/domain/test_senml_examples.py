"""The examples that RFC 8428 gives of SenML in JSON, and what they come to."""

import json
from pathlib import Path

import pytest

from tests.strategies import NOW_MS as NOW
from tests.unit.domain.senml_packs import parse, refusals
from weir.readings import Reading

EXAMPLES = Path(__file__).parent / "rfc8428"
OW = "urn:dev:ow:10e2073a01080063"
AT = 1_276_020_076_001
RH = [
    (0, 20.0, 24.30621, 60.07965),
    (60, 20.3, 24.30622, 60.07965),
    (120, 20.7, 24.30623, 60.07966),
]
MOBILE = [
    *(
        Reading(OW, 1_320_067_464_000 + t * 1000, {"%RH": h, "lon": x, "lat": y})
        for t, h, x, y in RH
    ),
    Reading(OW, 1_320_067_614_000, {"%EL": 98.0}),
    Reading(OW, 1_320_067_644_000, {"%RH": 21.2, "lon": 24.30628, "lat": 60.07967}),
]

EXPECTED: dict[str, list[Reading]] = {
    "single_data_point": [Reading(OW, NOW, {"Cel": 23.1})],
    "two_times": [
        Reading(OW, 1_276_020_076_000, {"Cel": 23.5}),
        Reading(OW, 1_276_020_091_000, {"Cel": 23.6}),
    ],
    "two_times_base_name": [
        Reading(OW, 1_276_020_076_000, {"Cel": 23.5}),
        Reading(OW, 1_276_020_091_000, {"Cel": 23.6}),
    ],
    "multiple_data_points_now": [
        Reading(
            OW,
            NOW,
            {"voltage": 120.1, "current": 1.2},
            {"voltage.unit": "V", "current.unit": "A"},
        )
    ],
    "multiple_data_points": [
        Reading(
            "urn:dev:ow:10e2073a0108006",
            AT,
            {"voltage": 120.1, "current": 1.7},
            {"voltage.unit": "V", "current.unit": "A"},
        ),
        *(
            Reading(
                "urn:dev:ow:10e2073a0108006",
                AT - before * 1000,
                {"current": current},
                {"current.unit": "A"},
            )
            for before, current in [(5, 1.2), (4, 1.3), (3, 1.4), (2, 1.5), (1, 1.6)]
        ),
    ],
    "multiple_measurements": MOBILE,
    "resolved_data": MOBILE,
    "multiple_data_types": [Reading(OW, NOW, {"temp": 23.1, "open": 0.0}, {"temp.unit": "Cel"})],
    "collection_of_resources": [
        Reading(
            device,
            1_320_078_429_000,
            {"temperature": temperature, "humidity": humidity},
            {"temperature.unit": "Cel", "humidity.unit": "%RH"},
        )
        for device, temperature, humidity in [
            ("2001:db8::2", 25.2, 30.0),
            ("2001:db8::1", 12.3, 67.0),
        ]
    ],
    "actuator_thermostat": [
        Reading(
            OW,
            NOW,
            {"temp": 23.1, "heat": 1.0, "fan": 0.0},
            {"temp.unit": "Cel", "heat.unit": "/", "fan.unit": "/"},
        )
    ],
    "actuator_lights_on": [
        Reading(f"2001:db8::{light}", 1_320_078_429_000, {"/": 1.0}) for light in (3, 4)
    ],
    "actuator_lights_off": [
        Reading(f"2001:db8::{light}", 1_320_078_429_000 + ms, {"/": level})
        for ms, level in [(0, 0.5), (100, 0.0)]
        for light in (3, 4)
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_of_the_rfc_comes_to_its_exact_values(name: str) -> None:
    pack = (EXAMPLES / f"{name}.json").read_bytes()
    parsed = parse(pack)
    assert list(parsed.readings) == EXPECTED[name]
    refused = {"multiple_data_types": [(1, "unsupported_value"), (3, "unsupported_value")]}
    assert refusals(parsed) == refused.get(name, [])
    base_only = name == "actuator_thermostat"
    assert parsed.accepted + len(parsed.rejected) + base_only == len(json.loads(pack))


def test_every_example_has_its_expectation() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(EXPECTED)
