"""Printed formulas: what they are, where they fail, and which game they would be right for."""

import pytest
import sympy as sp

from proofs.games import Decision, Family, Game, Parameter, Player, check_claim
from proofs.games.edits import edits

a, b, c, A, delta, sigma, Delta = sp.symbols("a b c A delta sigma Delta", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
q1, q2, k, q = sp.symbols("q1 q2 k q", real=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")

PRICE = a - b * (q1 + q2)
DUOPOLY = Game(
    name="duopoly",
    stages=(
        (Player("leader", (PRICE - c) * q1, (Decision(q1, low=0),)),),
        (Player("follower", (PRICE - c) * q2, (Decision(q2),)),),
    ),
    parameters=(Parameter(a, low=0), Parameter(b, low=0), Parameter(c, low=0)),
    assumptions=(a > c,),
)
REPLY = (a - c - b * q1) / (2 * b)


def alone(utility, decision, *parameters):
    player = Player("player", utility, (decision,))
    return Game(name="alone", stages=((player,),), parameters=parameters)


def kinds(report, player=""):
    """The facts about a player's claim, by the last words of their statements."""
    found = {}
    for fact in report.facts:
        for kind in ("feasible", "stationary point", "local maximum", "best of all", "equilibrium"):
            if kind in fact.statement and fact.statement.startswith((player, "the claims")):
                found[kind] = fact
    return found


def test_the_textbook_claims_hold():
    report = check_claim(DUOPOLY, {q1: (a - c) / (2 * b), q2: REPLY}, draws=40)
    assert not report.refuted
    assert report.nearby == ()
    for player in ("leader", "follower"):
        facts = kinds(report, player)
        assert facts["stationary point"].holds is True
        # Search can refute the rest and not prove it.
        assert facts["best of all"].holds is None
        assert "draws" in facts["best of all"].how
    assert kinds(report)["equilibrium"].holds is None


def test_a_refutation_replays_in_exact_arithmetic():
    report = check_claim(DUOPOLY, {q2: REPLY + c}, draws=10, seconds=3)
    fact = kinds(report)["stationary point"]
    assert fact.holds is False
    assert all(isinstance(value, sp.Rational) for value in fact.at.values())
    slope = sp.diff((PRICE - c) * q2, q2).subs(q2, REPLY + c)
    assert slope.subs(fact.at) != 0


def test_quantities_of_cournot_solve_the_game_in_which_nobody_leads():
    report = check_claim(DUOPOLY, {q1: (a - c) / (3 * b), q2: REPLY}, draws=10, seconds=30)
    facts = kinds(report, "leader")
    assert facts["stationary point"].holds is False
    assert facts["best of all"].holds is False
    assert kinds(report)["equilibrium"].holds is False
    assert any("as if all moved at once" in near.words for near in report.nearby)


def test_a_sign_in_the_claim_or_in_the_utility():
    report = check_claim(DUOPOLY, {q2: (a + c - b * q1) / (2 * b)}, draws=10, seconds=30)
    assert report.refuted
    claim = next(near for near in report.nearby if near.what == "the claim")
    assert sp.simplify(claim.formulas[0] - REPLY) == 0
    utility = next(near for near in report.nearby if near.what == "the utility of follower")
    assert sp.simplify(utility.formulas[0] - (PRICE + c) * q2) == 0


def test_a_sign_and_an_inverse():
    """max δ k^(1-σ)/(1-σ) - c k has k = (δ/c)^(1/σ), and not -(c/δ)^(1/σ)."""
    unit = {"low": 1, "high": 4}
    game = alone(
        delta * k ** (1 - sigma) / (1 - sigma) - c * k,
        Decision(k, low=0),
        Parameter(delta, **unit),
        Parameter(c, **unit),
        Parameter(sigma, low=sp.Rational(1, 4), high=sp.Rational(3, 4)),
    )
    right = (delta / c) ** (1 / sigma)
    assert not check_claim(game, {k: right}, draws=10).refuted
    report = check_claim(game, {k: -((c / delta) ** (1 / sigma))}, draws=10, seconds=30)
    facts = kinds(report, "player")
    assert facts["feasible"].holds is False
    assert facts["stationary point"].holds is False
    near = report.nearby[0]
    assert near.what == "the claim"
    assert "sign" in near.words
    assert "inverted" in near.words
    numbers = {delta: 3, c: 2, sigma: sp.Rational(1, 3)}
    assert sp.nsimplify(near.formulas[0].subs(numbers)) == sp.Rational(27, 8)


LEADER = alone(
    q * q / (q + Delta) - q * A,
    Decision(q, low=0, high=10),
    Parameter(Delta, low=0),
    Parameter(A, low=0),
)


@pytest.mark.parametrize(
    "claim", [sp.sqrt((Delta**2 + Delta) / (A + 1)) - Delta, (Delta**2 + Delta) / (A + 1) - Delta]
)
def test_a_claim_that_is_right_for_a_utility_that_differs_by_a_factor(claim):
    """q²/(q+Δ) is convex, so that no interior point is a maximum; (1-q) q/(q+Δ) is concave, and
    its slope (Δ²+Δ)/(q+Δ)² - 1 - A is 0 at √((Δ²+Δ)/(A+1)) - Δ."""
    report = check_claim(LEADER, {q: claim}, draws=20, seconds=30)
    facts = kinds(report, "player")
    assert facts["stationary point"].holds is False
    assert facts["best of all"].holds is False
    near = report.nearby[0]
    assert near.maximum
    assert sp.simplify(near.formulas[-1] - ((1 - q) * q / (q + Delta) - q * A)) == 0


def test_a_stationary_point_that_is_a_minimum():
    unit = {"low": 0, "high": 5}
    game = alone((q - a) ** 2, Decision(q, **unit), Parameter(a, **unit))
    facts = kinds(check_claim(game, {q: a}, draws=10, seconds=1), "player")
    assert facts["stationary point"].holds is True
    assert facts["local maximum"].holds is False
    assert facts["best of all"].holds is False


def test_a_local_maximum_that_is_not_the_best():
    """Two tops at 1 and -1, of which the second is a little higher."""
    utility = (q - 1) ** 2 / 100 - a * (q**2 - 1) ** 2
    game = alone(utility, Decision(q, low=-2, high=2), Parameter(a, low=1))
    facts = kinds(check_claim(game, {q: sp.S.One}, draws=10, seconds=1), "player")
    assert facts["stationary point"].holds is True
    assert facts["local maximum"].holds is None
    assert facts["best of all"].holds is False


def test_a_claim_about_the_members_of_a_family():
    member = Family(
        "members", w[i] * sp.log(1 + x[i]) - x[i], (Decision(x[i], low=0),), index=i, size=n
    )
    game = Game(
        stages=((member,),),
        parameters=(Parameter(w, low=1), Parameter(n, low=1, integer=True)),
    )
    assert not check_claim(game, {x[i]: w[i] - 1}, draws=20).refuted
    report = check_claim(game, {x[i]: w[i]}, draws=20, seconds=10)
    assert report.refuted
    assert any(near.what == "the claim" for near in report.nearby)


def test_a_claim_about_nobodys_decision_is_an_error():
    with pytest.raises(ValueError, match="nobody"):
        check_claim(DUOPOLY, {sp.Symbol("z"): a})


def test_edits_are_different_formulas():
    found = [edit.result for edit in edits((a - c) / (2 * b), (a, b, c))]
    assert len(found) == len(set(found))
    assert (a - c) / (2 * b) not in found
    assert (a + c) / (2 * b) in [sp.simplify(e) for e in found]
