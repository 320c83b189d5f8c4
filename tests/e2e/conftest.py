"""The local stack, deployed once for the run, apart from one that a developer may have up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.alerts.told import Ears

from tests.e2e.stack import Stack
from tests.receiver import Receiver
from weir_local.control import Control
from weir_local.paths import REPOSITORY
from weir_local.stack import StackOptions, down, up


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """What the stack's webhook posts to."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Stack]:
    if not (REPOSITORY / ".tools" / "emulator").exists():
        pytest.skip("the emulator is not installed: `make setup` installs it")
    directory: Path = tmp_path_factory.mktemp("stack")
    # With the functions' own rights enforced: whatever passes here passes with least privilege.
    # Breakable costs a hop each call, and lets faults strike at every one of them.
    # The watchdog looks when a test says so: the devices of the others fall silent as they end.
    options = StackOptions(
        directory=directory,
        parameters={"WebhookUrl": receiver.url},
        auth=True,
        breakable=True,
        watchdog=False,
    )
    status = up(options, print)
    try:
        with Control(status.control_url) as control:
            yield Stack(status, control)
    finally:
        down(directory, print)


@pytest.fixture
def stack(deployed: Stack) -> Iterator[Stack]:
    """The stack, with no faults left over from the test before."""
    deployed.control.clear_faults()
    yield deployed
    deployed.control.clear_faults()


@pytest.fixture(scope="session")
def listening(deployed: Stack) -> Ears:
    return Ears(deployed.status, "e2e")


@pytest.fixture
def ears(stack: Stack, listening: Ears) -> Ears:
    """What listens at the topic and on the bus, with nothing left over from the test before."""
    listening.listen_until_quiet(stack.control, 60)
    listening.forget()
    return listening
