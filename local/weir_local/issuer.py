"""An OpenID Connect issuer for development: it vouches for whoever holds its file.

In production the operators' tokens come from any issuer that the template's parameters name. The
local stack makes one of its own; it has no login, and hands a token to whoever can read its key.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ALGORITHM: Final = "RS256"
"""The one family of algorithms that HTTP APIs take (API Gateway developer guide, JWT)."""

LIFETIME_S: Final = 12 * 3600

_DISCOVERY: Final = "/.well-known/openid-configuration"
_JWKS: Final = "/jwks.json"
_KEY_BITS: Final = 2048


class Issuer:
    """Signs tokens, and has the documents by which others verify them.

    Parameters
    ----------
    url
        Where `documents` are served, without a slash at its end; the tokens' `iss`.
    audience
        The tokens' `aud`.
    """

    def __init__(self, url: str, audience: str, key: rsa.RSAPrivateKey) -> None:
        self.url = url
        self.audience = audience
        self._key = key

    @classmethod
    def create(cls, url: str, audience: str, file: Path) -> Self:
        """Make an issuer with a new key, and store it in `file`, for its owner's eyes only."""
        issuer = cls(
            url.rstrip("/"),
            audience,
            rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS),
        )
        issuer._store(file)
        return issuer

    @classmethod
    def load(cls, file: Path) -> Self:
        """The issuer that is stored in `file`.

        Raises `FileNotFoundError`, or `ValueError` if the file holds none.
        """
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            return cls(content["url"], content["audience"], _private_key(content["key"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{file} holds no issuer: {error}") from error

    @cached_property
    def documents(self) -> Mapping[str, bytes]:
        """What is to be served, by path below `url` (OpenID Connect Discovery 1.0; RFC 7517)."""
        discovery = {
            "issuer": self.url,
            "jwks_uri": self.url + _JWKS,
            # Discovery wants all of these; there is no login, so no endpoint answers.
            "authorization_endpoint": self.url + "/authorize",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
        return {
            _DISCOVERY: json.dumps(discovery, indent=2).encode(),
            _JWKS: json.dumps({"keys": [self._public]}, indent=2).encode(),
        }

    def token(
        self,
        subject: str = "developer",
        lifetime_s: int = LIFETIME_S,
        scope: str = "",
        **claims: Any,
    ) -> str:
        """A token for `subject`, from now on for `lifetime_s` seconds; `claims` add or override."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime_s,
            **({"scope": scope} if scope else {}),
            **claims,
        }
        return jwt.encode(payload, self._key, ALGORITHM, headers={"kid": self._public["kid"]})

    @cached_property
    def _public(self) -> dict[str, str]:
        """The public key as a JWK (RFC 7517), named by its thumbprint."""
        numbers = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        members = {"kty": "RSA", "e": numbers["e"], "n": numbers["n"]}
        return {**members, "use": "sig", "alg": ALGORITHM, "kid": thumbprint(members)}

    def _store(self, file: Path) -> None:
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        content = {"url": self.url, "audience": self.audience, "key": pem.decode()}
        file.parent.mkdir(parents=True, exist_ok=True)
        # Written aside under its final mode and moved into place: nobody sees it wider, or half.
        aside = file.with_name(f"{file.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            json.dump(content, output)
        aside.replace(file)


def thumbprint(members: Mapping[str, str]) -> str:
    """The SHA-256 thumbprint of a JWK's required members (RFC 7638), in base64url."""
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _private_key(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("its key is not RSA")
    return key
