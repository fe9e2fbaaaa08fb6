"""The system model: vehicle service providers (VSPs), what slices are worth to them and earn them.

A provider of network resources has one unit of each of three: bandwidth, computing, cache. VSP i
has utility u_i(s) = β_i (1 − exp(−ξ_i·s)) of a slice s (eq. 39), and earns α_i u_i + w_i (eq. 5)
less what its bid costs (eqs. 3, 6). Social welfare is Σ_i u_i (eq. 4). The value of information of
a VSP is its utility where welfare is largest (eq. 11). Sections III and VI; what they leave open is
stated in `READINGS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import solvers
from mechkit.errors import require, whole
from mechkit.lazy import lazy
from solvers import Optimum, Status


@dataclass(frozen=True)
class Parameters:
    """The paper's parameters, and (from `rate_low` on) choices for what it leaves open.

    Heights β ~ U(height_low, height_high); rates ξ ~ U(0, rate_high) per unit of a resource; alpha:
    gross profit per utility, α ~ U(alpha_low, alpha_high); profit_mean, profit_spread: of w.
    error: how far estimates of β and ξ are off, relative, where a system has to estimate.
    """

    height_low: float = 100.0
    height_high: float = 200.0
    rate_high: float = 10.0
    resources: int = 3
    rounds: int = 500
    alpha_low: float = 0.5
    alpha_high: float = 1.5
    profit_mean: float = 0.0
    profit_spread: float = 10.0
    error: float = 0.05


PAPER = Parameters()

READINGS = (
    "α_i and the law of w_i are not given: α ~ U(0.5, 1.5), w ~ N(0, 10²), independent of all "
    "else; w is part of the profit and no part of the welfare. A truthful VSP that gets little "
    "makes a loss where w is below 0.",
    "The total of each resource is 1; eq. 39 is used as it stands, with every ξ drawn anew.",
    "Rounds are independent: an instance is one round. Parameters are known exactly, as in the "
    "limit of section IV.B, or estimated with independent relative errors of 5 % in β and ξ "
    "('DVCG, estimates 5 % off'); nothing is learned here.",
    "QVCG with M quanta: 0.05 of section VI is M = 20 and 0.01 is M = 100. The size `quanta` sets "
    "M, 20 by default. Its linear programs are solved one by one, with a payment for each VSP that "
    "gets anything: by far the slowest of the systems.",
)


@dataclass(frozen=True, eq=False)
class Instances:
    """What was drawn, batch first: B instances of N VSPs, R resources.

    heights (B, N): β. rates (B, N, R): ξ. alpha, extra (B, N): α and w. noise (B, N, R): standard
    normal, the noise of eq. 15. errors (B, N, 1 + R): relative errors of estimates of β and ξ.
    quanta: M of QVCG. rounds: over which the exchange of information is counted.
    """

    heights: np.ndarray
    rates: np.ndarray
    alpha: np.ndarray
    extra: np.ndarray
    noise: np.ndarray
    errors: np.ndarray
    quanta: int = 20
    rounds: int = PAPER.rounds

    @lazy
    def best(self) -> np.ndarray:
        """Eq. 14, (B, N, R): s*, where welfare is largest."""
        found = divided(self).allocation
        assert found is not None
        return found

    @lazy
    def clarke(self) -> np.ndarray:
        """(B, N): max_s Σ_{j≠i} u_j(s_j) − Σ_{j≠i} u_j(s*_j)."""
        found = divided(self, payments=True).payments
        assert found is not None
        return found

    @lazy
    def estimated(self) -> Instances:
        """The same instances as somebody sees them whose estimates are off."""
        factor = np.maximum(1 + self.errors, 0.0)
        return Instances(
            heights=self.heights * factor[..., 0],
            rates=self.rates * factor[..., 1:],
            alpha=self.alpha,
            extra=self.extra,
            noise=self.noise,
            errors=np.zeros_like(self.errors),
            quanta=self.quanta,
            rounds=self.rounds,
        )


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    vsps: int = 50,
    quanta: int = 20,
    parameters: Parameters = PAPER,
) -> Instances:
    """A batch of instances; vsps: N; quanta: M of QVCG."""
    for name, count in (("batch", batch), ("vsps", vsps), ("quanta", quanta)):
        whole(count, 1, name)
    p, crowd = parameters, (batch, vsps)
    slices = (*crowd, p.resources)
    return Instances(
        heights=rng.uniform(p.height_low, p.height_high, crowd),
        rates=rng.uniform(0, p.rate_high, slices),
        alpha=rng.uniform(p.alpha_low, p.alpha_high, crowd),
        extra=p.profit_mean + p.profit_spread * rng.standard_normal(crowd),
        noise=rng.standard_normal(slices),
        errors=p.error * rng.standard_normal((*crowd, 1 + p.resources)),
        quanta=quanta,
        rounds=p.rounds,
    )


# Formulas -----------------------------------------------------------------------------------------


def utility(heights: np.ndarray, rates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Eq. 39: β (1 − exp(−ξ·s)); heights (..., N), rates and shares (..., N, R)."""
    return np.asarray(heights * -np.expm1(-(rates * shares).sum(axis=-1)))


def gross_profit(alpha: np.ndarray, utilities: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Eq. 5: G = α U + w."""
    return np.asarray(alpha * utilities + extra)


def profit(gross: np.ndarray, taxes: np.ndarray) -> np.ndarray:
    """Eqs. 3 and 6: P = G − Z."""
    return np.asarray(gross - taxes)


def social_welfare(utilities: np.ndarray) -> np.ndarray:
    """Eq. 4: Σ_i U_i, over the last axis."""
    return np.asarray(utilities.sum(axis=-1))


def optimum(instances: Instances) -> np.ndarray:
    """Eq. 9, (B,): the largest welfare of any division of the resources."""
    return np.asarray(divided(instances).value)


def divided(instances: Instances, *, payments: bool = False) -> Optimum:
    """Eq. 9 solved. Raises InputError where a gap is left, as numbers of very different orders may
    leave one."""
    found = solvers.divisions(instances.heights, instances.rates, payments=payments)
    require(
        found.status is Status.OPTIMAL,
        f"{'; '.join(found.notes)}: expected heights and rates of about the same order",
    )
    return found
