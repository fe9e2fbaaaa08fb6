"""`mk.optimum` and `mk.vcg` against brute force over the outcomes and against the Groves mechanism.

Types come from few numbers, negative ones among them, so that ties are frequent; in rationals all
comparisons are exact. Certificates are checked by `solvers.check`, which shares no code with the
solvers.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import mechkit as mk
import solvers
from mechkit import settings as s
from mechkit.constructors.common import assignments
from mechkit.constructors.optima import stacked
from mechkit.first_best import first_best
from mechkit.settings import Lottery, Setting
from mechkit.spaces import box
from proofs import exact, values

WANTS = [[1, 0], [1, 1], [0, 1]]
SETTINGS = {
    "single item": mk.single_item(3, low=-1),
    "one bidder": mk.single_item(1, low=-1),
    "units": mk.multi_unit(4, 2, low=-1),
    "more units than wanted": mk.multi_unit(2, 5, low=-1),
    "marginal values": mk.multi_unit(3, 3, 2, low=-1),
    "positions": mk.positions(3, [1, F(1, 3)], low=-1),
    "more positions than agents": mk.positions(2, [1, 0.5, 0.25, 0], low=-1),
    "double auction": mk.double_auction(2, 3, low=-1),
    "one seller": mk.double_auction(3, 1),
    "additive": mk.additive(3, 2, low=-1),
    "unit demand": mk.unit_demand(3, 3, low=-1),
    "known bundles": mk.single_minded(3, 2, WANTS, low=-1),
    "reported bundles": mk.single_minded(3, 3),
    "any bundles": mk.combinatorial(3, 2, low=-1),
    "divisible": mk.divisible(3, low=-1),
    "divisible resources": mk.divisible(3, 2, low=-1),
    "public project": mk.public_project(3, 1, low=-1),
    "free project": mk.public_project(2, 0, low=-1),
}
each = pytest.mark.parametrize("name", SETTINGS)


def drawn(name: str, rows: int, steps: int = 4) -> np.ndarray:
    """Types as Fractions, (rows, agents, ...), from steps + 1 numbers of the box."""
    setting = SETTINGS[name]
    rng = np.random.default_rng(len(name))
    low, high = setting.types.low, setting.types.high
    k = rng.integers(0, steps + 1, size=(rows, *setting.types.shape))
    types = low + (high - low) * k * F(1, steps)
    if name == "marginal values":
        return -np.sort(-types, axis=-1)
    if name == "reported bundles":
        wants = rng.integers(1, 8, size=types.shape[:-1])[..., None] >> np.arange(3) & 1
        types[..., 1:] = np.vectorize(F, otypes=[object])(wants)
    return np.asarray(types)


def outcomes_of(setting: Setting) -> np.ndarray:
    if setting.outcomes is None:  # shares of resources: whole ones suffice for linear values
        return assignments(*setting.allocation_shape)
    return setting.outcomes()


def worth(setting: Setting, types: np.ndarray, allocation: np.ndarray) -> np.ndarray:
    """Each agent's value, exactly for Fractions, (batch, agents)."""
    if types.dtype == object:
        return np.asarray(values(s.values(setting, exact(types), exact(allocation), {})))
    return np.asarray(s.values(setting, types, allocation, {}), dtype=float)


def brute(setting: Setting, types: np.ndarray) -> np.ndarray:
    """The largest welfare of all outcomes."""
    best = None
    for outcome in outcomes_of(setting):
        x = np.broadcast_to(outcome, (len(types), *outcome.shape))
        reached = worth(setting, types, x).sum(axis=-1)
        best = reached if best is None else np.maximum(best, reached)
    return np.asarray(best)


