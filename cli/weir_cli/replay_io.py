"""Goes through the failure places, one after the other, and puts through what it finds."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Final, Protocol

from botocore.config import Config

from weir.storage.lake_stream import LakeStream
from weir.storage.retry import Deadline, SinkUnavailable
from weir_cli.errors import Problem
from weir_cli.replay import (
    NOT_TRIED,
    UNREADABLE,
    FailedChange,
    FailedLine,
    Failure,
    event_of,
    read_invocation,
    read_lines,
    rest_of_invocation,
    rest_of_lines,
)
from weir_cli.replay_batch import Answer, lefts, put_through
from weir_cli.replay_places import DISCARDED, ERRORS, Folder, Options, Places, Watch, reached
from weir_cli.replay_report import Left, Place, PlaceReport, Report
from weir_cli.replay_spill import replay_spill

SLICE: Final = 200
"""So many lines of an error object are put onto the stream before it is seen how that went."""

_INVOKE: Final = Config(
    # The function has a minute; a call that is given up before then would be made again beside it.
    read_timeout=75,
    retries={"mode": "standard", "total_max_attempts": 4},
)


class _Kind[T](Protocol):
    """A kind of failure object: how it is read, put through, and written again."""

    def read(self, key: str, body: bytes) -> list[Failure[T]]: ...

    def rest(self, body: bytes, kept: Sequence[Failure[T]]) -> bytes: ...

    def put(
        self, failures: Sequence[Failure[T]], stopped: Callable[[], bool]
    ) -> tuple[dict[int, Left], str]:
        """Put failures through: which stay, by their places, and why to go no further, if so."""


def replay(
    places: Places, chosen: Sequence[Place], options: Options, watch: Watch, stop: Event
) -> Report:
    """Go through the places `chosen`; what fails in one of them does not keep the others from it.

    Nothing is taken away before it went through, and what goes through twice changes nothing: so
    it may end anywhere, and be started again.
    """
    reports = []
    for place in chosen:
        report = PlaceReport(place)
        reports.append(report)
        try:
            _replay_place(places, report, options, watch, stop)
        except Problem as problem:
            report.problem = str(problem)
    return Report(reports, options.since, options.dry_run)


def _replay_place(
    places: Places, report: PlaceReport, options: Options, watch: Watch, stop: Event
) -> None:
    match report.place:
        case Place.LAKE:
            folder = Folder(places.client("s3"), places.lake_bucket, ERRORS)
            lines = LakeErrors(places.client("firehose"), places.lake_stream, options.patience_s)
            _Objects(lines, folder, report, options, watch, stop).replay()
        case Place.STREAM:
            folder = Folder(places.client("s3"), places.failure_bucket, DISCARDED)
            client = places.client("lambda", config=_INVOKE)
            others = {places.alerts_table: places.notify_function}
            batches = StreamFailures(client, places.score_function, others)
            _Objects(batches, folder, report, options, watch, stop).replay()
        case Place.SPILL:
            replay_spill(places, report, options, watch, stop)


class LakeErrors:
    """Firehose's error objects: their records go back onto the stream."""

    def __init__(self, firehose: Any, stream: str, patience_s: float) -> None:
        self._stream = LakeStream(firehose, stream)
        self._name = f"the Firehose stream {stream}"
        self._patience_s = patience_s

    read = staticmethod(read_lines)
    rest = staticmethod(rest_of_lines)

    def put(
        self, failures: Sequence[Failure[FailedLine]], stopped: Callable[[], bool]
    ) -> tuple[dict[int, Left], str]:
        """Put lines in slices; where Firehose takes no more, the others are not tried."""
        for at in range(0, len(failures), SLICE):
            if stopped():
                return self._left(failures, at, "stopped"), ""
            records = [
                record
                for failure in failures[at : at + SLICE]
                for record in failure.content.records
            ]
            try:
                with reached(self._name):
                    self._stream.put(records, Deadline(self._patience_s))
            except (SinkUnavailable, Problem) as error:
                why = (
                    f"{self._name}: {error}." if isinstance(error, SinkUnavailable) else str(error)
                )
                return self._left(failures, at, why), why
        return {}, ""

    def _left(self, failures: Sequence[Failure[FailedLine]], at: int, why: str) -> dict[int, Left]:
        return {
            place: Left(failures[place].entry, NOT_TRIED, why) for place in range(at, len(failures))
        }


class StreamFailures:
    """Lambda's invocation records: their batches go to the function once more.

    `others` has the functions of other tables' streams than that of the readings.
    """

    def __init__(self, client: Any, function: str, others: Mapping[str, str]) -> None:
        self._client = client
        self._function = function
        self._others = others

    read = staticmethod(read_invocation)
    rest = staticmethod(rest_of_invocation)

    def put(
        self, failures: Sequence[Failure[FailedChange]], stopped: Callable[[], bool]
    ) -> tuple[dict[int, Left], str]:
        """Have the function do a batch; where it cannot be invoked, nothing counts as done."""
        try:
            verdicts = put_through([f.content for f in failures], self._invoke, stopped)
        except Problem as problem:
            left = [Left(failure.entry, NOT_TRIED, str(problem)) for failure in failures]
            return dict(enumerate(left)), str(problem)
        return lefts(failures, verdicts), ""

    def _invoke(self, changes: Sequence[FailedChange]) -> Answer:
        # A batch is of one stream.
        table = changes[0].table
        function = self._others.get(table, self._function) if table else self._function
        with reached(f"the function {function}"):
            answer = self._client.invoke(
                FunctionName=function,
                InvocationType="RequestResponse",
                Payload=event_of(changes),
            )
            return Answer(answer["Payload"].read(), answer.get("FunctionError", ""))


class _Objects[T]:
    """One pass over the objects of a place."""

    def __init__(
        self,
        kind: _Kind[T],
        folder: Folder,
        report: PlaceReport,
        options: Options,
        watch: Watch,
        stop: Event,
    ) -> None:
        self._kind = kind
        self._folder = folder
        self._report = report
        self._options = options
        self._watch = watch
        self._stop = stop

    def replay(self) -> None:
        keys = self._folder.keys(self._options.since)
        self._watch.begin(self._report.place, len(keys))
        for done, key in enumerate(keys):
            if self._stop.is_set():
                self._report.problem = f"stopped: {len(keys) - done:,} objects were not looked at"
                return
            self._replay_object(key)
            self._watch.advance()

    def _replay_object(self, key: str) -> None:
        stored = self._folder.get(key)
        if stored is None:
            return
        report = self._report
        every = self._kind.read(key, stored.body)
        found = [failure for failure in every if self._options.covers(failure.entry.failed_at)]
        report.entries += [failure.entry for failure in found]
        report.stays += [
            Left(failure.entry, UNREADABLE, failure.unreadable)
            for failure in found
            if failure.unreadable
        ]
        good = [failure for failure in found if not failure.unreadable]
        if self._options.dry_run or not good:
            return
        if report.problem:  # the place takes nothing; what lies there is still counted
            report.stays += [Left(failure.entry, NOT_TRIED, report.problem) for failure in good]
            return
        left, report.problem = self._kind.put(good, self._stop.is_set)
        report.stays += left.values()
        gone = {id(failure) for place, failure in enumerate(good) if place not in left}
        if gone:
            kept = [failure for failure in every if id(failure) not in gone]
            self._folder.settle(stored, self._kind.rest(stored.body, kept) if kept else None)
            report.replayed += len(gone)
