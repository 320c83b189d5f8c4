"""The control endpoint of the stand-ins: faults, deeds to order, counts, and the issuer."""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from weir_local.faults import Faults
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import Request, Response, json_response
from weir_local.message_queue import MessageQueue
from weir_local.proxy.server import AwsProxy
from weir_local.schedule import Schedule
from weir_local.stream_mapping.poller import StreamMapping


@dataclass(frozen=True, slots=True)
class Standins:
    """What the control endpoint speaks for; `proxy` is None in a stack that is not breakable."""

    stream: DeliveryStream
    scoring: StreamMapping
    notifying: StreamMapping
    watchdog: Schedule
    spill: MessageQueue
    notices: MessageQueue
    proxy: AwsProxy | None


class ControlServer:
    """Answers the requests that ``weir_local.control.Control`` makes.

    Parameters
    ----------
    counts
        By name; `struck` among them is what the faults count in.
    documents
        What is served besides, JSON by path.
    """

    def __init__(
        self,
        standins: Standins,
        counts: dict[str, Counter[str]],
        documents: Mapping[str, bytes],
    ) -> None:
        self._standins = standins
        self._counts = counts
        self._documents = documents
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "/health"): self._health,
            ("POST", "/faults"): self._set_faults,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/flush"): self._flush,
            ("POST", "/tick"): self._tick,
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
        if beyond and self._standins.proxy is None:
            problem = f"{beyond} takes a stack that is started as breakable, and this is not"
            return json_response(400, {"error": problem})
        self._put_in_force(faults)
        return json_response(200, wanted)

    async def _clear_faults(self, _request: Request) -> Response:
        self._put_in_force(Faults(struck=self._counts["struck"]))
        return json_response(200, {})

    def _put_in_force(self, faults: Faults) -> None:
        of = self._standins
        of.stream.faults = of.scoring.faults = of.notifying.faults = faults
        if of.proxy is not None:
            of.proxy.faults = faults

    async def _flush(self, _request: Request) -> Response:
        await self._standins.stream.flush()
        return json_response(200, {})

    async def _tick(self, _request: Request) -> Response:
        done = await self._standins.watchdog.tick()
        answer = {"error": done.error, "answer": done.payload.decode(errors="replace")}
        return json_response(200, answer)

    async def _pending(self, _request: Request) -> Response:
        # In the direction that records go: what leaves one is seen in the next.
        of = self._standins
        spilled = await of.spill.messages()
        ticking = of.watchdog.in_flight()
        stream_records = await of.scoring.pending()
        alert_records = await of.notifying.pending()
        notices = await of.notices.messages()
        in_flight = of.stream.in_flight() + of.scoring.in_flight() + of.notifying.in_flight()
        return json_response(
            200,
            {
                "spilled_messages": spilled.visible + spilled.in_flight + spilled.delayed,
                "firehose_records": of.stream.pending(),
                "stream_records": stream_records,
                "alert_records": alert_records,
                "notice_messages": notices.visible + notices.in_flight,
                "notices_delayed": notices.delayed,
                "in_flight": in_flight + ticking,
            },
        )

    async def _all_counts(self, _request: Request) -> Response:
        return json_response(200, {name: dict(counts) for name, counts in self._counts.items()})
