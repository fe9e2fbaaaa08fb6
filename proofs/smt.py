"""Asking two solvers: does every claim hold wherever the assumptions do?

`smtlib` writes the question as text, and z3 and cvc5 read the same text. "Proved" means that one of
them found the negation unsatisfiable and the other did not find it satisfiable; if they contradict
each other, that is an error and no verdict. "Refuted" rests on no solver: the model is put into the
terms, in rationals, and counts only if the assumptions hold there and a claim fails. The solvers
work in a process of their own (`asking`), so that a time limit holds whatever they do.

Sources: de Moura & Bjørner, *Z3* (2008); Barbosa et al., *cvc5* (2022).
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from proofs.answering import logic
from proofs.arrays import Array
from proofs.asking import answered
from proofs.evaluation import Evaluator
from proofs.smtlib import assumed, gathered, smtlib
from proofs.symbolic import Symbolic

__all__ = ["Answer", "Decision", "SolversDisagree", "ask", "decide"]

Solver = Literal["z3", "cvc5"]


class SolversDisagree(RuntimeError):
    """One solver says that the claims hold, the other has a counterexample."""


@dataclass(frozen=True)
class Answer:
    """What a solver said.

    status: "unsat", "sat" or "unknown". model: for "sat", the value of every unknown, else None;
    exact: whether the model has no rounded (algebraic) numbers. reason: why it is unknown. tool:
    name and version, the name alone where its process had to be ended. seconds: how long it took.
    """

    status: Literal["unsat", "sat", "unknown"]
    model: dict[str, Fraction | bool] | None
    exact: bool
    reason: str
    tool: str
    seconds: float


@dataclass(frozen=True)
class Decision:
    """What is known about the claims.

    status: "proved", "refuted" or "unknown". model: for "refuted", values of all unknowns of the
    algebra, at which the assumptions hold and a claim fails, checked in exact arithmetic. reason:
    how it was proved, or why it is unknown. tools: the solvers on which it rests; none for a
    refutation, which anybody can check. text: the SMT-LIB question. answers: what each solver said.
    """

    status: Literal["proved", "refuted", "unknown"]
    model: dict[str, Fraction | bool] | None
    reason: str
    tools: tuple[str, ...]
    text: str
    answers: tuple[Answer, ...]


def ask(text: str, *, solver: Solver = "z3", seconds: float = 10) -> Answer:
    """One solver's answer to an SMT-LIB script.

    Args:
        text: declarations and assertions, as `smtlib` writes them.
        solver: "z3" or "cvc5".
        seconds: the time limit. A solver that overruns it is ended two seconds later.

    Raises:
        ImportError: the solver is not installed.
        ValueError: another solver, a time limit of 0 or less, or a text that is no SMT-LIB.
    """
    if solver not in _SOLVERS:
        raise ValueError(f"solver {solver!r} is not available; choose 'z3' or 'cvc5'")
    if not seconds > 0:
        raise ValueError(f"the time limit is {seconds} s; give a positive number of seconds")
    start = time.monotonic()
    status, model, exact, reason, tool = _SOLVERS[solver](text, seconds)
    return Answer(status, model, exact, reason, tool, time.monotonic() - start)  # type: ignore[arg-type]


Said = tuple[str, "dict[str, Fraction | bool] | None", bool, str, str]


def _asker(solver: str, module: str, package: str) -> Callable[[str, float], Said]:
    def ask(text: str, seconds: float) -> Said:
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f"{package} is needed for proofs and is not installed; "
                "install it: pip install 'mechkit-econ[prove]'",
                name=module,
            )
        said = answered(solver, text, seconds)
        tool, reason, model = said["tool"], said["reason"], said["model"]
        if said["status"] == "refused":
            raise ValueError(f"{tool} cannot read the text as SMT-LIB: {reason}")
        if model is not None:
            model = {k: v if isinstance(v, bool) else Fraction(v) for k, v in model.items()}
        return said["status"], model, said["exact"], reason, tool

    return ask


_SOLVERS: dict[str, Callable[[str, float], Said]] = {
    "z3": _asker("z3", "z3", "z3-solver"),
    "cvc5": _asker("cvc5", "cvc5", "cvc5"),
}


def decide(
    assumptions: Any, claims: Any, *, seconds: float = 10, second_opinion: bool = True
) -> Decision:
    """Whether all claims hold wherever the assumptions do, for all real values of the unknowns.

    Args:
        assumptions, claims: Arrays over one `Symbolic` algebra, or sequences of them: bools hold
            where they are true, numbers where they exist and are at least 0. The obligations of the
            algebra (divisors, indices) are proved along with the claims. Contradictory assumptions
            prove everything: ``decide(assumptions, False)`` is then "proved".
        seconds: the time limit of each solver.
        second_opinion: ask cvc5, too, where z3 finds a proof. Where z3 has no answer, cvc5 is asked
            in any case.

    Raises:
        SolversDisagree: one solver proves what the other refutes.
        ImportError: a solver is not installed.
    """
    text = smtlib(assumptions, claims)
    given, wanted = assumed(assumptions), gathered(claims)
    answers = [ask(text, solver="z3", seconds=seconds)]
    if answers[0].status == "unknown" or (answers[0].status == "unsat" and second_opinion):
        answers.append(ask(text, solver="cvc5", seconds=seconds))
    decision = _concluded(text, given, wanted, tuple(answers))
    if decision.model is None:
        return decision
    return replace(decision, model=_unused([assumptions, claims]) | decision.model)


def _unused(parts: Any) -> dict[str, Fraction | bool]:
    """0 or False for every unknown of the algebras: what a model says of those that it leaves
    out."""
    if not isinstance(parts, Array):
        nested = parts if isinstance(parts, (list, tuple)) else ()
        return {name: x for part in nested for name, x in _unused(part).items()}
    algebra: Symbolic = parts.algebra  # type: ignore[assignment]
    return {
        variable.name: False if variable.boolean else Fraction(0)
        for variable in algebra.store.variables
    }


def _concluded(text: str, given: Any, wanted: Any, answers: tuple[Answer, ...]) -> Decision:
    by_status = {answer.status: answer for answer in answers}
    proof, model = by_status.get("unsat"), by_status.get("sat")
    if proof and model:
        raise SolversDisagree(
            f"{proof.tool} finds the claims proved, {model.tool} refutes them by {model.model}; "
            "one of them is wrong about the text of this question: keep it and report it"
        )
    if proof:
        tools = tuple(answer.tool for answer in answers if answer.status == "unsat")
        others = [answer.reason for answer in answers if answer.status == "unknown"]
        reason = " and ".join(tools) + (f" alone ({'; '.join(others)})" if others else "")
        return Decision("proved", None, reason, tools, text, answers)
    if model:
        assert model.model is not None
        if _violates(model.model, given, wanted):
            return Decision("refuted", model.model, "", (), text, answers)
        if model.exact:
            raise SolversDisagree(
                f"the model of {model.tool}, {model.model}, does not violate the claims in exact "
                "arithmetic; the solver or the text of the question is wrong: keep it and report it"
            )
        reason = f"the counterexample of {model.tool} is irrational, and rounded it is none"
        return Decision("unknown", None, reason, (), text, answers)
    reason = "; ".join(dict.fromkeys(answer.reason for answer in answers))
    if logic(text).startswith("QF_N"):
        reason += "; the rule multiplies or divides unknowns (nonlinear)"
    return Decision("unknown", None, reason, (), text, answers)


def _violates(model: dict[str, Fraction | bool], given: Any, wanted: Any) -> bool:
    holds = Evaluator([*given, *wanted])(model)
    return all(holds[: len(given)]) and not all(holds[len(given) :])
