"""The Firehose stream that leads to the lake."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from weir.storage.retry import Deadline, Rest, send_all

MAX_RECORDS: Final = 500
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""PutRecordBatch takes so much a call (Amazon Data Firehose quotas)."""


class LakeStream:
    """Puts packed records onto a Firehose stream, resending the ones that it refuses."""

    def __init__(self, firehose: Any, name: str) -> None:
        self._firehose = firehose
        self._name = name

    def put(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """Put `records`; return how many calls had to be repeated.

        Raises `SinkUnavailable` when the time runs out. Delivery is at least once.
        """
        return sum(send_all("Firehose", batch, self._put, deadline) for batch in _batches(records))

    def _put(self, records: Sequence[bytes]) -> Rest[bytes]:
        answer = self._firehose.put_record_batch(
            DeliveryStreamName=self._name, Records=[{"Data": record} for record in records]
        )
        if not answer["FailedPutCount"]:
            return Rest(())
        # Answers come in the order of the request: one with an error code names what to resend.
        refused = [
            (record, reply["ErrorCode"])
            for record, reply in zip(records, answer["RequestResponses"], strict=True)
            if reply.get("ErrorCode")
        ]
        return Rest([record for record, _ in refused], refused[0][1] if refused else "")


def _batches(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    batch: list[bytes] = []
    size = 0
    for record in records:
        if batch and (len(batch) == MAX_RECORDS or size + len(record) > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield batch
