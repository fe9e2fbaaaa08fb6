"""Playing a mechanism, and the paces that `examine` puts its rules through.

Outcomes of lotteries are compared with a loop over the draws written by hand; a rule that breaks
one of the promises that a search relies on must be refused with the profile on which it did.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.errors import InputError, RuleError
from mechkit.mechanism import examine
from mechkit.spaces import box
from proofs import exact, values

F = Fraction
PROFILES = [
    [F(a, 4), F(b, 4), F(c, 4)] for a, b, c in itertools.product(range(5), repeat=3)
]  # ties included


def top(reports: Any) -> Any:
    return np.arange(reports.shape[-1]) == np.argmax(reports, axis=-1)[..., None]


def second(reports: Any, allocation: Any) -> Any:
    return allocation * np.sort(reports, axis=-1)[..., -2:-1]


def second_price(agents: int = 3) -> mk.Mechanism:
    return mk.Mechanism(mk.single_item(agents), top, second, name="second price")


def floats(agents: int = 3, batch: int = 8) -> np.ndarray:
    return np.random.default_rng(0).random((batch, agents))


# Playing ------------------------------------------------------------------------------------------


def test_play_agrees_with_a_loop_over_profiles() -> None:
    reports = np.array(PROFILES, dtype=object)
    outcome = mk.play(second_price(), exact(reports))
    in_floats = mk.play(second_price(), reports.astype(float))
    for k, profile in enumerate(PROFILES):
        winner = profile.index(max(profile))
        price = sorted(profile)[-2]
        allocation = [int(i == winner) for i in range(3)]
        payments = [price * x for x in allocation]
        assert (values(outcome.allocation * 1)[k] == allocation).all()
        assert values(outcome.payments)[k].tolist() == payments
        assert values(outcome.utility(exact(reports)))[k].tolist() == [
            (own - price) * x for own, x in zip(profile, allocation, strict=True)
        ]
        assert in_floats.payments[k].tolist() == [float(p) for p in payments]


def test_utility_is_of_the_types_and_not_of_the_reports() -> None:
    outcome = mk.play(second_price(), np.array([[1.0, 0.25, 0.0]]))
    types = np.array([[0.5, 0.75, 0.25]])
    assert outcome.values(types).tolist() == [[0.5, 0, 0]]
    assert outcome.utility(types).tolist() == [[0.25, 0, 0]]
    assert outcome.utility_of(0, types).tolist() == [0.25]
    assert outcome.quantity.tolist() == [[1, 0, 0]]
    assert outcome.trades.tolist() == [True]
    assert outcome.slack.min() == 0


def test_fractions_among_a_rule_s_constants_are_numbers() -> None:
    mechanism = mk.Mechanism(mk.single_item(2), top, lambda r, x: x * np.array([F(1, 4), F(1, 2)]))
    assert mk.play(mechanism, np.array([[0.5, 1.0]])).payments.tolist() == [[0, 0.5]]
    assert values(mk.play(mechanism, exact([[1, 0]])).payments).tolist() == [[F(1, 4), 0]]


def test_from_outcome_is_the_same_mechanism() -> None:
    both = mk.Mechanism.from_outcome(
        mk.single_item(3), lambda r: (top(r), second(r, top(r))), name="clock"
    )
    reports = floats()
    for of in (lambda o: o.allocation, lambda o: o.payments):
        assert (of(mk.play(both, reports)) == of(mk.play(second_price(), reports))).all()
    assert both.name == "clock"


def test_rules_see_reports_that_they_cannot_change_and_the_caller_s_stay_as_they_were() -> None:
    seen: list[bool] = []

    def allocate(reports: Any) -> Any:
        seen.append(reports.flags.writeable)
        return top(reports)

    reports = floats()
    before = reports.copy()
    mk.play(mk.Mechanism(mk.single_item(3), allocate, second), reports)
    assert seen == [False]
    assert reports.flags.writeable
    assert (reports == before).all()


def test_nothing_sold_is_no_trade() -> None:
    posted = mk.Mechanism.posted(mk.single_item(2), 0.5)
    outcome = mk.play(posted, np.array([[0.25, 0.25], [0.25, 0.75]]))
    assert outcome.trades.tolist() == [False, True]


# Lotteries ----------------------------------------------------------------------------------------

ORDERS = [(0, 1, 2), (2, 0, 1), (1, 2, 0)]
CHANCES = (F(1, 2), F(1, 3), F(1, 6))
FEES = (F(0), F(1, 4))
FEE_CHANCES = (F(1, 5), F(4, 5))


def first_in_line(reports: Any, *, public: Mapping[str, Any]) -> Any:
    """Who comes first in the order of the draw gets the item, if it reports more than zero."""
    first = public["order"][..., 0]
    return (np.arange(3) == first[..., None]) & (reports > 0)


def fee(reports: Any, allocation: Any, *, public: Mapping[str, Any]) -> Any:
    return allocation * public["fee"][..., None]


def lottery_mechanism(every: bool = False) -> mk.Mechanism:
    setting = mk.single_item(3).with_public(
        order=mk.Lottery(draws=ORDERS, weights=CHANCES, every=every),
        fee=mk.Lottery(draws=[float(f) for f in FEES], weights=FEE_CHANCES),
    )
    return mk.Mechanism(setting, first_in_line, fee, name="first in line")


def test_outcomes_are_expectations_over_every_combination_of_draws() -> None:
    types = [[F(1, 2), F(0), F(1)], [F(0), F(3, 4), F(0)]]
    outcome = mk.play(lottery_mechanism(), exact(types))
    assert len(outcome.draws) == 6
    for k, profile in enumerate(types):
        share, paid = [F(0)] * 3, [F(0)] * 3
        for (order, p), (charge, q) in itertools.product(
            zip(ORDERS, CHANCES, strict=True), zip(FEES, FEE_CHANCES, strict=True)
        ):
            if profile[order[0]] > 0:
                share[order[0]] += p * q
                paid[order[0]] += p * q * charge
        assert values(outcome.allocation)[k].tolist() == share
        assert values(outcome.quantity)[k].tolist() == share
        assert values(outcome.payments)[k].tolist() == paid
        assert values(outcome.utility(exact(types)))[k].tolist() == [
            v * x - p for v, x, p in zip(profile, share, paid, strict=True)
        ]
    in_floats = mk.play(lottery_mechanism(), np.array(types, dtype=float))
    np.testing.assert_allclose(
        in_floats.payments, values(outcome.payments).astype(float), rtol=0, atol=1e-15
    )


def test_slack_is_the_least_over_draws_and_trades_are_of_any_draw() -> None:
    def both(reports: Any, *, public: Mapping[str, Any]) -> Any:
        return np.ones_like(reports) * public["open"][..., None]

    setting = mk.single_item(2).with_public(open=mk.Lottery(draws=[0, 1]))
    mechanism = mk.Mechanism(setting, both, lambda r, x, public: np.zeros_like(r))
    outcome = mk.play(mechanism, np.ones((1, 2)))
    assert outcome.slack.min() == -1, "expected supply is 1, and one draw sells twice"
    assert outcome.trades.tolist() == [True]


def test_a_lottery_that_holds_draw_by_draw_is_shown_by_the_caller() -> None:
    mechanism = lottery_mechanism(every=True)
    reports, order = np.ones((2, 3)), np.array([ORDERS[2], ORDERS[1]])
    outcome = mk.play(mechanism, reports, {"order": order})
    assert len(outcome.draws) == 2, "fees are still taken in expectation"
    assert outcome.allocation.tolist() == [[0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(outcome.payments, [[0, 0.2, 0], [0, 0, 0.2]], atol=1e-15)


# What is refused ----------------------------------------------------------------------------------

Rule = tuple[Callable[..., Any], Callable[..., Any]]


def none(reports: Any, allocation: Any) -> Any:
    return np.zeros_like(reports)


def ragged(reports: Any) -> Any:
    if (reports[:, 0] > 0.9).any():
        raise KeyError("no such bidder")
    return top(reports)


def zero_division(reports: Any, allocation: Any) -> Any:
    return np.array([[1.0 / (row[0] > 0.9) for _ in row] for row in reports.tolist()])


def in_place(reports: Any) -> Any:
    reports[:, 0] = 0
    return top(reports)


PLAYED: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "no batch in the allocation": (
        (lambda r: np.ones(3), none),
        ("allocation", "(3,)", "(8, 3)", "batch axis is gone", "axis=-1"),
    ),
    "no agents in the payments": (
        (top, lambda r, x: r.sum(axis=-1)),
        ("payments", "(8,)", "(8, 3)", "index the last axes"),
    ),
    "another batch": (
        (lambda r: top(r)[:-1], none),
        ("allocation", "(7, 3)", "(8, 3)", "one row for each row"),
    ),
    "agents too many": ((lambda r: np.hstack([r, r]), none), ("(8, 6)", "(8, 3)")),
    "text": (
        (lambda r: np.full(r.shape, "sold"), none),
        ("allocation", "dtype <U4", "expected numbers or booleans", "NumPy operations"),
    ),
    "objects": ((top, lambda r, x: np.full(r.shape, {})), ("payments", "object", "numbers")),
    "changed in place": ((in_place, none), ("read-only", "reports.copy()")),
}


@pytest.mark.parametrize(("rule", "parts"), PLAYED.values(), ids=PLAYED)
def test_play_refuses(rule: Rule, parts: tuple[str, ...]) -> None:
    with pytest.raises(RuleError) as caught:
        mk.play(mk.Mechanism(mk.single_item(3), *rule, name="faulty"), floats())
    for part in ("faulty", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "culprit", "cause"),
    [
        ((ragged, none), [0.95, 0.2, 0.3], "KeyError: 'no such bidder'"),
        ((top, zero_division), [0.1, 0.2, 0.3], "ZeroDivisionError"),
    ],
    ids=["KeyError", "ZeroDivisionError"],
)
def test_a_rule_that_raises_is_blamed_with_the_profile_and_the_line(
    rule: Rule, culprit: list[float], cause: str
) -> None:
    other = [0.1, 0.2, 0.3] if culprit[0] > 0.9 else [0.95, 0.2, 0.3]
    for at in range(5):
        reports = np.array([other] * 5)
        reports[at] = culprit
        with pytest.raises(RuleError) as caught:
            mk.play(mk.Mechanism(mk.single_item(3), *rule, name="faulty"), reports)
        assert caught.value.profile == culprit
        for part in ("faulty", str(culprit), cause, "test_mechanism.py:"):
            assert part in str(caught.value)


def test_a_rule_that_raises_on_the_batch_only_is_blamed_without_a_profile() -> None:
    def allocate(reports: Any) -> Any:
        if len(reports) > 1:
            raise TypeError("one at a time")
        return top(reports)

    with pytest.raises(RuleError, match=r"batch of 8 profiles.*TypeError: one at a time") as caught:
        mk.play(mk.Mechanism(mk.single_item(3), allocate, none), floats())
    assert caught.value.profile is None


def test_outcome_must_return_a_pair() -> None:
    mechanism = mk.Mechanism.from_outcome(mk.single_item(3), lambda r: [top(r)], name="clock")  # type: ignore[arg-type, return-value]
    with pytest.raises(RuleError, match=r"clock: outcome returned list.*\(allocation, payments\)"):
        mk.play(mechanism, floats())


def coins(seed: int) -> Callable[[Any, Any], Any]:
    rng = np.random.default_rng(seed)
    return lambda reports, allocation: rng.random(reports.shape)


def divided(reports: Any, allocation: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.where(reports > 0.9, np.log(reports * 0), reports)


EXAMINED: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "infinite payment": (
        (top, divided),
        ("payments", "[-inf, 0.2, 0.3]", "[0.95, 0.2, 0.3]", "finite", "np.where"),
    ),
    "undefined allocation": (
        (lambda r: np.where(r > 0.9, np.nan, 0), none),
        ("allocation", "[nan, 0.0, 0.0]", "[0.95, 0.2, 0.3]", "finite"),
    ),
    "private coins": ((top, coins(0)), ("run twice", "deterministic", "public")),
    "the highest of the batch": (
        (lambda r: r == r.max(), none),
        ("alone", "in a batch", "own profile only", "axis=-1"),
    ),
    "the mean of the batch": (
        (top, lambda r, x: x * r.mean()),
        ("alone", "in a batch", "axis=-1"),
    ),
}


@pytest.mark.parametrize(("rule", "parts"), EXAMINED.values(), ids=EXAMINED)
def test_examine_refuses(rule: Rule, parts: tuple[str, ...]) -> None:
    reports = np.array([[0.1, 0.2, 0.3], [0.95, 0.2, 0.3], [0.5, 0.2, 0.3]])
    with pytest.raises(RuleError) as caught:
        examine(mk.Mechanism(mk.single_item(3), *rule, name="faulty"), reports, {})
    for part in ("faulty", *parts):
        assert part in str(caught.value)
    assert caught.value.profile in reports.tolist()


def test_examine_shows_the_draw_that_differed() -> None:
    rng = np.random.default_rng(0)

    def pay(reports: Any, allocation: Any, *, public: Mapping[str, Any]) -> Any:
        noise = rng.random(reports.shape)
        return np.where(public["coin"][..., None] == 1, noise, np.zeros_like(reports))

    setting = mk.single_item(2).with_public(coin=mk.Lottery(draws=[0, 1]))
    mechanism = mk.Mechanism(setting, lambda r, public: top(r), pay)
    with pytest.raises(RuleError) as caught:
        examine(mechanism, floats(2), {})
    first, then = str(caught.value).split(" returned ")[1].split(" and then ")
    assert first != then.split("; ")[0]


def test_examine_returns_the_outcome_of_a_sound_rule() -> None:
    reports = floats()
    outcome = examine(second_price(), reports, {})
    assert (outcome.payments == mk.play(second_price(), reports).payments).all()
    public = {"order": np.array([ORDERS[k % 3] for k in range(8)])}
    assert examine(lottery_mechanism(every=True), reports, public).trades.all()


# Declaring and resizing ---------------------------------------------------------------------------


def test_a_mechanism_needs_a_setting_and_exactly_one_kind_of_rule() -> None:
    setting: Any = "auction"
    with pytest.raises(InputError, match=r"'auction'.*mk\.single_item"):
        mk.Mechanism(setting, top, second)
    for rules in (
        {},
        {"allocate": top},
        {"allocate": top, "pay": second, "outcome": lambda r: (top(r), r)},
    ):
        with pytest.raises(InputError, match=r"half done: give allocate.*from_outcome"):
            mk.Mechanism(mk.single_item(2), name="half done", **rules)


def test_the_same_rules_serve_another_number_of_agents() -> None:
    larger = second_price().resized(5)
    assert larger.setting.agents == 5
    assert larger.name == "second price"
    assert mk.play(larger, np.array([[1, 2, 5, 3, 4.0]])).payments.tolist() == [[0, 0, 4, 0, 0]]


def test_rebuild_replaces_the_rules() -> None:
    def rule(setting: mk.Setting) -> mk.Mechanism:
        charge = 1 / setting.agents
        return mk.Mechanism(setting, top, lambda r, x: x * charge, name="share", rebuild=rule)

    larger = rule(mk.single_item(2)).resized(4).resized(5)
    assert mk.play(larger, np.ones((1, 5))).payments.tolist() == [[0.2, 0, 0, 0, 0]]


def test_resizing_a_fixed_setting_is_refused() -> None:
    fixed = mk.Mechanism(mk.single_item(2, roles=("a", "b")), top, second)
    with pytest.raises(InputError, match="fixed number of agents"):
        fixed.resized(3)


def test_a_public_space_reaches_the_rules() -> None:
    def allocate(reports: Any, *, public: Mapping[str, Any]) -> Any:
        return reports * public["scale"] >= 1

    setting = mk.multi_unit(2, 2, high=2).with_public(scale=box(2, high=4))
    mechanism = mk.Mechanism(setting, allocate, lambda r, x, public: x / public["scale"])
    scale = exact([[F(1, 2), F(4)]])
    outcome = mk.play(mechanism, exact([[2, F(1, 8)]]), {"scale": scale})
    assert values(outcome.allocation).tolist() == [[True, False]]
    assert values(outcome.payments).tolist() == [[2, 0]]
