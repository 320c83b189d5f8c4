"""What the emulator leaves out of a deployed template, set up through the services' public APIs."""

from collections.abc import Mapping
from typing import Any

import boto3

from weir_local.deploy import Deployed

_DYNAMODB_STREAM, _SQS = ":dynamodb:", ":sqs:"
# On AWS a message of a function that died comes again after six times the function's timeout.
_VISIBILITY_S = 5


def supplement(session: boto3.Session, deployed: Deployed) -> None:
    """Switch on TTL and recovery, switch off the stream mapping, and shorten a queue's waits."""
    for logical_id, resource in deployed.template["Resources"].items():
        physical_id = deployed.resources.get(logical_id, "")
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                _finish_table(session, physical_id, resource.get("Properties", {}))
            case "AWS::Lambda::EventSourceMapping":
                _finish_mapping(session, physical_id)


def _finish_mapping(session: boto3.Session, mapping_id: str) -> None:
    lambda_: Any = session.client("lambda")
    source = lambda_.get_event_source_mapping(UUID=mapping_id)["EventSourceArn"]
    if _DYNAMODB_STREAM in source:
        # The emulator creates it enabled whatever the template says, and its poller takes a
        # partial failure for a success: the stand-in is the only consumer here.
        lambda_.update_event_source_mapping(UUID=mapping_id, Enabled=False)
    elif _SQS in source:
        sqs: Any = session.client("sqs")
        url = sqs.get_queue_url(QueueName=source.rpartition(":")[2])["QueueUrl"]
        attributes = {"VisibilityTimeout": str(_VISIBILITY_S)}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def _finish_table(session: boto3.Session, name: str, properties: Mapping[str, Any]) -> None:
    dynamodb: Any = session.client("dynamodb")
    wanted = properties.get("TimeToLiveSpecification")
    if wanted:
        current = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if current["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            specification = {"AttributeName": wanted["AttributeName"], "Enabled": True}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    recovery = properties.get("PointInTimeRecoverySpecification")
    if recovery:
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
