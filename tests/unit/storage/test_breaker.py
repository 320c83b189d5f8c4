"""The breaker: it opens after failures, rests ever longer, lets one probe through, and closes."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.storage.test_sinks import Clock
from weir.breaker import Breaker


def breaker(clock: Clock, draw: Callable[[], float] = lambda: 1.0, failures: int = 1) -> Breaker:
    return Breaker(failures=failures, rest_s=5, longest_rest_s=60, clock=clock, draw=draw)


def test_a_breaker_allows_every_call_until_one_fails() -> None:
    tried = breaker(Clock())
    for _ in range(3):
        assert tried.allows()
        tried.succeeded()
    assert tried.allows()
    tried.failed()
    assert tried.state == "open"
    assert not tried.allows()


def test_only_failures_in_a_row_open_it() -> None:
    tried = breaker(Clock(), failures=3)
    for outcome in (tried.failed, tried.failed, tried.succeeded, tried.failed, tried.failed):
        assert tried.allows()
        outcome()
    assert tried.allows()
    tried.failed()
    assert tried.state == "open"


def test_rested_it_lets_one_probe_through_and_no_other_call() -> None:
    clock = Clock()
    tried = breaker(clock)
    tried.failed()
    clock.now = 4.99
    assert not tried.allows()
    clock.now = 5.0
    assert tried.allows()
    assert tried.state == "half-open"
    assert not tried.allows()
    tried.succeeded()
    assert [tried.allows() for _ in range(3)] == [True] * 3


def test_each_probe_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    clock = Clock()
    tried = breaker(clock)
    tried.failed()
    rests = []
    for _ in range(7):
        began = clock.now
        while not tried.allows():
            clock.now += 0.5
        rests.append(clock.now - began)
        tried.failed()
    assert rests == [5, 10, 20, 40, 60, 60, 60]
    clock.now += 60
    assert tried.allows()
    tried.succeeded()
    tried.failed()
    clock.now += 5
    assert tried.allows(), "after a success the rests begin anew"


@pytest.mark.parametrize(("drawn", "rest"), [(0.0, 2.5), (0.5, 3.75), (1.0, 5.0)])
def test_the_rest_is_drawn_from_its_longer_half(drawn: float, rest: float) -> None:
    clock = Clock()
    tried = breaker(clock, lambda: drawn)
    tried.failed()
    clock.now = rest - 0.01
    assert not tried.allows()
    clock.now = rest
    assert tried.allows()


def test_calls_that_began_before_it_opened_and_fail_late_lengthen_no_rest() -> None:
    clock = Clock()
    tried = breaker(clock)
    for _ in range(20):
        tried.failed()
    clock.now = 5
    assert tried.allows()


def test_a_probe_that_never_says_how_it_ended_is_followed_by_another() -> None:
    clock = Clock()
    tried = breaker(clock)
    tried.failed()
    clock.now = 5
    assert tried.allows()
    clock.now = 9.99
    assert not tried.allows()
    clock.now = 10
    assert tried.allows()
    assert not tried.allows()


def test_of_many_threads_one_gets_the_probe() -> None:
    clock = Clock()
    tried = breaker(clock)
    tried.failed()
    clock.now = 5
    together = threading.Barrier(8)
    allowed: list[bool] = []

    def ask() -> None:
        together.wait()
        allowed.append(tried.allows())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 7 + [True]


class AnySequence(RuleBasedStateMachine):
    """Whatever is asked and told, and whenever: the promises hold."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.drawn = 0.0
        self.breaker = Breaker(
            failures=2, rest_s=5, longest_rest_s=60, clock=self.clock, draw=lambda: self.drawn
        )
        self.in_a_row = 0
        self.last_allowed_or_opened = 0.0
        self.out = 0

    @rule(seconds=st.floats(0, 90), drawn=st.floats(0, 1))
    def wait(self, seconds: float, drawn: float) -> None:
        self.clock.now += seconds
        self.drawn = drawn

    @rule()
    def ask(self) -> None:
        before = self.breaker.state
        since = self.clock.now - self.last_allowed_or_opened
        allowed = self.breaker.allows()
        if before == "closed":
            assert allowed
        elif since < 2.5:
            assert not allowed, "a shut breaker rests for half of 5 seconds at the least"
        elif since >= 60:
            assert allowed, "it never rests for longer than the longest"
        if allowed:
            self.out += 1
            if before != "closed":
                self.last_allowed_or_opened = self.clock.now
                assert self.breaker.state == "half-open"

    @precondition(lambda self: self.out)
    @rule()
    def succeed(self) -> None:
        self.out -= 1
        self.breaker.succeeded()
        self.in_a_row = 0
        assert self.breaker.state == "closed"

    @precondition(lambda self: self.out)
    @rule()
    def fail(self) -> None:
        self.out -= 1
        before = self.breaker.state
        self.breaker.failed()
        self.in_a_row += 1
        if self.breaker.state == "open" != before:
            self.last_allowed_or_opened = self.clock.now
        if before == "half-open":
            assert self.breaker.state == "open"

    @invariant()
    def it_is_closed_exactly_while_fewer_than_two_calls_failed_in_a_row(self) -> None:
        assert (self.breaker.state == "closed") == (self.in_a_row < 2)


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
