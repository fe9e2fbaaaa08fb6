"""`make mutants`: 10 mutants of each of 21 sound rules, every property judged four ways.

Each rule is changed in one place by program (`tests.mutated`), and each mutant × property is asked
of the provers, of exhaustion in rationals and of brute force (`tests.mutant_verdicts`). The table
says how many mutants are refuted (a property that held for the original does not), equivalent (the
same outcomes, proved), different and holding (all that held is proved of the other outcomes) and
open; a contradiction between the judges, a wrong proof above all, ends with exit code 1.

    python -m benchmarks.mutants [KEY ...] [--count N] [--seconds S] [--seed K] [--jobs J]
                                 [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mechkit.audit.pool import Pool
from mechkit.catalogue import entry_of
from mechkit.terminal import progress
from tests.mutant_verdicts import Tally, contradictions, tally

SOUND = (
    "second-price",
    "second-price-reserve",
    "myerson-unlike-bidders",
    "eager-reserves",
    "sample-price",
    "modified-second-bid",
    "boosted-clarke",
    "uniform-price",
    "bailey-cavallo",
    "vickrey-multi-unit",
    "position-vcg-reserve",
    "quadratic-menu",
    "clarke-project",
    "majority-vote",
    "second-price-levels",
    "mcafee",
    "trade-reduction",
    "vcg-market",
    "posted-items",
    "second-price-items",
    "vcg-known-bundles",
)
VERDICTS = ("refuted", "equivalent", "holding", "open")

Task = tuple[str, int, float, int]


def work(task: Task) -> Tally:
    key, count, seconds, seed = task
    return tally(key, count, seconds=seconds, seed=seed)


def table(tallies: list[Tally]) -> Table:
    """One row for each entry, and the sums."""
    shown = Table(title="Mutants of sound rules")
    shown.add_column("entry")
    headers = (
        "mutants", "refuted", "equivalent", "different, holding", "open",
        "proved", "found", "undecided", "contradictions",
    )  # fmt: skip
    for header in headers:
        shown.add_column(header, justify="right")
    sums: Counter[str] = Counter()
    for t in tallies:
        boxes = Counter(f"box {c.box}" for v in t.verdicts for c in v.cells)
        row = t.counts() + boxes
        row["mutants"], row["wrong"] = len(t.verdicts), len(contradictions([t]))
        sums += row
        shown.add_row(t.key, *_numbers(row))
    shown.add_section()
    shown.add_row("all", *_numbers(sums))
    return shown


def _numbers(row: Counter[str]) -> list[str]:
    columns = ("mutants", *VERDICTS, "box proved", "box found", "box open", "wrong")
    return [str(row[name]) for name in columns]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("keys", nargs="*", metavar="KEY", help="catalogue entries; 21 by default")
    parser.add_argument("--count", type=int, default=10, help="mutants of each entry")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each proof")
    parser.add_argument("--seed", type=int, default=0, help="which mutants are drawn")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--json", type=Path, help="write every verdict to this file")
    options = parser.parse_args()
    keys = options.keys or list(SOUND)
    for key in keys:
        if entry_of(key).faulty:
            parser.error(f"{key} is faulty as it is: give sound entries")
    if min(options.count, options.jobs) < 1 or options.seconds <= 0:
        parser.error("--count and --jobs must be at least 1, --seconds positive")
    tasks: list[Task] = [(key, options.count, options.seconds, options.seed) for key in keys]
    done: dict[str, Tally] = {}
    failed: list[str] = []
    started = time.monotonic()
    with Pool(work, options.jobs) as pool, progress("mutants") as show:
        show(0.0, keys[0])
        for task, result in pool.map(tasks):
            if isinstance(result, Tally):
                done[task[0]] = result
            else:
                failed.append(f"{task[0]}: {result}")
            show((len(done) + len(failed)) / len(tasks), task[0])
    tallies = [done[key] for key in keys if key in done]
    wrong = contradictions(tallies)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(tallies))
    passed = sum((Counter(t.discarded) for t in tallies), Counter())
    console.print(
        f"{passed['no rule']} changes gave no rule, {passed['not reached']} were never evaluated; "
        f"{time.monotonic() - started:.0f} s on {options.jobs} processes"
    )
    for line in (*wrong, *failed):
        console.print(f"WRONG: {line}", markup=False)
    if options.json:
        record = {"seed": options.seed, "seconds": options.seconds, "failed": failed}
        record["entries"] = [asdict(t) for t in tallies]
        options.json.write_text(
            json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return 1 if wrong or failed else 0


if __name__ == "__main__":
    sys.exit(main())
