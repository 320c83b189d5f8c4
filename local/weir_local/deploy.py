"""Deployment: what `sam package` and `sam deploy` do, through the CloudFormation API.

The commands themselves take 10 s and more for this; the steps are the same. The template stays as
written: the emulator runs it through SAM's own translator.
"""

import io
import re
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from weir_local.paths import STACK_NAME

_ARTIFACTS = "weir-local-artifacts"
_PATIENCE = 120.0
_LOCAL_CODE = re.compile(r"^(\s+(?:CodeUri|ContentUri):\s+)(\S+)[ \t]*$", re.MULTILINE)


class DeployError(Exception):
    """The stack could not be created."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A created stack: its outputs, its processed template, the physical id of each resource."""

    outputs: Mapping[str, str]
    template: Mapping[str, Any]
    resources: Mapping[str, str]


def deploy(session: boto3.Session, built: Path, parameters: Mapping[str, str]) -> Deployed:
    """Create the stack from the folder `built` and return what came of it.

    Raises
    ------
    DeployError
        With the reason of the first resource that failed.
    """
    template = _package(session, built)
    cloudformation = session.client("cloudformation")
    try:
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateURL=template,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            OnFailure="DO_NOTHING",
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
    except ClientError as error:
        raise DeployError(error.response["Error"]["Message"]) from error
    stack = _wait(cloudformation)
    processed = cloudformation.get_template(StackName=STACK_NAME, TemplateStage="Processed")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    return Deployed(
        outputs={one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]},
        template=processed["TemplateBody"],
        resources={
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for page in pages
            for one in page["StackResourceSummaries"]
        },
    )


def _package(session: boto3.Session, built: Path) -> str:
    """Upload each folder that the built template names, and the template; return its URL.

    What `sam build` makes of it is too long for a call (51,200 bytes).
    """
    s3 = session.client("s3")
    s3.create_bucket(Bucket=_ARTIFACTS)

    def upload(found: re.Match[str]) -> str:
        folder = built / found[2]
        if not folder.is_dir():
            return found[0]
        key = f"{folder.name}.zip"
        s3.put_object(Bucket=_ARTIFACTS, Key=key, Body=_zipped(folder))
        return f"{found[1]}s3://{_ARTIFACTS}/{key}"

    template = _LOCAL_CODE.sub(upload, (built / "template.yaml").read_text(encoding="utf-8"))
    s3.put_object(Bucket=_ARTIFACTS, Key="template.yaml", Body=template.encode())
    return f"https://s3.amazonaws.com/{_ARTIFACTS}/template.yaml"


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


def _wait(cloudformation: Any) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return stack
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            raise DeployError(_reason(cloudformation, stack))
        time.sleep(0.05)
    raise DeployError(f"the stack was not there after {_PATIENCE:.0f} s")


def _reason(cloudformation: Any, stack: Mapping[str, Any]) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    failed = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("FAILED")
    ]
    return failed[0] if failed else str(stack.get("StackStatusReason", stack["StackStatus"]))
