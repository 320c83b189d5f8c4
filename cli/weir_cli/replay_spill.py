"""The spill's dead letters: messages that `respill` gave up, sent to the spill queue once more.

A FIFO queue gives at most ten messages at once, and none of a group of which some are in flight
(SQS developer guide, "FIFO queue delivery logic"). So a pass holds what is to stay until its end:
each message comes once, and the pass ends. What lies behind those that are held is seen by giving
back one group at a time, while the others are held. Behind ten that stay nothing can be seen, only
counted.
"""

from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from weir.readings import show
from weir.spill import UnreadableSpill
from weir.storage.spill_queue import SpillQueue
from weir_cli.errors import Problem
from weir_cli.replay import NOT_TRIED, UNREADABLE, bounded
from weir_cli.replay_places import Options, Places, Watch, reached
from weir_cli.replay_report import Entry, Left, PlaceReport

GIVEN_UP: Final = "given up by respill"
CAME_BACK: Final = "came back at once"

MAX_MESSAGES: Final = 10
"""ReceiveMessage gives so many, and the batch calls take so many."""
HOLD_S: Final = 60
"""How long what was received is nobody else's: a pass that is killed holds it up for so long."""


def replay_spill(
    places: Places, report: PlaceReport, options: Options, watch: Watch, stop: Event
) -> None:
    """Send the dead letters to the spill queue, in the order of each group, and delete them.

    A message is deleted once it was sent. If the pass is killed between, the next one sends it
    again under the same deduplication id: within five minutes the queue takes it for the same, and
    after that it is done twice, which changes nothing. What respill could not read stays.
    """
    _Pass(places, report, options, watch, stop).run()


