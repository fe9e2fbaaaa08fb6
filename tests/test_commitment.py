"""Commitment in finite games: textbook games, every breakpoint of two-action leaders in Fractions,
Nash equilibria by supports, DOBSS, and certificates that were tampered with."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from scipy.optimize import linprog

import solvers
from solvers.commitment_model import commitment_model
from solvers.modelling import solved


def table(rows):
    return np.array([[F(v) for v in row] for row in rows], dtype=object)


def random_game(seed, m, n, *, few=False):
    """Whole payoffs; few different ones, so that ties and equal columns are common."""
    rng = np.random.default_rng(seed)
    most = 1 if few else 6
    return tuple(table(rng.integers(-most, most + 1, (m, n)).tolist()) for _ in range(2))


def worst(leader, follower, x):
    """What x is worth with ties against the leader."""
    gains = x @ follower
    return min(v for v, g in zip(x @ leader, gains, strict=True) if g == max(gains))


def best(leader, follower, x):
    gains = x @ follower
    return max(v for v, g in zip(x @ leader, gains, strict=True) if g == max(gains))


def sound(found):
    """Both records are optimal, in rationals, and their certificates hold."""
    for record in (found, found.pessimistic):
        assert record.status is solvers.Status.OPTIMAL, record.notes
        checked = solvers.check(record.certificate)
        assert checked.holds, checked.reason
        assert checked.exact
        assert checked.gap == 0
        assert checked.value == record.value == record.bound
        assert record.allocation.sum() == 1
        assert (record.allocation >= 0).all()
    assert found.pessimistic.value <= found.value


def test_the_textbook_example():
    # Conitzer & Sandholm (2006), figure 1: the only equilibrium without commitment is worth 2.
    leader, follower = table([[2, 4], [1, 3]]), table([[1, 0], [0, 1]])
    found = solvers.commitment(leader, follower)
    sound(found)
    assert (found.value, found.allocation.tolist(), found.reply) == (F(7, 2), [F(1, 2)] * 2, 1)
    weak = found.pessimistic
    assert (weak.value, weak.attained) == (F(7, 2), False)
    assert worst(leader, follower, weak.near(F(1, 1000))) >= F(7, 2) - F(1, 1000)
    pure = solvers.commitment(leader, follower, pure=True)
    sound(pure)
    assert (pure.value, pure.allocation.tolist()) == (3, [0, 1])
    assert (pure.pessimistic.value, pure.pessimistic.attained) == (3, True)
    floats = solvers.commitment([[2, 4], [1, 3]], [[1, 0], [0, 1]])
    assert isinstance(floats.value, float)
    assert (floats.value, floats.bound, floats.allocation.tolist()) == (3.5, 3.5, [0.5, 0.5])


@pytest.mark.parametrize(
    ("leader", "follower", "strong", "weak", "attained"),
    [
        # The follower is indifferent everywhere: the leader is helped, or guards against the worst.
        ([[1, 0], [0, 1]], [[0, 0], [0, 0]], 1, F(1, 2), True),
        # The good reply is a best one only where the other action is never played: no interior.
        ([[0, 10], [0, 0]], [[0, 0], [1, 0]], 10, 0, True),
        # A reply that is nowhere best.
        ([[1, 9]], [[1, 0]], 1, 1, True),
        # One action each; one reply; identical rows; a dominated action of the leader.
        ([[3]], [[-1]], 3, 3, True),
        ([[3], [4]], [[0], [0]], 4, 4, True),
        ([[1, 2], [1, 2]], [[0, 1], [0, 1]], 2, 2, True),
        ([[0, 5], [1, 6]], [[1, 0], [1, 0]], 1, 1, True),
        # Equal columns away from the limit, where a third reply is as good and worse.
        ([[4, 4, 0], [1, 2, 0]], [[1, 1, 1], [1, 1, 0]], 4, 4, False),
    ],
)  # fmt: skip
def test_where_the_follower_is_indifferent(leader, follower, strong, weak, attained):
    found = solvers.commitment(table(leader), table(follower))
    sound(found)
    assert found.value == strong
    assert found.pessimistic.value == weak
    assert found.pessimistic.attained == attained
    assert bool(found.notes) == (strong != weak)


def by_breakpoints(leader, follower):
    """(strong value, weak supremum, whether it is attained) for a leader of two actions.

    Both are piecewise linear in the probability of the first action, so that it is enough to look
    at where two lines of either player cross, at the middles between, and at limits from there.
    """
    points = {F(0), F(1)}
    for payoffs in (leader, follower):
        slopes, at_0 = (payoffs[0] - payoffs[1]).tolist(), payoffs[1].tolist()
        for (s, a), (t, b) in itertools.combinations(zip(slopes, at_0, strict=True), 2):
            if s != t and 0 < (b - a) / (s - t) < 1:
                points.add((b - a) / (s - t))
    ends = sorted(points)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]

    def mixed(p):
        return np.array([p, 1 - p], dtype=object)

    strong = max(best(leader, follower, mixed(p)) for p in ends)
    reached = max(worst(leader, follower, mixed(p)) for p in [*ends, *middles])
    limits = []
    for (a, b), p in zip(itertools.pairwise(ends), middles, strict=True):
        gains = mixed(p) @ follower
        same = [k for k, g in enumerate(gains) if g == max(gains)]
        limits += [min((mixed(end) @ leader)[same]) for end in (a, b)]
    return strong, max([reached, *limits]), reached >= max(limits)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_two_actions_by_every_breakpoint(n, few):
    kinds = set()
    for seed in range(25):
        leader, follower = random_game(seed, 2, n, few=few)
        found = solvers.commitment(leader, follower)
        sound(found)
        weak = found.pessimistic
        assert (found.value, weak.value, weak.attained) == by_breakpoints(leader, follower)
        assert best(leader, follower, found.allocation) == found.value
        if weak.attained:
            assert worst(leader, follower, weak.allocation) == weak.value
        for epsilon in (F(3), F(1, 10), F(1, 10**12)):
            assert worst(leader, follower, weak.near(epsilon)) >= weak.value - epsilon
        kinds.add((weak.attained, weak.value == found.value))
    if n == 5 and few:
        assert kinds == {(True, True), (False, True), (True, False), (False, False)}


def by_best_reply_sets(leader, follower, value):
    """(weak supremum, whether some strategy is worth `value`) in floats: where exactly the replies
    in B are best, the leader gets the worst of them, so one program for each set B will do."""
    m, n = leader.shape
    r, c = leader.astype(float), follower.astype(float)
    most, attained = -np.inf, False
    for size in range(1, n + 1):
        for b in itertools.combinations(range(n), size):
            others = [k for k in range(n) if k not in b]
            simplex = {"A_eq": [[1.0] * m + [0.0]], "b_eq": [1.0]}
            simplex["A_eq"] += [[*(c[:, b[0]] - c[:, k]), 0.0] for k in b[1:]]
            simplex["b_eq"] += [0.0] * (size - 1)
            sides = [(0, None)] * m + [(-99, 99)]
            goal = [0.0] * m + [-1.0]
            ahead = [[*(c[:, k] - c[:, b[0]]), 1.0] for k in others]
            paid = [[*-r[:, k], 0.0] for k in b]
            strict = linprog(goal, A_ub=ahead or None, b_ub=[0] * len(ahead) or None, bounds=sides,
                             **simplex)  # fmt: skip
            if strict.status != 0 or -strict.fun < 1e-7:
                continue
            rows = [[*row[:m], 0.0] for row in ahead] + [[*row[:m], 1.0] for row in paid]
            found = linprog(goal, A_ub=rows, b_ub=[0] * len(rows), bounds=sides, **simplex)
            most = max(most, -found.fun)
            enough = [0.0] * len(ahead) + [1e-9 - value] * size
            kept = linprog(goal, A_ub=[*ahead, *paid], b_ub=enough, bounds=sides, **simplex)
            attained |= kept.status == 0 and -kept.fun > 1e-6
    return most, attained


@pytest.mark.parametrize("seed", range(24))
def test_pessimistic_by_every_set_of_best_replies(seed):
    leader, follower = random_game(seed, 3 + seed % 2, 4, few=seed % 3 != 0)
    weak = solvers.commitment(leader, follower).pessimistic
    supremum, attained = by_best_reply_sets(leader, follower, float(weak.value))
    assert float(weak.value) == pytest.approx(supremum, abs=1e-7)
    assert weak.attained == attained


def test_no_mixture_of_a_grid_is_better():
    steps = 12
    grid = [
        np.array([F(a, steps), F(b, steps), F(steps - a - b, steps)], dtype=object)
        for a in range(steps + 1)
        for b in range(steps + 1 - a)
    ]
    for seed in range(20):
        leader, follower = random_game(seed, 3, 4, few=seed % 2 == 0)
        found = solvers.commitment(leader, follower)
        sound(found)
        weak = found.pessimistic
        assert max(best(leader, follower, x) for x in grid) <= found.value
        most = max(worst(leader, follower, x) for x in grid)
        assert most < weak.value or (most == weak.value and weak.attained)
        assert worst(leader, follower, weak.near(F(1, 10**6))) >= weak.value - F(1, 10**6)
        pure = solvers.commitment(leader, follower, pure=True)
        sound(pure)
        corners = [x for x in grid if max(x) == 1]
        assert pure.value == max(best(leader, follower, x) for x in corners) <= found.value
        assert pure.pessimistic.value == max(worst(leader, follower, x) for x in corners)


@pytest.mark.parametrize("seed", range(6))
def test_zero_sum_games_give_the_minimax_value(seed):
    leader, _ = random_game(seed, 4, 3)
    found = solvers.commitment(leader, -leader)
    sound(found)
    assert found.value == found.pessimistic.value
    assert found.pessimistic.attained
    second = linprog(
        [0, 0, 0, 0, -1],
        A_ub=np.column_stack([-leader.T.astype(float), np.ones(3)]),
        b_ub=np.zeros(3),
        A_eq=[[1, 1, 1, 1, 0]],
        b_eq=[1],
        bounds=[(0, None)] * 4 + [(None, None)],
    )
    assert float(found.value) == pytest.approx(-second.fun, abs=1e-9)


def nash_values(leader, follower):
    """The leader's payoffs in the equilibria with supports of equal size, by enumeration."""
    m, n = leader.shape
    found = []
    for size in range(1, min(m, n) + 1):
        for rows in itertools.combinations(range(m), size):
            for columns in itertools.combinations(range(n), size):
                x = _indifferent(follower[np.ix_(rows, columns)].T.astype(float))
                y = _indifferent(leader[np.ix_(rows, columns)].astype(float))
                if x is None or y is None:
                    continue
                full_x, full_y = np.zeros(m), np.zeros(n)
                full_x[list(rows)], full_y[list(columns)] = x, y
                mine, theirs = leader.astype(float) @ full_y, full_x @ follower.astype(float)
                worth = full_x @ mine
                if mine.max() <= worth + 1e-9 and theirs.max() <= theirs @ full_y + 1e-9:
                    found.append(worth)
    return found


