"""The errors of DynamoDB, SQS, S3, SNS and EventBridge as they answer them; pure.

Sources: DynamoDB developer guide, "Error handling with DynamoDB"; SQS API reference, "Common
errors" and the AWS JSON protocol; S3 API reference, "Error responses"; SNS API reference, "Publish"
and "Common errors"; EventBridge API reference, "PutEvents".
"""

import json
import random
import uuid

from weir_local.http_server import Response
from weir_local.proxy.fate import Fate

_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
_DYNAMODB_THROTTLES = (
    (
        f"{_DYNAMODB}ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider"
        " increasing your provisioning level with the UpdateTable API.",
    ),
    (
        "com.amazon.coral.availability#ThrottlingException",
        "Throughput exceeds the current capacity of your table or index.",
    ),
)


def error_answer(service: str, fate: Fate, dice: random.Random) -> Response:
    """Return the answer of a service that refuses (`Fate.REFUSE`) or throttles a call."""
    throttles = fate is Fate.THROTTLE
    match service:
        case "dynamodb" if throttles:
            return _json_error(400, *dice.choice(_DYNAMODB_THROTTLES))
        case "dynamodb":
            message = "The request processing has failed because of an unknown error."
            return _json_error(500, f"{_DYNAMODB}InternalServerError", message)
        case "sqs" if throttles:
            return _json_error(
                400, "com.amazon.coral.availability#ThrottlingException", "Rate exceeded"
            )
        case "sqs":
            message = "The request has failed due to a temporary failure of the server."
            return _json_error(503, "com.amazonaws.sqs#ServiceUnavailable", message)
        case "sns" if throttles:
            return _query_error(400, "Sender", "Throttling", "Rate exceeded")
        case "sns":
            return _query_error(500, "Receiver", "InternalError", "Internal error. Try again.")
        case "events" if throttles:
            return _json_error(400, "ThrottlingException", "Rate exceeded")
        case "events":
            return _json_error(500, "InternalException", "An internal error occurred.")
        case _ if throttles:
            return _xml_error(503, "SlowDown", "Please reduce your request rate.")
        case _:
            message = "We encountered an internal error. Please try again."
            return _xml_error(500, "InternalError", message)


def _json_error(status: int, code: str, message: str) -> Response:
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": str(uuid.uuid4())}
    return Response(status, body, headers)


def _query_error(status: int, kind: str, code: str, message: str) -> Response:
    body = (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
        f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()
    return Response(status, body, {"content-type": "text/xml"})


def _xml_error(status: int, code: str, message: str) -> Response:
    request_id = uuid.uuid4().hex[:16].upper()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>"
    ).encode()
    return Response(
        status, body, {"content-type": "application/xml", "x-amz-request-id": request_id}
    )