class _Pass:
    """One pass: all that it received and did not delete is held until its end."""

    def __init__(
        self, places: Places, report: PlaceReport, options: Options, watch: Watch, stop: Event
    ) -> None:
        self._sqs = places.client("sqs")
        self._queue = places.spill_queue_url
        self._bucket = places.failure_bucket
        self._spill = SpillQueue(self._sqs, places.client("s3"), self._queue, self._bucket)
        self._dead_letters = places.spill_dead_letters_url
        self._report = report
        self._options = options
        self._watch = watch
        self._stop = stop
        self._seen: dict[str, str] = {}  # message ids and their groups
        self._held: dict[str, str] = {}  # message ids and their receipts
        self._sent: set[str] = set()

    def run(self) -> None:
        lying = self._count("", "NotVisible", "Delayed")
        self._watch.begin(self._report.place, lying)
        try:
            self._take_all()
            self._look_behind()
            if self._held or self._stop.is_set():
                # What was held too long counts as seen by all again: it is not unseen for that.
                self._report.unseen = max(0, min(self._count(""), lying - len(self._seen)))
        finally:
            self._give_back(list(self._held))
        if self._stop.is_set():
            self._report.problem = self._report.problem or "stopped before the end"

    def _take_all(self) -> None:
        """Receive until nothing comes, or nothing but what was held already.

        That comes again if the pass takes longer than it is held for.
        """
        again: set[str] = set()
        while not self._stop.is_set():
            messages = self._receive()
            fresh = self._take_fresh(messages)
            again = set() if fresh else again | {message["MessageId"] for message in messages}
            if (not fresh and again >= self._held.keys()) or not messages:
                return

    def _look_behind(self) -> None:
        """Look behind the messages that are held, group by group, as long as there is anything."""
        for group in dict.fromkeys(self._seen[message_id] for message_id in self._held):
            while self._count("") and not self._stop.is_set():
                self._give_back([one for one in self._held if self._seen[one] == group])
                if not self._take_fresh(self._receive()):
                    break

    def _take_fresh(self, messages: Sequence[dict[str, Any]]) -> int:
        """Take those messages that were not seen before; return how many they were."""
        fresh = [message for message in messages if message["MessageId"] not in self._seen]
        for message in messages:
            self._held[message["MessageId"]] = message["ReceiptHandle"]
            self._seen[message["MessageId"]] = message["Attributes"]["MessageGroupId"]
        for message in fresh:
            self._take(message)
        return len(fresh)

    def _take(self, message: dict[str, Any]) -> None:
        """Send a message and delete it, unless it is to stay."""
        came_back = message["MessageId"] in self._sent
        if not came_back:
            self._watch.advance()
        report, failed_at = self._report, int(message["Attributes"]["SentTimestamp"])
        if not self._options.covers(failed_at):
            return
        why, unreadable = self._look_into(message["Body"])
        group = show(message["Attributes"]["MessageGroupId"])
        entry = Entry(group, message["MessageId"], failed_at, why)
        report.entries.append(entry)
        if unreadable:
            report.stays.append(Left(entry, UNREADABLE, unreadable))
        elif came_back:
            report.stays.append(Left(entry, CAME_BACK))
        elif not self._options.dry_run:
            self._put_through(message, entry)

    def _look_into(self, body: str) -> tuple[str, str]:
        """Which sinks the message still waits for, and why it cannot be read, if it cannot."""
        try:
            with reached(f"the bucket {self._bucket}"):
                spilled = self._spill.get(body)
            if spilled is None:
                return f"{GIVEN_UP}: it has reached its sinks", ""
            spilled.chunks()
        except UnreadableSpill as error:
            return f"{GIVEN_UP}: unreadable", bounded(str(error))
        return f"{GIVEN_UP}: not in {' and '.join(sorted(spilled.sinks))}", ""

    def _put_through(self, message: dict[str, Any], entry: Entry) -> None:
        report = self._report
        if not report.problem and not self._stop.is_set():
            try:
                self._send(message)
            except Problem as problem:  # it takes nothing; what lies here is still counted
                report.problem = str(problem)
            else:
                self._delete(message)
                report.replayed += 1
                return
        report.stays.append(Left(entry, NOT_TRIED, report.problem or "stopped"))

    # ---------------------------------------------------------------- the calls

    def _count(self, *kinds: str) -> int:
        """How many dead letters lie there: seen by all (""), held ("NotVisible"), or "Delayed"."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
        with reached(f"the queue {self._dead_letters}"):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._dead_letters, AttributeNames=names
            )
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)

    def _receive(self) -> list[dict[str, Any]]:
        with reached(f"the queue {self._dead_letters}"):
            answer = self._sqs.receive_message(
                QueueUrl=self._dead_letters,
                MaxNumberOfMessages=MAX_MESSAGES,
                VisibilityTimeout=HOLD_S,
                WaitTimeSeconds=self._options.wait_s,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _send(self, message: dict[str, Any]) -> None:
        with reached(f"the queue {self._queue}"):
            answer = self._sqs.send_message(
                QueueUrl=self._queue,
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
                MessageGroupId=message["Attributes"]["MessageGroupId"],
                # A dead letter has an id of its own: the same one only if this very message is
                # sent again. What was sent and came back is another message, and is not swallowed.
                MessageDeduplicationId=f"replay-{message['MessageId']}",
            )
        self._sent.add(answer["MessageId"])

    def _delete(self, message: dict[str, Any]) -> None:
        with reached(f"the queue {self._dead_letters}"):
            self._sqs.delete_message(
                QueueUrl=self._dead_letters, ReceiptHandle=message["ReceiptHandle"]
            )
        del self._held[message["MessageId"]]

    def _give_back(self, message_ids: Sequence[str]) -> None:
        """Let messages be seen again; those that cannot be given back are, after a minute."""
        receipts = [self._held.pop(message_id) for message_id in message_ids]
        with suppress(ClientError, BotoCoreError):
            for at in range(0, len(receipts), MAX_MESSAGES):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._dead_letters,
                    Entries=[
                        {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for place, receipt in enumerate(receipts[at : at + MAX_MESSAGES])
                    ],
                )
