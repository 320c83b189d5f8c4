"""Looking again and again, past what fails for a moment."""

import httpx
import pytest

from weir_cli.api_client import ApiProblem
from weir_cli.patience import MOST_FAILURES, Patience

BUSY = ApiProblem("Busy.", 503, "busy")


class Looks:
    """Fails as a test says, in turn, and then succeeds."""

    def __init__(self, *failures: Exception | None) -> None:
        self._failures = list(failures)

    def __call__(self) -> str:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        return "seen"


def test_a_failure_that_passes_is_said_once_and_so_is_its_end() -> None:
    said: list[str] = []
    patience, look = Patience(said.append), Looks(None, BUSY, httpx.ConnectError("refused"))
    assert [patience.look(look) for _ in range(5)] == ["seen", None, None, "seen", "seen"]
    assert said == ["waiting for the API: Busy.", "the API answers again"]


@pytest.mark.parametrize(
    "failures",
    [[BUSY], [None, ApiProblem("Expired.", 401, "")], [None, *[BUSY] * (MOST_FAILURES + 1)]],
)
def test_what_does_not_pass_is_raised(failures: list[Exception | None]) -> None:
    patience, look = Patience(lambda _: None), Looks(*failures)
    for _ in failures[:-1]:
        patience.look(look)
    with pytest.raises(ApiProblem):
        patience.look(look)
