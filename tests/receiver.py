"""A webhook's receiver on this machine."""

import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import LoopbackServer


class Receiver:
    """A server that notes what it gets and answers as it is told, 204 in the end."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.slow = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                outer.answer(self)

            def log_request(self, *_: Any) -> None:
                return

        self.server = LoopbackServer(Handler)
        self.url = f"{self.server.url}/hook?team=a"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        status = self.answers.pop(0) if self.answers else 204
        if status == 0:  # a byte now and then
            for sign in b"HTTP/1.1 200 OK\r\n" * 100:
                try:
                    handler.wfile.write(bytes([sign]))
                except OSError:
                    return
                if self.slow.wait(0.05):
                    return
        handler.send_response(status)
        if status == 302:
            handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", "0" if status == 204 else "100000000")
        handler.end_headers()

    def close(self) -> None:
        self.slow.set()
        self.server.close()
