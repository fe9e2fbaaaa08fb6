"""What is compared, on whole batches: the auction in both readings, and the exact optimum.

Organisations ask for what the vote lets count of their users' proposals; providers bid what access
is worth to them on average over the organisations of the kind they want, or what the game's
equilibrium has them bid. Every kind clears by itself. Welfare is from true values: what access to
the model that is sold is worth to those who win it, minus what its training has cost all users, the
voted down among them. Access is not rival: the best that can be done for a kind is to let one
organisation serve everybody, and the optimum matches kinds with organisations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import solvers
from mechkit.papers.paper import Result
from mechkit.papers.pmsam import game
from mechkit.papers.pmsam.market import KINDS, Instances
from mechkit.papers.pmsam.mechanism import counted, grouped, shares


@dataclass(frozen=True, eq=False)
class Cleared:
    """buys (B, M), sells (B, H): who wins; pays (B, M), gets (B, H). counts (B, H, N): in what
    proportion users share what their organisation gets."""

    buys: np.ndarray
    sells: np.ndarray
    pays: np.ndarray
    gets: np.ndarray
    counts: np.ndarray


# Bids and asks ------------------------------------------------------------------------------------


def kind_matches(instances: Instances) -> np.ndarray:
    """(B, M, H): whether organisation h offers the kind that provider j wants."""
    return np.asarray(instances.wants[..., None] == instances.offers[:, None])


def average(instances: Instances, each: np.ndarray) -> np.ndarray:
    """(B, M): the mean over organisations of the kind wanted of each (B, M, H); 0 for none."""
    match = kind_matches(instances)
    return np.asarray(np.where(match, each, 0).sum(-1) / np.maximum(match.sum(-1), 1))


def truthful(instances: Instances) -> np.ndarray:
    """What access is worth, at most the budget (eq. 17), (B, M)."""
    return np.minimum(average(instances, instances.values), instances.budgets)


def in_equilibrium(instances: Instances) -> np.ndarray:
    """Σ_i (q_ij + f_ij) in the game's equilibrium, the reading of eq. 16, (B, M)."""
    elasticity = instances.parameters.elasticity
    charge = game.per_user(instances.quality, instances.freshness, elasticity)
    spends = game.choices(charge, instances.wants.shape[1]) >= 0
    return average(instances, instances.budgets[..., None] * np.moveaxis(spends, -1, -2))


def asks(instances: Instances) -> tuple[np.ndarray, np.ndarray]:
    """(what counts of each user's proposal (B, H, N), what each organisation asks for (B, H))."""
    counts = counted(instances.proposals, instances.support)
    return counts, counts.sum(axis=-1)


# Systems ------------------------------------------------------------------------------------------


def auction(
    instances: Instances,
    *,
    own_next: bool,
    bidding: Callable[[Instances], np.ndarray] = truthful,
) -> Cleared:
    """The auction in every group."""
    counts, asked = asks(instances)
    sides = grouped(
        bidding(instances),
        asked,
        instances.wants,
        instances.offers,
        groups=KINDS,
        own_next=own_next,
    )
    return Cleared(*sides, counts)


def clairvoyant(instances: Instances) -> Cleared:
    """For every kind the organisation with the largest gain serves everybody who wants the kind, if
    that gains anything; they share its cost in proportion to their values."""
    gains, cost = group_gains(instances), instances.costs.sum(axis=-1)
    best = (np.arange(gains.shape[-1]) == gains.argmax(axis=-1)[..., None]) & (gains > 0)
    sells = best.any(axis=1)
    worth = np.where(kind_matches(instances) & sells[:, None], instances.values, 0)
    everybody = worth.sum(axis=1)
    share = np.where(everybody > 0, cost / np.where(everybody > 0, everybody, 1), 0)
    served = (kind_matches(instances) & sells[:, None]).any(axis=-1)
    pays = (worth * share[:, None]).sum(-1)
    return Cleared(served, sells, pays, np.where(sells, cost, 0), instances.costs)


def at_random(instances: Instances) -> Cleared:
    """For every kind an organisation at random serves every provider who wants it with chance 1/2;
    they share its cost equally."""
    kinds = np.arange(KINDS)[:, None]
    dice = np.where(instances.offers[:, None] == kinds, instances.seller_dice[:, None], 2)
    drawn = (np.arange(dice.shape[-1]) == dice.argmin(axis=-1)[..., None]) & (dice <= 1)
    lucky = instances.buyer_dice < 1 / 2
    here = kind_matches(instances) & lucky[..., None] & drawn.any(axis=1)[:, None]
    sells, many = here.any(axis=1), here.sum(axis=1)
    cost = instances.costs.sum(axis=-1)
    each = np.where(here, (cost / np.maximum(many, 1))[:, None], 0)
    return Cleared(
        here.any(axis=-1), sells, each.sum(axis=-1), np.where(sells, cost, 0), instances.costs
    )


def measure(instances: Instances, cleared: Cleared) -> Result:
    """Welfare from true values, and what becomes of everybody."""
    buys, sells = cleared.buys, cleared.sells
    served = kind_matches(instances) & buys[..., None] & sells[:, None]
    worth = np.where(served, instances.values, 0).sum(axis=-1)
    users = shares(cleared.gets[..., None], cleared.counts) - instances.costs
    users = np.where(sells[..., None], users, 0)
    spent = np.where(sells, instances.costs.sum(axis=-1), 0).sum(axis=-1)
    budget = cleared.pays.sum(axis=-1) - cleared.gets.sum(axis=-1)
    return Result(
        welfare=worth.sum(axis=-1) - spent,
        trades=buys.sum(axis=-1),
        budget=budget,
        measured={
            "models sold": sells.sum(axis=-1),
            "providers' utility": (worth - cleared.pays).sum(axis=-1),
            "users' utility": users.sum(axis=(-2, -1)),
            "providers at a loss": (cleared.pays > worth + 1e-9).sum(axis=-1),
            "users at a loss": (users < -1e-9).sum(axis=(-2, -1)),
            "users voted down": (cleared.counts == 0).sum(axis=(-2, -1)),
            "auctioneer at a loss": (budget < -1e-9) * 1,
        },
    )


SYSTEMS: dict[str, Callable[[Instances], Result]] = {
    "own next": lambda x: measure(x, auction(x, own_next=True)),
    "first losing": lambda x: measure(x, auction(x, own_next=False)),
    "own next, game bids": lambda x: measure(x, auction(x, own_next=True, bidding=in_equilibrium)),
    "first losing, game bids": lambda x: measure(
        x, auction(x, own_next=False, bidding=in_equilibrium)
    ),
    "clairvoyant": lambda x: measure(x, clairvoyant(x)),
    "random winners": lambda x: measure(x, at_random(x)),
}


# The optimum --------------------------------------------------------------------------------------


def group_gains(instances: Instances) -> np.ndarray:
    """(B, KINDS, H): what everybody who wants a kind gains from organisation h; 0 where it offers
    another."""
    kinds = np.arange(KINDS)[:, None]
    theirs = np.einsum("bmg,bmh->bgh", instances.wants[..., None] == kinds.T, instances.values)
    gain = theirs - instances.costs.sum(axis=-1)[:, None]
    return np.where(instances.offers[:, None] == kinds, gain, 0)


def optimum(instances: Instances) -> np.ndarray:
    """(B,): the largest welfare: kinds matched with organisations, losses left alone."""
    return np.asarray(solvers.unit_demand(group_gains(instances)).value)
