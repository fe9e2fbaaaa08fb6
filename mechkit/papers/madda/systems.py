"""What the paper compares, on whole batches: the auction under several steps, beside its baselines.

Agents bid truthfully. Welfare is Σ v_m − c_n over trades, from true values; the paper's own social
welfare (eqs. 15, 16) takes the clock prices at which agents accepted in their place, and stands
beside it. A trade whose seller cannot serve its buyer (eq. 10) fails: nobody pays and nothing is
gained; the rest are the successes of fig. 5(d). Trades by rank can fail, and so can those of a Γ
that heeds no reputations.

Every reward of eq. 17 is at most 0, so that rewards are compared by differences.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mechkit.papers.aigc.mechanism import mcafee_as_printed
from mechkit.papers.madda.clocks import Auctions, Exchange, Policy, State, constant, run
from mechkit.papers.madda.market import PAPER, Instances
from mechkit.papers.madda.matching import can_serve, optimum_in_matching, pairs_of, sound
from mechkit.papers.madda.mechanism import (
    HIGHEST,
    LOWEST,
    Clocks,
    Winners,
    as_printed,
    by_rank,
    setter_left_out,
)
from mechkit.papers.paper import Result

ACTIONS = (1, 2, 5, 10, 20)
"""The steps among which an auctioneer chooses; the paper gives none."""
FINE = (0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10, 20)
"""Constant steps among which the best is taken, off the ticks too."""

Played = tuple[Clocks, Exchange]
Auction = Callable[[Instances, np.ndarray, np.ndarray], Played]
"""(instances, values (B, n), costs (B, n)) -> what the clocks did."""


def traders(instances: Instances) -> tuple[np.ndarray, np.ndarray]:
    """Values and partners' costs (B, M) of the pairs of Γ; who has no partner is absent."""
    values, costs, matched = pairs_of(instances)
    return np.where(matched, values, LOWEST - 1), np.where(matched, costs, HIGHEST + 1)


# Measures -----------------------------------------------------------------------------------------


REWARDS: dict[str, Callable[[Exchange | Auctions, float], np.ndarray]] = {
    "reward (eq. 17)": lambda of, fee: -of.regret - fee * of.calls,
    "reward, cost in every round": lambda of, fee: -of.regret - fee * of.announced,
    "reward, those left are told": lambda of, fee: -of.regret - fee * of.calls_left,
}
"""Σ_t r of eq. 17 in each reading: (what was taken, ζ) -> (B,)."""


def rewards(exchange: Exchange, fee: float = PAPER.fee) -> dict[str, np.ndarray]:
    return {name: of(exchange, fee) for name, of in REWARDS.items()}


def clocked(exchange: Exchange, fee: float = PAPER.fee) -> dict[str, np.ndarray]:
    return {
        "regret (eqs. 13, 14)": exchange.regret,
        "information exchange cost": exchange.cost(fee),
        "information exchange cost, those left": fee * exchange.calls_left,
        "rounds": exchange.rounds.astype(float),
        **rewards(exchange, fee),
    }


def at_clocks(clocks: Clocks, buys: np.ndarray, sells: np.ndarray) -> np.ndarray:
    """Eqs. 15 and 16, Σ (g − p*) + (p* − k) over who trades: bids are the prices accepted."""
    bids = np.take_along_axis(clocks.buy_clock, clocks.buy_rank, axis=-1)
    asks = np.take_along_axis(clocks.sell_clock, clocks.sell_rank, axis=-1)
    return np.where(buys, bids, 0).sum(axis=-1) - np.where(sells, asks, 0).sum(axis=-1)


# Systems ------------------------------------------------------------------------------------------


def in_matching(auction: Auction, winners: Winners = as_printed) -> Callable[[Instances], Result]:
    """The auction among those in Γ, each served by its partner."""

    def system(instances: Instances) -> Result:
        return paired(instances, auction(instances, *traders(instances)), winners)

    return system


def paired(
    instances: Instances,
    played: Played,
    winners: Winners = as_printed,
    *,
    fee: float = PAPER.fee,
) -> Result:
    """What the auction among those in Γ came to."""
    values, costs = traders(instances)
    clocks, exchange = played
    able = sound(instances)
    buys, sells = (wins & able for wins in winners(clocks))
    count, price = buys.sum(axis=-1), clocks.price[:, 0]
    return Result(
        welfare=np.where(buys, values, 0).sum(axis=-1) - np.where(sells, costs, 0).sum(axis=-1),
        trades=count,
        budget=price * count - price * sells.sum(axis=-1),
        measured={
            "social welfare (eqs. 15, 16)": at_clocks(clocks, buys, sells),
            "buyers' utility": np.where(buys, values - clocks.price, 0).sum(axis=-1),
            "sellers' utility": np.where(sells, clocks.price - costs, 0).sum(axis=-1),
            "optimum within Γ": optimum_in_matching(instances),
            "matched pairs": (instances.partner >= 0).sum(axis=-1),
            "trade success rate": count / np.maximum(clocks.k[:, 0], 1),
            **clocked(exchange, fee),
        },
    )


def ranked(auction: Auction, *, everybody: bool) -> Callable[[Instances], Result]:
    """The double Dutch auction by rank: the i-th buyer is served by the i-th seller, if eq. 10
    allows. everybody: nobody was matched before, all take part."""

    def system(instances: Instances) -> Result:
        values, costs = instances.values, instances.costs
        if not everybody:
            values, costs = matched_sides(instances)
        return served(instances, values, costs, auction(instances, values, costs))

    return system


