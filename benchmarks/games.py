"""Equilibria of games with an order of moves: seconds against followers and against leaders.

One leader and n followers under linear demand, of equal costs and of unequal ones, and m leaders
before three followers: to derive the closed form, to check a given number of draws of it, and to
find the equilibrium of one game in numbers, without the closed form. Everything that may run long
has a limit of its own.

With equal costs all of them are known: m leaders make (a - c) / (b (m + 1)) each, and n followers
the (n + 1)-th part of that (von Stackelberg 1934; Sherali 1984), which is what the decisions in
numbers are compared with.
"""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import sympy as sp
from rich.table import Table

from proofs.games import Decision, Family, Game, Parameter, Player, check, derive
from proofs.games import numerical_equilibrium as numerical
from proofs.limits import TimeIsUp, time_limit

FOLLOWERS = (1, 2, 5, 10, 20, 50)
LEADERS = (1, 2, 3, 5)
LIMIT = 120.0
"""Seconds for each number at full length."""

_a, _b, _c = sp.symbols("a b c", positive=True)
_i, _j = sp.symbols("i j", integer=True)
_x, _k = sp.IndexedBase("x"), sp.IndexedBase("k")
_q = sp.symbols("q1:6", real=True)


def oligopoly(leaders: int, followers: int, *, equal: bool) -> Game:
    """Quantities under the price a - b Q; followers' costs are c, or k_i each."""
    total = sp.Sum(_x[_j], (_j, 1, followers)) + sum(_q[:leaders])
    price = _a - _b * total
    cost = _c if equal else _k[_i]
    first = tuple(
        Player(f"leader {q}", (price - _c) * q, (Decision(q, low=0),)) for q in _q[:leaders]
    )
    family = Family(
        "followers",
        (price - cost) * _x[_i],
        (Decision(_x[_i], low=0),),
        index=_i,
        size=followers,
    )
    parameters = tuple(Parameter(s, low=0) for s in (_a, _b, _c, *(() if equal else (_k,))))
    assumptions = (_a > _c,) if equal else (_a > _c, _a > _k[_i])
    return Game(
        name=f"{leaders} leaders, {followers} followers",
        stages=(first, (family,)),
        parameters=parameters,
        assumptions=assumptions,
    )


def timed(limit: float, function: Any, *arguments: Any, **options: Any) -> tuple[float, Any]:
    """(seconds, answer); the answer is None where the limit was reached."""
    started = time.perf_counter()
    try:
        with time_limit(limit):
            answer = function(*arguments, **options)
    except TimeIsUp:
        answer = None
    return time.perf_counter() - started, answer


def one(leaders: int, followers: int, *, equal: bool, share: float) -> dict[str, Any]:
    game = oligopoly(leaders, followers, equal=equal)
    limit = LIMIT * share
    draws = max(5, int(100 * share))
    took, found = timed(limit, derive, game, draws=5, seconds=limit)
    row: dict[str, Any] = {
        "leaders": leaders,
        "followers": followers,
        "equal": equal,
        "derive": took,
        "status": "over the limit" if found is None else found.status.value,
        "draws": draws,
        "check": None,
    }
    if found is not None and found.branches:
        took, verdict = timed(limit, check, game, found, draws=draws, partial=True)
        row["check"] = took if verdict is not None else None
    values: dict[Any, Any] = {_a: 10, _b: 1, _c: 2}
    if not equal:
        values |= {_k[r]: 2 + Fraction(r, 100 * followers) for r in range(1, followers + 1)}
    took, solved = timed(limit, numerical, game, values)
    row["numerical"] = took if solved is not None else None
    row["holds"] = bool(solved is not None and solved.holds)
    row["off"] = None
    if equal and solved is not None:
        first = 8 / (leaders + 1)
        known = dict.fromkeys(_q[:leaders], first)
        known |= {_x[r]: first / (followers + 1) for r in range(1, followers + 1)}
        row["off"] = max(abs(solved.decisions[s] / value - 1) for s, value in known.items())
    return row


def measure(share: float) -> list[dict[str, Any]]:
    """share: of the draws and of the limits; small shares leave the largest games out."""
    most = 50 if share >= 1 else 10
    # Once for nothing, so that no row pays for what is loaded at the first use.
    timed(LIMIT, derive, oligopoly(1, 1, equal=True), draws=5, seconds=LIMIT)
    rows = [
        one(1, size, equal=equal, share=share)
        for equal in (True, False)
        for size in FOLLOWERS
        if size <= most
    ]
    counts = LEADERS if share >= 1 else LEADERS[:3]
    return rows + [one(count, 3, equal=True, share=share) for count in counts]


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """What `measure` found, for the terminal."""
    table = Table(
        *("leaders", "followers", "costs", "derive, s", "status", "check, s (draws)"),
        *("in numbers, s", "holds", "off by"),
        title="Games with an order of moves",
    )
    for row in rows:
        checked = "-" if row["check"] is None else f"{row['check']:.1f} ({row['draws']})"
        solved = "over the limit" if row["numerical"] is None else f"{row['numerical']:.1f}"
        table.add_row(
            str(row["leaders"]),
            str(row["followers"]),
            "equal" if row["equal"] else "unequal",
            f"{row['derive']:.1f}",
            row["status"],
            checked,
            solved,
            "yes" if row["holds"] else "no",
            "-" if row["off"] is None else f"{row['off']:.0e}",
        )
    return [table]
