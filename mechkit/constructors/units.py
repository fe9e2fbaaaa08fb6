"""Identical units and advertising positions: settings of bidders for one kind of good."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mechkit.constructors.common import (
    assignment_slack,
    matchings,
    resizable_prior,
    resizer,
    sums,
)
from mechkit.constructors.optima import of_positions, of_units
from mechkit.errors import require, whole
from mechkit.priors import Prior
from mechkit.settings import Array, Setting
from mechkit.spaces import box


def _falling(prior: Prior, agents: int, demand: int) -> Prior:
    """For marginal values, independent draws of a distribution in falling order."""
    if demand == 1 or not hasattr(prior, "rvs"):
        return prior

    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        draws = np.asarray(prior.rvs(size=(batch, agents, demand), random_state=rng))
        return np.sort(draws, axis=-1)[..., ::-1]

    return draw


def worth_of_units(types: Array, allocation: Array) -> Array:
    """θ_i times the units that i gets, for demand 1; the same for any number of agents."""
    return types * allocation


def number_of_units(allocation: Array) -> Array:
    """The units that each gets, for demand 1; the same for any number of agents."""
    return allocation * 1


def single_item(
    agents: int,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
    roles: Sequence[str] = (),
) -> Setting:
    """One item. Types (batch, agents): values. Allocation (batch, agents): chance of getting it."""
    return multi_unit(agents, 1, low=low, high=high, levels=levels, prior=prior, roles=roles)


def multi_unit(
    agents: int,
    units: int,
    demand: int = 1,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
    roles: Sequence[str] = (),
) -> Setting:
    """Identical units. Allocation (batch, agents): how many each gets, at most `demand`.

    Types: (batch, agents) for demand 1, else marginal values (batch, agents, demand), which do not
    increase from unit to unit (a scipy.stats prior gives independent draws, sorted).

    First best: the sum of the `units` highest marginal values that are not negative. Fractions of
    units add nothing: an agent's value is Σ_k θ_k min(1, max(0, x − k)), concave because θ falls,
    so that it is the best filling of its `demand` slots with x; and a linear program that fills
    slots of size 1 from a supply of `units` has a best solution in whole units.
    """
    agents, units = whole(agents, 1, "agents"), whole(units, 1, "units")
    demand = whole(demand, 1, "demand")
    name = "single item" if (units, demand) == (1, 1) else f"{units} units, demand {demand}"

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        left = units - x.sum(axis=-1, keepdims=True)
        return np.concatenate([x, demand - x, left], axis=-1)

    def marginal(types: Array, allocation: Array) -> Array:
        units_of = np.clip((allocation * 1)[..., None] - np.arange(demand), 0, 1)
        return (types * units_of).sum(axis=-1)

    def joint(types: Array, parts: Array) -> Array:
        held = np.minimum((parts * 1).sum(axis=-1), demand)
        if demand == 1:
            return types * held
        return (types * np.clip(held[..., None] - np.arange(demand), 0, 1)).sum(axis=-1)

    def first_best(types: Array) -> Array:
        slots = np.reshape(types, (types.shape[0], agents * demand))
        return np.sort(np.maximum(slots, 0), axis=-1)[..., -units:].sum(axis=-1)

    require(
        "seller" not in roles,
        f"roles = {tuple(roles)}: nobody sells in an auction of units; use double_auction",
    )
    role = next(iter(roles), "bidder")

    def again(count: int) -> Setting:
        return multi_unit(
            count,
            units,
            demand,
            low=low,
            high=high,
            levels=levels,
            prior=prior,
            roles=(role,) * count,
        )

    one_role = len(set(roles)) <= 1
    decreasing = None
    if demand > 1:
        steps = np.eye(demand - 1, demand, k=1, dtype=int) - np.eye(demand - 1, demand, dtype=int)
        decreasing = (steps, np.zeros(demand - 1, dtype=int))
    return Setting(
        name=f"{name}, {agents} agents",
        types=box(
            agents,
            *(() if demand == 1 else (demand,)),
            low=low,
            high=high,
            levels=levels,
            constraints=decreasing,
        ),
        allocation_shape=(agents,),
        value=worth_of_units if demand == 1 else marginal,
        slack=slack,
        roles=tuple(roles),
        prior=_falling(prior, agents, demand),
        quantity=number_of_units if demand == 1 else None,
        binary=demand == 1,
        joint_value=joint if one_role else None,
        resize=resizer(again, role, low, high) if one_role and resizable_prior(prior) else None,
        outcomes=lambda: sums(agents, demand, units),
        first_best=first_best,
        solve=of_units(units, demand),
    )


def positions(
    agents: int,
    click_rates: Sequence[Any],
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Advertising positions with click rates that do not increase downwards.

    Types (batch, agents): value per click. Allocation (batch, agents, positions): who is shown
    where. Payments are per round, not per click.

    First best: the highest value gets the highest rate, and so on, while values are not negative
    (Hardy, Littlewood & Pólya: sorted products have the largest sum). Mixtures of assignments add
    nothing, since values are linear in them (Birkhoff).
    """
    agents = whole(agents, 1, "agents")
    rates = np.asarray(click_rates)
    require(
        rates.ndim == 1
        and len(rates) >= 1
        and bool((rates >= 0).all())
        and bool((rates[1:] <= rates[:-1]).all()),
        f"click_rates = {click_rates!r}: expected non-negative numbers that do not increase",
    )
    slots = len(rates)

    def clicks(allocation: Array) -> Array:
        return (allocation * rates).sum(axis=-1)

    shown = min(agents, slots)

    def first_best(types: Array) -> Array:
        falling = np.flip(np.sort(np.maximum(types, 0), axis=-1), axis=-1)
        return (falling[..., :shown] * rates[:shown]).sum(axis=-1)

    return Setting(
        name=f"{slots} positions, {agents} agents",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(agents, slots),
        value=lambda types, allocation: types * clicks(allocation),
        slack=assignment_slack,
        prior=prior,
        quantity=clicks,
        joint_value=lambda types, parts: types * np.max(clicks(parts), axis=-1),
        resize=resizer(
            partial(
                positions, click_rates=click_rates, low=low, high=high, levels=levels, prior=prior
            ),
            "bidder",
            low,
            high,
        )
        if resizable_prior(prior)
        else None,
        outcomes=lambda: matchings(agents, slots),
        first_best=first_best,
        solve=of_positions(rates),
        constants=tuple(float(r) for r in rates),
    )
