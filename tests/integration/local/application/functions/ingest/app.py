"""A stand-in for ingest: writes what it gets to both destinations, unpacked and unchecked."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
firehose = boto3.client("firehose")


def lambda_handler(event, _context):
    """Write one reading."""
    body = json.loads(event["body"])
    print(json.dumps({"device_id": body["device_id"]}))
    put = firehose.put_record_batch(
        DeliveryStreamName=os.environ["LAKE_STREAM"],
        Records=[{"Data": json.dumps(body).encode()}],
    )
    item = {"pk": {"S": body["device_id"]}, "sk": {"S": body["sk"]}, "body": {"B": b"\x00\xff"}}
    dynamodb.batch_write_item(
        RequestItems={os.environ["READINGS_TABLE"]: [{"PutRequest": {"Item": item}}]}
    )
    return {"statusCode": 202, "body": json.dumps({"path": event["rawPath"], "put": put})}
