"""Times and spans as an operator writes them."""

import pytest

from weir_cli.timeline import ALL, end_ms, moment_ms, show_ts, since_ms, span_ms

APRIL = 1_397_519_700_000
"""2014-04-14 23:55:00 UTC."""


@pytest.mark.parametrize(
    "text",
    [
        "2014-04-14 23:55:00",
        "2014-04-14T23:55:00Z",
        "2014-04-15T01:55:00+02:00",
        "2014-04-14 23:55:00.000999",
        "1397519700",
        "1397519700.0",
        "1397519700000",
        " 1397519700000 ",
    ],
)
def test_one_moment_may_be_written_in_many_ways(text: str) -> None:
    assert moment_ms(text) == APRIL


@pytest.mark.parametrize("text", ["", "yesterday", "2014-13-01", "12:00", "nan", "1e9999"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment_ms(text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("250ms", 250), ("90s", 90_000), ("5m", 300_000), ("1.5h", 5_400_000), ("7d", 604_800_000)],
)
def test_a_span_is_a_number_and_a_unit(text: str, ms: int) -> None:
    assert span_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 weeks", "5m3s"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span"):
        span_ms(text)


def test_since_all_is_the_beginning_of_time() -> None:
    assert since_ms("all", APRIL) == ALL
    assert since_ms("1h", APRIL) == APRIL - 3_600_000
    assert since_ms("1h", 1000) == 0


def test_an_end_is_now_or_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: APRIL * 1_000_000 + 7)
    assert end_ms("now") == APRIL
    assert end_ms("2014-04-14T23:55:01Z") == APRIL + 1000


def test_whole_seconds_are_shown_without_milliseconds() -> None:
    assert show_ts(APRIL) == "2014-04-14T23:55:00Z"
    assert show_ts(APRIL + 5) == "2014-04-14T23:55:00.005Z"
