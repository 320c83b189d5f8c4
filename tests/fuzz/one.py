"""Fuzz one target in this process: `python -m tests.fuzz.one TARGET CORPUS [libFuzzer options]`."""

import sys

import atheris

with atheris.instrument_imports(include=["weir", "json"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer ends: it says why, and its exit code is 0 if nothing was found."""
    name, *options = sys.argv[1:]
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
