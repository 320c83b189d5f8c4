"""What Firehose refuses, and how: pure checks of requests.

Sources: Amazon Data Firehose API reference, PutRecord and PutRecordBatch; developer guide, "Amazon
Data Firehose Quota": 500 records or 4 MiB a batch, 1,000 KiB a record before base64.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


class ApiError(Exception):
    """An error as the API answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class PutData:
    """The data of one record: in base64, as it came, and its size without."""

    encoded: str
    size: int


def check_name(request: Mapping[str, Any]) -> str:
    """Return the request's delivery stream name."""
    name = request.get("DeliveryStreamName")
    if name is None:
        raise _constraint("deliveryStreamName", name, "Member must not be null")
    if not isinstance(name, str):
        raise ApiError("SerializationException", "DeliveryStreamName is not a string")
    if not 1 <= len(name) <= 64:
        bound = "greater than or equal to 1" if not name else "less than or equal to 64"
        raise _constraint("deliveryStreamName", name, f"Member must have length {bound}")
    if not _NAME.fullmatch(name):
        pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise _constraint("deliveryStreamName", name, pattern)
    return name


def check_batch(request: Mapping[str, Any]) -> list[PutData]:
    """Return the data of a PutRecordBatch request's records."""
    records = request.get("Records")
    if records is None:
        raise _constraint("records", None, "Member must not be null")
    if not isinstance(records, list):
        raise ApiError("SerializationException", "Records is not a list")
    if not records:
        least = "Member must have length greater than or equal to 1"
        raise _constraint("records", "[]", least)
    if len(records) > MAX_RECORDS:
        most = f"Member must have length less than or equal to {MAX_RECORDS}"
        raise _constraint("records", f"[{len(records)} records]", most)
    found = [
        check_record(record, f"records.{number}.member") for number, record in enumerate(records, 1)
    ]
    if sum(one.size for one in found) > MAX_BATCH_BYTES:
        raise ApiError("InvalidArgumentException", "Records size exceeds 4 MB limit")
    return found


def check_record(record: Any, where: str = "record") -> PutData:
    """Return the data of one record; it may be empty, but not missing."""
    data = record.get("Data") if isinstance(record, Mapping) else None
    if data is None:
        raise _constraint(f"{where}.data", None, "Member must not be null")
    if not isinstance(data, str):
        raise ApiError("SerializationException", f"{where}.data is not a string")
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ApiError("SerializationException", f"{where}.data is not base64") from error
    if size > MAX_RECORD_BYTES:
        most = f"Member must have length less than or equal to {MAX_RECORD_BYTES}"
        raise _constraint(f"{where}.data", "[bytes]", most)
    return PutData(data, size)


def _constraint(where: str, value: Any, constraint: str) -> ApiError:
    shown = "null" if value is None else value
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value '{shown}' at '{where}' failed to satisfy"
        f" constraint: {constraint}",
    )
