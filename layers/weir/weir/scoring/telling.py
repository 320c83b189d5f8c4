"""What is told of a device's anomalies: what is yet to be told, and what may not hold any more.

Facts are written with the checkpoint that they follow from, and told after. So nobody tells what
no checkpoint says, whoever finds a checkpoint tells what it says unless it knows that it did, and
the facts of an older checkpoint are all told before those of a newer one.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from weir.alerts.alarm import Fact, Followed, Opened, Reopened

MOST_TOLD: Final = 256
"""So many alerts are kept in mind for a rewind, the newest."""

MOST_BYTES: Final = 64_000
"""So much of facts a checkpoint carries: it is one item."""

type AlertName = tuple[str, int]
"""Metric and onset: what makes an alert of a device the same alert."""


class Telling(msgspec.Struct, frozen=True, omit_defaults=True):
    """The facts that a checkpoint carries.

    `untold` follow from this checkpoint; they are told once it is written. `told` is how each
    alert stands by what was told since the previous checkpoint: the last fact of each. `doubted`
    is the same of a history that a rewind undid, as far as the new one has not come that far;
    the metrics `again` must be folded for it to do so.
    """

    untold: tuple[Fact, ...] = ()
    told: tuple[Fact, ...] = ()
    doubted: tuple[Fact, ...] = ()
    again: tuple[str, ...] = ()

    def then(self, facts: Sequence[Fact], doubted: Sequence[Fact], *, moved: bool) -> "Telling":
        """What the next checkpoint carries: its own `facts`, and what is still in doubt.

        `moved`: this one becomes the previous checkpoint.
        """
        told = () if moved else _last((*self.told, *self.untold))
        return Telling(tuple(facts), told, tuple(doubted), self.again if doubted else ())

    def done(self) -> "Telling":
        """The same, with nothing left to be told."""
        told = _last((*self.told, *self.untold))
        return msgspec.structs.replace(self, untold=(), told=told)

    def rewound(self, again: Collection[str]) -> "Telling":
        """What the checkpoint carries that goes back before all that was told since the previous.

        `again` are the metrics that it goes back for.
        """
        doubted = _last((*self.doubted, *self.told, *self.untold))
        return Telling(doubted=doubted, again=tuple(again) if doubted else ())


NOTHING: Final = Telling()


def name_of(fact: Fact) -> AlertName:
    """Which alert a fact is about."""
    return fact.metric, fact.onset


def fits(facts: Sequence[Fact]) -> bool:
    """Whether a checkpoint can carry `facts`."""
    return len(msgspec.msgpack.encode(facts)) <= MOST_BYTES


def pack_telling(telling: Telling) -> bytes:
    """Pack `telling`, as MessagePack."""
    return msgspec.msgpack.encode(telling)


def unpack_telling(data: bytes) -> Telling:
    """What `pack_telling` packed. Raises `ValueError`."""
    return msgspec.msgpack.decode(data, type=Telling)


def _last(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The last fact of each alert, without words; the newest `MOST_TOLD` alerts."""
    last = {name_of(fact): _brief(fact) for fact in facts}
    newest = sorted(last.values(), key=lambda fact: fact.onset)[-MOST_TOLD:]
    return tuple(newest)


def _brief(fact: Fact) -> Fact:
    if isinstance(fact, Opened):
        return Followed(fact.metric, fact.onset, fact.onset, fact.score, fact.onset, 1)
    if isinstance(fact, Reopened):
        bare = {"value": None, "expected": None, "low": None, "high": None}
        return msgspec.structs.replace(fact, because="", **bare)
    return fact
