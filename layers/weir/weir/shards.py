"""Shards: devices in a few even parts, each of which is one partition of an index."""

from typing import Final
from zlib import crc32

SHARDS: Final = tuple(str(number) for number in range(8))
"""An index partition takes 1,000 writes a second, and all devices of one are one query."""


def shard_of(device_id: str) -> str:
    """The shard of a device.

    >>> shard_of("pump-7")
    '3'
    """
    return SHARDS[crc32(device_id.encode()) % len(SHARDS)]
