"""An issuer that signs in whoever comes, by authorization code with PKCE (RFC 7636)."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.loopback import LoopbackServer


@dataclass
class FakeIssuer:
    """Gives `token` for a code whose verifier is right, and after that for a refresh token."""

    token: str
    client_id: str = "console"
    refuses: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    exchanged: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.server = LoopbackServer(_handler(self))
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()

    @property
    def url(self) -> str:
        return f"{self.server.url}/pool"

    def authorize(self, given: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        self.asked.append(given)
        if self.refuses:
            answer = {"error": "access_denied", "error_description": "Not in the group operators"}
        else:
            answer = {"code": "code-1"}
        return f"{given['redirect_uri']}?{urlencode({**answer, 'state': given['state']})}"

    def exchange(self, given: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.exchanged.append(given)
        if given["grant_type"] == "refresh_token":
            right = given["refresh_token"] == "refresh-1"
        else:
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            asked = self.asked[-1]
            right = given["code"] == "code-1" and challenge == asked["code_challenge"]
            right = right and given["redirect_uri"] == asked["redirect_uri"]
        if not right or given["client_id"] != self.client_id:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": self.token, "refresh_token": "refresh-1", "expires_in": 3600}


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _handler(issuer: FakeIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/authorize"):
                self.send_response(302)
                self.send_header("location", issuer.authorize(_flat(parts.query)))
                self.end_headers()
                return
            self._json(
                200,
                {
                    "issuer": issuer.url,
                    "authorization_endpoint": f"{issuer.url}/authorize",
                    "token_endpoint": f"{issuer.url}/token",
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._json(*issuer.exchange(_flat(body)))

        def _json(self, status: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("access-control-allow-origin", "*")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
