"""The first best of every setting against plain enumeration: floats, rationals, symbols, ties.

What is enumerated is written here from the definitions, agents and sets in Python loops over
Fractions; types are drawn from few numbers, negative ones among them, so that ties are frequent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

import mechkit as mk
from mechkit.constructors import common
from mechkit.errors import InputError
from mechkit.first_best import MOST, best_outcome, first_best, unknown
from mechkit.mechanism import examine, play, refuse_contradictions
from mechkit.settings import Lottery, Setting
from mechkit.spaces import box
from proofs import Symbolic, exact, symbols, values
from tests.oracle_properties import possible
from tests.rules import highest, pay_second
from tests.symbolic_profiles import Run, unknowns

Types = list[Any]

# Enumeration --------------------------------------------------------------------------------------


def owners(agents: int, items: int) -> Iterator[list[set[int]]]:
    """Who holds which items: every item with one agent or with nobody."""
    for to in itertools.product((*range(agents), None), repeat=items):
        yield [{k for k in range(items) if to[k] == i} for i in range(agents)]


def sets(people: range, size: int) -> Iterator[tuple[int, ...]]:
    for k in range(size + 1):
        yield from itertools.combinations(people, k)


def units(k: int) -> Callable[[Types], F]:
    return lambda t: max(sum((t[i] for i in w), F(0)) for w in sets(range(len(t)), k))


def marginals(k: int) -> Callable[[Types], F]:
    def best(t: Types) -> F:
        counts = itertools.product(range(len(t[0]) + 1), repeat=len(t))
        return max(
            sum((sum(row[:c], F(0)) for row, c in zip(t, count, strict=True)), F(0))
            for count in counts
            if sum(count) <= k
        )

    return best


def slots(rates: list[Any]) -> Callable[[Types], F]:
    def best(t: Types) -> F:
        places = itertools.product((*range(len(rates)), None), repeat=len(t))
        return max(
            sum((v * rates[p] for v, p in zip(t, place, strict=True) if p is not None), F(0))
            for place in places
            if len(taken := [p for p in place if p is not None]) == len(set(taken))
        )

    return best


def market(buyers: int) -> Callable[[Types], F]:
    def best(t: Types) -> F:
        both = range(buyers), range(buyers, len(t))
        return max(
            sum((t[i] for i in b), F(0)) - sum(t[j] for j in s)
            for b in sets(both[0], buyers)
            for s in sets(both[1], len(both[1]))
            if len(b) == len(s)
        )

    return best


def items(t: Types) -> F:
    held = owners(len(t), len(t[0]))
    return max(sum((t[i][k] for i, h in enumerate(own) for k in h), F(0)) for own in held)


def one_item_each(t: Types) -> F:
    held = (own for own in owners(len(t), len(t[0])) if max(map(len, own)) <= 1)
    return max(sum((t[i][k] for i, h in enumerate(own) for k in h), F(0)) for own in held)


def wanted(t: Types) -> F:
    asks = [(row[0], {k for k, bit in enumerate(row[1:]) if bit}) for row in t]
    held = owners(len(t), len(t[0]) - 1)
    return max(
        sum((v for (v, s), h in zip(asks, own, strict=True) if s <= h), F(0)) for own in held
    )


def known(bundles: list[list[int]]) -> Callable[[Types], F]:
    return lambda t: wanted([[v, *row] for v, row in zip(t, bundles, strict=True)])


def bundles(t: Types) -> F:
    def worth(row: list[F], held: set[int]) -> F:
        inside = [v for b, v in enumerate(row, 1) if all(k in held for k in (0, 1) if b >> k & 1)]
        return max([F(0), *inside])

    return max(sum(map(worth, t, own)) for own in owners(len(t), 2))


def project(cost: F) -> Callable[[Types], F]:
    return lambda t: max(F(0), sum(t) - cost)


def alone(t: Types) -> F:
    return items([[v] for v in t])


LOCALS = [[1, 0], [0, 1], [1, 1]]
CASES: dict[str, tuple[Setting, Callable[[Types], F]]] = {
    "item": (mk.single_item(3), units(1)),
    "item, negative values": (mk.single_item(3, low=-1), units(1)),
    "item, one bidder": (mk.single_item(1, low=-1), units(1)),
    "two units": (mk.multi_unit(4, 2, low=-1), units(2)),
    "more units than bidders": (mk.multi_unit(2, 5), units(5)),
    "marginals": (mk.multi_unit(3, 3, demand=2, low=-1), marginals(3)),
    "marginals, one unit": (mk.multi_unit(2, 1, demand=3), marginals(1)),
    "marginals, ample": (mk.multi_unit(2, 9, demand=2, low=-1), marginals(9)),
    "positions": (mk.positions(3, [4, 1], low=-1), slots([4, 1])),
    "positions to spare": (mk.positions(2, [1, F(1, 3), 0]), slots([1, F(1, 3), 0])),
    "one position for many": (mk.positions(4, [2], low=-1), slots([2])),
    "market": (mk.double_auction(2, 2), market(2)),
    "market, many sellers": (mk.double_auction(1, 3, low=-1), market(1)),
    "market, many buyers": (mk.double_auction(3, 1, low=-1), market(3)),
    "additive": (mk.additive(3, 2, low=-1), items),
    "unit demand": (mk.unit_demand(3, 2, low=-1), one_item_each),
    "unit demand, items to spare": (mk.unit_demand(2, 3), one_item_each),
    "single-minded": (mk.single_minded(3, 2, low=-1), wanted),
    "known bundles": (mk.single_minded(3, 2, LOCALS, low=-1), known(LOCALS)),
    "combinatorial": (mk.combinatorial(2, 2, low=-1), bundles),
    "resource": (mk.divisible(3, low=-1), alone),
    "resources": (mk.divisible(2, 2, low=-1), items),
    "project": (mk.public_project(3, F(3, 2)), project(F(3, 2))),
    "project, cost in thirds": (mk.public_project(3, 1), project(F(1))),
    "project for free": (mk.public_project(2, 0, low=-1), project(F(0))),
}
case = pytest.mark.parametrize("name", CASES)
LEVELS = (F(-1), F(-1, 2), F(0), F(1, 4), F(1, 2), F(1))


@st.composite
def profiles(draw: st.DrawFn, setting: Setting) -> np.ndarray:
    """One profile of a setting's types, Fractions (agents, *coordinates)."""
    space = setting.types
    inside = [x for x in LEVELS if x >= space.low.min()]
    rows = []
    for _ in range(setting.agents):
        row = draw(st.lists(st.sampled_from(inside), min_size=space.size, max_size=space.size))
        if "demand" in setting.name and "unit demand" not in setting.name:
            row = sorted(row, reverse=True)
        if space.levels is not None:  # what a single-minded bidder wants
            wants = draw(st.integers(1, 2 ** (space.size - 1) - 1))
            row = [row[0], *(F(wants >> k & 1) for k in range(space.size - 1))]
        rows.append(row)
    found = np.empty((setting.agents, space.size), dtype=object)
    found[:] = rows
    return found.reshape(space.shape)


