"""The quantised VCG auction: three resources in M quanta each, a value for every bundle.

    maximise   Σ_i Σ_b v_i(b) x_ib
    subject to Σ_b x_ib = 1,   Σ_i Σ_b b_r x_ib ≤ M,   x ≥ 0        N (M+1)³ variables

Solved by column generation (`columns`), with payments p_i = W(without i) − Σ_{j≠i} v_j(x_j): the N
further programs start from the columns and prices that are there. A fractional optimum is a lottery
(`lottery`); it is an auction that is efficient, truthful and individually rational in expectation,
and its capacities hold in expectation.

The exact integer optimum, on request: if the linear optimum is at most Z, a bundle whose reduced
gain falls short of its bidder's best by more than Z − z cannot be in an integer allocation worth
more than z. So all bundles within a distance t of the best are listed in one pass, the integer
program over them is solved, and t grows until Z − z ≤ t: then nothing was left out.

Sources: Clarke (1971); Groves (1973); Dantzig & Wolfe (1960); Nemhauser & Wolsey, *Integer and
Combinatorial Optimization* (1988), II.5, for fixing by reduced costs; Lavi & Swamy (2011) for
lotteries from fractional VCG.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers import highs
from solvers.arrays import limit
from solvers.bundles import bundles
from solvers.columns import Columns, near_best
from solvers.divisible import divisible
from solvers.lottery import Lottery, lottery
from solvers.optimum import Optimum, Status
from solvers.price_proof import Listed, PriceProof, listed_program
from solvers.qvcg_rational import rational_relaxation
from solvers.tree import grow

__all__ = ["PriceProof", "Quantisation", "Quantum", "quantisation", "qvcg"]

GAP = 1e-9
LISTED = 300_000  # bundles in an integer program
NODES = 2_000  # of a tree that proves an integer optimum
PROVABLE = 10_000  # bundles in the program of such a tree


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantum(Optimum):
    """`Optimum` of a quantised auction. allocation: (N, 3) quanta, expected ones for a lottery;
    lottery: who gets which bundle with which probability (with certainty if integer)."""

    lottery: Lottery | None = None


def qvcg(
    values: Any,
    quanta: int | None = None,
    *,
    levels: str = "full",
    integer: bool = False,
    payments: bool = True,
    exact: bool = False,
    seconds: float | None = None,
) -> Quantum:
    """The quantised VCG auction of three resources in `quanta` quanta each.

    values: (agents, M+1, M+1, M+1), money ≥ 0, the value of every bundle of 0…M quanta; or an
    object that yields blocks of it (`bundles.Blocks`, for example `Quantised`). levels: "full",
    bundles of 0…M of each resource, or "printed", 1…M of each or nothing. integer: no lotteries.
    exact: value, bound and payments as Fractions of the values as they are (not with `integer`).
    payments: Clarke's (positive: the bidder pays), in expectation for a lottery. seconds: a time
    limit; at it, value and bound stand with their gap, and payments are None.

    The certificate is `PriceProof`. It proves value and bound; of a payment it bounds the welfare
    without the bidder, from above, and payment_error is what the two sides of that leave open. For
    an integer optimum that takes a larger tree than is tried, the bound over the listed bundles is
    HiGHS's word, a note says so, and the certificate shows the bound of the linear program.

    Raises ValueError for numbers that are negative or not finite, a wrong shape, M = 0 or one that
    does not match, no bidder; ImportError where highspy is missing.
    """
    started = time.monotonic()
    limit(seconds)
    if exact and integer:
        raise ValueError("exact and integer do not go together; give one of them")
    checked = bundles(values, quanta, levels)
    solver = _Auction(Columns(checked), started, seconds, integer, exact)
    return solver.run(payments)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Solved:
    """One program: what it is worth, and its columns (agents, bundles, gains, weights)."""

    value: Any
    bound: Any
    prices: np.ndarray
    columns: tuple[np.ndarray, np.ndarray, np.ndarray]
    weights: np.ndarray
    done: bool
    notes: tuple[str, ...] = ()
    listed: Listed | None = None

    def worth(self, nothing: np.ndarray) -> np.ndarray:
        """v_i(x_i) of every bidder (N,)."""
        agents, _, gains = self.columns
        own = np.array([0 * self.value + v for v in nothing])
        np.add.at(own, agents, gains * self.weights)
        return own


@dataclass(frozen=True, eq=False)
class _Auction:
    columns: Columns
    started: float
    seconds: float | None
    integer: bool
    exact: bool

    def run(self, payments: bool) -> Quantum:
        values = self.columns.values
        best = self.solve(None)
        notes = list(best.notes)
        agents, found, _ = best.columns
        drawn = lottery(agents, found, best.weights, values.agents, values.quanta)
        if not self.integer and len(drawn.draws) > 1:
            notes.append(_about(drawn))
        nothing = values.exact_nothing() if self.exact and best.done else values.nothing
        paid: np.ndarray | None = None
        error: np.ndarray | None = None
        without: dict[int, np.ndarray] = {}
        if payments and best.done:
            paid, error, without, remarks = self.payments(best, nothing)
            notes += remarks
        elif payments:
            notes.append("no payments: they need the optimum")
        closed = best.bound - best.value <= GAP * abs(best.bound)
        if self.exact:
            closed = best.done and best.bound == best.value
            if best.done and not closed:
                notes.append("no exact solution was found near the one in floats")
        return Quantum(
            value=best.value,
            bound=best.bound,
            status=Status.OPTIMAL if closed else Status.FEASIBLE,
            allocation=drawn.expected,
            payments=paid,
            payment_error=error,
            certificate=PriceProof(
                values, best.prices, without, drawn, integer=self.integer, listed=best.listed
            ),
            method="column generation" + " and an integer program" * self.integer,
            seconds=time.monotonic() - self.started,
            notes=tuple(notes),
            lottery=drawn,
        )

    @property
    def deadline(self) -> float:
        return np.inf if self.seconds is None else self.started + self.seconds

    def left(self) -> float | None:
        if self.seconds is None:
            return None
        return self.seconds - (time.monotonic() - self.started)

    def _columns_for(self, without: int | None) -> Columns:
        """The columns that are there; new ones where the others' values are of another order."""
        values = self.columns.values
        if without is None:
            return self.columns
        own = np.arange(values.agents) == without
        rest = float((values.ceilings - values.nothing)[~own].max(initial=0.0))
        if rest > 1e-2 * self.columns.scale:
            return self.columns
        return Columns(
            replace(
                values,
                ceilings=np.where(own, values.nothing, values.ceilings),
                sample=np.where(own[:, None], values.nothing[:, None], values.sample),
            )
        )

    def solve(self, without: int | None) -> _Solved:
        known = self._columns_for(without)
        relaxed = known.relax(without=without, seconds=self.left())
        notes = (relaxed.note,) if relaxed.note else ()
        agents, found, gains = known.agents, known.bundles, known.gains
        if len(relaxed.weights) == 0:  # no master was solved: nobody gets anything
            value = float(known.values.nothing.sum())
            if without is not None:
                value -= float(known.values.nothing[without])
            agents, found, gains = agents[:0], found[:0], gains[:0]
        else:
            value = relaxed.value
            agents, found, gains = (a[: len(relaxed.weights)] for a in (agents, found, gains))
        linear = _Solved(
            value=value, bound=max(relaxed.bound, value), prices=relaxed.prices,
            columns=(agents, found, gains), weights=relaxed.weights, done=relaxed.done, notes=notes,
        )  # fmt: skip
        if not linear.done:
            return linear if not self.integer else self._rounded(known, linear, without)
        if self.integer:
            return self._whole(known, linear, without)
        if self.exact:
            try:
                fractions = rational_relaxation(known, relaxed, without, deadline=self.deadline)
            except TimeoutError as late:
                return replace(linear, done=False, notes=(*notes, f"{late}: in floats"))
            return _Solved(
                value=fractions.value, bound=fractions.bound, prices=fractions.prices,
                columns=(fractions.agents, fractions.bundles, fractions.gains),
                weights=fractions.weights, done=True, notes=notes,
            )  # fmt: skip
        return linear

    def payments(
        self, best: _Solved, nothing: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None, dict[int, np.ndarray], list[str]]:
        own = best.worth(nothing)
        paid = np.array([0 * best.value] * len(own))
        error = np.zeros_like(paid)
        without: dict[int, np.ndarray] = {}
        got = np.unique(best.columns[0][best.weights > 0])
        worst: Any = 0
        for i in got.tolist():
            rest = self.solve(i)
            if not rest.done:
                return None, None, {}, ["no payments: the time limit came first"]
            # What the others had with i present, they can have without it.
            paid[i] = max(rest.value - (best.value - own[i]), 0 * best.value)
            without[i] = rest.prices
            error[i] = max(rest.bound - rest.value, 0 * best.value)
            if rest.bound > rest.value:
                worst = max(worst, (rest.bound - rest.value) / rest.bound)
        note = [f"a welfare without one bidder has a gap of {float(worst):.2g}"]
        return paid, error, without, note if worst > GAP else []

    def _rounded(self, known: Columns, linear: _Solved, without: int | None) -> _Solved:
        """The best integer allocation among the columns that are there: a limit came first."""
        grace = max(0.05, 0.1 * (self.seconds or 0.0))
        picked = self._program(known, *linear.columns, grace)
        if picked is None:
            columns: Any = (np.zeros(0, int), np.zeros((0, 3), int), np.zeros(0))
        else:
            columns = tuple(a[picked[0]] for a in linear.columns)
        return self._as_integer(linear, columns, linear.bound, False, without)

    def _as_integer(
        self, linear: _Solved, columns: Any, bound: float, done: bool, without: int | None,
        notes: tuple[str, ...] = (), listed: Listed | None = None,
    ) -> _Solved:  # fmt: skip
        values = self.columns.values
        base = values.nothing.sum() - (0.0 if without is None else values.nothing[without])
        value = float(base + columns[2].sum())
        return _Solved(
            value=value, bound=max(value, min(bound, linear.bound)), prices=linear.prices,
            columns=columns, weights=np.ones(len(columns[0])), done=done,
            notes=linear.notes + notes, listed=listed,
        )  # fmt: skip

    def _whole(self, known: Columns, linear: _Solved, without: int | None) -> _Solved:
        """The integer optimum: list bundles ever farther from the best, until none is left out."""
        values = self.columns.values
        base = float(values.nothing.sum()) - (0.0 if without is None else values.nothing[without])
        best = known.known(linear.prices, without)
        top = max(known.scale, abs(linear.bound))
        within = max(10 * (linear.bound - linear.value), 1e-6 * top)
        columns: Any = tuple(a[:0] for a in linear.columns)
        note: tuple[str, ...] = ()
        while True:
            try:
                listed = near_best(
                    known.values, linear.prices, best, within, deadline=self.deadline
                )
            except TimeoutError as late:
                note = (str(late),)
                break
            if len(listed[0]) > LISTED:
                note = (f"{len(listed[0]):,} bundles may be in an integer optimum: too many",)
                break
            answer = self._program(known, *listed, self.left())
            if answer is None:
                note = ("the time limit came first",)
                break
            picked, bound, done = answer
            found = tuple(a[picked] for a in listed)
            if found[2].sum() > columns[2].sum() or not len(columns[0]):
                columns = found
            value = base + float(columns[2].sum())
            if not done:
                note = ("the time limit came first",)
                break
            distance = linear.bound - value
            if distance <= within:
                remark = f"of all bundles, {len(listed[0])} could be in an integer optimum; "
                gap = f"the lottery is worth {distance:.6g} more"
                proof, word = self._proof(known, listed, picked, within, distance, without)
                return self._as_integer(
                    linear, columns, base + bound, True, without, (remark + gap, *word), proof
                )
            within = min(distance * (1 + 1e-9), 8 * within)
        if not len(columns[0]):
            return self._rounded(known, linear, without)
        return self._as_integer(linear, columns, linear.bound, False, without, note)

    def _proof(
        self, known: Columns, listed: Any, picked: np.ndarray, within: float, distance: float,
        without: int | None,
    ) -> tuple[Listed | None, tuple[str, ...]]:  # fmt: skip
        """What proves an integer optimum beside prices, where these leave a distance."""
        values = known.values
        if without is not None or distance <= GAP * abs(self.columns.scale) or not len(picked):
            return None, ()
        agents, found, gains = listed
        if len(agents) > PROVABLE:
            return None, (f"no certificate: {len(agents):,} bundles; the bound is HiGHS's word",)
        x = np.zeros(len(agents))
        x[picked] = 1.0
        program = listed_program(agents, found, gains, values.agents, values.quanta)
        tree, why = grow(program, x, nodes=NODES, seconds=self.left())
        if tree is None:
            return None, (f"no certificate: {why}; the bound is HiGHS's word",)
        return Listed(agents=agents, bundles=found, within=within, tree=tree), ()

    def _program(
        self,
        known: Columns,
        agents: np.ndarray,
        found: np.ndarray,
        gains: np.ndarray,
        seconds: float | None,
    ) -> tuple[np.ndarray, float, bool] | None:
        """The integer program over some bundles: which to take, a bound on the gains, solved."""
        if not len(agents):
            return np.zeros(0, dtype=int), 0.0, True
        if seconds is not None and seconds <= 0:
            return None
        program = listed_program(agents, found, gains, known.values.agents, known.values.quanta)
        solved = highs.solve(program, seconds=seconds, gap=1e-10)
        if solved.x is None:
            return None
        picked = np.flatnonzero(solved.x > 0.5)
        over = found[picked].sum(axis=0) > known.values.quanta
        if over.any() or len(np.unique(agents[picked])) < len(picked):
            return None
        return picked, float(solved.bound), solved.status is Status.OPTIMAL


