"""What the Firehose stand-in refuses, as the API reference says."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir_local.firehose.limits import (
    MAX_BATCH_BYTES,
    MAX_RECORD_BYTES,
    ApiError,
    check_batch,
    check_name,
    check_record,
)


def record(size: int) -> dict[str, str]:
    return {"Data": base64.b64encode(b"x" * size).decode()}


def test_a_batch_of_500_records_is_taken_and_one_more_is_not() -> None:
    assert len(check_batch({"Records": [record(1)] * 500})) == 500
    with pytest.raises(ApiError, match="less than or equal to 500") as refused:
        check_batch({"Records": [record(1)] * 501})
    assert (refused.value.code, refused.value.status) == ("ValidationException", 400)


def test_a_record_of_1000_kib_before_base64_is_taken_and_one_byte_more_is_not() -> None:
    assert check_record(record(MAX_RECORD_BYTES)).size == 1_024_000
    with pytest.raises(ApiError, match="less than or equal to 1024000"):
        check_record(record(MAX_RECORD_BYTES + 1))


def test_a_batch_of_4_mib_is_taken_and_one_byte_more_is_not() -> None:
    quarter = MAX_BATCH_BYTES // 8
    assert len(check_batch({"Records": [record(quarter)] * 8})) == 8
    with pytest.raises(ApiError, match="exceeds 4 MB") as refused:
        check_batch({"Records": [record(quarter)] * 8 + [record(1)]})
    assert refused.value.code == "InvalidArgumentException"


@pytest.mark.parametrize("request_", [{}, {"Records": []}, {"Records": [{}]}])
def test_missing_records_are_a_validation_error(request_: dict[str, object]) -> None:
    with pytest.raises(ApiError) as refused:
        check_batch(request_)
    assert refused.value.code == "ValidationException"


def test_data_that_is_not_base64_cannot_be_read() -> None:
    with pytest.raises(ApiError) as refused:
        check_record({"Data": "not base64!"})
    assert refused.value.code == "SerializationException"


@pytest.mark.parametrize("name", [None, "", "a" * 65, "no/slash"])
def test_a_name_that_is_missing_empty_long_or_odd_is_a_validation_error(name: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        check_name({} if name is None else {"DeliveryStreamName": name})
    assert refused.value.code == "ValidationException"


@given(st.binary(max_size=300))
def test_the_size_that_counts_is_the_one_before_base64(data: bytes) -> None:
    assert check_record({"Data": base64.b64encode(data).decode()}).size == len(data)
