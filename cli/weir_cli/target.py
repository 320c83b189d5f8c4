"""Where Weir runs: the local stack, or a stack of the operator's own AWS account."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from weir_cli.errors import Problem


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed Weir: its API, the names of its tables and buckets, and clients to reach them.

    Attributes
    ----------
    client
        Returns a boto3 client of the service it is given.
    control_url
        The local stack's control endpoint; None in AWS.
    device_key
        A key for every device of the local stack; None in AWS, where `weir devices add` makes keys.
    operator_token
        A token of the local stack's issuer; None in AWS, whose issuer is the operator's own.
    """

    name: str
    api_url: str
    readings_table: str
    states_table: str
    alerts_table: str
    controls_table: str
    lake_bucket: str
    failure_bucket: str
    devices_table: str
    lake_stream: str
    score_function: str
    api_function: str
    notify_function: str
    watchdog_function: str
    spill_queue_url: str
    spill_dead_letters_url: str
    client: Callable[..., Any]
    control_url: str | None = None
    device_key: str | None = field(default=None, repr=False)
    operator_token: str | None = field(default=None, repr=False)


def resolve(stack_name: str | None) -> Target:
    """The stack `stack_name` in AWS, or the local stack if that is None.

    Raises `Problem` when there is none.
    """
    return local() if stack_name is None else deployed(stack_name)


def local() -> Target:
    """The local stack that runs; raises `Problem` when none does."""
    from weir_local.status import load_status

    status = load_status()
    if status is None:
        raise Problem("No local stack runs; start one with `weir up`, or name one in AWS with "
                      "--stack-name.")  # fmt: skip
    return of_status(status)


def of_status(status: Any) -> Target:
    """The target that a local stack's status (`weir_local.status.StackStatus`) describes."""
    from weir_local.aws import session

    clients: Any = session(status)
    return Target(
        name="local",
        api_url=status.api_url,
        readings_table=status.readings_table,
        states_table=status.states_table,
        alerts_table=status.alerts_table,
        controls_table=status.controls_table,
        lake_bucket=status.lake_bucket,
        failure_bucket=status.failure_bucket,
        devices_table=status.devices_table,
        lake_stream=status.firehose,
        score_function=status.score_function,
        api_function=status.api_function,
        notify_function=status.notify_function,
        watchdog_function=status.watchdog_function,
        spill_queue_url=status.spill_queue_url,
        spill_dead_letters_url=status.spill_dead_letters_url,
        client=clients.client,
        control_url=status.control_url,
        device_key=status.device_key,
        operator_token=status.operator_token,
    )


def deployed(stack_name: str, session: Any = None) -> Target:
    """The CloudFormation stack `stack_name`, found with the operator's own credentials.

    Raises `Problem` when it does not exist or is not a stack of Weir's.
    """
    import boto3
    from botocore.exceptions import ClientError

    session = session or boto3.Session()
    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise Problem(f"There is no CloudFormation stack {stack_name!r} in this account and "
                          "region.") from error  # fmt: skip
        raise
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stacks[0].get("Outputs", ())}
    try:
        return Target(
            name=stack_name,
            api_url=outputs["ApiUrl"],
            readings_table=outputs["ReadingsTable"],
            states_table=outputs["StatesTable"],
            alerts_table=outputs["AlertsTable"],
            controls_table=outputs["ControlsTable"],
            lake_bucket=outputs["LakeBucket"],
            failure_bucket=outputs["FailureBucket"],
            devices_table=outputs["DevicesTable"],
            lake_stream=outputs["LakeStream"],
            score_function=outputs["ScoreFunction"],
            api_function=outputs["ApiFunction"],
            notify_function=outputs["NotifyFunction"],
            watchdog_function=outputs["WatchdogFunction"],
            spill_queue_url=outputs["SpillQueueUrl"],
            spill_dead_letters_url=outputs["SpillDeadLettersUrl"],
            client=session.client,
        )
    except KeyError as missing:
        raise Problem(f"The stack {stack_name!r} is not one of Weir's: it has no output "
                      f"{missing}.") from missing  # fmt: skip
