"""The bars of the index: what is promised about it, tried as often as promised.

    python benchmarks/reliability/run.py [--short] [--only kills,power] [--seed 0] [--output table.md]

Needs Linux or macOS; strace for the trace, and the right to mount for the full disk: without them the bar says so and
fails, and `small_files` and `power` show the same from within the process. Exit code 1 where a bar fails.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reliability import damage, deleted, formats, full, inputs, kills, operations, power, together, trace

BARS = {  # name -> (what runs, how often, how often in short)
    "kills": (kills.kills, 200, 16),
    "power": (power.power, 200, 40),
    "trace": (trace.trace, 100, 9),
    "full_disk": (full.full_disk, 50, 10),
    "small_files": (full.small_files, 50, 15),
    "flips": (damage.flips, 1000, 54),
    "truncations": (damage.truncations, 500, 40),
    "mutations": (damage.mutations, 10_000, 300),
    "mutated_rows": (damage.mutated_rows, 10_000, 300),
    "together": (together.together, 250, 8),
    "operations": (operations.operations, 10_000, 100),
    "deleted": (deleted.deleted, 100_000, 5_000),
    "refusals": (inputs.refusals, 1000, 1000),
    "ids": (inputs.ids, 1000, 200),
    "formats": (formats.formats, 3, 3),
}
HEADER = ("| bar | tried | times | result | seconds |", "|---|---|---|---|---|")


def run(name: str, short: bool, seed: int):
    """One bar in an empty folder: its results, and the seconds that it took."""
    work, often, seldom = BARS[name]
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hyperir-bar-") as folder:
        results = work(seldom if short else often, Path(folder), seed)
    return results, time.perf_counter() - begin


def line(result, seconds: float) -> str:
    said = "0" if result.ok else f"**{len(result.failures)}**" if result.count else "**not tried**"
    note = f"; {result.note}" if result.note else ""
    return f"| {result.bar} | {result.what} | {result.count:,} | {said}{note} | {seconds:,.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="as often as the suite does")
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(BARS), help=", ".join(BARS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="where to write the table as well")
    given = parser.parse_args()
    if unknown := set(given.only) - BARS.keys():
        parser.error(f"there is no bar {', '.join(sorted(unknown))}; there are {', '.join(BARS)}")
    warnings.filterwarnings("ignore", message=".*lance is not fork-safe.*")
    lines, failures = list(HEADER), []
    print(*HEADER, sep="\n", flush=True)
    for name in given.only:
        results, seconds = run(name, given.short, given.seed)
        for result in results:
            lines.append(line(result, seconds))
            print(lines[-1], flush=True)
            failures += [f"{name}: {failure}" for failure in result.failures]
            if not result.ok and not result.failures:
                failures.append(f"{name}: {result.what}: not tried; {result.note}")
    for failure in failures:
        print(failure, file=sys.stderr)
    if given.output:
        given.output.write_text("\n".join(lines) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
