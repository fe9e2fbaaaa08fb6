"""Optimality by weak duality: textbook optima, mechanisms just outside the class, tampering."""

import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from scipy import stats

import mechkit as mk
from mechkit.catalogue import entries
from mechkit.catalogue.finite import item
from mechkit.verdict import Status
from tests.rules import highest, pay_second

ENTRIES = entries()


def second_price(agents, levels, **options):
    return mk.Mechanism(item(agents, levels, **options), highest, pay_second, "second price")


def needs(record, name):
    return next(r for r in record.requirements if r.name == name)


# Textbook optima ----------------------------


@pytest.mark.parametrize("ic", ["dsic", "bic"])
@pytest.mark.parametrize(
    ("levels", "price", "best", "by_second"),
    [((0, 1), 1, F(3, 4), F(1, 4)), ((1, 2), 2, F(3, 2), F(5, 4))],
)
def test_two_bidders_with_two_levels(levels, price, best, by_second, ic):
    """Myerson 1981: sold at the higher value if either has it; E min{v_1, v_2} otherwise."""
    options = {"ic": ic, "ir": "expost" if ic == "dsic" else "interim"}
    posted = mk.optimality(mk.Mechanism.posted(item(2, levels), price), **options)
    assert (posted.status, posted.value, posted.bound, posted.gap) == (
        Status.PROVED, best, best, 0,
    )  # fmt: skip
    assert posted.in_class
    vickrey = mk.optimality(second_price(2, levels), **options)
    assert (vickrey.status, vickrey.value, vickrey.best) == (Status.REFUTED, by_second, best)
    assert vickrey.gap == best - by_second
    assert vickrey.in_class


def test_the_catalogue_says_what_is_so():
    record = mk.optimality(ENTRIES["optimal-two-levels"].make())
    assert (record.status, record.value) == (Status.PROVED, F(3, 2))
    assert str(record) == (
        "posted at the higher of two values: expected revenue 3/2, at most 3/2 (single item, "
        "2 agents, types in {1, 2}, independent, DSIC, ex post IR, lotteries over 3 outcomes): "
        "proved optimal"
    )


@pytest.mark.parametrize("seed", range(6))
def test_bounds_are_those_of_virtual_values(seed):
    """Myerson 1981 for discrete types: φ(t_k) = t_k − (t_{k+1} − t_k) Pr(> t_k) / Pr(t_k), and the
    best revenue is E max{0, φ(t_i)} where φ increases."""
    rng = np.random.default_rng(seed)
    agents = 2 + seed % 2
    while True:
        levels = sorted(rng.choice(9, size=3, replace=False).tolist())
        weights = [F(int(w)) for w in rng.integers(1, 8, size=3)]
        weights = [w / sum(weights) for w in weights]
        virtual = [
            levels[k] - (levels[min(k + 1, 2)] - levels[k]) * sum(weights[k + 1 :]) / weights[k]
            for k in range(3)
        ]
        if virtual == sorted(virtual):
            break
    best = F(0)
    for kinds in itertools.product(range(3), repeat=agents):
        chance = F(1)
        for k in kinds:
            chance *= weights[k]
        best += chance * max(0, *(virtual[k] for k in kinds))
    auction = second_price(agents, tuple(levels), prior=weights)
    record = mk.optimality(auction)
    assert record.bound == record.best == best
    assert record.check(auction) == (record.value, best)
    assert mk.optimality(auction, ic="bic", ir="interim").bound == best


@pytest.mark.parametrize("seed", range(6))
def test_one_buyer_is_offered_the_best_price(seed):
    """Riley & Zeckhauser 1983: no lottery beats the best posted price."""
    rng = np.random.default_rng(seed)
    levels = sorted(rng.choice(12, size=4, replace=False).tolist())
    earned = {p: F(p) * sum(v >= p for v in levels) / 4 for p in levels}
    for price, value in earned.items():
        record = mk.optimality(mk.Mechanism.posted(item(1, tuple(levels)), price))
        assert record.value == value
        assert record.bound == max(earned.values())
        best = value == max(earned.values())
        assert record.status is (Status.PROVED if best else Status.REFUTED)


def with_reserve(pay):
    """Three levels 1, 2, 3, of which 2 is the reserve; agent 0 wins ties."""

    def allocate(reports):
        return highest(reports) & (reports >= 2)

    return mk.Mechanism(item(2, (1, 2, 3)), allocate, pay, "reserve 2")


