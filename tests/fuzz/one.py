"""Fuzz one target in this process: `python -m tests.fuzz.one TARGET FOLDER [libFuzzer options]`.

What is found does not end it: the first input of each finding is kept in FOLDER/found, with the
reason beside it. What hangs or kills the process does end it, and libFuzzer keeps that input.
"""

import hashlib
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["weir", "json"]):
    from tests.fuzz.mutators import Mutator, Unfit
    from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
MAX_SECONDS = 2.0
"""Of CPU, for one input."""
MAX_KB = 200 * 1024
"""By which one input may raise the process's peak of memory."""


class Slow(Exception):
    """An input takes too long."""


class Large(Exception):
    """An input takes too much memory."""


class Watch:
    """Calls a target, and keeps the inputs that it should have borne and did not."""

    def __init__(self, target: Callable[[bytes], None], folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._peak_kb = _peak_kb()
        self._known: set[str] = set()

    def __call__(self, data: bytes) -> None:
        """Put one input through."""
        began = time.process_time()
        try:
            self._target(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._keep(data, error)
        seconds, peak_kb = time.process_time() - began, _peak_kb()
        grown_kb, self._peak_kb = peak_kb - self._peak_kb, peak_kb
        if seconds > MAX_SECONDS:
            self._keep(data, Slow(f"{seconds:.1f} s of CPU"))
        if grown_kb > MAX_KB:
            self._keep(data, Large(f"{grown_kb // 1024} MB more than ever before"))

    def try_again(self) -> None:
        """Put the earlier findings through, and forget those that are mended."""
        earlier = [file.read_bytes() for file in self._folder.glob("*.bin")]
        for file in self._folder.iterdir():
            file.unlink()
        for data in earlier:
            self(data)

    def _keep(self, data: bytes, error: Exception) -> None:
        name = f"{type(error).__name__}-{_place(error)}"
        if name in self._known:
            return
        self._known.add(name)
        (self._folder / f"{name}.bin").write_bytes(data)
        reason = f"{data!r}\n\n{''.join(traceback.format_exception(error))}"
        (self._folder / f"{name}.txt").write_text(reason, encoding="utf-8", errors="replace")


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _place(error: Exception) -> str:
    """Eight digits that name where in our code an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.startswith(str(ROOT))]
    return hashlib.sha256("\n".join(ours[-2:]).encode()).hexdigest()[:8]


def _custom(mutator: Mutator) -> Callable[[bytes, int, int], bytes]:
    """Half of the mutations in the structure, the other half libFuzzer's own."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.randrange(2):
            try:
                changed = mutator(data, rng)
            except Unfit:
                changed = b""
            if changed and len(changed) <= max_size:
                return changed
        return bytes(atheris.Mutate(data, max_size))

    return mutate


def main() -> None:
    """Run until libFuzzer ends: it says why, and its exit code is 0 if it bore every input."""
    name, folder, *options = sys.argv[1:]
    target = TARGETS[name]
    watch = Watch(target.check, Path(folder) / "found")
    watch.try_again()
    more = {"custom_mutator": _custom(target.mutator)} if target.mutator else {}
    atheris.Setup([name, str(Path(folder) / "corpus"), *options], watch, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
