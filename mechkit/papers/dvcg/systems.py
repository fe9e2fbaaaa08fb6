"""What the paper compares, on whole batches, beside the exact optimum.

DVCG as printed, with the bids that a *bidding* says (the value of information by default); the same
without interest (NVI-DVCG); QVCG at M quanta, in both conventions for bundles; Kelly's proportional
shares; equal shares. Welfare is Σ_i u_i(s_i) from true utilities (eq. 4), in units of utility;
budgets are taxes, in money.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import solvers
from mechkit.papers.dvcg.market import Instances, gross_profit, profit, social_welfare, utility
from mechkit.papers.dvcg.mechanism import Levied, levy, norm, spread
from mechkit.papers.paper import Result

LEAST = 1e-6
"""An interior point leaves nobody with nothing."""


@dataclass(frozen=True, eq=False)
class Held:
    """An auction that was held, batch first.

    bids (B, N): x. levied: loans, interest, harm and tax. spread (B,): Δ. shares (B, N, R): s̃.
    """

    bids: np.ndarray
    levied: Levied
    spread: np.ndarray
    shares: np.ndarray


def values_of_information(instances: Instances, seen: Instances | None = None) -> np.ndarray:
    """Eq. 11, (B, N): true utilities of the allocation that is best as `seen`."""
    return utility(instances.heights, instances.rates, (seen or instances).best)


def hold(
    instances: Instances,
    bids: np.ndarray,
    *,
    seen: Instances | None = None,
    with_interest: bool = True,
) -> Held:
    """Eqs. 12–18 at these bids (B, N). seen: the instances as provider and bank estimate them,
    exactly by default."""
    seen = seen or instances
    values = utility(seen.heights, seen.rates, seen.best)
    most = social_welfare(values)[:, None]
    delta = spread(bids, most)
    shares = norm(seen.best + delta[..., None] * instances.noise)
    levied = levy(
        bids,
        values,
        seen.clarke + most - values,
        utility(seen.heights, seen.rates, shares),
        alpha=instances.alpha,
        with_interest=with_interest,
    )
    return Held(bids, levied, delta[:, 0], shares)


def measure(instances: Instances, held: Held) -> Result:
    """Welfare from true utilities, and the paper's measures beside it."""
    earned = utility(instances.heights, instances.rates, held.shares)
    profits = profit(gross_profit(instances.alpha, earned, instances.extra), held.levied.taxes)
    batch, vsps = earned.shape
    return Result(
        welfare=social_welfare(earned),
        trades=served(held.shares),
        budget=held.levied.taxes.sum(axis=-1),
        measured={
            "currency lent": held.levied.lent.sum(axis=-1),
            "interest": held.levied.interests.sum(axis=-1),
            "harm (eq. 17)": held.levied.harms.sum(axis=-1),
            "spread of the noise (eq. 16)": held.spread,
            "profit of a VSP (eq. 6)": profits.mean(axis=-1),
            "profit of the first two": profits[:, :2].sum(axis=-1),
            "VSPs at a loss": (profits < 0).sum(axis=-1),
            **exchanged(instances, float(vsps), batch),
        },
    )


def served(shares: np.ndarray) -> np.ndarray:
    """How many VSPs get more than a millionth of some resource; shares (..., N, R)."""
    return np.asarray((shares.max(axis=-1) > LEAST).sum(axis=-1))


def exchanged(instances: Instances, each: float, batch: int) -> dict[str, np.ndarray]:
    """Table II both ways: floats that VSPs send for one round, and for all of them if they are sent
    in each. The paper counts all rounds for DVCG and one for QVCG."""
    return {
        "floats sent, one round": np.full(batch, each),
        f"floats sent, {instances.rounds} rounds": np.full(batch, each * instances.rounds),
    }


# Bids ---------------------------------------------------------------------------------------------


def dvcg(
    factor: float = 1.0, *, of: int | None = None, with_interest: bool = True
) -> Callable[[Instances], Result]:
    """DVCG with parameters known exactly. The first `of` VSPs, all by default, bid `factor` times
    their value of information, and the others the truth."""

    def run(instances: Instances) -> Result:
        bids = values_of_information(instances)
        bids[:, :of] *= factor
        return measure(instances, hold(instances, bids, with_interest=with_interest))

    return run


def estimated(instances: Instances) -> Result:
    """DVCG with estimates that are off; bids are true values of information."""
    seen = instances.estimated
    bids = values_of_information(instances, seen)
    return measure(instances, hold(instances, bids, seen=seen))


# Other systems ------------------------------------------------------------------------------------


def qvcg(levels: str) -> Callable[[Instances], Result]:
    """The quantised VCG auction (`solvers.qvcg`): a linear program whose optimum may be a lottery.

    Payments are α_i times Clarke's, in expectation. floats: each VSP sends its M³ bids.
    """

    def run(instances: Instances) -> Result:
        batch, vsps = instances.heights.shape
        welfare, budget, trades, over = (np.empty(batch) for _ in range(4))
        for k in range(batch):
            utilities = solvers.Saturating(instances.heights[k], instances.rates[k])
            bids = solvers.Quantised(utilities, instances.quanta)
            found = solvers.qvcg(bids, levels=levels)
            assert found.allocation is not None
            assert found.payments is not None
            assert found.lottery is not None
            welfare[k] = found.value
            budget[k] = instances.alpha[k] @ found.payments
            trades[k] = served(found.allocation / instances.quanta)
            over[k] = found.lottery.overuse
        return Result(
            welfare=welfare,
            trades=trades,
            budget=budget,
            measured={
                "quanta over capacity, worst draw": over,
                **exchanged(instances, float(vsps * instances.quanta**3), batch),
            },
        )

    return run


def shared(instances: Instances, weights: np.ndarray, charge: np.ndarray, floats: float) -> Result:
    """Every resource in proportion to weights (B, N)."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    shares = np.broadcast_to(share[..., None], instances.rates.shape)
    earned = utility(instances.heights, instances.rates, shares)
    profits = profit(gross_profit(instances.alpha, earned, instances.extra), charge)
    return Result(
        welfare=social_welfare(earned),
        trades=served(shares),
        budget=charge.sum(axis=-1),
        measured={
            "profit of a VSP (eq. 6)": profits.mean(axis=-1),
            "VSPs at a loss": (profits < 0).sum(axis=-1),
            **exchanged(instances, floats, len(share)),
        },
    )


def proportional(instances: Instances) -> Result:
    """Kelly's rule for one bid a VSP: its share of the bids is its share of every resource, and it
    pays its bid, here the value of information, in money."""
    bids = values_of_information(instances)
    return shared(instances, bids, instances.alpha * bids, float(bids.shape[1]))


def equal(instances: Instances) -> Result:
    """1/N of every resource for everybody, free."""
    ones = np.ones_like(instances.heights)
    return shared(instances, ones, 0 * ones, 0.0)


SYSTEMS: dict[str, Callable[[Instances], Result]] = {
    "DVCG": dvcg(),
    "DVCG, all bid half": dvcg(0.5),
    "DVCG, two bid half": dvcg(0.5, of=2),
    "DVCG, one bids 1 % more": dvcg(1.01, of=1),
    "DVCG, one bids double": dvcg(2.0, of=1),
    "DVCG, estimates 5 % off": estimated,
    "NVI-DVCG": dvcg(with_interest=False),
    "NVI-DVCG, two bid half": dvcg(0.5, of=2, with_interest=False),
    "QVCG (0…M)": qvcg("full"),
    "QVCG (1…M)": qvcg("printed"),
    "proportional": proportional,
    "equal": equal,
}
