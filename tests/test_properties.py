"""The margins of properties: sign and size at instances worked out by hand, and what applies where.

Every property is met once where it fails and once where it holds, with the exact margin of the
textbook example.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.catalogue import entry_of
from mechkit.errors import InputError
from mechkit.properties import PROPERTIES, select
from mechkit.spaces import box
from tests.margins import by, joins, margin, names, pair, turns

F = Fraction

# Rules --------------------------------------------------------------------------------------------


def top(reports: Any) -> Any:
    return np.arange(reports.shape[-1]) == np.argmax(reports, axis=-1)[..., None]


def bottom(reports: Any) -> Any:
    return np.arange(reports.shape[-1]) == np.argmin(reports, axis=-1)[..., None]


def everybody(reports: Any) -> Any:
    return reports >= 0


def second(reports: Any, allocation: Any) -> Any:
    return allocation * np.sort(reports, axis=-1)[..., -2:-1]


def bid(reports: Any, allocation: Any) -> Any:
    return allocation * reports


def all_bids(reports: Any, allocation: Any) -> Any:
    return reports


def nothing(reports: Any, allocation: Any) -> Any:
    return np.zeros_like(reports[..., 0]) if reports.ndim > 2 else np.zeros_like(reports)


def dictator(reports: Any) -> Any:
    return (reports >= 0) & (np.arange(reports.shape[-1]) == 0)


def midpoint(high: int) -> mk.Mechanism:
    """One buyer and one seller trade at the middle of bid and ask."""

    def outcome(reports: Any) -> tuple[Any, Any]:
        trade = (reports[:, :1] >= reports[:, 1:]) & (reports >= 0)
        return trade, trade * reports.sum(axis=-1, keepdims=True) / 2 * np.array([1, -1])

    return mk.Mechanism.from_outcome(mk.double_auction(1, 1, high=high), outcome)


def generalised_second_price() -> mk.Mechanism:
    rates = np.array([200, 199])

    def allocate(reports: Any) -> Any:
        rank = np.argsort(np.argsort(-reports, axis=-1, kind="stable"), axis=-1, kind="stable")
        return rank[..., None] == np.arange(2)

    def pay(reports: Any, allocation: Any) -> Any:
        prices = -np.sort(-reports, axis=-1)[..., 1:3]
        return (allocation * (rates * prices)[:, None, :]).sum(axis=-1)

    return mk.Mechanism(mk.positions(3, [200, 199], high=10), allocate, pay)


def common_value(extra: Fraction) -> mk.Mechanism:
    """Each cares for half of the other's signal; the winner pays the other's, and extra."""
    setting = mk.Setting(
        name="interdependent",
        types=box(2),
        allocation_shape=(2,),
        value=lambda types, x: (types + types[:, ::-1] / 2) * x,
        slack=lambda x: 1 - x.sum(axis=-1, keepdims=True),
        interdependent=True,
    )
    return mk.Mechanism(setting, top, lambda r, x: x * r[:, ::-1] * (1 + float(extra)))


def next_item(reports: Any) -> Any:
    """The one agent gets the item before its favourite, cyclically."""
    favourite = np.arange(3) == np.argmax(reports, axis=-1)[..., None]
    return favourite[..., [1, 2, 0]]


def sold_if(test: Callable[[Any], Any]) -> mk.Mechanism:
    return mk.Mechanism(mk.additive(1, 1), test, nothing)


def item(pay: Callable[..., Any], allocate: Callable[..., Any] = top, **more: Any) -> mk.Mechanism:
    return mk.Mechanism(mk.single_item(2, **more), allocate, pay)


TWO = mk.Mechanism(mk.multi_unit(2, 2), everybody, bid)
VCG_ITEMS = mk.Mechanism.groves(mk.combinatorial(2, 2, high=10))
VCG_ITEMS_3 = VCG_ITEMS.resized(3)
VCG_TRADE = mk.Mechanism.groves(mk.double_auction(1, 1))
POSTED = mk.Mechanism.posted(mk.multi_unit(2, 2), [0.25, 0.75])
RESERVE = item(nothing, lambda r: top(r) & (r >= 0.5))
SECOND, FIRST, ALL_PAY = item(second), item(bid), item(all_bids)
SECOND_3 = mk.Mechanism(mk.single_item(3), top, second)
FREE = mk.Mechanism.groves(mk.single_item(2), h=lambda reports, i: np.zeros_like(reports[:, 0]))
MCAFEE = entry_of("mcafee").make().resized({"buyer": 4, "seller": 4})
MARKET = [F(k, 10) for k in (9, 8, 7, 4, 2, 3, 4, 5)]
HALF, QUARTER, MOST = F(1, 2), F(1, 4), F(3, 4)
AB_AT_9, AB_AT_10, A_AT_10, B_AT_10 = [0, 0, 9], [0, 0, 10], [10, 0, 10], [0, 10, 10]


def second_bidder(reports: Any) -> Any:
    """The first agent wins if the second reports anything; nobody's own report matters."""
    return (np.arange(3) == 0) & (reports[:, 1:2] > 0)


