"""The worked games over 500 draws each, and faults planted by program at every place of a formula.

A draw passes if no deviation gains more than 1e-8 of 1 + |utility| and decisions agree with those
of an independent search to 1e-5. Faults are of this file's own making (and not those of
`proofs.games.edits`): at every place of the tree of a formula a sign, an exponent, a root.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import solvers
from proofs import BidStatus, Prior, check_bid, equilibrium_bid
from proofs.games import Branch, Decision, Family, Game, Parameter, Player, Reply, Status, check
from proofs.games import derive as full_derive
from tests.games import DEMAND, a, b, c, p, q1, same

n = sp.Symbol("n", integer=True, positive=True)
cap = sp.Symbol("cap", positive=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")
MANY = Parameter(n, low=1, integer=True)

PRICE = a - b * (q1 + sp.Sum(x[j], (j, 1, n)))
OLIGOPOLY = Game(
    name="one leader and n followers",
    stages=(
        (Player("leader", (PRICE - c) * q1, (Decision(q1, low=0),)),),
        (Family("followers", (PRICE - c) * x[i], (Decision(x[i], low=0),), index=i, size=n),),
    ),
    parameters=(*DEMAND, MANY),
    assumptions=(a > c,),
)

# Every buyer buys at every price up to the cap.
SOLD = sp.Sum(x[j], (j, 1, n))
WEIGHTS = sp.Sum(w[j], (j, 1, n))
PRICING = Game(
    name="n buyers under a price cap",
    stages=(
        (Player("seller", (p - c) * SOLD, (Decision(p, low=c, high=cap),)),),
        (
            Family(
                "buyers",
                w[i] * sp.log(1 + x[i]) - p * x[i],
                (Decision(x[i], low=0),),
                index=i,
                size=n,
            ),
        ),
    ),
    parameters=(
        Parameter(c, low=0, high=2),
        Parameter(cap, low=2, high=8),
        Parameter(w, low=8, high=40),
        MANY,
    ),
)


def faults(formula: sp.Expr) -> Iterator[sp.Expr]:
    """Faulty formulas, each a different one: a sign, an exponent or a root at each place."""
    seen = {formula}
    for path in places(formula):
        node = at(formula, path)
        changed = [-node, 1 / node, node**2, sp.sqrt(node)]
        if isinstance(node, sp.Pow):
            changed += [node.base, node.base ** (node.exp + 1), node.base**-node.exp]
        for other in changed:
            fault = put(formula, path, other)
            if fault not in seen and not fault.has(sp.nan, sp.zoo, sp.oo):
                seen.add(fault)
                if sp.simplify(fault - formula) != 0:
                    yield fault


def places(node: sp.Basic, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Ways to all expressions in a tree; neither into an index nor into the range of a sum."""
    yield path
    if isinstance(node, sp.Sum):
        yield from places(node.function, (*path, 0))
    elif not isinstance(node, sp.Indexed):
        for number, part in enumerate(node.args):
            yield from places(part, (*path, number))


def at(node: sp.Basic, path: tuple[int, ...]) -> sp.Basic:
    for number in path:
        node = node.args[number]
    return node


def put(node: sp.Basic, path: tuple[int, ...], other: sp.Basic) -> sp.Basic:
    if not path:
        return other
    parts = list(node.args)
    parts[path[0]] = put(parts[path[0]], path[1:], other)
    return node.func(*parts)


@pytest.fixture(scope="module")
def oligopoly():
    return full_derive(OLIGOPOLY)


@pytest.fixture(scope="module")
def pricing():
    return full_derive(PRICING)


def passes(found):
    assert found.status is Status.CHECKED, found.check.failures[:1] if found.check else found.reason
    assert found.check.draws >= 500
    assert found.check.gain <= 1e-8
    assert found.check.difference <= 1e-5
    unchecked = [e.name for e in found.branches if not found.check.branches[e.name]]
    assert all(repr(name) in found.reason for name in unchecked)


def test_one_leader_and_n_followers(oligopoly):
    passes(oligopoly)
    (branch,) = oligopoly.branches
    assert same(branch.decisions[q1], (a - c) / (2 * b))
    assert same(branch.decisions[x[i]], (a - c) / (2 * b * (n + 1)))
    assert same(oligopoly.utilities["leader"], (a - c) ** 2 / (4 * b * (n + 1)))


def test_n_buyers_under_a_price_cap(pricing):
    passes(pricing)
    assert pricing.check.branches["interior"] > 50
    assert pricing.check.branches["p = cap"] > 50
    inside = next(branch for branch in pricing.branches if branch.name == "interior")
    assert same(inside.decisions[p] ** 2, c * WEIGHTS / n)


def test_faults_are_different_functions():
    formula = (a - c) / (2 * b)
    found = list(faults(formula))
    assert len(found) >= 15
    numbers = {a: sp.Rational(7, 2), b: sp.Rational(3, 4), c: sp.Rational(5, 3)}
    values = [sp.N(fault.subs(numbers), 20) for fault in found]
    assert formula.subs(numbers).evalf(20) not in values
    assert (c + a) / (2 * b) in [sp.simplify(fault) for fault in found]


def with_formula(found, branch, symbol, formula):
    changed = replace(branch, decisions={**branch.decisions, symbol: formula})
    return replace(found, branches=tuple(changed if b is branch else b for b in found.branches))


def rejected(found, wrong, *, draws=4):
    """Few draws find most faults; more where they do not."""
    return (
        not check(found.game, wrong, draws=draws).holds
        or not check(found.game, wrong, draws=100).holds
    )


