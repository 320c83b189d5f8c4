"""A stand-in for api: says who asked for what."""

import json


def lambda_handler(event, _context):
    """Answer with the route and the claims."""
    print(json.dumps({"route": event["routeKey"]}))
    authorizer = event["requestContext"].get("authorizer", {})
    answer = {
        "route": event["routeKey"],
        "path": event["rawPath"],
        "query": event["rawQueryString"],
        "parameters": event.get("pathParameters"),
        **authorizer,
    }
    headers = {"etag": '"one"', "cache-control": "no-cache"}
    if event["headers"].get("if-none-match") == '"one"':
        return {"statusCode": 304, "headers": headers}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(answer)}
