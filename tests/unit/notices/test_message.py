"""Messages in words and JSON: short enough, plain enough, and all in them."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.notices import START, an_alert, some_notices
from weir.alerts.alarm import Cleared, Fact, Reopened
from weir.alerts.lifecycle import silence_cleared, silence_opened, tell
from weir.notices.message import MAX_LISTED_BYTES, MAX_SUBJECT, digest, single
from weir.notices.notice import Notice, notices_of

MOST_BYTES = 256 * 1024


def test_a_single_message_says_what_where_and_since_when() -> None:
    (notice,) = notices_of(None, an_alert())
    message = single(notice)
    assert message.message_id == notice.notice_id
    assert message.subject == "[critical] pump-7 flow: alert opened"
    assert message.text == (
        "pump-7 flow: alert opened\n"
        "\n"
        "  Device    pump-7\n"
        "  Metric    flow\n"
        "  Severity  critical\n"
        "  Came      93.1\n"
        "  Expected  72 (70.25 to 75.9)\n"
        "  Because   93.1, expected 70.25 to 75.9\n"
        "  Began     2026-01-01 00:00:00 UTC\n"
        "  Ended     not yet\n"
        "  Readings  1 out of the usual\n"
        "  Happened  2026-01-01 00:00:00 UTC\n"
        "  Alert     pump-7~1767225600000~flow\n"
        "  Notice    pump-7~1767225600000~flow#1\n"
    )
    assert msgspec.json.decode(message.document, type=Notice) == notice
    assert message.attributes == {
        "type": ["notice"],
        "severity": ["critical"],
        "kind": ["opened"],
        "device_id": ["pump-7"],
    }


def test_a_silence_reads_as_one() -> None:
    silent = tell(None, "pump-7", [silence_opened(START, "expected every 60 s")], 1, "silence")
    assert silent is not None
    heard = tell(silent, "pump-7", [silence_cleared(START, START + 900_000)], 1, "silence")
    assert heard is not None
    assert [single(each).subject for each in notices_of(None, heard)] == [
        "[major] pump-7: silent since 2026-01-01 00:00:00 UTC",
        "[major] pump-7: heard again",
    ]
    assert "out of the usual" not in single(notices_of(None, silent)[0]).text


@given(
    device=st.text("abcXYZ019._:-", min_size=1, max_size=128),
    metric=st.text(min_size=1, max_size=128),
    because=st.text(max_size=600),
)
def test_whatever_the_names_a_subject_is_short_plain_text_and_no_line_is_forged(
    device: str, metric: str, because: str
) -> None:
    (made,) = notices_of(None, an_alert(device))
    message = single(msgspec.structs.replace(made, metric=metric, because=because))
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert 0 < len(message.subject) <= MAX_SUBJECT
    names = [line[:12].strip() for line in message.text.splitlines()[2:]]
    assert len(names) == len(set(names))
    assert set(names) <= {
        "Device", "Metric", "Severity", "Came", "Expected", "Because", "Began", "Ended",
        "Readings", "Happened", "Alert", "Notice",
    }  # fmt: skip


def test_a_digest_counts_and_tells_of_the_worst_ten() -> None:
    notices = [
        notice
        for at in range(1000)
        for notice in notices_of(None, an_alert(f"pump-{at}", score=0.5 + at / 2000))
    ]
    message = digest(START, notices)
    told = json.loads(message.document)
    assert message.message_id == told["digest_id"] == "digest~1767225600000"
    assert message.subject == (
        "[critical] 1,000 changes of alerts on 1,000 devices within a minute"
    )
    assert (told["notices"], told["devices"], told["truncated"]) == (1000, 1000, False)
    assert told["by_severity"] == {"critical": 200, "major": 200, "minor": 600}
    assert told["by_kind"] == {"opened": 1000}
    assert [each["device_id"] for each in told["worst"]] == [
        f"pump-{at}" for at in range(999, 989, -1)
    ]
    assert sorted(told["notice_ids"]) == sorted(each.notice_id for each in notices)
    assert message.attributes["severity"] == ["critical", "major", "minor"]
    assert message.text.splitlines()[:9] == [
        "1,000 changes of alerts on 1,000 devices within a minute",
        "",
        "  Minute    2026-01-01 00:00:00 UTC",
        "  Severity  200 critical, 200 major, 600 minor",
        "  What      1,000 opened",
        "",
        "The worst 10 of 1,000:",
        "   1. [critical] pump-999 flow: alert opened",
        "      93.1, expected 70.25 to 75.9",
    ]


def test_a_digest_of_one_reads_like_a_single_message() -> None:
    (notice,) = some_notices(1)
    assert digest(START, [notice]) == single(notice)


def test_a_digest_does_not_depend_on_the_order_in_which_it_was_read() -> None:
    notices = some_notices(30)
    assert digest(START, notices) == digest(START, notices[::-1])


def test_however_many_and_long_the_ids_a_digest_fits_a_message() -> None:
    long = "é" * 128
    notices = [
        notice
        for at in range(3000)
        for notice in notices_of(None, an_alert("d" * 120 + str(at), long))
    ]
    message = digest(START, notices)
    told = json.loads(message.document)
    assert told["truncated"]
    assert told["notices"] == 3000
    assert 0 < len("".join(told["notice_ids"])) <= MAX_LISTED_BYTES
    bodies = msgspec.json.encode({"default": message.document, "email": message.text})
    devices = msgspec.json.encode(message.attributes["device_id"])
    assert len(bodies) + len(devices) < MOST_BYTES


def test_the_message_of_an_alert_that_opened_again_says_why_it_did_once() -> None:
    alert = an_alert()
    end, at, count = alert.onset + 60_000, alert.onset + 90_000, 5
    because = "12, expected 70 to 76"
    facts: list[Fact] = [
        Cleared("flow", alert.onset, end, 0.95, alert.onset),
        Reopened("flow", alert.onset, at, 0.95, at, count, because, 12.0, 73.0, 70.0, 76.0),
    ]
    after = tell(alert, alert.device_id, facts, 2)
    assert after is not None
    text = single(notices_of(alert, after)[-1]).text
    assert "alert reopened" in text
    assert "  Came      12\n  Expected  73 (70 to 76)\n  Because   12, expected 70 to 76\n" in text
    assert text.count(because) == 1
