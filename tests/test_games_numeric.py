"""Best replies and equilibria by search, against textbooks, brute force and theorems."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from proofs.games import Decision, Family, Game, Parameter, Player
from proofs.games.draws import draw
from proofs.games.equilibrium import numerical_equilibrium
from proofs.games.formulas import Formula
from proofs.games.lowered import lowered
from proofs.games.maximise import maximise

a, b, c, m = sp.symbols("a b c m", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
q1, q2, q3, u, v = sp.symbols("q1 q2 q3 u v", real=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")
DEMAND = (Parameter(a, low=0), Parameter(b, low=0), Parameter(c, low=0))


def alone(utility, *decisions, parameters=(), constraints=()):
    player = Player("player", utility, decisions, constraints)
    return Game(stages=((player,),), parameters=parameters, name="alone")


def oligopoly(size):
    price = a - b * (q1 + sp.Sum(x[j], (j, 1, size)))
    leader = Player("leader", (price - c) * q1, (Decision(q1, low=0),))
    family = Family(
        "followers", (price - w[i]) * x[i], (Decision(x[i], low=0),), index=i, size=size
    )
    extra = (Parameter(w, low=0), *((Parameter(n, low=1, integer=True),) if size is n else ()))
    return Game(stages=((leader,), (family,)), parameters=(*DEMAND, *extra), assumptions=(a > c,))


# Draws


def test_draws_meet_intervals_and_assumptions_and_repeat_by_seed():
    game = oligopoly(n)
    points = draw(game, 100, seed=3)
    assert points == draw(game, 100, seed=3) != draw(game, 100, seed=4)
    for values in points:
        assert values[a] > values[c] > 0
        assert sum(isinstance(s, sp.Indexed) for s in values) == values[n]
        assert all(isinstance(value, sp.Rational) for value in values.values())
    equal = [len({v[w[k]] for k in range(1, v[n] + 1)}) == 1 for v in points if v[n] > 1]
    assert any(equal)
    assert not all(equal)
    assert len({values[n] for values in points}) > 3


def test_contradictory_assumptions_are_an_error():
    relations = (a > c, c > a + 1)
    game = Game(
        stages=((Player("p", -(u**2), (Decision(u),)),),), parameters=DEMAND, assumptions=relations
    )
    with pytest.raises(ValueError, match="contradictory"):
        draw(game, 5)


def test_an_equation_among_parameters_is_solved_and_not_waited_for():
    p, r = sp.symbols("p r", positive=True)
    bounds = (Parameter(p, low=0, high=1), Parameter(r, low=0, high=1))
    game = Game(
        stages=((Player("x", -(u**2), (Decision(u),)),),),
        parameters=bounds,
        assumptions=(sp.Eq(p + r, 1),),
    )
    assert all(values[p] + values[r] == 1 for values in draw(game, 50))


def test_integers_and_unbounded_intervals():
    k, z = sp.Symbol("k", integer=True), sp.Symbol("z", real=True)
    game = alone(-(u**2), Decision(u), parameters=(Parameter(k, low=2, high=5), Parameter(z)))
    points = draw(game, 200)
    assert {int(values[k]) for values in points} == {2, 3, 4, 5}
    assert min(float(v[z]) for v in points) < -1 < 1 < max(float(v[z]) for v in points)


# Search


@pytest.mark.parametrize(
    ("utility", "low", "high", "best"),
    [
        (-((u - sp.Rational(3, 7)) ** 2), 0, 1, 3 / 7),
        (-sp.Abs(u - sp.Rational(3, 7)), 0, 1, 3 / 7),
        (u, 0, sp.Rational(5, 3), 5 / 3),
        (-u, -sp.Rational(5, 3), 4, -5 / 3),
        (sp.log(u) - 1000 * u, 0, sp.oo, 1e-3),
        (sp.log(u) - u / 10**5, 0, sp.oo, 1e5),
        (-((u + 700) ** 2), -sp.oo, sp.oo, -700.0),
        (sp.sin(u) + u / 50, 0, 30, 8 * np.pi + np.arccos(-1 / 50)),
        (sp.sqrt(u) - u, 0, 4, 0.25),
        (sp.sqrt(1 - u) + sp.sqrt(u), -5, 5, 0.5),
    ],
)
def test_the_best_of_one_number(utility, low, high, best):
    found = numerical_equilibrium(alone(utility, Decision(u, low=low, high=high)), {})
    assert found.holds
    assert found.decisions[u] == pytest.approx(best, rel=1e-7)


def test_smooth_maxima_are_found_to_eleven_digits():
    tops = np.array([[1e-3], [0.3], [7.0], [2e4]])

    def value(t, chosen):
        with np.errstate(divide="ignore"):
            return np.log(t) - t / tops[chosen][..., None]

    found = maximise(value, np.zeros((4, 1)), np.full((4, 1), np.inf), np.ones((4, 1)))
    assert np.abs(found.at / tops - 1).max() < 1e-10
    assert not found.unbounded.any()


def test_integers_are_enumerated():
    utility = -((u - sp.Rational(27, 10)) ** 2) + 2 * sp.cos(2 * sp.pi * u / 5)
    game = alone(utility, Decision(u, low=-9, high=9, integer=True))
    brute = max(range(-9, 10), key=lambda k: float(utility.subs(u, k)))
    assert numerical_equilibrium(game, {}).decisions[u] == brute
    endless = alone(-((u - 12345) ** 2), Decision(u, integer=True))
    assert numerical_equilibrium(endless, {}).decisions[u] == 12345


def test_several_decisions_under_a_budget():
    """Cobb-Douglas: shares of the budget as the exponents (Cobb & Douglas 1928)."""
    game = alone(
        sp.log(u) + 3 * sp.log(v) / 2,
        Decision(u, low=0),
        Decision(v, low=0),
        parameters=(Parameter(a, low=0), Parameter(m, low=0)),
        constraints=(a * u + v <= m,),
    )
    found = numerical_equilibrium(game, {a: Fraction(2), m: 10})
    assert found.holds
    assert found.decisions[u] == pytest.approx(2, rel=1e-5)
    assert found.decisions[v] == pytest.approx(6, rel=1e-5)


def test_an_unbounded_utility_is_said_to_be():
    found = numerical_equilibrium(alone(sp.log(1 + u), Decision(u, low=0)), {})
    assert not found.holds
    assert "no upper bound" in found.reason


def test_missing_parameters_are_named():
    with pytest.raises(ValueError, match="b has no value"):
        numerical_equilibrium(oligopoly(2), {a: 10, c: 2, w[1]: 1, w[2]: 1})


# Equilibria


def test_three_movers_in_sequence():
    price = 10 - q1 - q2 - q3
    stages = tuple((Player(str(q), price * q, (Decision(q, low=0),)),) for q in (q1, q2, q3))
    found = numerical_equilibrium(Game(stages=stages), {}, starts=1)
    shares = [found.decisions[q] for q in (q1, q2, q3)]
    assert shares == pytest.approx([5, 2.5, 1.25], rel=1e-5)


def test_twelve_equal_followers():
    values = {a: 10, b: 1, c: 2, **{w[k]: 2 for k in range(1, 13)}}
    found = numerical_equilibrium(oligopoly(12), values, starts=1)
    assert found.decisions[q1] == pytest.approx(4, rel=1e-5)
    assert found.decisions[x[7]] == pytest.approx(4 / 13, rel=1e-5)


def test_unequal_simultaneous_followers_satisfy_their_conditions():
    values = {a: 10, b: 2, c: 1, n: 3, w[1]: 2, w[2]: Fraction(5, 2), w[3]: 20}
    found = numerical_equilibrium(oligopoly(n), values, starts=1)
    price = 10 - 2 * sum(found.decisions.values())
    assert found.decisions[x[3]] == 0
    assert price - 2 == pytest.approx(2 * found.decisions[x[1]], rel=1e-6)
    assert price - 2.5 == pytest.approx(2 * found.decisions[x[2]], rel=1e-6)


def test_several_equilibria_are_all_reported():
    """u and v are complements: both at 1, both at -1, and the unstable one between."""
    players = tuple(
        Player(str(s), u * v - s**2 / 4, (Decision(s, low=-1, high=1),)) for s in (u, v)
    )
    found = numerical_equilibrium(Game(stages=(players,)), {}, starts=8)
    points = [round(p[u]) for p in (found.decisions, *found.others)]
    assert {1, -1} <= set(points)


def test_a_cycle_of_best_replies_is_no_equilibrium():
    """Whoever chases wants to be where the other is, and the other wants to be far away."""
    players = (
        Player("chaser", -((u - v) ** 2), (Decision(u, low=0, high=1),)),
        Player("fugitive", (u - v) ** 2, (Decision(v, low=0, high=1),)),
    )
    found = numerical_equilibrium(Game(stages=(players,)), {})
    assert not found.holds
    assert "cycle" in found.reason or "gains" in found.reason


# Formulas


def test_own_candidates_move_a_members_own_term_of_a_sum_only():
    formula = Formula(x[i] * w[i] - sp.Sum(w[j] * x[j] ** 2, (j, 1, 3)), i)
    rng = np.random.default_rng(0)
    at = {x: rng.random((4, 3, 1)), w: rng.random((4, 3, 1))}
    own = rng.random((4, 3, 5))
    found = formula(at, {x: own})
    for game in range(4):
        for member in range(3):
            for candidate in range(5):
                xs = at[x][game, :, 0].copy()
                xs[member] = own[game, member, candidate]
                ws = at[w][game, :, 0]
                expected = xs[member] * ws[member] - (ws * xs**2).sum()
                assert found[game, member, candidate] == pytest.approx(expected)


def test_a_family_whose_indices_shift_is_written_out():
    total = x[i] * (1 - x[i]) + sp.Piecewise((x[i] * x[i - 1] / 4, i > 1), (0, True))
    game = Game(
        stages=((Family("row", total, (Decision(x[i], low=0, high=1),), index=i, size=3),),)
    )
    assert not lowered(game).whole
    found = numerical_equilibrium(game, {})
    expected = [Fraction(1, 2), Fraction(9, 16), Fraction(73, 128)]
    assert [found.decisions[x[k]] for k in (1, 2, 3)] == pytest.approx([float(e) for e in expected])
