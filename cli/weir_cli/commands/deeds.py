"""`weir ack`, `weir snooze`, `weir feedback`: what people do about alerts."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir_cli.errors import Problem
from weir_cli.options import AsJson, StackName, Token, api_for, read_option

if TYPE_CHECKING:
    from weir_cli.api_client import Api, Document

AlertIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ALERT_ID]...", help="As `weir alerts` shows them."),
]
Device = Annotated[str | None, typer.Option(metavar="ID", help="A device, in place of ids.")]
Metric = Annotated[
    str | None, typer.Option(metavar="NAME", help="One metric of the device; * for it as a whole.")
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="What to keep with it.")]


class Verdict(StrEnum):
    """Right, wrong, or right and of no concern."""

    TRUE = "true"
    FALSE = "false"
    BENIGN = "benign"


def ack(
    alert_ids: AlertIds = None,
    device: Device = None,
    metric: Metric = None,
    note: Note = "",
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Acknowledge alerts, or all open ones of a device that are not yet."""
    _check_named(alert_ids, device, metric)
    from weir_cli.console import say

    with api_for(stack_name, token) as api:
        if device is None:
            ids = alert_ids or []
        else:
            ids = _unacknowledged(api, device, metric)
            if not ids:
                say(f"nothing of {_of(device, metric)} is open and not acknowledged")
        _each(ids, lambda alert_id: api.acknowledge(alert_id, note), "acknowledged", as_json)


def snooze(
    alert_ids: AlertIds = None,
    device: Device = None,
    metric: Metric = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="For so long, such as 2h.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until then, such as 2026-01-31T08:00:00Z.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="No longer.")] = False,
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Tell nobody of alerts for a while: of some, or of all of a device or a metric.

    They go on all the same, and are listed. What is open when a snooze ends is told of then.
    """
    _check_named(alert_ids, device, metric)
    fields = _until(span, until, end)
    with api_for(stack_name, token) as api:
        if device is not None:
            _snooze_device(api, device, metric, fields, as_json)
            return
        said = "snoozed no more" if end else "snoozed"
        _each(alert_ids or [], lambda alert_id: api.snooze(alert_id, fields), said, as_json)


def feedback(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT_ID", help="As `weir alerts` shows it.")],
    verdict: Annotated[
        Verdict,
        typer.Argument(help="Whether it was right, wrong, or right and of no concern."),
    ],
    note: Note = "",
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Say whether an alert was right; the newest word counts."""
    with api_for(stack_name, token) as api:
        _each(
            [alert_id],
            lambda known: api.judge(known, verdict.value, note),
            "feedback kept",
            as_json,
        )


# ------------------------------------------------------------------ inside


def _check_named(alert_ids: list[str] | None, device: str | None, metric: str | None) -> None:
    if bool(alert_ids) == (device is not None):
        raise typer.BadParameter("name alerts by their ids, or a device by --device")
    if metric is not None and device is None:
        raise typer.BadParameter("a metric is one of a --device", param_hint="'--metric'")


def _until(span: str | None, until: str | None, end: bool) -> dict[str, object]:
    from weir_cli.timeline import until_of

    if (span is not None) + (until is not None) + end != 1:
        raise typer.BadParameter("say how long: --for SPAN, --until TIME, or --end")
    if end:
        return {"for_seconds": 0}
    if span is not None:
        return read_option("--for", span, lambda text: until_of(text, None))
    return read_option("--until", until or "", lambda text: until_of(None, text))


def _unacknowledged(api: "Api", device: str, metric: str | None) -> list[str]:
    query = [("state", "open"), ("acknowledged", "false"), ("device_id", device)]
    if metric is not None:
        query.append(("metric", metric))
    return [alert["alert_id"] for alert in api.alerts(query)]


def _each(
    alert_ids: Iterable[str], do: "Callable[[str], Document]", said: str, as_json: bool
) -> None:
    """Do it to each, whatever becomes of the others; raise `Problem` at the end if one is none."""
    from weir_cli import alert_view
    from weir_cli.api_client import ApiProblem
    from weir_cli.console import put, put_json

    refused: list[ApiProblem] = []
    for alert_id in alert_ids:
        try:
            changed = do(alert_id)
        except ApiProblem as problem:
            if problem.code not in {"no_such_alert", "changed_meanwhile"}:
                raise
            refused.append(problem)
            continue
        if as_json:
            put_json(changed)
        else:
            put(f"{said}: {alert_view.line(changed)}")
    if refused:
        raise Problem(" ".join(str(problem) for problem in refused))


def _snooze_device(
    api: "Api", device: str, metric: str | None, fields: dict[str, object], as_json: bool
) -> None:
    from weir_cli.console import put, put_json

    found: Any = api.snooze_device(device, metric, fields)
    if as_json:
        put_json(found)
        return
    control = found["control"] if metric is None else found["metrics"].get(metric, {})
    until = control.get("snoozed_until")
    if until is None:
        put(f"{_of(device, metric)} is snoozed no more; in force within a minute")
    else:
        put(f"{_of(device, metric)} is snoozed until {_moment(until)}; in force within a minute")


def _moment(until: object) -> str:
    from weir_cli.timeline import show_time, show_ts

    return show_ts(until) if isinstance(until, int) else show_time(str(until))


def _of(device: str, metric: str | None) -> str:
    return device if metric is None else f"{metric} of {device}"
