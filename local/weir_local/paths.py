"""Where things are: the repository, its tools, and the folder of a running local stack."""

import os
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
REGION = "us-east-1"
STACK_NAME = "weir-local"


def stack_directory(directory: Path | None = None) -> Path:
    """Return the folder that holds a local stack's status, logs and state.

    ``WEIR_LOCAL_DIR`` names another one than ``.weir/local``, so that two stacks can run at once.
    """
    if directory is not None:
        return directory.resolve()
    named = os.environ.get("WEIR_LOCAL_DIR")
    return Path(named).resolve() if named else REPOSITORY / ".weir" / "local"


def tool(name: str) -> Path:
    """Return the program `name` of the environment ``.tools/<name>``, or else the one on PATH.

    Raises
    ------
    FileNotFoundError
        When neither is there.
    """
    environment = {"ministack": "emulator"}.get(name, name)
    own = REPOSITORY / ".tools" / environment / "bin" / name
    if own.exists():
        return own
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is neither in {own.parent} nor on PATH")
    return Path(found)


def python_folder() -> Path:
    """Return the folder of a Python with pip, which ``sam build`` needs first on PATH."""
    named = os.environ.get("WEIR_PYTHON_BIN")
    if named:
        return Path(named)
    own = REPOSITORY / ".tools" / "python" / "bin"
    if own.exists():
        return own
    # The interpreter that this environment was made from: a virtual environment may lack pip.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(base).resolve().parent