def _indifferent(payoffs):
    """The mixture over columns that makes every row worth the same, None where there is none."""
    k = len(payoffs)
    system = np.block([[payoffs, -np.ones((k, 1))], [np.ones((1, k)), np.zeros((1, 1))]])
    if abs(np.linalg.det(system)) < 1e-9:
        return None
    mixture = np.linalg.solve(system, np.append(np.zeros(k), 1.0))[:k]
    return mixture if (mixture >= -1e-9).all() else None


@pytest.mark.parametrize("seed", range(25))
def test_commitment_is_worth_at_least_every_equilibrium(seed):
    # Von Stengel & Zamir (2010), theorem 11: at both ends of the interval of payoffs.
    leader, follower = random_game(seed, 3, 3)
    values = nash_values(leader, follower)
    assert values
    found = solvers.commitment(leader, follower)
    assert max(values) <= float(found.value) + 1e-9
    assert min(values) <= float(found.pessimistic.value) + 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_dobss_agrees(seed):
    leader, follower = random_game(seed, 4, 5, few=seed < 4)
    second = solved(commitment_model([leader], [follower], [1]))
    assert float(solvers.commitment(leader, follower).value) == pytest.approx(second.value)


@pytest.mark.parametrize("seed", range(8))
def test_several_types_agree_with_dobss(seed):
    games = [random_game(10 * seed + t, 3, n, few=t == 1) for t, n in enumerate((3, 2, 2))]
    chances = [F(1, 6), F(1, 3), F(1, 2)]
    leaders, followers = [g[0] for g in games], [g[1] for g in games]
    found = solvers.commitment(*solvers.harsanyi(leaders, followers, chances))
    sound(found)
    second = solved(commitment_model(leaders, followers, chances))
    assert float(found.value) == pytest.approx(second.value)
    x = found.allocation
    assert found.value == sum(p * best(*g, x) for p, g in zip(chances, games, strict=True))
    near = found.pessimistic.near(F(1, 100))
    worth = sum(p * worst(*g, near) for p, g in zip(chances, games, strict=True))
    assert worth >= found.pessimistic.value - F(1, 100)


