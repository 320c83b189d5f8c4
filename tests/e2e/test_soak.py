"""A short soak: a small fleet posts while everything fails in turn, each for a second or so."""

import pytest

from tests.e2e.stack import Stack
from tests.soak.report import details, document, problems
from tests.soak.soak import Plan, soak

pytestmark = pytest.mark.e2e

PLAN = Plan(readings=3000, devices=20, pace=6.0, seed=3, sizes=(5, 25), scale=0.15, limit_s=150.0)


def test_a_fleet_loses_nothing_while_everything_fails_in_turn(stack: Stack) -> None:
    result = soak(stack.status, PLAN, print)
    assert document(result)["acknowledged"] >= PLAN.readings
    assert problems(result, fewest_kinds=12) == [], "\n".join(details(result))
