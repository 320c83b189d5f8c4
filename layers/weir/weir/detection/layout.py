"""How the state of a metric is packed, little-endian.

u32 n    i64 ts    i64 end of the last block    u8 age
f64 anchor, interval, slow mean, fast mean, drift, last value    u16 run, longest    u8 changes
7 f64 sums of the block
24 u8 visits
then coarse floats (`weir.detection.coarse`): 13 memory, 24 profile, 7 weekdays, 25 tails,
35 tails of blocks
"""

import struct
from math import isfinite
from typing import Any, Final

from weir.detection.coarse import BYTES, pack_coarse, unpack_coarse
from weir.detection.rhythm import DAYS, HOURS

SUMS: Final = 7
MEMORY: Final = 13
TAILS: Final = 25
BLOCK_TAILS: Final = 35

_HEAD: Final = struct.Struct(f"<IqqBHHB6d{SUMS}d{HOURS}s")
_COARSE: Final = (MEMORY, HOURS, DAYS, TAILS, BLOCK_TAILS)
SIZE: Final = _HEAD.size + BYTES * sum(_COARSE)
"""Bytes of a packed state."""


def pack(fields: tuple[Any, ...]) -> bytes:
    """Pack the fields of a state, in its order."""
    n, ts, block_ts, age, anchor, interval, slow, fast, drift, last = fields[:10]
    run, longest, changes, sums, memory = fields[10:15]
    profile, visits, weekdays, tails, block_tails = fields[15:]
    levels = (anchor, interval, slow, fast, drift, last)
    return _HEAD.pack(
        *(n, ts, block_ts, age, run, longest, changes, *levels, *sums, visits)
    ) + pack_coarse((*memory, *profile, *weekdays, *tails, *block_tails))


def unpack(data: bytes) -> tuple[Any, ...]:
    """The fields that were packed; raises `ValueError` for what `pack` did not write."""
    if len(data) != SIZE:
        raise ValueError(f"the state has {len(data)} bytes; it must have {SIZE}")
    n, ts, block_ts, age, run, longest, changes, *numbers, visits = _HEAD.unpack_from(data)
    coarse = unpack_coarse(data[_HEAD.size :], sum(_COARSE))
    parts: list[tuple[float, ...]] = []
    at = 0
    for count in _COARSE:
        parts.append(coarse[at : at + count])
        at += count
    memory, profile, weekdays, tails, block_tails = parts
    known = [level for level, been in zip(profile, visits, strict=True) if been]
    if not all(map(isfinite, (*numbers, *memory, *known, *weekdays, *tails, *block_tails))):
        raise ValueError("the state holds a number that is not finite")
    sums = tuple(numbers[6:])
    return (
        *(n, ts, block_ts, age, *numbers[:6], run, longest, changes, sums, memory),
        *(profile, visits, weekdays, tails, block_tails),
    )
