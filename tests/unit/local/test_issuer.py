"""The development issuer: its tokens verify against what it serves, and others do not."""

import json
import stat
from pathlib import Path
from typing import Any

import jwt
import pytest

from weir_local.issuer import Issuer, thumbprint

URL = "http://127.0.0.1:4599"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("issuer") / "new" / "issuer.json"
    Issuer.create(URL + "/", "weir", file)
    return file


@pytest.fixture
def issuer(file: Path) -> Issuer:
    return Issuer.load(file)


def verify(token: str, issuer: Issuer, audience: str = "weir", url: str = URL) -> dict[str, Any]:
    """Verify as a stranger does: with the served keys alone."""
    keys = jwt.PyJWKSet.from_dict(json.loads(issuer.documents["/jwks.json"]))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, ["RS256"], audience=audience, issuer=url, options={"require": ["exp", "iat"]}
    )
    return claims


def test_a_token_verifies_against_the_served_keys(issuer: Issuer) -> None:
    claims = verify(issuer.token("ada", 60, scope="keys:write"), issuer)
    assert (claims["sub"], claims["scope"]) == ("ada", "keys:write")
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_says_what_it_is_told_to(issuer: Issuer) -> None:
    claims = verify(issuer.token(client_id="console"), issuer)
    assert claims["client_id"] == "console"
    assert claims["sub"] == "developer"
    assert "scope" not in claims


def test_an_expired_token_does_not_verify(issuer: Issuer) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(issuer.token(lifetime_s=-1), issuer)


def test_a_token_for_another_audience_does_not_verify(issuer: Issuer) -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        verify(issuer.token(aud="another"), issuer)


def test_a_token_of_another_issuer_does_not_verify(issuer: Issuer) -> None:
    with pytest.raises(jwt.InvalidIssuerError):
        verify(issuer.token(iss="http://elsewhere"), issuer)


def test_a_token_signed_with_another_key_does_not_verify(issuer: Issuer, tmp_path: Path) -> None:
    other = Issuer.create(URL, "weir", tmp_path / "other.json")
    forged = jwt.encode(
        jwt.decode(issuer.token(), options={"verify_signature": False}),
        other._key,
        "RS256",
        headers={"kid": issuer._public["kid"]},
    )
    with pytest.raises(jwt.InvalidSignatureError):
        verify(forged, issuer)


def test_the_discovery_document_names_the_issuer_and_its_keys(issuer: Issuer) -> None:
    document = json.loads(issuer.documents["/.well-known/openid-configuration"])
    assert document["issuer"] == URL
    path = document["jwks_uri"].removeprefix(URL)
    (key,) = json.loads(issuer.documents[path])["keys"]
    assert set(key) == {"e", "kty", "n", "use", "alg", "kid"}, "nothing of the private key"


def test_a_key_is_named_by_its_thumbprint(issuer: Issuer) -> None:
    rfc_7638_section_3_1 = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
        "oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vM"
        "QFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
    }
    assert thumbprint(rfc_7638_section_3_1) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    (key,) = json.loads(issuer.documents["/jwks.json"])["keys"]
    assert key["kid"] == thumbprint({name: key[name] for name in ("kty", "n", "e")})


def test_an_issuer_that_was_stored_verifies_its_earlier_tokens(file: Path) -> None:
    assert verify(Issuer.load(file).token(), Issuer.load(file))["aud"] == "weir"


def test_the_file_is_for_its_owner_only_even_where_a_wider_one_was(tmp_path: Path) -> None:
    file = tmp_path / "issuer.json"
    file.write_text("{}")
    file.chmod(0o644)
    Issuer.create(URL, "weir", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["issuer.json"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "\udcff", '{"url": "a", "audience": "b", "key": "c"}']
)
def test_a_file_that_holds_no_issuer_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "issuer.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"issuer\.json holds no issuer"):
        Issuer.load(file)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Issuer.load(tmp_path / "issuer.json")
