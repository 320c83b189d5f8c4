"""Coarse floats: doubles of 29 significant bits, which a state keeps in five bytes each.

A state is kept for every metric of every device, and what it knows of a level or a scale is not
worth eight bytes. The arithmetic rounds as it goes, so that packing loses nothing.
"""

import struct
from typing import Final

SPLIT: Final = float((1 << 24) + 1)
"""`x * SPLIT - (x * SPLIT - x)` is x rounded to 29 bits (Dekker, Numerische Mathematik 18, 1971);
exact for magnitudes up to 1e300 / SPLIT."""

TINY: Final = 1e-290
"""What is smaller counts as 0, far above where doubles lose bits."""

BYTES: Final = 5


def coarse(value: float) -> float:
    """`value` rounded to 29 significant bits, or 0.

    >>> coarse(0.1) == 0.1
    False
    >>> coarse(coarse(0.1)) == coarse(0.1)
    True
    """
    if -TINY < value < TINY:
        return 0.0
    split = value * SPLIT
    return split - (split - value)


def pack_coarse(values: tuple[float, ...]) -> bytes:
    """The first five bytes, big-endian, of each double: all first bytes, then all second ones."""
    whole = struct.pack(f">{len(values)}d", *values)
    return b"".join(whole[at::8] for at in range(BYTES))


def unpack_coarse(data: bytes, count: int) -> tuple[float, ...]:
    """The `count` values that were packed; raises `ValueError` for another length."""
    if len(data) != count * BYTES:
        raise ValueError(f"{len(data)} bytes do not hold {count} coarse floats")
    whole = bytearray(count * 8)
    for at in range(BYTES):
        whole[at::8] = data[at * count : (at + 1) * count]
    return struct.unpack(f">{count}d", whole)