def test_a_reserve_is_optimal_only_with_the_prices_of_the_levels():
    """φ = −1, 1, 3. Agent 1 must beat agent 0 by a whole level, and be charged for that."""

    def critical(reports, allocation):
        rival = reports[:, ::-1] + np.array([0, 1])
        return allocation * np.maximum(rival, 2)

    def second(reports, allocation):
        return allocation * np.maximum(reports[:, ::-1], 2)

    record = mk.optimality(with_reserve(critical))
    # (3 · 5 + 1 · 3) / 9: some agent has 3 in five profiles, and 2 at most in three of the others.
    assert (record.status, record.value) == (Status.PROVED, F(2))
    short = mk.optimality(with_reserve(second))
    assert (short.status, short.value, short.gap) == (Status.REFUTED, F(17, 9), F(1, 9))
    assert short.in_class


def test_two_goods_are_best_sold_as_a_bundle():
    """Values 1 or 2 for each of two goods, equally likely: the pair at 3 sells with 3/4; one by
    one they earn 2 (at 1 or at 2)."""
    setting = mk.additive(1, 2, levels=[1, 2], low=1, high=2)

    def bundle(reports):
        buys = reports[:, 0].sum(axis=-1) >= 3
        return np.stack([buys, buys], axis=-1)[:, None] * 1

    def apart(reports):
        return (reports >= 2) * 1

    record = mk.optimality(mk.Mechanism(setting, bundle, lambda r, x: x[..., 0] * 3, "bundle"))
    assert (record.status, record.value) == (Status.PROVED, F(9, 4))
    record = mk.optimality(mk.Mechanism(setting, apart, lambda r, x: x.sum(axis=-1) * 2, "apart"))
    assert (record.status, record.value, record.gap) == (Status.REFUTED, 2, F(1, 4))


def test_trade_at_a_price():
    """Levels 0, 1, 2 at price 1: (1, 0), (2, 0) and (2, 1) gain 1 + 2 + 1, and nothing else can."""
    setting = mk.double_auction(1, 1, levels=[0, 1, 2], high=2)

    def allocate(reports):
        trade = (reports[:, 0] >= 1) & (reports[:, 1] <= 1)
        return np.stack([trade, trade], axis=-1) * 1

    fixed = mk.Mechanism(setting, allocate, lambda r, x: x * np.array([1, -1]), "price 1")
    for budget in ("strong", "expost", "exante"):
        record = mk.optimality(fixed, objective="gains", budget=budget)
        assert (record.status, record.value) == (Status.PROVED, F(4, 9)), budget
    # As an intermediary it earns nothing; one could.
    record = mk.optimality(fixed)
    assert (record.value, record.status) == (0, Status.REFUTED)
    assert record.best > 0


def test_lotteries_and_interim_constraints():
    """d'Aspremont & Gérard-Varet: efficient, balanced; the item is shared at ties."""
    mechanism = ENTRIES["expected-externality"].make()
    options = {"objective": "welfare", "ic": "bic", "budget": "strong"}
    record = mk.optimality(mechanism, ir="interim", **options)
    # E max of three numbers, each 0, 1 or 2: (1 · 7 + 2 · 19) / 27.
    assert (record.status, record.value) == (Status.PROVED, F(45, 27))
    assert needs(record, "outcomes").holds
    wrong = mk.optimality(ENTRIES["expected-externality-wrong-prior"].make(), ir=None, **options)
    assert wrong.status is Status.UNKNOWN
    assert needs(wrong, "bic").holds is False


def test_coins_are_averaged_out():
    """A coin decides between equal bidders."""
    setting = item(2, (1, 2)).with_public(coin=mk.Lottery(draws=[0, 1]))

    def allocate(reports, public):
        tied = reports[:, 0] == reports[:, 1]
        first = np.where(tied, public["coin"] == 0, reports[:, 0] > reports[:, 1])
        return np.stack([first, ~first], axis=-1) & (reports >= 2)

    record = mk.optimality(mk.Mechanism(setting, allocate, lambda r, x, public: x * 2, "coin"))
    assert (record.status, record.value) == (Status.PROVED, F(3, 2))


# The best mechanism itself ----------------------------


def as_mechanism(setting, record):
    """The mechanism of the program, looked up type by type."""
    levels = [np.array(setting.types.levels[0], dtype=object)] * setting.agents
    counts = [len(own) for own in levels]

    def outcome(reports):
        allocation, payments = 0, 0
        for at in itertools.product(*(range(count) for count in counts)):
            here = True
            for i, k in enumerate(at):
                here = here & (reports[:, i] == levels[i][k])
            chances = record.allocation[at].astype(float)
            mean = np.tensordot(chances, record.outcomes, axes=1)
            allocation = allocation + (here * 1)[:, None] * mean
            payments = payments + (here * 1)[:, None] * record.payments[at].astype(float)
        return allocation, payments

    return mk.Mechanism.from_outcome(setting, outcome, "from the program")


