"""A stand-in for authorize: lets in keys that begin with "good", and counts its invocations."""

import json

asked = []


def lambda_handler(event, _context):
    """Answer in the simple form."""
    key = event["headers"]["authorization"].partition(" ")[2]
    asked.append(key)
    print(json.dumps({"asked": len(asked)}))
    return {"isAuthorized": key.startswith("good"), "context": {"key": key, "asked": len(asked)}}
