"""An auction in symbols, read and checked: the prior, who bids, what is paid, and draws of it all.

Symbols are the value, the number of bidders, and parameters: positive, or within an interval that
is told. A draw puts numbers for them; those that make no auction (low ≥ high) are drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs.bidding.sale import KINDS, Sale, instance, prior_fault

__all__ = ["Prior", "Problem", "count", "whole"]

BIDDERS = (2, 10)  # n is drawn from these, where it is a symbol
POSITIVE = (0.25, 4.0)  # and so are parameters of which no more is known than that they are > 0


@dataclass(frozen=True)
class Prior:
    """A distribution of values: cdf, a SymPy expression in the symbol `value` on [low, high].

    It may hold parameters, symbols that are positive or whose interval is told. Every condition on
    it (F(low) = 0, F(high) = 1, no atoms, a density above 0) is checked at the draws.
    """

    cdf: Any
    value: Any
    low: Any = 0
    high: Any = 1


@dataclass(frozen=True, eq=False)
class Problem:
    """The question, read: SymPy expressions, and the interval of each parameter."""

    prior: Prior
    bidders: Any
    auction: str
    reserve: Any | None
    ranges: Mapping[Any, tuple[float, float] | None]

    @classmethod
    def read(
        cls, prior: Prior, bidders: Any, auction: str, reserve: Any, parameters: Any,
        extra: Any = 0,
    ) -> Problem:  # fmt: skip
        import sympy as sp

        if auction not in KINDS:
            raise ValueError(f"auction = {auction!r}: expected one of {KINDS}")
        cdf, v, low, high = map(sp.sympify, (prior.cdf, prior.value, prior.low, prior.high))
        if not isinstance(v, sp.Symbol):
            raise ValueError(f"value = {v}: expected the symbol in which the cdf is written")
        if low.is_infinite or high.is_infinite:
            raise ValueError(
                f"values lie in [{low}, {high}]: expected a bounded support; truncate the prior, "
                "(F(v) − F(low)) / (F(high) − F(low))"
            )
        if cdf.has(sp.Heaviside, sp.DiracDelta, sp.floor, sp.ceiling):
            raise ValueError(f"F = {cdf} has jumps: expected a prior without atoms")
        n = sp.sympify(bidders)
        if isinstance(n, sp.Symbol):
            if not (n.is_integer and n.is_positive):
                raise ValueError(
                    f"bidders = {n}, of which is not known that it is a positive integer: write "
                    f"Symbol({str(n)!r}, integer=True, positive=True)"
                )
        elif not (n.is_Integer and n >= 2):
            raise ValueError(f"bidders = {n}: expected at least 2, or a symbol")
        r = None if reserve is None else sp.sympify(reserve)
        free = set().union(*(sp.sympify(e).free_symbols for e in (cdf, low, high, extra, r or 0)))
        told = dict(parameters or {})
        ranges: dict[Any, tuple[float, float] | None] = {}
        for s in sorted(free - {v, n}, key=str):
            if s in told:
                a, b = (float(x) for x in told[s])
                if not (np.isfinite([a, b]).all() and a < b):
                    raise ValueError(f"parameters[{s}] = {told[s]}: expected an interval, a < b")
                ranges[s] = a, b
            elif s == r:
                ranges[s] = None  # drawn from the support
            elif s.is_positive:
                ranges[s] = POSITIVE
            else:
                raise ValueError(
                    f"nothing is known of {s}: write Symbol({str(s)!r}, positive=True), or give "
                    f"parameters={{{s}: (low, high)}}"
                )
        unknown = [str(s) for s in told if s not in ranges]
        if unknown:
            raise ValueError(f"parameters holds {unknown}: expected symbols that occur")
        return cls(Prior(cdf, v, low, high), n, auction, r, ranges)

    def start(self) -> Any | None:
        """s, None where it solves an equation."""
        if self.reserve is None:
            return self.prior.low
        return self.reserve if self.auction == "first-price" else None

    def conditions(self) -> tuple[str, ...]:
        p, v = self.prior, self.prior.value
        found = [f"{self.bidders} ≥ 2"] if self.bidders.free_symbols else []
        if p.low.free_symbols or p.high.free_symbols:
            found.append(f"{p.low} < {p.high}")
        if self.reserve is not None:
            found.append(f"{p.low} ≤ {self.reserve} < {p.high}")
        density = p.cdf.diff(v)
        return (*found, f"f({v}) = {density} > 0 for {p.low} < {v} < {p.high}")

    def sale(self, claim: Any | None) -> Sale:
        import sympy as sp

        p = self.prior
        # A number of bidders that is no symbol still has its place among the arguments.
        n = self.bidders if self.bidders.free_symbols else sp.Dummy("n")
        symbols = [n, *self.ranges]

        def numeric(expression: Any) -> Callable[..., Any]:
            return sp.lambdify([p.value, *symbols], expression, ["scipy", "numpy"])

        def precise(expression: Any) -> Callable[..., Any]:
            return sp.lambdify([p.value, *symbols], expression, "mpmath")

        wanted = [p.low, p.high, *([] if self.reserve is None else [self.reserve])]
        ends = sp.lambdify(symbols, wanted, "mpmath")

        def at(*numbers: float) -> tuple[float, float, float | None]:
            low, high, *reserve = (float(x) for x in ends(*numbers))
            return low, high, reserve[0] if reserve else None

        return Sale(
            self.auction, numeric(p.cdf), None if claim is None else _arrays(numeric(claim)), at,
            None if claim is None else (precise(p.cdf), precise(claim)),
        )  # fmt: skip

    def draw(self, draws: int, seed: int) -> list[tuple[int, dict[str, float]]]:
        """Cases within the assumptions; those without sense (low ≥ high) are drawn again."""
        if whole(draws) < 1:
            raise ValueError(f"draws = {draws!r}: expected a whole number of at least 1")
        rng = np.random.default_rng(seed)
        sale, why = self.sale(None), ""
        cases: list[tuple[int, dict[str, float]]] = []
        for _ in range(50 * draws):
            n = count(self.bidders) or int(rng.integers(BIDDERS[0], BIDDERS[1] + 1))
            chosen: dict[str, float] = {}
            for s, ends in self.ranges.items():
                if ends == POSITIVE:
                    chosen[str(s)] = float(np.exp(rng.uniform(*np.log(POSITIVE))))
                else:
                    chosen[str(s)] = float("nan") if ends is None else float(rng.uniform(*ends))
            for s, ends in self.ranges.items():
                if ends is None:
                    others = [0.0 if np.isnan(x) else x for x in chosen.values()]
                    low, high, _ = sale.ends(float(n), *others)
                    # Near the top nobody bids, and nothing could be seen.
                    chosen[str(s)] = float(rng.uniform(low, low + 0.9 * (high - low)))
            try:
                case = instance(sale, n, [float(n), *chosen.values()])
            except ValueError as error:
                why = str(error)
                continue
            fault = prior_fault(case) if len(cases) < 20 else ""
            if fault:
                raise ValueError(f"{fault} ({chosen})" if chosen else fault)
            cases.append((n, chosen))
            if len(cases) == draws:
                return cases
        raise ValueError(f"no parameters within the assumptions make an auction: {why}")


def _arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on arrays of floats; again on complex numbers where that gives NaN, since a real
    number may be the sum of two that are not."""

    def called(v: Any, *numbers: float) -> Any:
        with np.errstate(all="ignore"):
            found = function(v, *numbers)
            if np.isnan(found).any():
                found = function(np.asarray(v, dtype=complex), *numbers)
        return found

    return called


def count(bidders: Any) -> int | None:
    return None if bidders.free_symbols else int(bidders)


def whole(x: Any) -> int:
    return int(x) if isinstance(x, int | np.integer) and not isinstance(x, bool) else -1
