"""The local stack, deployed once for these tests, with functions that are as small as can be."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.local.stack import Stack
from weir_local.control import Control
from weir_local.paths import REPOSITORY
from weir_local.processes import is_running
from weir_local.stack import StackOptions, down, up
from weir_local.status import ISSUER_FILE

APPLICATION = Path(__file__).parent / "application"


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not (REPOSITORY / ".tools" / "emulator").exists():
        pytest.skip("the emulator is not installed: `make setup` installs it")
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(APPLICATION, source, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "template.yaml", source)
    options = StackOptions(
        directory=source / "local",
        source=source,
        auth=True,
        breakable=True,
        time_scale=0.01,
        watchdog=False,
    )
    status = up(options, print)
    with Control(status.control_url) as control:
        yield Stack(status, options, control)
    down(options.directory, print)
    assert not (options.directory / ISSUER_FILE).exists()
    assert not is_running(status.emulator_pid)
    assert not is_running(status.standins_pid)


@pytest.fixture
def stack(deployed: Stack) -> Iterator[Stack]:
    """The stack, with no faults left over for the test after."""
    yield deployed
    deployed.control.clear_faults()