def played(setting: Setting, types: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Groves mechanism's (value of everybody, payments), each (batch, agents)."""
    listed = outcomes_of(setting) if setting.outcomes is None else None
    rule = mk.Mechanism.groves(setting, outcomes=listed)
    if types.dtype == object:
        shown = exact(types)
        ((_, x, payments, _),) = mk.play(rule, shown).draws
        got = s.values(setting, shown, x, {})
        return np.asarray(values(got)), np.asarray(values(payments))
    ((_, x, payments, _),) = mk.play(rule, types).draws
    got = np.asarray(s.values(setting, types, x, {}), dtype=float)
    return got, np.asarray(payments, dtype=float)


# Every constructor --------------------------------------------------------------------------------


@each
def test_the_optimum_is_the_best_outcome_in_rationals(name):
    setting, types = SETTINGS[name], drawn(name, 60)
    found = mk.optimum(setting, types)
    assert found.status is solvers.Status.OPTIMAL
    assert all(isinstance(v, F) for v in found.value)
    assert list(found.value) == list(found.bound) == list(brute(setting, types))
    assert setting.feasible(found.allocation.astype(float)).all()
    assert list(worth(setting, types, found.allocation).sum(axis=-1)) == list(found.value)
    checked = solvers.check(found.certificate)
    assert checked.holds
    assert checked.exact
    assert checked.gap == 0
    if setting.first_best is not None:
        assert list(values(first_best(setting, exact(types), {}))) == list(found.value)


@each
def test_the_optimum_is_the_best_outcome_in_floats(name):
    setting, types = SETTINGS[name], drawn(name, 60, steps=7).astype(float)
    found = mk.optimum(setting, types)
    assert found.status is solvers.Status.OPTIMAL
    assert found.value.dtype == float
    np.testing.assert_allclose(found.value, brute(setting, types), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.value, found.bound, rtol=1e-12, atol=1e-12)
    assert setting.feasible(found.allocation).all()
    reached = worth(setting, types, found.allocation).sum(axis=-1)
    np.testing.assert_allclose(reached, found.value, rtol=1e-12, atol=1e-12)
    assert solvers.check(found.certificate).holds
    if setting.first_best is not None:
        np.testing.assert_allclose(
            first_best(setting, types, {}), found.value, rtol=1e-12, atol=1e-12
        )


@each
@pytest.mark.parametrize("exactly", [True, False])
def test_vcg_is_the_groves_mechanism_with_clarke_s_pivot(name, exactly):
    """Utilities are equal whichever of equal allocations is taken; payments where values are."""
    setting, types = SETTINGS[name], drawn(name, 60)
    types = types if exactly else types.astype(float)
    found = mk.vcg(setting, types)
    got, paid = played(setting, types)
    own = worth(setting, types, found.allocation)
    near = 0 if exactly else 1e-12
    assert (np.abs((own - found.payments) - (got - paid)) <= near).all()
    same = np.abs(own - got) <= near
    assert same.any()
    assert (np.abs(found.payments - paid)[same] <= near).all()
    alone = mk.optimum(setting, types)
    assert np.array_equal(found.value, alone.value)
    assert alone.payments is None
    assert solvers.check(found.certificate).holds


@each
def test_one_profile_is_a_row_of_a_batch(name):
    setting = SETTINGS[name]
    for types in (drawn(name, 5), drawn(name, 5).astype(float)):
        batch = mk.vcg(setting, types)
        for k in range(5):
            one = mk.vcg(setting, types[k].tolist())
            assert np.ndim(one.value) == 0
            assert one.value == batch.value[k]
            assert one.bound == batch.bound[k]
            assert np.array_equal(one.allocation, batch.allocation[k])
            assert np.array_equal(one.payments, batch.payments[k])
            assert one.allocation.shape == setting.allocation_shape
            assert solvers.check(one.certificate).holds


@each
def test_a_batch_without_profiles(name):
    setting = SETTINGS[name]
    found = mk.vcg(setting, np.zeros((0, *setting.types.shape)))
    assert found.value.shape == (0,)
    assert found.allocation.shape == (0, *setting.allocation_shape)
    assert found.payments.shape == (0, setting.agents)


def test_divisible_resources_agree_with_the_program_in_their_prices():
    setting = mk.divisible(4, 3)
    types = setting.sample(np.random.default_rng(2), 5)
    ours = mk.vcg(setting, types)
    for k, theta in enumerate(types):
        theirs = solvers.divisible(solvers.Linear(theta), payments=True)
        np.testing.assert_allclose(ours.value[k], theirs.value, rtol=1e-9)
        np.testing.assert_allclose(ours.payments[k], theirs.payments, rtol=1e-7, atol=1e-9)


def test_a_seller_who_gains_by_selling_is_paid_at_least_nothing():
    """Costs below 0: without the buyer nobody takes the unit."""
    found = mk.vcg(mk.double_auction(1, 1, low=-1), [F(-1, 4), F(-1)])
    assert (found.value, list(found.payments)) == (F(3, 4), [-1, F(1, 4)])


def test_many_profiles_at_once():
    types = np.random.default_rng(0).random((200_000, 5))
    found = mk.vcg(mk.single_item(5), types)
    ranked = np.sort(types, axis=-1)
    np.testing.assert_array_equal(found.value, ranked[:, -1])
    np.testing.assert_array_equal(found.payments.sum(axis=-1), ranked[:, -2])
    np.testing.assert_array_equal(found.allocation.argmax(axis=-1), types.argmax(axis=-1))


def test_numbers_of_a_textbook():
    """The pivotal mechanism and the assignment market of Leonard (1983), by hand."""
    project = mk.vcg(mk.public_project(3, 3), [F(5, 2), F(1), F(0)])
    # Net of a share of 1 each: 3/2, 0, −1. Only agent 0 turns a no of −1 into a yes of 1/2.
    assert (project.value, list(project.payments), int(project.allocation)) == (
        F(1, 2),
        [1, 0, 0],
        1,
    )
    trade = mk.vcg(mk.double_auction(1, 1), [F(3, 4), F(1, 4)])
    assert list(trade.payments) == [F(1, 4), F(-3, 4)]
    market = mk.vcg(mk.unit_demand(3, 2), [[3, 1], [2, 4], [2, 0]])
    assert market.payments.tolist() == [2, 0, 0]


# More items than tables hold ----------------------------------------------------------------------


def test_single_minded_agents_of_many_items_are_solved_one_profile_at_a_time():
    rng = np.random.default_rng(5)
    wanted = (rng.random((6, 10)) < 0.3) | (np.arange(10) == np.arange(6)[:, None])
    setting = mk.single_minded(6, 10, wanted * 1)
    types = rng.integers(1, 9, size=(4, 6)) / 8

    def best(theta: np.ndarray, without: int | None = None) -> float:
        people = [i for i in range(6) if i != without]
        sets = itertools.chain.from_iterable(itertools.combinations(people, k) for k in range(7))
        return max(
            sum(float(theta[i]) for i in w)
            for w in sets
            if (wanted[list(w)].sum(axis=0) <= 1).all()
        )

    found = mk.vcg(setting, types)
    assert found.status is solvers.Status.OPTIMAL
    assert len(found.certificate) == 4
    for k, theta in enumerate(types):
        assert found.value[k] == pytest.approx(best(theta))
        assert solvers.check(found.certificate[k]).holds
        own = worth(setting, theta[None], found.allocation[k][None])[0]
        utility = [best(theta) - best(theta, i) for i in range(6)]
        assert own - found.payments[k] == pytest.approx(utility)
    one = mk.optimum(setting, types[0], seconds=30)
    assert one.value == found.value[0]
    assert setting.feasible(one.allocation[None].astype(float)).all()
    reported = mk.single_minded(6, 10)
    told = np.concatenate([types[..., None], np.broadcast_to(wanted, (4, 6, 10))], axis=-1)
    assert mk.optimum(reported, told).value.tolist() == found.value.tolist()


def test_profiles_solved_one_at_a_time_are_as_good_as_the_worst():
    ok = solvers.multi_unit([[1.0]], 1)
    cut = replace(ok, status=solvers.Status.FEASIBLE, notes=("a limit",), payments=None)
    lost = replace(cut, value=None, allocation=None, status=solvers.Status.UNSOLVED)
    assert stacked([ok, cut], (2,)).status is solvers.Status.FEASIBLE
    assert stacked([ok, cut], (2,)).value.tolist() == [1, 1]
    assert stacked([ok, cut], (2,)).notes == ("a limit",)
    assert stacked([cut, lost, ok], (3,)).status is solvers.Status.UNSOLVED
    assert stacked([ok, lost], (2,)).value is None
    assert stacked([ok, lost], (2,)).bound.tolist() == [1, 1]


# A solver goes with what it solves ----------------------------------------------------------------


@pytest.mark.parametrize("what", ["value", "slack", "types"])
def test_a_replaced_setting_loses_its_solver(what):
    setting = mk.single_item(2)
    new: dict[str, Any] = {
        "value": lambda types, x: -types * x,
        "slack": lambda x: np.concatenate([x, 1 - x], axis=-1),
        "types": box(2, low=0, high=9),
    }
    assert replace(setting, name="renamed").solve is not None
    assert replace(setting, **{what: new[what]}).solve is None


def test_a_replaced_value_has_another_optimum():
    squared = replace(mk.single_item(2), value=lambda types, x: (types - 2) ** 2 * x)
    found = mk.optimum(squared, [F(1, 2), F(1, 4)])
    assert (found.value, list(found.allocation)) == (F(49, 16), [0, 1])
    assert found.certificate is None
    assert found.method == "every listed outcome compared"
    assert list(mk.vcg(squared, [F(1, 2), F(1, 4)]).payments) == [0, F(9, 4)]


def test_public_information_leaves_the_optimum_of_what_does_not_see_it():
    coin = Lottery(draws=np.array([[0], [1]]))
    setting = mk.single_item(2).with_public(coin=coin)
    assert setting.solve is not None
    found = mk.optimum(setting, [[3, 5]], public={"coin": np.array([[1]])})
    assert found.value.tolist() == [5]
    with pytest.raises(mk.InputError, match=r"public = \[\]: expected arrays of the names \['coin"):
        mk.optimum(setting, [3, 5])


def test_a_solver_that_sees_public_information():
    def solve(types: np.ndarray, *, public: Any, payments: bool, seconds: Any) -> solvers.Optimum:
        return solvers.multi_unit((types * public["scale"])[..., None], 1)

    scaled = replace(
        mk.single_item(2),
        value=lambda types, x, *, public: types * x * public["scale"],
        public={"scale": box(2, low=0, high=9)},
        solve=solve,
    )
    batch = mk.optimum(scaled, [[3, 5], [3, 5]], public={"scale": np.array([[2, 1], [1, 1]])})
    assert batch.value.tolist() == [6, 5]
    assert mk.optimum(scaled, [3, 5], public={"scale": [2, 1]}).value == 6


def test_public_information_that_values_see():
    def value(types: Any, x: Any, *, public: Any) -> Any:
        return types * x * public["scale"]

    scaled = replace(
        mk.single_item(2), value=value, public={"scale": box(2, low=0, high=9)}, first_best=None
    )
    assert scaled.solve is None
    found = mk.optimum(scaled, [[3, 5], [3, 5]], public={"scale": np.array([[2, 1], [1, 1]])})
    assert found.value.tolist() == [6, 5]
    one = mk.optimum(scaled, [3, 5], public={"scale": [2, 1]})
    assert (one.value, one.allocation.tolist()) == (6, [1, 0])
    with pytest.raises(mk.InputError, match="sees no public arrays"):
        mk.vcg(scaled, [3, 5], public={"scale": [2, 1]})
    with pytest.raises(mk.InputError, match=r"public 'scale' of shape \(3, 2\) for 1 profiles"):
        mk.optimum(scaled, [[3, 5]], public={"scale": np.ones((3, 2))})


# Settings of one's own ----------------------------------------------------------------------------


def sites(**more: Any) -> Setting:
    """One of three sites is built; a type says what each is worth."""
    declared: dict[str, Any] = {
        "name": "sites",
        "types": box(2, 3),
        "allocation_shape": (3,),
        "value": lambda types, x: (types * x[:, None]).sum(axis=-1),
        "slack": lambda x: np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1),
        "personal": False,
        "outcomes": lambda: np.eye(3, dtype=int),
    }
    return Setting(**(declared | more))


