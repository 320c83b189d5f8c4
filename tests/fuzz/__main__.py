"""`python -m tests.fuzz [--seconds N] [--only TARGET ...]`: fuzz each target, two at a time.

What is found is kept in `.weir/fuzz/<target>/found`, each input (.bin) with its reason (.txt); the
exit code is then 1. `--input FILE` puts one input through the target instead. Corpora stay in
`.weir/fuzz/<target>/corpus`, so that the next run goes on from there.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(__file__).parents[2] / ".weir" / "fuzz"
AT_ONCE = 2
LONGEST_INPUT = 4096
PATIENCE_S = 20
MEMORY_MB = 2048

_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def main() -> int:
    """Fuzz the targets; 1 if any of them let something through."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--input", type=Path, help="a file to put through the target, once")
    options = parser.parse_args()
    if options.input is not None:
        for name in options.only:
            TARGETS[name].check(options.input.read_bytes())
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        clean = list(pool.map(lambda name: fuzz(name, options.seconds), options.only))
    return int(not all(clean))


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target for so long; whether nothing was found."""
    folder, target = FOLDER / name, TARGETS[name]
    corpus, found = folder / "corpus", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
    log = folder / "log"
    command = [
        sys.executable, "-m", "tests.fuzz.one", name, str(folder), f"-dict={words}",
        f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={PATIENCE_S}",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={found}{os.sep}", "-print_final_stats=1",
    ]  # fmt: skip
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    runs = _RUNS.findall(log.read_text(encoding="utf-8", errors="replace"))
    reasons = sorted(found.glob("*.txt"))
    verdict = "nothing found"
    if reasons:
        verdict = f"FOUND {len(reasons)}: {', '.join(map(str, reasons))}"
    elif done.returncode:
        verdict = f"FOUND what ends the process ({done.returncode}): {log}, {found}"
    print(f"{name:<14} {int(runs[-1]) if runs else 0:>12,} inputs  {verdict}", flush=True)
    return not reasons and done.returncode == 0


def _escaped(word: str) -> str:
    """A word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    sys.exit(main())
