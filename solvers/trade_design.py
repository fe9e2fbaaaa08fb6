"""Bilateral trade: the best mechanism that pays for itself.

A buyer has value v ~ F, a seller cost c ~ G, independent; S = 1 − F. Let

    φ_α(v) = v − α S(v)/f(v),        ψ_α(c) = c + α G(c)/g(c).

If a Bayesian incentive compatible, interim individually rational mechanism trades where x = 1, the
most that it can leave over is E[(φ_1(v) − ψ_1(c)) x]. The largest gains from trade E[(v − c) x]
without an expected deficit are those of x = [φ_α(v) ≥ ψ_α(c)], with the least α ∈ [0, 1] at which
nothing is missing (α/(1 − α) is the multiplier of the budget). α = 0 is the first best; its deficit
is what VCG's lacks in expectation. A payment rule that balances at every profile exists as well.

Thresholds pay for it: the buyer pays the least value, the seller gets the highest cost, at which
they would still trade. With c*(v) the highest cost that trades with v,

    gains = ∫ f(v) [(v − c*) G(c*) + K(c*)] dv,   K(c) = ∫_{−∞}^c G,
    left over = ∫ f(v) G(c*) [φ_1(v) − c*] dv.

Source: Myerson & Satterthwaite, "Efficient mechanisms for bilateral trading" (1983), theorems 1
and 2; the posted price: Hagerty & Rogerson (1987).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from solvers.curves import support

__all__ = ["SecondBest", "second_best"]

# Panels between quantiles 2^-k and 1 − 2^-k, with a Gauss–Legendre rule of so many nodes on each.
PANELS, NODES = 46, 20
REGULAR = 1e-7


@dataclass(frozen=True, eq=False, kw_only=True)
class SecondBest:
    """gains: of the best mechanism with BIC, interim IR and no expected deficit. first_best: of
    trade whenever v > c. posted, price: the best single price, which needs no subsidy and is
    dominant-strategy incentive compatible. deficit: of VCG, negative where it earns. alpha: see
    above, 0 where the first best pays for itself. error: an estimate, from a rule of half the
    order, for all of these. `allocate` and `pay` take values and costs of any shape; payments are
    (…, 2), the buyer's, and minus what the seller gets."""

    gains: float
    first_best: float
    posted: float
    price: float
    deficit: float
    alpha: float
    error: float
    _sides: Any = field(repr=False)

    def allocate(self, values: np.ndarray, costs: np.ndarray) -> np.ndarray:
        buyer, seller = self._sides
        return buyer.virtual(values, self.alpha) >= seller.virtual(costs, self.alpha)

    def pay(self, values: np.ndarray, costs: np.ndarray) -> np.ndarray:
        buyer, seller = self._sides
        trade = self.allocate(values, costs)
        least = buyer.inverse(seller.virtual(costs, self.alpha), self.alpha)
        most = seller.inverse(buyer.virtual(values, self.alpha), self.alpha)
        return np.stack([np.where(trade, least, 0.0), np.where(trade, -most, 0.0)], axis=-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Side:
    """A prior with its virtual types: sign −1 for the buyer (v − αS/f), +1 for the seller."""

    prior: Any
    sign: int
    low: float
    high: float

    def virtual(self, x: Any, alpha: float) -> np.ndarray:
        x = np.clip(np.asarray(x, dtype=float), self.low, self.high)
        if alpha == 0:
            return x
        tail = self.prior.sf(x) if self.sign < 0 else self.prior.cdf(x)
        with np.errstate(all="ignore"):
            ratio = np.asarray(tail / self.prior.pdf(x), dtype=float)
        return x + self.sign * alpha * np.where(np.asarray(tail) == 0, 0.0, ratio)

    def inverse(self, height: Any, alpha: float) -> np.ndarray:
        """The type whose virtual type is the height, by bisection; an end where there is none."""
        height = np.asarray(height, dtype=float)
        if alpha == 0:
            return np.clip(height, self.low, self.high)
        low, high = np.full(height.shape, self.low), np.full(height.shape, self.high)
        for _ in range(100):
            middle = (low + high) / 2
            above = self.virtual(middle, alpha) > height
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2

    def breaks(self) -> np.ndarray:
        small = 2.0 ** -np.arange(1, PANELS)
        quantiles = np.concatenate([self.prior.isf(small), self.prior.ppf(small)])
        return np.unique(np.clip([self.low, *quantiles, self.high], self.low, self.high))


def second_best(buyer_prior: Any, seller_prior: Any) -> SecondBest:
    """The second best for one buyer and one seller with regular, continuous priors.

    Raises ValueError for priors that are not frozen, discrete, of infinite mean, or irregular (a
    virtual type that falls), in which case solve `design` on a grid.
    """
    buyer = _side(buyer_prior, -1, "buyer_prior")
    seller = _side(seller_prior, 1, "seller_prior")
    fine = _numbers(buyer, seller, NODES)
    coarse = _numbers(buyer, seller, NODES // 2)
    error = max(abs(x - y) for x, y in zip(fine[:5], coarse[:5], strict=True))
    gains, first, posted, deficit, alpha, price = fine
    return SecondBest(
        gains=gains, first_best=first, posted=posted, price=price, deficit=deficit, alpha=alpha,
        error=error, _sides=(buyer, seller),
    )  # fmt: skip


def _side(prior: Any, sign: int, name: str) -> _Side:
    low, high = support(prior, name)
    if hasattr(prior.dist, "pmf"):
        raise ValueError(f"{name} is discrete: expected a density; solve `design` on its values")
    if np.isinf(low) and not np.isfinite(float(prior.mean())):
        raise ValueError(f"{name} has mean {prior.mean()}: expected a finite mean; truncate it")
    # Beyond these ends lies a probability of 2^-46 on each side.
    low = low if np.isfinite(low) else float(prior.ppf(2.0**-PANELS))
    high = high if np.isfinite(high) else float(prior.isf(2.0**-PANELS))
    side = _Side(prior=prior, sign=sign, low=low, high=high)
    grid = np.asarray(prior.ppf(np.linspace(0, 1, 2001)[1:-1]))
    fall = -np.diff(side.virtual(grid, 1.0))
    if not (fall <= REGULAR * max(abs(low), abs(high))).all():
        at = grid[int(np.argmax(np.where(np.isnan(fall), np.inf, fall)))]
        raise ValueError(
            f"{name} is irregular: its virtual type falls near {at:.4g}, where trade by thresholds "
            "is not optimal; solve `design` on a grid of types"
        )
    return side


def _integral(f: Any, breaks: np.ndarray, nodes: int) -> float:
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = np.diff(breaks)[:, None] / 2
    return float((f(breaks[:-1, None] + half * (x + 1)) * w * half).sum())


def _numbers(buyer: _Side, seller: _Side, nodes: int) -> tuple[float, ...]:
    """(gains, first best, posted, deficit, alpha, price) with a rule of so many nodes."""
    from scipy.optimize import brentq, minimize_scalar

    sf, cdf = buyer.prior.sf, seller.prior.cdf
    at_v, at_c = buyer.breaks(), seller.breaks()

    def between(points: np.ndarray, low: float, high: float) -> np.ndarray:
        return np.unique(np.clip([low, *points, high], low, high)) if low < high else np.zeros(1)

    def partner_of_buyer(v: np.ndarray, alpha: float) -> np.ndarray:
        """c*(v), and below every cost where nobody trades with v."""
        height = buyer.virtual(v, alpha)
        found = seller.inverse(height, alpha)
        return np.where(height < seller.virtual(seller.low, alpha), -np.inf, found)

    def partner_of_seller(c: np.ndarray, alpha: float) -> np.ndarray:
        height = seller.virtual(c, alpha)
        found = buyer.inverse(height, alpha)
        return np.where(height > buyer.virtual(buyer.high, alpha), np.inf, found)

    def panels(side: _Side, other: _Side, points: np.ndarray, alpha: float) -> np.ndarray:
        """The side's breaks, where trade with the other starts and ends among them."""
        ends = [side.inverse(other.virtual(e, alpha), alpha) for e in (other.low, other.high)]
        return between(np.append(points, ends), side.low, side.high)

    def left_over(alpha: float) -> float:
        def density(v: np.ndarray) -> np.ndarray:
            c = partner_of_buyer(v, alpha)
            surplus = buyer.virtual(v, 1.0) - np.where(np.isfinite(c), c, 0.0)
            return buyer.prior.pdf(v) * cdf(c) * surplus

        return _integral(density, panels(buyer, seller, at_v, alpha), nodes)

    def gains(alpha: float) -> float:
        """The buyer's utility, the seller's, and what is left over."""
        v, c = panels(buyer, seller, at_v, alpha), panels(seller, buyer, at_c, alpha)
        return (
            _integral(lambda z: sf(z) * cdf(partner_of_buyer(z, alpha)), v, nodes)
            + _integral(lambda z: cdf(z) * sf(partner_of_seller(z, alpha)), c, nodes)
            + left_over(alpha)
        )

    # E[(v − c)⁺] = ∫ S(t) G(t) dt.
    meet = between(np.concatenate([at_v, at_c]), seller.low, buyer.high)
    first = _integral(lambda t: sf(t) * cdf(t), meet, nodes) if len(meet) > 1 else 0.0
    missing = -left_over(0.0)
    alpha = 0.0
    if missing > 0:
        alpha = brentq(left_over, 0.0, 1.0, xtol=1e-13) if left_over(1.0) > 0 else 1.0

    def posted(p: float) -> float:
        k = _integral(cdf, between(at_c, seller.low, p), nodes)
        return float(sf(p)) * k + float(cdf(p)) * _integral(sf, between(at_v, p, buyer.high), nodes)

    grid = (
        np.unique(np.linspace(seller.low, buyer.high, 129))
        if seller.low < buyer.high
        else np.array([seller.low])
    )
    start = int(np.argmax([posted(float(p)) for p in grid]))
    around = float(grid[max(start - 1, 0)]), float(grid[min(start + 1, len(grid) - 1)])
    price = float(grid[start])
    if around[0] < around[1]:
        found = minimize_scalar(
            lambda p: -posted(p), bounds=around, method="bounded", options={"xatol": 1e-9}
        )
        price = float(found.x)
    return gains(alpha), first, posted(price), missing, float(alpha), price
