"""The linear system of eq. 26: which bids of a coalition make every member's interest vanish.

Let n VSPs have values of information u_j > 0, F = Σ_j u_j, M a coalition, R = Σ_{j∉M} u_j, and let
the others bid the truth. Interest of i ∈ M vanishes iff F x_i = u_i (Σ_{m∈M} x_m + R), that is

    (F − u_i) x_i − u_i Σ_{m∈M, m≠i} x_m = u_i R,    A x = b,    A = F I − u_M 1ᵀ,  b = R u_M.

By the matrix determinant lemma det A = F^{m−1} (F − Σ_M u) = F^{m−1} R with m = |M|. Where R > 0
the solution is unique, x = u_M. Where everybody colludes R = 0, A has rank n − 1, b = 0, and the
solutions are the multiples x = c u: loans see only proportions. For c ≤ 1 there is no noise
either (eq. 16), so that each of them serves the coalition as well as the truth does.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Finding, Formula
from mechkit.papers.dvcg.mechanism import levy
from mechkit.verdict import Status
from proofs import exact, values

LARGEST = 6
"""The most VSPs for which the determinant is expanded."""

Row = list[Fraction]


def system(information: Sequence[Any], members: Sequence[int]) -> tuple[list[list[Any]], list[Any]]:
    """(A, b) of eq. 26 for the coalition of these members; numbers, Fractions or symbols."""
    whole = sum(information)
    rest = sum(u for j, u in enumerate(information) if j not in members)
    matrix = [
        [whole - information[i] if i == m else -information[i] for m in members] for i in members
    ]
    return matrix, [information[i] * rest for i in members]


def rank(matrix: Sequence[Sequence[Fraction]]) -> int:
    """By elimination, exact."""
    rows = [list(row) for row in matrix]
    done = 0
    for column in range(len(rows[0])):
        pivot = next((k for k in range(done, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        for k in range(done + 1, len(rows)):
            factor = rows[k][column] / rows[done][column]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[done], strict=True)]
        done += 1
    return done


def solves(matrix: Sequence[Row], right: Row, bids: Row) -> bool:
    return all(
        sum((a * x for a, x in zip(row, bids, strict=True)), Fraction(0)) == b
        for row, b in zip(matrix, right, strict=True)
    )


def interests(bids: Row, information: Row) -> Row:
    """|K_i − U*_i| by the rule itself."""
    x, u = (exact([row]) for row in (bids, information))
    # What is left without i, and at s̃, plays no part.
    return [Fraction(k) for k in values(levy(x, u, u, u).interests)[0]]


def degenerate() -> tuple[int, Row, list[int], int] | None:
    """The smallest case in which A is not of full rank, with u_j = j: (n, u, M, rank)."""
    for n in range(2, LARGEST + 1):
        information = [Fraction(j + 1) for j in range(n)]
        for m in range(1, n + 1):
            for members in itertools.combinations(range(n), m):
                found = rank(system(information, members)[0])
                if found < m:
                    return n, information, list(members), found
    return None


def decide_unique(effort: Any) -> Finding:
    """Every coalition of up to 6 VSPs; where A is singular, two solutions."""
    tried = sum(2**n - 1 for n in range(2, LARGEST + 1))
    found = degenerate()
    if found is None:
        return Finding(
            Status.UNREFUTED, "exact elimination", f"full rank in {tried} systems", exercised=tried
        )
    n, information, members, rank_found = found
    truth = [information[i] for i in members]
    numbers = {
        "information": [str(u) for u in information],
        "coalition": members,
        "rank": rank_found,
        "bids": [[str(x) for x in truth], [str(x / 2) for x in truth]],
    }
    return Finding(
        Status.REFUTED,
        "exact elimination",
        f"{n} VSPs, all in the coalition: A is {len(members)} × {len(members)} of rank "
        f"{rank_found}; for every coalition that leaves somebody out the solution is unique",
        exercised=tried,
        numbers=numbers,
        told=_told(numbers),
    )


def _told(numbers: Mapping[str, Any]) -> str:
    one, other = (", ".join(bids) for bids in numbers["bids"])
    return (
        f"Values of information {', '.join(numbers['information'])}, everybody colluding: A has "
        f"rank {numbers['rank']}. The bids {one} solve eq. 26, and so do {other}: loans and "
        "interest are the same, and there is no noise at either."
    )


def replay_unique(status: Status, numbers: Mapping[str, Any]) -> str:
    """Builds the system again; ValueError unless two different bids > 0 solve it."""
    if status is not Status.REFUTED:
        raise ValueError(f"unique_collusive_bid was {status.value}: only a refutation is replayed")
    try:
        information = [Fraction(u) for u in numbers["information"]]
        members = [int(i) for i in numbers["coalition"]]
        pair = [[Fraction(x) for x in bids] for bids in numbers["bids"]]
        stated = int(numbers["rank"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"malformed numbers ({error!r}); save them again") from None
    n = len(information)
    if not (members and sorted(set(members)) == members and 0 <= members[0] <= members[-1] < n):
        raise ValueError(f"coalition {members}: expected different members among 0 … {n - 1}")
    if min(information) <= 0:
        raise ValueError("values of information must be positive")
    if len(pair) != 2 or pair[0] == pair[1] or min(map(min, pair)) <= 0:
        raise ValueError("expected two different positive bids of the coalition")
    matrix, right = system(information, members)
    if rank(matrix) != stated or stated >= len(members):
        raise ValueError(f"A has rank {rank(matrix)}, stated {stated}, of {len(members)}")
    for bids in pair:
        if not solves(matrix, right, bids):
            raise ValueError(f"{[str(x) for x in bids]} does not solve eq. 26")
        everybody = list(information)
        for i, x in zip(members, bids, strict=True):
            everybody[i] = x
        due = interests(everybody, information)
        if any(due[i] for i in members):
            raise ValueError(f"at {[str(x) for x in bids]} somebody pays interest")
        if sum(everybody) > sum(information):
            raise ValueError(f"at {[str(x) for x in bids]} there is noise")
    return _told(numbers)


# Whoever leaves somebody out ----------------------------------------------------------------------


def identities(largest: int) -> int:
    """Checks det A = F^{m−1} R and A u_M = b as polynomials in u_1 … u_n, for every coalition size
    m < n ≤ largest (coalitions of one size differ in names); how many systems. ValueError where
    one fails."""
    import sympy

    checked = 0
    for n in range(2, largest + 1):
        u = sympy.symbols(f"u1:{n + 1}", positive=True)
        for m in range(1, n):
            rows, right = system(u, range(m))
            a, truth = sympy.Matrix(rows), sympy.Matrix(u[:m])
            claimed = sum(u) ** (m - 1) * sum(u[m:])
            if sympy.expand(a.det(method="berkowitz") - claimed) != 0:
                raise ValueError(f"{n} VSPs, a coalition of {m}: the determinant is another")
            if any(sympy.expand(gap) != 0 for gap in a * truth - sympy.Matrix(right)):
                raise ValueError(f"{n} VSPs, a coalition of {m}: the truth is no solution")
            checked += 1
    return checked


PROPER = (
    "det A = F^(m−1) R > 0, and x = u solves the system: 2 to {largest} VSPs, every coalition that "
    "leaves somebody out, all positive values of information"
)


def decide_proper(effort: Any) -> Finding:
    """The polynomial identities behind uniqueness, by SymPy."""
    import sympy

    try:
        checked = identities(LARGEST)
    except ValueError as error:
        return Finding(Status.UNKNOWN, "polynomial identities", str(error))
    return Finding(
        Status.PROVED,
        f"polynomial identities (SymPy {sympy.__version__})",
        PROPER.format(largest=LARGEST),
        exercised=checked,
        numbers={"largest": LARGEST},
        told=PROPER.format(largest=LARGEST),
    )


def replay_proper(status: Status, numbers: Mapping[str, Any]) -> str:
    if status is not Status.PROVED:
        raise ValueError(f"unique_collusive_bid/proper was {status.value}: only a proof is checked")
    largest = numbers.get("largest")
    if not isinstance(largest, int) or isinstance(largest, bool) or not 2 <= largest <= LARGEST:
        raise ValueError(f"largest = {largest!r}: expected 2 to {LARGEST} VSPs")
    checked = identities(largest)
    return f"{checked} identities again: {PROPER.format(largest=largest)}"


UNIQUE = Formula(
    printed="A x_M = b with A of full rank, hence a unique solution",
    derivation="Eq. 26 says (F − u_i) x_i − u_i Σ_{m≠i} x_m = u_i R, with F the sum of all values "
    "of information and R that of those outside the coalition. So A = F I − u 1ᵀ, and by the "
    "matrix determinant lemma det A = F^{m−1} (F − Σ_M u) = F^{m−1} R. If everybody colludes, "
    "R = 0: A is singular, b = 0, and A (c u) = 0 for every c.",
    corrected="A has full rank, and x = u_M is the unique solution, if and only if R > 0. If "
    "everybody colludes the solutions are x = c u, c real; those with 0 < c ≤ 1 leave loans, "
    "interest and allocation as they are at the truth.",
)
