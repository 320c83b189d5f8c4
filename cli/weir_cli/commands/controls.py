"""`weir controls`: fewer alerts, or more, of the fleet, a device, or a metric."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir_cli.errors import Problem
from weir_cli.options import StackName, read_option

if TYPE_CHECKING:
    from weir.storage.control_store import ControlStore
    from weir_cli.target import Target

_OF_THE_WHOLE = {"ignore", "false_alerts_per_week"}

controls = typer.Typer(
    no_args_is_help=True, help="Say what opens alerts: of the fleet, a device, or a metric."
)

Device = Annotated[
    str | None,
    typer.Argument(metavar="DEVICE", help="A device's id, or * (quoted), as --fleet, for all."),
]
Metric = Annotated[
    str | None,
    typer.Argument(
        metavar="[METRIC]", help="One metric, or * (quoted) for the device as a whole; else all."
    ),
]
Fleet = Annotated[bool, typer.Option("--fleet", help="All devices, in place of DEVICE.")]


class Direction(StrEnum):
    """Which departures from the expected open alerts."""

    BOTH = "both"
    ABOVE = "above"
    BELOW = "below"


@controls.command("list")
def show(
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this device, or * (quoted) for all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one line a control.")] = False,
    stack_name: StackName = None,
) -> None:
    """List what is set."""
    import msgspec

    from weir_cli.console import put, put_json, say
    from weir_cli.device_view import settings

    found = 0
    store = _store(stack_name)
    kept = store.all() if device is None else [(device, *store.get(device))]
    for device_id, own, metrics in kept:
        for metric, control in (("", own), *sorted(metrics.items())):
            fields = msgspec.to_builtins(control)
            if not fields:
                continue
            found += 1
            if as_json:
                put_json({"device_id": device_id, "metric": metric or None, **fields})
            else:
                put(f"{device_id}  {metric or '(all metrics)'}  {settings(fields)}")
    if not found and not as_json:
        say("no controls are set")


@controls.command("set")
def put(
    device: Device = None,
    metric: Metric = None,
    fleet: Fleet = False,
    direction: Annotated[
        Direction | None, typer.Option(help="Alert on values above the expected, below, or both.")
    ] = None,
    minimum: Annotated[
        float | None, typer.Option(help="The least departure to alert on, in the metric's unit.")
    ] = None,
    ignore: Annotated[
        bool | None, typer.Option("--ignore/--no-ignore", help="Open no alerts at all.")
    ] = None,
    false_alerts: Annotated[
        float | None,
        typer.Option("--false-alerts", help="False alerts a week that a device may open."),
    ] = None,
    silent_after: Annotated[
        str | None,
        typer.Option(
            "--silent-after",
            metavar="SPAN|never",
            help="How long a device may be silent, in place of what is learned of it.",
        ),
    ] = None,
    stack_name: StackName = None,
) -> None:
    """Set controls; those that are not named here stay as they were."""
    import msgspec

    from weir.controls import DEVICE, FLEET, control_of
    from weir_cli.console import say

    named = {
        "direction": None if direction is None else direction.value,
        "minimum": minimum,
        "ignore": ignore,
        "false_alerts_per_week": false_alerts,
        "silent_after_s": None if silent_after is None else _seconds(silent_after),
    }
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if not changes:
        raise Problem("Nothing to set: name --direction, --minimum, --ignore, --false-alerts or "
                      "--silent-after.")  # fmt: skip
    key = _key(device, metric, fleet=fleet)
    try:
        control_of(changes)
    except ValueError as error:
        raise Problem(f"{_in_options(str(error))}.") from error
    if metric is not None and silent_after is not None:
        raise Problem("A metric has no --silent-after: name the device alone, or --fleet.")
    if metric == DEVICE and not changes.keys() <= _OF_THE_WHOLE:
        raise Problem("The device as a whole has no direction and no minimum; it can have "
                      "--ignore and --false-alerts.")  # fmt: skip
    target = _target(stack_name)
    store = _store_of(target)
    own, metrics = store.get(key)
    before = own if metric is None else metrics.get(metric)
    store.put(key, metric, control_of({**msgspec.to_builtins(before or {}), **changes}))
    say("set; in force within a minute")
    if key != FLEET and not _is_known(target, key):
        say(f"note: nothing has been heard of {key} yet; is the name right?")


@controls.command("clear")
def clear(
    device: Device = None,
    metric: Metric = None,
    fleet: Fleet = False,
    stack_name: StackName = None,
) -> None:
    """Take back what was set for a metric, for a device with all its metrics, or for the fleet."""
    from weir_cli.console import say

    key = _key(device, metric, fleet=fleet)
    _store(stack_name).remove(key, metric)
    say("cleared; in force within a minute")


def _seconds(span: str) -> float:
    from weir.controls import LEAST_SILENCE_S, MOST_SILENCE_S
    from weir_cli.timeline import span_ms

    if span.strip().lower() == "never":
        return 0.0
    seconds = read_option("--silent-after", span, span_ms) / 1000
    if not LEAST_SILENCE_S <= seconds <= MOST_SILENCE_S:
        least, most = f"{LEAST_SILENCE_S:.0f}s", f"{MOST_SILENCE_S / 86_400:.0f}d"
        raise Problem(f"--silent-after {span}; it must be never, or from {least} to {most}.")
    return seconds


def _in_options(sentence: str) -> str:
    """What is wrong with a control's field, in the words of this command's options.

    >>> _in_options("minimum is the number -1; it must be finite")
    '--minimum -1; it must be finite'
    """
    for name, option in (("minimum", "--minimum"), ("false_alerts_per_week", "--false-alerts")):
        sentence = sentence.replace(f"{name} is the number", option)
    return sentence


def _is_known(target: "Target", device_id: str) -> bool:
    """Whether there is a checkpoint of the device; True if that may not be asked."""
    from botocore.exceptions import ClientError

    try:
        found = target.client("dynamodb").get_item(
            TableName=target.states_table,
            Key={"pk": {"S": device_id}},
            ProjectionExpression="pk",
        )
    except ClientError:  # what was set is set: the note is not worth a failure
        return True
    return "Item" in found


def _key(device: str | None, metric: str | None, *, fleet: bool) -> str:
    """The device's id, or the fleet's name; raises `Problem` for what could have no effect."""
    from weir.controls import DEVICE, FLEET
    from weir.readings import InvalidReading, check_device_id, check_metric_name

    if fleet and device is not None:
        raise Problem("Name a device or --fleet, not both; the fleet has no controls of metrics.")
    if fleet or device == FLEET:
        if metric is not None:
            raise Problem("The fleet has no controls of metrics: name the device.")
        return FLEET
    if device is None:
        raise Problem("Name a device, or --fleet for all.")
    try:
        if metric not in {None, DEVICE}:
            check_metric_name(metric or "")
        return check_device_id(device)
    except InvalidReading as error:
        raise Problem(f"{error.detail}.") from error


def _target(stack_name: str | None) -> "Target":
    from weir_cli.target import resolve

    return resolve(stack_name)


def _store(stack_name: str | None) -> "ControlStore":
    return _store_of(_target(stack_name))


def _store_of(target: "Target") -> "ControlStore":
    from weir.storage.control_store import ControlStore
    from weir_cli.console import say

    return ControlStore(
        target.client("dynamodb"), target.controls_table, lambda key, why: say(f"{key}: {why}")
    )