def test_a_type_that_never_comes_changes_nothing():
    game, other = random_game(1, 3, 3), random_game(2, 3, 4)
    mine, theirs = solvers.harsanyi([game[0], other[0]], [game[1], other[1]], [1, 0])
    assert (mine == game[0]).all()
    assert (theirs == game[1]).all()


@pytest.mark.parametrize("scale", [F(1, 10**9), F(1), F(10**9)])
def test_units_do_not_matter(scale):
    leader, follower = random_game(4, 4, 4)
    plain = solvers.commitment(leader, follower)
    scaled = solvers.commitment(leader * scale + 7, follower * scale - 3)
    sound(scaled)
    assert scaled.value == plain.value * scale + 7
    assert scaled.pessimistic.value == plain.pessimistic.value * scale + 7
    floats = solvers.commitment((leader * scale).astype(float), (follower * scale).astype(float))
    assert floats.value == pytest.approx(float(plain.value * scale))


def test_random_floats_are_solved():
    rng = np.random.default_rng(3)
    leader, follower = rng.normal(size=(2, 8, 8))
    found = solvers.commitment(leader, follower)
    assert found.status is found.pessimistic.status is solvers.Status.OPTIMAL
    assert found.gap == found.pessimistic.gap == 0
    # No ties among such numbers: both values are one.
    assert found.value == found.pessimistic.value
    assert solvers.check(found.certificate).gap == 0


