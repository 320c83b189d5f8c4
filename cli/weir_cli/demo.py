"""What `weir run` sends, and what it says about it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Final

from weir.controls import DEVICE
from weir_cli.alert_watch import Wanted, Watch
from weir_cli.api_client import Api, Document, api_of
from weir_cli.batches import Batch, batches
from weir_cli.browser import console_url
from weir_cli.console import own_command, terminal
from weir_cli.csv_source import CsvOptions
from weir_cli.delivery import Totals, interruptible
from weir_cli.faults import Fault
from weir_cli.fleet import Fleet, FleetOptions
from weir_cli.front_door import FrontDoor
from weir_cli.live_view import View, viewing
from weir_cli.reporting import summary
from weir_cli.rows import Unreadable
from weir_cli.running import Show
from weir_cli.sending import open_and_survey
from weir_cli.simulation import Timer, stream
from weir_cli.sources import shifted
from weir_cli.target import of_status
from weir_cli.timeline import moment_ms, now_ms
from weir_local.control import Control, Pending
from weir_local.status import StackStatus

PARAMETERS: Final = {"FalseAlertsPerWeek": "2"}
"""Of the template, for a stack of the demo's own: at its default, an hour teaches too little."""

BATCH: Final = 100
_HISTORY_FAULTS: Final = 4
_LIVE_FAULT_MS: Final = 60_000
_QUIET_SHARE: Final = 0.75
"""So much of the history has no fault: a detector believes one metric alone after 600 readings."""
_SILENT_AFTER_S: Final = 30.0
_SILENT_READINGS: Final = 3
"""The last pump may miss so many readings before it counts as silent, or for half a minute."""
_SILENCES: Final = 2
"""It is silent for so many times as long, once it has sent so many readings: the alert opens and
clears within a minute and a half of going on live."""
_NOT_YET: Final = 1 << 62
_LATE_READINGS: Final = 5
"""So many readings after a fault's end an alert still counts as its: a drift shows at its end."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `weir run` was asked for."""

    data: str | None = None
    pumps: int = 20
    seed: int = 7
    interval_ms: int = 5000
    history_ms: int = 3_600_000
    seconds: float | None = None
    prefix: str = "pump"

    @property
    def steps(self) -> int:
        """Readings of each pump in the history."""
        return self.history_ms // self.interval_ms

    @property
    def silent_after_s(self) -> float:
        """After how long the last pump counts as silent."""
        return max(_SILENT_AFTER_S, _SILENT_READINGS * self.interval_ms / 1000)

    @property
    def newcomer(self) -> int | None:
        """The last pump, which comes when all is live and soon falls silent; None if it is alone.

        It has no history: how long what it sends is under way is learned from what it sends.
        """
        return self.pumps - 1 if self.pumps > 1 else None

    def silent_spans(self, live_ms: int) -> tuple[tuple[int, int], ...]:
        """When (epoch ms) that pump sends nothing, if all is live at `live_ms`."""
        falls = live_ms + _SILENT_READINGS * self.interval_ms
        return (0, live_ms), (falls, falls + round(_SILENCES * self.silent_after_s * 1000))


def prepare(options: DemoOptions) -> None:
    """Look at the file before anything is started; raise `Problem` if it cannot be sent."""
    if options.data is not None:
        open_and_survey(options.data, None, CsvOptions())


def show(options: DemoOptions, status: StackStatus, stop: Event) -> None:
    """Send and show until `stop` is set, or until the time is over."""
    with (
        Control(status.control_url) as control,
        api_of(of_status(status)) as api,
        viewing(terminal()) as view,
    ):
        view.say(f"a key for all devices here: {status.device_key}")
        fleet = None

        def before_live() -> None:
            weir = own_command()
            view.say(f"in another terminal: {weir} alerts --follow, {weir} tail DEVICE, "
                     f"{weir} devices, {weir} audit")  # fmt: skip
            view.say(f"open the console in a browser (`{weir} console` does, too):")
            view.say(console_url(status.api_url, status.operator_token))

        if options.data is not None:
            before_live()
            items = _file(options.data, view)
        else:
            fleet = _fleet(options)
            _expect_silence(api, fleet, options)
            items = _simulated(fleet, options, view, stop, before_live)
        performance = Show(
            door=FrontDoor(status.api_url, status.device_key),
            items=items,
            watch=_watch(api, options),
            view=view,
            stop=stop,
            is_idle=lambda: is_scored(control.pending()),
            on_sent=lambda totals: ["the file is sent:", *summary(totals)],
            seconds=options.seconds,
        )
        totals = performance.run()
        _finish(view, totals, fleet, list(performance.alerts.values()))


