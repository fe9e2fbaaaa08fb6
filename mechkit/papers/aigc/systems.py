"""What the paper compares, on whole batches: several slots of local markets, and the exact optimum.

In each slot every unit clears its market among the vehicles that are near and still wait, by a
*clearing*: McAfee as printed, the second price auction, or the trade of efficient pairs. Vehicles
bid what a *bidding* says (their values by default). Sums over all slots:

    social welfare  Σ u_v + u_m over trades (eq. 1)     latency   Σ c / R over trades (eq. 2)
    budget cost     β = Σ p_v − Σ p_m (eq. 4)           reward    Σ_t SW(t) − α β(t)² − L(t) (eq. 6)

Welfare here is from true values, Σ (u_v − u_m − c / R) over trades: eq. 3 with the seller's
valuation as the cost that its utility in section II.A makes of it. A vehicle is served once and a
machine serves once per slot, so the optimum over all slots together is a matching of the largest
weight of vehicles with (slot, unit, machine).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import solvers
from mechkit.book import order, ranks
from mechkit.errors import require
from mechkit.papers.aigc.market import Instances
from mechkit.papers.aigc.mechanism import ABSENT, each_machine, mcafee_as_printed
from mechkit.papers.paper import Result

ALPHAS = (0, 0.1, 1)
"""α of eq. 6 is not given."""


@dataclass(frozen=True, eq=False)
class Cleared:
    """One slot. machine (B, V): who served each vehicle at its unit, −1 for nobody. pays (B, V);
    gets (B, N, M)."""

    machine: np.ndarray
    pays: np.ndarray
    gets: np.ndarray


Clearing = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Cleared]
"""(bids (B, V), costs (B, N, M), present (B, N, V), asked (B, V)) -> Cleared."""
Bidding = Callable[[Instances, int, np.ndarray, np.ndarray], np.ndarray]
"""(instances, slot, who waits (B, V), last price (B,)) -> bids (B, V) ≥ 0."""


# Clearings ----------------------------------------------------------------------------------------


def mcafee(bids: np.ndarray, costs: np.ndarray, present: np.ndarray, asked: np.ndarray) -> Cleared:
    """McAfee as printed in every local market; the k-th buyer is served by the k-th seller."""
    everywhere = np.broadcast_to(bids[:, None], present.shape)
    buys, sells, pays, gets = mcafee_as_printed(everywhere, costs, present=present)
    return Cleared(
        _by_rank(everywhere, costs, present, buys),
        np.where(buys, pays, 0).sum(axis=1),
        np.where(sells, gets, 0),
    )


def efficient_pairs(
    bids: np.ndarray, costs: np.ndarray, present: np.ndarray, asked: np.ndarray
) -> Cleared:
    """All K pairs trade, at the mean of v_K and m_K, whoever that suits."""
    everywhere = np.where(present, bids[:, None], ABSENT)
    book = order(everywhere, costs)
    buys, sells = book.first(book.k)
    price = (book.bid(book.k) + book.ask(book.k)) / 2
    return Cleared(
        _by_rank(everywhere, costs, present, buys),
        np.where(buys, price, 0).sum(axis=1),
        np.where(sells, price, 0),
    )


def second_price(
    bids: np.ndarray, costs: np.ndarray, present: np.ndarray, asked: np.ndarray
) -> Cleared:
    """Every machine sells to the vehicles that ask for its service, its cost the reserve."""
    return _machines(bids, costs, present, asked)


def second_price_in_turn(
    bids: np.ndarray, costs: np.ndarray, present: np.ndarray, asked: np.ndarray
) -> Cleared:
    """One machine of a unit after the other sells to whoever has not been served."""
    return _machines(bids, costs, present, None)


def _machines(
    bids: np.ndarray, costs: np.ndarray, present: np.ndarray, asked: np.ndarray | None
) -> Cleared:
    everywhere = np.broadcast_to(bids[:, None], present.shape)
    at = None if asked is None else np.broadcast_to(asked[:, None], present.shape)
    wins, pays, gets = each_machine(everywhere, costs, present=present, asked=at)
    own = wins.any(axis=1)  # a vehicle is in one market only
    return Cleared(np.where(own.any(axis=-1), own.argmax(axis=-1), -1), pays.sum(axis=(1, 3)), gets)


def _by_rank(
    bids: np.ndarray, costs: np.ndarray, present: np.ndarray, buys: np.ndarray
) -> np.ndarray:
    """(B, V): the seller of the same rank for each who buys, −1 for the others."""
    rank = ranks(-np.where(present, bids, ABSENT))
    sellers = np.argsort(costs, axis=-1, kind="stable")
    partner = np.take_along_axis(sellers, np.minimum(rank, costs.shape[-1] - 1), axis=-1)
    return np.where(buys, partner, -1).max(axis=1)


# Biddings -----------------------------------------------------------------------------------------


def truthful(
    instances: Instances, slot: int, waits: np.ndarray, last_price: np.ndarray
) -> np.ndarray:
    return instances.values


def at_random(
    instances: Instances, slot: int, waits: np.ndarray, last_price: np.ndarray
) -> np.ndarray:
    """Uniform on [0, 1], where sellers' costs are, whatever the value."""
    return instances.dice[:, slot]


