"""What a command says when it cannot do its work: one sentence, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class Problem(Exception):
    """An expected failure; the message is one sentence for the operator."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the failures that an operator can mend into a `Problem`.

    The libraries are imported only once something failed: loading them costs more than `--help`.
    """
    try:
        yield
    except Problem:
        raise
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise Problem(sentence) from error


def _sentence(error: Exception) -> str | None:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError) and (
        error.filename is not None
    ):
        return f"{error.filename}: {(error.strerror or type(error).__name__).lower()}."
    origin = type(error).__module__.partition(".")[0]
    if origin == "weir_local":
        return str(error)
    if origin == "httpx":
        return _http_sentence(error)
    if origin in {"botocore", "boto3"}:
        return f"AWS did not answer as hoped: {_one_line(error)}"
    return None


def _http_sentence(error: Exception) -> str:
    try:
        request = error.request  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):
        return f"The request failed: {_one_line(error)}"
    return f"{request.url} cannot be reached: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