def matched_sides(instances: Instances) -> tuple[np.ndarray, np.ndarray]:
    """Values (B, M) and costs (B, N) of those in Γ, each in its own place; others are absent."""
    matched = instances.partner >= 0
    row, buyer = np.nonzero(matched)
    there = np.zeros(instances.costs.shape, dtype=bool)
    there[row, instances.partner[row, buyer]] = True
    return (
        np.where(matched, instances.values, LOWEST - 1),
        np.where(there, instances.costs, HIGHEST + 1),
    )


def served(
    instances: Instances,
    values: np.ndarray,
    costs: np.ndarray,
    played: Played,
    *,
    fee: float = PAPER.fee,
) -> Result:
    """What an auction by rank came to; values (B, M), costs (B, N): of those who took part."""
    clocks, exchange = played
    buys, _ = by_rank(clocks)
    sellers = np.argsort(clocks.sell_rank, axis=-1)
    mine = np.take_along_axis(sellers, np.minimum(clocks.buy_rank, costs.shape[1] - 1), axis=-1)
    trades = buys & can_serve(instances, np.where(buys, mine, -1))
    cost = np.take_along_axis(costs, mine, axis=-1)
    bids = np.take_along_axis(clocks.buy_clock, clocks.buy_rank, axis=-1)
    asks = np.take_along_axis(
        clocks.sell_clock, np.take_along_axis(clocks.sell_rank, mine, axis=-1), axis=-1
    )
    count = trades.sum(axis=-1)
    return Result(
        welfare=np.where(trades, values - cost, 0).sum(axis=-1),
        trades=count,
        budget=np.zeros(len(count)),
        measured={
            "social welfare (eqs. 15, 16)": np.where(trades, bids - asks, 0).sum(axis=-1),
            "buyers' utility": np.where(trades, values - clocks.price, 0).sum(axis=-1),
            "sellers' utility": np.where(trades, clocks.price - cost, 0).sum(axis=-1),
            "trade success rate": count / np.maximum(buys.sum(axis=-1), 1),
            **clocked(exchange, fee),
        },
    )


def mcafee(instances: Instances) -> Result:
    """McAfee 1992 on the same values; the pairs of Γ of which both sides win are served."""
    values, costs, matched = pairs_of(instances)
    costs = np.where(matched, costs, HIGHEST + 1)
    buys, sells, pays, gets = mcafee_as_printed(values, costs, present=matched)
    wins = buys & sells & sound(instances)
    count = wins.sum(axis=-1)
    return Result(
        welfare=np.where(wins, values - costs, 0).sum(axis=-1),
        trades=count,
        budget=count * (pays - gets)[:, 0],
        measured={
            "buyers' utility": np.where(wins, values - pays, 0).sum(axis=-1),
            "sellers' utility": np.where(wins, gets - costs, 0).sum(axis=-1),
            "optimum within Γ": optimum_in_matching(instances),
        },
    )


# Auctioneers --------------------------------------------------------------------------------------


def steps_of(step: float) -> Auction:
    """A constant step, in closed form."""
    return lambda instances, values, costs: constant(values, costs, step)


def best_constant(instances: Instances, values: np.ndarray, costs: np.ndarray) -> Played:
    """The constant step of `FINE` with the largest mean reward of eq. 17 on this very batch."""
    return max(
        (constant(values, costs, step) for step in FINE),
        key=lambda played: float(rewards(played[1])["reward (eq. 17)"].mean()),
    )


def best_step(instances: Instances) -> float:
    """Which of `FINE` that is for the pairs of Γ."""
    found = {
        step: float(rewards(constant(*traders(instances), step)[1])["reward (eq. 17)"].mean())
        for step in FINE
    }
    return max(found, key=lambda step: found[step])


def under(policy_of: Callable[[Instances], Policy]) -> Auction:
    """Clocks round by round under a policy, which may depend on what was drawn for it."""
    return lambda instances, values, costs: run(values, costs, policy_of(instances))


def at_random(instances: Instances) -> Policy:
    """A step of `ACTIONS`, each as likely, at every move."""
    chosen = np.array(ACTIONS)[(instances.dice * len(ACTIONS)).astype(int)]
    rows = np.arange(len(chosen))

    def policy(state: State) -> np.ndarray:
        return np.asarray(chosen[rows, state.moves % chosen.shape[1]])

    return policy


def every_gain(instances: Instances) -> Result:
    """The optimum within Γ: every pair that gains trades, at the middle of value and cost."""
    values, costs, _ = pairs_of(instances)
    wins = sound(instances) & (values >= costs)
    half = np.where(wins, values - costs, 0).sum(axis=-1) / 2
    measured = {"buyers' utility": half, "sellers' utility": half}
    return Result(2 * half, wins.sum(axis=-1), np.zeros(len(half)), measured)


SYSTEMS: dict[str, Callable[[Instances], Result]] = {
    "unit step": in_matching(steps_of(1)),
    **{f"step {step}": in_matching(steps_of(step)) for step in ACTIONS[1:]},
    "best constant step": in_matching(best_constant),
    "random step": in_matching(under(at_random)),
    "unit step, setter left out": in_matching(steps_of(1), setter_left_out),
    "unit step, by rank": ranked(steps_of(1), everybody=False),
    "no matching": ranked(steps_of(1), everybody=True),
    "McAfee": mcafee,
    "every gain within Γ": every_gain,
}
