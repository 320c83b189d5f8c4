"""The tables of template.yaml, made from it, so that tests and deployment cannot differ."""

from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
NAMES = {
    "ReadingsTable": "readings",
    "StatesTable": "states",
    "AlertsTable": "alerts",
    "ControlsTable": "controls",
    "DevicesTable": "devices",
    "NoticesTable": "notices",
}
_SETTINGS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "StreamSpecification",
)


def create_tables(dynamodb: Any) -> None:
    """Create the tables, with their indexes, by the names in `NAMES`."""
    for resource, name in NAMES.items():
        properties = _resources()[resource]["Properties"]
        arguments = {key: properties[key] for key in _SETTINGS if key in properties}
        if "StreamSpecification" in arguments:
            arguments["StreamSpecification"] = {
                **arguments["StreamSpecification"],
                "StreamEnabled": True,
            }
        dynamodb.create_table(TableName=name, **arguments)


@cache
def _resources() -> Any:
    return load(str(TEMPLATE))["Resources"]
