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

from solvers.arrays import plain, rational, total
from solvers.certificate import Checked, check, verdict

__all__ = ["Assignment", "Clearing", "Matching", "Project", "Stages"]


def positive(array: Any) -> Any:
    return np.asarray(np.maximum(array, 0))


def _money(*given: Any) -> list[np.ndarray]:
    """Arrays of money; whole numbers, whose sums could overflow, as ints of any size beside
    Fractions and as floats beside floats."""
    arrays = [np.asarray(a) for a in given]
    kind = object if any(a.dtype == object for a in arrays) else float
    return [a.astype(kind) if a.dtype.kind in "biu" else a for a in arrays]


Shapes = dict[str, tuple[Any, tuple[int, ...]]]


def _unlike(values: np.ndarray, axes: int, others: Shapes, tolerance: float) -> Checked | None:
    """A verdict where values have fewer axes, another array is not of its shape, or one of them
    holds what is no number; else None."""
    what = [] if values.ndim >= axes else [f"values of shape {values.shape}: expected {axes} axes"]
    what += [
        f"{name} has shape {np.shape(array)}, expected {shape}"
        for name, (array, shape) in others.items()
        if np.shape(array) != shape
    ]
    arrays = {"values": values} | {name: array for name, (array, _) in others.items()}
    what += [f"{name}: NaN or an infinity" for name, array in arrays.items() if not _finite(array)]
    faults = [(False, fault) for fault in what]
    return verdict(None, np.inf, faults, exact=False, tolerance=tolerance) if faults else None


def _finite(array: Any) -> bool:
    array = np.asarray(array)
    if array.dtype == object:
        return all(abs(v) < np.inf for v in array.ravel().tolist())
    return bool(np.isfinite(array).all())