@case
@given(data=st.data())
@limits(max_examples=60, deadline=None)
def test_it_is_the_best_of_all_that_can_be_done(name: str, data: st.DataObject) -> None:
    setting, enumerated = CASES[name]
    assert unknown(setting) is None
    types = data.draw(profiles(setting))
    best = enumerated(types.tolist())
    assert values(first_best(setting, exact(types[None]), {})).tolist() == [best]
    floats = first_best(setting, types[None].astype(float), {})
    np.testing.assert_allclose(floats, [float(best)], atol=1e-12)


@case
def test_symbols_agree_at_every_profile(name: str) -> None:
    """Ties, negative types and markets without a trade among the numbers put in."""
    setting, enumerated = CASES[name]
    unknown_types = symbols("x", (1, *setting.types.shape), algebra=Symbolic())
    run = Run(first_best(setting, unknown_types, {}), unknown_types.algebra)

    @given(data=st.data())
    @limits(max_examples=30, deadline=None)
    def agrees(data: st.DataObject) -> None:
        types = data.draw(profiles(setting))
        assert run.at(unknowns(unknown_types, types)) == [enumerated(types.tolist())]

    agrees()


@case
def test_mixtures_and_fractions_reach_no_more(name: str) -> None:
    setting, _ = CASES[name]
    rng = np.random.default_rng(5)
    pure = possible(setting)
    weights = rng.dirichlet(np.full(3, 0.5), size=500)
    picks = pure[rng.integers(len(pure), size=(500, 3))]
    mixed = np.einsum("rk,rk...->r...", weights, picks)
    ok = setting.feasible(mixed)
    assert ok.any()
    types = setting.sample(rng, 500)
    reached = setting.value(types, mixed).sum(axis=-1)
    assert (reached <= first_best(setting, types, {}) + 1e-9)[ok].all()


