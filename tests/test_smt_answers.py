"""What a decision says: statuses, models, time limits, disagreements; and the text it rests on."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from test_smt import box, first_price, gain, second_price, truthful

import proofs.smt
from proofs import (
    Array,
    SolversDisagree,
    Symbolic,
    ask,
    decide,
    evaluate,
    smtlib,
    symbols,
)


def test_contradictory_assumptions_prove_everything_and_can_be_found_out() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    assert decide([x, -1 - x], x - 5).status == "proved"
    assert decide([x, -1 - x], False).status == "proved"
    assert decide([x], False).status == "refuted"


def test_nothing_to_claim_is_proved() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    assert decide([x], x <= x).status == "proved"


def test_unknowns_that_the_question_leaves_out_are_in_the_model() -> None:
    algebra = Symbolic()
    x, spare = symbols("x", (1,), algebra=algebra), symbols("spare", (1,), algebra=algebra)
    flag = symbols("flag", (1,), algebra=algebra, kind="bool")
    decision = decide([x], x - 1)
    assert decision.model is not None
    assert evaluate(spare, decision.model).tolist() == [0]
    assert evaluate(flag, decision.model).tolist() == [False]


def test_boolean_unknowns_and_levels_are_decoded() -> None:
    algebra = Symbolic()
    size = symbols("size", (2,), algebra=algebra, levels=[0, 1, 3])
    flag = symbols("flag", (1,), algebra=algebra, kind="bool")
    decision = decide([flag], size.sum() <= 4)
    assert decision.model is not None
    assert evaluate(size, decision.model).sum() > 4
    assert evaluate(flag, decision.model).tolist() == [True]
    assert decide([], (size.sum() != 5)).status == "proved"


def test_irrational_counterexamples_are_said_to_be_irrational() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    decision = decide([x], x * x != 2)
    assert decision.status == "unknown"
    assert "irrational" in decision.reason
    assert not decision.answers[0].exact


def test_irrational_models_that_hold_when_rounded_count() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    decision = decide([x, x * x - 2], x * x - 3)
    assert decision.status == "refuted"
    assert decision.model is not None
    assert 2 <= decision.model["x_0"] ** 2 < 3


def hard() -> tuple[list[Array], Any]:
    """Nonlinear and slow: whether 10 unknowns satisfy random equations of degree 4."""
    rng = np.random.default_rng(5)
    x = symbols("x", (10,), algebra=Symbolic())
    products = [x[i] * x[j] * x[k] * x[m] for i, j, k, m in rng.integers(0, 10, size=(40, 4))]
    terms = np.stack(products)
    equations = [terms @ rng.integers(-9, 10, size=40) == 1 for _ in range(9)]
    return [x + 1, 1 - x, *equations], terms.sum() - 7


def test_time_limits_hold_and_unknown_says_why() -> None:
    decision = decide(*hard(), seconds=0.3)
    assert decision.status == "unknown"
    assert decision.model is None
    assert decision.tools == ()
    assert "nonlinear" in decision.reason
    assert [answer.status for answer in decision.answers] == ["unknown", "unknown"]


def test_a_second_opinion_can_be_spared() -> None:
    decision, _, _ = truthful(second_price, 3, 0, second_opinion=False)
    assert decision.status == "proved"
    assert [tool.split()[0] for tool in decision.tools] == ["z3"]


def said(solver: str, status: str, **more: Any) -> Any:
    def answer(text: str, seconds: float) -> Any:
        return status, more.get("model"), True, more.get("reason", ""), f"{solver} 0"

    return answer


def test_solvers_that_disagree_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    fake = said("cvc5", "sat", model={"x_0": F(-1)})
    monkeypatch.setitem(proofs.smt._SOLVERS, "cvc5", fake)
    with pytest.raises(SolversDisagree, match="cvc5 0 refutes them"):
        decide([x], x)


def test_a_model_that_does_not_replay_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    monkeypatch.setitem(proofs.smt._SOLVERS, "z3", said("z3", "sat", model={"x_0": F(1)}))
    with pytest.raises(SolversDisagree, match="does not violate the claims"):
        decide([x], x)


def test_one_proof_and_one_time_out_is_proved_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    monkeypatch.setitem(proofs.smt._SOLVERS, "cvc5", said("cvc5", "unknown", reason="cvc5: time"))
    decision = decide([x], x)
    assert decision.status == "proved"
    assert decision.tools == (decision.answers[0].tool,)
    assert "alone (cvc5: time)" in decision.reason
    monkeypatch.undo()
    monkeypatch.setitem(proofs.smt._SOLVERS, "z3", said("z3", "unknown", reason="z3: time"))
    decision = decide([x], x)
    assert decision.status == "proved"
    assert "cvc5" in decision.reason
    assert "alone (z3: time)" in decision.reason


# The text


def test_the_text_is_the_same_in_every_run() -> None:
    texts = []
    for _ in range(2):
        algebra = Symbolic()
        types = symbols("type", (1, 3), algebra=algebra)
        texts.append(smtlib(box(types), second_price(types)[1]))
    assert texts[0] == texts[1]
    assert texts[0].startswith("(set-logic QF_LRA)\n")
    assert texts[0].endswith("(check-sat)\n")


def test_texts_of_both_kinds_read_in_a_fresh_process() -> None:
    """The text stands alone: a process that knows nothing of this package answers the same."""
    reader = "import sys, z3; s = z3.Solver(); s.from_string(sys.stdin.read()); print(s.check())"
    for rule, expected in [(second_price, "unsat"), (first_price, "sat")]:
        algebra = Symbolic()
        types = symbols("type", (1, 3), algebra=algebra)
        lie = symbols("lie", (1,), algebra=algebra)
        text = smtlib(box(types, lie), gain(rule, types, lie, 0))
        run = subprocess.run(
            [sys.executable, "-c", reader], input=text, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == expected


@pytest.mark.parametrize("solver", ["z3", "cvc5"])
def test_bad_questions_are_refused(solver: Any) -> None:
    with pytest.raises(ValueError, match="cannot read the text as SMT-LIB"):
        ask("(assert (frobnicate))", solver=solver)
    with pytest.raises(ValueError, match="give a positive number of seconds"):
        ask("(check-sat)", solver=solver, seconds=0)
    with pytest.raises(ValueError, match="'yices' is not available"):
        ask("(check-sat)", solver="yices")  # type: ignore[arg-type]


@pytest.mark.parametrize(("solver", "module"), [("z3", "z3"), ("cvc5", "cvc5")])
def test_a_missing_solver_names_the_extra(
    solver: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'mechkit-econ\[prove\]'"):
        ask("(check-sat)", solver=solver)