@pytest.mark.parametrize(
    ("options", "prior"),
    [
        ({}, None),
        ({"ic": "bic", "ir": "interim"}, None),
        ({"ic": "bic", "ir": "expost"}, [F(1, 5), F(1, 5), F(3, 5)]),
        ({"objective": "welfare", "budget": "expost"}, [F(1, 2), F(1, 4), F(1, 4)]),
        ({"objective": "gains", "budget": "strong"}, None),
    ],
)
def test_what_the_program_finds_is_proved_optimal(options, prior):
    setting = item(2, (1, 2, 4), prior=prior)
    first = mk.optimality(second_price(2, (1, 2, 4), prior=prior), **options)
    again = mk.optimality(as_mechanism(setting, first), **options)
    assert again.status is Status.PROVED, again
    assert again.value == first.best == first.bound


def test_long_rationals_take_the_vertex_itself():
    prior = [F(1, 97), F(30, 89), 1 - F(1, 97) - F(30, 89)]
    auction = second_price(3, (1, 3, 7), prior=prior)
    record = mk.optimality(auction)
    assert record.best == record.bound == record.check(auction)[1]
    assert record.status is Status.REFUTED
    # φ(1) and φ(3) are negative: sold at 7, to whoever has it.
    assert record.bound == 7 * (1 - (1 - prior[2]) ** 3)


# Outside the class ----------------------------


def test_more_than_the_bound_is_no_optimum():
    """First price "earns" more than any truthful mechanism, by reports that nobody would send."""
    record = mk.optimality(ENTRIES["first-price-levels"].make())
    assert record.status is Status.UNKNOWN
    assert record.gap < 0
    assert needs(record, "ic").holds is False
    assert "ic: it fails, by 1" in record.reason


@pytest.mark.parametrize(
    ("rule", "options", "name"),
    [
        (lambda r: (r >= 2) * 1, {}, "feasible"),
        (lambda r: highest(r) * (r >= 2) * 1, {"budget": "strong"}, "strong_budget_balance"),
    ],
)
def test_each_condition_of_the_class_counts(rule, options, name):
    mechanism = mk.Mechanism(item(2, (1, 2)), rule, lambda r, x: x * 2, "wrong")
    record = mk.optimality(mechanism, **options)
    assert record.status is Status.UNKNOWN
    assert needs(record, name).holds is False
    assert not record.in_class


def test_a_subsidy_breaks_participation_budgets_by_name():
    """Everybody is paid 1: truthful, and beyond any budget; with a fee of 1, nobody would come."""
    rule = second_price(2, (1, 2))
    paid = replace(rule, pay=lambda r, x: pay_second(r, x) - 1)
    for budget, name in (("expost", "weak_budget_balance"), ("exante", "exante budget")):
        record = mk.optimality(paid, objective="welfare", budget=budget)
        assert (record.status, needs(record, name).holds) == (Status.UNKNOWN, False)
        assert record.gap == 0
    fee = replace(rule, pay=lambda r, x: pay_second(r, x) + 1)
    record = mk.optimality(fee)
    assert (record.status, needs(record, "ir").holds) == (Status.UNKNOWN, False)
    assert record.value == F(5, 4) + 2


def test_an_allocation_beyond_the_listed_outcomes_is_not_in_the_class():
    """Only half of the good is listed; the rule sells all of it, which its setting lets it do."""
    setting = mk.Setting(
        name="half", types=mk.box(1, low=1, high=2, levels=[1, 2]), allocation_shape=(1,),
        value=lambda types, x: types * x, slack=lambda x: np.concatenate([x, 1 - x], axis=-1),
        outcomes=lambda: np.array([[0], [F(1, 2)]], dtype=object),
    )  # fmt: skip

    def sells(part):
        return mk.Mechanism(setting, lambda r: (r >= 2) * part, lambda r, x: x * 2, f"sells {part}")

    whole = mk.optimality(sells(F(1)))
    assert (whole.value, whole.bound, whole.status) == (1, F(1, 2), Status.UNKNOWN)
    assert needs(whole, "outcomes").holds is None
    half = mk.optimality(sells(F(1, 2)))
    assert (half.value, half.status) == (F(1, 2), Status.PROVED)
    third = mk.optimality(sells(F(1, 3)))
    assert (third.value, third.status) == (F(1, 3), Status.REFUTED)
    assert third.in_class


