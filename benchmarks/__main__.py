"""`make bench`: everything that is measured, in one run, paired with what it is measured against.

    python -m benchmarks [TOPIC ...] [--json FILE] [--quick]

searching  the search against a hand-written loop
proofs     seconds against size, and the whole catalogue
solvers    assignment, closed forms, winner determination against CP-SAT, linear programs exactly
qvcg       the quantised VCG auction, and the continuous optimum
revenue    optimal auctions, and optimal mechanisms by linear programming
papers     instances per second of the papers' markets and systems
games      equilibria derived, checked and in numbers, against followers and leaders
learners   environment steps per second
training   steps and updates per second of the learners of finitely many actions
known      every learner on problems of exact optima; a quarter of an hour
adapters   the same as learners see them, against 16 environments; training
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

TOPICS = (
    "searching",
    "proofs",
    "solvers",
    "qvcg",
    "revenue",
    "papers",
    "games",
    "learners",
    "training",
    "known",
    "adapters",
)
"""Modules beside this one: measure(share) -> record, and tables(record) -> what to print."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="all by default")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, for a smoke run")
    options = parser.parse_args()
    if unknown := set(options.topics) - set(TOPICS):
        parser.error(f"{sorted(unknown)}: choose among {', '.join(TOPICS)}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 110)
    record = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cores": os.cpu_count(),
    }
    for topic in options.topics or TOPICS:
        module = importlib.import_module(f"benchmarks.{topic}")
        record[topic] = module.measure(0.1 if options.quick else 1.0)
        for table in module.tables(record[topic]):
            console.print(table)
        if options.json:
            # After each topic, so that an interrupted run loses no more than one.
            options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
