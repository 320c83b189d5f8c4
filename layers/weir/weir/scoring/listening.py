"""What a visit to a device has to do with how often it is heard: learn it, and end a silence."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from weir.alerts.lifecycle import silence_cleared, silence_opened
from weir.chunks import StoredChunk
from weir.controls import Controls
from weir.scoring.hearing import Heard, Silence, silent_after
from weir.scoring.ports import Alerts
from weir.scoring.state import Checkpoint, DeviceState


class Listening:
    """One visit's: when its chunks were written (`arrivals`, epoch ms), and the mark it found."""

    def __init__(
        self, alerts: Alerts, controls: Controls, arrivals: Sequence[int], silence: Silence | None
    ) -> None:
        self._alerts = alerts
        self._limit = silent_after(controls)
        self._arrivals = arrivals
        self._silence = silence

    def end_silence(self, checkpoint: Checkpoint, heard: Heard) -> bool:
        """If the device was marked silent and rings again, clear the alert; then a write is due.

        The alert comes before the mark, which goes with the next checkpoint: who finds the mark
        clears again. If the alert is not there yet, the watchdog will find it opened and cleared.
        """
        silence = self._silence
        if silence is None or (ended_at := silence.ended_at(self._arrivals)) is None:
            return False
        why = heard.why_silent(ended_at - heard.heard_at(silence.since), self._limit)
        opened = silence_opened(silence.since, why)
        cleared = silence_cleared(silence.since, ended_at)
        device_id, basis = checkpoint.device_id, checkpoint.version
        self._alerts.tell(device_id, [opened, cleared], basis, kind="silence")
        self._silence = None
        return True

    def hear(
        self,
        heard: Heard,
        rung: Sequence[StoredChunk],
        before: DeviceState,
        added: Iterable[StoredChunk] = (),
    ) -> Heard:
        """Learn from when `rung` were written; `added` are all chunks that were new to `before`."""
        keys = {chunk.sk for chunk in rung}
        others = [chunk.t1 for chunk in added if chunk.sk not in keys]
        after = heard.ring(self._arrivals, others)
        if after is heard:
            return heard
        newest = max(chunk.t1 for chunk in rung)
        return after.lagging(newest) if newest > before.frontier else after

    def stamped(self, new: Checkpoint, old: Checkpoint, heard: Heard) -> Checkpoint:
        """The checkpoint `new` after `old`, with what was heard, and the mark if it stays."""
        paced = heard.paced(_most_scored(old.current, new.current), old.heard)
        expected_by = paced.expected_by(self._limit)
        return replace(new, heard=paced, expected_by=expected_by, silence=self._silence)


def _most_scored(old: DeviceState, new: DeviceState) -> int:
    """How many readings of the metric that has most of them `new` has more than `old`."""
    return max(
        (
            metric.scored - (old.metrics[name].scored if name in old.metrics else 0)
            for name, metric in new.metrics.items()
        ),
        default=0,
    )
