"""Who does how well: second price, the factors of the paper, and what no factor can exceed.

The objective is the surplus (12a), ζ·v_0 where the UAV has the task and v_n where station n has it.
Of one round it is at most max(ζ·v_0, max_n v_n). A factor ρ leads to either the best station or the
UAV, and where the stations' best bids are b_(1) > b_(2) (and eq. 14 compares stations only), it is
the station exactly for ρ < b_(1)/b_(2). So

    first best     max(ζ·v_0, b_(1)), attained by ρ = max(1, ζ·b_0/b_(2)), which needs the bids
                   (over everybody, for ζ ≥ 1, by ρ = max(1, ζ·b_0/max(b_0, b_(2))) ≤ ζ);
    ρ ≤ 10         the same, but for rounds where b_(1) > 10·b_(2): there the station has the task;
    constant ρ     Σ over rounds of b_(1) or ζ·v_0, a step function of ρ with steps at the ratios.

Where ζ ≥ 1, the second price auction has at least 1/ζ of the first best in every round, as
max(ζ·v_0, b_(1)) ≤ ζ·max(v_0, b_(1)): no factor, learned or not, beats it by more than ζ − 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import solvers
from mechkit.errors import require
from mechkit.papers.dmsb import rules
from mechkit.papers.dmsb.market import PRINTED, Instances, draw
from mechkit.papers.paper import Result

ACTIONS = 20
"""|A|: ρ = 10^(a/|A|), a = 0…|A|."""
ZETAS = (1.0, 1.5, 2.0)
GRID = 10.0 ** (np.arange(ACTIONS + 1) / ACTIONS)
"""The factors that a policy can choose."""


def weighted(instances: Instances, zeta: float | None = None) -> np.ndarray:
    """What the task counts at each provider: ζ·v_0, v_1, …, (batch, providers)."""
    values = instances.values
    weight = np.ones(values.shape[-1])
    weight[0] = instances.zeta if zeta is None else zeta
    return values * weight


def first_best(instances: Instances) -> np.ndarray:
    """max(ζ·v_0, max_n v_n), (batch,), certified by a price."""
    found = solvers.multi_unit(weighted(instances)[..., None], 1)
    return np.asarray(found.value, dtype=float)


def result(instances: Instances, allocation: np.ndarray, payments: np.ndarray) -> Result:
    """What an outcome is worth: its surplus at ζ, and beside it at each of `ZETAS`; latency."""
    got = allocation * 1.0
    uav, stations = (instances.values * got)[:, 0], (instances.values * got)[:, 1:].sum(axis=-1)
    return Result(
        welfare=instances.zeta * uav + stations,
        trades=got.sum(axis=-1).astype(int),
        budget=payments.sum(axis=-1),
        measured={
            **{f"surplus, zeta = {zeta:g}": zeta * uav + stations for zeta in ZETAS},
            "surplus of the UAV": uav,
            "surplus of the stations": stations,
            "latency, s": (instances.latency * got).sum(axis=-1),
        },
    )


def auction(instances: Instances, rho: Any, per: Any = 1, *, everybody: bool = False) -> Result:
    """The modified second bid at the factor rho / per, numbers or (batch, 1), of true values."""
    played = rules.modified_second_bid(instances.values, rho=rho, per=per, everybody=everybody)
    return result(instances, *played)


def second_price(instances: Instances) -> Result:
    return result(instances, *rules.second_price(instances.values))


# Constant factors --------------------------------------------------------------------------------


def best_constant(values: np.ndarray, zeta: float, *, everybody: bool = False) -> float:
    """A constant ρ in [1, 10] of the highest total surplus on rounds (batch, providers), exactly.

    The surplus changes at the ratios of the best station to its rival only; between two of them,
    the middle is returned.
    """
    best, rival = leaders(values, everybody=everybody)
    steps = best / rival
    order = np.argsort(steps, kind="stable")
    steps, gains = steps[order], (zeta * values[:, 0] - best)[order]
    # At ρ every round with a ratio of at most ρ goes to the UAV: a gain over "all to stations".
    edges = np.union1d(np.clip(steps, 1, rules.HIGHEST_RHO), [1.0, float(rules.HIGHEST_RHO)])
    candidates = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    total = np.concatenate([[0.0], np.cumsum(gains)])
    at = np.searchsorted(steps, candidates, side="right")
    return float(candidates[np.argmax(total[at])])


def best_on_grid(values: np.ndarray, zeta: float, *, everybody: bool = False) -> float:
    """The same among the factors that a policy can choose, `GRID`."""
    total = surplus(values, GRID[:, None], zeta, everybody=everybody).sum(axis=-1)
    return float(GRID[np.argmax(total)])


def leaders(values: np.ndarray, *, everybody: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The best station's value and the highest that it must beat, (batch,) each."""
    best, second = np.sort(values[:, 1:], axis=-1)[:, :-3:-1].T
    return best, np.maximum(second, values[:, 0]) if everybody else second


