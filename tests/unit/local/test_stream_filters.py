"""Which stream records a filter lets through."""

import pytest

from weir_local.stream_mapping.filters import matches, passes

INSERT = {
    "eventName": "INSERT",
    "dynamodb": {
        "Keys": {"pk": {"S": "pump-7"}},
        "NewImage": {"n": {"N": "12"}},
        "SizeBytes": 40,
    },
}


def test_without_patterns_every_record_passes() -> None:
    assert passes(INSERT, [])


def test_ttl_deletions_do_not_pass_a_filter_for_inserts_and_changes() -> None:
    pattern = {"eventName": ["INSERT", "MODIFY"]}
    assert passes(INSERT, [pattern])
    assert not passes({**INSERT, "eventName": "REMOVE"}, [pattern])


def test_any_one_of_several_patterns_is_enough() -> None:
    assert passes(INSERT, [{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("pump-7", True),
        ("pump", False),
        ({"prefix": "pump-"}, True),
        ({"suffix": "-7"}, True),
        ({"anything-but": "pump-7"}, False),
        ({"anything-but": ["pump-1", "pump-2"]}, True),
        ({"anything-but": {"prefix": "pump-"}}, False),
        ({"equals-ignore-case": "PUMP-7"}, True),
        ({"exists": True}, True),
        ({"exists": False}, False),
    ],
)
def test_rules_about_a_string(rule: object, expected: bool) -> None:
    assert matches({"dynamodb": {"Keys": {"pk": {"S": [rule]}}}}, INSERT) is expected


def test_a_table_s_numbers_are_strings_to_a_filter() -> None:
    assert matches({"dynamodb": {"NewImage": {"n": {"N": ["12"]}}}}, INSERT)
    assert not matches({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 1]}]}}}}, INSERT)
    assert matches({"dynamodb": {"SizeBytes": [{"numeric": [">", 10, "<=", 40]}]}}, INSERT)


def test_a_missing_field_matches_only_the_rule_that_it_is_missing() -> None:
    assert matches({"dynamodb": {"NewImage": {"t": {"S": [{"exists": False}]}}}}, INSERT)
    assert not matches({"dynamodb": {"NewImage": {"t": {"S": [{"anything-but": "x"}]}}}}, INSERT)


def test_either_branch_of_an_or_will_do() -> None:
    assert matches({"$or": [{"eventName": ["MODIFY"]}, {"dynamodb": {"SizeBytes": [40]}}]}, INSERT)


def test_an_unknown_rule_is_an_error_not_a_mismatch() -> None:
    with pytest.raises(ValueError, match="wildcard"):
        matches({"eventName": [{"wildcard": "*"}]}, INSERT)
