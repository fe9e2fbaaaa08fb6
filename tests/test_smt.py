"""Proofs and refutations by z3 and cvc5: known theorems are proved, planted faults never."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from test_symbolic_rules import (
    generalised_second_price,
    highest,
    order_price,
    shares,
    trade_reduction,
    uniform_price_by_places,
)

from proofs import (
    Array,
    Decision,
    Symbolic,
    Unsupported,
    ask,
    assignment,
    decide,
    evaluate,
    exact,
    smtlib,
    symbols,
    values,
)

Rule = Callable[[Any], tuple[Any, Any]]
second_price, first_price, third_price = order_price(2), order_price(1), order_price(3)


def box(*arrays: Array) -> list[Array]:
    """All unknowns lie in [0, 1]."""
    return [bound for array in arrays for bound in (array, 1 - array)]


def gain(rule: Rule, types: Any, lie: Any, agent: int) -> Any:
    """What truth gives an agent over a lie; a seller's value is minus its cost."""
    false = types.copy()
    false[:, agent] = lie
    sign = np.where(np.arange(types.shape[-1]) < sellers_from(rule, types), 1, -1)[agent]
    honest, lying = (
        x[:, agent] * (sign * types[:, agent]) - p[:, agent] for x, p in (rule(types), rule(false))
    )
    return honest - lying


def sellers_from(rule: Rule, types: Any) -> int:
    return 2 if rule in (trade_reduction, mcafee, mcafee_keeps_the_last) else types.shape[-1]


def truthful(rule: Rule, agents: int, agent: int, **options: Any) -> tuple[Decision, Array, Array]:
    algebra = Symbolic()
    types = symbols("type", (1, agents), algebra=algebra)
    lie = symbols("lie", (1,), algebra=algebra)
    return decide(box(types, lie), gain(rule, types, lie, agent), **options), types, lie


def mcafee(reports: Any, keep: int = 1) -> tuple[Any, Any]:
    """Two buyers, two sellers: one price for all trades if it suits them, else one trade fewer."""
    v, c = -np.sort(-reports[:, :2], axis=-1), np.sort(reports[:, 2:], axis=-1)
    one, two = v[:, :1] >= c[:, :1], v[:, 1:] >= c[:, 1:]
    price = (v[:, 1:] + c[:, 1:]) / 2
    fair = one & ~two & (c[:, :1] <= price) & (price <= v[:, :1])
    size = np.where(two, keep, np.where(fair, 1, 0))
    place = [np.argsort(np.argsort(x, axis=-1, kind="stable"), axis=-1)
             for x in (-reports[:, :2], reports[:, 2:])]  # fmt: skip
    pays, gets = np.where(fair, price, v[:, 1:]), np.where(fair, price, c[:, 1:])
    buys, sells = place[0] < size, place[1] < size
    return (
        np.concatenate([buys, sells], axis=-1),
        np.concatenate([buys * pays, -(sells * gets)], axis=-1),
    )


def mcafee_keeps_the_last(reports: Any) -> tuple[Any, Any]:
    return mcafee(reports, keep=2)


def posted(reports: Any) -> tuple[Any, Any]:
    wants = reports >= 0.5
    first = wants & (np.cumsum(wants, axis=-1) == 1)
    return first, first * 0.5


def last_pays_nothing_at_ties(bids: Any) -> tuple[Any, Any]:
    """Second price, but at a tie the last agent wins for free: wrong for that agent alone."""
    x, p = second_price(bids)
    top, n = np.max(bids, axis=-1, keepdims=True), bids.shape[-1]
    tied = (bids[..., -1:] == top) & (np.sum(bids == top, axis=-1, keepdims=True) > 1)
    last = np.arange(n) == n - 1
    return np.where(tied, last, x), np.where(tied, 0, p)


def wrong_tie(bids: Any) -> tuple[Any, Any]:
    """Both win at a tie, one pays nothing."""
    wins = bids == np.max(bids, axis=-1, keepdims=True)
    return wins, wins * np.sort(bids, axis=-1)[..., -2:-1] * (np.arange(bids.shape[-1]) > 0)


def thinly_wrong(bids: Any) -> tuple[Any, Any]:
    """Second price with a rebate in a window of width 1/1000."""
    x, p = second_price(bids)
    return x, p - x * ((bids > 0.5) & (bids < 0.501)) * 0.01


HOLDS: list[tuple[Rule, int]] = [
    (second_price, 2),
    (second_price, 3),
    (second_price, 8),
    (order_price(2, reserve=0.5), 3),
    (order_price(2, reserve=0.3), 5),
    (uniform_price_by_places, 3),
    (posted, 4),
    (trade_reduction, 4),
    (mcafee, 4),
]
FAILS: list[tuple[Rule, int, int]] = [
    (first_price, 2, 0),
    (first_price, 8, 7),
    (third_price, 3, 0),
    (order_price(1, reserve=0.5), 3, 1),
    (generalised_second_price, 3, 0),
    (mcafee_keeps_the_last, 4, 0),
    (mcafee_keeps_the_last, 4, 3),
    (last_pays_nothing_at_ties, 3, 2),
    (wrong_tie, 3, 0),
    (thinly_wrong, 3, 0),
]


