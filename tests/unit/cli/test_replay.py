"""Replay, the pure part: what is read, what would only fail again, and what is tried."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.pipeline import stream_record
from weir.chunks import Chunk, compress_lines, pack, pack_records
from weir.lake import Record, close_record, open_record
from weir.readings import Reading
from weir_cli.replay import (
    MAX_RECORD,
    UnreadableFailure,
    bounded,
    closed,
    read_invocation,
    read_lines,
    rest_of_invocation,
    rest_of_lines,
)
from weir_local.firehose.transform import Arrived, error_record
from weir_local.stream_mapping import discard
from weir_local.stream_mapping.batches import Batch, StreamRecord
from weir_local.stream_mapping.config import MappingConfig

T = 1_767_225_600_000
ARRIVED, FAILED_AT = T + 60_000, T + 90_000


def chunks(*devices: str, n: int = 3) -> list[Chunk]:
    return pack([Reading(d, T + at * 1000, {"flow": 1.5 + at}) for d in devices for at in range(n)])


def error_line(data: bytes, **more: Any) -> bytes:
    """The line that Firehose writes for a record; None takes a field away."""
    arrived = Arrived("1", base64.b64encode(data).decode(), len(data), ARRIVED / 1000)
    line = error_record(arrived, 1, "Lambda.FunctionError", "no", FAILED_AT / 1000, "arn:f")
    fields = json.loads(line) | more
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept).encode() + b"\n"


# -------------------------------------------------------------- Firehose's error objects


@pytest.mark.parametrize("packed", [True, False])
def test_a_line_of_an_error_object_says_what_failed_when_and_why(packed: bool) -> None:
    (record,) = pack_records(chunks("pump-7", "pump-8"))
    body = error_line(record) * 2
    found = read_lines("errors/x", gzip.compress(body) if packed else body)
    assert [failure.entry.name for failure in found] == [
        "line 1: pump-7, pump-8",
        "line 2: pump-7, pump-8",
    ]
    entry = found[0].entry
    assert (entry.where, entry.failed_at, entry.why) == (
        "errors/x",
        FAILED_AT,
        "Lambda.FunctionError",
    )
    assert not found[0].unreadable


def test_a_record_goes_back_with_the_time_at_which_it_first_came() -> None:
    documents = [chunk.document for chunk in chunks("pump-7")]
    fresh = compress_lines(documents)
    returned = close_record(Record(documents, T - 5))
    for data, first_came in ((fresh, ARRIVED), (returned, T - 5)):
        (failure,) = read_lines("k", error_line(data))
        (record,) = failure.content.records
        assert open_record(record, T + 999_999) == Record(documents, first_came)


def test_times_as_text_and_other_spellings_of_the_code_are_read() -> None:
    (record,) = pack_records(chunks("pump-7"))
    line = error_line(
        record,
        arrivalTimestamp=str(ARRIVED),
        attemptEndingTimestamp=None,
        errorCode=None,
        lastErrorCode="Format",
    )
    (failure,) = read_lines("k", line)
    assert not failure.unreadable
    assert (failure.entry.failed_at, failure.entry.why) == (ARRIVED, "Format")


def document(**changes: Any) -> bytes:
    fields = json.loads(chunks("pump-7")[0].document) | changes
    return gzip.compress(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b'"\xff"', "no JSON object"),
        (b"7", "no JSON object"),
        (error_line(b"", rawData=None), "no rawData"),
        (error_line(b"", rawData=7), "no rawData"),
        (error_line(b"", rawData="?"), "not base64"),
        (error_line(b"garbage"), "cannot be inflated"),
        (error_line(gzip.compress(b"x")[:-4]), "ends early"),
        (error_line(gzip.compress(b"\n")), "the record is empty"),
        (error_line(gzip.compress(b'{"received_at":1}')), "no chunk"),
        (error_line(gzip.compress(b'{"received_at":"soon"}\n{}')), "first line cannot be read"),
        (error_line(gzip.compress(b'{"device_id": 7}')), "cannot be read"),
        (error_line(document(dt=[0])), "differ in length"),
        (error_line(document(t0=10**18)), "outside the years"),
        (error_line(document(deep=json.loads("[" * 900 + "]" * 900))), ""),
        (error_line(document(), arrivalTimestamp=None), "no arrivalTimestamp"),
        (error_line(document(), arrivalTimestamp=True), "no arrivalTimestamp"),
        (error_line(document(), arrivalTimestamp=-1), "no arrivalTimestamp"),
        (error_line(document(tags={"x": "y" * 3_000_000}, dt=[0, 1, 2])), "outgrows"),
    ],
)
def test_what_would_only_fail_again_is_told_and_its_neighbours_are_read(
    line: bytes, why: str
) -> None:
    good = error_line(document())
    first, failure, last = read_lines("k", good + line.rstrip(b"\n") + b"\n" + good)
    assert not first.unreadable
    assert not last.unreadable
    if why:
        assert why in failure.unreadable
        assert len(failure.unreadable) < 400
        assert not failure.content.records
    else:
        assert failure.content.records


def test_a_broken_object_is_one_failure() -> None:
    body = gzip.compress(error_line(document()))[:-6]
    (failure,) = read_lines("k", body)
    assert "cannot be inflated" in failure.unreadable
    assert failure.entry.name == "the whole object"


@given(st.lists(st.sampled_from(["good", "bad", "", "{}"]), max_size=8), st.data())
def test_an_object_is_written_again_with_just_the_lines_that_stay(
    kinds: list[str], data: st.DataObject
) -> None:
    kinds_of = {"good": error_line(document()), "bad": error_line(b"x"), "": b"\n", "{}": b"{}\n"}
    body = b"".join(kinds_of[kind] for kind in kinds)
    body = gzip.compress(body) if data.draw(st.booleans()) else body
    failures = read_lines("k", body)
    kept = [failure for failure in failures if data.draw(st.booleans())]
    rest = rest_of_lines(body, kept)
    assert rest.startswith(b"\x1f\x8b") == body.startswith(b"\x1f\x8b")
    again = read_lines("k", rest)
    assert [failure.content for failure in again] == [failure.content for failure in kept]


def test_a_record_that_outgrows_firehose_is_halved() -> None:
    lines = [base64.b85encode(bytes([n] * 40) + _noise(n, 480_000)) for n in range(3)]
    records = closed(Record(lines, T))
    assert len(records) > 1
    assert all(len(record) <= MAX_RECORD for record in records)
    opened = [open_record(record, 0) for record in records]
    assert [line for record in opened for line in record.documents] == lines
    assert {record.received_at for record in opened} == {T}
    with pytest.raises(UnreadableFailure, match="outgrows a Firehose record"):
        closed(Record([base64.b85encode(_noise(9, 1_200_000))], T))


def _noise(seed: int, n: int) -> bytes:
    import random

    return random.Random(seed).randbytes(n)


# -------------------------------------------------------------- the stream's invocation records

CONFIG = MappingConfig(
    "esm-1", "arn:score", "arn:stream", "TRIM_HORIZON", 100, 0, 1, True, 8, 43_200, True,
    "failures", (),
)  # fmt: skip


def changes(*devices: str) -> list[dict[str, Any]]:
    """A stream record of each device, as AWS hands them to a function."""
    return [
        stream_record(
            {
                "pk": {"S": device},
                "sk": {"S": f"{T + n:013d}#0123456789abcdef"},
                "body": {"B": b"\x00\xff"},
            },
            n,
        )
        for n, device in enumerate(devices)
    ]


def discarded(records: Sequence[dict[str, Any]]) -> bytes:
    """The object that Lambda writes for a batch that it gave up."""
    batch = Batch(tuple(_of(record) for record in records))
    document = discard.invocation_record(
        CONFIG, "shard-1", batch, discard.RETRIES_EXHAUSTED, None, 9, FAILED_AT / 1000
    )
    return discard.encode(document)


def _of(record: dict[str, Any]) -> StreamRecord:
    sequence = record["dynamodb"]["SequenceNumber"]
    return StreamRecord(sequence, record, json.dumps(record), ARRIVED / 1000)


def test_a_discarded_batch_is_read_record_by_record() -> None:
    records = changes("pump-7", "pump-8")
    first, second = read_invocation("aws/lambda/x", discarded(records))
    assert first.entry.name == f"pump-7 {T:013d}#0123456789abcdef"
    assert first.entry.why == "RetryAttemptsExhausted"
    assert first.entry.failed_at == FAILED_AT
    assert (first.content.sequence, first.content.device) == (f"{0:021d}", "pump-7")
    assert json.loads(second.content.encoded) == records[1]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{}", "no payload"),
        (b'{"payload": {}}', "no payload"),
        (b'{"payload": "{"}', "no event"),
        (b'{"payload": "{\\"Records\\": 7}"}', "no event"),
        (b'{"payload": "{\\"Records\\": []}"}', "no records"),
    ],
)
def test_an_object_without_a_batch_in_it_is_one_failure(body: bytes, why: str) -> None:
    (failure,) = read_invocation("k", body)
    assert why in failure.unreadable


def test_what_is_no_stream_record_is_handed_over_all_the_same() -> None:
    body = json.dumps({"payload": '{"Records": [7, {"dynamodb": {"Keys": {"pk": 1}}}]}'}).encode()
    found = read_invocation("k", body)
    assert [failure.entry.name for failure in found] == ["record 1", "record 2"]
    assert [failure.unreadable for failure in found] == ["", ""]


def test_a_batch_is_written_again_with_just_the_records_that_stay() -> None:
    body = discarded(changes("a", "b", "c"))
    found = read_invocation("k", body)
    rest = rest_of_invocation(body, found[1:])
    assert [f.content for f in read_invocation("k", rest)] == [f.content for f in found[1:]]
    before, after = json.loads(body), json.loads(rest)
    assert after["DDBStreamBatchInfo"]["batchSize"] == 2
    assert after["DDBStreamBatchInfo"]["startSequenceNumber"] == found[1].content.sequence
    assert after["requestContext"] == before["requestContext"]


def test_what_came_from_outside_is_shown_on_one_bounded_line() -> None:
    hostile = "x\n\x1b[31mred\u2028" + "y" * 1000
    shown = bounded(hostile)
    assert shown.isprintable()
    assert len(shown) <= 301
    (failure,) = read_lines("k", error_line(document(), errorCode=hostile))
    assert failure.entry.why.isprintable()
    (failure,) = read_lines("k", error_line(document(device_id="a\nb")))
    assert failure.entry.name.isprintable()
