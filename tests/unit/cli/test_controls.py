"""Controls that could have no effect are refused before any table is reached."""

import pytest
from typer.testing import CliRunner

from weir_cli.main import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "pump-7"], "Nothing to set: name --direction"),
        (["set", "--ignore"], "Name a device, or --fleet for all."),
        (["set", "pump-7", "--fleet", "--ignore"], "Name a device or --fleet, not both"),
        (["set", "*", "flow", "--ignore"], "The fleet has no controls of metrics"),
        (["clear", "*", "flow"], "The fleet has no controls of metrics"),
        (["set", "pump 7", "--ignore"], "device_id is a string of 6 characters; it must be"),
        (["set", "pump-7", "", "--ignore"], "metrics has the name '', a string of 0 characters"),
        (["set", "pump-7", "*", "--minimum", "2"], "The device as a whole has no direction"),
        (["set", "pump-7", "--minimum", "-1"], "--minimum -1; it must be finite, and at least 0"),
        (["set", "pump-7", "--minimum", "nan"], "--minimum nan; it must be finite"),
        (["set", "pump-7", "flow", "--silent-after", "1h"], "A metric has no --silent-after"),
        (
            ["set", "pump-7", "--silent-after", "5s"],
            "--silent-after 5s; it must be never, or from 30s to 366d",
        ),
        (["set", "pump-7", "--false-alerts", "0"], "--false-alerts 0; it must lie from 0.000001"),
    ],
)
def test_what_could_have_no_effect_is_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["controls", *arguments])
    assert result.exit_code == 1
    assert said in result.output
