"""Automated mechanism design: the best mechanism over finite types, by linear programming.

At each profile of types θ the mechanism draws an outcome o with probability x_o(θ) and agent i pays
p_i(θ). With u_i(t; θ) = Σ_o v_i(t, o) x_o(θ) − p_i(θ) and expectations over the others' types,

    maximise    E[Σ_i p_i]  or  E[Σ_o w_o(θ) x_o(θ)]
    subject to  Σ_o x_o(θ) = 1, x ≥ 0
        DSIC    u_i(t; t, s) ≥ u_i(t; r, s)        BIC      E[u_i(t; t, s)] ≥ E[u_i(t; r, s)]
        IR      u_i(t; t, s) ≥ 0  (ex post)                 E[u_i(t; t, s)] ≥ 0  (interim)
        budget  E[Σ p_i] ≥ 0  (ex ante),  Σ_i p_i(θ) ≥ 0  (ex post),  Σ_i p_i(θ) = 0  (strong)

for all types t, reports r and types s of the others. Under independence an expectation depends on
the report alone, so the BIC rows are written in *interim* variables X_i,o(r) = E[x_o(r, s)] and
P_i(r) = E[p_i(r, s)]: n·T² short rows instead of rows as long as the others' profiles are many. The
ex post payments are left out where no constraint names them.

Payments are bounded, without loss, so that row multipliers give finite bounds: see `_payments`.

HiGHS's tolerances are absolute, so it sees every agent's values and payments in a unit of its own,
a power of two that brings the agent's largest value near 1; what it finds is scaled back exactly,
and the certificate is about the program in the money that was given.

Source: Conitzer & Sandholm, "Complexity of mechanism design" (2002); Vohra, *Mechanism Design: A
Linear Programming Approach* (2011).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, frexp, ldexp
from typing import Any

import numpy as np
from scipy import sparse

from solvers import highs
from solvers.certificate import Linear, check
from solvers.optimum import Optimum, Status
from solvers.program import Program, rescaled
from solvers.question import Question, read
from solvers.rational import exact

__all__ = ["design", "design_program"]

# For an exact vertex, where no limit is given.
MOST_SECONDS = 60.0


def design(
    values: Sequence[Any],
    probabilities: Any,
    *,
    ic: str = "dsic",
    ir: str | None = "expost",
    budget: str | None = None,
    objective: str = "revenue",
    seconds: float | None = None,
) -> Optimum:
    """The best direct mechanism over finite types.

    values: per agent an array (types_i, outcomes); probabilities: per agent (types_i,), or one
    joint array (see `question`). ic: "dsic", "bic". ir: "expost", "interim" or None (outside
    option 0). budget: None, "exante", "expost" (no deficit), "strong" (balanced at every profile).
    objective: "revenue", "welfare" (Σ values), "gains" (Σ values beyond those of outcome 0).
    seconds: a time limit.

    Returns an Optimum: allocation (types_1, …, types_n, outcomes), probabilities; payments
    (types_1, …, types_n, agents), positive where the agent pays. Where all numbers are ints or
    Fractions, value, bound, allocation and payments are Fractions and the gap is 0, unless a note
    says that no exact solution was found near HiGHS's.

    Raises ValueError for bad shapes, numbers or options, ImportError without highspy.
    """
    started = time.monotonic()
    question = read(values, probabilities, ic=ic, ir=ir, budget=budget, objective=objective)
    program, rows, columns = _built(question)
    unitless = rescaled(program, rows, columns)
    solved = highs.solve(unitless, seconds=seconds)
    if "nfeasible" in solved.note:
        # Presolve cannot always tell infeasible from unbounded, and may take the one for the other;
        # the simplex method can.
        left = None if seconds is None else max(0.1, seconds - solved.seconds)
        solved = highs.solve(unitless, seconds=left, options={"presolve": "off"})
    notes = [solved.note] if solved.note else []
    found: dict[str, Any] = {"value": solved.value, "bound": solved.bound}
    status = solved.status
    if solved.x is not None and solved.y is not None:
        x: Any = solved.x * columns
        y: Any = solved.y / rows
        done = status is Status.OPTIMAL
        checked = check(Linear(program=program, x=x, y=y))
        if done and (question.exact or not checked.holds):
            left = None if seconds is None else max(0.1, seconds - solved.seconds)
            refined = exact(unitless, solved, seconds=left or MOST_SECONDS)
            if refined.allocation is not None and refined.allocation.dtype == object:
                x = [v * Fraction(c) for v, c in zip(refined.certificate.x, columns, strict=True)]
                y = [v / Fraction(r) for v, r in zip(refined.certificate.y, rows, strict=True)]
            else:
                notes.append("no exact solution was found near the one in floats")
        certificate = Linear(program=program, x=x, y=y)
        checked = check(certificate)
        status = Status.OPTIMAL if done and checked.holds else Status.FEASIBLE
        if not np.isfinite(float(checked.bound)):
            notes.append("payments have no natural bounds here, so rounding leaves no finite bound")
        allocation, payments = _mechanism(question, x)
        found = {
            "value": checked.value, "bound": checked.bound, "certificate": certificate,
            "allocation": allocation, "payments": payments,
        }  # fmt: skip
        if not question.exact:
            found |= {
                name: np.asarray(part, dtype=float)[()]
                for name, part in found.items()
                if name != "certificate"
            }
    elif solved.x is not None:
        allocation, payments = _mechanism(question, solved.x * columns)
        found |= {"allocation": allocation, "payments": payments}
    return Optimum(
        **found,
        status=status,
        method=f"design LP, {program.matrix.shape[0]} × {program.matrix.shape[1]}, HiGHS",
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Columns:
    """Where the variables are. x (*types, outcomes), p (*types, agents) or None; interim (i):
    X_i (types_i, outcomes) and P_i (types_i,), or None."""

    x: np.ndarray
    p: np.ndarray | None
    interim: list[tuple[np.ndarray, np.ndarray]] | None
    count: int


def _columns(q: Question) -> _Columns:
    at = 0

    def take(*shape: int) -> np.ndarray:
        nonlocal at
        block = at + np.arange(int(np.prod(shape))).reshape(shape)
        at += block.size
        return block

    n = len(q.values)
    interim = q.ic == "bic" and q.independent and n > 1
    expost = not interim or q.ir == "expost" or q.budget in ("expost", "strong")
    x = take(*q.joint.shape, q.outcomes)
    p = take(*q.joint.shape, n) if expost else None
    means = [(take(*v.shape), take(len(v))) for v in q.values] if interim else None
    return _Columns(x=x, p=p, interim=means, count=at)


def _own(array: np.ndarray, i: int, agents: int) -> np.ndarray:
    """(types_1, …, types_n, …) as (types_i, profiles of the others, …)."""
    moved = np.moveaxis(array, i, 0)
    return moved.reshape(moved.shape[0], -1, *moved.shape[agents:])


class _Rows:
    """Rows low ≤ Σ a_j x_j ≤ high, collected in blocks of (row, column, number)."""

    def __init__(self, kind: Any) -> None:
        self.kind, self.count = kind, 0
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.low: list[np.ndarray] = []
        self.high: list[np.ndarray] = []
        self.units: list[np.ndarray] = []

    def add(
        self, count: int, low: float, high: float, *terms: tuple[Any, Any, Any], unit: float = 1.0
    ) -> None:
        """terms: (row within the block, column, number), broadcast against one another. unit: of
        the money that the rows count."""
        for row, column, number in terms:
            shapes = np.broadcast_arrays(row, column, np.asarray(number, dtype=self.kind))
            flat = [a.ravel() for a in shapes]
            keep = np.asarray(flat[2] != 0, dtype=bool)
            self.parts.append((flat[0][keep] + self.count, flat[1][keep], flat[2][keep]))
        self.low.append(np.full(count, low))
        self.high.append(np.full(count, high))
        self.units.append(np.full(count, unit))
        self.count += count

    def matrix(self, columns: int) -> tuple[sparse.csr_array, np.ndarray]:
        """The matrix, and its numbers in the order of its data, equal places added up."""
        row, column, number = (np.concatenate(z) for z in zip(*self.parts, strict=True))
        order = np.lexsort((column, row))
        row, column, number = row[order], column[order], number[order]
        new = np.append(True, (np.diff(row) != 0) | (np.diff(column) != 0))
        number = np.add.reduceat(number, np.flatnonzero(new))
        row, column = row[new], column[new]
        keep = np.asarray(number != 0, dtype=bool)
        row, column, number = row[keep], column[keep], number[keep]
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=self.count))])
        matrix = sparse.csr_array(
            (number.astype(float), column, starts), shape=(self.count, columns)
        )
        return matrix, number


def design_program(question: Question) -> Program:
    """The linear program of a question, in HiGHS's row form, exact numbers included."""
    return _built(question)[0]


