"""The OpenAPI document, as the API serves it."""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from weir.http.answers import empty_answer
from weir.http.calls import has
from weir.http.gateway import Answer


class Description:
    """An OpenAPI document; `text` is its JSON."""

    def __init__(self, text: bytes) -> None:
        self._document: dict[str, Any] = msgspec.json.decode(text)
        self.served = lru_cache(maxsize=8)(self._served)

    @property
    def version(self) -> str:
        """The version of the API, and of Weir."""
        version: str = self._document["info"]["version"]
        return version

    def answer(self, base_url: str | None, if_none_match: str, request_id: str) -> Answer:
        """The document, with `base_url` as its server; 304 to whoever has it (RFC 9110, 13.1.2)."""
        body, etag = self.served(base_url)
        # no-cache: keep it, but ask whether it is the latest.
        headers = {"etag": etag, "cache-control": "no-cache"}
        if has(if_none_match, etag):
            return empty_answer(304, request_id, headers)
        headers["content-type"] = "application/json"
        return {**empty_answer(200, request_id, headers), "body": body}

    def _served(self, base_url: str | None) -> tuple[str, str]:
        """The document as text, and its entity tag."""
        document = self._document
        if base_url is not None:
            document = {**document, "servers": [{"url": base_url}]}
        body = msgspec.json.encode(document)
        return body.decode(), f'"{hashlib.sha256(body).hexdigest()[:32]}"'
