"""The control endpoint of the stand-ins: faults, flush, what is pending, counts, the issuer."""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from weir_local.faults import Faults
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import Request, Response, json_response
from weir_local.proxy.server import AwsProxy
from weir_local.spill import SpillQueue
from weir_local.stream_mapping.poller import StreamMapping


class ControlServer:
    """Answers the requests that ``weir_local.control.Control`` makes.

    Parameters
    ----------
    proxy
        None in a stack that is not breakable.
    counts
        By name; `struck` among them is what the faults count in.
    documents
        What is served besides, JSON by path.
    """

    def __init__(
        self,
        stream: DeliveryStream,
        mapping: StreamMapping,
        spill: SpillQueue,
        proxy: AwsProxy | None,
        counts: dict[str, Counter[str]],
        documents: Mapping[str, bytes],
    ) -> None:
        self._stream = stream
        self._mapping = mapping
        self._spill = spill
        self._proxy = proxy
        self._counts = counts
        self._documents = documents
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
        if request.method == "GET" and request.path in self._documents:
            headers = {"content-type": "application/json"}
            return Response(200, self._documents[request.path], headers)
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
            faults = Faults.parse(wanted, self._counts["struck"])
        except ValueError as error:
            return json_response(400, {"error": str(error)})
        beyond = faults.needs_proxy()
        if beyond and self._proxy is None:
            problem = f"{beyond} takes a stack that is started as breakable, and this is not"
            return json_response(400, {"error": problem})
        self._put_in_force(faults)
        return json_response(200, wanted)

    async def _clear_faults(self, _request: Request) -> Response:
        self._put_in_force(Faults(struck=self._counts["struck"]))
        return json_response(200, {})

    def _put_in_force(self, faults: Faults) -> None:
        self._stream.faults = self._mapping.faults = faults
        if self._proxy is not None:
            self._proxy.faults = faults

    async def _flush(self, _request: Request) -> Response:
        await self._stream.flush()
        return json_response(200, {})

    async def _pending(self, _request: Request) -> Response:
        # In the direction that records go: what leaves the spill is seen in the stream after it.
        spilled = await self._spill.pending()
        stream_records = await self._mapping.pending()
        return json_response(
            200,
            {
                "spilled_messages": spilled,
                "firehose_records": self._stream.pending(),
                "stream_records": stream_records,
                "in_flight": self._stream.in_flight() + self._mapping.in_flight(),
            },
        )

    async def _all_counts(self, _request: Request) -> Response:
        return json_response(200, {name: dict(counts) for name, counts in self._counts.items()})
