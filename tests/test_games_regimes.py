"""A leader facing thresholds: unequal members of a family leave one by one as its decision moves.

Buyer i buys w_i/p - 1 at p ≤ w_i; supplier i delivers p/w_i - 1 at p ≥ w_i. Prices are tried by
brute force, in this file's own arithmetic.
"""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from proofs.games import Decision, Family, Game, Parameter, Player, Status, check, draw
from proofs.games import derive as full_derive
from proofs.games.corners import Problem, Side
from proofs.games.domains import Domain, Range
from proofs.games.envelope import envelope
from proofs.games.ordered import in_order
from proofs.games.trail import Apart
from proofs.limits import Clock
from tests.games import c, p

cap, v = sp.symbols("cap v", positive=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")


def total(size):
    return sp.Sum(x[j], (j, 1, size))


def pricing(size, *assumptions):
    seller = Player("seller", (p - c) * total(size), (Decision(p, low=c, high=cap),))
    utility = w[i] * sp.log(1 + x[i]) - p * x[i]
    buyers = Family("buyers", utility, (Decision(x[i], low=0),), index=i, size=size)
    return Game(
        name=f"{size} unequal buyers",
        stages=((seller,), (buyers,)),
        parameters=(Parameter(c, low=0), Parameter(cap, low=0), Parameter(w, low=0)),
        assumptions=(cap > c, *assumptions),
    )


def buying(size):
    buyer = Player("buyer", (v - p) * total(size), (Decision(p, low=0, high=v),))
    utility = p * sp.log(1 + x[i]) - w[i] * x[i]
    suppliers = Family("suppliers", utility, (Decision(x[i], low=0),), index=i, size=size)
    return Game(
        name=f"{size} unequal suppliers",
        stages=((buyer,), (suppliers,)),
        parameters=(Parameter(v, low=0), Parameter(w, low=0)),
        assumptions=(w[i] < v,),
    )


def sales(price, cost, ceiling, *weights):
    trade = np.maximum(np.array(weights) / price[:, None] - 1, 0)
    return (price - cost) * trade.sum(axis=1), trade


def purchases(price, worth, *costs):
    trade = np.maximum(price[:, None] / np.array(costs) - 1, 0)
    return (worth - price) * trade.sum(axis=1), trade


CASES = {
    "buyers, some below cost": (pricing(2), (c, cap), lambda n: (n[0], n[1]), sales),
    "buyers": (pricing(3, w[i] > c), (c, cap), lambda n: (n[0], n[1]), sales),
    "suppliers": (buying(2), (v,), lambda n: (1e-3 * n[0], n[0]), purchases),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    game, *rest = CASES[request.param]
    return full_derive(game, seconds=300), *rest


def best_price(profit, low, high):
    """A grid over all prices, refined about its three best points."""
    grid = np.linspace(low, high, 2001)
    values = profit(grid)
    inner = np.r_[True, values[1:] >= values[:-1]] & np.r_[values[:-1] >= values[1:], True]
    best = -np.inf
    peaks = np.flatnonzero(inner)  # a flat stretch at 0 is many
    for peak in peaks[np.argsort(-values[peaks], kind="stable")[:3]]:
        low, high = grid[max(peak - 1, 0)], grid[min(peak + 1, 2000)]
        for _ in range(12):
            points = np.linspace(low, high, 41)
            top = int(np.argmax(profit(points)))
            low, high = points[max(top - 1, 0)], points[min(top + 1, 40)]
        best = max(best, profit(points)[top])
    return best


def test_the_whole_game_is_in_closed_form(case):
    found, *_ = case
    assert found.status is Status.CHECKED, found.reason
    assert found.reason == ""
    assert found.check.draws >= 500
    assert found.check.gain <= 1e-8
    assert found.check.difference <= 1e-5
    assert all(found.check.branches[branch.name] > 20 for branch in found.branches)
    (order,) = (fact for fact in found.facts if "numbered" in fact.statement)
    assert order.holds


def test_no_price_on_a_grid_is_better(case):
    found, scalars, ends, traded = case
    weights = sorted(
        (q.symbol for q in found.game.parameters if str(q.symbol).startswith("w_")), key=str
    )
    symbols = [*scalars, *weights]
    trades = sorted((s for s in found.branches[0].decisions if s != p), key=str)
    functions = [
        sp.lambdify(symbols, [b.when, b.decisions[p], [b.decisions[s] for s in trades]], "numpy")
        for b in found.branches
    ]
    reached = np.zeros(len(functions), dtype=int)
    ties = 0
    for values in draw(found.game, 500, seed=7):
        numbers = [float(values[s]) for s in symbols]
        order = np.diff(numbers[len(scalars) :])
        assert (order <= 0).all()
        ties += int((order == 0).any())
        prices = [f(*numbers) for f in functions]
        holding = [k for k, (when, _, _) in enumerate(prices) if when]
        best = best_price(lambda price, n=numbers: traded(price, *n)[0], *ends(numbers))
        assert holding
        for k in holding:
            _, price, trade = prices[k]
            (profit,), (own,) = traded(np.array([float(price)]), *numbers)
            assert profit >= best - 1e-9 * (1 + best)
            # Those who trade are the branch's.
            assert np.allclose(trade, own, atol=1e-9)
        reached[holding[0]] += 1
    assert (reached > 20).all(), reached
    assert ties > 4


def test_wrong_regimes_are_rejected(case):
    """Conditions of two branches exchanged, a price of another regime, a regime everywhere."""
    found, *_ = case
    first, second, *rest = found.branches
    whens = (replace(first, when=second.when), replace(second, when=first.when), *rest)
    prices = (replace(first, decisions={**first.decisions, p: second.decisions[p]}), second, *rest)
    always = (replace(first, when=sp.true), *rest)
    for wrong in (whens, prices, always):
        assert not check(found.game, replace(found, branches=wrong), draws=30).holds


def test_names_stand_for_what_is_in_the_branches(case):
    """Each branch decides its p_k, and only names before a name are in its formula."""
    found, *_ = case
    full = {}
    for name, value in found.names.items():
        assert value.free_symbols & set(found.names) <= set(full)
        full[name] = value.xreplace(full)
    for k, branch in enumerate(found.branches, 1):
        assert branch.decisions[p] == next(f for s, f in full.items() if str(s) == f"p_{k}")
        assert not branch.when.free_symbols & set(full)


def test_a_family_is_told_in_part_where_its_members_are_not(monkeypatch):
    module = importlib.import_module("proofs.games.derive")
    shares = []

    def nothing(ordered, members, trail, clock, **options):
        shares.append(clock.seconds)
        return module.Equilibrium(ordered.game, Status.NUMERICAL, (), (), {}, (), (), None)

    monkeypatch.setattr(module, "_written", nothing)
    found = full_derive(pricing(2, w[i] > c), draws=20, seconds=100)
    assert shares
    assert shares[0] <= 50
    assert found.status is Status.CHECKED
    assert "numerical_equilibrium finds numbers" in found.reason
    assert found.branches[0].decisions[x[i]].has(w[i])


def apart(game):
    (family,) = game.stages[1]
    return Apart(family, threshold=w[i], edge=w[i] - p, rising=False, inside={x[i]: w[i] / p - 1})


@pytest.mark.parametrize(
    ("utility", "assumption"),
    [
        (total(3), w[1] > w[2]),
        (sp.Sum(j * x[j], (j, 1, 3)), w[i] > c),
        (total(2), w[i] > c),
        (total(3), w[i] > c * i),
        (x[1] * total(3), w[i] > c),
    ],
)
def test_members_that_are_not_interchangeable_are_in_no_order(utility, assumption):
    game = pricing(3, assumption)
    seller = replace(game.stages[0][0], utility=(p - c) * utility)
    changed = replace(game, stages=((seller,), game.stages[1]))
    assert in_order(changed, apart(changed)) is None


def test_few_members_are_written_out_and_many_are_not():
    few, many = pricing(3, w[i] > c), pricing(50, w[i] > c)
    assert in_order(few, apart(few)).game.name == few.name
    assert in_order(many, apart(many)) is None
    taken = pricing(3, w[i] > c, cap > sp.Symbol("w_1"))
    taken = replace(taken, parameters=(*taken.parameters, Parameter(sp.Symbol("w_1"), low=0)))
    assert in_order(taken, apart(taken)) is None


a, b = sp.symbols("a b", positive=True)
z = sp.Symbol("z", nonnegative=True)


@pytest.mark.parametrize("sign", [1, -1])
def test_formulas_of_a_chain_must_differ_with_their_borders(sign):
    """Who is in at z ≤ a (and z ≤ b) adds sign · z (a - z): at -1 the utility is no maximum."""
    adds = [sign * z * (a - z), sign * z * (b - z)]
    sides = (Side("z = 0", z), Side("z = 2a", 2 * a - z))
    # -z² keeps every formula concave.
    problems = [
        Problem("leader", -3 * z**2 + 2 * b * z + sum(adds[:k]), (z,), sides) for k in (2, 1, 0)
    ]
    conditions = [(b - z,), (a - z, z - b), (z - a,)]
    domain = Domain({a: Range(sp.S.Zero), b: Range(sp.S.Zero)}).where(a > b)
    everyone = domain.adding({z: Range(sp.S.Zero, closed=True)}).where(2 * a - z)
    found = envelope(problems, conditions, domain, everyone, Clock(60))
    assert (found is not None) == (sign == 1)
    if found is not None:
        known = {a: 3.0, b: 2.0}
        grid = np.linspace(0, 6, 60001)
        whole = -3 * grid**2 + 4 * grid + np.maximum(grid * (3 - grid), 0)
        whole += np.maximum(grid * (2 - grid), 0)
        values = [
            choice.value.subs(choice.candidate.decisions).subs(known) for choice in found.choices
        ]
        assert float(max(values)) == pytest.approx(whole.max(), rel=1e-8)


@pytest.mark.parametrize("about", ["the decision", "a reply"])
def test_what_is_feasible_is_one_set_or_the_best_of_formulas_is_not_taken(about):
    """Who is in takes a - z, of which the leader has a - b/2: where nobody is, that is enough.

    The formula for nobody is at its best at b/4, where the first follower would take too much.
    """
    adds = [z * (a - z), z * (b - z)]
    low, high = Side("z = 0", z), Side("z = 2a", 2 * a - z)
    limits = [z - b / 2, z - b / 2, z - b / 2 if about == "the decision" else a - b / 2]
    problems = [
        Problem(
            "leader", -32 * (z - b / 4) ** 2 + sum(adds[:k]), (z,), (low, high, Side("limit", s))
        )
        for k, s in zip((2, 1, 0), limits, strict=True)
    ]
    conditions = [(b - z,), (a - z, z - b), (z - a,)]
    domain = Domain({a: Range(sp.S.Zero), b: Range(sp.S.Zero)}).where(a > b)
    everyone = domain.adding({z: Range(sp.S.Zero, closed=True)}).where(2 * a - z)
    found = envelope(problems, conditions, domain, everyone, Clock(60))
    if about == "a reply":
        assert found is None
        return
    grid = np.linspace(1, 6, 50001)
    whole = -32 * (grid - 0.5) ** 2 + np.maximum(grid * (3 - grid), 0)
    whole += np.maximum(grid * (2 - grid), 0)
    known = {a: 3.0, b: 2.0}
    values = [choice.value.subs(choice.candidate.decisions).subs(known) for choice in found.choices]
    assert float(max(values)) == pytest.approx(whole.max(), rel=1e-8)


q = sp.Symbol("q", real=True)


@pytest.mark.parametrize("together", [True, False])
def test_thresholds_that_move_with_what_others_decide_are_in_no_order(together):
    """Two prices, at once or one after the other: a member leaves where both are too much."""
    one, other = (
        Player(f"seller {price}", (price - c) * total(2), (Decision(price, low=c),))
        for price in (q, p)
    )
    buyers = Family(
        "buyers",
        (w[i] - p - q) * x[i] - x[i] ** 2 / 2,
        (Decision(x[i], low=0),),
        index=i,
        size=2,
    )
    stages = ((one, other),) if together else ((one,), (other,))
    parameters = (Parameter(c, low=0), Parameter(w, low=0))
    found = full_derive(Game((*stages, (buyers,)), parameters, name="margins"), draws=40)
    assert found.status is Status.NUMERICAL
    assert "may gain by driving members of buyers" in found.reason
