"""Backward induction: the equilibrium of a game in closed form, derived and then checked.

From the last stage to the first (von Stackelberg 1934; Selten 1965):

1. put what later stages reply into the utilities of the players of the stage;
2. solve their first order and Karush-Kuhn-Tucker conditions together, interior and corners;
3. decide the second order conditions under the assumptions;
4. keep the solutions, each with its condition, as the reply of the stage.

The first stage's reply has parameters alone, and with it every decision is known. The answer is
then handed to `proofs.games.check`, which optimises numerically and shares no formula with it;
only an answer that it cannot improve upon is called CHECKED.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from proofs.games.corners import NoClosedForm
from proofs.games.forms import neat
from proofs.games.game import Game
from proofs.games.inner import Inner, decided, inner
from proofs.games.limits import Clock, TimeIsUp, time_limit
from proofs.games.signs import empty
from proofs.games.solution import Equilibrium, Status
from proofs.games.stages import Trail, branch, stage_reply
from proofs.games.sums import put
from proofs.games.unbounded import NoEquilibrium
from proofs.games.views import Regime


def derive(game: Game, *, draws: int = 500, seed: int = 0, seconds: float = 60.0) -> Equilibrium:
    """The equilibrium of a game, as formulas in its parameters with the conditions for each.

    draws, seed: of the numerical check. seconds: for the derivation; past them, or where no
    closed form is found, the status is NUMERICAL and `reason` says why.
    Raises ValueError where the assumptions contradict one another.
    """
    clock = Clock(seconds)
    at = inner(game)
    if empty(at.domain).holds:
        raise ValueError(
            f"game {game.name!r}: no parameters meet all the assumptions "
            f"{', '.join(map(str, game.assumptions))}; weaken one of them"
        )
    trail = Trail()
    status, reason = Status.NUMERICAL, ""
    regimes: list[Regime] = []
    try:
        with time_limit(clock.left):
            regimes = _backwards(at, trail, clock)
    except TimeIsUp:
        reason = f"no closed form within {seconds:g} s"
    except NoClosedForm as problem:
        reason = str(problem)
    except NoEquilibrium as problem:
        status, reason = Status.NONE, str(problem)
    branches = tuple(branch(at, regime) for regime in regimes)
    found = Equilibrium(
        game,
        status,
        branches,
        tuple(trail.replies),
        _utilities(at, regimes),
        tuple(trail.facts),
        tuple(trail.steps),
        None,
        reason,
    )
    if branches:
        found = _checked(found, draws=draws, seed=seed)
    return replace(found, seconds=clock.spent)


def _checked(found: Equilibrium, *, draws: int, seed: int) -> Equilibrium:
    from proofs.games.check import check

    verdict = check(found.game, found, draws=draws, seed=seed)
    status = Status.CHECKED if verdict.holds else Status.REJECTED
    return replace(found, status=status, check=verdict)


def _backwards(at: Inner, trail: Trail, clock: Clock) -> list[Regime]:
    """The regimes of the whole game: every decision in terms of parameters."""
    later = [Regime("", (), {})]
    for stage in reversed(range(len(at.game.stages))):
        domain = at.domain
        for earlier in at.game.stages[:stage]:
            for mover in earlier:
                domain = decided(mover, at, domain)
        later = stage_reply(at, stage, later, domain, trail, clock)
    return later


def _utilities(at: Inner, regimes: list[Regime]) -> dict[str, sp.Expr]:
    """What everybody gets in equilibrium: one formula, or one for each regime."""
    found: dict[str, sp.Expr] = {}
    for mover in at.game.players:
        values = [
            (neat(put(at.inward(mover.utility), r.decisions, at.indices)), r.formula)
            for r in regimes
        ]
        if len(values) == 1:
            found[mover.name] = at.outward(values[0][0])
        elif values:
            found[mover.name] = at.outward(sp.Piecewise(*values))
    return found
