"""Whether a mechanism is the best of its class: weak duality, checked in rationals.

On finite types the dominant-strategy (or Bayesian) mechanisms over lotteries of the listed
outcomes are the points of a linear program max { c·x : a ≤ A x ≤ b, l ≤ x ≤ u }, and *any* row
multipliers y bound its value (`solvers.program`): with d = c − Aᵀy,

    c·x ≤ Σ_i max(a_i y_i, b_i y_i) + Σ_j max(l_j d_j, u_j d_j).

So three facts prove a mechanism optimal, and none of them rests on a solver:

- it is in the class: its properties are proved, and each of its allocations is worth to every type
  what some lottery over the listed outcomes is worth;
- what it brings in expectation over the prior, its rules played exactly at every profile;
- the bound that some y shows, computed in rationals, is that number.

By the revelation principle the class covers every mechanism with such an equilibrium, whatever its
reports are. Where the bound is larger, the gap is what is left at most; where the program has an
exact solution that is larger, that mechanism is a witness that this one is not optimal.

Sources: Myerson, "Optimal auction design" (1981); Vohra, *Mechanism Design: A Linear Programming
Approach* (2011); Dantzig, *Linear Programming and Extensions* (1963), chapter 6.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from mechkit.errors import InputError, MechkitError
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES
from mechkit.prove import Found, Proved, prove
from mechkit.prove.exhaustive import finite_types
from mechkit.replay import margins, negative
from mechkit.tabled import Played, Table, play_all, tabulate
from mechkit.verdict import Status, fraction_text

INCENTIVES = {"dsic": "ic", "bic": "bic"}
PARTICIPATION = {"expost": "ir", "interim": "interim_ir"}
BUDGETS = {"expost": "weak_budget_balance", "strong": "strong_budget_balance"}
DENOMINATORS = (1, 100, 10_000, 10**6, 10**9)


@dataclass(frozen=True)
class Requirement:
    """One thing that a mechanism of the class must have. holds: True where it is proved, False
    where it fails, None where neither was shown; why: by what, or why not."""

    name: str
    holds: bool | None
    why: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimality:
    """What a mechanism brings, and how much any mechanism of a class can.

    objective, ic, ir, budget: the class, as in `solvers.design`; domain: in words.
    value: expected, of the mechanism itself. bound: what nobody of the class exceeds, inf where no
    multipliers show one. best: what some mechanism of the class reaches, None where no exact one is
    known; allocation (types_1, …, types_n, O), the probabilities of the outcomes
    (O, *allocation_shape), and payments (types_1, …, types_n, agents) of it, None where more than
    its value took too long to find. All in Fractions.
    program, multipliers: the linear program and the y (m,) from which the bound is computed.
    status: PROVED: no mechanism of the class has more, and this is one. REFUTED: `best` is more.
    UNKNOWN: neither; reason says why. requirements: what being in the class takes.
    """

    mechanism: str
    objective: str
    ic: str
    ir: str | None
    budget: str | None
    domain: str
    status: Status
    value: Fraction
    bound: Any
    best: Fraction | None
    outcomes: np.ndarray
    allocation: np.ndarray | None
    payments: np.ndarray | None
    program: Any
    multipliers: tuple[Fraction, ...] | None
    requirements: tuple[Requirement, ...]
    reason: str = ""

    @property
    def gap(self) -> Any:
        """What is left at most, in money: bound − value; negative outside the class."""
        return self.bound - self.value

    @property
    def in_class(self) -> bool:
        """Whether the mechanism is shown to be one of the class."""
        return all(requirement.holds for requirement in self.requirements)

    def check(self, mechanism: Mechanism) -> tuple[Fraction, Any]:
        """(value, bound), computed again from the mechanism as it is and the multipliers alone:
        the rules are played and the program is built afresh, and nothing is solved."""
        from solvers.design_lp import design_program
        from solvers.program import exact_bound

        table = tabulate(mechanism.setting)
        program = design_program(_question(table, self.objective, self.ic, self.ir, self.budget))
        value = _expected(table, play_all(mechanism, table), self.objective)
        given = self.multipliers
        if given is None or len(given) != program.matrix.shape[0]:
            return value, float("inf")
        return value, exact_bound(program, given)

    def __str__(self) -> str:
        said = {
            Status.PROVED: "proved optimal",
            Status.REFUTED: f"not optimal: {_text(self.best)} is possible",
        }.get(self.status, f"not decided: {self.reason}")
        return (
            f"{self.mechanism}: expected {self.objective} {_text(self.value)}, at most "
            f"{_text(self.bound)} ({self.domain}): {said}"
        )


def optimality(
    mechanism: Mechanism,
    *,
    objective: str = "revenue",
    ic: str = "dsic",
    ir: str | None = "expost",
    budget: str | None = None,
    seconds: float = 60.0,
) -> Optimality:
    """Whether any mechanism of a class does better than this one, on finite types.

    objective: "revenue" (E[Σ p]), "welfare" (E[Σ v]) or "gains" (welfare beyond that of the
    allocation of zeros). ic: "dsic" or "bic". ir: "expost", "interim" or None. budget: None,
    "exante", "expost" (no deficit) or "strong". seconds: for the proofs and the solver together.

    The setting must have levels, a prior that is uniform or given by weights, and `outcomes`; the
    class is that of lotteries over these. Raises InputError for a setting, a rule or an option of
    another kind, ImportError without highspy.
    """
    deadline = time.monotonic() + seconds
    table = tabulate(mechanism.setting)
    question = _question(table, objective, ic, ir, budget)
    played = play_all(mechanism, table)
    value = _expected(table, played, objective)
    requirements = _requirements(mechanism, table, played, ic, ir, budget, deadline)
    left = max(1.0, deadline - time.monotonic())
    found = _solved(question, left)
    in_class = all(requirement.holds for requirement in requirements)
    bound, best = found["bound"], found["best"]
    if in_class and value > bound:
        raise MechkitError(
            f"{mechanism.name}: it is in a class whose {objective} is at most {_text(bound)}, and "
            f"has {_text(value)}; this is a fault in mechkit, please report it"
        )
    reason = ""
    if in_class and value == bound:
        status = Status.PROVED
    elif best is not None and best > value:
        status = Status.REFUTED
    else:
        status = Status.UNKNOWN
        open_ones = [f"{r.name}: {r.why}" for r in requirements if not r.holds]
        reason = "; ".join(open_ones) or found["note"] or "the bound is not met"
    return Optimality(
        mechanism=mechanism.name, objective=objective, ic=ic, ir=ir, budget=budget,
        domain=_domain(mechanism, table, ic, ir, budget), status=status, value=value, bound=bound,
        best=best, outcomes=table.outcomes, allocation=found["allocation"],
        payments=found["payments"], program=found["program"], multipliers=found["multipliers"],
        requirements=requirements, reason=reason,
    )  # fmt: skip


def _question(table: Table, objective: str, ic: str, ir: str | None, budget: str | None) -> Any:
    """The table as `solvers` reads it."""
    from solvers.question import read

    try:
        question = read(
            list(table.worth), list(table.chances), ic=ic, ir=ir, budget=budget, objective=objective
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    if objective == "gains" and np.any(table.outcomes[0]):
        raise InputError(
            "objective = 'gains': no listed outcome is all zeros, so that there is nothing to "
            "gain beyond; ask for 'welfare', or list it"
        )
    assert question.exact
    return question


def _expected(table: Table, played: Played, objective: str) -> Fraction:
    """The expected objective of what was played."""
    if objective == "revenue":
        each = played.payments.sum(axis=-1)
    else:
        each = np.array([Fraction(0)] * len(table.profiles), dtype=object)
        for i, worth in enumerate(played.worth):
            own = np.arange(len(table.types[i]))
            if objective == "gains":
                worth = worth - table.worth[i][:, 0]
            # At a profile the agent has one of its types: that entry counts.
            shape = [1] * len(table.types)
            shape[i] = len(own)
            counts = tuple(len(t) for t in table.types)
            mine = np.broadcast_to(own.reshape(shape), counts).reshape(-1)
            each = each + worth[np.arange(len(worth)), mine]
    return sum((w * x for w, x in zip(table.joint, each, strict=True)), Fraction(0))


# The class ---------------------------------------------------------------------------------------


def _requirements(
    mechanism: Mechanism,
    table: Table,
    played: Played,
    ic: str,
    ir: str | None,
    budget: str | None,
    deadline: float,
) -> tuple[Requirement, ...]:
    names = [INCENTIVES[ic], "feasible"]
    names += [PARTICIPATION[ir]] if ir is not None else []
    names += [BUDGETS[budget]] if budget in BUDGETS else []
    found = [_proved(mechanism, name, deadline) for name in names]
    if budget == "exante":
        total = _expected(table, played, "revenue")
        found.append(Requirement("exante budget", total >= 0, f"payments of {total} expected"))
    return (*found, _over_outcomes(table, played))


def _proved(mechanism: Mechanism, name: str, deadline: float) -> Requirement:
    prop, setting = PROPERTIES[name], mechanism.setting
    if (why := prop.excuse(setting)) is not None:
        return Requirement(name, None, why)
    left = max(1.0, deadline - time.monotonic())
    attempt = prove(mechanism, prop, seconds=left)
    if isinstance(attempt, Proved):
        return Requirement(name, True, attempt.method)
    if isinstance(attempt, Found):
        margin = margins(mechanism, prop, attempt.check, attempt.case)[0]
        if negative(margin):
            return Requirement(name, False, f"it fails, by {fraction_text(-margin)}")  # type: ignore[operator]
        return Requirement(name, None, "a violation was found that does not replay")
    return Requirement(name, None, attempt.reason)


def _over_outcomes(table: Table, played: Played) -> Requirement:
    """Whether each allocation is worth to all types what a lottery over listed outcomes is."""
    listed = np.concatenate(table.worth, axis=0)  # (every agent's types, outcomes)
    reached = np.concatenate(played.worth, axis=-1)
    pure = {tuple(column) for column in listed.T}
    for row in {tuple(row): k for k, row in enumerate(reached)}.values():
        if tuple(reached[row]) not in pure and not _mixture(listed, reached[row]):
            types = table.profiles[row].tolist()
            shown = str([str(x) for x in np.ravel(np.array(types, dtype=object))])
            why = f"at the types {shown} no lottery over the listed outcomes was found"
            return Requirement("outcomes", None, why)
    return Requirement("outcomes", True, "each allocation is a lottery over the listed outcomes")


def _mixture(listed: np.ndarray, reached: np.ndarray) -> bool:
    """Whether some weights λ ≥ 0 with Σ λ = 1 give listed (k, O) λ = reached (k,), exactly."""
    import solvers
    from solvers.program import exact_value

    rows = [[*own, goal] for own, goal in zip(listed, reached, strict=True)]
    rows = list({tuple(row): row for row in rows}.values())
    # A program's sides are floats: rows of whole numbers lose nothing in them.
    whole = []
    for row in rows:
        over = lcm(*(Fraction(x).denominator for x in row))
        whole.append([int(x * over) for x in row])
    if max(abs(x) for row in whole for x in row) >= 2**53:
        return False
    matrix = np.array([[1] * (listed.shape[1] + 1), *whole], dtype=float)
    program = solvers.Program(
        objective=np.zeros(listed.shape[1]), matrix=matrix[:, :-1],
        row_low=matrix[:, -1], row_high=matrix[:, -1], low=np.zeros(listed.shape[1]),
        high=np.ones(listed.shape[1]),
    )  # fmt: skip
    found = solvers.exact(program).allocation
    if found is None or found.dtype != object:
        return False
    return exact_value(program, found.tolist()) is not None


# The bound ---------------------------------------------------------------------------------------


def _solved(question: Any, seconds: float) -> dict[str, Any]:
    """A program, exact multipliers with their bound, and an exact mechanism where there is one."""
    import solvers
    from solvers.design_lp import design_program
    from solvers.program import exact_value

    optimum = solvers.design(
        question.values, list(question.marginals), ic=question.ic, ir=question.ir,
        budget=question.budget, objective=question.objective, seconds=seconds,
    )  # fmt: skip
    note = "; ".join((*optimum.notes, str(optimum.status)))
    found: dict[str, Any] = dict.fromkeys(("best", "allocation", "payments", "multipliers"))
    found |= {"bound": float("inf"), "note": note}
    if optimum.certificate is None:
        return {**found, "program": design_program(question)}
    program, x, y = (getattr(optimum.certificate, key) for key in ("program", "x", "y"))
    found["program"] = program
    if all(isinstance(v, Fraction) for v in x):
        found["best"] = exact_value(program, x)
        found["allocation"], found["payments"] = optimum.allocation, optimum.payments
    else:
        # No simple rationals lie near: the vertex itself, from the solver's basis.
        vertex = solvers.exact(program, seconds=seconds)
        if vertex.certificate is not None:
            x, y = vertex.certificate.x, vertex.certificate.y
        if all(isinstance(v, Fraction) for v in x):
            found["best"] = exact_value(program, x)
    found["multipliers"], found["bound"] = _tightest(program, y)
    return found


def _tightest(program: Any, y: Any) -> tuple[tuple[Fraction, ...], Any]:
    """Rationals near the multipliers y (m,), those that show the least bound, and that bound."""
    from solvers.program import exact_bound

    near = [[Fraction(v) for v in y]]
    if not all(isinstance(v, Fraction) for v in y):
        near += [[Fraction(v).limit_denominator(most) for v in y] for most in DENOMINATORS]
    sides = list(zip(program.row_low, program.row_high, strict=True))
    # A multiplier that leans on a missing side shows nothing; 0 is as good a choice as any.
    kept = [
        tuple(
            Fraction(0) if np.isinf(high if v > 0 else low) else v
            for v, (low, high) in zip(one, sides, strict=True)
        )
        for one in near
    ]
    return min(((one, exact_bound(program, one)) for one in kept), key=lambda pair: pair[1])


# Words -------------------------------------------------------------------------------------------


def _domain(mechanism: Mechanism, table: Table, ic: str, ir: str | None, budget: str | None) -> str:
    parts = [finite_types(mechanism), "independent", ic.upper()]
    parts += [{"expost": "ex post IR", "interim": "interim IR"}[ir]] if ir else []
    parts += [f"{budget} budget"] if budget else []
    return ", ".join([*parts, f"lotteries over {len(table.outcomes)} outcomes"])


def _text(x: Any) -> str:
    return "no known number" if x is None else fraction_text(x)