def test_listed_outcomes_are_compared():
    types = [[F(3), F(2), F(0)], [F(0), F(2), F(3)]]
    found = mk.vcg(sites(), types)
    assert (found.value, found.bound, found.status) == (4, 4, solvers.Status.OPTIMAL)
    assert list(found.allocation) == [0, 1, 0]
    assert list(found.payments) == [1, 1]
    assert isinstance(found.value, F)
    batch = mk.optimum(sites(), np.array([types, types[::-1]], dtype=float))
    assert batch.value.tolist() == [4, 4]
    assert batch.allocation.tolist() == [[0, 1, 0]] * 2


def test_listed_outcomes_are_compared_in_blocks(monkeypatch):
    types = np.random.default_rng(1).random((50, 2, 3))
    whole = mk.vcg(sites(), types)
    monkeypatch.setattr(sys.modules[mk.optimum.__module__], "CELLS", 42)
    for found in (mk.vcg(sites(), types), mk.optimum(sites(), types)):
        np.testing.assert_array_equal(found.value, types.sum(axis=1).max(axis=-1))
        np.testing.assert_array_equal(found.allocation, whole.allocation)


def test_an_arithmetic_with_roots_is_solved_in_floats():
    rooted = sites(value=lambda types, x: np.sqrt((types * x[:, None]).sum(axis=-1)))
    found = mk.optimum(replace(rooted, outcomes=lambda: np.eye(3, dtype=int)[:1]), [[F(2)] * 3] * 2)
    assert found.value == pytest.approx(2 * 2**0.5)


