"""The stand-ins' process: ``python -m weir_local.standins <settings file>``."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from weir_local.control_server import ControlServer, Standins
from weir_local.firehose import config as firehose_config
from weir_local.firehose.api import FirehoseApi
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import HttpServer
from weir_local.issuer import Issuer
from weir_local.message_queue import MessageQueue
from weir_local.paths import HOST
from weir_local.proxy.server import AwsProxy
from weir_local.schedule import Schedule, read_rule
from weir_local.stream_mapping import config as mapping_config
from weir_local.stream_mapping.poller import StreamMapping
from weir_local.wire import Wire
from weir_local.workers import Workers

_log = logging.getLogger("weir_local.standins")

_LAST_FLUSH = 5.0
_WATCH = 1.0
_MISSES = 3

FIREHOSE_COUNTS = (
    "calls", "calls_refused", "records_put", "records_failed", "records_duplicated",
    "records_delivered", "records_dropped", "records_processing_failed", "objects_written",
    "delivery_failures", "transform_invocations", "transform_failures",
)  # fmt: skip
STREAM_COUNTS = (
    "records_polled", "records_filtered", "batches", "invocations", "invocation_errors",
    "partial_responses", "retries", "bisects", "records_succeeded", "records_discarded",
    "duplicated_batches", "killed", "redelivered_after_partial", "destination_delivery_failures",
)  # fmt: skip
PROXY_COUNTS = ("dynamodb_calls", "sqs_calls", "s3_calls", "sns_calls", "events_calls")
WATCHDOG_COUNTS = ("ticks", "failures")


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``weir_local.stack`` tells the process.

    `watchdog` is whether the watchdog's rule is followed, or only ticks to order happen.
    """

    endpoint_url: str
    region: str
    firehose_port: int
    control_port: int
    proxy_port: int | None
    delivery_stream: str
    score_mapping: str
    notify_mapping: str
    watchdog_rule: str
    watchdog: bool
    spill_queue_url: str
    notice_queue_url: str
    emulator_pid: int
    workers: str
    issuer_file: str
    time_scale: float


async def serve(settings: Settings) -> None:
    """Run the stand-ins until SIGTERM comes or the emulator is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    wire = Wire(settings.endpoint_url, settings.region)
    counts = {
        "firehose": Counter(dict.fromkeys(FIREHOSE_COUNTS, 0)),
        "stream": Counter(dict.fromkeys(STREAM_COUNTS, 0)),
        "alerts_stream": Counter(dict.fromkeys(STREAM_COUNTS, 0)),
        "watchdog": Counter(dict.fromkeys(WATCHDOG_COUNTS, 0)),
        "proxy": Counter(dict.fromkeys(PROXY_COUNTS, 0)),
        "struck": Counter[str](),
    }
    workers = Workers(Path(settings.workers), settings.emulator_pid)
    described = await wire.json(
        "firehose",
        "Firehose_20150804.DescribeDeliveryStream",
        {"DeliveryStreamName": settings.delivery_stream},
    )
    description = described["DeliveryStreamDescription"]
    stream = DeliveryStream(
        firehose_config.read_config(description),
        wire,
        settings.region,
        settings.time_scale,
        counts["firehose"],
        workers,
    )
    scale = settings.time_scale
    scoring = await _mapping(settings.score_mapping, wire, scale, counts["stream"])
    notifying = await _mapping(settings.notify_mapping, wire, scale, counts["alerts_stream"])
    rule = await read_rule(settings.watchdog_rule, wire)
    watchdog = Schedule(rule, wire, scale, counts["watchdog"])

    servers = [HttpServer(FirehoseApi(stream, description, counts["firehose"], workers).handle)]
    await servers[0].start(HOST, settings.firehose_port)
    proxy = None
    if settings.proxy_port is not None:
        proxy = AwsProxy(settings.endpoint_url, wire, workers, counts["proxy"])
        servers.append(HttpServer(proxy.handle))
        await servers[1].start(HOST, settings.proxy_port)
    spill = MessageQueue(settings.spill_queue_url, wire)
    notices = MessageQueue(settings.notice_queue_url, wire)
    work = [
        asyncio.create_task(stream.run()),
        asyncio.create_task(scoring.run()),
        asyncio.create_task(notifying.run()),
        asyncio.create_task(_watch(settings.endpoint_url)),
    ]
    if settings.watchdog:
        work.append(asyncio.create_task(watchdog.run()))
    stopped = asyncio.create_task(stop.wait())
    # The last one: who asks whether the stand-ins are ready asks here.
    documents = Issuer.load(Path(settings.issuer_file)).documents
    standins = Standins(stream, scoring, notifying, watchdog, spill, notices, proxy)
    control = ControlServer(standins, counts, documents)
    servers.append(HttpServer(control.handle))
    await servers[-1].start(HOST, settings.control_port)
    _log.info("ready")

    done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        _log.error("ended early: %r", task.exception() or task.result())
    if stopped in done:
        await _flush(stream)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    for server in servers:
        await server.close()
    if proxy is not None:
        proxy.close()
    wire.close()


async def _mapping(
    mapping_id: str, wire: Wire, time_scale: float, counts: Counter[str]
) -> StreamMapping:
    """Set up what an event source mapping of the emulator is set to do."""
    path = f"/2015-03-31/event-source-mappings/{mapping_id}"
    found = await wire.send("lambda", "GET", path, {}, b"")
    config = mapping_config.read_config(json.loads(found.body))
    mapping = StreamMapping(config, wire, time_scale, counts)
    await mapping.begin()
    return mapping


async def _flush(stream: DeliveryStream) -> None:
    try:
        await asyncio.wait_for(stream.flush(), _LAST_FLUSH)
    except TimeoutError:
        _log.warning("%d records were not delivered in time", stream.pending())


async def _watch(endpoint_url: str) -> str:
    """Return when the emulator no longer listens."""
    address = urlsplit(endpoint_url)
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(_WATCH)
        try:
            _, writer = await asyncio.open_connection(
                address.hostname, address.port, family=socket.AF_INET
            )
        except OSError:
            misses += 1
        else:
            misses = 0
            writer.close()
    return "the emulator is gone"


def main(arguments: list[str]) -> None:
    """Run with the settings file that the one argument names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    [file] = arguments
    settings = Settings(**json.loads(Path(file).read_text(encoding="utf-8")))
    asyncio.run(serve(settings))
    # A call to a function that hangs must not keep the process: its thread cannot be stopped.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
