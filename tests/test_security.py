"""Security games: against the game over all sets of targets, closed forms, and lotteries."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import solvers
from solvers.commitment_model import commitment_model
from solvers.modelling import solved


def drawn(seed, n, *, most=5):
    """Whole payoffs; sometimes covering a target makes no difference to one of the players."""
    rng = np.random.default_rng(seed)
    uncovered = rng.integers(-most, 1, n), rng.integers(0, most + 1, n)
    change = rng.integers(0, most + 1, (2, n))
    payoffs = {
        "defender_covered": uncovered[0] + change[0],
        "defender_uncovered": uncovered[0],
        "attacker_covered": uncovered[1] - change[1],
        "attacker_uncovered": uncovered[1],
    }
    return {name: [F(int(v)) for v in values] for name, values in payoffs.items()}


def expanded(payoffs, k):
    """The tables of the game in which the defender mixes over the sets of exactly k targets or
    fewer, and those sets."""
    n = len(payoffs["defender_covered"])
    sets = [s for size in range(k + 1) for s in itertools.combinations(range(n), size)]
    tables = [
        np.array(
            [
                [payoffs[f"{who}_{'covered' if i in s else 'uncovered'}"][i] for i in range(n)]
                for s in sets
            ],
            dtype=object,
        )
        for who in ("defender", "attacker")
    ]
    return tables


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 1), (4, 2), (3, 5)])
def test_the_same_as_over_all_sets(seed, n, k):
    payoffs = drawn(seed, n, most=5 if seed % 2 else 1)
    found = solvers.security(resources=k, **payoffs)
    leader, follower = expanded(payoffs, min(n, k))
    for record in (found, found.pessimistic):
        assert record.status is solvers.Status.OPTIMAL, record.notes
        assert solvers.check(record.certificate).holds
        assert record.gap == 0
        assert record.allocation.shape == (n,)
    large = solvers.commitment(leader, follower)
    assert found.value == large.value
    assert found.pessimistic.value == large.pessimistic.value
    assert found.pessimistic.attained == large.pessimistic.attained
    second = solved(commitment_model([leader], [follower], [1]))
    assert float(found.value) == pytest.approx(second.value)


def attacked(payoffs, c):
    """(what the attacker gets, what the defender gets) for each target."""
    return [
        (
            p * payoffs["attacker_covered"][i] + (1 - p) * payoffs["attacker_uncovered"][i],
            p * payoffs["defender_covered"][i] + (1 - p) * payoffs["defender_uncovered"][i],
        )
        for i, p in enumerate(c)
    ]


@pytest.mark.parametrize("seed", range(15))
def test_coverages_are_worth_what_is_said(seed):
    payoffs, k = drawn(seed, 5), 2
    found = solvers.security(resources=k, **payoffs)
    worths = attacked(payoffs, found.allocation)
    assert max(worths)[1] == found.value == worths[found.reply][1]
    near = found.pessimistic.near(F(1, 1000))
    assert ((near >= 0) & (near <= 1)).all()
    assert sum(near) <= k
    worths = attacked(payoffs, near)
    hardest = max(gain for gain, _ in worths)
    worst = min(worth for gain, worth in worths if gain == hardest)
    assert worst >= found.pessimistic.value - F(1, 1000)
    rng = np.random.default_rng(seed)
    for _ in range(200):
        weights = rng.integers(0, 9, 5)
        c = [min(F(1), F(int(w) * k, max(int(weights.sum()), 1))) for w in weights]
        worths = attacked(payoffs, c)
        assert max(worths)[1] <= found.value
        hardest = max(gain for gain, _ in worths)
        worst = min(worth for gain, worth in worths if gain == hardest)
        assert worst <= found.pessimistic.value


def test_a_zero_sum_game_by_hand():
    # The attacker gains v_i where target i is uncovered: coverage levels the two dearest targets,
    # 2 (1 − c_2) = 3 (1 − c_3) with c_2 + c_3 = 1, and leaves 1 < 6/5 alone.
    values = [F(1), F(2), F(3)]
    found = solvers.security(
        resources=1, defender_covered=[F(0)] * 3, defender_uncovered=[-v for v in values],
        attacker_covered=[F(0)] * 3, attacker_uncovered=values,
    )  # fmt: skip
    assert found.value == found.pessimistic.value == F(-6, 5)
    assert found.allocation.tolist() == [0, F(2, 5), F(3, 5)]


def test_enough_resources_cover_everything():
    payoffs = drawn(2, 4)
    found = solvers.security(resources=4, **payoffs)
    full = [F(1)] * 4
    assert found.value >= max(attacked(payoffs, full))[1]
    floats = solvers.security(
        resources=4, **{name: [float(v) for v in values] for name, values in payoffs.items()}
    )
    assert floats.value == pytest.approx(float(found.value))
    assert isinstance(floats.value, float)


def test_thirty_targets():
    rng = np.random.default_rng(0)
    unc_d, unc_a = -rng.uniform(1, 10, 30), rng.uniform(1, 10, 30)
    found = solvers.security(
        resources=6, defender_covered=rng.uniform(0, 5, 30), defender_uncovered=unc_d,
        attacker_covered=-rng.uniform(0, 5, 30), attacker_uncovered=unc_a,
    )  # fmt: skip
    assert found.status is found.pessimistic.status is solvers.Status.OPTIMAL
    assert found.value == found.pessimistic.value
    assert solvers.check(found.certificate).gap == 0
    lottery = solvers.schedules(found.allocation, 6)
    assert len(lottery) <= 31
    assert max(len(s.targets) for s in lottery) <= 6


@pytest.mark.parametrize("seed", range(20))
def test_a_lottery_has_the_coverage(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    weights = rng.integers(0, 9, n)
    total = F(int(rng.integers(0, 4 * k + 1)), 4)
    c = [min(F(1), total * F(int(w), max(int(weights.sum()), 1))) for w in weights]
    lottery = solvers.schedules(np.array(c, dtype=object), k)
    assert sum(s.probability for s in lottery) == 1
    assert all(s.probability > 0 for s in lottery)
    assert len(lottery) <= n + 1
    for i, p in enumerate(c):
        assert sum(s.probability for s in lottery if i in s.targets) == p
    for s in lottery:
        assert len(set(s.targets)) == len(s.targets) <= k
        assert len(s.targets) in (int(sum(c)), -int(-sum(c) // 1))
    floats = solvers.schedules([float(p) for p in c], k)
    for i, p in enumerate(c):
        share = sum(s.probability for s in floats if i in s.targets)
        assert share == pytest.approx(float(p), abs=1e-12)


def test_the_check_sees_too_much_coverage():
    proof = solvers.security(resources=1, **drawn(3, 3)).certificate
    for c in ([1, 1, 0], [2, -1, 0], [1, 0]):
        x = np.array([F(1), *map(F, c)], dtype=object)
        assert not solvers.check(replace(proof, x=x)).holds
    assert not solvers.check(replace(proof, x=proof.x * F(1, 2))).holds


FAIR = {
    "defender_covered": [1, 1], "defender_uncovered": [0, 0],
    "attacker_covered": [0, 0], "attacker_uncovered": [1, 2],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resources": 0}, "resources = 0: expected a whole number of at least 1"),
        ({"resources": 1.5}, "resources = 1.5"),
        ({"resources": True}, "resources = True"),
        ({"defender_covered": [1, -1]}, r"defender_covered\[1\] = -1 .*never hurts the defender"),
        ({"attacker_covered": [2, 0]}, r"attacker_covered\[0\] = 2 and attacker_uncovered\[0\]"),
        ({"attacker_covered": [0]}, "expected .n,. for all"),
        ({"attacker_covered": [0, np.nan]}, r"attacker_covered\[1\] = nan"),
        ({name: [] for name in FAIR}, "n ≥ 1 targets"),
        ({name: [[1]] for name in FAIR}, "expected .n,. for all"),
    ],
)
def test_bad_security_games(changes, message):
    with pytest.raises(ValueError, match=message):
        solvers.security(**{"resources": 1, **FAIR, **changes})


@pytest.mark.parametrize(
    ("coverage", "resources", "message"),
    [
        ([0.5, 1.2], 2, r"holds 1.2: expected numbers in \[0, 1\]"),
        ([-0.1], 1, "holds -0.1"),
        ([0.9, 0.9], 1, "sums to 1.8: expected at most resources = 1"),
        ([[0.5]], 1, "expected .n,."),
        ([np.nan], 1, "nan"),
        ([0.5], 0, "resources = 0"),
    ],
)
def test_bad_coverage(coverage, resources, message):
    with pytest.raises(ValueError, match=message):
        solvers.schedules(coverage, resources)
