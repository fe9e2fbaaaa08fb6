"""The process in which z3 and cvc5 work: a question a line in, an answer a line out, both JSON.

A script that stands alone, with nothing of this package, so that it starts quickly. `asking` starts
it, feeds it and ends it where a solver does not keep its time limit: z3 may not look at the clock
while it reads and simplifies, nor cvc5 within a step of nonlinear arithmetic, and neither can be
stopped from within its own process.

A question is {"solver", "text", "seconds", "longest"}, an answer {"status", "model", "exact",
"reason", "tool"}: "status" as in `smt.Answer`, or "refused" where the text is no SMT-LIB; the
numbers of a model are strings, "1/3" say.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

_MEGABYTES = 4096
# Decimal places to which an algebraic number of a model is approximated.
_PLACES = 30

Said = dict[str, Any]


def _said(
    status: str,
    tool: str,
    reason: str = "",
    model: dict[str, Any] | None = None,
    exact: bool = True,
) -> Said:
    return {"status": status, "tool": tool, "reason": reason, "model": model, "exact": exact}


def _ask_z3(text: str, seconds: float) -> Said:
    import z3

    tool = f"z3 {z3.get_version_string()}"
    context = z3.Context()
    solver = z3.SolverFor(logic(text), ctx=context)
    solver.set("timeout", max(1, int(seconds * 1000)))
    solver.set("max_memory", _MEGABYTES)
    try:
        solver.from_string(text)
        said = solver.check()
    except z3.Z3Exception as error:
        return _refused(error, tool)
    if said == z3.unsat:
        return _said("unsat", tool)
    if said == z3.unknown:
        return _said("unknown", tool, f"z3: {_reason(solver.reason_unknown())}")
    found, exact = solver.model(), True
    model: dict[str, Any] = {}
    for name, boolean in _declared(text):
        sort = z3.BoolSort(context) if boolean else z3.RealSort(context)
        value = found.eval(z3.Const(name, sort), model_completion=True)
        if boolean:
            model[name] = z3.is_true(value)
            continue
        if z3.is_algebraic_value(value):
            exact, value = False, value.approx(_PLACES)
        model[name] = str(value.as_fraction())
    return _said("sat", tool, model=model, exact=exact)


def _ask_cvc5(text: str, seconds: float) -> Said:
    import cvc5

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
        return _said("unknown", tool, f"cvc5: {_reason(why)}")
    if said.isUnsat():
        return _said("unsat", tool)
    exact = True
    model: dict[str, Any] = {}
    terms = {str(term): term for term in symbols.getDeclaredTerms()}
    for name, boolean in _declared(text):
        value = solver.getValue(terms[name])
        if boolean:
            model[name] = value.getBooleanValue()
        elif value.isRealValue():
            model[name] = str(Fraction(value.getRealValue()))
        else:
            exact = False
            bound = value.getRealAlgebraicNumberLowerBound()
            model[name] = str(Fraction(bound.getRealValue()))
    return _said("sat", tool, model=model, exact=exact)


_SOLVERS: dict[str, Callable[[str, float], Said]] = {"z3": _ask_z3, "cvc5": _ask_cvc5}


def _refused(error: Exception, tool: str) -> Said:
    message = str(error)
    stopped = any(word in message for word in ("memory", "cancel", "interrupt"))
    return _said("unknown" if stopped else "refused", tool, f"{tool}: {message}")


def _reason(said: str) -> str:
    lowered = said.lower()
    if any(word in lowered for word in ("timeout", "canceled", "interrupted")):
        return "time-out"
    return "incomplete for nonlinear arithmetic" if "incomplete" in lowered else said or "no answer"


def logic(text: str) -> str:
    """The logic that a text names."""
    found = re.search(r"\(set-logic (\w+)\)", text)
    return found[1] if found else "ALL"


def _declared(text: str) -> list[tuple[str, bool]]:
    """The unknowns of the rule, and whether each is boolean."""
    words = (line.split() for line in text.splitlines() if line.startswith("(declare-const "))
    return [(name, sort == "Bool)") for _, name, sort in words if not name.startswith("$")]


def _answer(question: dict[str, Any]) -> Said:
    solver = question["solver"]
    try:
        return _SOLVERS[solver](question["text"], question["seconds"])
    except Exception as error:
        return _said("unknown", solver, f"{solver}: {type(error).__name__}: {error}")


def main() -> None:
    """Answer questions until there are no more."""
    # Whatever a solver prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        _alarm(question["longest"])
        answers.write(json.dumps(_answer(question)) + "\n")
        answers.flush()
        _alarm(0)


def _alarm(seconds: float) -> None:
    """End this process so much later, even where nobody is left to do it; 0: do not."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
