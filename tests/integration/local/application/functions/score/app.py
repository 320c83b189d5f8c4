"""A stand-in for score: notes in the States table what the stream said of each device."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event, _context):
    """Write one state a record; report the poisonous ones."""
    print(json.dumps({"records": len(event["Records"])}))
    failures = []
    for record in event["Records"]:
        device = record["dynamodb"]["Keys"]["pk"]["S"]
        if device.startswith("poison"):
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
            continue
        item = {"pk": {"S": device}, "record": {"S": json.dumps(record)}}
        dynamodb.put_item(TableName=os.environ["STATES_TABLE"], Item=item)
    return {"batchItemFailures": failures}
