"""A learned policy is a mechanism, too: from reports to what it sees, what it does, who gets what.

    dmsb     bids → (log bids, log latencies) → exponent e, ρ = 10^e → the modified second bid
    madda    values and costs → the clocks under the policy, step by step → who trades, p*

The rules are the paper's; only the number that they leave to an auctioneer comes from the policy.

A policy is a network or a table and runs on floats: evidence is float64, never exact. It is always
asked about as many rows, since what a network answers may depend, in its last bits, on how many it
is asked about: so the same reports have the same outcome, whatever batch they are in. A policy that
draws lots is asked with lots drawn once, for everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from learners.environment import Array, Environment
from learners.evaluate import play
from learners.learner import Policy
from mechkit.book import Sides, market
from mechkit.constructors import double_auction, single_item
from mechkit.errors import InputError, require
from mechkit.mechanism import Mechanism
from mechkit.settings import Public
from mechkit.spaces import box
from proofs import Unsupported

BLOCK = 256
"""How many reports a policy is asked about at once; copies of the last one fill a block."""
DRAWS = 4096
"""Instances whose least and largest bids bound the type space."""


@dataclass(frozen=True)
class Auction:
    """A policy's mechanism, and what the market draws: draw(rng, count) -> (types, public)."""

    mechanism: Mechanism
    draw: Callable[[np.random.Generator, int], tuple[Array, dict[str, Array]]]


def auction(policy: Policy, environment: Environment, *, name: str = "learned") -> Auction:
    """The paper's auction with the policy as its auctioneer.

    Raises InputError for an environment without one, and for a policy that draws lots.
    """
    known = environment.spec.name
    require(
        known in AUCTIONS,
        f"{known}: no mechanism is known of it; there are {', '.join(AUCTIONS)}",
    )
    return AUCTIONS[known](settled(policy, environment), environment, name)


# Policies on reports ------------------------------------------------------------------------------


def settled(policy: Policy, environment: Environment) -> Policy:
    """The policy with its lots drawn once, so that equal observations mean equal actions.

    Raises InputError where that cannot be had.
    """
    if (once := getattr(policy, "settled", None)) is not None:
        policy = once()
    seen = environment.reset(np.random.default_rng(0), 1)
    seen = np.repeat(seen, 64, axis=0)
    policy.begin(len(seen), np.random.default_rng(0))
    actions = np.asarray(policy.act(seen))
    if np.ptp(actions) > 0:
        raise InputError(
            f"the policy draws lots: of one observation it made actions from {actions.min():g} to "
            f"{actions.max():g}; expected a policy as it is deployed, without exploration"
        )
    return policy


def by_blocks(rule: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
    """The rule on arrays (batch, …), asked about blocks of rows, one thread at a time."""
    lock = threading.Lock()

    def outcome(*arrays: Array) -> tuple[Array, ...]:
        if not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in arrays):
            raise Unsupported("a learned policy runs on floats")
        floats = [np.asarray(array, dtype=float) for array in arrays]
        batch, parts = len(floats[0]), []
        for start in range(0, batch, BLOCK):
            rows = np.minimum(np.arange(start, start + BLOCK), batch - 1)
            with lock:
                parts.append([part[: batch - start] for part in rule(*(f[rows] for f in floats))])
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    return outcome


# The papers' auctions -----------------------------------------------------------------------------


def second_bid(policy: Policy, environment: Any, name: str) -> Auction:
    """dmsb: bids of the UAV and of stations, (batch, 1 + stations); latencies are public.

    Bids and latencies are anything between the least and the largest that the market draws.
    """
    from mechkit.papers.dmsb import rules

    drawn = environment.draw(np.random.default_rng(0), DRAWS)
    agents = drawn.values.shape[1]
    low, high = _round_bounds(drawn.values)
    setting = single_item(
        agents, low=low, high=high, roles=("brand", *("performance",) * (agents - 1))
    )
    least, most = _round_bounds(drawn.latency)

    @by_blocks
    def rule(bids: Array, latency: Array) -> tuple[Array, ...]:
        seen = environment.start(replace(drawn, values=bids, latency=latency))
        policy.begin(len(seen), np.random.default_rng(0))
        rho = 10 ** np.asarray(policy.act(seen), dtype=float)[:, None]
        return rules.modified_second_bid(bids, rho=rho, everybody=environment.everybody)

    def outcome(reports: Array, *, public: Public) -> tuple[Array, Array]:
        wins, pays = rule(reports, public["latency"])
        return wins, pays

    def draw(rng: np.random.Generator, count: int) -> tuple[Array, dict[str, Array]]:
        fresh = environment.draw(rng, count)
        return fresh.values.clip(low, high), {"latency": fresh.latency.clip(least, most)}

    public = {"latency": box(agents, low=least, high=most)}
    made = Mechanism.from_outcome(setting.with_public(**public), outcome, name=name)
    return Auction(made, draw)


def clock(policy: Policy, environment: Any, name: str) -> Auction:
    """madda: buyer i and seller i are partners in Γ; values and costs anywhere on the clocks."""
    from mechkit.papers.madda.environment import PAIRED
    from mechkit.papers.madda.mechanism import HIGHEST, LOWEST, by_rank

    pairs = min(environment.buyers, environment.sellers)
    winners = {**PAIRED, "by rank": by_rank}[environment.winners]
    # Whatever decides about Γ: it is given here, and clocks see values and costs alone. Whoever is
    # in the market beyond these pairs has no partner and takes no part.
    partner = np.full((BLOCK, environment.buyers), -1)
    partner[:, :pairs] = np.arange(pairs)
    others = environment.draw(np.random.default_rng(0), BLOCK).matched(partner)

    @by_blocks
    def sides(values: Array, costs: Array) -> tuple[Array, ...]:
        everybody = (others.values.copy(), others.costs.copy())
        for of, given in zip(everybody, (values, costs), strict=True):
            of[:, :pairs] = given
        instances = replace(others, values=everybody[0], costs=everybody[1]).matched(partner)
        play(policy, environment, instances, np.random.default_rng(0))
        clocks, _ = environment.clocks(values, costs)
        return *winners(clocks), clocks.price

    def rule(values: Array, costs: Array) -> Sides:
        buys, sells, price = sides(values, costs)
        return buys, sells, price, price

    def draw(rng: np.random.Generator, count: int) -> tuple[Array, dict[str, Array]]:
        fresh = environment.draw(rng, count)
        return np.concatenate([fresh.values[:, :pairs], fresh.costs[:, :pairs]], axis=-1), {}

    setting = double_auction(pairs, pairs, low=LOWEST, high=HIGHEST)
    return Auction(market(rule, setting, name), draw)


def _round_bounds(drawn: Array) -> tuple[float, float]:
    """The least and the largest, to three digits."""
    return float(f"{drawn.min():.3g}"), float(f"{drawn.max():.3g}")


AUCTIONS: Mapping[str, Callable[[Policy, Any, str], Auction]] = {
    "dmsb": second_bid,
    "madda": clock,
}