def finite(pay: Callable[..., Any], prior: Any = None) -> mk.Mechanism:
    return item(pay, levels=(0, 1), prior=prior)


FINITE_FIRST, FINITE_SECOND, FINITE_ALL_PAY = finite(bid), finite(second), finite(all_bids)
WEIGHTED = finite(bid, (F(1, 3), F(2, 3)))
FEE = mk.Mechanism(mk.single_item(3), second_bidder, lambda r, x: r * np.array([0, 0, 1]))
GSP, MIDPOINT = generalised_second_price(), midpoint(100)
BRAND = item(nothing, roles=("performance", "brand"))
TWICE, GIFT, LOWEST = item(nothing, everybody), item(nothing, dictator), item(nothing, bottom)
CYCLIC = mk.Mechanism(mk.additive(1, 3), next_item, nothing)
CYCLE = [[HALF, MOST, 0], [0, HALF, MOST], [MOST, 0, HALF]]
LOWER, HIGHER = sold_if(lambda r: r < 0.5), sold_if(lambda r: r >= 0.5)
SECOND_INTER, VICKREY_INTER = common_value(F(0)), common_value(HALF)


EXAMPLES: dict[str, list[tuple[str, mk.Mechanism, Any, Any, dict[str, Any]]]] = {
    "feasible": [
        ("one item sold twice", TWICE, -1, [0, 1], {}),
        ("one item sold once", SECOND, 0, [0, 1], {}),
    ],
    "ir": [
        ("a loser pays its bid", ALL_PAY, -HALF, [1, HALF], {}),
        ("second price is ir", SECOND, 0, [1, HALF], {}),
        ("McAfee is ir", MCAFEE, 0, MARKET, {}),
    ],
    "ic": [
        ("first price, lying 0", FIRST, -1, [1, 0], by(0, 0)),
        ("second price, lying 0", SECOND, 0, [1, 0], by(0, 0)),
        ("second price, overbidding", SECOND, QUARTER, [HALF, MOST], by(0, 1)),
        ("generalised second price: 1200 against 1592", GSP, -392, [10, 4, 2], by(0, 3)),
        ("midpoint: 10 against 20", MIDPOINT, -10, [50, 30], by(0, 30)),
        ("midpoint, the seller", MIDPOINT, -10, [50, 30], by(1, 50)),
        ("McAfee, shading", MCAFEE, F(25, 100), MARKET, by(2, 0.4)),
    ],
    "ex_post_nash": [
        ("second price, own signal", SECOND_INTER, -F(3, 20), [F(2, 5), HALF], by(0, F(3, 5))),
        ("generalised Vickrey", VICKREY_INTER, F(1, 10), [F(2, 5), HALF], by(0, F(3, 5))),
    ],
    "bic": [
        ("first price on 0 and 1", FINITE_FIRST, -HALF, [1, 0], by(0, 0)),
        ("first price, weighted", WEIGHTED, -F(1, 3), [1, 1], by(0, 0)),
        ("second price on 0 and 1", FINITE_SECOND, 0, [1, 0], by(0, 0)),
    ],
    "interim_ir": [
        ("all pay, losing ties", FINITE_ALL_PAY, -HALF, [0, 1], by(1, 0)),
        ("all pay, winning ties", FINITE_ALL_PAY, 0, [1, 0], by(0, 0)),
    ],
    "weak_budget_balance": [
        ("VCG trade deficit", VCG_TRADE, -HALF, [MOST, QUARTER], {}),
        ("second price surplus", SECOND, HALF, [MOST, HALF], {}),
    ],
    "strong_budget_balance": [
        ("VCG trade imbalance", VCG_TRADE, -HALF, [MOST, QUARTER], {}),
        ("second price imbalance", SECOND, -HALF, [MOST, HALF], {}),
        ("midpoint balance", midpoint(1), 0, [MOST, HALF], {}),
        ("McAfee balance", MCAFEE, 0, MARKET, {}),
    ],
    "no_positive_transfers": [
        ("Groves without pivot", FREE, -1, [1, HALF], {}),
        ("second price transfers", SECOND, 0, [1, HALF], {}),
        ("only buyers count", midpoint(1), F(5, 8), [1, QUARTER], {}),
    ],
    "monotone": [
        ("lowest bid wins", LOWEST, -1, [0, HALF], by(0, 1)),
        ("highest bid wins", SECOND, 1, [0, HALF], by(0, 1)),
        ("a lower cost sells", midpoint(1), 1, [HALF, MOST], by(1, QUARTER)),
    ],
    "critical_payment": [
        ("first price above critical", FIRST, -QUARTER, [MOST, QUARTER], by(0, HALF)),
        ("second price below a winning bid", SECOND, QUARTER, [MOST, QUARTER], by(0, HALF)),
        ("second price above a losing bid", SECOND, HALF, [1, HALF], by(0, 0)),
        ("a loser that pays", ALL_PAY, -HALF, [1, HALF], by(1, 0)),
        ("a seller paid less than an ask that sells", MIDPOINT, -5, [50, 30], by(1, 45)),
    ],
    "cyclic_monotone": [
        ("sold to the lower type", LOWER, -HALF, [[QUARTER]], turns([MOST])),
        ("sold to the higher type", HIGHER, HALF, [[QUARTER]], turns([MOST])),
        ("a cycle of two that holds", CYCLIC, QUARTER, [CYCLE[0]], turns(*CYCLE[1:2])),
        ("a cycle of three that fails", CYCLIC, -MOST, [CYCLE[0]], turns(*CYCLE[1:])),
    ],
    "efficient": [
        ("a bid below the reserve is not served", RESERVE, -QUARTER, [0, QUARTER], {}),
        ("second price serves the highest", SECOND, 0, [HALF, 1], {}),
        ("the item is given away twice", item(nothing, everybody), HALF, [HALF, 1], {}),
    ],
    "anonymous": [
        ("posted at two prices", POSTED, -1, [HALF, 0], {"who": [0, 1]}),
        ("second price is anonymous", SECOND, 0, [HALF, 1], {"who": [0, 1]}),
        ("a tie is no matter", SECOND, 0, [HALF, HALF], {"who": [0, 1]}),
        ("equal payments are no tie", FEE, -1, [0, HALF, 0], {"who": [0, 2]}),
    ],
    "envy_free": [
        ("a gift is envied", GIFT, -MOST, [QUARTER, MOST], {}),
        ("second price is not envied", SECOND, 0, [QUARTER, MOST], {}),
    ],
    "non_bossy": [
        ("a loser raises the price", SECOND, -QUARTER, [1, QUARTER], by(1, HALF)),
        ("posted prices", POSTED, 0, [1, 0], by(1, HALF)),
    ],
    "group_ic": [
        ("two pay nothing", TWO, -HALF, [HALF, MOST], pair(0, 1, 0, 0)),
        ("a loser only helps", SECOND_3, 0, [1, MOST, 0], pair(0, 1, 1, 0)),
    ],
    "strong_group_ic": [
        ("a loser helps for free", SECOND_3, -MOST, [1, MOST, 0], pair(0, 1, 1, 0)),
        ("a member loses", SECOND_3, QUARTER, [1, HALF, MOST], pair(0, 2, 0, 0)),
    ],
    "collusion_proof": [
        ("the sum gains", TWO, -F(5, 4), [HALF, MOST], pair(0, 1, 0, 0)),
        ("the sum loses", SECOND_3, QUARTER, [1, MOST, 0], pair(0, 2, 0, MOST)),
    ],
    "false_name_proof": [
        ("AB as A and B", VCG_ITEMS, -7, [AB_AT_9, AB_AT_10], names(0, [9, 0, 9], [0, 9, 9])),
        ("second price and two names", SECOND, QUARTER, [MOST, QUARTER], names(0, MOST, HALF)),
    ],
    "revenue_monotone": [
        ("raising B loses 9", VCG_ITEMS_3, -9, [AB_AT_9, A_AT_10, [0, 0, 0]], by(2, B_AT_10)),
        ("B joins and loses 9", VCG_ITEMS, -9, [AB_AT_9, A_AT_10], joins(B_AT_10)),
        ("raising a losing bid", SECOND, QUARTER, [1, QUARTER], by(1, HALF)),
    ],
    "adverse_selection_free": [
        ("scaled below the reserve", RESERVE, -1, [MOST, 0], {"factor": [HALF]}),
        ("scaled second price", SECOND, 0, [MOST, QUARTER], {"factor": [F(1, 3)]}),
        ("scaled out of the box", RESERVE, 0, [QUARTER, 0], {"factor": [64]}),
        ("brand bids stay", BRAND, -1, [HALF, QUARTER], {"factor": [QUARTER]}),
    ],
}