@pytest.mark.parametrize(("rule", "agents"), HOLDS)
def test_truthful_rules_are_proved_by_both_solvers(rule: Rule, agents: int) -> None:
    for agent in {0, agents - 1}:
        decision, _, _ = truthful(rule, agents, agent)
        assert decision.status == "proved"
        assert decision.model is None
        assert [answer.status for answer in decision.answers] == ["unsat", "unsat"]
        assert [tool.split()[0] for tool in decision.tools] == ["z3", "cvc5"]


@pytest.mark.parametrize(("rule", "agents", "agent"), FAILS)
def test_models_of_untruthful_rules_replay_in_exact_arithmetic(
    rule: Rule, agents: int, agent: int
) -> None:
    decision, types, lie = truthful(rule, agents, agent)
    assert decision.status == "refuted"
    assert decision.model is not None
    numbers, lies = evaluate(types, decision.model), evaluate(lie, decision.model)
    assert all(0 <= x <= 1 for x in [*numbers.flat, *lies.flat])
    assert values(gain(rule, exact(numbers), exact(lies), agent)).item() < 0


@pytest.mark.parametrize("agent", [0, 1, 2])
def test_a_fault_of_the_last_agent_is_that_agents_alone(agent: int) -> None:
    decision, _, _ = truthful(last_pays_nothing_at_ties, 3, agent)
    assert decision.status == ("refuted" if agent == 2 else "proved")


@pytest.mark.parametrize("solver", ["z3", "cvc5"])
def test_either_solver_alone_answers_the_same(solver: Any) -> None:
    for rule, agents, agent in [*((rule, n, 0) for rule, n in HOLDS), *FAILS]:
        algebra = Symbolic()
        types = symbols("type", (1, agents), algebra=algebra)
        lie = symbols("lie", (1,), algebra=algebra)
        margin = gain(rule, types, lie, agent)
        answer = ask(smtlib(box(types, lie), margin), solver=solver)
        assert answer.status == ("sat" if (rule, agents, agent) in FAILS else "unsat")
        if answer.status == "sat":
            assert answer.exact
            assert answer.model is not None
            assert evaluate(margin, answer.model).item() < 0


# The axioms and identities that every proof uses


@pytest.mark.parametrize("n", [2, 3, 4])
def test_order_statistics_are_a_sorted_permutation(n: int) -> None:
    x = symbols("x", (n,), algebra=Symbolic())
    ascending = np.sort(x)
    minima = [
        pairwise_max([pairwise_min(group) for group in itertools.combinations(list(x), n - k)])
        for k in range(n)
    ]
    claims = [
        ascending[1:] - ascending[:-1],
        ascending.sum() == x.sum(),
        np.stack(minima) == ascending,
    ]
    assert decide([], claims).status == "proved"
    assert decide([], [ascending[0] < ascending[-1]]).status == "refuted"


def pairwise_max(terms: Any) -> Any:
    """A maximum by comparing pairs, which shares nothing with order statistics."""
    best, *rest = terms
    for term in rest:
        best = np.where(best < term, term, best)
    return best


def pairwise_min(terms: Any) -> Any:
    return -pairwise_max([-term for term in terms])


def test_the_order_is_a_permutation_that_sorts_stably() -> None:
    x = symbols("x", (1, 3), algebra=Symbolic())
    order = np.argsort(x, axis=-1, kind="stable")
    along = np.take_along_axis(x, order, axis=-1)
    place = np.argsort(order, axis=-1)
    claims = [
        along == np.sort(x, axis=-1),
        np.take_along_axis(place, order, axis=-1) == np.arange(3),
        (along[:, 1:] > along[:, :-1]) | (order[:, 1:] > order[:, :-1]),
        np.sum(order, axis=-1) == 3,
    ]
    assert decide([], claims).status == "proved"


