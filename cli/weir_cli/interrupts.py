"""Ctrl-C, SIGTERM and a terminal that closes, as a wish to end well."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping(stop: Event) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP set `stop` while the block runs, as often as they come."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