@pytest.mark.parametrize(
    ("name", "mechanism", "expected", "types", "case"),
    [pytest.param(k, *rest, id=label) for k, rows in EXAMPLES.items() for label, *rest in rows],
)
def test_the_margin_of_an_example_worked_by_hand(
    name: str, mechanism: mk.Mechanism, expected: Any, types: Any, case: dict[str, Any]
) -> None:
    assert PROPERTIES[name].excuse(mechanism.setting) is None
    assert margin(mechanism, name, types=types, **case) == expected


def test_every_property_has_an_example_that_fails_and_one_that_holds() -> None:
    for name in PROPERTIES:
        expected = [e for _, _, e, _, _ in EXAMPLES[name]]
        assert min(expected) < 0 <= max(expected), name


def test_mcafee_s_three_trades_at_the_middle_of_the_excluded_pair() -> None:
    outcome = mk.play(MCAFEE, np.array([MARKET], dtype=float))
    assert outcome.allocation.tolist() == [[1, 1, 1, 0, 1, 1, 1, 0]]
    np.testing.assert_allclose(
        outcome.payments, [[0.45, 0.45, 0.45, 0, -0.45, -0.45, -0.45, 0]], atol=1e-12
    )
    assert float(outcome.values(np.array([MARKET], dtype=float)).sum()) == pytest.approx(1.5)


