"""`sam build` for this machine, skipped when nothing that it reads has changed."""

import fcntl
import hashlib
import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from weir_local.emulator import clean_environment
from weir_local.paths import REGION, python_folder, tool

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_READ = ("template.yaml", "functions", "layers")


class BuildError(Exception):
    """`sam build` failed; the log says why."""


def host_architecture() -> str:
    """Return the Lambda name of this machine's instruction set."""
    return _ARCHITECTURES[platform.machine().lower()]


def content_hash(source: Path) -> str:
    """Return a digest of the names and contents of all that a build reads."""
    digest = hashlib.sha256(host_architecture().encode())
    for name in _READ:
        top = source / name
        for file in [top] if top.is_file() else sorted(top.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                content = hashlib.sha256(file.read_bytes()).digest()
                digest.update(f"{file.relative_to(source)}\0".encode() + content)
    return digest.hexdigest()


def build(source: Path, log: Path, say: Callable[[str], None]) -> Path:
    """Build the application in `source` and return the folder with the built template.

    The folder is ``.weir/build`` of the source, shared by all local stacks of this repository,
    and apart from ``.aws-sam``, where a build for production may lie.
    """
    folder = source / ".weir" / "build"
    built = folder / "out"
    stamp = folder / "content.sha256"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        wanted = content_hash(source)
        done = stamp.read_text(encoding="ascii") if stamp.exists() else ""
        if done == wanted and (built / "template.yaml").exists():
            say("the build is up to date")
            return built
        say("building (sam build)")
        stamp.unlink(missing_ok=True)
        _sam_build(source, built, folder / "cache", log)
        stamp.write_text(wanted, encoding="ascii")
    return built


def _sam_build(source: Path, built: Path, cache: Path, log: Path) -> None:
    architecture = host_architecture()
    # The repository's samconfig.toml speaks of real stages.
    config = built.parent / "samconfig.toml"
    config.write_text("version = 0.1\n", encoding="utf-8")
    command = [
        str(tool("sam")), "build", "--cached", "--parallel",
        "--template-file", str(source / "template.yaml"),
        "--build-dir", str(built),
        "--cache-dir", str(cache),
        "--parameter-overrides", f"Architecture={architecture}",
        "--config-file", str(config),
    ]  # fmt: skip
    environment = clean_environment() | {
        "PATH": f"{python_folder()}{os.pathsep}{os.environ.get('PATH', '')}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": REGION,
        "ARCHITECTURE": architecture,  # the layer's Makefile reads it
    }
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - our own tool, our own arguments
            command, cwd=source, env=environment, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        raise BuildError(f"sam build ended with status {done.returncode}")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