def observation(
    instances: Instances, slot: int, waits: np.ndarray, last_price: np.ndarray
) -> np.ndarray:
    """Eq. 5, what a bidder sees, (B, V, N + 1 + M): buyers and sellers in every local market, the
    last transaction price, and its rates in bit/s from the machines of its unit (0 for no unit)."""
    units, machines = instances.costs.shape[2:]
    crowd = instances.values.shape
    there = local_markets(instances, slot, waits).sum(axis=-1) + machines
    return np.concatenate(
        [
            np.broadcast_to(there[:, None], (*crowd, units)),
            np.broadcast_to(last_price[:, None, None], (*crowd, 1)),
            instances.rates[:, slot],
        ],
        axis=-1,
    )


# Several slots ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Played:
    """All slots. served (B, V): in which slot, −1 for never; machine (B, V): by which, −1.

    pays (B, V): what each vehicle pays in all. gets (B, T, N, M).
    """

    served: np.ndarray
    machine: np.ndarray
    pays: np.ndarray
    gets: np.ndarray


def play(instances: Instances, clearing: Clearing, bidding: Bidding = truthful) -> Played:
    """Every slot in order: clear, and let those who were served leave.

    The last price is what buyers paid on average in the last slot that had a trade, 0 before.

    Raises InputError for bids of another shape, below 0 or not finite.
    """
    crowd, last_price = instances.values.shape, np.zeros(len(instances.values))
    served, machine = np.full(crowd, -1), np.full(crowd, -1)
    pays, gets = np.zeros(crowd), np.zeros(instances.costs.shape)
    for slot in range(instances.costs.shape[1]):
        waits = served < 0
        bids = np.asarray(bidding(instances, slot, waits, last_price), dtype=float)
        require(
            bids.shape == crowd and bool((np.isfinite(bids) & (bids >= 0)).all()),
            f"bids of shape {bids.shape}, from {bids.min(initial=0)} to {bids.max(initial=0)}: "
            f"expected finite bids of at least 0, shape {crowd}",
        )
        present = local_markets(instances, slot, waits)
        cleared = clearing(bids, instances.costs[:, slot], present, instances.asked)
        now = cleared.machine >= 0
        count = now.sum(axis=1)
        mean = cleared.pays.sum(axis=1) / np.maximum(count, 1)
        last_price = np.where(count > 0, mean, last_price)
        served = np.where(now, slot, served)
        machine = np.where(now, cleared.machine, machine)
        pays += cleared.pays
        gets[:, slot] = cleared.gets
    return Played(served, machine, pays, gets)


def local_markets(instances: Instances, slot: int, waits: np.ndarray) -> np.ndarray:
    """(B, N, V): who bids at which unit."""
    units = np.arange(instances.costs.shape[2])
    return np.asarray(waits[:, None] & (instances.unit[:, slot, None] == units[:, None]))


