"""Rules that carry their structure, against the mechanisms that theory says they are.

VCG on one item is the second-price auction, on assignment it is the brute force over permutations;
an affine maximiser with a boost for not selling has a reserve price, with weights it weighs bids.
The comparisons are plain loops over Fractions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mechkit as mk
from mechkit.errors import InputError
from mechkit.spaces import box
from proofs import exact, values

F = Fraction
EIGHTHS = st.integers(0, 8).map(lambda k: F(k, 8))
profiles_of_three = st.lists(EIGHTHS, min_size=3, max_size=3)


def run(mechanism: mk.Mechanism, profile: Any) -> tuple[Any, Any]:
    """The exact allocation and payments of one profile, as nested lists."""
    outcome = mk.play(mechanism, exact([profile]))
    return values(outcome.allocation * 1).tolist()[0], values(outcome.payments).tolist()[0]


# Groves and VCG -----------------------------------------------------------------------------------

ONE_ITEM = mk.Mechanism.groves(mk.single_item(3))


@settings(deadline=None)
@given(profiles_of_three)
def test_vcg_on_one_item_is_the_second_price_auction(profile: list[Fraction]) -> None:
    x, payments = run(ONE_ITEM, profile)
    assert sum(x) == (max(profile) > 0), "nobody wants it at 0, and the first outcome sells nothing"
    for i, own in enumerate(profile):
        rival = max(p for j, p in enumerate(profile) if j != i)
        if x[i]:
            assert own == max(profile)
            assert payments[i] == rival
        else:
            assert payments[i] == 0
            assert own <= rival or own == 0


def assigned(types: Any, allocation: Any) -> Fraction:
    return sum(
        (
            t * x
            for own, row in zip(types, allocation, strict=True)
            for t, x in zip(own, row, strict=True)
        ),
        F(0),
    )


def best_assignment(types: list[list[Fraction]]) -> Fraction:
    """The most that any matching of agents and items is worth: agents in every order, idle ones
    padded with worthless items."""
    agents = len(types)
    items = len(types[0]) if types else 0
    padded = [[*own, *[F(0)] * agents] for own in types]
    orders = itertools.permutations(range(items + agents), agents)
    return max(sum((padded[i][item] for i, item in enumerate(order)), F(0)) for order in orders)


ASSIGNMENT = mk.Mechanism.groves(mk.unit_demand(3, 2))
tables = st.lists(st.lists(EIGHTHS, min_size=2, max_size=2), min_size=3, max_size=3)


@settings(deadline=None)
@given(tables)
def test_vcg_on_assignment_agrees_with_all_permutations(types: list[list[Fraction]]) -> None:
    x, payments = run(ASSIGNMENT, types)
    best = best_assignment(types)
    assert assigned(types, x) == best
    for i in range(3):
        without = best_assignment([own for j, own in enumerate(types) if j != i])
        others = best - assigned([types[i]], [x[i]])
        assert payments[i] == without - others


def test_vcg_on_assignment_by_hand() -> None:
    # Agents 0 and 1 both prefer item 0; agent 2 is who they displace.
    types = [[F(9), F(5)], [F(8), F(2)], [F(1), F(3)]]
    x, payments = run(mk.Mechanism.groves(mk.unit_demand(3, 2, high=9)), types)
    assert x == [[0, 1], [1, 0], [0, 0]]
    # Welfare 13. Without 0: 8 + 3 = 11 against 8; without 1: 9 + 3 = 12 against 5; without 2: 13.
    assert payments == [3, 7, 0]


def test_vcg_trade_runs_a_deficit_of_the_gains() -> None:
    # Buyer at 3/4, seller at 1/4. Without the seller there is nothing to sell, without the buyer
    # nobody to buy it: the buyer pays 1/4 and the seller is paid 3/4.
    mechanism = mk.Mechanism.groves(mk.double_auction(1, 1))
    assert run(mechanism, [F(3, 4), F(1, 4)]) == ([1, 1], [F(1, 4), -F(3, 4)])
    assert run(mechanism, [F(1, 4), F(3, 4)]) == ([0, 0], [0, 0])


@settings(deadline=None)
@given(st.lists(EIGHTHS, min_size=4, max_size=4))
def test_vcg_on_a_market_pays_each_its_marginal_product(profile: list[Fraction]) -> None:
    x, payments = run(mk.Mechanism.groves(mk.double_auction(2, 2)), profile)

    def gains(values_: list[Fraction], costs: list[Fraction]) -> Fraction:
        pairs = zip(sorted(values_, reverse=True), sorted(costs), strict=False)
        return sum((max(v - c, F(0)) for v, c in pairs), F(0))

    best = gains(profile[:2], profile[2:])
    for i in range(4):
        own = profile[i] * x[i] * (1 if i < 2 else -1)
        without = gains(
            [v for j, v in enumerate(profile[:2]) if j != i],
            [c for j, c in enumerate(profile[2:], start=2) if j != i],
        )
        assert own - payments[i] == best - without


def test_the_pivot_on_a_public_project_taxes_who_decides() -> None:
    # Shares of 1/2. Values 9/10, 1/5: net 2/5 and −3/10. Only the first is pivotal, and pays 3/10.
    mechanism = mk.Mechanism.groves(mk.public_project(2, 1))
    assert run(mechanism, [F(9, 10), F(1, 5)]) == (1, [F(3, 10), 0])
    assert run(mechanism, [F(9, 10), F(3, 5)]) == (1, [0, 0])
    # Net 1/5 and −3/10: the second stops it, and pays the 1/5 that the first loses.
    assert run(mechanism, [F(7, 10), F(1, 5)]) == (0, [0, F(1, 5)])


def test_vcg_on_bundles() -> None:
    # Types are worth (A, B, AB). AB at 10 beats A at 9 alone; A at 9 and B at 9 beat it for 1 each.
    mechanism = mk.Mechanism.groves(mk.combinatorial(2, 2, high=10))
    assert run(mechanism, [[0, 0, 10], [9, 0, 9]]) == ([[1, 1], [0, 0]], [9, 0])
    three = mechanism.resized(3)
    assert run(three, [[0, 0, 10], [9, 0, 9], [0, 9, 9]]) == (
        [[0, 0], [1, 0], [0, 1]],
        [0, 1, 1],
    )


@settings(deadline=None)
@given(profiles_of_three)
def test_h_shifts_payments_and_not_the_allocation(profile: list[Fraction]) -> None:
    def nothing(reports: Any, i: int) -> Any:
        return np.zeros_like(reports[:, 0])

    def rivals(reports: Any, i: int) -> Any:
        return 2 * (reports.sum(axis=-1) - reports[:, i])

    x, clarke = run(ONE_ITEM, profile)
    for h, term in (
        (nothing, lambda i: F(0)),
        (rivals, lambda i: 2 * sum(p for j, p in enumerate(profile) if j != i)),
    ):
        same, payments = run(mk.Mechanism.groves(mk.single_item(3), h=h), profile)
        assert same == x
        for i in range(3):
            others = sum(p * q for j, (p, q) in enumerate(zip(profile, x, strict=True)) if j != i)
            assert payments[i] == term(i) - others
            pivot = max(p for j, p in enumerate(profile) if j != i)
            assert clarke[i] == pivot - others


# Affine maximisers --------------------------------------------------------------------------------

NOBODY_FIRST = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@settings(deadline=None)
@given(profiles_of_three, EIGHTHS)
def test_a_boost_for_keeping_the_item_is_a_reserve_price(
    profile: list[Fraction], reserve: Fraction
) -> None:
    mechanism = mk.Mechanism.affine_maximiser(
        mk.single_item(3), outcomes=NOBODY_FIRST, boosts=[float(reserve), 0, 0, 0]
    )
    x, payments = run(mechanism, profile)
    sold = max(profile) > reserve
    winner = profile.index(max(profile))
    assert x == [int(sold and i == winner) for i in range(3)]
    price = max(reserve, sorted(profile)[-2])
    assert payments == [price * q for q in x]


@settings(deadline=None)
@given(profiles_of_three)
def test_weights_weigh_bids(profile: list[Fraction]) -> None:
    weights = [F(2), F(1), F(1, 2)]
    mechanism = mk.Mechanism.affine_maximiser(
        mk.single_item(3), weights=[float(w) for w in weights], outcomes=NOBODY_FIRST
    )
    x, payments = run(mechanism, profile)
    scores = [w * p for w, p in zip(weights, profile, strict=True)]
    winner = scores.index(max(scores))
    assert x == [int(i == winner and max(scores) > 0) for i in range(3)]
    expected = [
        max(s for j, s in enumerate(scores) if j != i) / weights[i] * x[i] for i in range(3)
    ]
    assert payments == expected


@settings(deadline=None)
@given(profiles_of_three, st.lists(st.integers(-4, 4), min_size=4, max_size=4))
def test_weights_and_boosts_by_the_formula(profile: list[Fraction], boosts: list[int]) -> None:
    weights = [3, 1, 2]
    mechanism = mk.Mechanism.affine_maximiser(
        mk.single_item(3), weights=weights, outcomes=NOBODY_FIRST, boosts=boosts
    )
    x, payments = run(mechanism, profile)

    def score(outcome: list[int], c: int, out: int | None = None) -> Fraction:
        terms = zip(weights, profile, outcome, strict=True)
        return sum((w * p * q for j, (w, p, q) in enumerate(terms) if j != out), F(c))

    scores = [score(o, c) for o, c in zip(NOBODY_FIRST, boosts, strict=True)]
    chosen = scores.index(max(scores))
    assert x == NOBODY_FIRST[chosen]
    for i, weight in enumerate(weights):
        pivot = max(score(o, c, i) for o, c in zip(NOBODY_FIRST, boosts, strict=True))
        assert payments[i] == (pivot - score(x, boosts[chosen], i)) / weight


def test_structure_says_what_the_rules_are() -> None:
    structure = ONE_ITEM.structure
    assert structure is not None
    assert structure["kind"] == "affine maximiser"
    assert structure["h"] == "Clarke pivot"
    assert structure["weights"].tolist() == [1, 1, 1]
    assert structure["boosts"].tolist() == [0] * 4
    posted = mk.Mechanism.posted(mk.single_item(2), 0.5).structure
    assert posted is not None
    assert (posted["kind"], posted["prices"].tolist()) == ("posted", [0.5, 0.5])


# Posted prices and thresholds ---------------------------------------------------------------------


@settings(deadline=None)
@given(profiles_of_three, profiles_of_three, st.integers(1, 3))
def test_posted_prices_are_offered_in_turn_while_units_last(
    profile: list[Fraction], prices: list[Fraction], units: int
) -> None:
    mechanism = mk.Mechanism.posted(mk.multi_unit(3, units), [float(p) for p in prices])
    x, payments = run(mechanism, profile)
    left = units
    for i in range(3):
        buys = left > 0 and profile[i] >= prices[i]
        left -= buys
        assert x[i] == buys
        assert payments[i] == (prices[i] if buys else 0)


@settings(deadline=None)
@given(profiles_of_three, st.booleans())
def test_a_threshold_sees_the_others_only(profile: list[Fraction], strict: bool) -> None:
    seen: list[int] = []

    def threshold(others: Any, i: int) -> Any:
        seen.append(i)
        assert others.shape == (1, 2)
        return np.max(others, axis=-1) / (i + 1)

    x, payments = run(
        mk.Mechanism.threshold(mk.multi_unit(3, 3), threshold, strict=strict), profile
    )
    assert sorted(set(seen)) == [0, 1, 2]
    for i, own in enumerate(profile):
        t = max(p for j, p in enumerate(profile) if j != i) / (i + 1)
        wins = own > t if strict else own >= t
        assert x[i] == wins
        assert payments[i] == (t if wins else 0)


def test_the_highest_rival_as_a_threshold_is_the_second_price_auction() -> None:
    mechanism = mk.Mechanism.threshold(
        mk.single_item(3), lambda others, i: np.max(others, axis=-1), strict=True
    )
    for profile in itertools.permutations([F(1, 4), F(1, 2), F(1)]):
        assert run(mechanism, list(profile)) == run(ONE_ITEM, list(profile))
    assert run(mechanism, [F(1, 2), F(1, 2), F(0)]) == ([0, 0, 0], [0, 0, 0]), "a tie: no sale"


def test_one_unit_less_than_agents() -> None:
    mechanism = mk.Mechanism.posted(mk.multi_unit(3, 2), 0)
    assert run(mechanism, [F(0), F(0), F(1)])[0] == [1, 1, 0]


# Sizes and mistakes -------------------------------------------------------------------------------


def test_what_serves_any_number_is_resized() -> None:
    assert run(ONE_ITEM.resized(2), [F(1, 4), F(1, 2)]) == ([0, 1], [0, F(1, 4)])
    posted = mk.Mechanism.posted(mk.single_item(3), 0.5, name="take it").resized(2)
    assert run(posted, [F(1, 4), F(3, 4)]) == ([0, 1], [0, F(1, 2)])
    assert posted.name == "take it"
    threshold = mk.Mechanism.threshold(
        mk.multi_unit(3, 3), lambda others, i: np.min(others, axis=-1)
    )
    assert run(threshold.resized(2), [F(1), F(1, 2)]) == ([1, 0], [F(1, 2), 0])


FIXED = {
    "prices": lambda: mk.Mechanism.posted(mk.single_item(2), [0.25, 0.5]),
    "weights": lambda: mk.Mechanism.affine_maximiser(mk.single_item(2), weights=[1, 2]),
    "boosts": lambda: mk.Mechanism.affine_maximiser(mk.single_item(2), boosts=[0, 1, 2]),
    "outcomes": lambda: mk.Mechanism.groves(mk.single_item(2), outcomes=[[0, 1]]),
}


@pytest.mark.parametrize("make", FIXED.values(), ids=FIXED)
def test_what_was_given_per_agent_is_not(make: Callable[[], mk.Mechanism]) -> None:
    with pytest.raises(InputError, match=r"own number of agents.*rebuild="):
        make().resized(3)


PUBLIC = mk.single_item(2).with_public(scale=box(1))


def reported_elsewhere() -> mk.Setting:
    plain = mk.single_item(2)
    return mk.Setting(
        name="elsewhere",
        types=box(2),
        allocation_shape=(2,),
        value=plain.value,
        slack=plain.slack,
        reports=box(2, high=2),
        truthful=lambda types: 2 * types,
        outcomes=plain.outcomes,
    )


MISTAKES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "no list": (
        lambda: mk.Mechanism.groves(mk.divisible(2)),
        ("does not list its outcomes", "outcomes=", "(k, 2, 1)"),
    ),
    "outcome shapes": (
        lambda: mk.Mechanism.groves(mk.single_item(2), outcomes=[[1, 0, 0]]),
        ("(1, 3)", "expected (k, *(2,))"),
    ),
    "no outcomes": (
        lambda: mk.Mechanism.groves(mk.single_item(2), outcomes=np.zeros((0, 2))),
        ("(0, 2)", "k ≥ 1"),
    ),
    "infeasible": (
        lambda: mk.Mechanism.groves(mk.single_item(2), outcomes=[[0, 1], [1, 1]]),
        ("outcome 1 is infeasible", "[1, 1]", "remove it"),
    ),
    "zero weight": (
        lambda: mk.Mechanism.affine_maximiser(mk.single_item(2), weights=[1, 0]),
        ("weights = [1, 0]", "2 positive numbers"),
    ),
    "weights": (
        lambda: mk.Mechanism.affine_maximiser(mk.single_item(2), weights=[1]),
        ("weights = [1]", "2 positive numbers"),
    ),
    "boosts": (
        lambda: mk.Mechanism.affine_maximiser(mk.single_item(2), boosts=[1, 2]),
        ("(2,)", "expected (3,)"),
    ),
    "public": (lambda: mk.Mechanism.groves(PUBLIC), ("single item", "public")),
    "reports": (lambda: mk.Mechanism.groves(reported_elsewhere()), ("reports must be types",)),
    "posted trade": (
        lambda: mk.Mechanism.posted(mk.double_auction(1, 1), 0.5),
        ("Mechanism.posted", "unit-demand", "single_item(agents)", "double auction"),
    ),
    "posted positions": (
        lambda: mk.Mechanism.posted(mk.positions(2, [1]), 0.5),
        ("Mechanism.posted", "positions"),
    ),
    "posted items": (
        lambda: mk.Mechanism.posted(mk.additive(2, 2), 0.5),
        ("Mechanism.posted", "additive"),
    ),
    "threshold items": (
        lambda: mk.Mechanism.threshold(mk.public_project(2, 1), lambda others, i: others[:, 0]),
        ("Mechanism.threshold", "public project"),
    ),
    "price list": (
        lambda: mk.Mechanism.posted(mk.single_item(3), [0.5, 0.5]),
        ("prices", "(2,)", "3"),
    ),
    "posted to the public": (lambda: mk.Mechanism.posted(PUBLIC, 0.5), ("public",)),
    "a threshold in public": (
        lambda: mk.Mechanism.threshold(PUBLIC, lambda others, i: others[:, 0]),
        ("public",),
    ),
}


@pytest.mark.parametrize(("attempt", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_value_expectation_and_remedy(
    attempt: Callable[[], Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        attempt()
    for part in parts:
        assert part in str(caught.value)
