"""Units, items, positions, projects, double auctions: against lists of all allocations and against
the Pyomo models, with payments, ties, Fractions, batches and empty sides."""

from __future__ import annotations

import itertools
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import solvers
from solvers import project, ranking, trade, units, vcg
from solvers.modelling import solved
from tests.allocations import owners, unit_allocations
from tests.allocations import vcg as listed_vcg

small = st.integers(-2, 5).map(F)


def fractions(draw, *shape: int) -> np.ndarray:
    size = int(np.prod(shape))
    flat = draw(st.lists(small, min_size=size, max_size=size))
    array = np.empty(size, dtype=object)
    array[:] = flat
    return array.reshape(shape)


def assert_proved(found: solvers.Optimum) -> None:
    assert found.status == "optimal"
    checked = solvers.check(found.certificate)
    assert checked.holds
    assert checked.exact
    assert checked.gap == 0
    assert np.all(np.asarray(found.value == found.bound))


@given(st.data())
def test_units_are_as_good_as_any_list_says(data):
    agents, demand, k = (data.draw(st.integers(1, 3)) for _ in range(3))
    v = -np.sort(-fractions(data.draw, agents, demand), axis=-1)
    found = vcg.multi_unit(v, k)
    assert_proved(found)
    best, payments = listed_vcg(
        agents, list(unit_allocations(agents, k, demand)), lambda x, i: sum(v[i][: x[i]])
    )
    assert found.value == best
    held = [sum(v[i][: found.allocation[i]], F(0)) for i in range(agents)]
    assert sum(held) == best
    assert all(p in can for p, can in zip(found.payments, payments, strict=True))


@given(st.data())
def test_additive_items_and_payments(data):
    agents, items = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    v = fractions(data.draw, agents, items)
    found = vcg.additive(v)
    assert_proved(found)
    best, payments = listed_vcg(
        agents,
        list(owners(agents, items)),
        lambda x, i: sum(v[i][j] for j in range(items) if x[j] == i),
    )
    assert found.value == best == (found.allocation * v).sum()
    assert all(p in can for p, can in zip(found.payments, payments, strict=True))


@given(st.data())
def test_positions_and_payments(data):
    agents, slots = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    v = fractions(data.draw, agents)
    r = -np.sort(-np.abs(fractions(data.draw, slots)))
    found = vcg.positions(v, r)
    assert_proved(found)
    lists = [
        x for x in itertools.product(range(-1, slots), repeat=agents)
        if len(taken := [s for s in x if s >= 0]) == len(set(taken))
    ]  # fmt: skip
    best, payments = listed_vcg(agents, lists, lambda x, i: v[i] * r[x[i]] if x[i] >= 0 else F(0))
    assert found.value == best
    assert ((found.allocation * v[:, None] * r).sum()) == best
    assert all(p in can for p, can in zip(found.payments, payments, strict=True))


@given(st.data())
def test_a_project_and_its_transfers(data):
    agents = data.draw(st.integers(1, 4))
    v, cost = fractions(data.draw, agents), data.draw(st.integers(0, 9))
    found = vcg.public_project(v, cost)
    assert_proved(found)
    share = F(cost, agents)
    best, payments = listed_vcg(agents, [0, 1], lambda x, i: x * (v[i] - share))
    assert found.value == best
    assert all(p in can for p, can in zip(found.payments, payments, strict=True))


@given(st.data())
def test_double_auctions_and_payments_of_both_sides(data):
    buyers, sellers = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    v, c = fractions(data.draw, buyers), fractions(data.draw, sellers)
    found = vcg.double_auction(v, c)
    assert_proved(found)
    lists = [
        x for x in itertools.product((0, 1), repeat=buyers + sellers)
        if sum(x[:buyers]) == sum(x[buyers:])
    ]  # fmt: skip

    def gain(x):
        return sum(v[x[:buyers] == 1]) - sum(c[x[buyers:] == 1])

    gains = [gain(np.array(x)) for x in lists]
    assert found.value == max(gains)
    for i in range(buyers + sellers):
        without = max(g for g, x in zip(gains, lists, strict=True) if not x[i])
        own = (v[i] if i < buyers else -c[i - buyers]) * found.allocation[i]
        assert found.payments[i] == without - (found.value - own)


def test_published_trade():
    found = vcg.double_auction([9, 8, 7, 4], [2, 3, 4, 5])
    assert found.value == found.bound == 15
    assert found.allocation.tolist() == [1, 1, 1, 0, 1, 1, 1, 0]
    # Three trades: buyers pay max(4, 4), sellers get min(5, 7); the deficit is 3.
    assert found.payments.tolist() == [4, 4, 4, 0, -5, -5, -5, 0]


