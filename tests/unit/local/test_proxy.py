"""What the proxy makes of a call: whose it is, what befalls it, and how a batch is divided."""

import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir_local.faults import Faults
from weir_local.http_server import Request
from weir_local.proxy.batch import FAULTS, can_be_split, split
from weir_local.proxy.call import Call, read_call, read_worker
from weir_local.proxy.fate import Fate, decide

PUT = Call("dynamodb", "PutItem", "score", 42)


def request(service: str, method: str = "POST", path: str = "/", **headers: str) -> Request:
    signature = (
        f"AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/{service}/aws4_request,"
        " SignedHeaders=host, Signature=00"
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, {"authorization": signature, **named}, b"")


# ------------------------------------------------------------------ whose call it is


def test_a_call_is_known_by_its_signature_its_target_and_the_worker_s_name() -> None:
    found = read_call(
        request(
            "dynamodb",
            x_amz_target="DynamoDB_20120810.BatchWriteItem",
            x_weir_worker="weir-local-ingest.4711",
        )
    )
    assert found == Call("dynamodb", "BatchWriteItem", "ingest", 4711)


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("PUT", "/bucket/spill/a%20b", "PutObject"),
        ("GET", "/bucket/spill/a?versionId=1", "GetObject"),
        ("HEAD", "/bucket/a", "HeadObject"),
        ("DELETE", "/bucket/a", "DeleteObject"),
        ("GET", "/bucket?list-type=2&prefix=a%2Fb", "ListObjectsV2"),
        ("GET", "/bucket/?list-type=2", "ListObjectsV2"),
        ("POST", "/bucket?delete", "DeleteObjects"),
        ("PUT", "/bucket", "PUT"),
    ],
)
def test_an_operation_of_s3_is_known_by_its_method_and_path(
    method: str, path: str, operation: str
) -> None:
    assert read_call(request("s3", method, path)).operation == operation


def test_an_operation_of_sns_is_known_by_its_body() -> None:
    unread = request("sns")
    body = b"TopicArn=arn%3Atopic&Message=Action%3DNo&Action=Publish&Version=2010-03-31"
    found = read_call(Request(unread.method, unread.path, unread.headers, body))
    assert (found.service, found.operation) == ("sns", "Publish")


@pytest.mark.parametrize("name", ["", "ingest", ".12", "ingest.", "ingest.x", "ingest.-1"])
def test_what_names_no_worker_is_nobody_and_cannot_be_killed(name: str) -> None:
    assert read_worker(name) == ("", None)


# ------------------------------------------------------------------ what befalls it


@pytest.mark.parametrize(
    ("service", "prefix"),
    [("dynamodb", "dynamo"), ("sqs", "sqs"), ("s3", "s3"), ("sns", "sns"), ("events", "events")],
)
@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ("refuse", Fate.REFUSE),
        ("throttle", Fate.THROTTLE),
        ("lose_answers", Fate.LOSE_ANSWER),
        ("slow", Fate.DELAY_ANSWER),
    ],
)
def test_a_fault_befalls_the_calls_of_its_service_only(
    service: str, prefix: str, fault: str, fate: Fate
) -> None:
    faults = Faults.parse({f"{prefix}_{fault}": 1})
    others = {"dynamodb", "sqs", "s3", "firehose", "sns", "events"} - {service}
    for other in others:
        assert decide(Call(other, "Any", "ingest", 1), b"", faults) is Fate.PASS
    assert decide(Call(service, "Any", "ingest", 1), b"", faults) is fate
    assert decide(Call(service, "Any", "ingest", 1), b"", faults) is Fate.PASS


def test_firehose_has_names_of_its_own() -> None:
    call = Call("firehose", "PutRecordBatch", "ingest", 1)
    for name, fate in {
        "refuse_calls": Fate.REFUSE,
        "throttle": Fate.THROTTLE,
        "firehose_lose_answers": Fate.LOSE_ANSWER,
        "firehose_slow": Fate.DELAY_ANSWER,
    }.items():
        assert decide(call, b"", Faults.parse({name: 1})) is fate


def test_a_function_is_killed_before_or_after_its_call_is_carried_out() -> None:
    faults = Faults.parse({"kill_score": 1.0, "seed": 5})
    fates = Counter(decide(PUT, b"", faults) for _ in range(100))
    assert set(fates) == {Fate.KILL_BEFORE, Fate.KILL_AFTER}
    assert min(fates.values()) > 30


def test_only_the_function_that_is_to_be_killed_is() -> None:
    faults = Faults.parse({"kill_ingest": 1.0})
    assert decide(PUT, b"", faults) is Fate.PASS
    assert decide(Call("dynamodb", "PutItem", "ingest", None), b"", faults) is Fate.PASS
    assert not faults.struck


def test_a_transform_whose_answer_is_to_be_lost_is_not_killed_at_its_calls() -> None:
    faults = Faults.parse({"kill_transform": 1})
    assert decide(Call("firehose", "PutRecordBatch", "transform", 1), b"", faults) is Fate.PASS


def test_one_thing_at_most_befalls_a_call() -> None:
    faults = Faults.parse({"dynamo_refuse": 1, "dynamo_throttle": 1, "dynamo_lose_answers": 1})
    fates = [decide(PUT, b"", faults) for _ in range(4)]
    assert fates == [Fate.REFUSE, Fate.THROTTLE, Fate.LOSE_ANSWER, Fate.PASS]


def test_what_struck_is_counted_with_its_place() -> None:
    faults = Faults.parse({"dynamo_refuse": 2})
    decide(PUT, b"", faults)
    decide(Call("dynamodb", "Query"), b"", faults)
    assert faults.struck == {
        "dynamo_refuse": 2,
        "dynamo_refuse@score.PutItem": 1,
        "dynamo_refuse@unknown.Query": 1,
    }


