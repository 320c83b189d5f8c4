"""Files of readings: what is read, what is reported, and how times are moved."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.readings import Reading, check_device_id
from weir_cli.csv_source import CsvOptions
from weir_cli.rows import Item, Row, Unreadable
from weir_cli.sources import Survey, device_id_of, open_source, read_ndjson, shifted, survey

NAB = """timestamp,value
2014-04-14 23:55:00,91.958
2014-04-15 00:00:00,94.798
"""
SKAB = """datetime;Accelerometer1RMS;Volume Flow RateRMS;anomaly;changepoint
2020-03-01 15:44:06;0.0820647;76.0197;0.0;0.0
2020-03-01 15:44:07;0.0827238;;1.0;0.0
"""
FIRST = 1_397_519_700_000


def read(tmp_path: Path, text: str, options: CsvOptions | None = None) -> list[Item]:
    file = tmp_path / "pump 7.csv"
    file.write_text(text, encoding="utf-8")
    return list(open_source(str(file), None, options or CsvOptions()))


def test_a_file_of_times_and_values_is_one_metric_of_the_file_s_device(tmp_path: Path) -> None:
    assert read(tmp_path, NAB) == [
        Row(2, Reading("pump-7", FIRST, {"value": 91.958})),
        Row(3, Reading("pump-7", FIRST + 300_000, {"value": 94.798})),
    ]


def test_the_value_column_can_be_given_a_name(tmp_path: Path) -> None:
    (first, _) = read(tmp_path, NAB, CsvOptions(metric="temperature"))
    assert isinstance(first, Row)
    assert first.reading.metrics == {"temperature": 91.958}


def test_a_wide_file_has_a_metric_for_each_column_of_numbers(tmp_path: Path) -> None:
    first, second = read(tmp_path, SKAB)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.reading.metrics == {
        "Accelerometer1RMS": 0.0820647,
        "Volume Flow RateRMS": 76.0197,
        "anomaly": 0.0,
        "changepoint": 0.0,
    }


def test_an_empty_cell_is_a_metric_that_is_absent(tmp_path: Path) -> None:
    _, second = read(tmp_path, SKAB)
    assert isinstance(second, Row)
    assert "Volume Flow RateRMS" not in second.reading.metrics


def test_columns_can_be_left_out(tmp_path: Path) -> None:
    first, _ = read(tmp_path, SKAB, CsvOptions(omit=("anomaly", "changepoint")))
    assert isinstance(first, Row)
    assert set(first.reading.metrics) == {"Accelerometer1RMS", "Volume Flow RateRMS"}


def test_the_time_column_is_found_by_its_name_and_devices_by_theirs(tmp_path: Path) -> None:
    rows = read(
        tmp_path, "flow,device_id,ts,site\n1.5,pump-9,1397519700,north\n2.5,,1397519701,s\n"
    )
    assert rows == [
        Row(2, Reading("pump-9", FIRST, {"flow": 1.5})),
        Row(3, Reading("pump-7", FIRST + 1000, {"flow": 2.5})),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2014-04-14 23:55:00,", "the row has no value"),
        ("2014-04-14 23:55:00", "the row has no value"),
        ("2014-04-14 23:55:00,NaN", "the row has no value"),
        ("2014-04-14 23:55:00,broken", "value is 'broken', not a finite number"),
        ("2014-04-14 23:55:00,inf", "value is 'inf', not a finite number"),
        ("soon,1.0", "'soon' is no time such as 2026-01-31T12:00:00Z"),
        ("2014-04-14 23:55:00,1.0,2.0", "3 cells, but the header has 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_reported_with_its_line(
    tmp_path: Path, line: str, reason: str
) -> None:
    rows = read(tmp_path, f"{NAB}\n{line}\n2014-04-15 00:05:00,1.0\n")
    assert rows[2] == Unreadable(5, reason)
    assert isinstance(rows[3], Row)
    assert rows[3].line == 6


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("", CsvOptions(), "no header"),
        ("timestamp\n2014-04-14 23:55:00\n", CsvOptions(), "no header"),
        ("timestamp,site\n2014-04-14 23:55:00,north\n", CsvOptions(), "no column of numbers"),
        ("ts,a,a\n1,1,1\n", CsvOptions(), "names the column 'a' twice"),
        (SKAB, CsvOptions(metric="x"), "--metric can name only one"),
        (NAB, CsvOptions(omit=("flow",)), "no column 'flow' to leave out"),
        ("ts,\n1,1\n", CsvOptions(), "the header cannot be used"),
    ],
)
def test_a_header_that_makes_no_sense_is_an_error(
    tmp_path: Path, text: str, options: CsvOptions, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path, text, options)


def test_lines_of_json_are_native_readings(tmp_path: Path) -> None:
    lines = (
        '{"ts": "2014-04-14T23:55:00Z", "metrics": {"flow": 1}, "tags": {"site": "n"}}\n\n'
        '{"device_id": "pump-9", "ts": 1397519700000, "metrics": {"flow": 2}}\n'
    )
    assert read(tmp_path, lines) == [
        Row(1, Reading("pump-7", FIRST, {"flow": 1.0}, {"site": "n"})),
        Row(3, Reading("pump-9", FIRST, {"flow": 2.0})),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "the line is not JSON"),
        ("[1]", "no JSON object"),
        ('{"metrics": {"a": 1}}', "ts is missing"),
        ('{"ts": 1}', "metrics is missing"),
        ('{"ts": 1, "metrics": {"a": 1}}', "device_id is missing"),
        ('{"device_id": "a b", "ts": 1, "metrics": {"a": 1}}', "device_id is a string of 3"),
        ('{"device_id": "a", "ts": 1, "metrics": {"a": "x"}}', "must be a finite number"),
        ('{"device_id": "a", "ts": 1, "metrics": {"a": NaN}}', "must be a finite number"),
    ],
)
def test_a_line_that_is_no_reading_is_reported(line: str, reason: str) -> None:
    (row,) = read_ndjson([line], None)
    assert isinstance(row, Unreadable)
    assert reason in row.reason


def test_stdin_is_read_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"device_id": "a", "ts": 5, "metrics": {"x": 1}}\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    source = open_source("-", None, CsvOptions())
    assert survey(source) == survey(source) == Survey(1, 5)


def test_a_device_that_is_named_must_be_valid() -> None:
    with pytest.raises(ValueError, match="device_id is a string of 3 characters"):
        open_source("-", "a b", CsvOptions())


@given(st.text())
def test_whatever_a_file_is_called_its_device_is_valid(name: str) -> None:
    check_device_id(device_id_of(name))


def row(ts: int) -> Row:
    return Row(1, Reading("a", ts, {"x": 1.0}))


@given(
    st.lists(st.integers(0, 10_000_000_000_000), min_size=1),
    st.integers(0, 10_000_000_000_000),
)
def test_moving_times_keeps_every_distance_and_ends_where_it_should(
    times: list[int], end: int
) -> None:
    source: list[Item] = [row(ts) for ts in times]
    newest = survey(source).newest
    assert newest is not None
    moved = [item.reading.ts for item in shifted(source, end - newest) if isinstance(item, Row)]
    assert max(moved) == end
    assert [ts - moved[0] for ts in moved] == [ts - times[0] for ts in times]


def test_a_survey_counts_unreadable_rows_too() -> None:
    assert survey([row(3), Unreadable(2, "x"), row(2)]) == Survey(3, 3)
    assert survey([Unreadable(2, "x")]) == Survey(1, None)
