"""Prices as the proof of a quantised auction's optimum.

A lottery gives bidder i the bundle b with probability x_ib, and capacities hold in expectation. At
prices λ ≥ 0 of a quantum of each resource no such lottery, and so no allocation, is worth more than

    Λ(λ) = M Σ_r λ_r + Σ_i max_b (v_i(b) − λ·b)                                (weak duality)

which takes one look at every bundle. An integer optimum may be worth less than Λ. Then bundles are
listed: an allocation with one bundle that is not listed, because its net gain v_i(b) − λ·b falls
short of the bidder's best by more than t, is worth at most Λ − t; and all others are points of the
integer program over the listed ones, whose optimum a `tree` bounds. So the larger of the two is a
bound.

Sources: Lasdon, *Optimization Theory for Large Systems* (1970); Nemhauser & Wolsey, *Integer and
Combinatorial Optimization* (1988), II.5, for fixing by reduced costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from solvers.bundles import Bundles
from solvers.certificate import Checked, check, verdict
from solvers.lottery import Lottery
from solvers.program import Program
from solvers.qvcg_rational import exact_lagrangian
from solvers.tree import Tree

__all__ = ["Listed", "PriceProof", "listed_program"]

# How far float weights may miss a probability of 1, or a capacity, relative to it.
FEASIBILITY = 1e-8


@dataclass(frozen=True, eq=False, kw_only=True)
class Listed:
    """Bundles (k, 3) of agents (k,): all whose net gain is within `within` of their bidder's best;
    tree: the proof of the integer program over them."""

    agents: np.ndarray
    bundles: np.ndarray
    within: float
    tree: Tree


@dataclass(frozen=True, eq=False)
class PriceProof:
    """Prices of a quantum of each resource (3,) ≥ 0; by weak duality no feasible allocation, and no
    lottery, is worth more than `bound()`. without: for a bidder i that has a payment to prove, the
    prices of the program without it: `bound(without=i)` is the most that the others can have, and
    so bounds i's payment from above. lottery: what was found; integer: its draws are sure, and
    `listed` may prove what prices alone do not."""

    values: Bundles
    prices: np.ndarray
    without: dict[int, np.ndarray] = field(default_factory=dict)
    lottery: Lottery | None = None
    integer: bool = False
    listed: Listed | None = None

    def bound(self, *, without: int | None = None) -> float:
        """M Σ_r λ_r + Σ_i max_b (v_i(b) − λ·b), by a look at every bundle of every bidder."""
        prices = self.prices if without is None else self.without[without]
        prices = np.array([float(p) for p in prices])
        if not (prices >= 0).all():
            return np.inf
        total = self.values.quanta * float(prices.sum())
        for i in range(self.values.agents):
            if i != without:
                total += float(_net(self.values, prices, i).max())
        return float(total)


def _net(values: Bundles, prices: np.ndarray, agent: int) -> np.ndarray:
    """v(b) − λ·b of one bidder's bundles, −inf for those that it cannot have."""
    quantum = np.arange(values.quanta + 1)
    net = values.cube(agent) - (quantum * prices[0])[:, None, None]
    net -= (quantum * prices[1])[:, None]
    net -= quantum * prices[2]
    if values.levels == "printed":
        nothing = net[0, 0, 0]
        net[0], net[:, 0], net[:, :, 0] = -np.inf, -np.inf, -np.inf
        net[0, 0, 0] = nothing
    return np.asarray(net)


def listed_program(
    agents: np.ndarray, bundles: np.ndarray, gains: np.ndarray, count: int, quanta: int
) -> Program:
    """Which of the bundles (k, 3) to give: one at most to each of `count` agents, `quanta` quanta
    of each resource. gains (k,): v_i(b) − v_i(nothing)."""
    k = len(agents)
    one = sparse.csr_array((np.ones(k), (agents, np.arange(k))), shape=(count, k))
    return Program(
        objective=gains,
        matrix=sparse.vstack([one, sparse.csr_array(bundles.T.astype(float))]),
        row_low=np.full(count + 3, -np.inf),
        row_high=np.r_[np.ones(count), np.full(3, float(quanta))],
        low=np.zeros(k),
        high=np.ones(k),
        whole=True,
    )


