"""The settings that auction theory names, each a declaration of value, feasibility and size.

Types lie in [low, high], [0, 1] unless said otherwise. Where allocations are indivisible, fractions
are the probabilities of a lottery and values are expected values, except where stated.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mechkit.errors import InputError, require
from mechkit.settings import Array, Setting
from mechkit.spaces import Prior, box, rational

MAX_OUTCOMES = 200_000


def _whole(value: Any, least: int, what: str) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(
        whole and int(value) >= least,
        f"{what} = {value!r}: expected an integer of at least {least}",
    )
    return int(value)


def _listed(rows: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Stack an iterator of outcomes, refusing to list more than MAX_OUTCOMES."""
    found = list(itertools.islice(rows, MAX_OUTCOMES + 1))
    require(
        len(found) <= MAX_OUTCOMES,
        f"more than {MAX_OUTCOMES} outcomes: too many to list; take fewer agents or items",
    )
    return np.array(found, dtype=np.int64).reshape(len(found), *shape)


def _resizer(make: Any, role: str, *bounds: Any) -> Any:
    """Resize by calling the constructor again; bounds given per agent leave no other size."""
    if any(np.ndim(b) > 0 for b in bounds):
        return None
    return lambda counts: make(counts[role])


def _scalar_prior(prior: Prior) -> bool:
    return prior is None or hasattr(prior, "rvs")


def _falling(prior: Prior, agents: int, demand: int) -> Prior:
    """For marginal values, independent draws of a distribution in falling order."""
    if demand == 1 or not hasattr(prior, "rvs"):
        return prior

    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        draws = np.asarray(prior.rvs(size=(batch, agents, demand), random_state=rng))
        return np.sort(draws, axis=-1)[..., ::-1]

    return draw


# One unit of one good, or several -----------------------------------------------------------------


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
    """
    agents, units = _whole(agents, 1, "agents"), _whole(units, 1, "units")
    demand = _whole(demand, 1, "demand")
    name = "single item" if (units, demand) == (1, 1) else f"{units} units, demand {demand}"

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        left = units - x.sum(axis=-1, keepdims=True)
        return np.concatenate([x, demand - x, left], axis=-1)

    def single(types: Array, allocation: Array) -> Array:
        return types * allocation

    def marginal(types: Array, allocation: Array) -> Array:
        units_of = np.clip((allocation * 1)[..., None] - np.arange(demand), 0, 1)
        return (types * units_of).sum(axis=-1)

    def joint(types: Array, parts: Array) -> Array:
        held = np.minimum((parts * 1).sum(axis=-1), demand)
        if demand == 1:
            return types * held
        return (types * np.clip(held[..., None] - np.arange(demand), 0, 1)).sum(axis=-1)

    def outcomes() -> np.ndarray:
        rows = itertools.product(range(demand + 1), repeat=agents)
        return _listed((r for r in rows if sum(r) <= units), (agents,))

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
        value=single if demand == 1 else marginal,
        slack=slack,
        roles=tuple(roles),
        prior=_falling(prior, agents, demand),
        quantity=(lambda allocation: allocation * 1) if demand == 1 else None,
        binary=demand == 1,
        joint_value=joint if one_role else None,
        resize=_resizer(again, role, low, high) if one_role and _scalar_prior(prior) else None,
        outcomes=outcomes,
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
    """
    agents = _whole(agents, 1, "agents")
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

    return Setting(
        name=f"{slots} positions, {agents} agents",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(agents, slots),
        value=lambda types, allocation: types * clicks(allocation),
        slack=_assignment_slack,
        prior=prior,
        quantity=clicks,
        joint_value=lambda types, parts: types * np.max(clicks(parts), axis=-1),
        resize=_resizer(
            partial(
                positions, click_rates=click_rates, low=low, high=high, levels=levels, prior=prior
            ),
            "bidder",
            low,
            high,
        )
        if _scalar_prior(prior)
        else None,
        outcomes=lambda: _matchings(agents, slots),
        constants=tuple(float(r) for r in rates),
    )