def surplus(values: np.ndarray, rho: Any, zeta: float, *, everybody: bool = False) -> np.ndarray:
    """(12a) at the factors rho (..., batch), numbers at least 1: the best station has the task, or
    the UAV, as eq. 14 has it."""
    return taken(*leaders(values, everybody=everybody), zeta * values[:, 0], rho)


def taken(best: np.ndarray, rival: np.ndarray, counted: np.ndarray, rho: Any) -> np.ndarray:
    """What the task counts: the best station's value where it is ρ times ahead of its rival, else
    the UAV's, times ζ."""
    return np.where(best > rho * rival, best, counted)


# Systems -----------------------------------------------------------------------------------------

Factor = Callable[[Instances], rules.Quotient]


def factors(*, everybody: bool) -> dict[str, Factor]:
    """By name. What a constant needs to know of the market it learns from the history."""

    def from_bids(seen: Instances) -> rules.Quotient:
        return rules.first_best_factor(seen.values, zeta=seen.zeta, everybody=everybody)

    def capped(seen: Instances) -> rules.Quotient:
        top, per = from_bids(seen)
        return np.minimum(top, rules.HIGHEST_RHO * per), per

    return {
        "best constant": lambda seen: (
            best_on_grid(seen.history, seen.zeta, everybody=everybody),
            1,
        ),
        "random": lambda seen: (GRID[(seen.actions * len(GRID)).astype(int)][:, None], 1),
        "myopic": lambda seen: rules.myopic_of_highest(seen.values),
        "myopic, UAV": lambda seen: rules.myopic_of_uav(seen.values),
        "optimal": lambda seen: rules.optimal_of_highest(seen.history),
        "optimal, UAV": lambda seen: rules.optimal_of_uav(seen.history),
        "best from bids": from_bids,
        "best from bids, rho <= 10": capped,
    }


def _run(instances: Instances, *, factor: Factor, everybody: bool) -> Result:
    return auction(instances, *factor(instances), everybody=everybody)


SYSTEMS: dict[str, Callable[[Instances], Result]] = {"second price": second_price}
for _everybody, _end in ((False, ""), (True, ", over everybody")):
    SYSTEMS |= {
        f"{_name}{_end}": partial(_run, factor=_factor, everybody=_everybody)
        for _name, _factor in factors(everybody=_everybody).items()
    }


# What is not given, swept -------------------------------------------------------------------------

SWEPT: dict[str, tuple[float, ...]] = {
    "gain": (0.1, 1.0, 10.0),
    "noise": (0.1, 1.0, 10.0),
    "unit": (10.0, 100.0, 1000.0),
    "zeta": ZETAS,
}
"""Parameters that the paper does not give, by name, and the levels to try of each."""


def sweep(name: str, *, seed: int = 0, batch: int = 1000) -> dict[float, dict[str, float]]:
    """Each system's share of the optimum's total, at every level of one parameter of `SWEPT`."""
    require(name in SWEPT, f"name = {name!r}: expected one of {', '.join(SWEPT)}")
    shares: dict[float, dict[str, float]] = {}
    for level in SWEPT[name]:
        changed: dict[str, Any] = {name: level}
        parameters = replace(PRINTED, **changed)
        seen = draw(np.random.default_rng(seed), batch, parameters=parameters)
        best = first_best(seen).sum()
        shares[level] = {
            system: float(run(seen).welfare.sum() / best) for system, run in SYSTEMS.items()
        }
    return shares
