"""A stand-in for ingest: writes what it gets to both destinations, unpacked and unchecked."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
firehose = boto3.client("firehose")
sqs = boto3.client("sqs")
s3 = boto3.client("s3")


def lambda_handler(event, _context):
    """Write one reading, spill some, or send a binary body back."""
    if event["isBase64Encoded"]:
        print(json.dumps({"binary": len(event["body"])}))
        headers = {"content-type": event["headers"]["content-type"]}
        return {
            "statusCode": 200,
            "headers": headers,
            "body": event["body"],
            "isBase64Encoded": True,
        }
    body = json.loads(event["body"])
    print(json.dumps({"device_id": body["device_id"]}))
    if "spill" in body:
        return {"statusCode": 202, "body": json.dumps(spill(body))}
    put = firehose.put_record_batch(
        DeliveryStreamName=os.environ["LAKE_STREAM"],
        Records=[{"Data": json.dumps(body).encode()}],
    )
    item = {"pk": {"S": body["device_id"]}, "sk": {"S": body["sk"]}, "body": {"B": b"\x00\xff"}}
    dynamodb.batch_write_item(
        RequestItems={os.environ["READINGS_TABLE"]: [{"PutRequest": {"Item": item}}]}
    )
    authorizer = event["requestContext"]["authorizer"]["lambda"]
    answer = {"path": event["rawPath"], "authorizer": authorizer, "put": put}
    return {"statusCode": 202, "body": json.dumps(answer)}


def spill(body):
    """Send as many messages as are wanted, in one batch, and put an object beside them."""
    device_id = body["device_id"]
    entries = [
        {
            "Id": str(at),
            "MessageBody": json.dumps({"device_id": device_id, "sk": f"spilled-{at}"}),
            "MessageGroupId": device_id,
            "MessageDeduplicationId": f"{device_id}-{at}",
        }
        for at in range(body["spill"])
    ]
    answer = sqs.send_message_batch(QueueUrl=os.environ["SPILL_QUEUE_URL"], Entries=entries)
    key = f"spill/{device_id}"
    s3.put_object(Bucket=os.environ["SPILL_BUCKET"], Key=key, Body=b"large")
    return {"failed": len(answer.get("Failed", []))}