def test_a_first_best_without_outcomes_is_a_number_without_an_allocation():
    setting = sites(outcomes=None, first_best=lambda types: np.max(types.sum(axis=1), axis=-1))
    found = mk.optimum(setting, [[3, 2, 0], [0, 2, 3]])
    assert (found.value, found.bound, found.allocation) == (4, 4, None)
    assert "no allocation" in found.notes[0]
    with pytest.raises(mk.InputError, match=r"sites: no exact optimum is known: give Setting"):
        mk.vcg(setting, [[3, 2, 0], [0, 2, 3]])


def test_nothing_to_solve_with_is_an_error_with_a_remedy():
    with pytest.raises(
        mk.InputError, match=r"sites: no exact optimum.*outcomes=, or a solver, Set"
    ):
        mk.optimum(sites(outcomes=None), np.zeros((2, 3)))
    with pytest.raises(mk.InputError, match=r"divisible .*no exact optimum is known"):
        mk.optimum(mk.divisible(2, utility=lambda t, x: np.sqrt(t * x[..., 0])), [1, 2])


def test_where_mixtures_gain_the_best_pure_outcome_is_no_optimum():
    hedged = sites(
        value=lambda types, x: (types * x[:, None] * (2 - x[:, None])).sum(axis=-1),
    )
    with pytest.raises(mk.InputError, match="a mixture of two outcomes is worth more"):
        mk.optimum(hedged, np.ones((2, 3)))
    with pytest.raises(mk.InputError, match="a mixture of two outcomes is worth more"):
        mk.vcg(hedged, np.ones((2, 3)))


