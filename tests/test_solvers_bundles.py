"""Bundles: tables, XOR bids and single-minded bidders, against lists, CP-SAT and Pyomo; payments
against N + 1 problems solved from nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import solvers
from benchmarks.cats import STYLES, bids
from solvers import combinatorial, vcg
from solvers.modelling import solved
from tests.allocations import bundle_value, owners
from tests.allocations import vcg as listed_vcg
from tests.second_solver import cp_sat


def held_by(x, i: int) -> int:
    return sum(1 << j for j, owner in enumerate(x) if owner == i)


@given(st.data())
def test_tables_are_as_good_as_any_list_and_so_are_bids(data):
    agents, items = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    size = agents * (2**items - 1)
    flat = data.draw(st.lists(st.integers(-1, 6), min_size=size, max_size=size))
    v = np.array(flat, dtype=float).reshape(agents, -1)
    best, payments = listed_vcg(
        agents, list(owners(agents, items)), lambda x, i: bundle_value(v[i], held_by(x, i))
    )
    dense = vcg.packages(v)
    offers = [(i, b, v[i, b - 1]) for i in range(agents) for b in range(1, 2**items)]
    sparse = vcg.winners(offers)
    for found in (dense, sparse):
        assert found.status == "optimal"
        assert found.value == pytest.approx(best, abs=1e-9)
        assert found.bound == pytest.approx(best, abs=1e-9)
        for p, can in zip(found.payments, payments, strict=True):
            assert min(abs(p - c) for c in can) <= 1e-9
    assert (dense.allocation.sum(axis=0) <= 1).all()
    held = (dense.allocation << np.arange(items)).sum(axis=1)
    assert sum(bundle_value(v[i], int(held[i])) for i in range(agents)) == best


def test_tables_in_rationals_and_in_batches():
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 20, (2, 5, 3, 7))
    exact = np.empty(whole.shape, dtype=object)
    exact.ravel()[:] = [F(int(v), 7) for v in whole.ravel()]
    found = vcg.packages(exact)
    assert found.gap == 0
    assert solvers.check(found.certificate).exact
    floats = vcg.packages(whole / 7)
    assert floats.value == pytest.approx(found.value.astype(float))
    assert floats.payments == pytest.approx(found.payments.astype(float), abs=1e-12)
    alone = vcg.packages(whole[1, 3] / 7)
    assert alone.value == floats.value[1, 3]
    assert (alone.allocation == floats.allocation[1, 3]).all()


@pytest.mark.parametrize("style", STYLES)
def test_cats_against_cp_sat_and_pyomo(style):
    offers = bids(style, 14, 45, 3)
    found = solvers.winners(offers, items=14)
    assert found.status == "optimal"
    assert found.certificate is not None
    assert solvers.check(found.certificate).holds
    assert found.gap <= 1e-9
    assert [found.value] == cp_sat((offers, 14))
    assert solved(combinatorial.model(offers, items=14)).value == pytest.approx(found.value)
    taken = [j for k in np.flatnonzero(found.allocation) for j in offers[k][1]]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("style", ["arbitrary", "matching", "scheduling"])
def test_payments_against_problems_solved_from_nothing(style):
    offers = bids(style, 12, 35, 1)
    found = vcg.winners(offers)
    agents = len(found.payments)
    total, *without = cp_sat(
        (offers, 12), *(([b for b in offers if b[0] != i], 12) for i in range(agents))
    )
    for i, paid in enumerate(found.payments):
        own = sum(offers[k][2] for k in np.flatnonzero(found.allocation) if offers[k][0] == i)
        assert paid == pytest.approx(without[i] - (total - own), abs=1e-6)


def test_generators_are_seeded_and_whole():
    for style in STYLES:
        first = bids(style, 12, 30, 0)
        assert first == bids(style, 12, 30, 0)
        assert first != bids(style, 12, 30, 1)
        assert all(taken and max(taken) < 12 and v == int(v) > 0 for _, taken, v in first)


def test_single_minded_small_and_large():
    rng = np.random.default_rng(0)
    for items in (5, 11):
        wanted = (rng.random((8, items)) < 0.35).astype(int)
        wanted[np.arange(8), rng.integers(0, items, 8)] = 1
        v = rng.integers(1, 50, 8).astype(float)
        found = vcg.single_minded(v, wanted)
        offers = [(i, np.flatnonzero(w).tolist(), v[i]) for i, w in enumerate(wanted)]
        assert found.status == "optimal"
        assert found.value == pytest.approx(cp_sat((offers, items))[0])
        won = (found.allocation == wanted).all(axis=1)
        assert (v * won).sum() == pytest.approx(found.value)
        assert found.payments == pytest.approx(vcg.winners(offers).payments)
    few = wanted[:, :5] | (wanted[:, :5].sum(axis=1) == 0)[:, None]
    batch = solvers.single_minded(np.stack([v, v[::-1]]), few)
    alone = [solvers.single_minded(w, few).value for w in (v, v[::-1])]
    assert batch.value.tolist() == alone


def test_yokoos_false_names():
    # AB at 9 loses to AB at 10; as A at 9 and B at 9 it wins both for 2 (Yokoo et al. 2004).
    assert vcg.winners([(0, [0, 1], 9), (1, [0, 1], 10)]).payments.tolist() == [0, 9]
    split = vcg.winners([(0, [0], 9), (1, [1], 9), (2, [0, 1], 10)])
    assert split.payments.tolist() == [1, 1, 0]


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_every_scale(scale):
    offers = [(b, s, v * scale) for b, s, v in bids("arbitrary", 12, 30, 5)]
    found = solvers.winners(offers)
    assert found.status == "optimal"
    assert found.gap <= 1e-9
    assert found.value / scale == pytest.approx(cp_sat((bids("arbitrary", 12, 30, 5), 12))[0])


def test_without_a_proof_the_bound_is_a_solvers_word():
    offers = bids("arbitrary", 30, 120, 2)
    found = solvers.winners(offers, nodes=3)
    assert found.certificate is None
    assert any("HiGHS's word" in note for note in found.notes)


def test_a_time_limit_is_never_an_optimum():
    offers = bids("arbitrary", 60, 700, 2)
    found = solvers.winners(offers, seconds=1e-3)
    assert found.status != "optimal"
    assert found.notes
    assert found.value is None or found.value <= found.bound
    paid = vcg.winners(offers, seconds=1e-3)
    assert paid.payments is None
    assert any("no payments" in note for note in paid.notes)


def test_nothing_to_decide():
    none = vcg.winners([], bidders=2, items=3)
    assert none.value == none.bound == 0
    assert none.payments.tolist() == [0, 0]
    assert vcg.packages(np.zeros((2, 0))).value == 0
    assert vcg.packages(np.zeros((0, 3))).value == 0
    assert solvers.winners([(0, [0], -3.0), (1, [0], 0.0)]).allocation.tolist() == [0, 0]
    assert vcg.winners([(0, [0], 3.0)]).payments.tolist() == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solvers.packages(np.zeros((2, 4))), "expected 2\\^items − 1 bundles"),
        (lambda: solvers.packages(np.zeros((1, 2**13 - 1))), "13 items: tables go up to 12"),
        (lambda: solvers.winners([(0, [], 1.0)]), "bid 0: the bundle is empty"),
        (lambda: solvers.winners([(0, [0], np.nan)]), r"values\[0\] = nan"),
        (lambda: solvers.winners([(0, [0], np.inf)]), r"values\[0\] = inf"),
        (lambda: solvers.winners([(-1, [0], 1.0)]), "bid 0: bidder = -1"),
        (lambda: solvers.winners([(0, [0.5], 1.0)]), "bid 0: item = 0.5"),
        (lambda: solvers.winners([(0, -2, 1.0)]), "bundle -2: expected a bitmask"),
        (lambda: solvers.winners([(0, 1.5, 1.0)]), "bundle 1.5: expected items or a bitmask"),
        (lambda: solvers.winners([(0, [4], 1.0)], items=2), "items = 2: the bids name 5"),
        (lambda: solvers.single_minded([1.0], [[0, 0]]), "at least one item for each agent"),
        (lambda: solvers.single_minded([1.0], [[1], [1]]), "one 0/1 row of items for each agent"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tables_that_were_changed_are_rejected():
    v = np.random.default_rng(0).random((3, 7))
    honest = solvers.packages(v).certificate
    assert solvers.check(honest).holds
    f, x = honest.tables, honest.allocation
    for changed in (
        replace(honest, tables=f * 0.999),
        replace(honest, tables=f + 0.1),
        replace(honest, values=v * 1.01),
        replace(honest, allocation=x * 0),
        replace(honest, allocation=np.ones_like(x)),
    ):
        checked = solvers.check(changed)
        assert not checked.holds
        assert checked.reason


def test_what_tolerances_hide_is_found_by_the_proof():
    # HiGHS takes the bid for everything, which is worth 1e-9 less than the two that are best.
    bids = [
        (1, [0, 1, 2], 1.0), (0, [0], 1e-9), (1, [0, 1], 0.0), (1, [1], 0.0), (1, [0], 1e-9),
        (0, [2], 1.0),
    ]  # fmt: skip
    found = solvers.winners(bids, bidders=2, items=3)
    assert found.status == "optimal"
    assert found.value == 1 + 1e-9
    assert found.allocation.tolist() == [0, 0, 0, 0, 1, 1]
    assert solvers.check(found.certificate).holds


def test_rounding_makes_no_payment_negative_or_dearer_than_the_bundle():
    v = [[0.9, 0, 0], [0, 0, 0.4], [0, 0.7, 0]]
    paid = vcg.packages(v).payments
    assert (paid >= 0).all()
    assert paid == pytest.approx([0, 0, 0], abs=1e-12)
    rng = np.random.default_rng(0)
    values = rng.random((500, 4, 7)) * 10.0 ** rng.integers(-9, 12, (500, 4, 1))
    found = vcg.packages(values)
    held = (found.allocation * (1 << np.arange(3))).sum(axis=-1)
    worth = np.take_along_axis(values, np.maximum(held - 1, 0)[..., None], axis=-1)[..., 0]
    assert (found.payments >= 0).all()
    assert (found.payments <= np.where(held > 0, worth, 0)).all()


def test_a_limit_before_any_point_leaves_a_value_and_a_bound():
    taken = bids("regions", 60, 400, 0)
    found = solvers.winners(taken, seconds=1e-9)
    assert found.status == "feasible"
    assert found.value == 0
    assert found.allocation.tolist() == [0] * len(taken)
    assert solvers.winners(taken, seconds=5).value <= found.bound < np.inf
    assert 0 < found.gap <= 1
    assert any("limit" in note.lower() for note in found.notes)
