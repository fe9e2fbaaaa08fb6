"""Time limits hold whatever a solver does: it works in a process that is ended when it is late.

Where a limit does not hold, these tests do not end; none of them looks at a clock.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, piecewise
from proofs import Symbolic, ask, asking, decide, symbols

EASY = """(set-logic QF_LRA)
(declare-const x Real)
(assert (< x 0.0))
(assert (> x 1.0))
(check-sat)
"""
LONG = 10**6

STAND_IN = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("answering", {answering!r})
answering = importlib.util.module_from_spec(spec)
spec.loader.exec_module(answering)
def stuck(text, seconds):
    {does}
answering._SOLVERS.update(dict.fromkeys({stuck!r}, stuck))
answering.main()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Processes in which the named solvers do something else, with little grace."""
    real = str(asking.SCRIPT)

    def put(*solvers: str, does: str = f"time.sleep({LONG})") -> None:
        script = tmp_path / "stand_in.py"
        script.write_text(STAND_IN.format(answering=real, stuck=solvers, does=does))
        asking._end_all()
        monkeypatch.setattr(asking, "SCRIPT", script)
        monkeypatch.setattr(asking, "GRACE", 0.2)

    yield put
    asking._end_all()


def gone(pid: int) -> bool:
    """Whether a child was ended and waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ended(pid: int) -> bool:
    """Whether another's child ended; whose duty it is to wait for it may not do so at once."""
    try:
        return gone(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return gone(pid)


def test_a_solver_that_overruns_is_ended_and_the_next_question_is_answered(stand_in: Any) -> None:
    stand_in("cvc5")
    assert ask(EASY, solver="z3", seconds=60).status == "unsat"
    (process,) = asking._living
    answer = ask(EASY, solver="cvc5", seconds=0.2)
    assert (answer.status, answer.reason, answer.model) == ("unknown", "cvc5: time-out", None)
    assert gone(process.popen.pid)
    assert not asking._living
    assert ask(EASY, solver="z3", seconds=60).status == "unsat"


def test_a_solver_that_holds_the_interpreter_is_ended_too(stand_in: Any) -> None:
    """One call into C that never returns to Python: no thread of that process runs meanwhile."""
    stand_in("cvc5", does="10 ** 10 ** 10 // 3")
    assert ask(EASY, solver="cvc5", seconds=0.2).reason == "cvc5: time-out"


def test_a_process_that_crashes_says_nothing(stand_in: Any) -> None:
    stand_in("z3", does="import os; os._exit(3)")
    answer = ask(EASY, solver="z3", seconds=60)
    assert (answer.status, answer.reason) == ("unknown", "z3: its process ended (exit status 3)")


def test_half_an_answer_is_none(stand_in: Any) -> None:
    half = '{"status": "unsat", "tool": "z3"'
    stand_in("z3", does=f"import os; os.write(3, {half.encode()!r}); os._exit(0)")
    assert ask(EASY, solver="z3", seconds=60).status == "unknown"


def test_the_first_solver_alone_is_said_to_decide(stand_in: Any) -> None:
    stand_in("cvc5")
    x = symbols("x", (1,), algebra=Symbolic())
    decision = decide([x], x, seconds=0.5)
    assert decision.status == "proved"
    assert [tool.split()[0] for tool in decision.tools] == ["z3"]
    assert decision.reason.endswith("alone (cvc5: time-out)")


def test_where_both_overrun_nothing_is_decided(stand_in: Any) -> None:
    stand_in("z3", "cvc5")
    x = symbols("x", (1,), algebra=Symbolic())
    decision = decide([x], x, seconds=0.2)
    assert decision.status == "unknown"
    assert decision.reason == "z3: time-out; cvc5: time-out"


def test_a_process_is_kept_and_threads_have_their_own() -> None:
    asking._end_all()
    for _ in range(3):
        assert ask(EASY, solver="z3").status == "unsat"
        assert ask(EASY, solver="cvc5").status == "unsat"
    assert len(asking._living) == len(asking._idle) == 1
    with ThreadPoolExecutor(4) as pool:
        solvers: list[Any] = ["z3", "cvc5"] * 10
        answers = list(pool.map(lambda solver: ask(EASY, solver=solver).status, solvers))
    assert answers == ["unsat"] * 20
    assert 1 <= len(asking._living) == len(asking._idle) <= 4


def test_a_process_that_died_idle_is_replaced() -> None:
    assert ask(EASY).status == "unsat"
    for process in asking._living:
        process.popen.kill()
        process.popen.wait()
    assert ask(EASY).status == "unsat"


def test_ctrl_c_ends_the_process(stand_in: Any) -> None:
    stand_in("z3")
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(EASY, solver="z3", seconds=LONG)
    finally:
        signal.signal(signal.SIGINT, old)
    assert not asking._living


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_a_fork_has_processes_of_its_own() -> None:
    assert ask(EASY).status == "unsat"
    (before,) = (process.popen.pid for process in asking._living)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        ok = not asking._living and ask(EASY).status == "unsat"
        asking._end_all()
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ask(EASY).status == "unsat"
    assert [process.popen.pid for process in asking._living] == [before]


@pytest.mark.parametrize("end", ["pass", "import os; os._exit(0)"])
def test_processes_end_with_the_one_that_asks(end: str) -> None:
    """Whoever reads what it prints sees the end: nobody is left who holds the pipe."""
    code = (
        f"from proofs import ask, asking; assert ask({EASY!r}).status == 'unsat'; "
        f"print(*(p.popen.pid for p in asking._living)); import sys; sys.stdout.flush(); {end}"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    while not ended(int(run.stdout)):
        time.sleep(0.01)


def product_rule() -> mk.Mechanism:
    """A share in proportion to the bids, for the square of the bid: nonlinear."""

    def allocate(bids: Any) -> Any:
        return bids / (1 + np.sum(bids, axis=-1, keepdims=True))

    return mk.Mechanism(mk.single_item(2), allocate, lambda bids, x: x * bids * bids)


def test_provers_obey_their_limit(stand_in: Any) -> None:
    stand_in("z3", "cvc5")
    attempt = piecewise.prove(product_rule(), PROPERTIES["ir"], seconds=1)
    assert isinstance(attempt, GaveUp)
    assert "z3: time-out; cvc5: time-out" in attempt.reason


def test_verify_obeys_prove_seconds(stand_in: Any) -> None:
    stand_in("z3", "cvc5")
    report = mk.verify(product_rule(), ["ir"], evaluations=500, prove=True, prove_seconds=1)
    assert report["ir"].status is mk.Status.UNREFUTED
    assert report["ir"].reason.startswith("not proved: ")
    assert "z3: time-out; cvc5: time-out" in report["ir"].reason
    assert report["ir"].reason in report["ir"].effort.notes
