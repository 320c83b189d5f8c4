"""The detector of one metric: residuals at the scale of the values, and at that of a block.

What is expected comes from four memories: a profile of the day and offsets of the days of the week
(`weir.detection.rhythm`), a slow and a fast mean, and the mean departure from the profile of late.
Each residual is a channel whose two tails are learned (`weir.detection.tails`). A block is the
mean of 20 values: it sees what noise hides from a single one. It has two channels more, the
departure from the hours around, for habits that come early or late, and the logarithm of the
volatility, for noise that grows or dies.

The evidence of a value is the sum over the channels, the greater of both scales. Divided by the
metric's own mean evidence, in those values that had any, it becomes the surprise: so metrics can
be compared, and one that often jumps has to jump further (`weir.detection.surprise`).
"""

from collections.abc import Sequence
from math import inf, log
from typing import Final, NamedTuple

import msgspec

from weir.detection import layout
from weir.detection.coarse import SPLIT, TINY, coarse
from weir.detection.interface import Explanation, Folded
from weir.detection.rhythm import (
    DAYS,
    HOURS,
    MOST_VISITS,
    UNKNOWN,
    around,
    known_level,
    level_at,
)
from weir.detection.surprise import (
    GREAT,
    STRONG,
    learn_excess,
    of_rarity,
    score_of,
    weekly_score_of,
)
from weir.detection.tails import FLOATS, TailModel

CHANNELS: Final = ("rhythm", "level", "jump", "drift", "trend")
"""Value less profile, value less slow mean, value less fast mean, the mean of late of the first,
fast mean less slow mean."""

SEEN: Final = (*CHANNELS, "stuck")
_STUCK_CHANNEL: Final = len(CHANNELS)

BLOCK_CHANNELS: Final = (*(f"block {name}" for name in CHANNELS), "habit", "noise")
"""The same of block means; the departure from the hours around; and log volatility."""

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_LARGEST: Final = 1e290
"""Values beyond are taken for this, so that no sum or product of a few leaves the range."""
_TINY: Final = 1e-300
_NOMINAL_MS: Final = 300_000.0
"""The rates of the rhythm are for values this far apart; closer ones each count for less."""
_NEVER: Final = -(1 << 62)
_A_DAY_AND_A_HALF_MS: Final = 36 * 3_600_000
_WEEKDAY_PRIOR: Final = 300
_INTERVAL_RATE: Final = 0.5
_GAP: Final = 20.0
"""After so many intervals without a value, the fast mean begins anew."""
_CALM_NOISE: Final = 0.1
"""Volatility is never taken for less than this share of the usual."""
_NOISE_CLIP: Final = 10.0
_HABIT: Final = BLOCK_CHANNELS.index("habit")
"""Mostly 0, so its tail says little by itself."""
_HABIT_MOST: Final = 14.0
_CHANGES: Final = 100
_RUN: Final = 12
_RUNS: Final = 3
_LONGEST: Final = 0xFFFF
_STUCK: Final = 2.0
"""A metric is stuck once its value, after 100 changes, stays the same 12 times and three times
longer than ever. This is taken to happen once in 100 weeks, and less the longer it lasts; alerts
go by it, the score that ranks does not."""
_NEVER_BEATEN: Final = 1e9


