"""Symmetric equilibria of single-item auctions, derived with SymPy and checked with numbers.

n bidders draw values independently from F on [low, high], with a density f > 0; each sees its own.
Where the others follow an increasing b, a bidder of value v who bids like the type w wins if all
others have lower values, with probability G(w) = F(w)^(n−1), g = G'. It expects

    first price  (v − b(w)) G(w),             all pay  v G(w) − b(w).

The first order condition at w = v is a differential equation,

    b'(v) F(v) / ((n−1) f(v)) + b(v) = v,     b'(v) = v g(v),

whose solutions are, with A' = G and a constant C,

    b(v) = v − (A(v) + C) / G(v),             b(v) = v G(v) − A(v) − C.

The lowest type s that bids expects nothing, which fixes C = −A(s): without a reserve s = low (in a
first-price auction every other solution is unbounded there); with a reserve r, s = r where the
winner pays, and s G(s) = r where all pay. Then ∂u/∂w = (v − w) g(w): utility rises up to the own type
and falls after it (it is pseudo-concave), so the first order condition is sufficient; and b' > 0.

No formula is handed over unchecked: `bidding_check` looks for better bids with numbers alone.

Sources: Vickrey (1961); Riley & Samuelson, "Optimal auctions" (1981); Krishna, *Auction Theory*
(2009), propositions 2.2 and 3.1, and section 2.5 for reserve prices.
"""

from __future__ import annotations

import ctypes
import enum
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proofs.bidding_check import KINDS, Check, Sale, checked, instance, integral_bid, prior_fault

__all__ = ["BidStatus", "BidStep", "BiddingEquilibrium", "Prior", "check_bid", "equilibrium_bid"]

BIDDERS = (2, 10)  # n is drawn from these, where it is a symbol
POSITIVE = (0.25, 4.0)  # and so are parameters of which no more is known than that they are > 0


class BidStatus(enum.Enum):
    """How far it came; the value is the word that people read."""

    CHECKED = "closed form, checked"
    """It solves the differential equation and the boundary condition, and no bid was better."""
    UNREFUTED = "closed form, not refuted"
    """No bid was better, but SymPy did not show that it solves the differential equation."""
    REJECTED = "closed form, rejected by the check"
    """Somebody would rather bid something else: `check.failures` says who, what and by how much."""
    NUMERICAL = "integral formula, checked"
    """No closed form within the time; `at` integrates."""
    FAILED = "integral formula, rejected by the check"
    """The integral could not be evaluated well enough; see `check.failures`."""


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


@dataclass(frozen=True)
class BidStep:
    """One step of the derivation: a sentence and its formulas, for printing."""

    title: str
    text: str
    formulas: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BiddingEquilibrium:
    """A bid function and how sure it is; by `equilibrium_bid` or `check_bid`.

    bid: b, a SymPy expression in prior.value, the bidders and the parameters, for values from
    `start` on (lower types do not bid); None where there is none that passed the check. claim: the
    expression that was checked. start: s, None where it is not known in closed form. conditions:
    under which this holds. check: what was tried, and failures. notes: what a reader must know.
    """

    status: BidStatus
    auction: str
    prior: Prior
    bidders: Any
    reserve: Any | None
    bid: Any | None
    claim: Any | None
    start: Any | None
    steps: tuple[BidStep, ...]
    conditions: tuple[str, ...]
    check: Check
    notes: tuple[str, ...] = ()
    _symbols: tuple[Any, ...] = field(repr=False, default=())
    _sale: Sale | None = field(repr=False, default=None)

    def at(self, values: Any, *, bidders: int, parameters: Mapping[Any, float] | None = None) -> Any:
        """The equilibrium bids of values (...), integrated numerically whatever `bid` is; NaN for
        those that do not bid. parameters: a number for each symbol, or its name.

        Raises ValueError for values outside the support and numbers that are missing.
        """
        known = {str(k): float(x) for k, x in (parameters or {}).items()}
        names = [str(s) for s in self._symbols]
        if set(known) != set(names):
            raise ValueError(f"parameters = {sorted(known)}: expected numbers for {names}")
        n = _count(self.bidders)
        if _whole(bidders) < 2 or (n is not None and n != bidders):
            raise ValueError(f"bidders = {bidders!r}: expected {'at least 2' if n is None else n}")
        assert self._sale is not None
        case = instance(self._sale, int(bidders), [float(bidders), *(known[k] for k in names)])
        v = np.asarray(values, dtype=float)
        if not ((v >= case.low) & (v <= case.high)).all():
            raise ValueError(f"values outside [{case.low:g}, {case.high:g}]: expected types")
        return np.where(v >= case.start, integral_bid(case, v), np.nan)[()]

    def __str__(self) -> str:
        lines = [f"{self.auction} auction: {self.status.value}"]
        for step in self.steps:
            lines += [f"{step.title}: {step.text}", *(f"    {f}" for f in step.formulas)]
        return "\n".join(lines)


