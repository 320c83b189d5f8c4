"""AWS clients: one session, no hidden retries, no second validation of what we build ourselves."""

from functools import cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def client(service: str, attempts: int = 1, read_timeout: float = 8) -> Any:
    """The client of `service`, made once.

    `attempts` is how often botocore itself tries a call. One for the calls that can fail in part,
    whose retries are ours (`retry`); more for single items. `read_timeout` is in seconds.

    The first client costs some 120 ms, the next a tenth of it, since they share a session:
    botocore's, since boto3 adds nothing that is used here but time at import.
    """
    return _session().create_client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            parameter_validation=False,
            connect_timeout=2,
            read_timeout=read_timeout,
            max_pool_connections=16,
            tcp_keepalive=True,
            # The default is put together anew for each call, a sixth of the call's CPU.
            user_agent=f"weir Botocore/{botocore.__version__}",
        ),
    )
