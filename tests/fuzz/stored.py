"""What reads back from storage, and from headers, as targets."""

import json
from contextlib import suppress

from tests.fuzz.checks import check_message
from weir.chunks import UnreadableChunk, compress_lines, inflate, reopen, unpack, unpack_body
from weir.http.bodies import BodyTooLarge, BrokenEncoding, UnsupportedEncoding, decode
from weir.identity import MAX_CREDENTIAL, credential, digest_of, id_of, is_key
from weir.lake import MAX_INFLATED, Record, close_record, open_record, rows
from weir.spill import UnreadableSpill
from weir.spill import decode as read_spill
from weir.spill import encode as write_spill

ARRIVED = 1_767_225_600_250
MAX_BODY = 1024 * 1024
_ROW = {"device_id", "metrics", "position", "reading_id", "received_at", "tags", "ts"}
_ENCODINGS = ("gzip", "x-gzip", "", "identity", "GZIP ", "br", "gzip, gzip", "\u00e9\n")


def chunk(data: bytes) -> None:
    """An item's body, and a document as it is."""
    with suppress(UnreadableChunk):
        unpack_body(data)
    document = data
    with suppress(UnreadableChunk):
        document = inflate(data, MAX_INFLATED)
    try:
        opened = unpack(document)
    except UnreadableChunk as error:
        check_message(str(error))
        return
    readings = list(opened.rows())
    assert len(readings) == len(opened.dt)
    again = reopen(document)
    assert again.n == len(readings)
    assert again.t0 == opened.t0
    assert again.digest in again.sk


def record(data: bytes) -> None:
    """A Firehose record."""
    try:
        opened = open_record(data, ARRIVED)
        made = rows(opened)
    except UnreadableChunk as error:
        check_message(str(error))
        return
    for line in made.splitlines():
        assert set(json.loads(line)) == _ROW
    assert open_record(close_record(opened), 0) == Record(
        list(opened.documents), opened.received_at
    )


def spill(data: bytes) -> None:
    """A message of the spill."""
    try:
        spilled = read_spill(data.decode("utf-8", "surrogateescape"))
        chunks = spilled.chunks()
    except UnreadableSpill as error:
        check_message(str(error))
        return
    assert read_spill(write_spill(spilled)) == spilled
    assert {each.device_id for each in chunks} == {spilled.device_id}
    assert open_record(spilled.record(), 0).documents == list(spilled.documents)
    int(spilled.deduplication_id, 16)


def body(data: bytes) -> None:
    """A request's body and its Content-Encoding, which the first byte chooses."""
    encoding = _ENCODINGS[data[0] % len(_ENCODINGS)] if data else ""
    try:
        decoded = decode(data[1:], encoding, MAX_BODY)
    except (BodyTooLarge, UnsupportedEncoding, BrokenEncoding) as error:
        check_message(str(error))
        return
    assert len(decoded) <= MAX_BODY
    if encoding.strip().lower().endswith("gzip"):
        assert decode(compress_lines([decoded]), "gzip", MAX_BODY) == decoded


def authorization(data: bytes) -> None:
    """An Authorization header, in whichever charset."""
    for text in (data.decode("latin-1"), data.decode("utf-8", "surrogateescape")):
        secret = credential(text)
        assert len(secret) <= MAX_CREDENTIAL
        if is_key(secret):
            assert len(id_of(digest_of(secret))) == 16
