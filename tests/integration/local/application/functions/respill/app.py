"""A stand-in for respill: writes what was spilled, fails the poison and what comes after it."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event, _context):
    """Write an item a message."""
    print(json.dumps({"records": len(event["Records"])}))
    failed = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        if failed or body["device_id"].startswith("poison"):
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        order = record["attributes"]["SequenceNumber"]
        item = {"pk": {"S": body["device_id"]}, "sk": {"S": body["sk"]}, "order": {"S": order}}
        dynamodb.batch_write_item(
            RequestItems={os.environ["READINGS_TABLE"]: [{"PutRequest": {"Item": item}}]}
        )
    return {"batchItemFailures": failed}
