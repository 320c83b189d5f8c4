"""Sizes of items, by the examples and rules of the DynamoDB developer guide."""

from typing import Any

import pytest
from benchmarks.billing import item_size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "pump-7"}, 6),
        ({"S": "µ"}, 2),
        ({"N": "27"}, 2),
        ({"N": "-27.5"}, 3),
        ({"N": "1000000"}, 2),  # zeros at both ends do not count
        ({"N": "0.00125"}, 3),
        ({"N": "0"}, 1),
        ({"B": "AAECAw=="}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"M": {}}, 3),
        ({"M": {"flow": {"N": "1"}}}, 3 + 1 + 4 + 2),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 2 + 2 + 1),
    ],
)
def test_the_size_of_an_attribute_is_its_name_and_its_value(
    value: dict[str, Any], size: int
) -> None:
    assert item_size({"name": value}) == len("name") + size