class State(NamedTuple):
    """What is known of a metric. `weir.detection.layout` packs it, in this order."""

    n: int = 0
    ts: int = 0
    block_ts: int = 0
    """When the last block ended."""
    age: int = 0
    """Values since a surprise was scored."""
    anchor: float = 0.0
    """The first value: levels are kept as distances from it, so that coarse floats do."""
    interval: float = 0.0
    """The mean distance of values, in ms; 0 in the first block."""
    slow: float = 0.0
    fast: float = 0.0
    drift: float = 0.0
    last: float = 0.0
    run: int = 0
    """How many values in a row have been the same as the one before."""
    longest: int = 0
    changes: int = 0
    """The longest run that has ended, and how often the value has changed, up to 255."""
    sums: tuple[float, ...] = (0.0,) * (2 + len(CHANNELS))
    """Of the block that is being filled: values, rhythm, and the distances of the channels."""
    memory: tuple[float, ...] = (0.0,) * 6 + (1.25, 0.125, 0.0, 1.0, 0.0, 1.0, 0.0)
    """Of blocks: slow, fast, drift, last, volatility, usual volatility; then the sum and the
    weight of the evidence, the greatest surprise that was scored of late; then the mean excess of
    great surprises and how many there were, and the same of strong evidence of one channel."""
    profile: tuple[float, ...] = (UNKNOWN,) * HOURS
    visits: bytes = bytes(HOURS)
    weekdays: tuple[float, ...] = (0.0,) * DAYS
    tails: tuple[float, ...] = (0.0,) * (FLOATS * len(CHANNELS))
    block_tails: tuple[float, ...] = (0.0,) * (FLOATS * len(BLOCK_CHANNELS))


