"""Decisions about the users' problem: is it concave (eqs. 19-21), and what solves it (eqs. 22, 23)?

Numbers are taken at σ = 1/2, where h(x) = 2 √x is rational at squares: eq. 22 is then −(C/δ)², and
the maximum of δ h(x) − C x is at (δ/C)².
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Fact, Finding
from mechkit.papers.pmsam.exact import (
    Numbers,
    need,
    only_refuted,
    read,
    refuted,
    root,
    rows,
    unrefuted,
)
from mechkit.verdict import Status

# Users: concavity (eqs. 19-21) --------------------------------------------------------------------


def hessian() -> list[list[str]]:
    """Of Φ in (k_1, k_2, ε_1, ε_2) of one user and two providers, by SymPy; ValueError unless it is
    diagonal with entries −σ δ x^(−σ−1), all negative."""
    import sympy as sp

    sigma, cost_k, cost_e = sp.symbols("sigma C_c C_p", positive=True)
    deltas = sp.symbols("delta1 delta2", positive=True)
    ks, es = sp.symbols("k1 k2", positive=True), sp.symbols("e1 e2", positive=True)

    def h(x: Any) -> Any:
        return x ** (1 - sigma) / (1 - sigma)

    phi = sum(
        d * (h(k) + h(e)) - cost_k * k - cost_e * e for d, k, e in zip(deltas, ks, es, strict=True)
    )
    found = sp.hessian(phi, (*ks, *es))
    for i, (delta, x) in enumerate(zip((*deltas, *deltas), (*ks, *es), strict=True)):
        right = -sigma * delta * x ** (-sigma - 1)
        need(sp.simplify(found[i, i] - right) == 0, f"entry {i} is {found[i, i]}, not {right}")
        need(right.is_negative is True, f"{right} is not known to be negative")
        for j in range(4):
            need(i == j or found[i, j] == 0, f"entry ({i}, {j}) is {found[i, j]}, not 0")
    return [[str(sp.simplify(found[i, j])) for j in range(4)] for i in range(4)]


def decide_concave(effort: Any) -> Finding:
    import sympy as sp

    found = hessian()
    return Finding(
        Status.PROVED,
        f"derivation (SymPy {sp.__version__})",
        "0 < σ ≠ 1, δ_ij > 0, k_ij, ε_ij > 0, any number of providers: the Hessian is diagonal, "
        "−σ δ_ij x^(−σ−1)",
        numbers={"hessian": found},
        told="Φ_i is a sum of terms in one decision each, so its mixed derivatives vanish for any "
        "number of providers, and δ x^(1−σ) / (1−σ) − C x has second derivative −σ δ x^(−σ−1) < 0.",
    )


def replay_concave(status: Status, numbers: Numbers) -> str:
    need(status is Status.PROVED, f"{status.value}: only the proof can be replayed")
    found = hessian()
    need(numbers.get("hessian") == found, f"the Hessian is {found}, not as stated")
    return "the Hessian is diagonal and its entries are −σ δ x^(−σ−1) < 0, derived again"


def decide_entries(effort: Any) -> Finding:
    """Eq. 20's h = δ k^(−σ−1) against the second derivative, at k = 1: −δ and −σ δ."""
    cases = list(itertools.product((Fraction(1, 2), Fraction(1, 3), Fraction(2)), (1, 2, 3)))
    wrong = [(s, d) for s, d in cases if second_derivative(s, Fraction(d)) != -d]
    if not wrong:
        return unrefuted(len(cases))
    sigma, delta = wrong[0]
    numbers = {
        "sigma": str(sigma),
        "delta": str(delta),
        "printed": str(-delta),
        "second derivative": str(second_derivative(sigma, Fraction(delta))),
    }
    return refuted(
        f"wrong in {len(wrong)} of {len(cases)} cases, by the factor σ",
        len(cases),
        numbers,
        replay_entries(numbers),
    )


def second_derivative(sigma: Fraction, delta: Fraction) -> Fraction:
    """Of δ x^(1−σ) / (1−σ) at x = 1, by the power rule p (p − 1)."""
    power = 1 - sigma
    return delta / (1 - sigma) * power * (power - 1)