def test_tampered_certificates_fail():
    rng = np.random.default_rng(0)
    for seed in range(12):
        found = solvers.commitment(*random_game(seed, 3, 4, few=seed % 2 == 0))
        for record in (found, found.pessimistic):
            proof, truth = record.certificate, record.value
            less = proof.multipliers.copy()
            less[record.reply, (record.reply + 1) % 4] = F(-1)
            changed = [
                replace(proof, multipliers=less),
                replace(proof, weights=proof.weights * 2),
                replace(proof, weights=proof.weights * 0),
                replace(proof, x=proof.x * 2),
                replace(proof, x=proof.x[:2]),
            ]
            assert not any(solvers.check(other).holds for other in changed)
            # Whatever the multipliers and strategies, no bound falls below a value.
            for _ in range(10):
                any_prices = table(rng.integers(0, 5, (4, 4)).tolist()) / 3
                other = solvers.check(replace(proof, multipliers=any_prices))
                assert not other.holds or other.value == truth
                draw = rng.integers(1, 9, 3)
                x = np.array([F(int(v), int(draw.sum())) for v in draw], dtype=object)
                for reply in range(4):
                    moved = replace(proof, x=x, reply=reply, interior=x)
                    moved = solvers.check(moved)
                    assert moved.value is None or moved.value <= truth
                    assert not moved.holds or moved.value == truth
    pure = solvers.commitment(*random_game(1, 3, 3), pure=True).certificate
    for x in ([F(1, 2), F(1, 2), F(0)], [F(1), F(0)], [F(1), F(1), F(0)]):
        assert not solvers.check(replace(pure, x=np.array(x, dtype=object))).holds


def test_a_supremum_is_not_taken_for_a_maximum():
    proof = solvers.commitment([[2, 4], [1, 3]], [[1, 0], [0, 1]]).pessimistic.certificate
    assert proof.interior is not None
    checked = solvers.check(replace(proof, interior=None))
    assert not checked.holds
    assert checked.value < checked.bound


def test_a_limit_of_time_is_said():
    found = solvers.commitment(*random_game(0, 3, 3), seconds=0)
    for record in (found, found.pessimistic):
        assert record.status is solvers.Status.UNSOLVED
        assert record.value is None
        assert "time" in record.notes[0]
        with pytest.raises(ValueError, match="nothing was found"):
            record.near(1)


GOOD = [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("leader", "follower", "message"),
    [
        ([[1, np.nan], [3, 4]], GOOD, r"leader\[0, 1\] = nan: expected finite"),
        (GOOD, [[1, np.inf], [3, 4]], r"follower\[0, 1\] = inf"),
        (GOOD, [[1, 2, 3], [3, 4, 5]], r"leader has shape \(2, 2\) and follower \(2, 3\)"),
        ([1, 2], [1, 2], "expected at least 2 axes"),
        ([GOOD], [GOOD], r"expected both \(m, n\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one of each"),
        ([["a", "b"]], [[1, 2]], "expected real numbers"),
        (np.array([[None, 1]], dtype=object), [[1, 2]], "expected finite numbers"),
    ],
)
def test_bad_tables(leader, follower, message):
    with pytest.raises(ValueError, match=message):
        solvers.commitment(leader, follower)


@pytest.mark.parametrize(
    ("tables", "chances", "message"),
    [
        (2, [0.5, 0.4], "sum to 0.9: expected 1"),
        (2, [F(1, 3), F(1, 3)], "sum to 2/3"),
        (2, [1.5, -0.5], "hold -0.5"),
        (2, [1.0], "2 tables of the leader"),
        (1, [[1.0]], "expected .types,."),
        (0, [], "at least one type"),
        (1, [np.nan], "nan"),
        (10, [0.1] * 10, "together have 1024 replies: expected at most 512"),
    ],
)
def test_bad_types(tables, chances, message):
    with pytest.raises(ValueError, match=message):
        solvers.harsanyi([GOOD] * tables, [GOOD] * tables, chances)


def test_types_that_see_other_actions_are_refused():
    with pytest.raises(ValueError, match=r"see \[2, 1\] actions"):
        solvers.harsanyi([GOOD, [[1, 2]]], [GOOD, [[1, 2]]], [0.5, 0.5])


def test_near_needs_a_distance():
    with pytest.raises(ValueError, match="epsilon = 0: expected a number above 0"):
        solvers.commitment(GOOD, GOOD).near(0)
