"""Where Firehose puts objects."""

import re
from datetime import UTC, datetime

import pytest

from weir_local.firehose.prefixes import evaluate, java_time, object_name

ARRIVAL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def test_timestamps_are_of_the_arrival_in_utc() -> None:
    prefix = "readings/date=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    assert evaluate(prefix, ARRIVAL) == "readings/date=2026-01-02/hour=03/"


def test_an_error_prefix_names_the_kind_of_error() -> None:
    prefix = "errors/!{firehose:error-output-type}/date=!{timestamp:yyyy-MM-dd}/"
    assert evaluate(prefix, ARRIVAL, "processing-failed") == (
        "errors/processing-failed/date=2026-01-02/"
    )


def test_a_prefix_without_a_time_gets_the_default_one() -> None:
    assert evaluate("lake/", ARRIVAL) == "lake/2026/01/02/03/"
    assert evaluate("", ARRIVAL) == "2026/01/02/03/"


def test_an_error_type_makes_no_sense_where_nothing_failed() -> None:
    with pytest.raises(ValueError, match="error-output-type"):
        evaluate("!{firehose:error-output-type}/", ARRIVAL)


def test_text_in_quotes_is_kept_as_it_is() -> None:
    moment = datetime.fromtimestamp(ARRIVAL, UTC)
    assert java_time("yyyy'year'MM", moment) == "2026year01"
    with pytest.raises(ValueError, match="EEE"):
        java_time("EEE", moment)


def test_an_object_is_named_after_its_stream_version_and_time() -> None:
    pattern = r"weir-lake-1-2026-01-02-03-04-05-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.gz"
    assert re.fullmatch(pattern, object_name("weir-lake", "1", ARRIVAL, ".gz"))
