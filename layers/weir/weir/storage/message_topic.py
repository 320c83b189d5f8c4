"""The topic: people get a message in words, programs in JSON.

What a protocol gets is in the message itself (SNS Developer Guide, "Publish ... custom payloads for
each protocol"): e-mail the text, an SMS the subject, all others the JSON.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from weir.notices.message import Message
from weir.storage.notice_calls import taken


class MessageTopic:
    """Publishes messages."""

    def __init__(self, sns: Any, topic_arn: str) -> None:
        self._sns = sns
        self._topic_arn = topic_arn

    def publish(self, message: Message) -> None:
        """Publish a message. Raises `NotTaken`."""
        bodies = {"default": message.document, "email": message.text, "sms": message.subject}
        with taken("the topic"):
            self._sns.publish(
                TopicArn=self._topic_arn,
                Subject=message.subject,
                Message=msgspec.json.encode(bodies).decode(),
                MessageStructure="json",
                MessageAttributes={
                    name: _attribute(values) for name, values in message.attributes.items()
                },
            )


def _attribute(values: Sequence[str]) -> dict[str, str]:
    """A string for one value, an array for more: a filter policy matches any of them."""
    if len(values) == 1:
        return {"DataType": "String", "StringValue": values[0]}
    return {
        "DataType": "String.Array",
        "StringValue": msgspec.json.encode(values).decode(),
    }