def three(game):
    """With three members, so that the draws of a check are one batch."""
    stages = tuple(
        tuple(
            replace(
                mover,
                utility=mover.utility.subs(n, 3),
                **({"size": sp.Integer(3)} if isinstance(mover, Family) else {}),
            )
            for mover in stage
        )
        for stage in game.stages
    )
    return replace(game, stages=stages, parameters=tuple(p for p in game.parameters if p != MANY))


def for_three(found):
    """The formulas for n members, at n = 3."""

    def sized(branch):
        values = {s: sp.sympify(v).subs(n, 3) for s, v in branch.decisions.items()}
        return replace(branch, when=sp.sympify(branch.when).subs(n, 3), decisions=values)

    replies = tuple(replace(r, branches=tuple(map(sized, r.branches))) for r in found.replies)
    branches = tuple(map(sized, found.branches))
    return replace(found, game=three(found.game), branches=branches, replies=replies)


@pytest.mark.parametrize("symbol", [q1, x[i]])
def test_every_fault_in_a_quantity_is_rejected(oligopoly, symbol):
    found = replace(for_three(oligopoly), replies=oligopoly.replies[:1])
    (branch,) = found.branches
    assert check(found.game, found, draws=100).holds
    for fault in faults(oligopoly.branches[0].decisions[symbol]):
        assert rejected(found, with_formula(found, branch, symbol, fault.subs(n, 3))), fault


@pytest.mark.parametrize("name", ["interior", "p = cap"])
def test_every_fault_in_a_price_is_rejected(pricing, name):
    """The branch's buyers keep to the right price, or reply to the wrong one (half of each)."""
    found = for_three(pricing)
    branch = next(each for each in found.branches if each.name == name)
    original = next(each for each in pricing.branches if each.name == name)
    for number, fault in enumerate(faults(original.decisions[p])):
        fault = fault.subs(n, 3)
        wrong = with_formula(found, branch, p, fault)
        if number % 2:
            branch_of = next(e for e in wrong.branches if e.name == name)
            wrong = with_formula(wrong, branch_of, x[i], sp.Max(0, w[i] / fault - 1))
        assert rejected(found, wrong, draws=12), fault


def test_every_fault_in_a_reply_is_rejected():
    """Of a follower, after random quantities of the leader."""
    game = three(OLIGOPOLY)
    left = a - c - b * q1
    out = Branch("out", left <= 0, {x[i]: sp.S.Zero})
    path = Branch("", sp.true, {q1: (a - c) / (2 * b), x[i]: (a - c) / (8 * b)})
    right = left / (4 * b)
    found = full_derive(game, draws=20)

    def claimed(formula):
        reply = Reply(1, ("followers",), (Branch("in", left >= 0, {x[i]: formula}), out), ())
        return replace(found, branches=(path,), replies=(reply,))

    assert check(game, claimed(right), draws=100).holds
    for fault in faults(right):
        assert rejected(found, claimed(fault), draws=6), fault


# First-price auctions

v = sp.Symbol("v")
UNIFORM = Prior(v, v)


def test_first_price_auctions():
    found = equilibrium_bid(UNIFORM, n, draws=500)
    assert found.status is BidStatus.CHECKED
    assert same(found.bid, (n - 1) * v / n)
    assert found.check.draws == 500
    assert found.check.gain <= 1e-8
    assert found.check.difference <= 1e-5


def test_every_fault_in_a_bid_is_rejected():
    for fault in faults((n - 1) * v / n):
        assert check_bid(fault, UNIFORM, n, draws=20).status is BidStatus.REJECTED, fault


# Security games


def test_security_games():
    """500 games: no coverage found by search is worth more, the attacker's best target given."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        size = int(rng.integers(2, 6))
        bad, good = -rng.random(size), rng.random(size)
        payoffs = {
            "defender_covered": bad + rng.random(size),
            "defender_uncovered": bad,
            "attacker_covered": good - rng.random(size),
            "attacker_uncovered": good,
        }
        k = int(rng.integers(1, size))
        found = solvers.security(resources=k, **payoffs)
        tried = np.vstack([found.allocation, nearby(found.allocation, k, rng)])
        attack = mixed(payoffs, tried, "attacker")
        defence = mixed(payoffs, tried, "defender")
        # Ties of the attacker for the defender, as in a strong commitment.
        best = attack >= attack.max(axis=1, keepdims=True) - 1e-12
        worth = np.where(best, defence, -np.inf).max(axis=1)
        assert worth.max() - found.value <= 1e-8 * (1 + abs(found.value))
        # The attacker has no better target than the one that it is said to attack.
        target = int(found.reply)
        assert attack[0].max() - attack[0, target] <= 1e-8 * (1 + abs(attack[0, target]))
        assert abs(defence[0, target] - found.value) <= 1e-8 * (1 + abs(found.value))


def mixed(payoffs, coverage, who):
    return coverage * payoffs[f"{who}_covered"] + (1 - coverage) * payoffs[f"{who}_uncovered"]


def nearby(coverage, k, rng):
    """300 coverages with k resources: close to one, and anywhere."""
    scale = 10.0 ** rng.uniform(-6, 0, (300, 1))
    found = np.clip(coverage + scale * rng.standard_normal((300, len(coverage))), 0, 1)
    return found * np.minimum(1, k / np.maximum(found.sum(axis=1, keepdims=True), 1e-12))