def equilibrium_bid(
    prior: Prior,
    bidders: Any,
    *,
    auction: str = "first-price",
    reserve: Any | None = None,
    parameters: Mapping[Any, tuple[float, float]] | None = None,
    draws: int = 300,
    seed: int = 0,
    seconds: float = 20.0,
) -> BiddingEquilibrium:
    """The symmetric equilibrium, with the steps that lead to it.

    bidders: n, a number of at least 2 or a symbol that is integer and positive. auction:
    "first-price" or "all-pay". reserve: the least bid that is accepted, a number or an expression.
    parameters: (low, high) of the intervals from which symbols are drawn for the check; positive
    symbols have one by default, and so has a reserve price that is a symbol. seconds: for SymPy; then
    the integral formula is evaluated numerically, and the notes say so.

    Raises ValueError for a prior with an atom, a flat part or an unbounded support, fewer than two
    bidders, a reserve outside the support, symbols of which nothing is known.
    """
    problem = _Problem.read(prior, bidders, auction, reserve, parameters)
    cases = problem.draw(draws, seed)
    limit = _Limit(seconds)
    claim, start, steps, notes = _derive(problem, limit)
    solves = claim is not None and _solves(problem, claim, start, limit)
    return _judged(problem, claim, start, steps, notes, cases, seed, solves)


def check_bid(
    bid: Any,
    prior: Prior,
    bidders: Any,
    *,
    auction: str = "first-price",
    reserve: Any | None = None,
    parameters: Mapping[Any, tuple[float, float]] | None = None,
    draws: int = 300,
    seed: int = 0,
    seconds: float = 20.0,
) -> BiddingEquilibrium:
    """Is this bid function, from a paper or a guess, the symmetric equilibrium?

    bid: a SymPy expression in prior.value, the bidders and parameters. The other arguments and
    errors are those of `equilibrium_bid`. CHECKED: it solves the differential equation with its
    boundary condition, and no bid was better; UNREFUTED: only the latter; REJECTED otherwise.
    """
    import sympy as sp

    claim = sp.sympify(bid)
    problem = _Problem.read(prior, bidders, auction, reserve, parameters, extra=claim)
    cases = problem.draw(draws, seed)
    solves = _solves(problem, claim, problem.start(), _Limit(seconds))
    return _judged(problem, claim, problem.start(), (), (), cases, seed, solves)


def _judged(
    problem: _Problem, claim: Any, start: Any, steps: tuple[BidStep, ...], notes: tuple[str, ...],
    cases: list[tuple[int, dict[str, float]]], seed: int, solves: bool,
) -> BiddingEquilibrium:  # fmt: skip
    sale = problem.sale(claim)
    check = checked(sale, cases, seed=seed)
    if claim is None:
        status = BidStatus.NUMERICAL if check.holds else BidStatus.FAILED
    elif not check.holds:
        status = BidStatus.REJECTED
    else:
        status = BidStatus.CHECKED if solves else BidStatus.UNREFUTED
    if claim is not None and not solves and check.holds:
        notes = (*notes, "SymPy did not show that it solves the differential equation")
    return BiddingEquilibrium(
        status=status, auction=problem.auction, prior=problem.prior, bidders=problem.bidders,
        reserve=problem.reserve, bid=claim if check.holds else None, claim=claim, start=start,
        steps=steps, conditions=problem.conditions(), check=check, notes=notes,
        _symbols=tuple(problem.ranges), _sale=sale,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Problem:
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
    ) -> _Problem:  # fmt: skip
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
            return sp.lambdify([p.value, *symbols], expression, ["scipy", "numpy"])  # type: ignore[no-any-return]

        def precise(expression: Any) -> Callable[..., Any]:
            return sp.lambdify([p.value, *symbols], expression, "mpmath")  # type: ignore[no-any-return]

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
        if _whole(draws) < 1:
            raise ValueError(f"draws = {draws!r}: expected a whole number of at least 1")
        rng = np.random.default_rng(seed)
        sale, cases, why = self.sale(None), [], ""
        for _ in range(50 * draws):
            n = _count(self.bidders) or int(rng.integers(BIDDERS[0], BIDDERS[1] + 1))
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
    """The function on arrays, whatever it raises on them: NaN then."""

    def called(v: Any, *numbers: float) -> Any:
        with np.errstate(all="ignore"):
            # Powers of negative numbers are complex, and then seen to be.
            try:
                return function(np.asarray(v, dtype=complex), *numbers)
            except TypeError:
                return function(np.asarray(v, dtype=float), *numbers)

    return called