# Trade --------------------------------------------------------------------------------------------


def double_auction(
    buyers: int,
    sellers: int,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Buyers and sellers of single units, buyers first.

    Types (batch, buyers + sellers): a buyer's value, a seller's cost. Allocation, same shape: 1
    where the agent trades. A seller's payment is negative: it is paid. Every unit bought is sold.
    """
    buyers, sellers = _whole(buyers, 1, "buyers"), _whole(sellers, 1, "sellers")
    agents = buyers + sellers
    sign = np.array([1] * buyers + [-1] * sellers)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        gap = (x * sign).sum(axis=-1, keepdims=True)
        return np.concatenate([x, 1 - x, -np.abs(gap)], axis=-1)

    def outcomes() -> np.ndarray:
        rows = itertools.product((0, 1), repeat=agents)
        return _listed((r for r in rows if sum(r[:buyers]) == sum(r[buyers:])), (agents,))

    def resize(counts: Mapping[str, int]) -> Setting:
        return double_auction(
            counts["buyer"], counts["seller"], low=low, high=high, levels=levels, prior=prior
        )

    return Setting(
        name=f"double auction, {buyers} buyers and {sellers} sellers",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(agents,),
        value=lambda types, allocation: types * allocation * sign,
        slack=slack,
        roles=("buyer",) * buyers + ("seller",) * sellers,
        prior=prior,
        quantity=lambda allocation: allocation * 1,
        binary=True,
        joint_value=lambda types, parts: types * np.minimum((parts * 1).sum(axis=-1), 1),
        resize=None if np.ndim(low) or np.ndim(high) or not _scalar_prior(prior) else resize,
        outcomes=outcomes,
    )


# Several goods ------------------------------------------------------------------------------------


def _each_item_once(allocation: Array) -> Array:
    x = allocation * 1
    rows = (x.shape[0], -1)
    return np.concatenate([np.reshape(x, rows), 1 - x.sum(axis=1)], axis=-1)


def _assignment_slack(allocation: Array) -> Array:
    """Each agent at most one item, each item at most one agent."""
    x = allocation * 1
    return np.concatenate(
        [np.reshape(x, (x.shape[0], -1)), 1 - x.sum(axis=1), 1 - x.sum(axis=2)], axis=-1
    )


def _pure_slack(allocation: Array) -> Array:
    """Each item at most once, and no fractions: x (1 − x) ≤ 0."""
    x = np.reshape(allocation * 1, (allocation.shape[0], -1))
    return np.concatenate([_each_item_once(allocation), -(x * (1 - x))], axis=-1)


def _matchings(agents: int, items: int) -> np.ndarray:
    eye = np.vstack([np.eye(items, dtype=np.int64), np.zeros((1, items), dtype=np.int64)])
    rows = (
        eye[list(choice)]
        for choice in itertools.product(range(items + 1), repeat=agents)
        if len(taken := [c for c in choice if c < items]) == len(set(taken))
    )
    return _listed(rows, (agents, items))


def _assignments(agents: int, items: int) -> np.ndarray:
    """Every item to some agent or to nobody."""
    eye = np.vstack([np.eye(agents, dtype=np.int64), np.zeros((1, agents), dtype=np.int64)])
    rows = (eye[list(c)].T for c in itertools.product(range(agents + 1), repeat=items))
    return _listed(rows, (agents, items))


def additive(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Items whose values add up. Types and allocation (batch, agents, items)."""
    agents, items = _whole(agents, 1, "agents"), _whole(items, 1, "items")
    again = partial(additive, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, additive values, {agents} agents",
        types=box(agents, items, low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=lambda types, allocation: (types * allocation).sum(axis=-1),
        slack=_each_item_once,
        prior=prior,
        joint_value=lambda types, parts: (types * (parts * 1).sum(axis=1)).sum(axis=-1),
        resize=_resizer(again, "bidder", low, high) if _scalar_prior(prior) else None,
        outcomes=lambda: _assignments(agents, items),
    )


def unit_demand(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Each agent wants one item at most. Types and allocation (batch, agents, items)."""
    agents, items = _whole(agents, 1, "agents"), _whole(items, 1, "items")
    again = partial(unit_demand, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, unit demand, {agents} agents",
        types=box(agents, items, low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=lambda types, allocation: (types * allocation).sum(axis=-1),
        slack=_assignment_slack,
        prior=prior,
        joint_value=lambda types, parts: np.max((types[:, None] * parts).sum(axis=-1), axis=-1),
        resize=_resizer(again, "bidder", low, high) if _scalar_prior(prior) else None,
        outcomes=lambda: _matchings(agents, items),
    )


def single_minded(
    agents: int,
    items: int,
    bundles: Any = None,
    *,
    low: Any = 0,
    high: Any = 1,
    prior: Prior = None,
) -> Setting:
    """Each agent wants one bundle. Allocation (batch, agents, items), whole items only.

    bundles given, 0/1 (agents, items): the bundles are known; types (batch, agents): values.
    bundles None: a type is (value, wants item 0, …, wants item m−1), (batch, agents, 1 + items),
    and the bundle can be misreported. Everybody wants at least one item.
    """
    agents, items = _whole(agents, 1, "agents"), _whole(items, 1, "items")

    def covered(wanted: Array, allocation: Array) -> Array:
        """Whether each agent holds all it wants: nothing wanted is missing."""
        return np.max(wanted * (1 - allocation * 1), axis=-1) <= 0

    def outcomes() -> np.ndarray:
        return _assignments(agents, items)

    if bundles is not None:
        known = np.asarray(bundles)
        require(
            known.shape == (agents, items)
            and bool(np.isin(known, (0, 1)).all())
            and bool(known.any(axis=1).all()),
            f"bundles of shape {known.shape}: expected 0/1 of shape {(agents, items)}, "
            "with at least one item per agent",
        )
        return Setting(
            name=f"{items} items, known single-minded, {agents} agents",
            types=box(agents, low=low, high=high),
            allocation_shape=(agents, items),
            value=lambda types, allocation: types * covered(known, allocation),
            slack=_pure_slack,
            prior=prior,
            quantity=lambda allocation: covered(known, allocation) * 1,
            binary=True,
            outcomes=outcomes,
        )

    bits = [None] + [(0, 1)] * items
    bounds = [np.concatenate([[b], np.full(items, k)]) for b, k in ((low, 0), (high, 1))]

    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        wants = rng.integers(0, 2, size=(batch, agents, items))
        # Nobody wants nothing: an empty draw asks for one item at random.
        pick = rng.integers(0, items, size=(batch, agents))[..., None] == np.arange(items)
        wants = np.where(wants.any(axis=-1, keepdims=True), wants, pick)
        worth = (
            low + (high - low) * rng.random((batch, agents, 1))
            if prior is None
            else np.asarray(prior.rvs(size=(batch, agents, 1), random_state=rng))
        )
        return np.concatenate([worth, wants], axis=-1)

    def worth(types: Array, held: Array) -> Array:
        wants = types[..., 1:]
        return types[..., 0] * covered(wants, held)

    again = partial(single_minded, items=items, low=low, high=high, prior=prior)
    return Setting(
        name=f"{items} items, single-minded, {agents} agents",
        types=box(
            agents,
            1 + items,
            low=bounds[0],
            high=bounds[1],
            levels=bits,
            # Everybody wants something.
            constraints=([[0] + [-1] * items], [-1]),
        ),
        allocation_shape=(agents, items),
        value=worth,
        slack=_pure_slack,
        prior=draw if prior is None or hasattr(prior, "rvs") else prior,
        joint_value=lambda types, parts: (
            types[..., 0] * covered(types[..., 1:], (parts * 1).sum(axis=1))
        ),
        resize=_resizer(again, "bidder", low, high),
        outcomes=outcomes,
    )


def bundle_table(items: int) -> np.ndarray:
    """0/1 (2^items − 1, items): row b − 1 is the bundle whose item j is bit j of b."""
    return np.array([[b >> j & 1 for j in range(items)] for b in range(1, 2**items)])


def combinatorial(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Any value for any bundle, with free disposal (XOR bids).

    Types (batch, agents, 2^items − 1): the value of each non-empty bundle, in the order of
    `bundle_table`; a set of items is worth the best bundle inside it. Allocation (batch, agents,
    items), whole items only.
    """
    agents, items = _whole(agents, 1, "agents"), _whole(items, 1, "items")
    if items > 8:
        raise InputError(
            f"items = {items}: a type would hold 2^{items} − 1 values; take 8 or fewer"
        )
    table = bundle_table(items)

    def worth(types: Array, held: Array) -> Array:
        """types (..., bundles) and held (..., items) -> (...)."""
        missing = np.max(table * (1 - held[..., None, :] * 1), axis=-1)
        return np.maximum(np.max(types * (missing <= 0), axis=-1), 0)

    again = partial(combinatorial, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, any bundles, {agents} agents",
        types=box(agents, len(table), low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=worth,
        slack=_pure_slack,
        prior=prior,
        joint_value=lambda types, parts: worth(types, (parts * 1).sum(axis=1)),
        resize=_resizer(again, "bidder", low, high) if _scalar_prior(prior) else None,
        outcomes=lambda: _assignments(agents, items),
    )


# Divisible resources and public goods -------------------------------------------------------------


def divisible(
    agents: int,
    resources: int = 1,
    *,
    utility: Any = None,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Resources of one unit each, shared in any proportion.

    Types (batch, agents), or (batch, agents, resources) for several. Allocation (batch, agents,
    resources): shares. utility(types, shares) -> (batch, agents), linear by default: Σ_k θ_k x_k.
    """
    agents, resources = _whole(agents, 1, "agents"), _whole(resources, 1, "resources")
    several = resources > 1

    def linear(types: Array, allocation: Array) -> Array:
        return ((types if several else types[..., None]) * allocation).sum(axis=-1)

    worth = linear if utility is None else utility

    def joint(types: Array, parts: Array) -> Array:
        return worth(types[:, None], (parts * 1).sum(axis=1)[:, None])[:, 0]

    again = partial(
        divisible,
        resources=resources,
        utility=utility,
        low=low,
        high=high,
        levels=levels,
        prior=prior,
    )
    return Setting(
        name=f"{resources} divisible resources, {agents} agents",
        types=box(agents, *((resources,) if several else ()), low=low, high=high, levels=levels),
        allocation_shape=(agents, resources),
        value=worth,
        slack=_each_item_once,
        prior=prior,
        quantity=(lambda allocation: (allocation * 1)[..., 0])
        if utility is None and not several
        else None,
        joint_value=joint,
        resize=_resizer(again, "bidder", low, high) if _scalar_prior(prior) else None,
    )


def public_project(
    agents: int,
    cost: Any,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Build or not, at a cost that is shared equally.

    Types (batch, agents): gross values. Allocation (batch,): 1 if built. A built project is worth
    θ_i − cost/n to agent i (net of its share), so payments are transfers on top of the shares.
    """
    agents = _whole(agents, 1, "agents")
    amount = rational(cost, "cost")
    require(amount >= 0, f"cost = {cost!r}: expected a number of at least 0")
    share = float(amount / agents)

    return Setting(
        name=f"public project at cost {cost}, {agents} agents",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(),
        value=lambda types, allocation: (types - share) * allocation[..., None],
        slack=lambda allocation: np.stack([allocation * 1, 1 - allocation * 1], axis=-1),
        prior=prior,
        quantity=lambda allocation: (allocation * 1)[..., None] * np.ones(agents, dtype=int),
        personal=False,
        resize=_resizer(
            partial(public_project, cost=cost, low=low, high=high, levels=levels, prior=prior),
            "bidder",
            low,
            high,
        )
        if _scalar_prior(prior)
        else None,
        outcomes=lambda: np.array([0, 1]),
        constants=(float(amount), share),
    )
