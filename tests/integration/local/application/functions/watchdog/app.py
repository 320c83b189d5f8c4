"""A stand-in for watchdog: answers with what it got."""

import json


def lambda_handler(event, _context):
    """Answer with the event."""
    print(json.dumps({"source": event["source"]}))
    return event
