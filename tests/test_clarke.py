"""Payments of integer programs: each of the N + 1 optima behind them certified, against CP-SAT,
and what a false certificate says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import solvers
from benchmarks.cats import STYLES, bids
from solvers import vcg
from solvers.clarke import Pivots, intervals
from solvers.tree import Tree
from tests.second_solver import cp_sat


@pytest.mark.parametrize("style", STYLES)
def test_every_payment_is_certified(style):
    offers = bids(style, 12, 40, 7)
    found = vcg.winners(offers, items=12)
    assert found.status == "optimal"
    assert isinstance(found.certificate, Pivots)
    assert solvers.check(found.certificate).holds
    low, high = intervals(found.certificate)
    assert (found.payment_error <= 1e-9 * found.value).all()
    agents = len(found.payments)
    total, *without = cp_sat(
        (offers, 12), *(([b for b in offers if b[0] != i], 12) for i in range(agents))
    )
    assert found.value == pytest.approx(total)
    for i in range(agents):
        own = sum(offers[k][2] for k in np.flatnonzero(found.allocation) if offers[k][0] == i)
        paid = without[i] - (total - own)
        assert low[i] - 1e-6 <= paid <= high[i] + 1e-6
        assert found.payments[i] == pytest.approx(paid, abs=1e-6)


def fractional() -> tuple[vcg.Optimum, list[tuple[int, list[int], float]]]:
    """Without bidder 3 the relaxation is fractional: a triangle of pairs, half of each."""
    offers = [(0, [0, 1], 10.0), (1, [1, 2], 10.0), (2, [0, 2], 10.0), (3, [0, 1, 2], 25.0)]
    return vcg.winners(offers), offers


def test_a_pivot_that_takes_branches():
    found, _ = fractional()
    assert found.value == 25
    assert found.payments.tolist() == [0, 0, 0, 10]
    pivots = found.certificate
    assert isinstance(pivots.without[3], Tree)
    assert solvers.check(pivots).holds
    assert [end.tolist() for end in intervals(pivots)] == [[0, 0, 0, 10]] * 2


def test_a_pivot_without_a_proof_is_said_and_bounded():
    offers = fractional()[1]
    found = vcg.winners(offers, nodes=0)
    assert found.payments.tolist() == [0, 0, 0, 10]
    # The allocation has its proof, the relaxation being whole; one payment has none.
    assert not isinstance(found.certificate, Pivots)
    assert solvers.check(found.certificate).holds
    assert any("payments of bidders 3: HiGHS's word" in note for note in found.notes)
    assert found.payment_error[3] <= 1e-6


def test_what_was_changed_does_not_hold():
    found, _ = fractional()
    honest = found.certificate
    relaxation = honest.without[3].program
    lenient = replace(
        honest.without[3], program=replace(relaxation, high=honest.optimum.program.high)
    )
    cheaper = vcg.winners(
        [(0, [0, 1], 9.0), (1, [1, 2], 9.0), (2, [0, 2], 9.0), (3, [0, 1, 2], 25)]
    )
    for changed, reason in (
        (replace(honest, payments=np.array([0, 0, 0, 9.99])), "bidder 3 pays 9.99"),
        (replace(honest, payments=np.array([0, 0, 0, 10.01])), "bidder 3 pays 10.01"),
        (replace(honest, payments=np.array([0.01, 0, 0, 10])), "bidder 0 pays 0.01"),
        (replace(honest, payments=np.array([0, 0, 0, np.nan])), "bidder 3 pays nan"),
        (replace(honest, without={}), "nothing shows the optimum without bidder 3"),
        (replace(honest, without={3: honest.optimum}), "the program without bidder 3 is another"),
        (replace(honest, without={3: lenient}), "without bidder 3"),
        (replace(honest, without=cheaper.certificate.without), "is another one"),
        (replace(honest, bidder=honest.bidder[:2]), "2 bidders are named for 4 bids"),
        (replace(honest, optimum=replace(honest.optimum, x=np.eye(4)[0])), "differ"),
    ):
        checked = solvers.check(changed)
        assert not checked.holds
        assert reason in checked.reason
    low, high = intervals(replace(honest, without={}))
    assert (low[3], high[3]) == (-np.inf, np.inf)


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_every_scale(scale):
    offers = [(b, s, v * scale) for b, s, v in bids("regions", 12, 30, 4)]
    plain, found = vcg.winners(bids("regions", 12, 30, 4)), vcg.winners(offers)
    assert solvers.check(found.certificate).holds
    assert found.payments / scale == pytest.approx(plain.payments, rel=1e-9, abs=1e-7)
    dearer = replace(found.certificate, payments=found.payments + 1e-6 * found.value)
    assert not solvers.check(dearer).holds


def test_allocation_and_payments_are_of_one_solution():
    """Two best packings; whichever it is, payments are those of the one that is returned."""
    wanted = np.zeros((4, 10), dtype=int)
    wanted[0, :5], wanted[1, 5:] = 1, 1
    wanted[2, ::2], wanted[3, 1::2] = 1, 1
    found = vcg.single_minded([3.0, 3.0, 3.0, 3.0], wanted)
    won = found.allocation.any(axis=1)
    assert won.sum() == 2
    assert found.payments.tolist() == [3.0 * w for w in won]
    assert solvers.check(found.certificate).holds
    with pytest.raises(ValueError, match="batches go up to 8 items"):
        vcg.single_minded(np.ones((2, 4)), wanted)
