"""Small games that several tests use, and agreement of formulas up to simplification."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy as sp
from hypothesis import strategies as st

from proofs import games
from proofs.games import Decision, Equilibrium, Game, Parameter, Player
from proofs.games.draws import bounds

a, b, c, k, w = sp.symbols("a b c k w", positive=True)
q1, q2, q3, p, x, y = sp.symbols("q1 q2 q3 p x y", real=True)
DEMAND = (Parameter(a, low=0), Parameter(b, low=0), Parameter(c, low=0))


def derive(game: Game, **options: Any) -> Equilibrium:
    """The equilibrium, with fewer draws in the check than by default, for the sake of time."""
    return games.derive(game, **{"draws": 40, **options})


def cournot(
    name: str, *stages: tuple[sp.Symbol, ...], cost: Mapping[Any, Any] | None = None
) -> Game:
    """Quantities in stages under linear demand a - bQ; a cost of c where none is given."""
    costs = cost or {}
    total = sp.Add(*(q for stage in stages for q in stage))
    movers = tuple(
        tuple(
            Player(f"firm {q}", (a - b * total - costs.get(q, c)) * q, (Decision(q, low=0),))
            for q in stage
        )
        for stage in stages
    )
    extra = sorted(set(costs.values()), key=str)
    return Game(
        name=name,
        stages=movers,
        parameters=(*DEMAND, *(Parameter(s, low=0) for s in extra)),
        assumptions=(a > c, *(a > s for s in extra)),
    )


def decisions_at(found: Equilibrium, values: Mapping[Any, Any]) -> dict[Any, float]:
    """The decisions of the first branch whose condition holds at the values."""
    for branch in found.branches:
        if branch.when.subs(values) == True:  # noqa: E712 (a SymPy truth value)
            return {s: float(e.subs(values)) for s, e in branch.decisions.items()}
    raise AssertionError(f"no branch of {found.game.name} covers {values}")


def same(one: Any, other: Any) -> bool:
    return bool(sp.simplify(sp.sympify(one) - sp.sympify(other)) == 0)


def parameters(game: Game) -> st.SearchStrategy[dict[Any, Any]]:
    """Hypothesis: values that meet the assumptions, short fractions that shrink towards few digits.

    For games whose parameters are plain symbols; half-bounded intervals reach 100 from their end.
    """

    def value(parameter: Parameter) -> st.SearchStrategy[Any]:
        low, high, integer = bounds(parameter)
        low = low if low > float("-inf") else min(-100.0, high - 100)
        high = high if high < float("inf") else low + 100
        if integer:
            return st.integers(int(low), int(high)).map(sp.Integer)
        inside = st.fractions(Fraction(low), Fraction(high), max_denominator=1000)
        return inside.filter(lambda v: low < v < high).map(
            lambda v: sp.Rational(v.numerator, v.denominator)
        )

    values = st.fixed_dictionaries({p.symbol: value(p) for p in game.parameters})
    return values.filter(lambda v: all(r.subs(v) == True for r in game.assumptions))  # noqa: E712
