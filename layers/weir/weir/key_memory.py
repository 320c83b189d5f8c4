"""What a worker remembers of device keys, so that not each request asks the table.

Keys that are not there are remembered too: a new key is random, so nobody can have tried it before
it was made. When the table cannot be asked, what was known holds on for a while, so that devices
go on being heard while DynamoDB is away.
"""

import time
from collections.abc import Callable
from typing import Final

from weir.identity import DeviceKey

MOST_KEPT: Final = 20_000

STALE_S: Final = 3600.0
"""Seconds for which a key holds after its time when the table cannot be asked."""


class KeysUnavailable(Exception):
    """The keys cannot be asked for, and nothing is known of this one."""


class KeyMemory:
    """Looks keys up with `look_up`, and remembers what it found for `keep_s` seconds.

    Parameters
    ----------
    trouble
        The exceptions of `look_up` that mean that the table cannot be asked now.
    """

    def __init__(
        self,
        look_up: Callable[[str], DeviceKey | None],
        keep_s: float,
        *,
        trouble: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._keep_s = keep_s
        self._trouble = trouble
        self._clock = clock
        self._kept: dict[str, tuple[float, DeviceKey | None]] = {}

    def get(self, key_id: str) -> DeviceKey | None:
        """The key with this id, or None. Raises `KeysUnavailable`."""
        now = self._clock()
        found = self._kept.get(key_id)
        if found is not None and now < found[0] + self._keep_s:
            return found[1]
        try:
            key = self._look_up(key_id)
        except self._trouble as error:
            if found is not None and found[1] is not None and now < found[0] + STALE_S:
                return found[1]
            raise KeysUnavailable(key_id) from error
        self._kept.pop(key_id, None)  # to the end: the first are those that were read longest ago
        self._kept[key_id] = (now, key)
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return key
