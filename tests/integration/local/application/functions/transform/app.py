"""A stand-in for transform: ends each record with a line break, and fails the poisonous ones."""

import base64
import json


def lambda_handler(event, _context):
    """Answer for each record."""
    print(json.dumps({"records": len(event["records"])}))
    answers = []
    for record in event["records"]:
        data = base64.b64decode(record["data"]) + b"\n"
        result = "ProcessingFailed" if b"poison" in data else "Ok"
        answers.append(
            {
                "recordId": record["recordId"],
                "result": result,
                "data": base64.b64encode(data).decode(),
            }
        )
    return {"records": answers}