def _built(question: Question) -> tuple[Program, np.ndarray, np.ndarray]:
    """(the program, the unit of money of each row, and of each column; 1 for probabilities)."""
    q, at = question, _columns(question)
    units = [_unit(*v.flat) for v in q.values]
    n, kind = len(q.values), q.joint.dtype
    rows = _Rows(kind)
    rows.add(
        q.joint.size, 1, 1,
        (np.arange(q.joint.size)[:, None], at.x.reshape(q.joint.size, -1), 1),
    )  # fmt: skip
    for i, v in enumerate(q.values):
        x, chance = _own(at.x, i, n), _own(q.joint, i, n)
        p = None if at.p is None else _own(at.p[..., i], i, n)
        if at.interim is not None:
            mean_x, mean_p = at.interim[i]
            others = chance.sum(axis=0)
            _link(rows, mean_x, x, others)
            if p is not None:
                _link(rows, mean_p[:, None], p[..., None], others, unit=units[i])
            # Expectations are variables: one "profile of the others", of weight 1.
            inner: Any = mean_x[:, None], mean_p[:, None], np.ones((len(v), 1), dtype=kind)
        else:
            inner = x, p, chance
        _truthful(rows, v, *inner, expected=q.ic == "bic", unit=units[i])
        if q.ir == "interim":
            _rational_agents(rows, v, *inner, expected=True, unit=units[i])
        elif q.ir == "expost":
            _rational_agents(rows, v, x, p, chance, expected=False, unit=units[i])
    if q.budget == "exante":
        earned = [(0, priced, number) for priced, number in _revenue(q, at)]
        rows.add(1, 0, np.inf, *earned, unit=max(units))
    elif q.budget is not None:
        assert at.p is not None
        each = at.p.reshape(-1, n)
        most = 0.0 if q.budget == "strong" else np.inf
        rows.add(len(each), 0, most, (np.arange(len(each))[:, None], each, 1), unit=max(units))

    objective = np.zeros(at.count, dtype=kind)
    if q.objective == "revenue":
        for priced, number in _revenue(q, at):
            np.add.at(objective, priced, number)
    else:
        objective[at.x] = q.worth() * q.joint[..., None]
    low, high, columns = np.zeros(at.count), np.ones(at.count), np.ones(at.count)
    for i, (floor_, ceiling) in enumerate(_payments(q)):
        own = [] if at.p is None else [at.p[..., i]]
        own += [] if at.interim is None else [at.interim[i][1]]
        for p in own:
            low[p], high[p], columns[p] = floor_, ceiling, units[i]
    matrix, numbers = rows.matrix(at.count)
    exact = {"objective": objective.tolist(), "matrix": numbers.tolist()} if q.exact else {}
    program = Program(
        objective=objective.astype(float), matrix=matrix,
        row_low=np.concatenate(rows.low), row_high=np.concatenate(rows.high),
        low=low, high=high, exact=exact,
    )  # fmt: skip
    return program, np.concatenate(rows.units), columns


