"""A leader facing thresholds: unequal buyers leave one by one as the price rises.

Buyer i buys w_i/p - 1 at p ≤ w_i. Prices are tried by brute force, in this file's own arithmetic.
"""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from proofs.games import Decision, Family, Game, Parameter, Player, Status, check, draw
from proofs.games import derive as full_derive
from tests.games import c, p

cap = sp.Symbol("cap", positive=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")


def pricing(size):
    seller = Player("seller", (p - c) * sp.Sum(x[j], (j, 1, size)), (Decision(p, low=c, high=cap),))
    utility = w[i] * sp.log(1 + x[i]) - p * x[i]
    buyers = Family("buyers", utility, (Decision(x[i], low=0),), index=i, size=size)
    return Game(
        name=f"{size} unequal buyers",
        stages=((seller,), (buyers,)),
        parameters=(Parameter(c, low=0), Parameter(cap, low=0), Parameter(w, low=0)),
        assumptions=(cap > c, w[i] > c),
    )


@pytest.fixture(scope="module", params=[2])
def found(request):
    return full_derive(pricing(request.param), seconds=300)


def best_price(cost, ceiling, weights):
    """A grid over all prices, refined about its three best points; weights: of the buyers."""

    def profit(price):
        return (price - cost) * np.maximum(weights / price[:, None] - 1, 0).sum(axis=1)

    grid = np.linspace(cost, ceiling, 2001)
    values = profit(grid)
    inner = np.r_[True, values[1:] >= values[:-1]] & np.r_[values[:-1] >= values[1:], True]
    best = -np.inf, cost
    peaks = np.flatnonzero(inner)  # a flat stretch at 0 is many
    for peak in peaks[np.argsort(-values[peaks], kind="stable")[:3]]:
        low, high = grid[max(peak - 1, 0)], grid[min(peak + 1, 2000)]
        for _ in range(12):
            points = np.linspace(low, high, 41)
            top = int(np.argmax(profit(points)))
            low, high = points[max(top - 1, 0)], points[min(top + 1, 40)]
        best = max(best, (profit(points)[top], points[top]))
    return best


def test_the_whole_pricing_is_in_closed_form(found):
    assert found.status is Status.CHECKED, found.reason
    assert found.reason == ""
    assert found.check.draws >= 500
    assert found.check.gain <= 1e-8
    assert found.check.difference <= 1e-5
    assert all(found.check.branches[branch.name] > 20 for branch in found.branches)
    (order,) = (fact for fact in found.facts if "numbered" in fact.statement)
    assert order.holds


def test_no_price_on_a_grid_is_better(found):
    names = [s for s in (q.symbol for q in found.game.parameters) if str(s).startswith("w_")]
    assert len(found.branches) == len(names)
    symbols = [c, cap, *names]
    demands = sorted((s for s in found.branches[0].decisions if s != p), key=str)
    functions = [
        sp.lambdify(symbols, [b.when, b.decisions[p], [b.decisions[s] for s in demands]], "numpy")
        for b in found.branches
    ]
    reached = np.zeros(len(functions), dtype=int)
    ties = 0
    for values in draw(found.game, 500, seed=7):
        numbers = [float(values[s]) for s in symbols]
        weights = np.array(numbers[2:])
        assert (np.diff(weights) <= 0).all()
        ties += int((np.diff(weights) == 0).any())
        prices = [f(*numbers) for f in functions]
        holding = [k for k, (when, _, _) in enumerate(prices) if when]
        value, _ = best_price(numbers[0], numbers[1], weights)
        assert holding
        for k in holding:
            _, price, buys = prices[k]
            profit = (price - numbers[0]) * np.maximum(weights / price - 1, 0).sum()
            assert profit >= value - 1e-9 * (1 + value)
            # Those who buy are the branch's.
            assert np.allclose(buys, np.maximum(weights / price - 1, 0), atol=1e-9)
        reached[holding[0]] += 1
    assert (reached > 20).all(), reached
    assert ties > 10


def test_wrong_regimes_are_rejected(found):
    """Conditions of two branches exchanged, a price doubled, the sum of another regime."""
    first, second, *rest = found.branches
    whens = (replace(first, when=second.when), replace(second, when=first.when), *rest)
    prices = (replace(first, decisions={**first.decisions, p: second.decisions[p]}), second, *rest)
    always = (replace(first, when=sp.true), *rest)
    for wrong in (whens, prices, always):
        assert not check(found.game, replace(found, branches=wrong), draws=100).holds
