"""`weir backtest`: a score for each row, in its place, as the detector gives it."""

import csv
import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from weir.alerts.alarm import CALM_READINGS
from weir.detection import IN_USE, Explanation, Folded
from weir_cli.backtest import Outcome, backtest
from weir_cli.backtest_plot import Trace, draw
from weir_cli.main import app

DAY = "2014-04-14 23:55:00"
NAB = f"timestamp,value\n{DAY},1.50\n2014-04-15 00:00:00.000000,2\n"
HOUR = 3_600_000


class Last:
    """Scores a value by its distance from the one before it; keeps the times it was given."""

    version = 1

    def __init__(self) -> None:
        self.times: list[int] = []

    def initial(self) -> float:
        return 0.0

    def fold(self, state: float, times: Sequence[int], values: Sequence[float]) -> Folded[float]:
        self.times.extend(times)
        distances = [abs(value - before) for before, value in pairwise((state, *values))]
        scores = [distance / (1.0 + distance) for distance in distances]
        return Folded(values[-1] if values else state, scores, scores)

    def step(self, state: float, ts: int, value: float) -> tuple[float, float]:
        folded = self.fold(state, (ts,), (value,))
        return folded.state, folded.scores[0]

    def explain(self, state: float, ts: int, value: float) -> Explanation:
        return Explanation(state, state - 1.0, state + 1.0, "level")

    def pack(self, state: float) -> bytes:
        return struct.pack("<d", state)

    def unpack(self, data: bytes) -> float:
        return float(struct.unpack("<d", data)[0])


def weir(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["backtest", *map(str, arguments)])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(tmp_path: Path, text: str, detector: Any = None) -> tuple[list[list[str]], Outcome]:
    source, target = write(tmp_path / "a.csv", text), tmp_path / "scores.csv"
    outcome = backtest(source, target, detector or Last(), progress=lambda read: None)
    with target.open(encoding="utf-8", newline="") as scored:
        header, *rows = csv.reader(scored)
    assert header == ["timestamp", "value", "anomaly_score"]
    return rows, outcome


def test_times_and_values_are_written_as_they_were_given(tmp_path: Path) -> None:
    rows, outcome = run(tmp_path, NAB)
    assert rows == [
        [DAY, "1.50", "0.6"],
        ["2014-04-15 00:00:00.000000", "2", repr(0.5 / 1.5)],
    ]
    assert outcome == Outcome(rows=2)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60))
def test_the_scores_are_those_of_the_detector_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    text = "timestamp,value\n" + "".join(
        f"{1_400_000_000_000 + at * HOUR},{value!r}\n" for at, value in enumerate(values)
    )
    rows, _ = run(tmp_path_factory.mktemp("run"), text, IN_USE)
    state = IN_USE.initial()
    for at, (value, row) in enumerate(zip(values, rows, strict=True)):
        state, score = IN_USE.step(state, 1_400_000_000_000 + at * HOUR, value)
        assert float(row[2]) == score
        assert row[1] == repr(value)


def test_time_stands_still_for_rows_that_repeat_or_go_back(tmp_path: Path) -> None:
    detector = Last()
    rows, _ = run(tmp_path, "timestamp,value\n2000,1\n1000,2\n2000,3\n3000,4\n", detector)
    assert detector.times == [2_000_000, 2_000_000, 2_000_000, 3_000_000]
    assert [row[0] for row in rows] == ["2000", "1000", "2000", "3000"]
    assert all(float(row[2]) == 0.5 for row in rows)


def test_a_row_without_a_number_or_a_time_scores_0_and_teaches_nothing(tmp_path: Path) -> None:
    rows, outcome = run(
        tmp_path,
        f"timestamp,value\n{DAY},1\n{DAY},\n{DAY},oops\n{DAY},nan\nnever,5\n{DAY}\n\n{DAY},1\n",
    )
    assert rows == [
        [DAY, "1", "0.5"],
        [DAY, "", "0.0"],
        [DAY, "oops", "0.0"],
        [DAY, "nan", "0.0"],
        ["never", "5", "0.0"],
        [DAY, "", "0.0"],
        [DAY, "1", "0.0"],
    ]
    assert outcome == Outcome(rows=7, unreadable=5, first_unreadable=3)