def test_integer_parts_are_integers_below() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    claims = [x - np.floor(x), np.floor(x + 1) == np.floor(x) + 1, np.ceil(x) - x, x // 2 <= x / 2]
    decision = decide([], claims)
    assert decision.status == "proved"
    assert "QF_LIRA" in decision.text
    assert decide([x], [np.floor(x) == np.floor(x * 2) / 2]).status == "refuted"


# Division, infinity, and what is undefined


def test_a_quotient_is_not_assumed_to_exist() -> None:
    x = symbols("x", (2,), algebra=Symbolic())
    refuted = decide([x], (x[0] / x[1]) * x[1] == x[0])
    assert refuted.status == "refuted"
    assert refuted.model is not None
    assert refuted.model["x_1"] == 0
    assert decide([x, x[1] > 0], (x[0] / x[1]) * x[1] == x[0]).status == "proved"


def test_a_quotient_that_where_discards_owes_nothing() -> None:
    x = symbols("x", (2,), algebra=Symbolic())
    half = np.where(x[1] > 0, x[0] / (2 * x[1]), 0)
    assert decide([x], half).status == "proved"
    assert decide([x], half - 1).status == "refuted"


def test_an_index_out_of_range_refutes_whatever_is_claimed() -> None:
    x = symbols("x", (1, 2), algebra=Symbolic())
    chosen = x[np.arange(1), np.argmax(x, axis=-1) + (x[:, 0] > 1)]
    decision = decide([x], chosen == chosen)
    assert decision.status == "refuted"
    assert decision.model is not None
    assert decision.model["x_0_0"] > 1
    assert decide([x, 1 - x], chosen).status == "proved"


def test_infinities_are_bounds() -> None:
    x = symbols("x", (1, 3), algebra=Symbolic())
    live = np.where(x > 0.5, x, -np.inf)
    best = np.max(live, axis=-1)
    assert decide([x], [(best >= 0.5) | (best == -np.inf), best < np.inf]).status == "proved"
    assert decide([x], best).status == "refuted"


def test_shares_are_nonnegative_or_unknown_but_never_refuted() -> None:
    bids = symbols("bid", (1, 3), algebra=Symbolic())
    guarded, smoothed = shares(bids)
    for decision in (decide([bids], guarded), decide([bids], [smoothed, 1 - smoothed])):
        assert "QF_NRA" in decision.text
        assert decision.status == "proved"
    wrong = decide([bids], 0.5 - guarded)
    assert wrong.status == "refuted"
    assert wrong.model is not None
    assert values(shares(exact(evaluate(bids, wrong.model)))[0]).max() > F(1, 2)


# Faults made by program: none is ever proved where brute force refutes it


def mutants() -> list[Rule]:
    """Second price with a changed order statistic, comparison, sign or constant."""
    found: list[Rule] = []
    for k, shift, sign, strict in itertools.product((1, 2, 3), (0, F(1, 4)), (1, -1), (0, 1)):

        def rule(bids: Any, k: int = k, shift: Any = shift, sign: int = sign, strict: int = strict):
            top = np.max(bids, axis=-1, keepdims=True)
            wins = highest(bids) if strict else bids >= top
            return wins, wins * (sign * np.sort(bids, axis=-1)[..., -k, None] + shift)

        found.append(rule)
    return found


GRID = [F(k, 4) for k in range(5)]


@pytest.mark.parametrize("number", range(24))
def test_mutants_are_proved_only_where_brute_force_finds_nothing(number: int) -> None:
    rule = mutants()[number]
    profiles = list(itertools.product(GRID, repeat=3))
    types = [[*profile] for profile in profiles for _ in GRID]
    lies = [lie for _ in profiles for lie in GRID]
    worst = values(gain(rule, exact(types), exact(lies), 0)).min()
    decision, _, _ = truthful(rule, 3, 0)
    if worst < 0:
        assert decision.status == "refuted"
    else:
        assert decision.status == "proved"


@pytest.mark.parametrize("number", range(0, 24, 5))
def test_individual_rationality_agrees_with_brute_force(number: int) -> None:
    rule = mutants()[number]
    algebra = Symbolic()
    types = symbols("type", (1, 3), algebra=algebra)

    def utility(profile: Any) -> Any:
        wins, pays = rule(profile)
        return wins * profile - pays

    worst = values(utility(exact([[*p] for p in itertools.product(GRID, repeat=3)]))).min()
    expected = "refuted" if worst < 0 else "proved"
    assert decide(box(types), utility(types)).status == expected


def test_unsupported_functions_do_not_reach_a_solver() -> None:
    x = symbols("x", (1,), algebra=Symbolic())
    with pytest.raises(Unsupported, match=r"test_smt.py:\d+: np.sqrt"):
        np.sqrt(x)


def test_profiles_put_in_as_assumptions_give_the_exact_payments() -> None:
    """The text itself, and not only its terms: fix a profile, and the payments are forced."""
    for rule, row in [
        (second_price, [F(1, 2), F(1, 2), F(1, 3)]),
        (third_price, [F(1), F(0), F(1)]),
        (generalised_second_price, [F(1, 2), F(1, 2), F(1, 2)]),
        (uniform_price_by_places, [F(0), F(2), F(2)]),
    ]:
        x = symbols("x", (1, 3), algebra=Symbolic())
        payments = rule(x)[1]
        expected = values(rule(exact([row]))[1])
        fixed = x == np.array([row], dtype=object)
        assert decide([fixed], payments == expected).status == "proved"
        assert decide([fixed], payments != expected).status == "refuted"
        assert evaluate(payments, assignment(x, [row])).tolist() == expected.tolist()
