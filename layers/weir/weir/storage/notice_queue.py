"""The queue that comes back to `notify` itself: digests that are due, and messages to post.

{"version": 1, "digest": 1767225600000}
{"version": 1, "post": "<message id>", "document": "<its JSON>"}
"""

from typing import Any, Literal

import msgspec

from weir.storage.notice_calls import taken


class DigestCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The digest of the minute that began then (epoch ms) is due."""

    digest: int
    version: Literal[1] = 1


class Post(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message is to be posted to the webhook."""

    post: str
    document: str
    version: Literal[1] = 1


class UnreadableRequest(Exception):
    """A message of the queue is none of ours."""


class NoticeQueue:
    """Sends messages to the queue."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def call_digest(self, minute: int, delay_s: int) -> None:
        """Ask for the digest of a minute in `delay_s` seconds. Raises `NotTaken`."""
        self._send(DigestCall(minute), delay_s)

    def post(self, message_id: str, document: str) -> None:
        """Ask for a document to be posted to the webhook. Raises `NotTaken`."""
        self._send(Post(message_id, document), 0)

    def _send(self, request: DigestCall | Post, delay_s: int) -> None:
        with taken("the queue"):
            self._sqs.send_message(
                QueueUrl=self._queue_url,
                MessageBody=msgspec.json.encode(request).decode(),
                DelaySeconds=delay_s,
            )


def request_of(body: str) -> DigestCall | Post:
    """What a message of the queue asks for. Raises `UnreadableRequest`."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
        if "digest" in fields:
            return msgspec.convert(fields, DigestCall)
        return msgspec.convert(fields, Post)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableRequest(str(error)) from error
