"""Prices as certificates of welfare.

Let goods j have prices p_j and let x be any feasible allocation. Everybody's value is at most what
they pay at those prices plus the most that they could gain by trading at them, so

    welfare(x) ≤ Σ_j (what the supply of j earns at p_j) + Σ_i max_bundle (v_i − p(bundle)),

whatever the prices are; they prove x optimal when both sides are equal, that is when x is a
competitive equilibrium at p (the first welfare theorem, read as linear programming duality).

Each record here holds an allocation and such prices, for one instance or for any batch of them in
the leading axes `...`. Values that are Fractions are checked in rationals.

Sources: Shapley & Shubik, "The assignment game I: the core" (1971); Bikhchandani & Mamer,
"Competitive equilibrium in an exchange economy with indivisibilities" (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.arrays import is_exact, plain
from solvers.certificate import Checked, check, verdict

__all__ = ["Assignment", "Clearing", "Matching", "Project", "Stages"]


def positive(array: Any) -> Any:
    return np.asarray(np.maximum(array, 0))


def _whole(x: np.ndarray, low: Any, high: Any) -> bool:
    return bool(((x >= low) & (x <= high) & (x == np.floor(x))).all())


@dataclass(frozen=True, eq=False, kw_only=True)
class Clearing:
    """Separate markets of identical units, each cleared at one price.

    marginals (..., goods, agents, demand): the value of each further unit; costs (..., goods,
    tiers): what a unit of a tier of supply costs; amounts, that broadcasts with costs: how many
    units a tier has; bought (..., goods, agents) and sold (..., goods, tiers): whole units; price
    (..., goods). Every real price gives a bound, since what is bought is sold.
    """

    marginals: np.ndarray
    costs: np.ndarray
    amounts: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    price: np.ndarray


@check.register
def _(certificate: Clearing, *, tolerance: float = 1e-9) -> Checked:
    v, c, price = certificate.marginals, certificate.costs, certificate.price[..., None]
    bought, sold, amounts = certificate.bought, certificate.sold, certificate.amounts
    demand = v.shape[-1]
    faults = [
        (bought.shape == v.shape[:-1], f"bought has shape {bought.shape} for values {v.shape}"),
        (_whole(bought, 0, demand), "an agent buys a part of a unit, or more than it wants"),
        (_whole(sold, 0, amounts), "a tier sells a part of a unit, or more than it has"),
        (bought.sum(axis=-1) == sold.sum(axis=-1), "what is bought is not what is sold"),
    ]
    gains = np.where(np.arange(demand) < bought[..., None], v, 0).sum(axis=(-1, -2))
    spent = (c * sold).sum(axis=-1)
    surplus = positive(v - price[..., None]).sum(axis=(-1, -2))
    profit = (amounts * positive(price - c)).sum(axis=-1)
    at_price = np.abs(certificate.price) * bought.sum(axis=-1)
    return verdict(
        plain((gains - spent).sum(axis=-1)),
        plain((surplus + profit).sum(axis=-1)),
        faults,
        exact=is_exact(v),
        tolerance=tolerance,
        magnitude=(np.abs(gains) + np.abs(spent) + at_price).sum(axis=-1),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Assignment:
    """At most one item to each agent, each item at most once. values and allocation (..., agents,
    items), the latter 0/1; prices (..., items) ≥ 0, which any items may have."""

    values: np.ndarray
    allocation: np.ndarray
    prices: np.ndarray


@check.register
def _(certificate: Assignment, *, tolerance: float = 1e-9) -> Checked:
    v, x, p = certificate.values, certificate.allocation, certificate.prices
    if x.shape != v.shape or p.shape != v.shape[:-2] + v.shape[-1:]:
        return verdict(
            None, np.inf, [(False, f"shapes {v.shape}, {x.shape}, {p.shape} do not fit")],
            exact=False, tolerance=tolerance,
        )  # fmt: skip
    faults = [
        (((x == 0) | (x == 1)).all(), "an item is allocated in parts"),
        ((x.sum(axis=-1) <= 1).all(), "an agent holds two items"),
        ((x.sum(axis=-2) <= 1).all(), "an item is given twice"),
        ((p >= 0).all(), "a price is negative"),
    ]
    if v.shape[-1]:
        utility = (v - p[..., None, :]).max(axis=-1)
        surplus = positive(utility).sum(axis=-1)
    else:
        surplus = np.zeros(v.shape[:-2], dtype=v.dtype)
    value = np.where(x == 1, v, 0).sum(axis=(-1, -2))
    return verdict(
        plain(value),
        plain(p.sum(axis=-1) + surplus),
        faults,
        exact=is_exact(v, p),
        tolerance=tolerance,
        magnitude=np.abs(value) + 2 * p.sum(axis=-1),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Matching:
    """Pairs that may trade, each with its gain. pairs (edges, 2): buyer and seller; gains (edges,);
    chosen (edges,) 0/1; counts: how many (buyers, sellers); prices (sellers,) ≥ 0."""

    pairs: np.ndarray
    gains: np.ndarray
    chosen: np.ndarray
    counts: tuple[int, int]
    prices: np.ndarray


@check.register
def _(certificate: Matching, *, tolerance: float = 1e-9) -> Checked:
    pairs, gains, p = certificate.pairs, certificate.gains, certificate.prices
    chosen = certificate.chosen.astype(bool)
    used = [np.bincount(pairs[chosen, k], minlength=certificate.counts[k]) for k in (0, 1)]
    faults = [
        (((certificate.chosen == 0) | (certificate.chosen == 1)).all(), "a pair trades in parts"),
        (used[0] <= 1, "a buyer trades twice"),
        (used[1] <= 1, "a seller trades twice"),
        (len(p) == certificate.counts[1] and (p >= 0).all(), "prices: one ≥ 0 for each seller"),
    ]
    utility = np.zeros(certificate.counts[0], dtype=gains.dtype)
    np.maximum.at(utility, pairs[:, 0], gains - p[pairs[:, 1]])
    value = plain(np.asarray(gains[chosen].sum()))
    return verdict(
        value,
        plain(np.asarray(p.sum() + utility.sum())),
        faults,
        exact=is_exact(gains, p),
        tolerance=tolerance,
        magnitude=abs(value) + 2 * p.sum(),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Project:
    """Built or not: values (..., agents), cost (...), built (...) 0/1. The multiplier of built ≤ 1
    is the positive part of Σ values − cost, so the bound needs no dual values of its own."""

    values: np.ndarray
    cost: Any
    built: np.ndarray


@check.register
def _(certificate: Project, *, tolerance: float = 1e-9) -> Checked:
    v, built = certificate.values, certificate.built
    net = v.sum(axis=-1) - certificate.cost
    return verdict(
        plain(np.asarray(np.where(built == 1, net, 0))),
        plain(np.asarray(positive(net))),
        [(((built == 0) | (built == 1)).all(), "the project is built in part")],
        exact=is_exact(v),
        tolerance=tolerance,
        magnitude=np.abs(v).sum(axis=-1) + abs(certificate.cost),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Stages:
    """Bundles to agents in turn: values (..., agents, 2^items − 1), row b − 1 of the bundle whose
    items are the bits of b; allocation (..., agents, items) 0/1; tables (..., agents + 1, 2^items).

    The tables f bound what the first i agents can have of the items S together where

        f_0(S) ≥ 0,   f_i(S) ≥ f_{i−1}(S),   f_i(S) ≥ f_{i−1}(S∖T) + v_i(T)  for all ∅ ≠ T ⊆ S,

    so that f_n(all items) is a bound: the dual of the longest path through the stages.
    """

    values: np.ndarray
    allocation: np.ndarray
    tables: np.ndarray


@check.register
def _(certificate: Stages, *, tolerance: float = 1e-9) -> Checked:
    v, x, f = certificate.values, certificate.allocation, certificate.tables
    items = x.shape[-1]
    sets = np.arange(2**items)
    later, earlier = f[..., 1:, :], f[..., :-1, :]
    kept = (f[..., 0, :] >= 0).all() and (later >= earlier).all()
    held = (x * (1 << np.arange(items))).sum(axis=-1)
    worth = np.zeros(held.shape, dtype=v.dtype)
    for taken in range(1, 2**items):
        over = sets[(sets & taken) == taken]
        gain = v[..., taken - 1]
        kept = kept and (later[..., over] >= earlier[..., over ^ taken] + gain[..., None]).all()
        worth = np.where((held & taken) == taken, np.maximum(worth, gain), worth)
    value = worth.sum(axis=-1)
    faults = [
        (v.shape[-1] == 2**items - 1 and f.shape[-1] == 2**items, "values, tables, items differ"),
        (((x == 0) | (x == 1)).all(), "an item is allocated in parts"),
        ((x.sum(axis=-2) <= 1).all(), "an item is given twice"),
        (kept, "the tables are no bound: a step is worth more than they say"),
    ]
    return verdict(
        plain(np.asarray(value)),
        plain(f[..., -1, -1]),
        faults,
        exact=is_exact(v, f),
        tolerance=tolerance,
        magnitude=np.abs(value),
    )