def replay_entries(numbers: Numbers) -> str:
    sigma, delta, printed, stated = read(numbers, "sigma", "delta", "printed", "second derivative")
    need(0 < sigma != 1 and delta > 0, "expected σ > 0 other than 1 and δ > 0")
    need(printed == -delta, "eq. 20 at k = 1 is −δ")
    need(second_derivative(sigma, delta) == stated, "that is not the second derivative")
    need(stated != printed, "eq. 20 is right there")
    return (
        f"σ = {sigma}, δ = {delta}, k = 1: eq. 20 says {printed}, the second derivative is {stated}"
    )


def decide_stale(effort: Any) -> Finding:
    """Φ in one k with q = 0, f = 1 and T in quarters up to 4, at 1, 4 and 9, σ = 1/2."""
    cases = [Fraction(n, 4) for n in range(1, 17)]
    wrong = []
    for duration in cases:
        numbers = {"T": str(duration), "f": "1", "points": ["1", "4", "9"]}
        # δ = log(1/T) has the sign of 1 − T: where it is 0 or more, Φ is concave.
        if bends_up(1 - duration, [Fraction(1), Fraction(4), Fraction(9)]):
            wrong.append(numbers)
    if not wrong:
        return unrefuted(len(cases))
    return refuted(
        f"Φ is below its chord for {len(wrong)} of {len(cases)} durations, all above 1",
        len(cases),
        wrong[-1],
        replay_stale(wrong[-1]),
    )


def bends_up(sign: Fraction, points: list[Fraction]) -> bool:
    """Whether δ h(x) − C x is below its chord at the middle point, δ having this sign, at σ = 1/2
    and three squares in order."""
    low, middle, high = points
    a, b, c = (user_utility(Fraction(1), Fraction(0), x) for x in points)
    weight = (high - middle) / (high - low)
    return sign * (b - (weight * a + (1 - weight) * c)) < 0


def replay_stale(numbers: Numbers) -> str:
    """δ = f log(1/T) is irrational, and only its sign is used."""
    duration, bid = read(numbers, "T", "f")
    (points,) = rows({"points": [numbers.get("points", ())]}, "points")
    need(duration > 1 and bid > 0, "expected T > 1 and f > 0, so that δ = f log(1/T) < 0")
    need(len(points) == 3 and 0 <= points[0] < points[1] < points[2], "expected three points")
    need(bends_up(Fraction(-1), points), "Φ is not below its chord there")
    return (
        f"T = {duration}, q = 0, f = {bid}: δ = −{bid} log {duration} < 0, and h(x) = 2 √x is "
        f"above its chord from {points[0]} to {points[2]} at {points[1]}, so Φ is below its own"
    )


# Users: the solution (eqs. 22, 23) ----------------------------------------------------------------


def user_utility(delta: Fraction, cost: Fraction, x: Fraction) -> Fraction:
    """δ h(x) − C x at σ = 1/2 and a square x ≥ 0; ValueError elsewhere."""
    half = root(x)
    need(half is not None, f"{x} is no square of a rational ≥ 0")
    return 2 * delta * (half or Fraction(0)) - cost * x


def printed_training(delta: Fraction, cost: Fraction) -> Fraction:
    """Eq. 22 at σ = 1/2."""
    return -((cost / delta) ** 2)


