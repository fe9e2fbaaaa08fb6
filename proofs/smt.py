"""Asking two solvers: does every claim hold wherever the assumptions do?

`smtlib` writes the question as text, and z3 and cvc5 read the same text. "Proved" means that one of
them found the negation unsatisfiable and the other did not find it satisfiable; if they contradict
each other, that is an error and no verdict. "Refuted" rests on no solver: the model is put into the
terms, in rationals, and counts only if the assumptions hold there and a claim fails.

Sources: de Moura & Bjørner, *Z3* (2008); Barbosa et al., *cvc5* (2022).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from proofs.arrays import Array
from proofs.evaluation import Evaluator
from proofs.smtlib import assumed, gathered, smtlib
from proofs.symbolic import Symbolic

__all__ = ["Answer", "Decision", "SolversDisagree", "ask", "decide"]

Solver = Literal["z3", "cvc5"]
_MEGABYTES = 4096
# Decimal places to which an algebraic number of a model is approximated.
_PLACES = 30


class SolversDisagree(RuntimeError):
    """One solver says that the claims hold, the other has a counterexample."""


@dataclass(frozen=True)
class Answer:
    """What a solver said.

    status: "unsat", "sat" or "unknown". model: for "sat", the value of every unknown, else None;
    exact: whether the model has no rounded (algebraic) numbers. reason: why it is unknown. tool:
    name and version. seconds: how long it took.
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
        seconds: the time limit.

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


def _missing(module: str, error: ImportError) -> ImportError:
    return ImportError(
        f"{module} is needed for proofs and is not installed; "
        "install it: pip install 'mechkit-econ[prove]'",
        name=error.name,
    )


def _ask_z3(text: str, seconds: float) -> Said:
    try:
        import z3
    except ImportError as error:
        raise _missing("z3-solver", error) from error
    tool = f"z3 {z3.get_version_string()}"
    context = z3.Context()
    solver = z3.SolverFor(_logic(text), ctx=context)
    solver.set("timeout", max(1, int(seconds * 1000)))
    solver.set("max_memory", _MEGABYTES)
    # The time limit does not bind while z3 reads and simplifies, an interrupt does.
    watchdog = threading.Timer(seconds * 1.5 + 1, context.interrupt)
    watchdog.daemon = True
    watchdog.start()
    try:
        solver.from_string(text)
        said = solver.check()
    except z3.Z3Exception as error:
        return _refused(error, tool)
    finally:
        watchdog.cancel()
    if said == z3.unsat:
        return "unsat", None, True, "", tool
    if said == z3.unknown:
        return "unknown", None, True, f"z3: {_reason(solver.reason_unknown())}", tool
    found, exact = solver.model(), True
    model: dict[str, Fraction | bool] = {}
    for name, boolean in _declared(text):
        sort = z3.BoolSort(context) if boolean else z3.RealSort(context)
        value = found.eval(z3.Const(name, sort), model_completion=True)
        if boolean:
            model[name] = z3.is_true(value)
            continue
        if z3.is_algebraic_value(value):
            exact, value = False, value.approx(_PLACES)
        model[name] = value.as_fraction()
    return "sat", model, exact, "", tool


def _ask_cvc5(text: str, seconds: float) -> Said:
    try:
        import cvc5
    except ImportError as error:
        raise _missing("cvc5", error) from error
    tool = f"cvc5 {cvc5.__version__}"
    manager = cvc5.TermManager()
    solver = cvc5.Solver(manager)
    for option, value in {
        "produce-models": "true",
        "tlimit-per": str(max(1, int(seconds * 1000))),
    }.items():
        solver.setOption(option, value)
    symbols = cvc5.SymbolManager(manager)
    said: Any = None
    try:
        parser = cvc5.InputParser(solver, symbols)
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "question")
        while not (command := parser.nextCommand()).isNull():
            if command.getCommandName() == "check-sat":
                said = solver.checkSat()
            else:
                command.invoke(solver, symbols)
    except RuntimeError as error:
        return _refused(error, tool)
    if said is None or said.isUnknown():
        why = "" if said is None else str(said.getUnknownExplanation())
        return "unknown", None, True, f"cvc5: {_reason(why)}", tool
    if said.isUnsat():
        return "unsat", None, True, "", tool
    exact = True
    model: dict[str, Fraction | bool] = {}
    terms = {str(term): term for term in symbols.getDeclaredTerms()}
    for name, boolean in _declared(text):
        value = solver.getValue(terms[name])
        if boolean:
            model[name] = value.getBooleanValue()
        elif value.isRealValue():
            model[name] = Fraction(value.getRealValue())
        else:
            exact = False
            model[name] = Fraction(value.getRealAlgebraicNumberLowerBound().getRealValue())
    return "sat", model, exact, "", tool


_SOLVERS: dict[str, Callable[[str, float], Said]] = {"z3": _ask_z3, "cvc5": _ask_cvc5}


def _refused(error: Exception, tool: str) -> Said:
    message = str(error)
    if "memory" in message or "cancel" in message or "interrupt" in message:
        return "unknown", None, True, f"{tool}: {message}", tool
    raise ValueError(f"{tool} cannot read the text as SMT-LIB: {message}") from error


def _reason(said: str) -> str:
    lowered = said.lower()
    if any(word in lowered for word in ("timeout", "canceled", "interrupted")):
        return "time-out"
    return "incomplete for nonlinear arithmetic" if "incomplete" in lowered else said or "no answer"


def _logic(text: str) -> str:
    found = re.search(r"\(set-logic (\w+)\)", text)
    return found[1] if found else "ALL"


def _declared(text: str) -> list[tuple[str, bool]]:
    """The unknowns of the rule, and whether each is boolean."""
    words = (line.split() for line in text.splitlines() if line.startswith("(declare-const "))
    return [(name, sort == "Bool)") for _, name, sort in words if not name.startswith("$")]


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
    if _logic(text).startswith("QF_N"):
        reason += "; the rule multiplies or divides unknowns (nonlinear)"
    return Decision("unknown", None, reason, (), text, answers)


def _violates(model: dict[str, Fraction | bool], given: Any, wanted: Any) -> bool:
    holds = Evaluator([*given, *wanted])(model)
    return all(holds[: len(given)]) and not all(holds[len(given) :])
