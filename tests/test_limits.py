"""Time limits: what was found by then stands with a bound, and is never called optimal."""

import numpy as np
import pytest

import solvers
from solvers import Saturating


def late(*_args, **_options):
    raise TimeoutError("the time limit came first")


def test_a_limit_before_the_first_pass_leaves_the_ceilings_as_a_bound():
    values = np.random.default_rng(0).random((4, 4, 4, 4))
    for options in ({}, {"integer": True}, {"exact": True}):
        found = solvers.qvcg(values, seconds=1e-9, **options)
        assert found.status == "feasible"
        assert found.value == values[:, 0, 0, 0].sum()
        assert found.value < found.bound <= values.max(axis=(1, 2, 3)).sum()
        assert found.certificate.bound() == pytest.approx(found.bound)
        assert found.payments is None
        assert any("time limit" in note for note in found.notes)


def test_a_limit_amid_a_pass_keeps_what_was_found(monkeypatch):
    values = np.cumsum(np.random.default_rng(1).random((5, 5, 5, 5)), axis=1)
    best = solvers.qvcg(values, payments=False)
    left = [9]  # bidders that are looked at in time

    def in_time(deadline):
        left[0] -= 1
        if left[0] < 0:
            late()

    monkeypatch.setattr("solvers.columns.in_time", in_time)
    found = solvers.qvcg(values, seconds=100)
    assert found.status == "feasible"
    assert found.value <= best.value <= found.bound < np.inf
    assert found.certificate.bound() == pytest.approx(found.bound)


def test_a_limit_before_rationals_or_whole_numbers(monkeypatch):
    values = np.round(np.random.default_rng(2).random((4, 4, 4, 4)) * 64) / 64
    linear = solvers.qvcg(values, payments=False)
    monkeypatch.setattr("solvers.qvcg_rational.in_time", late)
    found = solvers.qvcg(values, exact=True, seconds=100)
    assert found.status == "feasible"
    assert found.value == pytest.approx(linear.value)
    assert any("in floats" in note for note in found.notes)
    assert found.payments is None
    monkeypatch.setitem(solvers.qvcg.__globals__, "near_best", late)
    found = solvers.qvcg(values, integer=True, seconds=100)
    assert found.status == "feasible"
    assert found.lottery.overuse == 0
    assert 0 < found.value <= found.bound == linear.bound
    assert found.payments is None


@pytest.mark.parametrize("seconds", [-1, np.nan, "soon", True])
def test_limits_that_are_none(seconds):
    for question in (
        lambda: solvers.qvcg(np.ones((2, 3, 3, 3)), seconds=seconds),
        lambda: solvers.divisible(Saturating([1.0], np.ones((1, 3))), seconds=seconds),
        lambda: solvers.winners([(0, [0], 1.0)], seconds=seconds),
        lambda: solvers.design([[[0, 1]]], [[1]], seconds=seconds),
    ):
        with pytest.raises(ValueError, match="expected a number of at least 0"):
            question()