def test_without_participation_nothing_bounds_revenue():
    record = mk.optimality(second_price(2, (0, 1)), ir=None)
    assert record.status is Status.UNKNOWN
    assert record.bound == record.gap == float("inf")
    assert "unbounded" in record.reason


def test_expectations_over_several_numbers_are_not_claimed():
    setting = mk.additive(1, 2, levels=[1, 2], low=1, high=2)
    mechanism = mk.Mechanism(setting, lambda r: r * 0, lambda r, x: r[..., 0] * 0, "nothing")
    record = mk.optimality(mechanism, objective="revenue", ic="bic", ir="interim")
    assert needs(record, "bic").holds is None


# The record is checked without a solver ----------------------------


def test_a_changed_record_shows_another_bound():
    mechanism = mk.Mechanism.posted(item(2, (1, 2)), 2)
    record = mk.optimality(mechanism)
    assert record.check(mechanism) == (F(3, 2), F(3, 2))
    k = next(k for k, y in enumerate(record.multipliers) if y)
    changed = list(record.multipliers)
    changed[k] = changed[k] * 2
    assert replace(record, multipliers=tuple(changed)).check(mechanism)[1] > F(3, 2)
    assert replace(record, multipliers=None).check(mechanism)[1] == float("inf")
    assert replace(record, multipliers=record.multipliers[1:]).check(mechanism)[1] == float("inf")
    value, bound = record.check(second_price(2, (1, 2)))
    assert (value, bound) == (F(5, 4), F(3, 2))
    # The same multipliers prove less for other levels, and never less than what is possible there.
    assert record.check(second_price(2, (1, 3)))[1] >= F(9, 4)


def test_any_multipliers_bound_any_mechanism_of_the_class():
    rng = np.random.default_rng(0)
    mechanism = mk.Mechanism.posted(item(2, (1, 2)), 2)
    record = mk.optimality(mechanism)
    for _ in range(20):
        noise = rng.integers(-3, 4, size=len(record.multipliers))
        moved = tuple(y + F(int(e), 7) for y, e in zip(record.multipliers, noise, strict=True))
        assert replace(record, multipliers=moved).check(mechanism)[1] >= F(3, 2)


# What it does not speak of ----------------------------


def selfless(types, x):
    return types * x + types.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"ic": "ic"}, "ic = 'ic': expected one of"),
        ({}, {"objective": "profit"}, "objective = 'profit'"),
        ({"types": mk.box(2)}, {}, "give levels="),
        ({"outcomes": None}, {}, "lists no outcomes"),
        ({"outcomes": lambda: np.ones((1, 2))}, {}, "breaks a constraint"),
        ({"outcomes": lambda: np.eye(2)}, {"objective": "gains"}, "no listed outcome is all zeros"),
        ({"outcomes": lambda: np.zeros((1, 3))}, {}, "returned shape"),
        ({"interdependent": True}, {}, "values depend on the types of others"),
        ({"value": selfless}, {}, "declare it interdependent=True"),
        ({"value": lambda types, x: np.sqrt(types + 1) * x}, {}, "no rationals"),
        ({"prior": stats.randint(0, 2)}, {}, "exact weights"),
        ({"types": mk.box(2, levels=range(101), high=100)}, {}, "more than 20000"),
    ],
)
def test_other_settings_are_refused(change, options, message):
    mechanism = second_price(2, (0, 1))
    changed = replace(mechanism, setting=replace(mechanism.setting, **change))
    with pytest.raises(mk.InputError, match=message):
        mk.optimality(changed, **options)


def test_values_that_depend_on_a_coin_and_rules_without_rationals_are_refused():
    coin = {"coin": mk.Lottery(draws=[1, 2])}
    setting = item(2, (0, 1)).with_public(**coin)
    rule = mk.Mechanism(
        setting, lambda r, public: highest(r), lambda r, x, public: pay_second(r, x), "coin"
    )
    risky = replace(setting, value=lambda types, x, public: types * x * public["coin"][:, None])
    with pytest.raises(mk.InputError, match="depends on coin"):
        mk.optimality(replace(rule, setting=risky))
    each = item(2, (0, 1)).with_public(coin=mk.Lottery(draws=[1, 2], every=True))
    with pytest.raises(mk.InputError, match="every=False"):
        mk.optimality(replace(rule, setting=each))
    opaque = replace(
        second_price(2, (0, 1)), pay=lambda r, x: np.array([[float(v) for v in p] for p in r])
    )
    with pytest.raises(mk.InputError, match="does not run in rationals"):
        mk.optimality(opaque)
