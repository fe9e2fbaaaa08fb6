"""Signs under assumptions: proofs hold at every point that is tried, refutations at theirs."""

import random

import pytest
import sympy as sp

from proofs.games.domains import Domain, Range
from proofs.games.factors import ANY, NEGATIVE, NONNEGATIVE, POSITIVE
from proofs.games.points import points, sign_at
from proofs.games.second_order import concave
from proofs.games.signs import decide, empty, signs
from proofs.games.sums import canonical

a, b, c = sp.symbols("a b c", positive=True)
r, s = sp.symbols("r s", real=True)
x = sp.Symbol("x", nonnegative=True)
n, i, j = sp.symbols("n i j", integer=True, positive=True)
w = sp.IndexedBase("w", positive=True)
OPEN = Range(sp.S.Zero)
DOMAIN = Domain(
    {
        a: OPEN,
        b: OPEN,
        c: OPEN,
        x: Range(sp.S.Zero, sp.Integer(2), closed=True),
        n: Range(sp.S.One, integer=True),
        r: Range(),
        w: OPEN,
        i: Range(sp.S.One, integer=True, members=n),
    }
).where(a > c)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ((a - c) / (2 * b), POSITIVE),
        (a**2 - 2 * a * c + c**2, POSITIVE),
        (a**2 - a * c + c**2, POSITIVE),
        (c - a, NEGATIVE),
        (2 - x, NONNEGATIVE),
        (sp.log(1 + x), NONNEGATIVE),
        (sp.sqrt(a) - sp.sqrt(c), POSITIVE),
        (n - 1, NONNEGATIVE),
        (r**2 - 2 * r + 1, NONNEGATIVE),
        (r**2 - r + 1, POSITIVE),
        (sp.Sum(w[j], (j, 1, n)) / n + x, POSITIVE),
    ],
)
def test_what_holds_is_proved(expression, wanted):
    assert decide(expression, wanted, DOMAIN).holds is True


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (a - 2 * c, POSITIVE),
        (n - 2, NONNEGATIVE),
        (1 - x, NONNEGATIVE),
        (r, NONNEGATIVE),
        (sp.Sum(w[j], (j, 1, n)) - 2 * w[i], POSITIVE),
    ],
)
def test_what_fails_is_refuted_at_a_point_of_the_domain(expression, wanted):
    verdict = decide(expression, wanted, DOMAIN)
    assert verdict.holds is False
    assert verdict.at[a] > verdict.at[c] > 0
    assert 0 <= verdict.at[x] <= 2
    assert sign_at(expression, verdict.at) not in wanted


def test_a_closed_end_is_part_of_the_domain():
    """2 - x is 0 at x = 2, which no x = 2t/(1 + t) reaches."""
    assert decide(2 - x, POSITIVE, DOMAIN).holds is not True


def test_relations_for_every_member_hold_for_the_sum():
    domain = DOMAIN.where(w[i] >= 3)
    total = canonical(sp.Sum(w[j], (j, 1, n)))
    assert decide(total - 3 * n, NONNEGATIVE, domain).holds is True
    for point in points(domain, [w[i]]):
        assert all(point[w[k]] >= 3 for k in range(1, int(point[n]) + 1))


def test_contradictions_are_found():
    assert empty(DOMAIN.where(c > a)).holds is True
    assert empty(DOMAIN.where(x > 3)).holds is True
    assert empty(DOMAIN.where(c > a + b)).holds is True
    found = empty(DOMAIN.where(sp.Eq(a, 2 * c)))
    assert found.holds is False
    assert found.at[a] == 2 * found.at[c]


@pytest.mark.parametrize("seed", range(12))
def test_random_polynomials_have_the_signs_that_are_claimed(seed):
    """Signs claimed by proof hold at random points, corners of the domain included."""
    rng = random.Random(seed)
    symbols = [a, b, c, x, r]
    for _ in range(6):
        expression = sum(
            rng.randint(-3, 3) * sp.prod(rng.choices(symbols, k=rng.randint(0, 3)))
            for _ in range(3)
        ) / rng.choice([1, a, a - c, 1 + x])
        expression = sp.sympify(expression)
        claimed = signs(expression, DOMAIN)
        if claimed == ANY:
            continue
        for point in points(DOMAIN, [expression], seed=seed):
            for corner in ({}, {x: sp.S.Zero}, {x: sp.Integer(2)}):
                assert sign_at(expression, {**point, **corner}) in claimed


def test_an_integer_reaches_the_upper_end_of_its_interval():
    few = Domain({n: Range(sp.S.One, sp.Integer(6), integer=True)})
    assert signs(6 - n, few) == NONNEGATIVE
    assert signs(7 - n, few) == POSITIVE


@pytest.mark.parametrize(
    ("utility", "holds"),
    [
        (-1 / r**2, None),  # two maxima on [-1, 1], at either end
        (-1 / (r - a) ** 2 - r**2, None),
        (-1 / (r + 2) ** 2, True),
        (-1 / (r + 1), True),  # the pole is at the end of the interval
        (-1 / (4 - r**2), True),
        (-r / a**2 - r**2, True),
        (sp.log(1 + r) - r, True),
        (1 / (r + 2), False),
    ],
)
def test_a_utility_is_not_concave_across_a_pole(utility, holds):
    ends = Range(sp.Integer(-1), sp.Integer(1), closed=True)
    fact, strict = concave("one", utility, (r,), Domain({a: OPEN, r: ends}))
    assert (fact.holds, strict) == (holds, holds is True)
