"""Concave utilities of divisible resources: what shares are worth, and what prices leave.

A family answers two questions, and a certificate asks nothing else. With s (N, R) the bidders'
shares and λ (R,) prices of the resources,

    utilities(s)_i = u_i(s_i)        surplus(λ, C)_i = max over 0 ≤ s_i ≤ C of u_i(s_i) − λ·s_i

so that by weak duality no feasible allocation of capacities C is worth more than
λ·C + Σ_i surplus_i, whatever λ ≥ 0. A family may return more than its surplus, never less.

Sources: Kelly, "Charging and rate control for elastic traffic" (1997); Everett, "Generalized
Lagrange multiplier method" (1963).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.interior import best_response_surplus
from solvers.tangents import Tangents, Utility, leaves, tangents

__all__ = ["Concave", "Linear", "Logarithmic", "Saturating", "numbers"]


def numbers(name: str, given: Any, dimensions: tuple[int, ...], *, positive: bool = True) -> Any:
    """`given` as a float array with one of these numbers of dimensions, finite and ≥ 0."""
    try:
        array = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {given!r}; give an array of numbers") from error
    if array.ndim not in dimensions:
        wanted = " or ".join(str(d) for d in dimensions)
        raise ValueError(f"{name} has shape {array.shape}; give an array of {wanted} dimensions")
    bad = ~np.isfinite(array) | ((array < 0) if positive else False)
    if bad.any():
        at = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} holds {array[at]} at {at}; give finite numbers" + " ≥ 0" * positive
        )
    return array


@dataclass(frozen=True, eq=False)
class Saturating:
    """u_i(s) = β_i (1 − exp(−ξ_i·s)): heights β (N,) ≥ 0 in money, rates ξ (N, R) ≥ 0 per unit."""

    heights: np.ndarray
    rates: np.ndarray

    def __post_init__(self) -> None:
        heights, rates = numbers("heights", self.heights, (1,)), numbers("rates", self.rates, (2,))
        if len(heights) != len(rates):
            raise ValueError(
                f"{len(heights)} heights and {len(rates)} rows of rates; give one of each a bidder"
            )
        object.__setattr__(self, "heights", heights)
        object.__setattr__(self, "rates", rates)

    @property
    def shape(self) -> tuple[int, int]:
        return self.rates.shape

    def utilities(self, shares: np.ndarray) -> np.ndarray:
        return self.heights * -np.expm1(-(self.rates * shares).sum(axis=-1))

    def surplus(self, prices: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """Over all s ≥ 0: in closed form, and at least the surplus within the capacities."""
        return best_response_surplus(self.heights, self.rates.T, prices)

    def expression(self, cp: Any, shares: Any) -> Any:
        """u in CVXPY, (N,)."""
        used = cp.sum(cp.multiply(self.rates, shares), axis=1)
        return cp.multiply(self.heights, 1 - cp.exp(-used))


@dataclass(frozen=True, eq=False)
class Linear:
    """u_i(s) = slopes_i·s, slopes (N, R) ≥ 0, money per unit: the highest slope takes all."""

    slopes: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "slopes", numbers("slopes", self.slopes, (2,)))

    @property
    def shape(self) -> tuple[int, int]:
        return self.slopes.shape

    def utilities(self, shares: np.ndarray) -> np.ndarray:
        return (self.slopes * shares).sum(axis=-1)

    def surplus(self, prices: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        return (np.maximum(0.0, self.slopes - prices) * capacities).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Logarithmic:
    """u_i(s) = Σ_r w_ir log s_ir, weights w (N, R) ≥ 0 in money: proportional fairness.

    The value is −inf where somebody with a positive weight gets nothing.
    """

    weights: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", numbers("weights", self.weights, (2,)))

    @property
    def shape(self) -> tuple[int, int]:
        return self.weights.shape

    def utilities(self, shares: np.ndarray) -> np.ndarray:
        wanted = self.weights > 0
        with np.errstate(divide="ignore"):
            logs = np.log(np.where(wanted, shares, 1.0))
        return (self.weights * logs).sum(axis=-1)

    def surplus(self, prices: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """w log s − λ s is largest at s = w/λ, or at the capacity where that is less."""
        w = self.weights
        with np.errstate(divide="ignore", invalid="ignore"):
            s = np.where(w > 0, np.minimum(w / prices, capacities), 1.0)
            gains = np.where(w > 0, w * np.log(s) - prices * s, 0.0)
        return gains.sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Concave:
    """Any concave utilities that CVXPY can write: functions[i] takes a CVXPY expression of shape
    (resources,), the shares of bidder i, and returns a concave CVXPY expression.

    What prices leave is bounded by tangents (`tangents`), that is by the functions' own values and
    slopes at a few points; that they are concave is CVXPY's word.
    """

    functions: tuple[Callable[[Any], Any], ...]
    resources: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", tuple(self.functions))
        if not (isinstance(self.resources, int | np.integer) and self.resources >= 1):
            raise ValueError(f"resources is {self.resources!r}; give a whole number ≥ 1")
        for i, function in enumerate(self.functions):
            if not callable(function):
                raise ValueError(f"functions[{i}] is {function!r}; give a function of the shares")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.functions), int(self.resources)

    def utilities(self, shares: np.ndarray) -> np.ndarray:
        import cvxpy as cp

        given = [f(cp.Constant(s)).value for f, s in zip(self.functions, shares, strict=True)]
        return np.array([float(np.asarray(v).reshape(())) for v in given])

    def surplus(
        self, prices: np.ndarray, capacities: np.ndarray, proof: Sequence[Tangents]
    ) -> np.ndarray:
        """proof: tangents for each bidder; inf where they show no bound."""
        if len(proof) != len(self.functions):
            return np.full(len(self.functions), np.inf)
        each = zip(self.functions, proof, strict=True)
        return np.array(
            [leaves(Utility(f, len(capacities)), t, prices, capacities) for f, t in each]
        )

    def prove(
        self, prices: np.ndarray, capacities: np.ndarray, shares: np.ndarray,
        *, within: float, deadline: float | None = None,
    ) -> tuple[Tangents, ...]:  # fmt: skip
        """Tangents about the shares, by which `surplus` is within so much money a bidder."""
        return tuple(
            tangents(
                Utility(f, len(prices)), prices, capacities, s, within=within, deadline=deadline
            )
            for f, s in zip(self.functions, shares, strict=True)
        )

    def expression(self, cp: Any, shares: Any) -> Any:
        """u in CVXPY, (N,). Raises ValueError for what is not concave, or not one number."""
        expressions = [f(shares[i]) for i, f in enumerate(self.functions)]
        for i, expression in enumerate(expressions):
            if not (isinstance(expression, cp.Expression) and expression.is_concave()):
                raise ValueError(
                    f"functions[{i}] returns {expression!r}; return a concave CVXPY expression"
                )
            if expression.size != 1:
                raise ValueError(f"functions[{i}] has shape {expression.shape}; return one number")
        return cp.hstack([cp.reshape(e, (1,), order="C") for e in expressions])
