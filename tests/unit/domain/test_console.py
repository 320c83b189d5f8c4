"""What of the console the API serves, and how."""

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest

from weir.http.console import Console, policy
from weir.http.gateway import Answer

FOLDER = Path(__file__).parents[3] / "functions" / "api" / "console"
CONFIG = {"issuer": "", "audience": "weir", "client_id": "", "version": "1.2.3"}

HIDDEN = [
    "vendor/README.md",
    "../app.py",
    "..%2fapp.py",
    "/etc/passwd",
    "vendor",
    "vendor/",
    "no.js",
]


@pytest.fixture(scope="module")
def console() -> Console:
    return Console(FOLDER, CONFIG)


def got(console: Console, file: str, etag: str = "", encoding: str = "") -> Answer:
    return console.answer(file, etag, encoding, "request-1")


def named_files(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="console/([^"]+)"', page)


def test_the_page_names_only_files_that_are_served_and_kept_for_good(console: Console) -> None:
    answer = got(console, "")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert answer["headers"]["cache-control"] == "no-cache"
    names = named_files(answer["body"])
    assert len(names) >= 5
    for name in names:
        file = got(console, name)
        assert file["statusCode"] == 200, name
        assert file["headers"]["cache-control"] == "public, max-age=31536000, immutable"


def test_what_a_module_imports_is_served_beside_it(console: Console) -> None:
    for module in FOLDER.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8")):
            answer = got(console, f"{console.release}/{name}")
            assert answer["headers"]["content-type"] == "text/javascript; charset=utf-8"


def test_a_file_without_its_release_or_of_another_is_asked_for_again(console: Console) -> None:
    for name in ("main.js", "0123456789abcdef/main.js"):
        answer = got(console, name)
        assert answer["statusCode"] == 200
        assert answer["headers"]["cache-control"] == "no-cache"
        again = got(console, name, answer["headers"]["etag"])
        assert again["statusCode"] == 304
        assert "body" not in again


def test_a_file_comes_packed_to_whoever_takes_it(console: Console) -> None:
    plain = got(console, "main.js", encoding="br, gzip;q=0")
    packed = got(console, "main.js", encoding="deflate, gzip;q=0.5")
    assert not plain["isBase64Encoded"]
    assert "content-encoding" not in plain["headers"]
    assert packed["headers"]["content-encoding"] == "gzip"
    assert packed["headers"]["vary"] == "accept-encoding"
    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
    assert plain["headers"]["etag"] == packed["headers"]["etag"]


@pytest.mark.parametrize("file", [*HIDDEN, "0123456789abcdef/no.js"])
def test_nothing_else_is_served(console: Console, file: str) -> None:
    assert got(console, file)["statusCode"] == 404
    assert got(console, f"{console.release}/{file}")["statusCode"] == 404


def test_the_page_is_told_what_it_is_to_know(console: Console) -> None:
    answer = got(console, "config.json")
    assert answer["body"] == '{"issuer":"","audience":"weir","client_id":"","version":"1.2.3"}'
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["cache-control"] == "no-cache"


@pytest.mark.parametrize("file", ["", "main.js", "config.json"])
def test_every_answer_has_the_headers_that_protect_it(console: Console, file: str) -> None:
    headers = got(console, file)["headers"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "unsafe" not in headers["content-security-policy"]


def test_the_page_may_speak_to_the_issuer_only_if_one_signs_in_there() -> None:
    issuer = {"issuer": "https://idp.example.com/pool", "sign_in": "https://a.example.com/x"}
    assert "connect-src 'self';" in policy({**issuer, "client_id": ""})
    connect = "connect-src 'self' https://idp.example.com https://a.example.com;"
    assert connect in policy({**issuer, "client_id": "abc"})
    bad = {"issuer": "https://x; script-src *", "client_id": "abc"}
    assert "connect-src 'self';" in policy(bad)


def test_the_page_has_nothing_inline() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]* src=)", page)
    assert not re.search(r"https?://", page)


def test_what_is_vendored_is_what_its_readme_says() -> None:
    vendor = FOLDER / "vendor"
    said = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", _readme(vendor), re.M))
    there = {file.name for file in vendor.iterdir()} - {"README.md"}
    assert said.keys() == there
    for name, digest in said.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest


def test_the_console_stays_small() -> None:
    files = [file for file in FOLDER.rglob("*") if file.suffix in {".js", ".css", ".html", ".svg"}]
    content = [file.read_bytes() for file in files]
    assert sum(map(len, content)) < 180_000
    assert sum(len(gzip.compress(one, 9)) for one in content) < 72_000


def _readme(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")