def test_a_solver_of_one_s_own():
    def solve(types: np.ndarray, *, payments: bool, seconds: float | None) -> solvers.Optimum:
        found = solvers.multi_unit(types.sum(axis=-2)[..., None], 1)
        return found if seconds is None else replace(found, notes=(f"{seconds} s", f"{payments}"))

    found = mk.optimum(sites(solve=solve), [[3, 2, 0], [0, 2, 3]])
    assert (found.value, found.allocation.tolist()) == (4, [0, 1, 0])
    assert mk.vcg(sites(solve=solve), np.ones((7, 2, 3)), seconds=3).notes == ("3 s", "True")
    total = sites(solve=lambda types, **_: solvers.multi_unit(types.sum(axis=(0, 1))[:, None], 1))
    with pytest.raises(mk.InputError, match=r"solve returned value of shape \(\), expected \(7,\)"):
        mk.optimum(total, np.ones((7, 2, 3)))
    flat = sites(solve=lambda types, **_: solvers.multi_unit(types, 1))
    with pytest.raises(mk.InputError, match=r"solve returned allocation of shape \(2,\), expected"):
        mk.optimum(flat, [[3, 2, 0], [0, 0, 0]])
    with pytest.raises(mk.InputError, match=r"solve returned a float, expected a solvers\.Optimum"):
        mk.optimum(sites(solve=lambda types, **_: 3.0), np.ones((2, 3)))
    with pytest.raises(mk.InputError, match="solve = 3: expected a function"):
        sites(solve=3)


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([1, 2], r"types of shape \(2,\): expected \(3,\) for one profile .*, or \(batch, 3\)"),
        ([[[1, 2, 3]]], r"types of shape \(1, 1, 3\)"),
        ([[1, 2, 3], [1, 2]], r"types are ragged"),
        (["1", "2", "x"], r"types of dtype <U1: expected numbers"),
        ([1, 2, np.nan], r"types\[2\] = nan, of agent 2: expected a finite number"),
        ([[1, 2, 3], [1, np.inf, 3]], r"types\[1, 1\] = inf, of agent 1"),
        ([F(1), 2, None], r"types\[2\] = None: expected a finite number"),
        ([F(1), 2, float("nan")], r"types\[2\] = nan: expected a finite number"),
        ([F(1), 2, "x"], r"types of dtype|types\[2\] = 'x'"),
        ([1, 2, 3j], r"types of dtype complex128: expected numbers"),
        (None, r"types\[\] = None"),
        (np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), r"types are masked"),
        (5, r"types of shape \(\)"),
    ],
)
def test_types_that_are_none(types, message):
    for question in (mk.optimum, mk.vcg):
        with pytest.raises(mk.InputError, match=message):
            question(mk.single_item(3), types)