# What applies where -------------------------------------------------------------------------------

EXCUSES: dict[str, tuple[mk.Setting, str]] = {
    "monotone": (mk.additive(2, 2), "several parameters"),
    "critical_payment": (mk.positions(2, [1]), "not 0 or 1"),
    "cyclic_monotone": (mk.single_item(2), "single numbers"),
    "efficient": (mk.divisible(2, utility=lambda types, x: types * x[..., 0]), "first_best="),
    "anonymous": (mk.double_auction(1, 1), "same role"),
    "envy_free": (mk.public_project(2, 1), "common to all"),
    "non_bossy": (mk.single_item(1), "one agent"),
    "group_ic": (mk.single_item(1), "one agent"),
    "strong_group_ic": (mk.single_item(1), "one agent"),
    "collusion_proof": (mk.single_item(1), "one agent"),
    "false_name_proof": (mk.public_project(2, 1), "identities are fixed"),
    "adverse_selection_free": (mk.single_item(2, low=0.5), "cannot be scaled"),
    "bic": (mk.additive(2, 2), "single numbers"),
    "interim_ir": (mk.additive(2, 2), "single numbers"),
}


@pytest.mark.parametrize(("name", "setting", "why"), [(k, *v) for k, v in EXCUSES.items()])
def test_what_does_not_apply_says_why(name: str, setting: mk.Setting, why: str) -> None:
    assert why in (PROPERTIES[name].excuse(setting) or "")


def test_select_keeps_the_order_of_the_table_and_refuses_what_it_does_not_know() -> None:
    assert [p.name for p in select("ic, feasible ir")] == ["feasible", "ir", "ic"]
    assert select(None) == list(PROPERTIES.values())
    with pytest.raises(InputError, match=r"\['truthful'\]: expected some of feasible, ir, ic"):
        select(["ic", "truthful"])
