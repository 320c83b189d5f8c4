"""The console: a page and its files, as the API serves them.

All that can be served is read when the console is made: a request picks from a list and never
opens a file. The page names its files below a folder whose name is a digest of them all, so that
they may be cached for good, and a new release is another folder.
"""

import base64
import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from weir.http.answers import empty_answer, problem
from weir.http.calls import has
from weir.http.gateway import Answer

PAGE: Final = "index.html"
CONFIG: Final = "config.json"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_JSON: Final = "application/json"

_ASK: Final = "no-cache"  # keep it, but ask whether it is the latest
_KEEP: Final = "public, max-age=31536000, immutable"

_LEAST_PACKED: Final = 512
"""Fewer bytes than that are not worth a gzip header."""

_SECURE: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class _File(msgspec.Struct, frozen=True):
    """What is served: as text, and packed where that is smaller."""

    text: str
    packed: str | None
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "_File":
        packed = None
        if len(content) >= _LEAST_PACKED:
            packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        # Weak: one tag for the text as it is and for the text packed.
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content.decode(), packed, media_type, etag)


class Console:
    """The console in `folder`.

    Parameters
    ----------
    folder
        Holds index.html and what belongs to it. Only files of known types are served.
    config
        What the page is to know: `issuer`, `audience`, `client_id`, `version`. With a `client_id`
        the page may speak to the issuer, and to `sign_in`, a URL, if the issuer's token endpoint
        is at another host than the issuer. All of them are public.
    """

    def __init__(self, folder: Path, config: Mapping[str, str]) -> None:
        contents = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.suffix in _TYPES
        }
        self.release = _release(contents)
        page = contents[PAGE].replace(b'"console/', f'"console/{self.release}/'.encode())
        self._files = {
            name: _File.of(content, _TYPES[Path(name).suffix])
            for name, content in (contents | {PAGE: page}).items()
        }
        self._files[CONFIG] = _File.of(msgspec.json.encode(config), _JSON)
        self._policy = policy(config)

    def answer(
        self, file: str, if_none_match: str, accept_encoding: str, request_id: str
    ) -> Answer:
        """The answer with a file; "" is the page, and "config.json" what it is to know.

        304 to whoever has it (RFC 9110, 13.1.2), 404 for what is not there.
        """
        folder, _, rest = file.partition("/")
        of_release = folder == self.release
        # A folder of another release's name: the page and its files met while one replaced the
        # other. They get what there is, and must not keep it under that name.
        name = rest if of_release or _is_release(folder) else file
        found = self._files.get(name or PAGE)
        if found is None:
            return problem(
                404, "no_such_file", "The console has no such file.", request_id, headers=_SECURE
            )
        headers = {
            **_SECURE,
            "etag": found.etag,
            "cache-control": _KEEP if of_release and name not in {PAGE, CONFIG} else _ASK,
            "vary": "accept-encoding",
            "content-security-policy": self._policy,
        }
        if has(if_none_match, found.etag):
            return empty_answer(304, request_id, headers)
        headers["content-type"] = found.media_type
        if found.packed is not None and _takes_gzip(accept_encoding):
            headers["content-encoding"] = "gzip"
            packed = {"body": found.packed, "isBase64Encoded": True}
            return {**empty_answer(200, request_id, headers), **packed}
        plain = {"body": found.text, "isBase64Encoded": False}
        return {**empty_answer(200, request_id, headers), **plain}


def policy(config: Mapping[str, str]) -> str:
    """The content security policy: nothing from elsewhere, and nothing inline.

    >>> policy({"issuer": "https://login.example.com/pool", "client_id": "c"}).split("; ")[5]
    "connect-src 'self' https://login.example.com"
    """
    connect = ["'self'"]
    if config.get("client_id"):
        connect += dict.fromkeys(
            origin for name in ("issuer", "sign_in") if (origin := _origin(config.get(name, "")))
        )
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src {' '.join(connect)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _origin(url: str) -> str:
    """The origin of a URL; "" if it has none, or one that cannot stand in a policy."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.netloc:
        return ""
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if not set(origin) & set(" \t\r\n;,'\"@") else ""


def _release(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _is_release(folder: str) -> bool:
    return len(folder) == 16 and not set(folder) - set("0123456789abcdef")


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is accepted (RFC 9110, 12.5.3); one that is weighed 0 is not."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
