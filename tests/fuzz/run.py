"""Fuzz the parsers under atheris, led by coverage: `make fuzz ARGS="--seconds 60 sip_message cpim"`.

Each target runs in a process of its own for that many seconds. What was found is kept below results/fuzz/ and
ends the run with exit 1; `--again FILE TARGET` repeats it without atheris.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from .mutation import mutate

HOME = Path(__file__).resolve().parents[2]
RESULTS = HOME / "results" / "fuzz"
LONGEST = 4096  # octets


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="parsers, all by default")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="to go the same way again; another one each time")
    parser.add_argument("--again", type=Path, help="octets to run a target with once")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def fuzz(name: str, seconds: int, seed: int) -> None:
    """Fuzz one target; does not return: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["harness"]):
        from .targets import TARGETS
    target = TARGETS[name]

    def change(data: bytes, largest: int, seed: int) -> bytes:
        random = Random(seed)
        ours = random.random() < 0.5
        return bytes(mutate(data, random, target.seeds) if ours else atheris.Mutate(data, largest))[:largest]

    folder = RESULTS / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(octets)
    options = [f"-seed={seed}", f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10"]
    options += ["-rss_limit_mb=2048", f"-artifact_prefix={folder}/", "-verbosity=0", "-print_final_stats=1"]
    options.append(str(corpus))
    atheris.Setup([sys.argv[0], *options], target.fuzz_one, custom_mutator=change)
    atheris.Fuzz()


def again(name: str, file: Path) -> None:
    """Run a target once with what was found; the traceback shows where it breaks."""
    from .targets import TARGETS

    TARGETS[name].fuzz_one(file.read_bytes())


def all_of(names: Sequence[str], seconds: int, seed: int) -> int:
    """Fuzz the targets, as many at once as there are processors. Returns the exit code."""
    from .targets import TARGETS

    unknown = set(names) - set(TARGETS)
    if unknown:
        print(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda name: report(name, seconds, seed), names or TARGETS))
    return 0 if all(outcomes) else 1


def report(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target in a process of its own and print what came of it. Whether nothing was found."""
    options = ["--inside", "--seconds", str(seconds), "--seed", str(seed), name]
    command = [sys.executable, "-m", "fuzz.run", *options]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    counts = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"{name}: {counts[0] if counts else '?'} inputs in {seconds} s", flush=True)
    if done.returncode:
        print(done.stdout[-3000:] + done.stderr[-6000:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """The command."""
    given = arguments()
    if given.again is not None:
        again(given.targets[0], given.again)
        return 0
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("skipped: atheris is not installed (it has wheels for Linux on x86_64 only)", file=sys.stderr)
        return 0
    if given.inside:
        fuzz(given.targets[0], given.seconds, given.seed)
    return all_of(given.targets, given.seconds, given.seed)


if __name__ == "__main__":
    sys.exit(main())