def _unit(*numbers: Any) -> float:
    """The power of two next to the largest of some numbers, 1 where all are 0."""
    largest = float(max(abs(x) for x in numbers))
    # Within what floats hold, eighths included.
    return ldexp(1.0, min(max(frexp(largest)[1], -1000), 1023)) if largest else 1.0


def _link(
    rows: _Rows, mean: np.ndarray, each: np.ndarray, others: np.ndarray, *, unit: float = 1.0
) -> None:
    """mean (T, O) = Σ_s others (S,) · each (T, S, O)."""
    row = np.arange(mean.size).reshape(mean.shape)
    rows.add(mean.size, 0, 0, (row, mean, 1), (row[:, None], each, -others[:, None]), unit=unit)


def _truthful(
    rows: _Rows, v: np.ndarray, x: np.ndarray, p: Any, chance: np.ndarray,
    *, expected: bool, unit: float,
) -> None:  # fmt: skip
    """v (T, O), x (T, S, O), p and chance (T, S): no type t ≠ r prefers the report r."""
    truth, report = np.nonzero(~np.eye(len(v), dtype=bool))
    if not len(truth):
        return
    pair = np.arange(len(truth))[:, None]
    s = np.arange(p.shape[1])
    row = pair + 0 * s if expected else pair * len(s) + s
    weight = chance[truth] if expected else np.ones((len(truth), len(s)), dtype=v.dtype)
    worth = v[truth][:, None, :] * weight[..., None]
    rows.add(
        len(truth) * (1 if expected else len(s)), 0, np.inf,
        (row[..., None], x[truth], worth), (row[..., None], x[report], -worth),
        (row, p[truth], -weight), (row, p[report], weight), unit=unit,
    )  # fmt: skip