def _count(bidders: Any) -> int | None:
    return None if bidders.free_symbols else int(bidders)


def _whole(x: Any) -> int:
    return int(x) if isinstance(x, int | np.integer) and not isinstance(x, bool) else -1


def _derive(
    problem: _Problem, limit: _Limit
) -> tuple[Any | None, Any | None, tuple[BidStep, ...], tuple[str, ...]]:
    """(b or None, s or None, steps, notes). The work is done in x = v − low > 0 and k = n − 1."""
    import sympy as sp

    p, n, first = problem.prior, problem.bidders, problem.auction == "first-price"
    v, w = p.value, sp.Symbol("w")
    b, cdf, area = (sp.Function(name) for name in ("b", "F", "A"))
    chance = cdf(v) ** (n - 1)
    utility = (v - b(w)) * cdf(w) ** (n - 1) if first else v * cdf(w) ** (n - 1) - b(w)
    density = cdf(v).diff(v)
    equation = (
        sp.Eq(b(v).diff(v) * cdf(v) / ((n - 1) * density) + b(v), v)
        if first
        else sp.Eq(b(v).diff(v), v * (n - 1) * cdf(v) ** (n - 2) * density)
    )
    c = sp.Symbol("C")
    general = v - (area(v) + c) / chance if first else v * chance - area(v) - c
    s = problem.start()
    steps = [
        BidStep("prior", "values are drawn from F", (sp.Eq(cdf(v), p.cdf),)),
        BidStep("expected utility", "of a type v that bids like the type w", (utility,)),
        BidStep("first order condition", "at w = v",
                (sp.Eq(utility.diff(w).subs(w, v).doit(), 0),)),
        BidStep("differential equation", "the same, solved for the bids", (equation,)),
        BidStep("general solution", "A' = F^(n−1), C any constant", (sp.Eq(b(v), general),)),
    ]  # fmt: skip
    notes: list[str] = []
    if s is None:
        s = limit(_entry, problem)
        if s is None:
            notes.append("the lowest type that bids solves s G(s) = r, without a closed form")
    lowest = sp.Symbol("s") if s is None else s
    boundary = (
        sp.Eq(b(lowest), lowest if first else (problem.reserve or sp.S.Zero)),
        sp.Eq(c, -area(lowest)),
    )
    steps.append(BidStep("boundary condition", "the lowest type that bids, s, expects nothing",
                         boundary))  # fmt: skip
    found = None if s is None else limit(_solution, problem, s)
    if found is None:
        notes.append("SymPy found no closed form within the time: the integral is evaluated")
    else:
        steps.append(BidStep("bid function", f"for {v} ≥ {s}", (sp.Eq(b(v), found),)))
    slope = (v - w) * sp.Function("G")(w).diff(w)
    steps.append(
        BidStep("second order condition",
                "the slope of utility in w is (v − w) G'(w): it rises up to w = v and falls after, "
                "so the first order condition is sufficient where f > 0; and b increases",
                (slope,))
    )  # fmt: skip
    return found, s, tuple(steps), tuple(notes)


def _shifted(problem: _Problem) -> tuple[Any, Any, Any, Callable[[Any], Any]]:
    """(x, k, F(low + x), how to put v and n back), with the length of the support a symbol > 0."""
    import sympy as sp

    p = problem.prior
    x, k = sp.Dummy("x", positive=True), sp.Dummy("k", positive=True, integer=True)
    length = sp.Dummy("l", positive=True)
    symbolic = isinstance(p.high, sp.Symbol)
    ahead = [(p.high, p.low + length)] if symbolic else []
    cdf = sp.simplify(p.cdf.subs(p.value, p.low + x).subs(ahead))
    if problem.bidders.free_symbols:
        power = k
    else:
        power = problem.bidders - 1

    def back(expression: Any) -> Any:
        given = expression.subs(k, problem.bidders - 1).subs(x, p.value - p.low)
        return given.subs(length, p.high - p.low)

    return x, power, cdf, back


