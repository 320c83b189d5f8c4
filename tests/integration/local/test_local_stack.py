"""The local stack, with the real template and functions that are as small as can be."""

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from weir_local.aws import client
from weir_local.control import Control
from weir_local.paths import REPOSITORY
from weir_local.processes import is_running
from weir_local.stack import StackError, StackOptions, down, up
from weir_local.status import StackStatus, load_status

APPLICATION = Path(__file__).parent / "application"

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".tools" / "emulator").exists(), reason="the emulator is not installed"
)


@dataclass
class Stack:
    status: StackStatus
    options: StackOptions
    control: Control

    def post(self, device: str, sk: str = "1") -> httpx.Response:
        url = f"{self.status.api_url}/v1/readings"
        body = {"device_id": device, "sk": sk}
        return httpx.post(url, json=body, timeout=30, trust_env=False)

    def settle(self) -> None:
        self.control.flush()
        self.control.wait_idle(30)

    def states(self) -> dict[str, Any]:
        found = client(self.status, "dynamodb").scan(TableName=self.status.states_table)
        return {item["pk"]["S"]: json.loads(item["record"]["S"]) for item in found["Items"]}

    def objects(self, bucket: str, prefix: str) -> list[bytes]:
        s3 = client(self.status, "s3")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]

    def lake(self, prefix: str) -> list[Any]:
        bodies = self.objects(self.status.lake_bucket, prefix)
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(APPLICATION, source, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "template.yaml", source)
    options = StackOptions(directory=source / "local", source=source, auth=True, time_scale=0.01)
    status = up(options, print)
    with Control(status.control_url) as control:
        yield Stack(status, options, control)
    down(options.directory, print)
    assert not is_running(status.emulator_pid)
    assert not is_running(status.standins_pid)


@pytest.fixture(autouse=True)
def no_faults(stack: Stack) -> Iterator[None]:
    yield
    stack.control.clear_faults()


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
    dynamodb: Any = boto3.client(
        "dynamodb",
        endpoint_url=status.endpoint_url,
        region_name=status.region,
        aws_access_key_id=assumed["Credentials"]["AccessKeyId"],
        aws_secret_access_key=assumed["Credentials"]["SecretAccessKey"],
        aws_session_token=assumed["Credentials"]["SessionToken"],
    )
    write = [{"PutRequest": {"Item": {"pk": {"S": "mallory"}, "sk": {"S": "1"}}}}]
    dynamodb.batch_write_item(RequestItems={status.readings_table: write})
    with pytest.raises(ClientError, match="not authorized"):
        dynamodb.batch_write_item(RequestItems={status.alerts_table: write})


def test_a_start_that_fails_stops_everything_and_names_the_log(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(APPLICATION, source)
    (source / "template.yaml").write_text("Resources: nonsense\n")
    options = StackOptions(directory=tmp_path / "local", source=source)
    with pytest.raises(StackError, match=r"deploy\.log"):
        up(options, print)
    assert load_status(options.directory) is None
    assert not down(options.directory, print)
