"""A stand-in for api: says who asked for what."""

import json


def lambda_handler(event, _context):
    """Answer with the route and the claims."""
    print(json.dumps({"route": event["routeKey"]}))
    authorizer = event["requestContext"].get("authorizer", {})
    answer = {"route": event["routeKey"], "parameters": event.get("pathParameters"), **authorizer}
    return {"statusCode": 200, "body": json.dumps(answer)}
