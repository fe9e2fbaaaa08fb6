"""Assignment and matched trade: against lists of all matchings, Pyomo, and OR-Tools' flow."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import solvers
from solvers import assignment, matching, trade, vcg
from solvers.modelling import solved
from tests.allocations import vcg as listed_vcg
from tests.second_solver import assignments


def matchings(agents: int, items: int) -> list[tuple[int, ...]]:
    return [
        x for x in itertools.product(range(-1, items), repeat=agents)
        if len(taken := [j for j in x if j >= 0]) == len(set(taken))
    ]  # fmt: skip


def worth(v):
    return lambda x, i: v[i][x[i]] if x[i] >= 0 else 0


@given(st.data())
def test_unit_demand_is_as_good_as_any_matching(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    flat = data.draw(st.lists(st.integers(-2, 6), min_size=n * m, max_size=n * m))
    v = np.array(flat, dtype=float).reshape(n, m)
    for found in (vcg.unit_demand(v), vcg.unit_demand(v, exact=True)):
        assert found.status == "optimal"
        best, payments = listed_vcg(n, matchings(n, m), worth(v))
        assert found.value == found.bound == best
        assert (found.allocation * v).sum() == best
        assert all(p in can for p, can in zip(found.payments, payments, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_assignment_agrees_with_the_model_and_with_or_tools(seed):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 1000, (25, 25))
    found = solvers.unit_demand(v, exact=True)
    assert found.gap == 0
    assert solved(assignment.model(v)).value == found.value
    assert assignments(v.tolist()) == [found.value]


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (50, 50)])
def test_dense_floats_have_no_gap(shape):
    v = np.random.default_rng(2).random(shape)
    quick, exact = solvers.unit_demand(v), vcg.unit_demand(v, exact=True)
    assert quick.gap <= 1e-12
    assert exact.gap == 0
    assert solvers.check(exact.certificate).exact
    assert float(exact.value) == pytest.approx(quick.value, rel=1e-14)
    without = [solvers.unit_demand(np.delete(v, i, axis=0)).value for i in range(5)]
    own = (quick.allocation * v).sum(axis=1)
    for i in range(5):
        clarke = without[i] - (quick.value - own[i])
        assert float(exact.payments[i]) == pytest.approx(clarke, abs=1e-12)


def test_a_matching_that_is_not_optimal_is_seen_and_improved():
    rng = np.random.default_rng(3)
    for _ in range(200):
        n, m = rng.integers(1, 6, 2)
        w = rng.integers(0, 5, (n, m))
        items = rng.permutation(max(n, m))[:n]
        held = np.where((items < m) & (rng.random(n) < 0.7), items, -1)
        held = np.where((held >= 0) & (w[np.arange(n), np.maximum(held, 0)] > 0), held, -1)
        i, j = np.nonzero(w)
        edges = matching.Edges(i, j, w[i, j], (int(n), int(m)))
        best = solvers.unit_demand(w).value
        own = sum(int(w[a, held[a]]) for a in range(n) if held[a] >= 0)
        assert matching.lowest_prices(edges, held)[1] == (own == best)
        assert assignment.lowest_prices(w[None], held[None])[1][0] == (own == best)
        assert (matching.improved(edges, held) is None) == (own == best)
        repaired = assignment._repaired(w, held)
        assert sum(int(w[a, repaired[a]]) for a in range(n) if repaired[a] >= 0) == best


def test_a_long_cycle_of_exchange_is_found():
    n = 200
    w = np.zeros((n, n), dtype=int)
    w[np.arange(n), np.arange(n)] = 10
    w[np.arange(n), (np.arange(n) + 1) % n] = 11
    i, j = np.nonzero(w)
    edges = matching.Edges(i, j, w[i, j], (n, n))
    better = matching.improved(edges, np.arange(n))
    assert better is not None
    assert (better == (np.arange(n) + 1) % n).all()


def test_numbers_far_apart_are_exact_in_rationals():
    v = np.array([[1e12, 1e-9], [1e12 + 1e-4, 0.3]])
    found = solvers.unit_demand(v, exact=True)
    assert found.gap == 0
    # Floats cannot hold the sum: 1e12 + 0.3 beats 1e12 + 1e-4 + 1e-9.
    assert found.value == F(1e12) + F(0.3)


def test_fractions_in_fractions_out_and_batches():
    third = np.array([[[F(1, 3), F(1, 2)], [F(1, 3), F(1, 7)]]] * 3, dtype=object)
    found = vcg.unit_demand(third)
    assert found.value.tolist() == found.bound.tolist() == [F(5, 6)] * 3
    assert found.payments.shape == (3, 2)
    assert found.gap == 0


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_every_scale(scale):
    v = np.random.default_rng(5).random((6, 6)) * scale
    found = vcg.unit_demand(v)
    assert found.status == "optimal"
    assert found.gap <= 1e-9
    assert found.payments / scale == pytest.approx(vcg.unit_demand(v / scale).payments, abs=1e-12)


def test_empty_sides_identical_and_lone_bidders():
    for shape in ((0, 3), (3, 0), (2, 0, 3)):
        found = vcg.unit_demand(np.zeros(shape))
        assert found.status == "optimal"
        assert np.all(np.asarray(found.value) == 0)
    assert vcg.unit_demand([[5.0]]).payments.tolist() == [0]
    same = vcg.unit_demand([[2.0], [2.0], [2.0]])
    assert sorted(same.payments) == [0, 0, 2]
    assert vcg.unit_demand([[-1.0, 0.0]]).allocation.tolist() == [[0, 0]]


# Matched trade.


@given(st.data())
def test_matched_trade_against_all_matchings(data):
    b, s = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    every = list(itertools.product(range(b), range(s)))
    pairs = data.draw(st.lists(st.sampled_from(every), max_size=8))
    size = {"min_size": len(pairs), "max_size": len(pairs)}
    v = np.array(data.draw(st.lists(st.integers(-3, 6), **size)), dtype=float)
    # A negative cost is what a seller pays to be rid of its unit.
    c = np.array(data.draw(st.lists(st.integers(-4, 6), **size)), dtype=float)
    found = vcg.matched_trade(
        v, c, np.array(pairs, dtype=int).reshape(-1, 2), buyers=b, sellers=s,
        exact=data.draw(st.booleans()),
    )  # fmt: skip
    assert found.status == "optimal"
    lists = [
        x for k in range(len(pairs) + 1) for x in itertools.combinations(range(len(pairs)), k)
        if all(len({pairs[e][side] for e in x}) == len(x) for side in (0, 1))
    ]  # fmt: skip
    gains = [sum(v[e] - c[e] for e in x) for x in lists]
    assert found.value == found.bound == max(gains)
    for agent in range(b + s):
        side, at = (0, agent) if agent < b else (1, agent - b)
        without = max(
            g for g, x in zip(gains, lists, strict=True) if all(pairs[e][side] != at for e in x)
        )
        own = [
            (v[e] if side == 0 else -c[e])
            for e in range(len(pairs))
            if found.allocation[e] and pairs[e][side] == at
        ]
        assert found.payments[agent] == without - (found.value - sum(own))


def test_a_sparse_market_agrees_with_its_model_and_is_exact():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 40, (150, 2))
    v, c = rng.random(150), rng.random(150) / 3
    found = solvers.matched_trade(v, c, pairs, exact=True)
    assert found.gap == 0
    assert solvers.check(found.certificate).exact
    assert solved(trade.pair_model(v, c, pairs)).value == pytest.approx(float(found.value))
    assert solvers.matched_trade(v, c, pairs).value == pytest.approx(float(found.value))


def test_every_pair_is_the_assignment_problem():
    rng = np.random.default_rng(1)
    v = rng.random((30, 20))
    pairs = np.stack(np.meshgrid(np.arange(30), np.arange(20), indexing="ij"), axis=-1)
    found = vcg.matched_trade(v.ravel(), np.zeros(600), pairs.reshape(-1, 2))
    dense = vcg.unit_demand(v)
    assert found.value == pytest.approx(dense.value)
    assert found.payments[:30] == pytest.approx(dense.payments)


def test_markets_without_trade():
    none = vcg.matched_trade([], [], [], buyers=2, sellers=0)
    assert none.value == none.bound == 0
    assert none.payments.tolist() == [0, 0]
    loss = vcg.matched_trade([1.0], [2.0], [[0, 0]])
    assert loss.allocation.tolist() == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solvers.unit_demand([[np.nan]]), "expected finite numbers"),
        (lambda: solvers.matched_trade([1.0], [1.0], [[0, 0], [1, 1]]), "one value and one cost"),
        (lambda: solvers.matched_trade([1.0], [0.0], [[0.5, 0.0]]), "expected whole numbers"),
        (lambda: solvers.matched_trade([1.0], [0.0], [[3, 0]], buyers=2), "pairs name buyers up"),
        (lambda: solvers.matched_trade([1.0], [0.0], [[-1, 0]]), "pairs name buyers"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_certificates_that_were_changed_are_rejected():
    v = np.random.default_rng(0).random((4, 4))
    honest = solvers.unit_demand(v).certificate
    assert solvers.check(honest).holds
    x, p = honest.allocation, honest.prices
    for changed in (
        replace(honest, prices=p * 0.99),
        replace(honest, prices=p + 1),
        replace(honest, prices=p - 1),
        replace(honest, values=v * 1.01),
        replace(honest, allocation=x[::-1]),
        replace(honest, allocation=x * 0.5),
        replace(honest, allocation=np.ones_like(x)),
        replace(honest, prices=np.where(p == p.max(), np.nan, p)),
        replace(honest, prices=p[:2]),
    ):
        checked = solvers.check(changed)
        assert not checked.holds
        assert checked.reason


def test_awkward_fractions_in_every_way_of_solving():
    rng = np.random.default_rng(0)
    for _ in range(12):
        n, m = (int(k) for k in rng.integers(1, 8, 2))
        tops, bottoms = rng.integers(0, 5, n * m), rng.integers(1, 10**9, n * m)
        v = np.empty(n * m, dtype=object)
        v[:] = [
            F(int(a), int(b)) * 10 ** int(rng.integers(0, 12))
            for a, b in zip(tops, bottoms, strict=True)
        ]
        v = v.reshape(n, m)
        found = vcg.unit_demand(v)
        assert found.gap == 0
        every = np.argwhere(np.ones((n, m)))
        pairs = vcg.matched_trade(v.ravel(), v.ravel() * 0, every, buyers=n, sellers=m)
        assert pairs.value == found.value
        assert (pairs.payments[:n] == found.payments).all()
        for i in range(n):
            without = solvers.unit_demand(np.delete(v, i, axis=0)).value
            own = (found.allocation[i] * v[i]).sum()
            assert found.payments[i] == without - (found.value - own)


def test_the_linear_program_in_rationals_is_the_matching_in_rationals():
    from scipy import sparse

    n = 30
    values = np.random.default_rng(4).random((n, n))
    at = np.arange(n * n)
    rows = np.concatenate([at // n, n + at % n])
    once = sparse.csr_array((np.ones(2 * n * n), (rows, np.tile(at, 2))), shape=(2 * n, n * n))
    program = solvers.Program(
        objective=values.ravel(),
        matrix=once,
        row_low=np.full(2 * n, -np.inf),
        row_high=np.ones(2 * n),
        low=np.zeros(n * n),
        high=np.full(n * n, np.inf),
    )
    assert solvers.exact(program).value == solvers.unit_demand(values, exact=True).value