@case
def test_the_best_outcome_attains_it(name: str) -> None:
    setting, _ = CASES[name]
    types = setting.sample(np.random.default_rng(2), 1)
    best = best_outcome(setting, types, {})
    if setting.outcomes is None:
        assert best is None
    else:
        assert setting.feasible(best[None]).all()
        reached = setting.value(types, best[None]).sum(axis=-1).astype(float)
        np.testing.assert_allclose(reached, first_best(setting, types, {}))


# A declaration that goes with its setting ---------------------------------------------------------


def test_what_is_replaced_takes_its_optimum_along() -> None:
    setting = mk.divisible(3)
    assert unknown(setting) is None
    assert unknown(replace(setting, resize=None)) is None
    assert unknown(setting.resized(5)) is None
    roots = replace(
        setting, value=lambda types, x: types * np.sqrt(x[..., 0]), joint_value=None, quantity=None
    )
    assert "first_best=" in str(unknown(roots))
    assert "first_best=" in str(
        unknown(mk.divisible(3, utility=lambda types, x: types * x[..., 0]))
    )
    # Σ θ_i √x_i with Σ x_i = 1 is √(Σ θ_i²) at best (Cauchy and Schwarz).
    given_anew = replace(roots, first_best=lambda types: np.sqrt((types * types).sum(axis=-1)))
    assert first_best(given_anew, np.array([[0.6, 0.8, 0]]), {}) == pytest.approx([1])
    refuse(given_anew, lambda r: (r * 0 + 1 / 3)[..., None])


def test_public_arrays_are_passed_on() -> None:
    plain = mk.single_item(2).with_public(coin=Lottery(draws=[0, 1]))
    types = np.array([[0.25, 0.5]])
    assert first_best(plain, types, {"coin": np.array([1])}) == [0.5]
    assert first_best(plain.resized(3), np.array([[0, 0, 1.0]]), {"coin": np.array([0])}) == [1]

    def doubled(types: Any, x: Any, *, public: Any) -> Any:
        return types * x * (1 + public["coin"])[..., None]

    def best(types: Any, *, public: Any) -> Any:
        return np.max(types, axis=-1) * (1 + public["coin"])

    seen = replace(plain, value=doubled, first_best=best)
    assert first_best(seen, types, {"coin": np.array([1])}) == [1]
    # Without a declaration the listed outcomes tell.
    listed = replace(plain, value=doubled)
    assert unknown(listed) is None
    assert first_best(listed, types, {"coin": np.array([1])}) == [1]


def refuse(setting: Setting, allocate: Any = highest) -> None:
    types = setting.sample(np.random.default_rng(1), 8)
    mechanism = mk.Mechanism(setting, allocate, lambda r, x: r * 0)
    refuse_contradictions(play(mechanism, types), types)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda types: np.min(types, axis=-1), "the rule's own allocation"),
        (lambda types: types.sum(axis=-1), r"the best of outcomes\(\) reaches only"),
        (lambda types: types, r"shape \(8, 3\) for 8 profiles, expected \(8,\)"),
    ],
)
def test_an_optimum_that_contradicts_the_values_is_refused(wrong: Any, told: str) -> None:
    refuse(mk.single_item(3))
    with pytest.raises(InputError, match=told):
        refuse(replace(mk.single_item(3), first_best=wrong))
    with pytest.raises(InputError, match="expected a function"):
        replace(mk.single_item(3), first_best=0.5)


