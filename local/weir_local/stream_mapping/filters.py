"""Event filtering: which stream records reach the function; pure.

Source: Lambda developer guide, "Control which events Lambda sends to your function", "Filter rule
syntax", and "Using event filtering with a DynamoDB event source" (numbers of a table are strings
there, so ``numeric`` does not match them).
"""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

_ABSENT = object()
_COMPARE = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def passes(record: Mapping[str, Any], patterns: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a record matches any of the patterns; with none, every record does."""
    return not patterns or any(matches(pattern, record) for pattern in patterns)


def matches(pattern: Mapping[str, Any], content: Any) -> bool:
    """Tell whether `content` matches every field of `pattern`.

    >>> matches({"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "pump-"}]}}}},
    ...         {"dynamodb": {"Keys": {"pk": {"S": "pump-7"}}}})
    True
    """
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(one, content) for one in wanted):
                return False
            continue
        found = content.get(name, _ABSENT) if isinstance(content, Mapping) else _ABSENT
        if isinstance(wanted, Mapping):
            if not matches(wanted, {} if found is _ABSENT else found):
                return False
        elif isinstance(wanted, list):
            if not any(_rule(rule, found) for rule in wanted):
                return False
        else:
            raise ValueError(f"the filter's {name!r} is neither a list of rules nor fields")  # noqa: TRY004
    return True


def _rule(rule: Any, found: Any) -> bool:
    if not isinstance(rule, Mapping):
        values = found if isinstance(found, list) else [found]
        return any(_same(rule, value) for value in values)
    [(kind, operand)] = rule.items()
    if kind == "exists":
        # It is about leaves: a field that holds further fields does not count as existing.
        return bool(operand) == (found is not _ABSENT and not isinstance(found, Mapping))
    if found is _ABSENT:
        return False
    values = found if isinstance(found, list) else [found]
    return any(_operator(kind, operand, value) for value in values)


def _operator(kind: str, operand: Any, value: Any) -> bool:
    match kind:
        case "prefix":
            return isinstance(value, str) and value.startswith(operand)
        case "suffix":
            return isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case":
            return isinstance(value, str) and value.casefold() == operand.casefold()
        case "anything-but":
            if isinstance(operand, Mapping):
                return not _rule(operand, value)
            unwanted = operand if isinstance(operand, list) else [operand]
            return not any(_same(one, value) for one in unwanted)
        case "numeric":
            return _numeric(operand, value)
    raise ValueError(f"the filter rule {kind!r} is not known")


def _numeric(operand: Sequence[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARE[sign](value, bound) for sign, bound in pairs)


def _same(wanted: Any, value: Any) -> bool:
    return type(wanted) is type(value) and bool(wanted == value)
