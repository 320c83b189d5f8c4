"""How often a device is heard, learned from each device itself (docs/silence.md).

All by the clock at which its chunks were written, not by its readings' times and not by when they
were scored: what arrives late was not heard before, and a slow scorer makes no device silent.
"""

from collections.abc import Iterable
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from weir.controls import Controls

LEAST_GAPS: Final = 20
"""Before so many gaps between arrivals were seen, a device is not expected at all."""

LEAST_ALLOWANCE_S: Final = 60.0
"""A device is given at least so long: the watchdog looks once a minute."""

LEASE_READINGS: Final = 64
LEASE_S: Final = 3600.0
"""A checkpoint is due after so many readings of a metric, or so long (`watermarks.HOURLY`)."""

CAUGHT_UP_S: Final = 300.0
"""A lag that fell by so much, or by more than the device may be silent, is written down at once."""

LONG_PAUSE: Final = 4.0
"""A gap of so many times the mean is a pause; up to there a device is merely irregular."""

_PAUSES: Final = 1.5
_HALF_LIFE_S: Final = 28 * 86_400.0
_MEAN_OVER: Final = 32
_LAG_OVER: Final = 8
_SKEW_MS: Final = 5_000
_PACE_OVER: Final = 4


class Heard(msgspec.Struct, frozen=True, gc=False):
    """When a device was heard last, and how often it is.

    `last` is when its newest chunk was written (epoch ms), 0 for never. Of the `gaps` between
    arrivals there are the mean of the last 32 or so, pauses left out (`mean_s`), and the two
    longest of late, each less by half after four weeks. `pace` is how many readings of its fastest
    metric come with an arrival, `lag_s` how long after its newest reading a chunk arrives.
    """

    last: int = 0
    gaps: int = 0
    mean_s: float = 0.0
    longest_s: float = 0.0
    second_s: float = 0.0
    pace: float = 0.0
    lag_s: float = 0.0

    # -------------------------------------------------------------- learning

    def ring(self, arrivals: Iterable[int], between: Iterable[int] = ()) -> Self:
        """The same after chunks that were written at `arrivals` (epoch ms).

        `between` are the times of the newest readings of chunks that others heard meanwhile: a
        worker whose checkpoint is some chunks old must not take its age for a gap. What is not
        after `last` changes nothing, so a doorbell may ring again.
        """
        times = sorted({at for at in arrivals if at > self.last})
        if not times:
            return self
        if not self.last:
            return replace(self, last=times[-1])
        if between:
            lag = round(self.lag_s * 1000.0)
            times = sorted({*times, *(t1 + lag for t1 in between if t1 + lag < times[-1])})
        last, gaps, mean = self.last, self.gaps, self.mean_s
        longest, second = self.longest_s, self.second_s
        for at in times:
            gap = (at - last) / 1000.0
            if gap <= 0.0:
                continue
            last = at
            gaps += 1
            # A pause is none of the cadence, beyond a bound by which a new one is soon learned.
            usual = gap if gaps <= LEAST_GAPS else min(gap, LONG_PAUSE * mean)
            mean += (usual - mean) / min(gaps, _MEAN_OVER)
            faded = 0.5 ** (gap / _HALF_LIFE_S)
            longest, second = longest * faded, second * faded
            if gap > longest:
                longest, second = gap, longest
            elif gap > second:
                second = gap
        return replace(self, last=last, gaps=gaps, mean_s=mean, longest_s=longest, second_s=second)

    def lagging(self, newest: int) -> Self:
        """The same when the device's newest reading, at `newest`, came with the last arrival.

        A lag rises slowly and falls at once: who sends history first and goes on live would
        otherwise count as heard for as long as the history was old.
        """
        sample = (self.last - newest) / 1000.0
        over = max(1, min(self.gaps, _LAG_OVER))
        return replace(self, lag_s=min(sample, self.lag_s + (sample - self.lag_s) / over))

    def caught_up(self, since: Self) -> bool:
        """Whether the lag fell by so much since `since` that looks by the old one would mislead."""
        return since.lag_s - self.lag_s > max(CAUGHT_UP_S, self.allowance_s() or 0.0)

    def paced(self, readings: int, since: Self) -> Self:
        """The same when `readings` of its fastest metric came after `since`."""
        arrivals = self.gaps - since.gaps
        if readings <= 0 or arrivals <= 0:
            return self
        sample = readings / arrivals
        pace = self.pace + (sample - self.pace) / _PACE_OVER if self.pace else sample
        return replace(self, pace=pace)

    # -------------------------------------------------------------- what follows

    def allowance_s(self, silent_after_s: float | None = None) -> float | None:
        """How long it may be silent: what was set, or what was learned; None for no end."""
        if silent_after_s is not None:
            return silent_after_s or None
        if self.gaps < LEAST_GAPS:
            return None
        # The longest pause teaches nothing: it may have been an outage. The next longest shows
        # that such pauses are the device's habit.
        return max(LEAST_ALLOWANCE_S, LONG_PAUSE * self.mean_s, _PAUSES * self.second_s)

    def lease_s(self) -> float:
        """How long until the next checkpoint, by when a device that goes on is heard of."""
        if not self.pace:
            return LEASE_S
        return min(LEASE_S, LEASE_READINGS / self.pace * self.mean_s)

    def heard_at(self, newest: int | None) -> int:
        """When it was heard last, if its newest reading is of the time `newest`."""
        return self.last if newest is None else max(self.last, newest + round(self.lag_s * 1000))

    def expected_by(self, silent_after_s: float | None = None) -> int | None:
        """When (epoch ms) to look for it, if no checkpoint comes before; None for never.

        What was learned is only as fresh as checkpoints are, and a look costs: so the next one is
        waited for. Who sets a time pays for a look whenever that has passed.
        """
        return self.next_look(self.last, silent_after_s)

    def next_look(self, heard_at: int, silent_after_s: float | None = None) -> int | None:
        """The same if it was heard at `heard_at`."""
        allowance = self.allowance_s(silent_after_s)
        if allowance is None or not heard_at:
            return None
        lease = self.lease_s() if silent_after_s is None else 0.0
        return heard_at + round((lease + allowance) * 1000.0)

    def why_silent(self, silent_ms: int, silent_after_s: float | None = None) -> str:
        """Why it counts as silent when it has been for `silent_ms`, for a person.

        >>> Heard(gaps=99, mean_s=30.1, longest_s=40, second_s=31).why_silent(750_000)
        'no reading for 12 min; it reports every 30 s as a rule'
        >>> Heard(gaps=99, mean_s=30.1, longest_s=9e4, second_s=28900).why_silent(54_000_000)
        'no reading for 15 h; it reports every 30 s as a rule, with pauses of up to 8 h'
        >>> Heard().why_silent(750_000, 600)
        'no reading for 12 min; 10 min are allowed'
        """
        silent = f"no reading for {_span(silent_ms / 1000.0)}"
        if silent_after_s:
            return f"{silent}; {_span(silent_after_s)} are allowed"
        if self.gaps < LEAST_GAPS:
            return silent
        usual = f"{silent}; it reports every {_span(self.mean_s)} as a rule"
        if self.second_s > LONG_PAUSE * self.mean_s:
            return f"{usual}, with pauses of up to {_span(self.second_s)}"
        return usual

    # -------------------------------------------------------------- as text

    def text(self) -> str:
        """The JSON of it, in tenths and thousandths of seconds, since tables keep it by the byte.

        >>> Heard(1767225600000, 40, 30.00001).text()
        '{"last":1767225600000,"gaps":40,"mean_s":30.0,"longest_s":0.0,"second_s":0.0,"pace":0.0,"lag_s":0.0}'
        """
        short = Heard(
            self.last,
            self.gaps,
            round(self.mean_s, 3),
            round(self.longest_s, 1),
            round(self.second_s, 1),
            round(self.pace, 3),
            round(self.lag_s, 1),
        )
        return _ENCODE(short).decode()

    @classmethod
    def of_text(cls, text: str | None) -> "Heard":
        """What `text` wrote; what cannot be read is learned anew."""
        if text is None:
            return NOTHING_HEARD
        try:
            return _DECODE(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return NOTHING_HEARD


class Silence(msgspec.Struct, frozen=True, gc=False):
    """The watchdog's mark on a device: its newest reading, and when it was marked (epoch ms).

    The first is of the readings' time and the onset of the alert; the second is of the clock.
    """

    since: int
    marked_at: int

    def ended_at(self, arrivals: Iterable[int]) -> int | None:
        """When the device was heard again; None if all of `arrivals` came before the mark.

        Those are doorbells that ring again, or late: a backlog of them makes no device talk.
        """
        return min((at for at in arrivals if at > self.marked_at - _SKEW_MS), default=None)


NOTHING_HEARD: Final = Heard()

_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder(Heard).decode


def silent_after(controls: Controls) -> float | None:
    """After how many seconds a device counts as silent by what operators set.

    0: never, as if its alerts, or the fleet's, are ignored; None: by what was learned.
    """
    own = controls.device.ignore
    ignored = controls.fleet.ignore if own is None else own
    return 0.0 if ignored else controls.silent_after_s


def _span(seconds: float) -> str:
    """A length of time as people say it, in one unit."""
    for name, unit in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * unit:
            return f"{int(seconds / unit)} {name}"
    return f"{max(round(seconds), 1)} s"
