"""A queue of the stack, as far as it tells when nothing is under way any more."""

from dataclasses import dataclass

from weir_local.wire import Wire

_VISIBLE = "ApproximateNumberOfMessages"
_DELAYED = "ApproximateNumberOfMessagesDelayed"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


@dataclass(frozen=True, slots=True)
class Messages:
    """How many messages could be received, were received, and wait for their time to come."""

    visible: int
    in_flight: int
    delayed: int


class MessageQueue:
    """An SQS queue whose messages are counted."""

    def __init__(self, queue_url: str, wire: Wire) -> None:
        self._url = queue_url
        self._wire = wire

    async def messages(self) -> Messages:
        """Count the messages; the emulator counts exactly."""
        arguments = {"QueueUrl": self._url, "AttributeNames": [_VISIBLE, _DELAYED, _IN_FLIGHT]}
        answer = await self._wire.json("sqs", "AmazonSQS.GetQueueAttributes", arguments)
        found = answer["Attributes"]
        return Messages(int(found[_VISIBLE]), int(found[_IN_FLIGHT]), int(found[_DELAYED]))
