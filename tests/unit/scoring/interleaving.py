"""Workers that run one step at a time, in an order that the test chooses.

Each worker is a thread that stops at every access to a store until it is let on; only one runs
at any time, so a run is as deterministic as the choices that drive it.
"""

import threading
from collections.abc import Callable


class Killed(BaseException):
    """The worker was killed at an access; nothing of it may run on."""


class Worker:
    """A thread that advances from gate to gate."""

    def __init__(self) -> None:
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._kill = False
        self._thread: threading.Thread | None = None
        self.failure: Exception | None = None
        self.succeeded = False

    def gate(self, _: str) -> None:
        self._stopped.release()
        self._go.acquire()
        if self._kill:
            raise Killed

    def start(self, work: Callable[[], object]) -> None:
        """Begin `work`; it runs up to its first gate."""

        def run() -> None:
            try:
                work()
                self.succeeded = True
            except Killed:
                pass
            except Exception as error:  # noqa: BLE001 - handed to the test
                self.failure = error
            finally:
                self._done = True
                self._stopped.release()

        self._done = False
        self.succeeded = False
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._stopped.acquire()
        self._settle()

    @property
    def running(self) -> bool:
        return self._thread is not None

    def step(self) -> None:
        """Let the worker on to its next gate, or to its end."""
        self._go.release()
        self._stopped.acquire()
        self._settle()

    def kill(self) -> None:
        """End the worker where it stands."""
        self._kill = True
        self.step()
        self._kill = False

    def _settle(self) -> None:
        if self._done:
            assert self._thread is not None
            self._thread.join()
            self._thread = None
