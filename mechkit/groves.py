"""Rules that carry their structure: Groves, affine maximisers, posted prices and thresholds.

A Groves mechanism picks x* ∈ argmax_x Σ_i v_i(r_i, x) over a finite list of outcomes and asks
    p_i(r) = h_i(r_−i) − Σ_{j≠i} v_j(r_j, x*)
with any h_i that does not see r_i (Groves 1973). Clarke's pivot, h_i = max_x Σ_{j≠i} v_j(r_j, x),
makes it VCG. In a market, a setting with sellers, the maximum is over the outcomes in which i takes
no part: without a seller its unit is not there to be sold, and without a buyer nobody is there to
whom a seller could leave a unit that it pays to be rid of. An affine maximiser weighs agents by
w_i > 0 and adds c(x) to each outcome's welfare (Roberts 1979). A posted price or a threshold
t_i(r_−i) sells to i at a price that i cannot move. `Rules.structure` says which of these a rule is,
for provers by theorem (`prove.theorem`), who check on terms that the rule is what it says. Arrays
that are given here are copied: a later change of the caller's does not reach the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit import settings as s
from mechkit.errors import InputError, require
from mechkit.settings import Array, Setting


@dataclass(frozen=True, kw_only=True, eq=False)
class Rules:
    """Rules with the structure that they carry; `mechanism.Mechanism` wraps them.

    Either outcome, or allocate and pay. again(setting) -> Rules at another number of agents.
    """

    name: str
    structure: Mapping[str, Any]
    outcome: Callable[..., tuple[Array, Array]] | None = None
    allocate: Callable[..., Array] | None = None
    pay: Callable[..., Array] | None = None
    again: Callable[[Setting], Rules] | None = None


def _kept(numbers: Any) -> np.ndarray:
    """A copy that nobody else holds, read-only."""
    own = np.array(numbers)
    own.setflags(write=False)
    return own


def _outcomes(setting: Setting, outcomes: Any) -> np.ndarray:
    if outcomes is None:
        if setting.outcomes is None:
            raise InputError(
                f"{setting.name} does not list its outcomes: give outcomes=, an array of shape "
                f"(k, {', '.join(map(str, setting.allocation_shape))})"
            )
        outcomes = setting.outcomes()
    listed = _kept(outcomes)
    require(
        listed.ndim == 1 + len(setting.allocation_shape)
        and listed.shape[1:] == setting.allocation_shape
        and len(listed) > 0,
        f"outcomes of shape {listed.shape}: expected (k, *{setting.allocation_shape}) with k ≥ 1",
    )
    ok = setting.feasible(listed)
    require(
        bool(ok.all()),
        f"outcome {int(np.argmin(ok))} is infeasible: {listed[np.argmin(ok)].tolist()}; remove it",
    )
    return listed


def _table(setting: Setting, reports: Array, outcomes: np.ndarray) -> Array:
    """v_i(r_i, x_k), shape (batch, k, agents)."""
    rows = []
    for outcome in outcomes:
        x = np.broadcast_to(outcome, (reports.shape[0], *outcome.shape))
        rows.append(s.values(setting, reports, x, {}))
    return np.stack(rows, axis=1)


def affine_maximiser(
    setting: Setting,
    *,
    weights: Any = None,
    boosts: Any = None,
    outcomes: Any = None,
    h: Callable[[Array, int], Array] | None = None,
    name: str = "affine maximiser",
) -> Rules:
    """x* maximises Σ_i w_i v_i(r_i, x) + c(x) over the listed outcomes; first of equals.

    weights: w_i > 0, (agents,), ones by default. boosts: c(x), (outcomes,), zeros by default.
    outcomes: (k, *allocation_shape), all pure feasible ones by default.
    h(reports, i) -> (batch,): the Groves term of agent i, in the scale of Σ_j w_j v_j + c, which
    must not depend on r_i; Clarke's pivot by default (with sellers, over the outcomes in which i is
    idle, where some are listed). Payment:
        p_i = (h_i − Σ_{j≠i} w_j v_j(x*) − c(x*)) / w_i.
    """
    listed = _outcomes(setting, outcomes)
    require(setting.reports is None, f"{setting.name}: reports must be types for a Groves rule")
    require(not setting.public, f"{setting.name}: a Groves rule here sees no public arrays")
    n = setting.agents
    w = _kept(np.ones(n, dtype=int) if weights is None else weights)
    c = _kept(np.zeros(len(listed), dtype=int) if boosts is None else boosts)
    require(
        w.shape == (n,) and bool((w > 0).all()),
        f"weights = {weights!r}: expected {n} positive numbers (a zero weight gives no incentive)",
    )
    require(c.shape == (len(listed),), f"boosts of shape {c.shape}: expected ({len(listed)},)")
    plain = weights is None and boosts is None
    # The outcomes that remain without each agent: in a market those in which it is idle.
    absent = np.ones((len(listed), n), dtype=bool)
    if setting.personal and setting.sellers.any():
        idle = ~listed.reshape(len(listed), n, -1).any(axis=-1)
        absent = np.where(idle.any(axis=0), idle, True)

    def outcome(reports: Array) -> tuple[Array, Array]:
        table = _table(setting, reports, listed)
        weighted = table if plain else table * w
        welfare = weighted.sum(axis=-1) if plain else weighted.sum(axis=-1) + c
        best = np.argmax(welfare, axis=-1)
        others = welfare[..., None] - weighted
        chosen = (best[:, None] == np.arange(len(listed)))[..., None]
        reached = (chosen * others).sum(axis=1)
        if h is None:
            without = [np.max(others[:, absent[:, i], i], axis=1) for i in range(n)]
            pivot = np.stack(without, axis=-1)
        else:
            pivot = np.stack([h(reports, i) for i in range(n)], axis=-1)
        allocation = (chosen * listed.reshape(len(listed), -1)).sum(axis=1)
        payments = pivot - reached
        return (
            np.reshape(allocation, (reports.shape[0], *setting.allocation_shape)),
            payments if plain else payments / w,
        )

    resizable = plain and outcomes is None and h is None
    return Rules(
        name=name,
        outcome=outcome,
        again=(lambda other: affine_maximiser(other, name=name)) if resizable else None,
        structure={
            "kind": "affine maximiser",
            "weights": w,
            "boosts": c,
            "outcomes": listed,
            "h": h or "Clarke pivot",
        },
    )


def groves(
    setting: Setting,
    *,
    h: Callable[[Array, int], Array] | None = None,
    outcomes: Any = None,
    name: str = "Groves",
) -> Rules:
    """The welfare maximiser with Groves payments; h = None is Clarke's pivot, that is VCG."""
    return affine_maximiser(setting, h=h, outcomes=outcomes, name=name)