@pytest.mark.parametrize(
    "text",
    [
        "\ufefftimestamp,value\n2000,1\n",
        "value;ts\n1;2000\n",
        "time,site,Value\n2000,north,1\n",
        "timestamp,temperature\n2000,1\n",
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text)[0] == [["2000", "1", "0.5"]]


def test_bytes_that_are_no_utf8_come_out_as_they_went_in(tmp_path: Path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_bytes(b"timestamp,value\n2000,\xff\xfe\n")
    backtest(source, target, Last(), progress=lambda read: None)
    assert target.read_bytes() == b"timestamp,value,anomaly_score\n2000,\xff\xfe,0.0\n"


def test_the_progress_reaches_the_size_of_the_file(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", "timestamp,value\n" + "2000,1\n" * 40_000)
    seen: list[int] = []
    backtest(source, tmp_path / "b.csv", Last(), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == source.stat().st_size


def test_a_trace_keeps_the_band_that_was_expected_and_the_alerts(tmp_path: Path) -> None:
    detector = Last()
    trace = Trace(detector)
    calm = "".join(f"{3 + at},9\n" for at in range(CALM_READINGS))
    source = write(tmp_path / "a.csv", f"timestamp,value\n0,0\n1,0.2\n2,9\n{calm}")
    outcome = backtest(
        source, tmp_path / "b.csv", detector, progress=lambda read: None, watcher=trace
    )
    assert outcome.alerts == 1
    assert list(trace.low)[:4] == [-1.0, -1.0, -0.8, 8.0]
    assert list(trace.high)[:4] == [1.0, 1.0, 1.2, 10.0]
    second = 1 / 86_400
    assert trace.alerts == [pytest.approx((2 * second, (2 + CALM_READINGS) * second))]
    draw(trace, "a", [(0, 1000)], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_series_without_rows_can_be_drawn(tmp_path: Path) -> None:
    draw(Trace(Last()), "nothing", [], tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_the_command_writes_a_file_for_each(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.csv", NAB), write(tmp_path / "2.csv", NAB + "x,y\n")
    out = tmp_path / "out" / "deep"
    labels = write(
        tmp_path / "windows.json",
        json.dumps({f"{tmp_path.name}/1.csv": [[DAY, "2014-04-15 00:00:00"]]}),
    )
    result = weir(one, two, "--out", out, "--png", "--labels", labels)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["1.csv", "1.png", "2.csv", "2.png"]
    assert f"{out / '1.csv'}: 2 rows, 0 alerts" in result.stdout
    assert f"{two}: 1 row without a time or a number scored 0, the first in line 4" in result.stderr
    assert f"{two}: the labels have no entry for it" in result.stderr
    assert f"{one}: the labels" not in result.stderr


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "x.csv", NAB), write(tmp_path / "b" / "x.csv", NAB)
    result = weir(one, two, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{one} and {two} would both be written to" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_is_not_overwritten_by_its_scores(tmp_path: Path) -> None:
    one = write(tmp_path / "x.csv", NAB)
    result = weir(one, "--out", tmp_path)
    assert result.exit_code == 1
    assert "would be overwritten by its scores" in result.stderr
    assert one.read_text(encoding="utf-8") == NAB


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file has no header such as timestamp,value."),
        ("2014-04-14 23:55:00,1\n", "the first line holds a time where"),
        ("timestamp,flow,pressure\n", "the header names no column value"),
        (f"timestamp,value\n{DAY},{'1' * 200_000}\n", "field larger than field limit"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    result = weir(write(tmp_path / "x.csv", text), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "is no JSON object"),
        ('{"x.csv": [["2014-04-14"]]}', "the windows of x.csv are no list of pairs of times"),
        ('{"x.csv": [[1, 2]]}', "the windows of x.csv are no list of pairs of times"),
        ('{"x.csv": 3}', "the windows of x.csv are no list of pairs of times"),
    ],
)
def test_labels_that_make_no_sense_are_one_sentence(
    tmp_path: Path, document: str, sentence: str
) -> None:
    labels = write(tmp_path / "w.json", document)
    one = write(tmp_path / "x.csv", NAB)
    result = weir(one, "--out", tmp_path / "out", "--png", "--labels", labels)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_labels_alone_are_a_mistake(tmp_path: Path) -> None:
    one = write(tmp_path / "x.csv", NAB)
    assert weir(one, "--out", tmp_path / "out", "--labels", one).exit_code == 2


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = weir(tmp_path / "gone.csv", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "gone.csv: no such file." in result.stderr
