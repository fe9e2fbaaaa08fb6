"""Families of players in closed form, the number of members a symbol, against textbooks."""

import pytest
import sympy as sp

from proofs.games import Decision, Family, Game, Parameter, Player, Status, written_out
from tests.games import DEMAND, a, b, c, derive, p, q1, same

m, n = sp.symbols("m n", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
x, Q, k, w = (sp.IndexedBase(name) for name in "xQkw")
MANY = Parameter(n, low=1, integer=True)


def followers(size, cost, others):
    price = a - b * (others + sp.Sum(x[j], (j, 1, size)))
    return Family("followers", (price - cost) * x[i], (Decision(x[i], low=0),), index=i, size=size)


def oligopoly(size, cost, *parameters, assumptions=()):
    price = a - b * (q1 + sp.Sum(x[j], (j, 1, size)))
    leader = Player("leader", (price - c) * q1, (Decision(q1, low=0),))
    return Game(
        name="one leader",
        stages=((leader,), (followers(size, cost, q1),)),
        parameters=(*DEMAND, *parameters),
        assumptions=(a > c, *assumptions),
    )


def test_one_leader_and_n_followers():
    found = derive(oligopoly(n, c, MANY))
    (branch,) = found.branches
    assert branch.when == True  # noqa: E712
    assert same(branch.decisions[q1], (a - c) / (2 * b))
    assert same(branch.decisions[x[i]], (a - c) / (2 * b * (n + 1)))


def test_m_leaders_and_n_followers():
    """Sherali (1984): (a-c)/b(m+1) each, and (a-c)/b(m+1)(n+1) each."""
    leading = sp.Sum(Q[j], (j, 1, m))
    price = a - b * (leading + sp.Sum(x[j], (j, 1, n)))
    leaders = Family("leaders", (price - c) * Q[i], (Decision(Q[i], low=0),), index=i, size=m)
    game = Game(
        name="leaders",
        stages=((leaders,), (followers(n, c, leading),)),
        parameters=(*DEMAND, MANY, Parameter(m, low=1, integer=True)),
        assumptions=(a > c,),
    )
    (branch,) = derive(game).branches
    assert branch.when == True  # noqa: E712
    assert same(branch.decisions[Q[i]], (a - c) / (b * (m + 1)))
    assert same(branch.decisions[x[i]], (a - c) / (b * (m + 1) * (n + 1)))


@pytest.mark.parametrize("size", [n, 50])
def test_followers_of_unequal_costs(size):
    """With all active, the leader's price is that of a Cournot oligopoly on the residual demand."""
    extra = (Parameter(k, low=0), *((MANY,) if size is n else ()))
    found = derive(oligopoly(size, k[i], *extra, assumptions=(a > k[i],)))
    interior = found.branches[0]
    costs = sp.Sum(k[j], (j, 1, size))
    assert same(interior.decisions[q1], (a + costs - (size + 1) * c) / (2 * b))
    numbers = {n: 2} if size is n else {}
    at = {a: 10, b: 1, c: 2, **{k[r]: 2 + sp.Rational(r, 1000) for r in range(1, 51)}}
    whole = written_out(interior, found.game, numbers)
    assert whole.when.subs(at) == True  # noqa: E712
    outputs = {s: value.subs(at) for s, value in whole.decisions.items()}
    price = 10 - sum(outputs.values())
    # Each follower's first order condition, price - cost = b q, by itself.
    for r in range(1, (2 if size is n else 50) + 1):
        assert price - at[k[r]] == outputs[x[r]]
    assert any(fact.holds and "driving members" in fact.statement for fact in found.facts)


def test_n_buyers_with_log_utilities_under_a_price_cap():
    """The price √(c W/n), W the sum of the weights, cut at the cap; nobody is priced out."""
    cap = sp.Symbol("cap", positive=True)
    weights = sp.Sum(w[j], (j, 1, n))
    seller = Player("seller", (p - c) * sp.Sum(x[j], (j, 1, n)), (Decision(p, low=c, high=cap),))
    buyers = Family(
        "buyers", w[i] * sp.log(1 + x[i]) - p * x[i], (Decision(x[i], low=0),), index=i, size=n
    )
    game = Game(
        name="buyers",
        stages=((seller,), (buyers,)),
        parameters=(Parameter(c, low=0), Parameter(cap, low=0), Parameter(w, low=0), MANY),
        assumptions=(cap > c,),
    )
    found = derive(game)
    (reply,) = found.replies[1].branches
    assert reply.decisions[x[i]] == sp.Piecewise(((w[i] - p) / p, w[i] >= p), (0, w[i] <= p))
    interior = next(branch for branch in found.branches if branch.name == "interior")
    assert same(interior.decisions[p] ** 2, c * weights / n)
    at = {c: 4, cap: 7, w[1]: 8, w[2]: 10}
    assert written_out(interior, game, {n: 2}).when.subs(at) == True  # noqa: E712
    assert written_out(interior, game, {n: 2}).decisions[p].subs(at) == 6
    bound = next(branch for branch in found.branches if branch.name == "p = cap")
    assert written_out(bound, game, {n: 2}).when.subs(at | {cap: 5}) == True  # noqa: E712
    # With a buyer who may be priced out at the cap, the formula makes no claim.
    assert written_out(interior, game, {n: 2}).when.subs(at | {w[1]: 6}) == False  # noqa: E712


@pytest.mark.parametrize("rival", [x[1], sp.Sum(x[j], (j, 1, n - 1)), sp.Sum(x[j], (j, 2, n))])
def test_a_member_that_looks_at_some_of_the_others_is_refused(rival):
    """Only sums over all members are the same for every one of them."""
    family = Family("firms", (a - x[i] - rival) * x[i], (Decision(x[i], low=0),), index=i, size=n)
    found = derive(Game(name="some", stages=((family,),), parameters=(*DEMAND, MANY)))
    assert found.status is Status.NUMERICAL
    assert "no sum over all" in found.reason


def test_a_condition_that_holds_for_a_family_is_kept_by_a_mixed_stage():
    """Cournot with one firm of cost c among n of cost 0: first order conditions by hand."""
    total = q1 + sp.Sum(x[j], (j, 1, n))
    odd = Player("odd", (a - total - c) * q1, (Decision(q1, low=0),))
    firms = Family("firms", (a - total) * x[i], (Decision(x[i], low=0),), index=i, size=n)
    found = derive(Game(name="mixed", stages=((odd, firms),), parameters=(*DEMAND, MANY)))
    inside = next(branch for branch in found.branches if branch.name == "interior")
    # q1 = a - Q - c and x = a - Q with Q = q1 + n x.
    assert same(inside.decisions[q1], (a - c * (n + 1)) / (n + 2))
    assert same(inside.decisions[x[i]], (a + c) / (n + 2))
    out = next(branch for branch in found.branches if branch.name == "q1 = 0")
    assert same(out.decisions[x[i]], a / (n + 1))
