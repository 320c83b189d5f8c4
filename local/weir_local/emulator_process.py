"""What runs as the emulator: ministack, with what it gets wrong set right.

- An HTTP API hands a function a body that is not text in base64. ministack tells the two apart by
  the content type alone, and so decodes gzipped JSON as UTF-8, which destroys it.
- When the function fails or dies, an HTTP API answers 500 and no word of why; when it is throttled,
  503. ministack answers 502 with the error, and 429.
- A process of a function says who it is, in a header of each call and by a file, so that the
  stand-ins can let faults strike one function, and kill it.
- Policies may refuse what does not come over TLS; here nothing does, and the loopback counts as
  TLS.
- SendMessageBatch and the other batches of SQS are no actions of their own to a policy: who may
  SendMessage may send a batch of them.
- A query reads its key condition anew for each item of the partition, 100 µs a time, so that a
  device with a week of readings takes seconds. The forms that we use are read once a query.
- What a function asks for with ChangeMessageVisibility and DelaySeconds is scaled, as all waits of
  the local stack.

This file is run by the emulator's own Python, which has nothing of ours, so it imports nothing of
ours. What it replaces belongs to a version that is pinned.
"""

import gc
import json
import math
import os
import re
import sys
from contextvars import ContextVar
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any

from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # type: ignore[import-not-found]
from ministack.services import apigateway, dynamodb, lambda_svc, sqs  # type: ignore[import-not-found]

# ------------------------------------------------------------------ bodies in base64

_encoded: ContextVar[bool] = ContextVar("encoded", default=False)
_is_text = apigateway._v2_request_body_is_text  # noqa: SLF001
_invoke = apigateway._invoke_lambda_proxy  # noqa: SLF001


def _body_is_text(content_type: str | None) -> bool:
    return not _encoded.get() and bool(_is_text(content_type))


async def _invoke_lambda_proxy(*arguments: Any, **named: Any) -> Any:
    # (integration, api_id, stage, path, method, headers, …), by place or by name
    headers = named["headers"] if "headers" in named else arguments[5]
    token = _encoded.set(headers.get("content-encoding", "identity") not in {"", "identity"})
    try:
        return await _invoke(*arguments, **named)
    finally:
        _encoded.reset(token)


apigateway._v2_request_body_is_text = _body_is_text  # noqa: SLF001
apigateway._invoke_lambda_proxy = _invoke_lambda_proxy  # noqa: SLF001

# ------------------------------------------------------------------ functions that fail

_shaped = lambda_svc.lambda_execute_result_to_api_proxy_response


def _response_of_api(result: Any) -> Any:
    if result.get("throttle"):
        return _failure(503, "Service Unavailable"), None
    if result.get("error"):
        return _failure(500, "Internal Server Error"), None
    return _shaped(result)


def _failure(status: int, message: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }


lambda_svc.lambda_execute_result_to_api_proxy_response = _response_of_api

# ------------------------------------------------------------------ functions that say who they are

_SAY_WHO = """
def _say_who_calls():
    import os
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"] + "." + str(os.getpid())
    open(os.path.join(os.environ["WEIR_WORKERS"], name), "w").close()
    try:
        import botocore.handlers
    except ImportError:
        return
    def add(params, **_):
        params["headers"]["X-Weir-Worker"] = name
    botocore.handlers.BUILTIN_HANDLERS.append(("before-call", add))
"""
# There, the path for imports is complete and the handler's module not yet imported.
_PLACE = "    _ms_install_invoke_depth()\n"


def _with_name(script: str) -> str:
    if script.count(_PLACE) != 1:
        raise RuntimeError("this version of ministack starts functions in another way")
    return _SAY_WHO + script.replace(_PLACE, f"{_PLACE}    _say_who_calls()\n")


lambda_runtime._PYTHON_WORKER_SCRIPT = _with_name(  # noqa: SLF001
    lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001
)

# ------------------------------------------------------------------ the loopback as TLS

_pin_request_origin = iam_evaluator.pin_request_origin


def _pin_secure_origin(source_ip: str, _secure_transport: bool) -> None:
    _pin_request_origin(source_ip, True)


# Before ministack.app is imported, which takes it by name.
iam_evaluator.pin_request_origin = _pin_secure_origin

# ------------------------------------------------------------------ actions of policies

_action = iam_actions.extract_iam_action


