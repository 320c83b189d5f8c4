"""The spill queue, as far as it tells when nothing is under way any more."""

from weir_local.wire import Wire

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


class SpillQueue:
    """What waits in the queue of a sink that is down."""

    def __init__(self, queue_url: str, wire: Wire) -> None:
        self._url = queue_url
        self._wire = wire

    async def pending(self) -> int:
        """Return how many messages wait, or are being put through; the emulator counts exactly."""
        arguments = {"QueueUrl": self._url, "AttributeNames": list(_COUNTS)}
        answer = await self._wire.json("sqs", "AmazonSQS.GetQueueAttributes", arguments)
        return sum(int(answer["Attributes"][name]) for name in _COUNTS)
