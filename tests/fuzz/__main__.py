"""`python -m tests.fuzz [--seconds N] [--only TARGET ...]`: fuzz each target, two at a time.

What is found is kept in `.weir/fuzz/<target>/found`, where the input can be read; the exit code is
then 1.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import TARGETS, seeds

FOLDER = Path(__file__).parents[2] / ".weir" / "fuzz"
AT_ONCE = 2
LONGEST_INPUT = 8192
PATIENCE_S = 10
MEMORY_MB = 2048

_RUNS = re.compile(r"^Done (\d+) runs|stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)


def main() -> int:
    """Fuzz the targets; 1 if any of them let something through."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    options = parser.parse_args()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda name: fuzz(name, options.seconds), options.only)
    return int(not all(list(results)))


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target for so long; whether nothing was found."""
    folder = FOLDER / name
    corpus, found = folder / "corpus", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    log = folder / "log"
    command = [
        sys.executable, "-m", "tests.fuzz.one", name, str(corpus),
        f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={PATIENCE_S}",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={found}{os.sep}", "-print_final_stats=1",
    ]  # fmt: skip
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    runs = _RUNS.findall(log.read_text(encoding="utf-8", errors="replace"))
    count = int(next(filter(None, runs[-1]))) if runs else 0
    verdict = "nothing found" if done.returncode == 0 else f"FOUND something: {log}, {found}"
    print(f"{name:<14} {count:>12,} inputs  {verdict}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