def _spread(array: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The array broadcast to a shape, or as it is where it does not fit."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        return np.asarray(array)


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
    v, c, p = _money(certificate.marginals, certificate.costs, certificate.price)
    bought, sold = np.asarray(certificate.bought), np.asarray(certificate.sold)
    goods, tiers = v.shape[:-2], c.shape[-1:]
    amounts = _spread(certificate.amounts, goods + tiers)
    others = {
        "costs": (c, goods + tiers),
        "amounts": (amounts, goods + tiers),
        "bought": (bought, v.shape[:-1]),
        "sold": (sold, goods + tiers),
        "price": (p, goods),
    }
    if wrong := _unlike(v, 3, others, tolerance):
        return wrong
    demand = v.shape[-1]
    faults = [
        (_whole(bought, 0, demand), "an agent buys a part of a unit, or more than it wants"),
        (_whole(sold, 0, amounts), "a tier sells a part of a unit, or more than it has"),
        (bought.sum(axis=-1) == sold.sum(axis=-1), "what is bought is not what is sold"),
    ]
    taken = np.arange(demand) < bought[..., None]
    batch = goods[:-1]
    gains = np.where(taken, v, 0).reshape(*batch, -1) if v.size else np.zeros((*batch, 0), v.dtype)
    spent = (c * sold).reshape(*batch, -1) if c.size else np.zeros((*batch, 0), c.dtype)
    surplus = positive(v - p[..., None, None]).sum(axis=(-1, -2))
    profit = (amounts * positive(p[..., None] - c)).sum(axis=-1)
    # What all of them would rather do at the price: a sum of terms ≥ 0, in which nothing cancels.
    missed = positive(np.where(taken, p[..., None, None] - v, v - p[..., None, None]))
    kept = (amounts - sold) * positive(p[..., None] - c) + sold * positive(c - p[..., None])
    return verdict(
        plain(total(np.concatenate([gains, -spent], axis=-1))),
        plain((surplus + profit).sum(axis=-1)),
        faults,
        exact=rational(v, c, p),
        tolerance=tolerance,
        apart=(missed.sum(axis=(-1, -2)) + kept.sum(axis=-1)).sum(axis=-1),
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
    v, p = _money(certificate.values, certificate.prices)
    x = np.asarray(certificate.allocation)
    others = {"allocation": (x, v.shape), "prices": (p, v.shape[:-2] + v.shape[-1:])}
    if wrong := _unlike(v, 2, others, tolerance):
        return wrong
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
        exact=rational(v, p),
        tolerance=tolerance,
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
    gains, p = _money(certificate.gains, certificate.prices)
    pairs = np.asarray(certificate.pairs)
    buyers, sellers = certificate.counts
    edges = gains.shape[:1]
    others = {
        "gains": (gains, edges),
        "pairs": (pairs, (*edges, 2)),
        "chosen": (certificate.chosen, edges),
        "prices": (p, (sellers,)),
    }
    if wrong := _unlike(gains, 1, others, tolerance):
        return wrong
    named = pairs.dtype.kind in "iu" and ((pairs >= 0) & (pairs < [buyers, sellers])).all()
    if pairs.size and not named:
        what = f"a pair names nobody among {buyers} buyers and {sellers} sellers"
        return verdict(None, np.inf, [(False, what)], exact=False, tolerance=tolerance)
    chosen, pairs = np.asarray(certificate.chosen) == 1, pairs.astype(np.int64)
    used = [np.bincount(pairs[chosen, k], minlength=certificate.counts[k]) for k in (0, 1)]
    faults = [
        (np.isin(certificate.chosen, (0, 1)), "a pair trades in parts"),
        (used[0] <= 1, "a buyer trades twice"),
        (used[1] <= 1, "a seller trades twice"),
        (p >= 0, "a price is negative"),
    ]
    utility = np.zeros(certificate.counts[0], dtype=gains.dtype)
    np.maximum.at(utility, pairs[:, 0], gains - p[pairs[:, 1]])
    value = plain(np.asarray(gains[chosen].sum()))
    return verdict(
        value,
        plain(np.asarray(p.sum() + utility.sum())),
        faults,
        exact=rational(gains, p),
        tolerance=tolerance,
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
    v, cost = _money(certificate.values, certificate.cost)
    built = np.asarray(certificate.built)
    batch = v.shape[:-1]
    others = {"built": (built, batch), "cost": (_spread(cost, batch), batch)}
    if wrong := _unlike(v, 1, others, tolerance):
        return wrong
    net = project_net(v, cost)
    return verdict(
        plain(np.asarray(np.where(built == 1, net, 0))),
        plain(np.asarray(positive(net))),
        [(((built == 0) | (built == 1)).all(), "the project is built in part")],
        exact=rational(v, cost),
        tolerance=tolerance,
    )


def project_net(values: np.ndarray, cost: Any) -> np.ndarray:
    """Σ_i v_i − c, (...), of the right sign for floats too."""
    costs = np.broadcast_to(np.asarray(cost), values.shape[:-1])[..., None]
    return total(np.concatenate([values, -costs], axis=-1))


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
    v, f = _money(certificate.values, certificate.tables)
    x = np.asarray(certificate.allocation)
    items = x.shape[-1]
    batch, stages = v.shape[:-2], f.shape[-2:-1]
    others = {
        "values": (v, (*v.shape[:-1], 2**items - 1)),
        "allocation": (x, (*v.shape[:-1], items)),
        "tables": (f, (*batch, *stages, 2**items)),
        "tables beyond the first": (f[..., 1:, :] if f.ndim > 1 else f, (*v.shape[:-1], 2**items)),
    }
    if wrong := _unlike(v, 2, others, tolerance):
        return wrong
    sets = np.arange(2**items)
    later, earlier = f[..., 1:, :], f[..., :-1, :]
    kept = (f[..., 0, :] >= 0).all() and (later >= earlier).all()
    held = ((x == 1) * (1 << np.arange(items))).sum(axis=-1)
    worth = np.zeros(held.shape, dtype=v.dtype)
    for taken in range(1, 2**items):
        over = sets[(sets & taken) == taken]
        gain = v[..., taken - 1]
        kept = kept and (later[..., over] >= earlier[..., over ^ taken] + gain[..., None]).all()
        worth = np.where((held & taken) == taken, np.maximum(worth, gain), worth)
    value = worth.sum(axis=-1)
    faults = [
        (((x == 0) | (x == 1)).all(), "an item is allocated in parts"),
        ((x.sum(axis=-2) <= 1).all(), "an item is given twice"),
        (kept, "the tables are no bound: a step is worth more than they say"),
    ]
    return verdict(
        plain(np.asarray(value)),
        plain(f[..., -1, -1]),
        faults,
        exact=rational(v, f),
        tolerance=tolerance,
    )
