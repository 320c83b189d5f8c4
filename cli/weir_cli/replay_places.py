"""The failure places of a stack, and how they are reached."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from weir_cli.errors import Problem
from weir_cli.replay_report import Place
from weir_cli.target import Target

ERRORS: Final = "errors/"
"""Where Firehose writes what it could not deliver, in the lake bucket."""
DISCARDED: Final = "aws/lambda/"
"""Where Lambda writes the batches that it gave up, in the failure bucket."""
REPLAYED: Final = "replayed/"
"""Where an object is kept, as it was found, once some of it went through."""

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"}
)
_ABSENT = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)


@dataclass(frozen=True, slots=True)
class Places:
    """What a replay needs to know of a stack; `client` makes a boto3 client of a service."""

    lake_bucket: str
    lake_stream: str
    failure_bucket: str
    score_function: str
    spill_queue_url: str
    spill_dead_letters_url: str
    client: Callable[..., Any]
    alerts_table: str = ""
    notify_function: str = ""


def places_of(target: Target) -> Places:
    """The failure places of a deployed Weir."""
    return Places(
        lake_bucket=target.lake_bucket,
        lake_stream=target.lake_stream,
        failure_bucket=target.failure_bucket,
        score_function=target.score_function,
        spill_queue_url=target.spill_queue_url,
        spill_dead_letters_url=target.spill_dead_letters_url,
        client=target.client,
        alerts_table=target.alerts_table,
        notify_function=target.notify_function,
    )


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay.

    Attributes
    ----------
    since
        Only what failed at this time or later, epoch milliseconds.
    patience_s
        How long Firehose may refuse a part of an object's records, in seconds.
    wait_s
        How long a queue is asked before it counts as empty, in seconds. A long poll asks all of
        its servers.
    """

    since: int = 0
    dry_run: bool = False
    patience_s: float = 60.0
    wait_s: int = 1

    def covers(self, failed_at: int | None) -> bool:
        """Whether what failed then is to be looked at; what has no time always is."""
        return failed_at is None or failed_at >= self.since


class Watch(Protocol):
    """Is told how far a replay is."""

    def begin(self, place: Place, total: int) -> None:
        """A place is begun: so many objects or messages lie there."""

    def advance(self, n: int = 1) -> None:
        """So many of them are done with."""


@contextmanager
def reached(what: str) -> Iterator[None]:
    """Turn what AWS refuses while `what` is used into a `Problem` that names it."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            sentence = f"{what}: these credentials may not call {error.operation_name}."
        elif code in _ABSENT:
            sentence = f"{what} is not there."
        else:
            sentence = f"{what}: {' '.join(str(error).split())}"
        raise Problem(sentence) from error
    except BotoCoreError as error:
        raise Problem(f"{what}: {' '.join(str(error).split())}") from error


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read, and the headers that it is to keep."""

    key: str
    body: bytes
    headers: dict[str, Any]


class Folder:
    """The objects of a bucket under a prefix."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._name = f"the bucket {bucket}"

    def keys(self, since: int) -> list[str]:
        """The keys of the objects that hold anything of `since` (epoch ms) or later, in order."""
        with reached(self._name):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            # An object is written after what it holds; S3 gives the time in whole seconds.
            return [
                entry["Key"]
                for page in pages
                for entry in page.get("Contents", ())
                if entry["LastModified"].timestamp() * 1000 + 1000 >= since
            ]

    def get(self, key: str) -> Stored | None:
        """Read an object; None if it has gone meanwhile."""
        with reached(self._name):
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                    return None
                raise
            names = ("ContentType", "ContentEncoding", "Metadata")
            headers = {name: found[name] for name in names if found.get(name)}
            return Stored(key, found["Body"].read(), headers)

    def settle(self, stored: Stored, rest: bytes | None) -> None:
        """Keep an object as it was under replayed/, and what is left of it in its place.

        A crash between leaves the object whole, to be put through once more.
        """
        with reached(self._name):
            try:
                # What lies there already is the whole object, from when a part of it went through.
                self._put(REPLAYED + stored.key, stored.body, stored.headers, IfNoneMatch="*")
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "PreconditionFailed":
                    raise
            if rest is None:
                self._s3.delete_object(Bucket=self._bucket, Key=stored.key)
            else:
                self._put(stored.key, rest, stored.headers)

    def _put(self, key: str, body: bytes, headers: dict[str, Any], **condition: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, **headers, **condition)