def measure(instances: Instances, played: Played) -> Result:
    """Welfare from true values, and the paper's measures beside it."""
    slots = instances.costs.shape[1]
    done = played.served >= 0
    cost, delay = cost_and_latency(instances, played)
    value = np.where(done, instances.values, 0)
    when = done[:, None] & (played.served[:, None] == np.arange(slots)[:, None])

    def by_slot(each: np.ndarray) -> np.ndarray:
        return np.where(when, each[:, None], 0).sum(axis=-1)

    budget = by_slot(played.pays) - played.gets.sum(axis=(2, 3))
    printed, late = by_slot(value + cost), by_slot(delay)
    # The text below eq. 6 has SW as a function of prices: the utilities of buyers and sellers.
    utilities = by_slot(value - cost) - budget
    measured = {
        "social welfare (eq. 1)": printed.sum(axis=-1),
        "gains from trade": (value - cost).sum(axis=-1),
        "latency, ms (eq. 2)": late.sum(axis=-1),
        "budget cost (eq. 4)": budget.sum(axis=-1),
        "buyers' utility": (value - played.pays).sum(axis=-1),
        "sellers' utility": played.gets.sum(axis=(1, 2, 3)) - cost.sum(axis=-1),
        "buyers at a loss": (played.pays > value).sum(axis=-1),
    }
    for alpha in ALPHAS:
        fine = alpha * budget**2 + late
        measured[f"reward, α = {alpha} (eq. 6)"] = (printed - fine).sum(axis=-1)
        measured[f"reward of utilities, α = {alpha}"] = (utilities - fine).sum(axis=-1)
    return Result(
        welfare=(value - cost - delay).sum(axis=-1),
        trades=done.sum(axis=-1),
        budget=budget.sum(axis=-1),
        measured=measured,
    )


def cost_and_latency(instances: Instances, played: Played) -> tuple[np.ndarray, np.ndarray]:
    """(u_m, c / R) of the machine that served each vehicle, (B, V), 0 where none did."""
    done = played.served >= 0
    slot, machine = np.maximum(played.served, 0), np.maximum(played.machine, 0)
    row, vehicle = np.indices(done.shape)
    unit = instances.unit[row, slot, vehicle]
    return (
        np.where(done, instances.costs[row, slot, unit, machine], 0),
        np.where(done, instances.latency[row, slot, vehicle, machine], 0),
    )


def system(clearing: Clearing, bidding: Bidding = truthful) -> Callable[[Instances], Result]:
    """Play and measure."""
    return lambda instances: measure(instances, play(instances, clearing, bidding))


SYSTEMS: dict[str, Callable[[Instances], Result]] = {
    "McAfee as printed": system(mcafee),
    "second price": system(second_price),
    "second price in turn": system(second_price_in_turn),
    "efficient pairs": system(efficient_pairs),
    "random bids": system(mcafee, at_random),
}


# The optimum --------------------------------------------------------------------------------------

CELLS = 4_000_000
"""Pairs that are solved at once, to bound memory."""


def pair_gains(instances: Instances) -> np.ndarray:
    """(B, V, T · N · M): what serving each vehicle at each slot, unit and machine gains, u_v − u_m
    − c / R, and 0 where it is elsewhere."""
    batch, slots, units, machines = instances.costs.shape
    near = instances.unit[..., None] == np.arange(units)
    gain = (
        instances.values[:, None, :, None, None]
        - instances.costs[:, :, None]
        - instances.latency[:, :, :, None]
    )
    gain = np.where(near[..., None], gain, 0)
    return np.asarray(np.moveaxis(gain, 2, 1).reshape(batch, -1, slots * units * machines))


def optimum(instances: Instances) -> np.ndarray:
    """(B,): the largest welfare of serving each vehicle once and no machine twice in a slot."""
    batch, slots, units, machines = instances.costs.shape
    pairs = instances.values.shape[1] * slots * units * machines
    step = max(1, CELLS // pairs)
    found = []
    for first in range(0, batch, step):
        part = Instances(
            **{name: array[first : first + step] for name, array in vars(instances).items()}
        )
        found.append(np.asarray(solvers.unit_demand(pair_gains(part)).value))
    return np.concatenate(found)
