"""A small HTTP client on asyncio that passes requests on as they are; h11 does the protocol."""

import asyncio
import time
from urllib.parse import urlsplit

import h11

from weir_local.http_server import Request, Response

_READ_SIZE = 256 * 1024
# The emulator closes an idle connection after 75 s; one that old must not be tried.
_IDLE_S = 30.0
_OF_ONE_CONNECTION = frozenset(
    {"connection", "expect", "keep-alive", "proxy-connection", "transfer-encoding"}
)


class _Connection:
    """One open connection, and when it was last used."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self.used = time.monotonic()

    async def send(self, request: Request) -> Response:
        headers = [one for one in request.headers.items() if one[0] not in _OF_ONE_CONNECTION]
        if request.body and "content-length" not in request.headers:
            headers.append(("content-length", str(len(request.body))))
        head = h11.Request(method=request.method, target=request.path, headers=headers)
        parts = [
            self._http.send(head),
            self._http.send(h11.Data(data=request.body)),
            self._http.send(h11.EndOfMessage()),
        ]
        self._writer.write(b"".join(part for part in parts if part))
        await self._writer.drain()
        return await self._receive(request.method)

    async def _receive(self, method: str) -> Response:
        status = 0
        headers: dict[str, str] = {}
        body: list[bytes] = []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_SIZE))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise ConnectionResetError("the connection ended before the answer")
        kept = {name: one for name, one in headers.items() if name not in _OF_ONE_CONNECTION}
        if method != "HEAD":
            kept.pop("content-length", None)
        return Response(status, b"".join(body), kept)

    def can_be_used_again(self) -> bool:
        """Prepare for another request, if the server is willing."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self.used = time.monotonic()
        return True

    def is_fresh(self) -> bool:
        return time.monotonic() - self.used < _IDLE_S and not self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()


class HttpClient:
    """Connections to one server, kept open between requests."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._idle: list[_Connection] = []

    async def send(self, request: Request) -> Response:
        """Send a request as it is, the Host header included, and return its answer.

        Raises
        ------
        OSError
            When the server cannot be reached, or ends the connection before it has answered.
        """
        connection = self._take() or await self._connect()
        try:
            response = await connection.send(request)
        except h11.ProtocolError as error:
            connection.close()
            raise ConnectionResetError(f"no HTTP: {error}") from error
        except BaseException:
            connection.close()
            raise
        if connection.can_be_used_again():
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Close the connections that wait."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh():
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        return _Connection(*await asyncio.open_connection(self._host, self._port))
