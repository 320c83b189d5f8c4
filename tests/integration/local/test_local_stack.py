"""The local stack, with the real template and functions that are as small as can be."""

import gzip
import json
import shutil
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.conftest import APPLICATION
from tests.integration.local.stack import Stack
from weir.identity import EVERY_DEVICE, admitted, digest_of
from weir.storage.device_key_store import DeviceKeyStore
from weir_local.aws import client
from weir_local.issuer import Issuer
from weir_local.paths import REPOSITORY
from weir_local.stack import StackError, StackOptions, down, up
from weir_local.status import ISSUER_FILE, load_status

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".tools" / "emulator").exists(), reason="the emulator is not installed"
)


def test_a_second_start_returns_the_stack_that_runs(stack: Stack) -> None:
    assert up(stack.options, print) == stack.status
    assert load_status(stack.options.directory) == stack.status


def test_a_reading_travels_both_ways(stack: Stack) -> None:
    answer = stack.post("pump-1")
    assert answer.status_code == 202
    assert answer.json()["path"] == "/v1/readings"
    stack.settle()
    assert {"device_id": "pump-1", "sk": "1"} in stack.lake("readings/date=")
    image = stack.states()["pump-1"]["dynamodb"]["NewImage"]
    assert image["body"] == {"B": "AP8="}


def test_only_who_has_a_key_comes_in_and_what_the_authorizer_says_comes_with_the_event(
    stack: Stack,
) -> None:
    body = b'{"device_id": "pump-6", "sk": "1"}'
    assert stack.call("POST", "/v1/readings", content=body).status_code == 401
    assert stack.send(body, key="bad").status_code == 403
    first = stack.send(body, key="good-6").json()["authorizer"]
    assert first["key"] == "good-6"
    # Its answer is kept, as the template says.
    assert stack.send(body, key="good-6").json()["authorizer"] == first


def test_an_operator_comes_in_with_a_token_of_the_issuer_s(stack: Stack) -> None:
    assert stack.call("GET", "/v1/device-keys").status_code == 401
    token = stack.status.operator_token
    forged = token[:-8] + ("A" * 8)
    for credential, status in ((stack.status.device_key, 401), (forged, 401), (token, 200)):
        headers = {"authorization": f"Bearer {credential}"}
        answer = stack.call("POST", "/v1/device-keys/k1/revoke", headers=headers)
        assert answer.status_code == status
    assert answer.json()["jwt"]["claims"]["sub"] == "developer"
    assert answer.json()["parameters"] == {"key_id": "k1"}
    issuer = Issuer.load(stack.options.directory / ISSUER_FILE)
    other = {"authorization": f"Bearer {issuer.token(aud='another')}"}
    assert stack.call("GET", "/v1/device-keys", headers=other).status_code == 401


def test_the_development_key_is_kept_as_a_hash(stack: Stack) -> None:
    store = DeviceKeyStore(client(stack.status, "dynamodb"), stack.status.devices_table)
    [kept] = store.all()
    assert admitted(digest_of(stack.status.device_key), kept, int(time.time())) == EVERY_DEVICE


def test_public_routes_take_no_key(stack: Stack) -> None:
    assert stack.call("GET", "/health").json()["route"] == "GET /health"
    assert stack.call("HEAD", "/ping").status_code == 200
    assert stack.call("GET", "/nowhere").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/x-protobuf"},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
    ids=["protobuf", "gzip"],
)
def test_a_binary_body_goes_in_and_out_whole(stack: Stack, headers: dict[str, str]) -> None:
    body = gzip.compress(bytes(range(256)))
    answer = stack.send(body, **headers)
    assert answer.content == body
    assert answer.headers["content-type"] == headers["content_type"]


def test_nothing_is_pending_when_all_is_done(stack: Stack) -> None:
    stack.post("pump-2")
    assert stack.control.pending()
    stack.settle()
    assert not stack.control.pending()
    counts = stack.control.counts()
    assert counts["firehose"]["records_put"] == counts["firehose"]["records_delivered"]


def test_firehose_delivers_by_itself_after_its_interval(stack: Stack) -> None:
    stack.post("pump-3")
    stack.control.wait_idle(30)
    assert {"device_id": "pump-3", "sk": "1"} in stack.lake("readings/date=")


def test_a_record_that_fails_the_transform_lands_under_the_error_prefix(stack: Stack) -> None:
    put = {"DeliveryStreamName": stack.status.firehose, "Record": {"Data": b'"poison"'}}
    client(stack.status, "firehose").put_record(**put)
    stack.settle()
    [error] = stack.lake("errors/processing-failed/date=")
    assert error["errorCode"] == "Lambda.ProcessingFailedStatus"


def test_a_poison_record_lands_in_the_failure_bucket(stack: Stack) -> None:
    stack.post("poison-1")
    stack.settle()
    [body] = stack.objects(stack.status.failure_bucket, "aws/lambda/")
    failure = json.loads(body)
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    [record] = json.loads(failure["payload"])["Records"]
    assert record["dynamodb"]["Keys"]["pk"]["S"] == "poison-1"


def test_a_killed_batch_comes_again(stack: Stack) -> None:
    before = stack.control.counts()["stream"]["killed"]
    stack.control.set_faults({"kill_mid_batch": 1})
    stack.post("pump-4")
    stack.settle()
    assert "pump-4" in stack.states()
    assert stack.control.counts()["stream"]["killed"] == before + 1