def test_bilateral_trade_in_the_mean():
    rng = np.random.default_rng(0)
    profiles = rng.random((200_000, 2))
    found = vcg.double_auction(profiles[:, :1], profiles[:, 1:])
    assert found.status == "optimal"
    # First best 1/6, and VCG's deficit is 1/6 too (Myerson & Satterthwaite 1983).
    assert np.mean(found.value) == pytest.approx(1 / 6, abs=2e-3)
    assert np.mean(found.payments.sum(axis=-1)) == pytest.approx(-1 / 6, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_models_agree(seed):
    rng = np.random.default_rng(seed)
    v, c, r = rng.random(6), rng.random(5), -np.sort(-rng.random(3))
    falling = -np.sort(-rng.random((4, 3)), axis=-1)
    for found, model in (
        (solvers.multi_unit(falling, 5), units.model(falling, 5)),
        (solvers.positions(v, r), ranking.model(v, r)),
        (solvers.double_auction(v, c), trade.model(v, c)),
        (solvers.public_project(v, 2.5), project.model(v, 2.5)),
    ):
        assert found.status == "optimal"
        assert found.gap <= 1e-9
        assert solved(model).value == pytest.approx(found.value, abs=1e-7)


def test_a_batch_is_its_instances():
    rng = np.random.default_rng(1)
    v = rng.integers(0, 4, (2, 50, 4)).astype(float)
    falling = -np.sort(-rng.integers(0, 4, (2, 50, 4, 2)).astype(float), axis=-1)
    for batch, one in (
        (vcg.multi_unit(falling, 3), lambda k: vcg.multi_unit(falling[k], 3)),
        (vcg.additive(falling), lambda k: vcg.additive(falling[k])),
        (vcg.positions(v, [3, 1]), lambda k: vcg.positions(v[k], [3, 1])),
        (vcg.public_project(v, 6), lambda k: vcg.public_project(v[k], 6)),
        (
            vcg.double_auction(v[..., :2], v[..., 2:]),
            lambda k: vcg.double_auction(v[k][:2], v[k][2:]),
        ),
    ):
        for k in itertools.product((0, 1), (0, 17, 49)):
            alone = one(k)
            assert batch.value[k] == alone.value
            assert (batch.allocation[k] == alone.allocation).all()
            assert (batch.payments[k] == alone.payments).all()


def test_ties_go_to_the_lowest_index():
    assert solvers.multi_unit([[1], [1], [1]], 2).allocation.tolist() == [1, 1, 0]
    assert solvers.additive([[1], [1]]).allocation.tolist() == [[1], [0]]
    assert vcg.multi_unit([[2], [2], [2]], 1).payments.tolist() == [2, 0, 0]


def test_empty_sides_and_nothing_to_sell():
    assert solvers.multi_unit(np.zeros((0, 1)), 3).value == 0
    none = vcg.multi_unit([[3.0], [2.0]], 0)
    assert (none.value, none.bound, none.payments.tolist()) == (0, 0, [0, 0])
    assert vcg.additive(np.zeros((3, 0))).payments.tolist() == [0, 0, 0]
    assert solvers.positions([1.0, 2.0], np.zeros(0)).value == 0
    for v, c in (([], []), ([3.0], []), ([], [3.0])):
        found = vcg.double_auction(v, c)
        assert found.status == "optimal"
        assert found.value == found.bound == 0
        assert (found.payments == 0).all()
    assert vcg.multi_unit([[5.0]], 1).payments.tolist() == [0]
    assert vcg.public_project(np.zeros(0), 1).value == 0


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_every_scale(scale):
    v = np.array([3.0, 1.0, 2.0]) * scale
    assert vcg.multi_unit(v[:, None], 1).payments.tolist() == [2 * scale, 0, 0]
    trades = vcg.double_auction(v, v / 3 + 1e-3 * scale)
    assert trades.status == "optimal"
    assert trades.gap <= 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solvers.multi_unit([[1.0], [np.nan]], 1), r"values\[1, 0\] = nan: expected fin"),
        (lambda: solvers.multi_unit([[np.inf]], 1), "inf: expected finite numbers"),
        (lambda: solvers.multi_unit([[F(1)], [float("nan")]], 1), "expected finite numbers"),
        (lambda: solvers.multi_unit([[1.0, 2.0]], 1), "unit 2 is worth 2.0, more than unit 1"),
        (lambda: solvers.multi_unit([[1.0]], 1.5), "units = 1.5: expected a whole number"),
        (lambda: solvers.multi_unit([[1.0]], True), "units = True: expected a whole number"),
        (lambda: solvers.multi_unit([[1.0]], -1), "units = -1: expected a whole number"),
        (lambda: solvers.multi_unit([1.0], 1), "expected at least 2 axes"),
        (lambda: solvers.multi_unit([["a"]], 1), "expected real numbers"),
        (lambda: solvers.positions([1.0], [1.0, 2.0]), "do not increase"),
        (lambda: solvers.positions([1.0], [-1.0]), "expected numbers ≥ 0"),
        (lambda: solvers.public_project([1.0], -1), "cost = -1: expected one number"),
        (lambda: solvers.double_auction([[1.0]], [1.0]), "expected the same batch"),
        (lambda: solvers.double_auction([np.nan], [1.0]), r"values\[0\] = nan"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
