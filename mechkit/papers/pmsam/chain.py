"""Decisions about eq. 33: the forward recursion as printed against a sum over all hidden paths."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Fact, Finding
from mechkit.papers.pmsam.exact import Numbers, need, only_refuted, refuted, rows, unrefuted

CHAIN: tuple[tuple[str, ...], ...] = (("1/2", "1/2"), ("3/4", "1/4"), ("1/4", "3/4"))
SHOWS: tuple[tuple[str, ...], ...] = (("3/4", "1/4"), ("1/4", "3/4"))


def paths(
    start: list[Fraction], moves: list[list[Fraction]], shows: list[list[Fraction]], seen: list[int]
) -> list[Fraction]:
    """p(o_1..T, X_T = j) for each j, summing over every path of hidden states."""
    states = range(len(start))
    found = [Fraction(0) for _ in states]
    for path in itertools.product(states, repeat=len(seen)):
        chance = start[path[0]] * shows[path[0]][seen[0]]
        for before, now, bid in zip(path, path[1:], seen[1:], strict=False):
            chance *= moves[before][now] * shows[now][bid]
        found[path[-1]] += chance
    return found


def recursion(
    start: list[Fraction],
    moves: list[list[Fraction]],
    shows: list[list[Fraction]],
    seen: list[int],
    *,
    printed: bool,
) -> list[Fraction]:
    """Eq. 33: η_{t+1}(j) = Σ_i η_t(i) a_ij b_i(o_{t+1}) as printed, or with b_j(o_{t+1})."""
    states = range(len(start))
    eta = [start[i] * shows[i][seen[0]] for i in states]
    for bid in seen[1:]:
        eta = [
            sum(
                (eta[i] * moves[i][j] * shows[i if printed else j][bid] for i in states),
                Fraction(0),
            )
            for j in states
        ]
    return eta


def decide_forward(effort: Any) -> Finding:
    """Every sequence of two or three bids of a chain of two states: eq. 33 against all paths."""
    start, moves = list(map(Fraction, CHAIN[0])), [list(map(Fraction, row)) for row in CHAIN[1:]]
    shows = [list(map(Fraction, row)) for row in SHOWS]
    cases = [list(s) for t in (2, 3) for s in itertools.product((0, 1), repeat=t)]
    wrong = [
        s
        for s in cases
        if recursion(start, moves, shows, s, printed=True) != paths(start, moves, shows, s)
    ]
    if not wrong:
        return unrefuted(len(cases))
    numbers = {
        "start": list(CHAIN[0]),
        "moves": [list(row) for row in CHAIN[1:]],
        "shows": [list(row) for row in SHOWS],
        "bids": wrong[0],
        "printed": [str(x) for x in recursion(start, moves, shows, wrong[0], printed=True)],
        "right": [str(x) for x in paths(start, moves, shows, wrong[0])],
    }
    return refuted(
        f"wrong for {len(wrong)} of {len(cases)} sequences of a chain of two states; with b_j in "
        "the place of b_i right for all",
        len(cases),
        numbers,
        replay_forward(numbers),
    )


def replay_forward(numbers: Numbers) -> str:
    moves, shows = rows(numbers, "moves"), rows(numbers, "shows")
    start, printed, right = (
        rows({name: [numbers.get(name, ())]}, name)[0] for name in ("start", "printed", "right")
    )
    seen = numbers.get("bids")
    need(isinstance(seen, list) and 2 <= len(seen) <= 8, "expected 2 to 8 bids")
    assert isinstance(seen, list)
    states, levels = len(start), len(shows[0]) if shows else 0
    need(len(moves) == len(shows) == states and states >= 1, "expected one row for each state")
    for row in (start, *moves, *shows):
        need(sum(row) == 1 and min(row) >= 0, "expected probabilities that sum to 1")
    need(all(isinstance(o, int) and 0 <= o < levels for o in seen), "expected bids by level")
    need(recursion(start, moves, shows, seen, printed=True) == printed, "that is not eq. 33")
    need(paths(start, moves, shows, seen) == right, "that is not the sum over paths")
    need(recursion(start, moves, shows, seen, printed=False) == right, "b_j is not right either")
    need(printed != right, "eq. 33 is right there")
    return (
        f"start {', '.join(map(str, start))}, bids {', '.join(map(str, seen))}: eq. 33 gives "
        f"{', '.join(map(str, printed))} for the joint probabilities "
        f"{', '.join(map(str, right))} of the bids and the state"
    )


FORWARD = Fact(decide_forward, only_refuted(replay_forward))