def posted(setting: Setting, prices: Any, *, name: str = "posted price") -> Rules:
    """Each agent in turn may buy one unit at its price, while units last.

    For single-parameter settings of one item or k units with unit demand. prices: a number, or one
    per agent. An agent buys if its report is at least its price.
    """
    units = _units(setting, "posted")
    require(
        np.shape(prices) in ((), (setting.agents,)),
        f"prices of shape {np.shape(prices)}: expected a number, or one for each of the "
        f"{setting.agents} agents",
    )
    offer = _kept(np.broadcast_to(np.asarray(prices), (setting.agents,)))

    def allocate(reports: Array) -> Array:
        wants = reports >= offer
        # Whether a unit is left for an agent hangs on those before it, and not on its own report.
        earlier = np.concatenate([wants[:, :1] & False, wants[:, :-1]], axis=1)
        return wants & (np.cumsum(earlier * 1, axis=-1) < units)

    return Rules(
        name=name,
        allocate=allocate,
        pay=lambda reports, allocation: allocation * offer,
        structure={"kind": "posted", "prices": offer, "units": units},
        again=(lambda other: posted(other, offer[0], name=name)) if np.ndim(prices) == 0 else None,
    )


def threshold(
    setting: Setting,
    threshold_of: Callable[..., Array],
    *,
    strict: bool = False,
    name: str = "threshold",
) -> Rules:
    """Agent i wins if its report reaches t_i(r_−i), and pays t_i.

    threshold_of(others, i) -> (batch,) sees the others' reports only, (batch, agents − 1), and the
    agent's index. strict: the report must exceed the threshold. Feasibility is the caller's to
    get right (the property `feasible` checks it).
    """
    _units(setting, "threshold")
    n = setting.agents

    def thresholds(reports: Array) -> Array:
        columns = [
            threshold_of(np.concatenate([reports[:, :i], reports[:, i + 1 :]], axis=1), i)
            for i in range(n)
        ]
        return np.stack(columns, axis=-1)

    def outcome(reports: Array) -> tuple[Array, Array]:
        t = thresholds(reports)
        wins = reports > t if strict else reports >= t
        return wins, wins * t

    return Rules(
        name=name,
        outcome=outcome,
        structure={"kind": "threshold", "threshold": threshold_of, "strict": strict},
        again=lambda other: threshold(other, threshold_of, strict=strict, name=name),
    )


def _units(setting: Setting, what: str) -> int:
    """How many units a 0/1 single-parameter setting of bidders has; an error for any other."""
    require(not setting.public, f"{setting.name}: Mechanism.{what} sees no public arrays")
    require(
        setting.quantity is not None
        and setting.binary
        and setting.allocation_shape == (setting.agents,)
        and not setting.sellers.any(),
        f"Mechanism.{what} needs a setting of unit-demand bidders, single_item(agents) or "
        f"multi_unit(agents, units); {setting.name} is not one",
    )
    units = 0
    for k in range(1, setting.agents + 1):
        x = (np.arange(setting.agents) < k).astype(int)[None]
        if setting.feasible(x)[0]:
            units = k
    return units