def _solution(problem: _Problem, s: Any) -> Any | None:
    """b in closed form; None where the integral has none that SymPy finds."""
    import sympy as sp

    p = problem.prior
    x, k, cdf, back = _shifted(problem)
    chance = sp.powsimp(sp.expand_power_base(cdf**k))
    area = sp.integrate(chance, x)
    if area.has(sp.Integral):
        area = sp.integrate(sp.expand(chance), x)
    if area.has(sp.Integral, sp.nan, sp.zoo):
        return None
    if problem.reserve is None:
        lowest = area.subs(x, 0)
        if lowest.has(sp.nan, sp.zoo, sp.oo):
            lowest = sp.limit(area, x, 0, "+")
        from_start = area - lowest
        if problem.auction == "first-price":
            return sp.factor_terms(sp.simplify(back(sp.simplify(p.low + x - from_start / chance))))
        return sp.simplify(back(sp.simplify((p.low + x) * chance - from_start)))
    from_start = back(area) - back(area).subs(p.value, s)
    chance = back(chance)
    first = problem.auction == "first-price"
    found = p.value - from_start / chance if first else p.value * chance - from_start
    return sp.simplify(found)


def _entry(problem: _Problem) -> Any | None:
    """s with s G(s) = r, where everybody pays."""
    import sympy as sp

    p = problem.prior
    x, k, cdf, back = _shifted(problem)
    roots = sp.solve(sp.Eq((p.low + x) * sp.powsimp(cdf**k), problem.reserve), x)
    if len(roots) != 1:
        return None
    found = back(roots[0]) + p.low
    return sp.simplify(found.subs(problem.bidders - 1 + 1, problem.bidders))


def _solves(problem: _Problem, claim: Any, start: Any | None, limit: _Limit) -> bool:
    """Whether SymPy shows that the claim solves the equation and the boundary condition."""
    if claim is None:
        return False
    return bool(limit(_residual_is_zero, problem, claim, start))


def _residual_is_zero(problem: _Problem, claim: Any, start: Any | None) -> bool:
    import sympy as sp

    p, n = problem.prior, problem.bidders
    first = problem.auction == "first-price"
    x, k, cdf, _ = _shifted(problem)
    length = p.high - p.low
    symbols = {p.value: p.low + x, n: k + 1} if n.free_symbols else {p.value: p.low + x}
    b = claim.subs(symbols)
    if isinstance(p.high, sp.Symbol):
        (inside,) = [d for d in cdf.free_symbols if d.name == "l"] or [length]
        b = b.subs(p.high, p.low + inside)
    f = cdf.diff(x)
    if first:
        residual = b.diff(x) * cdf + k * f * (b - (p.low + x))
    else:
        residual = b.diff(x) - (p.low + x) * k * cdf ** (k - 1) * f
    if sp.simplify(sp.powsimp(sp.expand(sp.simplify(residual)), force=False)) != 0:
        return False
    if start is None:
        return False
    if problem.reserve is None:
        wanted, at = (p.low if first else sp.S.Zero), sp.limit(b, x, 0, "+")
    else:
        wanted, at = problem.reserve, claim.subs(p.value, start)
    return bool(sp.simplify(at - wanted) == 0)


class _TimeIsUp(BaseException):
    """No Exception, so that an `except Exception` inside SymPy does not swallow it."""


@dataclass(eq=False)
class _Limit:
    """Calls a function for at most the seconds that are left; None where it takes longer or SymPy
    gives up. The call runs in a thread of its own, into which the end is thrown."""

    seconds: float

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any | None:
        import time

        if not self.seconds > 0:
            return None
        answers: list[Any] = []

        def run() -> None:
            try:
                answers.append(function(*arguments))
            except (_TimeIsUp, NotImplementedError, ValueError, TypeError, RecursionError):
                answers.append(None)

        started = time.monotonic()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self.seconds)
        while thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TimeIsUp)
            )
            thread.join(0.2)
        self.seconds -= time.monotonic() - started
        return answers[0] if answers else None