def _action_of_policies(*arguments: Any, **named: Any) -> Any:
    found = _action(*arguments, **named)
    if isinstance(found, str) and found.startswith("sqs:"):
        return found.removesuffix("Batch")
    return found


iam_actions.extract_iam_action = _action_of_policies

# ------------------------------------------------------------------ key conditions, read once

_evaluate_condition = dynamodb._evaluate_condition  # noqa: SLF001
_KEY_CONDITION = re.compile(
    r"(\S+) = (:\w+)"
    r"(?: AND (\S+) (?:(=|<|<=|>|>=) (:\w+)|BETWEEN (:\w+) AND (:\w+)))?"
)
_COMPARE = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
_read: tuple[Any, str, Any] = (None, "", None)
"""The values and the condition that were read last, and what they came to."""


def _matcher(condition: str, values: Any, names: Any) -> Any:
    """Return what tells whether an item matches; None if the condition is of another form."""
    found = _KEY_CONDITION.fullmatch(condition.strip())
    if found is None:
        return None
    pk, pk_value, sk, sign, value, low, high = found.groups()
    used = [values.get(name) for name in (pk_value, value, low, high) if name is not None]
    if not all(isinstance(one, dict) and one.keys() <= {"S", "N"} for one in used):
        return None
    pk, sk = (names or {}).get(pk, pk), (names or {}).get(sk, sk)
    wanted = values[pk_value]
    if sk is None:
        return lambda item: item.get(pk) == wanted
    if sign is not None:
        compare, least = _COMPARE[sign], _ordered(values[value])
        return lambda item: item.get(pk) == wanted and compare(_ordered(item[sk]), least)
    least, most = _ordered(values[low]), _ordered(values[high])
    return lambda item: item.get(pk) == wanted and least <= _ordered(item[sk]) <= most


def _ordered(value: dict[str, str]) -> Any:
    return Decimal(value["N"]) if "N" in value else value["S"]


def _evaluate_once_read(
    condition: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression"
) -> Any:
    global _read
    if slot != "KeyConditionExpression":
        return _evaluate_condition(condition, item, values, names, slot=slot)
    if _read[0] is not values or _read[1] != condition:
        # The first item goes the emulator's way, which tells what is wrong with the condition.
        result = _evaluate_condition(condition, item, values, names, slot=slot)
        _read = (values, condition, _matcher(condition, values, names))
        return result
    matcher = _read[2]
    if matcher is None:
        return _evaluate_condition(condition, item, values, names, slot=slot)
    return matcher(item)


dynamodb._evaluate_condition = _evaluate_once_read  # noqa: SLF001

# ------------------------------------------------------------------ waits, scaled

_scale = float(os.environ.get("WEIR_TIME_SCALE", "1"))
# Only digests are sent with a delay. A minute whose digest comes early, by the clock, is over for
# notify, and what comes then is for the next one, whose end is the further off the more there were.
_A_MINUTE = 62


def _scaled(request: dict[str, Any], wait: str) -> dict[str, Any]:
    """Return the request with its wait scaled, but not below the second that SQS counts in."""
    if request.get(wait) is None:
        return request
    seconds = int(request[wait])
    if wait == "DelaySeconds" and _scale < 1:
        seconds = min(seconds, _A_MINUTE)
    return {**request, wait: math.ceil(seconds * _scale)}


def _scale_wait(operation: str, wait: str) -> None:
    carry_out = sqs._HANDLERS[operation]  # noqa: SLF001
    carry_out_batch = sqs._HANDLERS[f"{operation}Batch"]  # noqa: SLF001

    def one(request: dict[str, Any], queue_url: str) -> Any:
        return carry_out(_scaled(request, wait), queue_url)

    def batch(request: dict[str, Any], queue_url: str) -> Any:
        entries = [_scaled(entry, wait) for entry in request.get("Entries", [])]
        return carry_out_batch({**request, "Entries": entries}, queue_url)

    sqs._HANDLERS[operation] = one  # noqa: SLF001
    sqs._HANDLERS[f"{operation}Batch"] = batch  # noqa: SLF001


_scale_wait("ChangeMessageVisibility", "VisibilityTimeout")
_scale_wait("SendMessage", "DelaySeconds")

if __name__ == "__main__":
    from ministack.app import main  # type: ignore[import-not-found]

    # It keeps all its data as Python objects: the collector's usual rounds over them cost more
    # than the calls do.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.exit(main())
