"""What scoring costs a reading, above the detector itself.

Measured is what score does for a chunk that rang: inflate and parse its body, then fold it into
the device's state. The floor is the same detectors alone over the same numbers, ready in lists.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.figures import Figure, Findings
from benchmarks.rounds import in_turn
from benchmarks.sample import METRICS, READINGS, VALUES
from benchmarks.transform import as_readings
from weir.chunks import StoredChunk, pack, unpack_body
from weir.detection import IN_USE, JOINT, Detector
from weir.scoring.fold import fold
from weir.scoring.state import DeviceState, MetricState

_EVER = 1 << 62


def run() -> Findings:
    """Measure unpacking and folding one chunk of 100 readings of 5 metrics."""
    (chunk,) = pack(as_readings(7))
    sk, body = chunk.sk, chunk.body
    detector = IN_USE
    state = DeviceState({name: MetricState(chunk.t0 - 1) for name in METRICS})

    def ours() -> None:
        fold(state, [StoredChunk(sk, unpack_body(body))], state.metrics, _EVER, detector)

    timings = in_turn({"score": ours, "floor": _floor(body, detector)})
    ratio = timings.ratio("score", "floor")
    return Findings(
        [
            Figure(
                "score, CPU a reading (unpack and fold)",
                f"{timings.seconds('score') / READINGS * 1e6:.1f} µs",
                f"{timings.seconds('floor') / READINGS * 1e6:.1f} µs",
                f"floor: the detectors alone, {VALUES // READINGS} values a reading",
                f"{ratio:.2f}",
            )
        ],
        {
            "score_over_floor": ratio,
            "score_us_per_reading": timings.seconds("score") / READINGS * 1e6,
        },
    )


def _floor(body: bytes, detector: Detector[Any]) -> Callable[[], object]:
    document = unpack_body(body)
    times = [document.t0 + offset for offset in document.dt]
    columns = [[value for value in column if value is not None] for column in document.v.values()]

    rows = list(zip(*columns, strict=True))

    def floor() -> None:
        for column in columns:
            detector.fold(detector.initial(), times, column)
        joint = JOINT.initial(len(columns))
        for ts, row in zip(times, rows, strict=True):
            joint, _ = JOINT.step(joint, ts, row)

    return floor
