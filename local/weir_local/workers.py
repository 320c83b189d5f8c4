"""The processes that functions run in: killed to order, as Lambda's may be at any moment."""

import logging
import os
import signal
from pathlib import Path

from weir_local.proxy.call import read_worker

_log = logging.getLogger(__name__)


class Workers:
    """The functions' processes under one emulator.

    Parameters
    ----------
    folder
        Where each process leaves a file of its name, ``<function name>.<process id>``.
    group
        The process group that the emulator leads: nothing outside of it is ever killed.
    """

    def __init__(self, folder: Path, group: int) -> None:
        self._folder = folder
        self._group = group

    def kill(self, pid: int) -> bool:
        """Kill a process of a function at once; False if it is not one, or has ended."""
        try:
            if pid == self._group or os.getpgid(pid) != self._group:
                return False
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        _log.info("killed the process %d", pid)
        return True

    def kill_all(self, function: str) -> bool:
        """Kill every process of `function`; False if there was none."""
        killed = False
        for file in self._folder.iterdir():
            name, pid = read_worker(file.name)
            if name == function and pid is not None:
                killed = self.kill(pid) or killed
                file.unlink(missing_ok=True)
        return killed
