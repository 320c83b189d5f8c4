"""The API of a running stack, as a device and as an operator uses it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

from benchmarks.alerts.pumps import Reading
from weir_local.status import StackStatus


class Refused(Exception):
    """An answer was not what it had to be."""


class Door:
    """One connection: not for several threads."""

    def __init__(self, status: StackStatus) -> None:
        self._client = httpx.Client(base_url=status.api_url, timeout=60, trust_env=False)
        self._device = {"authorization": f"Bearer {status.device_key}"}
        self._operator = {"authorization": f"Bearer {status.operator_token}"}

    def post(self, readings: Sequence[Reading]) -> None:
        """Post readings. Raises `Refused` unless each of them is taken."""
        answer = self._client.post("/v1/readings", json=list(readings), headers=self._device)
        if answer.status_code != httpx.codes.ACCEPTED or answer.json()["rejected"]:
            raise Refused(f"{answer.status_code}: {answer.text[:300]}")

    def get(self, path: str, query: Mapping[str, str | int]) -> Any:
        """Ask as an operator. Raises `Refused` for any answer but 200."""
        answer = self._client.get(path, params=dict(query), headers=self._operator)
        if answer.status_code != httpx.codes.OK:
            raise Refused(f"GET {path}: {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def alerts(self, query: Mapping[str, str | int]) -> list[Any]:
        """All alerts of a listing, page after page."""
        found: list[Any] = []
        cursor: dict[str, str | int] = {}
        while True:
            page = self.get("/v1/alerts", {**query, **cursor})
            found += page["alerts"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