def test_what_else_is_refused():
    with pytest.raises(mk.InputError, match=r"unit 2 is worth 0\.5, more than unit 1 at"):
        mk.optimum(mk.multi_unit(1, 2, 2), [[0.25, 0.5]])
    with pytest.raises(mk.InputError, match="bundles: expected 0/1 with at least one item"):
        mk.optimum(mk.single_minded(1, 2), [[0.25, 0, 0]])
    with pytest.raises(mk.InputError, match="seconds = 0: expected a positive number"):
        mk.optimum(mk.single_item(1), [1], seconds=0)
    with pytest.raises(mk.InputError, match="expected a Setting"):
        mk.optimum("single item", [1])  # type: ignore[arg-type]
    endless = replace(mk.single_item(2), value=lambda types, x: x * np.log(types))
    with np.errstate(all="ignore"), pytest.raises(mk.InputError, match="welfare is not finite at"):
        mk.optimum(endless, [0.5, -1])


@pytest.mark.parametrize("size", [1e-9, 1e12, 1e300])
def test_values_outside_the_box_and_of_any_size(size):
    found = mk.vcg(mk.multi_unit(3, 2), [3 * size, 2 * size, size])
    assert found.value == pytest.approx(5 * size)
    assert found.payments == pytest.approx([size, size, 0])
    assert found.status is solvers.Status.OPTIMAL


def test_rationals_beyond_what_floats_hold():
    huge = F(10**400)
    types = np.array([[huge, F(1)], [huge + 1, F(2)]], dtype=object)
    for setting in (mk.additive(2, 2), mk.unit_demand(2, 2)):
        best = mk.vcg(setting, types)
        assert (best.status, best.gap) == ("optimal", 0)
        assert best.value == best.bound > huge
        assert solvers.check(best.certificate).exact
    sale = mk.vcg(mk.double_auction(1, 1), np.array([huge + 1, huge], dtype=object))
    assert (sale.value, sale.payments.tolist()) == (1, [huge, -huge - 1])


def test_no_profiles_of_many_items():
    setting = mk.single_minded(3, 10)
    best = mk.vcg(setting, np.zeros((0, 3, 11)))
    assert best.status == "optimal"
    assert best.value.shape == best.bound.shape == (0,)
    assert best.allocation.shape == (0, 3, 10)
    assert best.payments.shape == (0, 3)


def test_a_limit_that_is_no_number():
    with pytest.raises(mk.errors.InputError, match="seconds = 'soon': expected a positive number"):
        mk.optimum(mk.single_item(2), [1, 2], seconds="soon")