class UnivariateDetector(msgspec.Struct, frozen=True):
    """Scores the values of one metric; the parameters are the same for all metrics.

    >>> detector = UnivariateDetector()
    >>> state = detector.initial()
    >>> for at in range(600):
    ...     state, score = detector.step(state, 300_000 * at, 20.0 + 0.1 * (at * at % 7))
    >>> score < 0.3
    True
    >>> detector.step(state, 300_000 * 600, 35.0)[1] > 0.7
    True
    """

    version = 2

    warm_up: int = 100
    """So many values of a metric score 0."""
    sure: int = 600
    sure_blocks: int = 60
    """After so many, the evidence of one channel alone is believed by alerts."""
    young_caution: float = 2.0
    """In the first day and a half, what does not come as a jump has to be so much rarer, in
    logarithms, for an alert: a level that moves away may be the rhythm of a day not yet known."""
    slow_values: int = 150
    fast_values: int = 45
    """The memory of the means, in values; that of the fast one is the shorter."""
    hour_rate: float = 0.03
    weekday_rate: float = 0.003
    hour_clip: float = 5.0
    """What one value moves the profile by is bounded by so many mean departures from it."""
    block: int = 20
    block_warm_up: int = 8
    block_slow: float = 40.0
    block_fast: float = 3.0
    """The memory of the means of blocks, in blocks."""
    block_weight: float = 0.7
    evidence_rate: float = 0.003
    """The share of the mean evidence that is forgotten with each value that has some."""
    hold: int = 60
    """A surprise hides the lesser ones of so many values."""
    tail_model: TailModel = TailModel(
        quantile=0.995, shape=0.05, forget=0.0003, gain=0.005, peak_rate=0.1, floor=1.5
    )

    def initial(self) -> State:
        """The state before the first value."""
        return State()

    def step(self, state: State, ts: int, value: float) -> tuple[State, float]:
        """Score `value`, then learn it."""
        folded = self.fold(state, (ts,), (value,))
        return folded.state, folded.scores[0]

    def fold(
        self,
        state: State,
        times: Sequence[int],
        values: Sequence[float],
        seen: list[tuple[int, float]] | None = None,
        in_block: list[tuple[int, float]] | None = None,
    ) -> Folded[State]:
        """Score `values` at `times`, each from those before it alone, and learn them.

        `seen` and `in_block`, if given, get the channels that saw something, and their evidence.
        One loop over locals, with its channels written out: this is what scoring costs.
        """
        n, last_ts, block_ts, age, anchor, interval, slow, fast, drift, last = state[:10]
        run, longest, changes, sums, memory = state[10:15]
        visits = bytearray(state.visits)
        profile, weekdays = list(state.profile), list(state.weekdays)
        tails, block_tails = list(state.tails), list(state.block_tails)
        sum_value, sum_rhythm, sum_0, sum_1, sum_2, sum_3, sum_4 = sums
        evidence_sum, evidence_weight, standing, *tail = memory[6:]
        excess, great, strong_excess, strong = tail
        blocks_memory = memory[:6]
        peak = self.tail_model.peak
        block, hold, warm_up, sure = self.block, self.hold, self.warm_up, self.sure
        slow_values, fast_values, hour_clip = self.slow_values, self.fast_values, self.hour_clip
        weight = interval / _NOMINAL_MS if 0.0 < interval < _NOMINAL_MS else 1.0
        hour_rate, weekday_rate = self.hour_rate * weight, self.weekday_rate * weight
        slow_rate, fast_rate = 1.0 / slow_values, 1.0 / fast_values
        midnight = next_midnight = day = 0
        filling = n % block
        caution = self._caution(n, interval)
        back_at = _NEVER
        first = n + 1
        heard = n - age
        gap = _GAP * interval or inf
        scores = [0.0] * len(values)
        weekly = scores.copy()
        for ts, value in zip(times, values, strict=True):
            if not -_LARGEST < value < _LARGEST:
                value = _LARGEST if value > 0.0 else -_LARGEST
            n += 1
            if n == 1:
                anchor = value
                block_ts = ts
            value -= anchor
            if ts - last_ts > gap:
                if ts - last_ts <= _HOUR_MS:
                    back_at = ts
                fast = value
                drift = 0.0
            last_ts = ts

            # How far from the rhythm?
            if not midnight <= ts < next_midnight:
                midnight = ts - ts % _DAY_MS
                next_midnight = midnight + _DAY_MS
                day = ts // _DAY_MS % DAYS
            position = (ts - midnight) / _HOUR_MS + 23.5
            hour = int(position)
            share = position - hour
            hour %= HOURS
            after = hour + 1 if hour < 23 else 0
            left = profile[hour]
            expected = left + share * (profile[after] - left)
            offset = weekdays[day]
            if expected != expected:
                expected = known_level(left, profile[after], slow - offset)
            rhythm = value - offset - expected

            # Learn the rhythm.
            if share >= 0.5:
                hour = after
            been = visits[hour]
            if been:
                learned = profile[hour]
                move = value - offset - learned
                most = hour_clip * tails[0]
                if most > 0.0 and been > 1:
                    if move > most:
                        move = most
                    elif move < -most:
                        move = -most
                if been < MOST_VISITS:
                    been += 1
                    visits[hour] = been
                    rate = hour_rate if been * hour_rate > 1.0 else 1.0 / been
                else:
                    rate = hour_rate
                learned += rate * move
            else:
                learned = value - offset
                visits[hour] = 1
            split = learned * SPLIT  # coarse(), in place
            known = learned > TINY or learned < -TINY
            profile[hour] = split - (split - learned) if known else 0.0
            rate = 1.0 / (n + _WEEKDAY_PRIOR)
            offset += (rate if rate > weekday_rate else weekday_rate) * rhythm
            split = offset * SPLIT
            known = offset > TINY or offset < -TINY
            weekdays[day] = split - (split - offset) if known else 0.0

            # The channels.
            from_slow = value - slow
            from_fast = value - fast
            if n <= slow_values:
                slow_rate = 1.0 / n
                if n <= fast_values:
                    fast_rate = slow_rate
            slow += from_slow * slow_rate
            fast += from_fast * fast_rate
            drift += (rhythm - drift) * fast_rate
            trend = fast - slow
            sum_value += value
            sum_rhythm += rhythm
            evidence = strongest = sudden = 0.0
            if tails[3] <= rhythm <= tails[1]:
                sum_0 += abs(rhythm)
            else:
                found, distance = peak(tails, 0, rhythm, n, seen)
                evidence += found
                strongest = found
                sum_0 += distance
            if tails[8] <= from_slow <= tails[6]:
                sum_1 += abs(from_slow)
            else:
                found, distance = peak(tails, 1, from_slow, n, seen)
                evidence += found
                if found > strongest:
                    strongest = found
                sum_1 += distance
            if tails[13] <= from_fast <= tails[11]:
                sum_2 += abs(from_fast)
            else:
                found, distance = peak(tails, 2, from_fast, n, seen)
                evidence += found
                sudden = found
                if found > strongest:
                    strongest = found
                sum_2 += distance
            if tails[18] <= drift <= tails[16]:
                sum_3 += abs(drift)
            else:
                found, distance = peak(tails, 3, drift, n, seen)
                evidence += found
                if found > strongest:
                    strongest = found
                sum_3 += distance
            if tails[23] <= trend <= tails[21]:
                sum_4 += abs(trend)
            else:
                found, distance = peak(tails, 4, trend, n, seen)
                evidence += found
                if found > strongest:
                    strongest = found
                sum_4 += distance
            if n <= sure:
                strongest = 0.0
                if n <= warm_up:
                    evidence = 0.0

            # The block.
            filling += 1
            if filling == block:
                filling = 0
                self._learn(tails, (sum_0, sum_1, sum_2, sum_3, sum_4), n)
                passed = ts - block_ts
                block_ts = ts
                if n == block:
                    interval = passed / (block - 1)
                else:
                    most = 3.0 * block * interval + 1000.0
                    mean = (passed if passed < most else most) / block
                    interval += _INTERVAL_RATE * (mean - interval)
                gap = _GAP * interval or inf
                weight = interval / _NOMINAL_MS if 0.0 < interval < _NOMINAL_MS else 1.0
                hour_rate, weekday_rate = self.hour_rate * weight, self.weekday_rate * weight
                caution = self._caution(n, interval)
                mean = sum_value / block
                low, high = around(profile, visits, hour)
                habit = mean - offset
                habit = habit - high if habit > high else min(0.0, habit - low)
                found, highest, blocks_memory = self._weigh_block(
                    blocks_memory,
                    block_tails,
                    n // block,
                    mean,
                    sum_rhythm / block,
                    habit,
                    in_block,
                )
                if found > evidence:
                    evidence = found
                if highest > strongest:
                    strongest = highest
                sum_value = sum_rhythm = sum_0 = sum_1 = sum_2 = sum_3 = sum_4 = 0.0

            # A value that repeats longer than ever?
            stuck = 0.0
            if value != last:
                last = value
                if run:
                    if run > longest:
                        longest = run
                    run = 0
                if changes < _CHANGES:
                    changes += 1
            else:
                if run < _LONGEST:
                    run += 1
                if changes >= _CHANGES and run >= _RUN + _RUNS * longest:
                    stuck = of_rarity(_STUCK * run / (_RUN + _RUNS * longest))

            # From evidence to surprise.
            if evidence > 0.0:
                surprise = evidence * evidence_weight / evidence_sum
                keep = 1.0 - self.evidence_rate
                evidence_sum = coarse(evidence_sum * keep + evidence)
                evidence_weight = coarse(evidence_weight * keep + 1.0)
                # A jump moves the other four channels too, by as much if nothing ever moved before.
                # After a short gap there is none to be seen, and no day's rhythm to be blamed.
                jumped = 6.0 * sudden >= evidence or back_at == ts
                careful = 1.0 if jumped else caution
                level = weekly_score_of(surprise, GREAT, excess, interval, careful)
                if strongest > STRONG:
                    alone = weekly_score_of(strongest, STRONG, strong_excess, interval, careful)
                    if alone > level:
                        level = alone
                    strong_excess, strong = learn_excess(strong_excess, strong, strongest - STRONG)
                weekly[n - first] = level
                if surprise > standing or n - heard >= hold:
                    if surprise > GREAT:
                        excess, great = learn_excess(excess, great, surprise - GREAT)
                    standing = coarse(surprise)
                    heard = n
                    scores[n - first] = score_of(surprise)
            if stuck and stuck > weekly[n - first]:
                weekly[n - first] = stuck
                if seen is not None:
                    seen.append((_STUCK_CHANNEL, _NEVER_BEATEN))
        return Folded(
            State(
                n,
                last_ts,
                block_ts,
                min(n - heard, hold),
                anchor,
                interval,
                slow,
                fast,
                drift,
                last,
                run,
                longest,
                changes,
                (sum_value, sum_rhythm, sum_0, sum_1, sum_2, sum_3, sum_4),
                (
                    *(*blocks_memory, evidence_sum, evidence_weight, standing),
                    *(excess, great, strong_excess, strong),
                ),
                tuple(profile),
                bytes(visits),
                tuple(weekdays),
                tuple(tails),
                tuple(block_tails),
            ),
            scores,
            weekly,
        )

    def _caution(self, n: int, interval: float) -> float:
        """How much rarer an alert has to be after `n` values; the same throughout a block."""
        blocks = n // self.block
        known = blocks * self.block * interval >= _A_DAY_AND_A_HALF_MS
        return 1.0 if known else self.young_caution

    def _learn(self, tails: list[float], distances: Sequence[float], n: int) -> None:
        """Learn what a block of values showed of the scales of the channels."""
        for channel, distance in enumerate(distances):
            self.tail_model.learn(tails, channel, distance / self.block, n, self.block)

    def _weigh_block(
        self,
        memory: tuple[float, ...],
        tails: list[float],
        blocks: int,
        mean: float,
        rhythm: float,
        habit: float,
        seen: list[tuple[int, float]] | None,
    ) -> tuple[float, float, tuple[float, ...]]:
        """The evidence of the block, that of its strongest channel, and the memory of blocks."""
        slow, fast, drift, last, volatility, usual = memory
        if blocks == 1:
            slow = fast = last = mean
        slow_rate = 1.0 / min(self.block_slow, blocks)
        fast_rate = 1.0 / min(self.block_fast, blocks)
        change = abs(mean - last)
        volatility += fast_rate * (change - volatility)
        if blocks > self.block and change > _NOISE_CLIP * usual:
            change = _NOISE_CLIP * usual
        usual += slow_rate * (change - usual)
        noise = 0.0
        if usual > 0.0:
            calm = _CALM_NOISE * usual + _TINY
            noise = log((volatility + calm) / (usual + _TINY))
        drift += fast_rate * (rhythm - drift)
        from_slow = mean - slow
        from_fast = mean - fast
        slow = coarse(slow + slow_rate * from_slow)
        fast = coarse(fast + fast_rate * from_fast)
        residuals = (rhythm, from_slow, from_fast, drift, fast - slow, habit, noise)
        evidence = strongest = 0.0
        model = self.tail_model
        for channel, residual in enumerate(residuals):
            at = channel * FLOATS
            distance = abs(residual)
            if not tails[at + 3] <= residual <= tails[at + 1]:
                found, distance = model.peak(tails, channel, residual, blocks, seen)
                if channel == _HABIT:
                    found = min(found, _HABIT_MOST)
                elif found > strongest:
                    strongest = found
                evidence += found
            model.learn(tails, channel, distance, blocks, 1)
        if blocks <= self.block_warm_up:
            evidence = 0.0
        if blocks <= self.sure_blocks:
            strongest = 0.0
        memory = (slow, fast, coarse(drift), coarse(mean), coarse(volatility), coarse(usual))
        return evidence * self.block_weight, strongest, memory

    def explain(self, state: State, ts: int, value: float) -> Explanation:
        """The band that the profile and its tails allow, and the strongest channel."""
        seen: list[tuple[int, float]] = []
        in_block: list[tuple[int, float]] = []
        self.fold(state, (ts,), (value,), seen, in_block)
        offset = state.weekdays[ts // _DAY_MS % DAYS]
        expected = level_at(state.profile, ts, state.slow - offset) + offset
        expected += state.anchor if state.n else value
        _, upper, _, lower, _ = state.tails[:FLOATS]
        weight = self.block_weight
        found = [(evidence, SEEN[channel]) for channel, evidence in seen]
        found += [(evidence * weight, BLOCK_CHANNELS[channel]) for channel, evidence in in_block]
        channel = max(found)[1] if found else CHANNELS[0]
        return Explanation(expected, expected + lower, expected + upper, channel)

    def pack(self, state: State) -> bytes:
        """See `weir.detection.layout`."""
        return layout.pack(state)

    def unpack(self, data: bytes) -> State:
        """The state that was packed; raises `ValueError` otherwise."""
        return State(*layout.unpack(data))
