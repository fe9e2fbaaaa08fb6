"""Decisions about the providers' problem: concave (eqs. 24-28)? solved by eq. 29? one equilibrium?

Eq. 29 is compared where its root is rational. Equilibria are enumerated in vertices, where alone a
convex utility can be largest if it is strictly convex (rivals bid on the coordinate) or linear and
not flat.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Fact, Finding
from mechkit.papers.pmsam import game
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

# Providers: concavity (eqs. 24-28) ----------------------------------------------------------------


def term(q: Fraction, rivals: Fraction, charge: Fraction) -> Fraction:
    """q w − A q."""
    return (q * q / (q + rivals) if q else Fraction(0)) - charge * q


def decide_bids_concave(effort: Any) -> Finding:
    """Every three equidistant bids > 0 against Δ = 1 … 6: the middle against its neighbours."""
    cases = [
        (Fraction(d), Fraction(m), Fraction(s))
        for d in range(1, 7)
        for m in range(1, 7)
        for s in range(1, m)
    ]
    wrong = [
        (d, m, s)
        for d, m, s in cases
        if term(m - s, d, Fraction(0)) + term(m + s, d, Fraction(0)) > 2 * term(m, d, Fraction(0))
    ]
    if not wrong:
        return unrefuted(len(cases))
    rivals, middle, step = wrong[0]
    points = [middle - step, middle, middle + step]
    numbers = {
        "rivals": str(rivals),
        "bids": [str(x) for x in points],
        "won": [str(term(x, rivals, Fraction(0))) for x in points],
    }
    return refuted(
        f"strictly convex in {len(wrong)} of {len(cases)} cases",
        len(cases),
        numbers,
        replay_bids_concave(numbers),
    )


def replay_bids_concave(numbers: Numbers) -> str:
    (rivals,) = read(numbers, "rivals")
    (bids,) = rows({"bids": [numbers.get("bids", ())]}, "bids")
    (stated,) = rows({"won": [numbers.get("won", ())]}, "won")
    need(rivals > 0 and len(bids) == 3 and min(bids) >= 0, "expected rivals' bids and three bids")
    low, middle, high = bids
    need(low < high and 2 * middle == low + high, "expected a middle and its ends")
    need([term(x, rivals, Fraction(0)) for x in bids] == stated, "that is not q² / (q + Δ)")
    chord = (stated[0] + stated[2]) / 2
    need(chord > stated[1], "the middle is not below the chord")
    return (
        f"Δ = {rivals}: q² / (q + Δ) is {', '.join(map(str, stated))} at {low}, {middle}, {high}; "
        f"the middle is {chord - stated[1]} below the chord, whatever A is (A q is linear)"
    )


# Providers: the solution (eq. 29) -----------------------------------------------------------------


def printed_bids(rivals: Fraction, total: Fraction) -> tuple[Fraction, Fraction] | None:
    """Eq. 29's two components, without and with the root, where the latter is rational; total is
    Q^λ, or F."""
    inside = (rivals * rivals + rivals) / (total + 1)
    under = root(inside)
    return None if under is None else (inside - rivals, under - rivals)


def decide_bids(users: int, reading: str) -> Callable[[Any], Finding]:
    """Eq. 29 with the same Δ everywhere and Q^λ = F, against the best vertex of the budget.

    Its root is rational where Q^λ + 1 = (Δ² + Δ) / r², and positive where r > Δ.
    """

    def decide(effort: Any) -> Finding:
        cases, beaten = 0, []
        for rivals, step in itertools.product(map(Fraction, range(1, 7)), range(1, 16)):
            total = (rivals**2 + rivals) / (rivals + Fraction(step, 32)) ** 2 - 1
            found = printed_bids(rivals, total) if total > 0 else None
            if found is None:
                continue
            cases += 1
            spent = sum(_printed(found, users, reading), Fraction(0))
            budget = Fraction(-(-spent.numerator // spent.denominator))
            numbers = _bids(users, reading, rivals, total, found, budget)
            before, both, after = read(numbers, "printed utility", "with both roots", "utility")
            if after > max(before, both):
                beaten.append((total.denominator, rivals, numbers))
        if not beaten:
            return unrefuted(cases)
        _, _, numbers = min(beaten, key=lambda case: case[:2])
        return refuted(
            f"beaten by a vertex in {len(beaten)} of {cases} cases in which eq. 29 is rational and "
            "positive",
            cases,
            numbers,
            replay_bids(numbers),
        )

    return decide


def _charges(users: int, reading: str, total: Fraction) -> list[Fraction]:
    """A of users who contribute alike: Q^λ τ for each, or Q^λ, and the same for F."""
    return [total / users] * (2 * users) if reading == "q_ij" else [total] * 2


def _printed(found: tuple[Fraction, Fraction], users: int, reading: str) -> list[Fraction]:
    each = users if reading == "q_ij" else 1
    return [found[0]] * each + [found[1]] * each


def _total(bids: Sequence[Fraction], rivals: Fraction, charge: Sequence[Fraction]) -> Fraction:
    return sum((term(q, rivals, a) for q, a in zip(bids, charge, strict=True)), Fraction(0))


def _bids(
    users: int,
    reading: str,
    rivals: Fraction,
    total: Fraction,
    found: tuple[Fraction, Fraction],
    budget: Fraction,
) -> dict[str, Any]:
    charge, bids = _charges(users, reading, total), _printed(found, users, reading)
    corner = max(
        ([first] + [Fraction(0)] * (len(charge) - 1) for first in (Fraction(0), budget)),
        key=lambda plan: _total(plan, rivals, charge),
    )
    both = _printed((found[1], found[1]), users, reading)
    return {
        "reading": reading,
        "users": users,
        "rivals": str(rivals),
        "satisfaction": str(total),
        "budget": str(budget),
        "printed": [str(x) for x in bids],
        "printed utility": str(_total(bids, rivals, charge)),
        "with both roots": str(_total(both, rivals, charge)),
        "better": [str(x) for x in corner],
        "utility": str(_total(corner, rivals, charge)),
    }


def replay_bids(numbers: Numbers) -> str:
    rivals, total, budget = read(numbers, "rivals", "satisfaction", "budget")
    before, both, after = read(numbers, "printed utility", "with both roots", "utility")
    (bids,) = rows({"printed": [numbers.get("printed", ())]}, "printed")
    (better,) = rows({"better": [numbers.get("better", ())]}, "better")
    users, reading = numbers.get("users"), str(numbers.get("reading"))
    need(isinstance(users, int) and 1 <= users <= 50, "expected 1 to 50 users")
    need(reading in game.READINGS and rivals > 0 and total > 0, "expected Δ, Q^λ > 0, a reading")
    assert isinstance(users, int)
    found = printed_bids(rivals, total)
    need(found is not None, "eq. 29 is not rational there")
    assert found is not None
    charge = _charges(users, reading, total)
    need(bids == _printed(found, users, reading), "that is not eq. 29")
    need(len(better) == len(charge), f"expected {len(charge)} bids")
    for plan in (bids, better):
        need(min(plan) >= 0 and sum(plan) <= budget, "a plan is outside C1 of eq. 17")
    need(_total(bids, rivals, charge) == before, "that is not the utility of eq. 29")
    roots = _printed((found[1], found[1]), users, reading)
    need(_total(roots, rivals, charge) == both, "that is not the utility with both roots")
    need(_total(better, rivals, charge) == after, "that is not the utility of the better bids")
    need(after > max(before, both), "eq. 29 is no worse there")
    return (
        f"{reading}, {users} users alike, Q^λ = F = {total}, Δ = {rivals} everywhere, budget "
        f"{budget}: eq. 29 bids {', '.join(map(str, bids))} for a utility of {before} ({both} with "
        f"the root in both components); {', '.join(map(str, better))} gives {after}"
    )


# Providers: several equilibria (Theorem 2) --------------------------------------------------------


BUDGETS = [Fraction(1), Fraction(1)]
SHARES = (Fraction(1, 3), Fraction(2, 3))
"""τ of two users who contribute differently; one is the better for quality, one for freshness."""


def decide_unique(reading: str) -> Callable[[Any], Finding]:
    """Two providers with budget 1, two users, Q^λ and F in quarters up to 2: every vertex profile.

    Reported are games with several strict equilibria, in which each provider would lose by any
    other vertex: none is due to a tie.
    """

    def decide(effort: Any) -> Finding:
        several, strict, none, first = 0, 0, 0, None
        cases = list(itertools.product(range(1, 9), repeat=2))
        for a, b in cases:
            quality, freshness = Fraction(a, 4), Fraction(b, 4)
            charge = _charges_of(reading, quality, freshness)
            found = game.equilibria(charge, BUDGETS)
            firm = [x for x in found if game.is_equilibrium(x, charge, BUDGETS, strict=True)]
            several, strict = several + (len(found) > 1), strict + (len(firm) > 1)
            none += not found
            if len(firm) > 1 and first is None:
                first = (quality, freshness, firm)
        if first is None:
            return unrefuted(len(cases))
        quality, freshness, firm = first
        numbers = {
            "reading": reading,
            "quality": str(quality),
            "freshness": str(freshness),
            "budgets": [str(x) for x in BUDGETS],
            "one": [[str(x) for x in row] for row in firm[0]],
            "other": [[str(x) for x in row] for row in firm[-1]],
        }
        return refuted(
            f"{several} of {len(cases)} games have several equilibria, {strict} several strict "
            f"ones, {none} none in vertices",
            len(cases),
            numbers,
            replay_unique(numbers),
        )

    return decide


def _charges_of(reading: str, quality: Fraction, freshness: Fraction) -> list[Fraction]:
    if reading == "q_j":
        return [quality, freshness]
    return [quality * x for x in SHARES] + [freshness * x for x in reversed(SHARES)]


def replay_unique(numbers: Numbers) -> str:
    quality, freshness = read(numbers, "quality", "freshness")
    one, other = rows(numbers, "one"), rows(numbers, "other")
    (budgets,) = rows({"budgets": [numbers.get("budgets", ())]}, "budgets")
    reading = str(numbers.get("reading"))
    need(reading in game.READINGS, f"expected a reading, {' or '.join(game.READINGS)}")
    need(min([quality, freshness, *budgets]) > 0, "expected Q^λ, F and budgets above 0")
    charge = _charges_of(reading, quality, freshness)
    need(one != other, "the two are the same")
    for profile in (one, other):
        need(len(profile) == len(budgets) >= 2, "expected two providers or more")
        for row, budget in zip(profile, budgets, strict=True):
            need(len(row) == len(charge), f"expected {len(charge)} bids of each provider")
            need(min(row) >= 0 and sum(row) <= budget, "bids are outside C1 of eq. 17")
        need(game.is_equilibrium(profile, charge, budgets), f"{profile} is no equilibrium")
    plans = [" and ".join(f"({', '.join(map(str, row))})" for row in p) for p in (one, other)]
    return (
        f"{reading}, Q^λ = {quality}, F = {freshness}, A = {', '.join(map(str, charge))}, budgets "
        f"{', '.join(map(str, budgets))}: bids {plans[0]} are an equilibrium, and so are {plans[1]}"
    )


BIDS_CONCAVE = Fact(decide_bids_concave, only_refuted(replay_bids_concave))
BIDS = {r: Fact(decide_bids(2, r), only_refuted(replay_bids)) for r in game.READINGS}
UNIQUE = {r: Fact(decide_unique(r), only_refuted(replay_unique)) for r in game.READINGS}
