"""A small HTTP server on asyncio; h11 does the protocol."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h11

_READ_SIZE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its whole body; header names are in lower case.

    A ``content-length`` is added, unless there is one: an answer to HEAD names that of its GET.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; None ends the connection without an answer."""


def json_response(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with `content` as JSON."""
    return Response(
        status,
        json.dumps(content).encode(),
        {"content-type": "application/json", **(headers or {})},
    )


class HttpServer:
    """Serves one handler, keeping connections open between requests."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, host, port, backlog=256)

    async def close(self) -> None:
        """Stop listening and drop the open connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, h11.RemoteProtocolError):
            return  # the client went away, or does not speak HTTP
        except asyncio.CancelledError:
            return  # the server closes
        finally:
            writer.close()
            if task is not None:
                self._tasks.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while True:
            request = await _receive(connection, reader, writer)
            if request is None:
                return
            response = await self._handler(request)
            if response is None:
                return
            headers = list(response.headers.items())
            if "content-length" not in response.headers:
                headers.append(("content-length", str(len(response.body))))
            start = h11.Response(status_code=response.status, headers=headers)
            parts = [
                connection.send(start),
                connection.send(h11.Data(data=response.body)),
                connection.send(h11.EndOfMessage()),
            ]
            writer.write(b"".join(part for part in parts if part))
            await writer.drain()
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """Return the next request, or None when the client has closed the connection."""
    head: h11.Request | None = None
    body: list[bytes] = []
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on) or b"")
            connection.receive_data(await reader.read(_READ_SIZE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode(), head.target.decode(), headers, b"".join(body))
        else:
            return None
