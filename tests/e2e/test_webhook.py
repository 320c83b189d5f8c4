"""What is told of an alert is posted to the webhook too, signed with the stack's secret."""

import json

import pytest
from benchmarks.alerts.pumps import FURTHER_OUT, reading
from benchmarks.alerts.told import Ears, of_message

from tests.e2e.alerting import alerts, known, post
from tests.e2e.stack import Stack
from tests.receiver import Receiver
from tests.unit.test_notifications_docs import snippet
from weir_local.aws import client
from weir_local.paths import STACK_NAME

pytestmark = pytest.mark.e2e


def secret_of(stack: Stack) -> str:
    """The webhook's secret, looked up as the documentation says."""
    found = client(stack.status, "cloudformation").describe_stacks(StackName=STACK_NAME)
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Stacks"][0]["Outputs"]}
    secrets = client(stack.status, "secretsmanager")
    return str(secrets.get_secret_value(SecretId=outputs["WebhookSecret"])["SecretString"])


def test_an_alert_s_message_is_posted_once_and_signed_as_the_docs_verify_it(
    stack: Stack, ears: Ears, receiver: Receiver
) -> None:
    device = "pump-hooked"
    onset = known(stack, device)
    post(stack, [reading(device, onset, FURTHER_OUT)])
    ears.listen_until_quiet(stack.control, 60)
    [opened] = alerts(stack, device_id=device)
    wanted = f"{opened['alert_id']}#1"
    came = [
        (headers, body)
        for _, headers, body in receiver.requests
        if wanted in of_message(json.loads(body))
    ]
    [(headers, body)] = came
    verify = snippet("verify")["verify"]
    assert verify(headers["Weir-Signature"], body, [secret_of(stack)])
    assert not verify(headers["Weir-Signature"], body, ["another"])
