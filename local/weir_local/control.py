"""A thin client of the stand-ins' control endpoint, for tests, benchmarks and the command line."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

_TIMEOUT = 60.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Pending:
    """What is under way: nothing is, when it is false.

    `stream_records` are on their way to `score`, `alert_records` to `notify`. Of the notices, those
    in `notices_delayed` wait for their minute to end, and are not under way.
    """

    spilled_messages: int
    firehose_records: int
    stream_records: int
    in_flight: int
    alert_records: int = 0
    notice_messages: int = 0
    notices_delayed: int = 0

    def __bool__(self) -> bool:
        return any(
            (
                self.spilled_messages,
                self.firehose_records,
                self.stream_records,
                self.in_flight,
                self.alert_records,
                self.notice_messages,
            )
        )


class Control:
    """Speaks with the stand-ins of a running stack."""

    def __init__(self, control_url: str) -> None:
        self._client = httpx.Client(base_url=control_url, timeout=_TIMEOUT, trust_env=False)

    def set_faults(self, faults: Mapping[str, Any]) -> None:
        """Put exactly these faults in force; ``weir_local.faults`` lists them.

        A whole number is so many next times, a fraction so many of all:
        ``{"fail_records": 0.2, "kill_mid_batch": 3, "seed": 7}``. A fault of a function's calls may
        be narrowed to a function or an operation: ``{"dynamo_refuse@ingest": 1.0}``, and one of a
        stream's batches to a function: ``{"kill_mid_batch@notify": 1}``.

        Raises
        ------
        ValueError
            When a fault is unknown, its number makes no sense, or the stack is not breakable and
            the fault takes one that is.
        """
        answer = self._client.post("/faults", json=dict(faults))
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(answer.json()["error"])
        answer.raise_for_status()

    def clear_faults(self) -> None:
        """End all faults."""
        self._client.delete("/faults").raise_for_status()

    def flush(self) -> None:
        """Deliver all that is in the delivery stream now, transform included."""
        self._client.post("/flush").raise_for_status()

    def tick_watchdog(self) -> Any:
        """Let the watchdog look now, whether or not it does so by itself; return its answer.

        Raises
        ------
        RuntimeError
            When it fails.
        """
        done = self._client.post("/tick").raise_for_status().json()
        if done["error"] is not None:
            raise RuntimeError(f"the watchdog failed: {done['error']}: {done['answer'][:500]}")
        return json.loads(done["answer"] or "null")

    def pending(self) -> Pending:
        """Return what is under way; the DynamoDB streams are read to their ends for it."""
        answer = self._client.get("/pending").raise_for_status()
        return Pending(**answer.json())

    def wait_idle(self, timeout: float) -> None:
        """Return when nothing is under way any more.

        Records that wait in Firehose's buffers count: they leave when an interval ends, or by
        ``flush``. So do messages in the spill queue and notices that wait for no minute's end, but
        not dead letters.

        Raises
        ------
        TimeoutError
            When something still is after `timeout` seconds; the message says what.
        """
        deadline = time.monotonic() + timeout
        pause = _SHORTEST_PAUSE
        while pending := self.pending():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still under way after {timeout:g} s: {pending}")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return what was counted since the start.

        Under ``firehose``, ``stream`` (of readings, to `score`), ``alerts_stream`` (to `notify`),
        ``watchdog`` and ``proxy``: what was done. Under ``struck``: how often each fault did
        strike, by its name, and for a function's calls and batches also by where:
        ``dynamo_refuse@ingest.BatchWriteItem``.
        """
        answer = self._client.get("/counts").raise_for_status()
        found: dict[str, dict[str, int]] = answer.json()
        return found

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
