"""The control endpoint of the stand-ins: faults, flush, what is pending, and counts."""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable

from weir_local.faults import Faults
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import Request, Response, json_response
from weir_local.stream_mapping.poller import StreamMapping


class ControlServer:
    """Answers the requests that ``weir_local.control.Control`` makes."""

    def __init__(
        self,
        stream: DeliveryStream,
        mapping: StreamMapping,
        counts: dict[str, Counter[str]],
    ) -> None:
        self._stream = stream
        self._mapping = mapping
        self._counts = counts
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "/health"): self._health,
            ("POST", "/faults"): self._set_faults,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/flush"): self._flush,
            ("GET", "/pending"): self._pending,
            ("GET", "/counts"): self._all_counts,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in self._routes)
            return json_response(404, {"error": f"there is only {known}"})
        return await route(request)

    async def _health(self, _request: Request) -> Response:
        return json_response(200, {"pid": os.getpid()})

    async def _set_faults(self, request: Request) -> Response:
        try:
            wanted = json.loads(request.body)
            faults = Faults.parse(wanted)
        except ValueError as error:
            return json_response(400, {"error": str(error)})
        self._stream.faults = self._mapping.faults = faults
        return json_response(200, wanted)

    async def _clear_faults(self, _request: Request) -> Response:
        self._stream.faults = self._mapping.faults = Faults()
        return json_response(200, {})

    async def _flush(self, _request: Request) -> Response:
        await self._stream.flush()
        return json_response(200, {})

    async def _pending(self, _request: Request) -> Response:
        stream_records = await self._mapping.pending()
        return json_response(
            200,
            {
                "firehose_records": self._stream.pending(),
                "stream_records": stream_records,
                "in_flight": self._stream.in_flight() + self._mapping.in_flight(),
            },
        )

    async def _all_counts(self, _request: Request) -> Response:
        return json_response(200, {name: dict(counts) for name, counts in self._counts.items()})
