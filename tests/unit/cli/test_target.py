"""Finding a deployed Weir by its stack's outputs."""

from typing import Any

import pytest

from weir_cli import target
from weir_cli.errors import Problem

OUTPUTS = {
    "ApiUrl": "https://api", "ReadingsTable": "r", "StatesTable": "s", "AlertsTable": "a",
    "ControlsTable": "c",
    "LakeBucket": "l", "FailureBucket": "f", "DevicesTable": "d", "LakeStream": "w",
    "ScoreFunction": "score", "ApiFunction": "api",
    "NotifyFunction": "notify", "WatchdogFunction": "watchdog",
    "SpillQueueUrl": "https://q", "SpillDeadLettersUrl": "https://d",
}  # fmt: skip


class Aws:
    """A session whose CloudFormation knows one stack."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self.outputs = outputs

    def client(self, _: str) -> "Aws":
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        entries = [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": entries}]}


def test_a_stack_in_aws_is_found_by_its_outputs() -> None:
    found = target.deployed("prod", Aws(OUTPUTS))
    assert (found.api_url, found.readings_table, found.control_url) == ("https://api", "r", None)


def test_a_stack_that_is_not_weir_s_is_refused() -> None:
    with pytest.raises(Problem, match="not one of Weir's: it has no output 'ApiUrl'"):
        target.deployed("prod", Aws({}))
