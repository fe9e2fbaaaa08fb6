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
    """Φ in one k where δ = f θ^F < 0: concavity at 1 = (3/4) · 0 + (1/4) · 4, σ = 1/2."""
    numbers = {"T": "2", "f": "1", "points": ["0", "1", "4"]}
    return refuted("T_i = 2 and q_j = 0", 1, numbers, replay_stale(numbers))


def replay_stale(numbers: Numbers) -> str:
    """δ = f log(1/T) is irrational, and only its sign is used: negative as T > 1 and f > 0."""
    duration, bid = read(numbers, "T", "f")
    (points,) = rows({"points": [numbers.get("points", ())]}, "points")
    need(duration > 1 and bid > 0, "expected T > 1 and f > 0, so that δ = f log(1/T) < 0")
    need(len(points) == 3 and points == sorted(points), "expected three points in order")
    low, middle, high = points
    need(low < middle < high and low >= 0, "expected 0 ≤ low < middle < high")
    roots = [root(x) for x in points]
    need(None not in roots, "expected squares")
    a, b, c = (2 * x for x in roots if x is not None)
    weight = (high - middle) / (high - low)
    bulge = b - (weight * a + (1 - weight) * c)
    need(bulge > 0, "h is not above its chord there")
    return (
        f"T = {duration}, q = 0, f = {bid}: δ = −{bid} log {duration} < 0. With σ = 1/2, "
        f"h({middle}) is {bulge} above the chord from {low} to {high}, so Φ is below its own: not concave"
    )


# Users: the solution (eqs. 22, 23) ----------------------------------------------------------------


def user_utility(delta: Fraction, cost: Fraction, x: Fraction) -> Fraction:
    """δ h(x) − C x at σ = 1/2 and a square x ≥ 0; ValueError elsewhere."""
    half = root(x)
    need(half is not None, f"{x} is no square of a rational ≥ 0")
    return 2 * delta * (half or Fraction(0)) - cost * x


def decide_solution(effort: Any) -> Finding:
    """Eq. 22 at every δ, C in 1 … 6: out of the domain, and without its sign no maximum."""
    cases = list(itertools.product(range(1, 7), repeat=2))
    wrong = []
    for cost, delta in cases:
        ratio = Fraction(cost, delta)
        right = user_utility(Fraction(delta), Fraction(cost), 1 / ratio**2)
        if user_utility(Fraction(delta), Fraction(cost), ratio**2) < right:
            wrong.append((cost, delta))
    if not wrong:
        return unrefuted(len(cases))
    cost, delta = wrong[0]
    ratio = Fraction(cost, delta)
    numbers = {
        "C": str(cost),
        "delta": str(delta),
        "printed": str(-(ratio**2)),
        "without sign": str(user_utility(Fraction(delta), Fraction(cost), ratio**2)),
        "better": str(1 / ratio**2),
        "utility": str(user_utility(Fraction(delta), Fraction(cost), 1 / ratio**2)),
    }
    return refuted(
        f"eq. 22 is negative in all {len(cases)} cases with σ = 1/2; without its sign it is "
        f"beaten in {len(wrong)} (the others have δ = C)",
        len(cases),
        numbers,
        replay_solution(numbers),
    )


def replay_solution(numbers: Numbers) -> str:
    cost, delta, printed, unsigned, better, utility = read(
        numbers, "C", "delta", "printed", "without sign", "better", "utility"
    )
    need(cost > 0 and delta > 0, "expected C > 0 and δ > 0")
    need(printed == -((cost / delta) ** 2), "that is not eq. 22")
    need(printed < 0, "eq. 22 is in the domain there")
    need(user_utility(delta, cost, -printed) == unsigned, "that is not the utility without sign")
    need(better > 0 and user_utility(delta, cost, better) == utility, "that is not the utility")
    need(utility > unsigned, "nothing is gained there")
    return (
        f"σ = 1/2, C = {cost}, δ = {delta}: eq. 22 is {printed}, no number of iterations; "
        f"{-printed} gives {unsigned}, and {better} gives {utility}"
    )


def decide_integers(effort: Any) -> Finding:
    """The floor of the right k* against the other neighbour, σ = 1/2, where both are squares."""
    cases, wrong = 0, []
    for cost, delta in itertools.product(range(1, 11), repeat=2):
        best = Fraction(delta, cost) ** 2
        below = best.numerator // best.denominator
        if below == best or root(Fraction(below)) is None or root(Fraction(below + 1)) is None:
            continue
        cases += 1
        values = [
            user_utility(Fraction(delta), Fraction(cost), Fraction(below + i)) for i in (0, 1)
        ]
        if values[1] > values[0]:
            wrong.append((cost, delta, below, values))
    if not wrong:
        return unrefuted(cases)
    cost, delta, below, values = wrong[0]
    numbers = {
        "C": str(cost),
        "delta": str(delta),
        "floor": str(below),
        "utility": str(values[0]),
        "ceiling's": str(values[1]),
    }
    return refuted(
        f"in {len(wrong)} of {cases} cases with σ = 1/2 the ceiling is better than the floor",
        cases,
        numbers,
        replay_integers(numbers),
    )


def replay_integers(numbers: Numbers) -> str:
    cost, delta, below, utility, other = read(
        numbers, "C", "delta", "floor", "utility", "ceiling's"
    )
    need(cost > 0 and delta > 0 and below.denominator == 1, "expected C, δ > 0 and an integer")
    best = (delta / cost) ** 2
    need(below <= best < below + 1, f"the floor of {best} is not {below}")
    need(user_utility(delta, cost, below) == utility, "that is not the utility of the floor")
    need(user_utility(delta, cost, below + 1) == other, "that is not the utility of the ceiling")
    need(other > utility, "the floor is no worse there")
    return (
        f"σ = 1/2, C = {cost}, δ = {delta}: k* = {best}; {below} iterations give {utility}, "
        f"{below + 1} give {other}"
    )


CONCAVE = Fact(decide_concave, replay_concave)
ENTRIES = Fact(decide_entries, only_refuted(replay_entries))
STALE = Fact(decide_stale, only_refuted(replay_stale))
SOLUTION = Fact(decide_solution, only_refuted(replay_solution))
INTEGERS = Fact(decide_integers, only_refuted(replay_integers))