def _about(drawn: Lottery) -> str:
    mixed = len({int(i) for i, p in zip(drawn.agents, drawn.probabilities, strict=True) if p < 1})
    said = f"a lottery: {mixed} bidders draw, {len(drawn.draws)} outcomes"
    if drawn.overuse:
        return (
            f"{said}; capacities hold in expectation, and an outcome exceeds one by up to "
            f"{drawn.overuse} quanta"
        )
    return f"{said}, all of them feasible: each is an optimal integer allocation"


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantisation:
    """What is lost by cutting resources into quanta, as a share of the continuous welfare: between
    low and high, from the values and bounds of the two optima."""

    continuous: Optimum
    quantised: Quantum
    low: float
    high: float


def quantisation(
    utilities: Any, quanta: int, capacities: Any = 1.0, **options: Any
) -> Quantisation:
    """The loss of quantising saturating utilities of three resources. options: those of `qvcg`."""
    from solvers.bundles import Quantised

    smooth = divisible(utilities, capacities)
    stepped = qvcg(Quantised(utilities, quanta, capacities), **{"payments": False, **options})
    if not smooth.value:
        return Quantisation(continuous=smooth, quantised=stepped, low=0.0, high=0.0)
    low = max(0.0, 1 - stepped.bound / smooth.value)
    high = 1 - stepped.value / smooth.bound
    return Quantisation(continuous=smooth, quantised=stepped, low=low, high=high)