def _rational_agents(
    rows: _Rows, v: np.ndarray, x: np.ndarray, p: Any, chance: np.ndarray,
    *, expected: bool, unit: float,
) -> None:  # fmt: skip
    """As `_truthful`: no type is worse off than with 0."""
    types, s = np.arange(len(v))[:, None], np.arange(p.shape[1])
    row = types + 0 * s if expected else types * len(s) + s
    weight = chance if expected else np.ones(chance.shape, dtype=v.dtype)
    worth = v[:, None, :] * weight[..., None]
    count = len(v) * (1 if expected else len(s))
    rows.add(count, 0, np.inf, (row[..., None], x, worth), (row, p, -weight), unit=unit)


def _revenue(q: Question, at: _Columns) -> list[tuple[np.ndarray, np.ndarray]]:
    """Columns and numbers of E[Σ_i p_i]."""
    if at.p is not None:
        return [(at.p, np.broadcast_to(q.joint[..., None], at.p.shape))]
    assert at.interim is not None
    assert q.marginals is not None
    return [(p, m) for (_, p), m in zip(at.interim, q.marginals, strict=True)]


def _payments(q: Question) -> list[tuple[float, float]]:
    """Floats between which every agent's payments lie, without loss.

    Let a_i ≤ v_i ≤ b_i and d_i = b_i − a_i. Adding a constant to one agent's payments (at fixed
    types of the others) keeps IC, and helps revenue and any budget but the balanced one.

    - DSIC, ex post IR: raise payments until some type r has u_i = 0; since r does not prefer to be
      t, v_i(r, x) ≤ p_i(t), so a_i ≤ p_i ≤ b_i.
    - Interim payments under BIC, independence and interim IR: the same in expectation.
    - BIC, independence, ex post IR: u_i(t, s) may be levelled over s to its mean, at most d_i.
    - DSIC, independence, interim IR: the least u_i(·, s) may be levelled over s, at ≥ −d_i.
    - Ex post IR and Σ p ≥ 0 at every profile: p_i ≤ b_i, hence p_i ≥ −Σ_{j≠i} b_j.
    - BIC, independence, interim IR and a budget at every profile: p_i(θ) = P_i(θ_i) − mean over
      j ≠ i of (P_j(θ_j) − E P_j) adds up to Σ E P_j ≥ 0, which is shared out where p must balance
      (Börgers & Norman 2009).

    Elsewhere, as under correlation with interim IR (Crémer & McLean 1988), there is no such bound.
    """
    n = len(q.values)
    a, b = [v.min() for v in q.values], [v.max() for v in q.values]
    d = [y - x for x, y in zip(a, b, strict=True)]
    free = [(-np.inf, np.inf)] * n
    each = q.budget in ("expost", "strong")
    if q.ir is None:
        return free
    if q.ir == "expost" and each:
        found = [(-sum(b[j] for j in range(n) if j != i), b[i]) for i in range(n)]
    elif q.ir == "expost" and (q.ic == "dsic" or n == 1):
        found = list(zip(a, b, strict=True))
    elif not q.independent:
        return free
    elif q.ir == "expost":
        found = [(a[i] - d[i], b[i]) for i in range(n)]
    elif q.ic == "dsic" and n > 1:
        if each:
            return free
        found = [(a[i] - d[i], b[i] + d[i]) for i in range(n)]
    elif each:
        shared = sum(max(y, 0) for y in b)
        wide = [sum(d[j] for j in range(n) if j != i) for i in range(n)]
        found = [(a[i] - wide[i] - shared, b[i] + wide[i]) for i in range(n)]
    else:
        found = list(zip(a, b, strict=True))
    # Outward to eighths of a unit, which floats hold exactly.
    ends = []
    for x, y in found:
        step = _unit(x, y) / 8
        ratio = Fraction(step) if q.exact else step
        ends.append((floor(x / ratio) * step, ceil(max(x, y) / ratio) * step))
    return ends


def _mechanism(q: Question, x: Any) -> tuple[np.ndarray, np.ndarray]:
    at = _columns(q)
    x = np.array(x, dtype=object if isinstance(x, list) else float)
    if at.p is not None:
        return x[at.x], x[at.p]
    assert at.interim is not None
    payments = []
    for i, (_, p) in enumerate(at.interim):
        shape = [1] * q.joint.ndim
        shape[i] = len(p)
        payments.append(np.broadcast_to(x[p].reshape(shape), q.joint.shape))
    return x[at.x], np.stack(payments, axis=-1)
