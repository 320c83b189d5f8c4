"""Once a minute: find the devices that stopped reporting, and the snoozes that ended."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from weir.observability import MetricLine, make_logger
from weir.settings import WatchdogSettings
from weir.shards import SHARDS
from weir.storage.alert_store import AlertStore
from weir.storage.clients import client
from weir.storage.control_store import ControlStore
from weir.storage.retry import Deadline
from weir.storage.watch_store import WatchStore
from weir.watch import Watchdog

RESERVE_S = 5.0
MOST_S = 55.0
"""After so many seconds the next run begins; what is left over is the first that it finds."""

logger = make_logger()
metrics = MetricLine()
settings = WatchdogSettings.read()
executor = ThreadPoolExecutor(len(SHARDS))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _failed(what: str, error: Exception) -> None:
    logger.error("could not look", extra={"what": what}, exc_info=error)


def _unreadable_control(key: str, why: str) -> None:
    logger.error("unreadable control", extra={"key": key, "why": why})


dynamodb = client("dynamodb")
alerts = AlertStore(
    client("dynamodb", attempts=4), settings.alerts_table, retention_s=settings.alert_retention_s
)
controls = ControlStore(dynamodb, settings.controls_table, _unreadable_control)
watchdog = Watchdog(alerts, _now, _failed)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Look at every device that is late; what fails or is left over is due the next minute."""
    del event  # the clock's, and nothing in it matters
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
    deadline = Deadline(min(left, MOST_S))
    tally = watchdog.run(
        lambda: WatchStore(dynamodb, settings.states_table, settings.readings_table, deadline),
        lambda device_ids: controls.get_all(device_ids, deadline),
        executor,
        deadline,
    )
    metrics.write(
        context.aws_request_id,
        DevicesDue=tally.due,
        DevicesSilent=tally.silent,
        DevicesAlive=tally.alive,
        SnoozesEnded=tally.snoozes_ended,
        ItemsRead=tally.items_read,
        WatchFailures=tally.failures,
        **({"SilentBacklog": tally.backlog} if tally.backlog else {}),
    )
