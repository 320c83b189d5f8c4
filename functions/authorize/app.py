"""API Gateway asks here, once a key and while its answer is cached, who is at the door.

An answer is a simple response (HTTP API, payload format 2.0). Its context tells `ingest` for
which devices the key speaks.
"""

import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from weir.identity import Scope, admitted, credential, digest_of, id_of, is_key
from weir.key_memory import KeyMemory, KeysUnavailable
from weir.observability import MetricLine, make_logger
from weir.settings import AuthorizeSettings
from weir.storage.clients import client
from weir.storage.device_key_store import DeviceKeyStore

logger = make_logger()
metrics = MetricLine()
settings = AuthorizeSettings.read()
store = DeviceKeyStore(client("dynamodb", attempts=3, read_timeout=2), settings.devices_table)
keys = KeyMemory(store.get, settings.key_memory_s, trouble=(BotoCoreError, ClientError))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Admit the sender of one request, or not."""
    request_id = event.get("requestContext", {}).get("requestId", context.aws_request_id)
    logger.append_keys(request_id=request_id)
    secret = credential((event.get("headers") or {}).get("authorization", ""))
    if not is_key(secret):
        return _deny(request_id, "no key")
    digest = digest_of(secret)
    key_id = id_of(digest)
    now_s = int(time.time())
    try:
        key = keys.get(key_id)
    except KeysUnavailable:
        # To deny would be a lie, and an error here a 500: `ingest` answers 503 for us.
        metrics.write(request_id, Undecided=1)
        logger.exception("keys unavailable", extra={"key_id": key_id})
        return {"isAuthorized": True, "context": {"undecided": "true"}}
    scope = admitted(digest, key, now_s)
    if scope is None:
        return _deny(request_id, key.status(now_s) if key else "unknown", key_id)
    metrics.write(request_id, Admitted=1)
    return {"isAuthorized": True, "context": {"key_id": key_id, **_named(scope)}}


def _named(scope: Scope) -> dict[str, str]:
    if scope.device_id is not None:
        return {"device_id": scope.device_id}
    return {"prefix": scope.prefix}


def _deny(request_id: str, why: str, key_id: str = "") -> dict[str, Any]:
    """No, and nothing but no: why is for the log."""
    metrics.write(request_id, Denied=1)
    logger.warning("denied", extra={"why": why, "key_id": key_id})
    return {"isAuthorized": False}