def test_what_is_spilled_comes_back_in_order_and_nothing_is_idle_before(stack: Stack) -> None:
    assert stack.post("spilled", spill=5).json() == {"failed": 0}
    assert stack.control.pending().spilled_messages
    stack.settle()
    found = stack.readings("spilled")
    assert list(found) == [f"spilled-{at}" for at in range(5)]
    orders = [item["order"]["S"] for item in found.values()]
    assert orders == sorted(orders)
    assert "spilled" in stack.states()
    assert stack.objects(stack.status.failure_bucket, "spill/spilled") == [b"large"]


def test_a_message_that_keeps_failing_lies_with_the_dead_letters_in_the_end(stack: Stack) -> None:
    sqs = client(stack.status, "sqs")
    url = stack.status.spill_queue_url
    attributes = ["RedrivePolicy", "VisibilityTimeout"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)["Attributes"]
    redrive = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": 2}
    hurried = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "1"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=hurried)
    stack.post("poison-2", spill=1)
    stack.settle()
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
    dead = sqs.receive_message(QueueUrl=stack.status.spill_dead_letters_url)["Messages"]
    assert [json.loads(one["Body"])["device_id"] for one in dead] == ["poison-2"]


@pytest.mark.parametrize("function", ["ingest", "score", "transform"])
def test_a_function_that_is_killed_begins_anew(stack: Stack, function: str) -> None:
    fault = "kill_transform_process" if function == "transform" else f"kill_{function}"
    before = stack.struck(fault)
    stack.control.set_faults({fault: 1})
    device = f"killed-{function}"
    statuses = [stack.post(device).status_code]
    if function == "ingest":
        statuses.append(stack.post(device).status_code)
    stack.settle()
    assert statuses == ([500, 202] if function == "ingest" else [202])
    assert stack.struck(fault) == before + 1
    assert device in stack.states()
    assert {"device_id": device, "sk": "1"} in stack.lake("readings/date=")


def test_a_message_whose_function_was_killed_comes_again(stack: Stack) -> None:
    stack.control.set_faults({"kill_respill": 1})
    stack.post("killed-respill", spill=2)
    stack.settle()
    assert list(stack.readings("killed-respill")) == ["spilled-0", "spilled-1"]
    assert stack.struck("kill_respill@respill.BatchWriteItem") == 1


def test_a_fault_strikes_the_function_that_it_is_narrowed_to(stack: Stack) -> None:
    stack.control.set_faults({"dynamo_refuse@score": 2, "s3_throttle@ingest@PutObject": 1})
    stack.post("narrowed")
    stack.post("narrowed", spill=1)
    stack.settle()
    struck = stack.control.counts()["struck"]
    assert struck["dynamo_refuse@score.PutItem"] == struck["dynamo_refuse"] == 2
    assert struck["s3_throttle@ingest.PutObject"] == 1
    assert "narrowed" in stack.states()


def test_some_of_a_batch_of_messages_can_fail(stack: Stack) -> None:
    stack.control.set_faults({"sqs_fail_entries": 1})
    failed = stack.post("half", spill=8).json()["failed"]
    stack.settle()
    assert failed
    assert len(stack.readings("half")) == 8 - failed


def test_an_unknown_fault_is_refused_by_name(stack: Stack) -> None:
    with pytest.raises(ValueError, match="earthquake"):
        stack.control.set_faults({"earthquake": 1})


def test_what_stays_under_way_is_named(stack: Stack) -> None:
    stack.control.set_faults({"fail_invocations": 5})
    stack.post("pump-5")
    with pytest.raises(TimeoutError, match="stream_records=1"):
        stack.control.wait_idle(0.2)
    stack.control.clear_faults()
    stack.settle()
    assert "pump-5" in stack.states()


def test_the_tables_expire_items_as_the_template_says(stack: Stack) -> None:
    dynamodb = client(stack.status, "dynamodb")
    for table in (stack.status.readings_table, stack.status.alerts_table):
        found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert (found["TimeToLiveStatus"], found["AttributeName"]) == ("ENABLED", "expires_at")


def test_a_function_s_role_may_do_what_the_template_says_and_no_more(stack: Stack) -> None:
    status = stack.status
    function = client(status, "lambda").get_function_configuration(
        FunctionName=status.ingest_function
    )
    assumed = client(status, "sts").assume_role(RoleArn=function["Role"], RoleSessionName="test")
    role: Any = {
        "endpoint_url": status.endpoint_url,
        "region_name": status.region,
        "aws_access_key_id": assumed["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": assumed["Credentials"]["SecretAccessKey"],
        "aws_session_token": assumed["Credentials"]["SessionToken"],
    }
    dynamodb: Any = boto3.client("dynamodb", **role)
    message = {
        "Id": "1",
        "MessageBody": '{"device_id": "by-role", "sk": "1"}',
        "MessageGroupId": "by-role",
        "MessageDeduplicationId": "by-role",
    }
    write = [{"PutRequest": {"Item": {"pk": {"S": "mallory"}, "sk": {"S": "1"}}}}]
    dynamodb.batch_write_item(RequestItems={status.readings_table: write})
    with pytest.raises(ClientError, match="not authorized"):
        dynamodb.batch_write_item(RequestItems={status.alerts_table: write})
    sqs: Any = boto3.client("sqs", **role)
    sqs.send_message_batch(QueueUrl=status.spill_queue_url, Entries=[message])
    with pytest.raises(ClientError, match="not authorized"):
        sqs.receive_message(QueueUrl=status.spill_queue_url)
    stack.settle()


def test_a_start_that_fails_stops_everything_and_names_the_log(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(APPLICATION, source)
    (source / "template.yaml").write_text("Resources: nonsense\n")
    options = StackOptions(directory=tmp_path / "local", source=source)
    with pytest.raises(StackError, match=r"deploy\.log"):
        up(options, print)
    assert load_status(options.directory) is None
    assert not down(options.directory, print)
