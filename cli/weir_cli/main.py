"""The entry point: the commands, and one place where an expected failure becomes a sentence."""

from typing import Any

import typer
from typer.core import TyperGroup

from weir_cli.commands import (
    alerts,
    audit,
    backtest,
    console,
    controls,
    deeds,
    devices,
    logs,
    readings,
    replay,
    run,
    send,
    simulate,
    stack,
    tail,
)
from weir_cli.console import say
from weir_cli.errors import Problem, explained


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            with explained():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            # Typer has its values checked by pydantic, which says whose error it is.
            error.message = error.message.removeprefix("Value error, ")
            raise
        except Problem as problem:
            say(f"weir: {problem}")
            raise typer.Exit(1) from problem
        except BrokenPipeError:  # the reader of a pipe has seen enough
            raise typer.Exit(0) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure a stream of telemetry, and sound the alarm when it misbehaves.",
)

app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(send.send)
app.command()(backtest.backtest)
app.command()(run.run)
app.command()(simulate.simulate)
app.command()(console.console)
app.command()(alerts.alerts)
app.command()(alerts.alert)
app.command()(deeds.ack)
app.command()(deeds.snooze)
app.command()(deeds.feedback)
app.command()(tail.tail)
app.command()(readings.readings)
app.command()(audit.audit)
app.command()(replay.replay)
app.command()(logs.logs)
app.add_typer(controls.controls, name="controls")
app.add_typer(devices.devices, name="devices")
