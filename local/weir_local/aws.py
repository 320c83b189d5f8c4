"""AWS clients of the local stack: dummy credentials, its endpoints, no user configuration."""

from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from weir_local.status import StackStatus

ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - the emulator takes this pair for the account's root
ACCOUNT = "000000000000"

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3},
    s3={"addressing_style": "path"},
    # A host of its own for each client is more than 127.0.0.1 can offer.
    inject_host_prefix=False,
    proxies={},
)


class _LocalSession(boto3.Session):
    """A session whose clients and resources go to the local stack unless told otherwise."""

    def __init__(self, endpoint_url: str, firehose_url: str | None, region: str) -> None:
        # None of the user's profiles, files or environment may reach a local client.
        isolated = botocore.session.Session(
            session_vars={
                "profile": (None, [], None, None),
                "config_file": (None, None, "/dev/null", None),
                "credentials_file": (None, None, "/dev/null", None),
            }
        )
        super().__init__(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=region,
            botocore_session=isolated,
        )
        self._endpoint_url = endpoint_url
        self._firehose_url = firehose_url

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().client(service_name, *args, **self._local(service_name, kwargs))  # type: ignore[call-overload]

    def resource(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return super().resource(service_name, *args, **self._local(service_name, kwargs))  # type: ignore[call-overload]

    def _local(self, service: str, arguments: dict[str, Any]) -> dict[str, Any]:
        stands_in = service == "firehose" and self._firehose_url
        endpoint = self._firehose_url if stands_in else self._endpoint_url
        arguments.setdefault("endpoint_url", endpoint)
        arguments["config"] = _CONFIG.merge(arguments.get("config") or Config())
        return arguments


def emulator_session(endpoint_url: str, region: str) -> boto3.Session:
    """Return a session for the emulator alone, before or without the stand-ins."""
    return _LocalSession(endpoint_url, None, region)


def session(status: StackStatus) -> boto3.Session:
    """Return a boto3 session for the running stack.

    >>> session(status).client("dynamodb").list_tables()  # doctest: +SKIP
    """
    return _LocalSession(status.endpoint_url, status.firehose_url, status.region)


def client(status: StackStatus, service: str) -> Any:
    """Return a boto3 client of `service` for the running stack."""
    return session(status).client(service)  # type: ignore[call-overload]