@check.register
def _(certificate: PriceProof, *, tolerance: float = 1e-9) -> Checked:
    values, drawn, prices = certificate.values, certificate.lottery, certificate.prices
    if drawn is None:
        faults: list[tuple[Any, str]] = [(False, "prices alone: no allocation to compare with")]
        return verdict(None, certificate.bound(), faults, exact=False, tolerance=tolerance)
    agents, bundles, chances = drawn.agents, drawn.bundles, drawn.probabilities
    exact = chances.dtype == prices.dtype == object
    faults = _faults(certificate, exact)
    if not all(ok for ok, _ in faults):
        return verdict(None, np.inf, faults, exact=exact, tolerance=tolerance)
    rows = zip(agents.tolist(), bundles.tolist(), strict=True)
    own = [values.exact(i, tuple(b)) if exact else _worth(values, i, b) for i, b in rows]
    value = sum(p * v for p, v in zip(chances.tolist(), own, strict=True))
    bound: Any
    if not (prices >= 0).all():
        bound = np.inf
    elif exact:
        bound = exact_lagrangian(values, list(prices))
    else:
        bound = certificate.bound()
    if certificate.integer and certificate.listed is not None:
        shown, why = _integer_bound(certificate, certificate.listed, float(bound))
        faults += [(not why, why)]
        bound = min(bound, shown)
    return verdict(value, bound, faults, exact=exact, tolerance=tolerance)


def _worth(values: Bundles, agent: int, bundle: list[int]) -> float:
    if not any(bundle):
        return float(values.nothing[agent])
    a, b, c = bundle
    return float(values.corner(agent, (a, b, c))[a, b, c])


def _faults(certificate: PriceProof, exact: bool) -> list[tuple[Any, str]]:
    values, drawn = certificate.values, certificate.lottery
    assert drawn is not None
    agents, bundles, chances = drawn.agents, drawn.bundles, drawn.probabilities
    shaped = len(agents) == len(bundles) == len(chances) and bundles.shape[1:] == (3,)
    known = shaped and bool(((agents >= 0) & (agents < values.agents)).all())
    if not known:
        return [(False, "the lottery names bidders or bundles that there are not")]
    room = 0 if exact else FEASIBILITY
    total = np.zeros(values.agents, dtype=chances.dtype)
    np.add.at(total, agents, chances)
    used = (bundles * chances[:, None]).sum(axis=0)
    first = 1 if values.levels == "printed" else 0
    inside = (bundles >= first) & (bundles <= values.quanta)
    sold = inside.all(axis=1) | (bundles == 0).all(axis=1)
    return [
        ((chances >= 0).all(), "a probability is negative"),
        ((abs(total - 1) <= room).all(), "the probabilities of a bidder do not add to 1"),
        (sold.all(), "a bundle is not one of those on sale"),
        ((used <= values.quanta * (1 + room)).all(), "a capacity is exceeded in expectation"),
        (
            not certificate.integer or ((chances == 0) | (chances == 1)).all(),
            "an integer allocation draws lots",
        ),
    ]


def _integer_bound(certificate: PriceProof, listed: Listed, linear: float) -> tuple[float, str]:
    """(a bound on integer allocations, what is wrong with the list or its tree)."""
    values = certificate.values
    prices = np.array([float(p) for p in certificate.prices])
    for i in range(values.agents):
        net = _net(values, prices, i)
        near = net >= net.max() - listed.within
        near[0, 0, 0] = False
        near[tuple(listed.bundles[listed.agents == i].T)] = False
        if near.any():
            bundle = tuple(int(k) for k in np.argwhere(near)[0])
            return linear, f"bundle {bundle} of bidder {i} is not listed and might be given"
    rows = zip(listed.agents.tolist(), listed.bundles.tolist(), strict=True)
    gains = np.array([_worth(values, i, b) - values.nothing[i] for i, b in rows])
    program, given = (
        listed_program(listed.agents, listed.bundles, gains, values.agents, values.quanta),
        listed.tree.program,
    )
    same = all(
        np.array_equal(getattr(program, name), getattr(given, name))
        for name in ("objective", "row_low", "row_high", "low", "high", "whole")
    )
    same = same and program.matrix.shape == given.matrix.shape and not given.exact
    if not (same and (program.matrix != given.matrix).nnz == 0):
        return linear, "the tree is about other bundles than those listed"
    shown = check(listed.tree)
    if not shown.holds:
        return linear, f"the tree does not hold: {shown.reason}"
    return max(float(values.nothing.sum()) + float(shown.bound), linear - listed.within), ""
