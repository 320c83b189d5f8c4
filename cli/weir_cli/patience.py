"""Looking again and again, past what fails for a moment."""

from collections.abc import Callable
from typing import Final

from weir_cli.api_client import ApiProblem

MOST_FAILURES: Final = 30
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class Patience:
    """Bears with failures that may pass, once a first look has succeeded; `say` is told of them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._succeeded = False
        self._failures = 0

    def look[T](self, look: Callable[[], T]) -> T | None:
        """What `look` returns, or None if it failed this time.

        Raises what it raises if that will not pass, or if it has failed too often in a row.
        """
        import httpx

        try:
            found = look()
        except (httpx.TransportError, ApiProblem) as error:
            if not self._may_pass(error):
                raise
            if not self._failures:
                self._say(f"waiting for the API: {error}")
            self._failures += 1
            return None
        if self._failures:
            self._say("the API answers again")
        self._succeeded, self._failures = True, 0
        return found

    def _may_pass(self, error: Exception) -> bool:
        lasting = isinstance(error, ApiProblem) and error.status not in _PASSING
        return self._succeeded and not lasting and self._failures < MOST_FAILURES
