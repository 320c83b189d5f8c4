"""What the stores and channels of notices have in common: calls to AWS that fail in one way."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from weir.notices.ports import NotTaken
from weir.storage.retry import SinkUnavailable


@contextmanager
def taken(what: str, ids: frozenset[str] = frozenset()) -> Iterator[None]:
    """Raise `NotTaken` for whatever AWS or the way there raises."""
    try:
        yield
    except (BotoCoreError, ClientError, SinkUnavailable) as error:
        raise NotTaken(f"{what}: {error}", ids) from error


def is_refused_condition(error: ClientError) -> bool:
    """Whether a conditional write was not made since its condition did not hold."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