def _watch(api: Api, options: DemoOptions) -> Watch:
    """All alerts of the fleet's time, or of a file's, at each look: there are not many."""
    since = 0 if options.data is not None else now_ms() - options.history_ms
    return Watch(api, Wanted(since=since), lately_ms=now_ms() - since, cleared_every_s=0.0)


def _file(data: str, view: View) -> Iterable[Batch | Unreadable]:
    source, surveyed = open_and_survey(data, None, CsvOptions())
    view.say(f"sending {data}: {surveyed.rows:,} rows, rebased to end now")
    shift = 0 if surveyed.newest is None else now_ms() - surveyed.newest
    return batches(shifted(source, shift), BATCH)


def _fleet(options: DemoOptions) -> Fleet:
    return Fleet(
        FleetOptions(
            start_ms=now_ms() - options.steps * options.interval_ms,
            pumps=options.pumps,
            seed=options.seed,
            interval_ms=options.interval_ms,
            steps=options.steps,
            faults=min(_HISTORY_FAULTS, options.pumps),
            prefix=options.prefix,
            live_every=max(_LIVE_FAULT_MS // options.interval_ms, 1),
            quiet=int(options.steps * _QUIET_SHARE),
            healthy=0 if options.newcomer is None else 1,
        )
    )


def _expect_silence(api: Api, fleet: Fleet, options: DemoOptions) -> None:
    """Say after how long the newcomer counts as silent: to learn that takes longer than a demo."""
    if options.newcomer is not None:
        device_id = fleet.options.device_id(options.newcomer)
        api.set_controls(device_id, {"silent_after_s": options.silent_after_s})
        fleet.silence(options.newcomer, *options.silent_spans(_NOT_YET))


def _simulated(
    fleet: Fleet,
    options: DemoOptions,
    view: View,
    stop: Event,
    before_live: Callable[[], None],
) -> Iterable[Batch | Unreadable]:
    pumps = options.pumps if options.newcomer is None else options.newcomer
    view.say(
        f"replaying history: {options.steps * pumps:,} readings of {pumps} pumps, "
        f"{len(fleet.faults)} faults among them"
    )

    def on_live() -> None:
        before_live()
        view.say(
            f"going on live: {options.pumps} pumps, a reading each every "
            f"{options.interval_ms / 1000:g} s, a fault a minute; Ctrl-C ends it"
        )
        if options.newcomer is not None:
            spans = options.silent_spans(now_ms())
            fleet.silence(options.newcomer, *spans)
            view.say(
                f"{fleet.options.device_id(options.newcomer)} is new, and soon falls silent for "
                f"{(spans[1][1] - spans[1][0]) / 1000:g} s: an alert is due after "
                f"{options.silent_after_s:g} s"
            )

    timer = Timer(interruptible(stop))
    return stream(fleet, timer, batch=BATCH, live=True, on_live=on_live)


def _finish(view: View, totals: Totals, fleet: Fleet | None, alerts: Sequence[Document]) -> None:
    view.say(
        f"in all: {totals.accepted:,} readings accepted, {totals.rejected:,} rejected, "
        f"{totals.unreadable:,} unreadable; {len(alerts):,} alerts"
    )
    if fleet is not None:
        of_whom = fleet.options
        caught = [f for f in fleet.faults if any(is_of(of_whom, f, alert) for alert in alerts)]
        over = [f for f in fleet.faults if f in caught or has_ended(of_whom, f, now_ms())]
        missed = sorted({fault.kind for fault in over} - {fault.kind for fault in caught})
        view.say(
            f"faults put in: {len(over)}, alerted: {len(caught)}"
            + (f"; never of the kinds {', '.join(missed)}" if missed else "")
        )


def is_scored(pending: Pending) -> bool:
    """Whether nothing is left for `score`; what waits for the lake does not matter."""
    return not (pending.spilled_messages or pending.stream_records or pending.in_flight)


def has_ended(options: FleetOptions, fault: Fault, now: int) -> bool:
    """Whether the last reading of `fault` was due by `now`."""
    return options.ts(fault.last, fault.pump) <= now


def is_of(options: FleetOptions, fault: Fault, alert: Document) -> bool:
    """Whether `alert`, of the metric or of its pump, began in the time of `fault` or just after."""
    late = _LATE_READINGS * options.interval_ms
    return (
        alert["kind"] == "anomaly"
        and alert["device_id"] == options.device_id(fault.pump)
        and alert["metric"] in {fault.metric, DEVICE}
        and options.ts(fault.first, fault.pump)
        <= moment_ms(alert["onset"])
        <= options.ts(fault.last, fault.pump) + late
    )