def test_an_optimum_below_what_is_listed_is_refused_though_the_rule_does_nothing() -> None:
    low = replace(mk.single_item(2), first_best=lambda types: np.zeros_like(types[:, 0]))
    with pytest.raises(
        InputError, match=r"at the types \[.*\] first_best is 0, and one of outcomes"
    ):
        refuse(low, lambda r: r * 0)
    with pytest.raises(InputError, match="first_best"):
        mk.verify(mk.Mechanism(low, highest, pay_second), "ic", evaluations=1000)


def test_settings_of_which_no_optimum_is_known_say_so() -> None:
    item = mk.single_item(2)
    assert "outcomes=" in str(unknown(replace(item, first_best=None, outcomes=None)))
    roots = replace(item, value=lambda types, x: types * np.sqrt(x * 1.0))
    assert "a mixture" in str(unknown(roots))
    tight = replace(item, slack=lambda x: 0.5 - x * 1.0)
    assert "outcome 1 is infeasible" in str(unknown(tight))
    assert f"{MOST} outcomes at most" in str(unknown(mk.unit_demand(6, 6)))
    report = mk.verify(mk.Mechanism(roots, highest, pay_second), "efficient ir", evaluations=1000)
    assert "a mixture" in report["efficient"].reason
    assert "efficient" not in [v.property for v in report.refuted]


def test_an_incomplete_list_of_outcomes_is_refused() -> None:
    never_second = replace(
        mk.single_item(2), first_best=None, outcomes=lambda: np.array([[0, 0], [1, 0]])
    )
    with pytest.raises(InputError, match=r"the best of outcomes\(\) is"):
        refuse(never_second)


# Lists of outcomes --------------------------------------------------------------------------------


def test_outcomes_are_listed_in_lexicographic_order() -> None:
    for agents, m, total in itertools.product(range(1, 5), range(1, 4), range(1, 4)):
        rows = itertools.product(range(m + 1), repeat=agents)
        counted = [list(r) for r in rows if sum(r) <= total]
        assert common.sums(agents, m, total).tolist() == counted
        rows = itertools.product((0, 1), repeat=agents + m)
        even = [list(r) for r in rows if sum(r[:agents]) == sum(r[agents:])]
        assert common.balanced(agents, m).tolist() == even
        choices = itertools.product(range(m + 1), repeat=agents)
        pairs = [
            [[int(c == k) for k in range(m)] for c in choice]
            for choice in choices
            if len(taken := [c for c in choice if c < m]) == len(set(taken))
        ]
        assert common.matchings(agents, m).tolist() == pairs


@pytest.mark.parametrize(
    "setting",
    [
        mk.unit_demand(60, 60),
        mk.double_auction(40, 40),
        mk.additive(30, 30),
        mk.multi_unit(100, 50, 5),
        mk.single_minded(40, 20),
    ],
    ids=lambda setting: setting.name,
)
def test_what_is_too_much_to_list_is_refused_at_once(setting: Setting) -> None:
    with pytest.raises(InputError, match="too many to list"):
        setting.outcomes()  # type: ignore[misc]


def test_a_crowd_has_its_closed_form() -> None:
    setting = mk.double_auction(500, 500)
    types = np.concatenate([np.linspace(0, 1, 500), np.linspace(0, 1, 500)])[None]
    # The k-th highest value 1 − k/499 meets the k-th lowest cost k/499 while k ≤ 249.
    gains = sum(1 - 2 * k / 499 for k in range(250))
    assert first_best(setting, types, {}) == pytest.approx([gains])
    outcome = examine(
        mk.Mechanism(setting, lambda r: r * 0, lambda r, x: r * 0), types.repeat(8, axis=0), {}
    )
    refuse_contradictions(outcome, types.repeat(8, axis=0))


def test_reports_that_are_not_types_change_nothing() -> None:
    setting = Setting(
        name="half bids",
        types=box(2),
        allocation_shape=(2,),
        value=lambda types, x: types * x,
        slack=lambda x: np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1),
        reports=box(2, high=0.5),
        truthful=lambda types: types / 2,
        first_best=lambda types: np.max(types, axis=-1),
    )
    sale = mk.Mechanism(setting, highest, lambda r, x: r * 0)
    assert mk.verify(sale, "efficient", evaluations=5000)["efficient"].status is mk.Status.UNREFUTED