# ------------------------------------------------------------------ batches in part

WRITES = {
    "one": [{"PutRequest": {"Item": {"pk": {"S": str(at)}}}} for at in range(3)],
    "two": [{"DeleteRequest": {"Key": {"pk": {"S": "9"}}}}],
}
READS: dict[str, dict[str, Any]] = {
    "one": {"Keys": [{"pk": {"S": str(at)}} for at in range(3)], "ConsistentRead": True},
    "two": {"Keys": [{"pk": {"S": "9"}}], "ProjectionExpression": "pk"},
}
MESSAGES = [{"Id": str(at), "MessageBody": "{}", "MessageGroupId": "g"} for at in range(4)]


def body(**content: Any) -> bytes:
    return json.dumps(content).encode()


def entries(tables: dict[str, Any]) -> Counter[str]:
    return Counter(
        json.dumps([table, one], sort_keys=True)
        for table, found in tables.items()
        for one in (found["Keys"] if isinstance(found, dict) else found)
    )


@given(seed=st.integers(min_value=0, max_value=2**32))
def test_of_a_batch_of_writes_some_go_on_and_the_others_are_left(seed: int) -> None:
    part = split("BatchWriteItem", body(RequestItems=WRITES), random.Random(seed))
    assert part.forwarded is not None
    forwarded = json.loads(part.forwarded)["RequestItems"]
    left = json.loads(part.merged(b'{"UnprocessedItems": {}}'))["UnprocessedItems"]
    assert forwarded
    assert left
    assert entries(forwarded) + entries(left) == entries(WRITES)


@given(seed=st.integers(min_value=0, max_value=2**32))
def test_of_a_batch_of_reads_each_part_keeps_how_it_is_to_be_read(seed: int) -> None:
    request = body(RequestItems=READS, ReturnConsumedCapacity="TOTAL")
    part = split("BatchGetItem", request, random.Random(seed))
    assert part.forwarded is not None
    forwarded = json.loads(part.forwarded)
    left = json.loads(part.merged(b'{"Responses": {}}'))["UnprocessedKeys"]
    assert forwarded["ReturnConsumedCapacity"] == "TOTAL"
    assert entries(forwarded["RequestItems"]) + entries(left) == entries(READS)
    for tables in (forwarded["RequestItems"], left):
        for table, found in tables.items():
            assert {**found, "Keys": None} == {**READS[table], "Keys": None}


def test_what_the_service_itself_left_stays_left() -> None:
    part = split("BatchWriteItem", body(RequestItems=WRITES), random.Random(1))
    ours = part.left
    theirs = {"one": [{"PutRequest": {"Item": {"pk": {"S": "theirs"}}}}], "three": []}
    merged = json.loads(part.merged(body(UnprocessedItems=theirs)))["UnprocessedItems"]
    assert entries(merged) == entries(theirs) + entries(ours)


@given(seed=st.integers(min_value=0, max_value=2**32))
def test_of_a_batch_of_messages_each_is_sent_or_failed_and_all_may_fail(seed: int) -> None:
    request = body(QueueUrl="q", Entries=MESSAGES)
    part = split("SendMessageBatch", request, random.Random(seed))
    sent = json.loads(part.forwarded)["Entries"] if part.forwarded else []
    answered = body(Successful=[{"Id": one["Id"]} for one in sent]) if sent else b""
    answer = json.loads(part.merged(answered))
    assert answer["Failed"]
    assert not any(one["SenderFault"] for one in answer["Failed"])
    both = [one["Id"] for one in answer["Successful"] + answer["Failed"]]
    assert sorted(both) == [one["Id"] for one in MESSAGES]
    assert all(one in MESSAGES for one in sent)


@given(seed=st.integers(min_value=0, max_value=2**32))
def test_of_a_put_of_events_each_is_put_or_failed_in_its_own_place(seed: int) -> None:
    events = [{"Source": "weir", "Detail": str(at)} for at in range(4)]
    part = split("PutEvents", body(Entries=events), random.Random(seed))
    sent = json.loads(part.forwarded)["Entries"] if part.forwarded else []
    answered = body(Entries=[{"EventId": one["Detail"]} for one in sent]) if sent else b""
    answer = json.loads(part.merged(answered))
    places = [one.get("EventId") for one in answer["Entries"]]
    assert len(places) == 4
    assert all(place in (None, str(at)) for at, place in enumerate(places))
    assert places.count(None) == answer["FailedEntryCount"] == 4 - len(sent) > 0


def test_a_batch_that_cannot_fail_in_part_is_not_struck() -> None:
    faults = Faults.parse({"dynamo_unprocessed": 1, "sqs_fail_entries": 1})
    alone = body(RequestItems={"one": WRITES["two"]})
    write = Call("dynamodb", "BatchWriteItem", "ingest", 1)
    assert decide(write, alone, faults) is Fate.PASS
    assert decide(PUT, b"{}", faults) is Fate.PASS
    assert not faults.struck
    assert decide(write, body(RequestItems=WRITES), faults) is Fate.SPLIT
    send = Call("sqs", "SendMessageBatch", "ingest", 1)
    assert decide(send, body(Entries=MESSAGES[:1]), faults) is Fate.SPLIT


@pytest.mark.parametrize("operation", FAULTS)
@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"null", b"{}"])
def test_what_is_no_batch_cannot_be_divided(operation: str, broken: bytes) -> None:
    assert not can_be_split(operation, broken)
