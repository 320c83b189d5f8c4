"""A stand-in for notify: tells of each record and message, and sends what is to wait to itself."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")
sns = boto3.client("sns")
sqs = boto3.client("sqs")


def lambda_handler(event, _context):
    """Handle a batch of the stream's or of the queue's."""
    records = event["Records"]
    source = records[0]["eventSource"]
    print(json.dumps({"records": len(records), "source": source}))
    for record in records:
        if source == "aws:sqs":
            tell({"waited": record["body"]})
        else:
            note(record)
    return {"batchItemFailures": []}


def note(record):
    """Write that the record came, tell of it, and send a message that comes after a minute."""
    device = record["dynamodb"]["Keys"]["pk"]["S"]
    number = record["dynamodb"]["SequenceNumber"]
    item = {"pk": {"S": device}, "sk": {"S": number}, "event": {"S": record["eventName"]}}
    dynamodb.put_item(TableName=os.environ["NOTICES_TABLE"], Item=item)
    tell({"device": device})
    url = os.environ["NOTICE_QUEUE_URL"]
    sqs.send_message(QueueUrl=url, MessageBody=device, DelaySeconds=60)


def tell(content):
    """Publish to the topic, and put an event on the bus."""
    message = json.dumps(content)
    sns.publish(TopicArn=os.environ["ALERT_TOPIC"], Message=message)
    entry = {"Source": "weir", "DetailType": "test", "Detail": message}
    events.put_events(Entries=[{**entry, "EventBusName": os.environ["ALERT_BUS"]}])