def decide_solution(effort: Any) -> Finding:
    """Eq. 22 at every δ, C in 1 … 6: in the domain, and, whatever its sign, as good as (δ / C)²?"""
    cases = [tuple(map(Fraction, pair)) for pair in itertools.product(range(1, 7), repeat=2)]
    outside = [(c, d) for c, d in cases if printed_training(d, c) <= 0]
    beaten = [
        (c, d)
        for c, d in cases
        if user_utility(d, c, abs(printed_training(d, c))) < user_utility(d, c, (d / c) ** 2)
    ]
    both = [case for case in beaten if case in outside]
    if not both:
        return unrefuted(len(cases))
    cost, delta = both[0]
    printed, better = printed_training(delta, cost), (delta / cost) ** 2
    numbers = {
        "C": str(cost),
        "delta": str(delta),
        "printed": str(printed),
        "without sign": str(user_utility(delta, cost, -printed)),
        "better": str(better),
        "utility": str(user_utility(delta, cost, better)),
    }
    return refuted(
        f"σ = 1/2: eq. 22 is negative in {len(outside)} of {len(cases)} cases, and beaten without "
        f"its sign in {len(beaten)} (in the others δ = C)",
        len(cases),
        numbers,
        replay_solution(numbers),
    )


def replay_solution(numbers: Numbers) -> str:
    cost, delta, printed, unsigned, better, utility = read(
        numbers, "C", "delta", "printed", "without sign", "better", "utility"
    )
    need(cost > 0 and delta > 0, "expected C > 0 and δ > 0")
    need(printed == printed_training(delta, cost), "that is not eq. 22")
    need(printed < 0, "eq. 22 is in the domain there")
    need(user_utility(delta, cost, -printed) == unsigned, "that is not the utility without sign")
    need(better > 0 and user_utility(delta, cost, better) == utility, "that is not the utility")
    need(utility > unsigned, "nothing is gained there")
    return (
        f"σ = 1/2, C = {cost}, δ = {delta}: eq. 22 is {printed}, no number of iterations; "
        f"{-printed} gives {unsigned}, and {better} gives {utility}"
    )


def surplus(delta: Fraction, cost: Fraction, k: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    """(4 δ² − C², its square, 16 C² δ² k): Φ(k + 1) > Φ(k) if and only if the first is positive and
    the second exceeds the third, as 2 δ √(k + 1) > C + 2 δ √k is squared twice."""
    left = 4 * delta * delta - cost * cost
    return left, left * left, 16 * cost * cost * delta * delta * k


def rounded(best: Fraction) -> Fraction:
    """Eq. 23."""
    return Fraction(best.numerator // best.denominator)


def decide_integers(effort: Any) -> Finding:
    """Eq. 23 of the right k* ≥ 1 against the integer above, σ = 1/2, δ and C in 1 … 10."""
    cases, wrong = 0, []
    for delta, cost in itertools.product(range(1, 11), repeat=2):
        if delta < cost:
            continue
        cases += 1
        below = rounded(Fraction(delta, cost) ** 2)
        left, square, right = surplus(Fraction(delta), Fraction(cost), below)
        if left > 0 and square > right:
            wrong.append((delta, cost, below))
    if not wrong:
        return unrefuted(cases)
    delta, cost, below = wrong[0]
    numbers = {"C": str(cost), "delta": str(delta), "floor": str(below)}
    return refuted(
        f"in {len(wrong)} of {cases} cases with σ = 1/2 and k* ≥ 1 the integer above is better",
        cases,
        numbers,
        replay_integers(numbers),
    )


def replay_integers(numbers: Numbers) -> str:
    cost, delta, below = read(numbers, "C", "delta", "floor")
    need(cost > 0 and delta > 0 and below >= 1, "expected C, δ > 0 and a floor of at least 1")
    best = (delta / cost) ** 2
    need(rounded(best) == below, f"the floor of {best} is not {below}")
    left, square, right = surplus(delta, cost, below)
    need(left > 0 and square > right, "the floor is no worse there")
    return (
        f"σ = 1/2, C = {cost}, δ = {delta}: k* = {best}, and {below + 1} iterations are better "
        f"than {below}: 2 δ √{below + 1} − C {below + 1} > 2 δ √{below} − C {below}, as "
        f"{square} > {right}"
    )


CONCAVE = Fact(decide_concave, replay_concave)
ENTRIES = Fact(decide_entries, only_refuted(replay_entries))
STALE = Fact(decide_stale, only_refuted(replay_stale))
SOLUTION = Fact(decide_solution, only_refuted(replay_solution))
INTEGERS = Fact(decide_integers, only_refuted(replay_integers))
