"""A paper's mechanisms beside the exact optimum of the paper's own market.

Every system runs on the same drawn instances, so that differences are between systems and not
between draws. A system's share is its mean welfare over the mean optimum (a ratio of sums, which
instances without any trade do not blow up), with a 95 % percentile bootstrap interval over
instances (Efron 1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit import papers
from mechkit.errors import require

RESAMPLES = 2000


@dataclass(frozen=True)
class Standing:
    """One system over all draws: means, and its share of the optimum with a 95 % interval."""

    system: str
    welfare: float
    share: float
    interval: tuple[float, float]
    trades: float
    budget: float
    measured: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """All systems of a paper on the same draws; optimum: its mean."""

    paper: str
    sizes: Mapping[str, int]
    draws: int
    seed: int
    optimum: float
    unit: str
    standings: tuple[Standing, ...]


def compare(
    paper: str, *, seed: int = 0, draws: int = 1000, sizes: Mapping[str, int] | None = None
) -> Comparison:
    """Draw instances of a paper's market, run every system and the optimum.

    sizes: by name, where they differ from the paper's. Raises InputError for an unknown paper or
    size, and where a system claims more than the optimum: then one of the two is wrong.
    """
    market = papers.paper_of(paper).market
    given = dict(sizes or {})
    unknown = sorted(set(given) - set(market.sizes))
    require(not unknown, f"sizes {unknown}: {paper} has {', '.join(market.sizes)}")
    for name, value in given.items():
        require(
            isinstance(value, int) and not isinstance(value, bool) and value >= 1,
            f"{name} = {value!r}: expected an integer of at least 1",
        )
    require(isinstance(draws, int) and draws >= 2, f"draws = {draws!r}: expected at least 2")
    full = {**market.sizes, **given}
    drawn = market.draw(np.random.default_rng(seed), draws, **full)
    best = np.asarray(market.optimum(drawn), dtype=float)
    rng = np.random.default_rng([seed, 1])
    again = rng.integers(0, draws, size=(RESAMPLES, draws))
    standings = []
    for name, run in market.systems.items():
        result = run(drawn)
        welfare = np.asarray(result.welfare, dtype=float)
        slack = 1e-9 * np.maximum(1.0, np.abs(best))
        worst = int(np.argmax(welfare - best - slack))
        require(
            bool((welfare <= best + slack).all()),
            f"{paper}: {name} reaches {welfare[worst]:.6g} on draw {worst} of seed {seed}, more "
            f"than the optimum {best[worst]:.6g}: one of the two is wrong, please report it",
        )
        standings.append(
            Standing(
                name,
                float(welfare.mean()),
                _ratio(welfare.sum(), best.sum()),
                _interval(welfare, best, again),
                float(np.mean(result.trades)),
                float(np.mean(result.budget)),
                {key: float(np.mean(value)) for key, value in result.measured.items()},
            )
        )
    return Comparison(paper, full, draws, seed, float(best.mean()), market.unit, tuple(standings))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0


def _interval(welfare: np.ndarray, best: np.ndarray, again: np.ndarray) -> tuple[float, float]:
    tops = np.array([welfare[rows].sum() for rows in again])
    wholes = np.array([best[rows].sum() for rows in again])
    some = wholes != 0  # of nothing there is no share: resamples without any gain say nothing
    shares = tops[some] / wholes[some] if some.any() else np.ones(1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def as_json(found: Comparison) -> dict[str, Any]:
    """A comparison as plain JSON values."""
    return {
        "format": "mechkit-market/1",
        "paper": found.paper,
        "sizes": dict(found.sizes),
        "draws": found.draws,
        "seed": found.seed,
        "unit": found.unit,
        "optimum": found.optimum,
        "systems": [
            {
                "system": one.system,
                "welfare": one.welfare,
                "share": one.share,
                "interval": list(one.interval),
                "trades": one.trades,
                "budget": one.budget,
                "measured": dict(one.measured),
            }
            for one in found.standings
        ],
    }


def page(found: Comparison) -> Any:
    """A comparison for the terminal, the best first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for k, name in enumerate(("system", "welfare", "of the optimum", "95 %", "trades", "budget")):
        table.add_column(name, justify="left" if k == 0 else "right")
    table.add_row(Text("optimum", style="bold green"), f"{found.optimum:.4f}", "100 %", "", "", "")
    for one in sorted(found.standings, key=lambda standing: -standing.welfare):
        low, high = one.interval
        table.add_row(
            Text(one.system, style="bold"),
            f"{one.welfare:.4f}",
            f"{100 * one.share:.2f} %",
            f"{100 * low:.2f} to {100 * high:.2f} %",
            f"{one.trades:.2f}",
            f"{round(one.budget, 4) + 0.0:.4f}",
        )
    head = f"{found.paper}: {sizes}; {found.draws:,} draws, seed {found.seed}; in {found.unit}"
    return Group(Text(head), "", table)
