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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

import sympy as sp

from proofs.games.corners import NoClosedForm
from proofs.games.forms import neat
from proofs.games.game import Decision, Game
from proofs.games.inner import Inner, decided, inner
from proofs.games.ordered import Ordered, in_order, nested
from proofs.games.signs import empty
from proofs.games.solution import Branch, Check, Equilibrium, Fact, Reply, Status
from proofs.games.stages import stage_reply
from proofs.games.sums import put
from proofs.games.trail import Apart, Indifferent, Trail, answered, branch
from proofs.games.unbounded import NoEquilibrium
from proofs.games.views import Regime
from proofs.limits import Clock, TimeIsUp, time_limit

# What SymPy raises on formulas beyond its methods.
_SYMPY_FAILS = (
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    ZeroDivisionError,
    sp.PolynomialError,
)


def derive(game: Game, *, draws: int = 500, seed: int = 0, seconds: float = 60.0) -> Equilibrium:
    """The equilibrium of a game, as formulas in its parameters with the conditions for each.

    draws, seed: of the numerical check. seconds: for the derivation; past them, or where no
    closed form is found, the status is NUMERICAL and `reason` says why.
    Raises ValueError where the assumptions contradict one another.
    """
    clock = Clock(seconds)
    if empty(inner(game).domain).holds:
        raise ValueError(
            f"game {game.name!r}: no parameters meet all the assumptions "
            f"{', '.join(map(str, game.assumptions))}; weaken one of them"
        )
    trail = Trail(whole=False)
    try:
        found = _derived(game, clock, trail, draws=draws, seed=seed)
    except Apart as members:
        found = _apart(game, members, trail, clock, draws=draws, seed=seed)
    return replace(found, seconds=clock.spent)


def _apart(
    game: Game, members: Apart, trail: Trail, clock: Clock, *, draws: int, seed: int
) -> Equilibrium:
    """With a family's members written out; as a family where this comes to nothing.

    trail: as far as the game with the family whole was derived, its last stage's reply included.
    """
    ordered = in_order(game, members)
    if ordered is not None and clock.left:
        # What the family as a whole can tell must still be told if this comes to no end.
        share = Clock(clock.left / 2)
        found = _written(ordered, members, trail, share, draws=draws, seed=seed)
        if found.status is Status.CHECKED:
            return found
    return _derived(game, clock, Trail(), draws=draws, seed=seed)


def _written(
    ordered: Ordered, members: Apart, trail: Trail, clock: Clock, *, draws: int, seed: int
) -> Equilibrium:
    """The written-out game from the last stage but one, as the replies of the last are known."""
    regimes = nested(ordered, members)
    at, stage = inner(ordered.game), len(ordered.game.stages) - 1
    branches = tuple(branch(at, regime) for regime in regimes)
    names = tuple(player.name for player in ordered.game.stages[stage])
    cover = Fact(
        f"the branches for {members.family.name} cover all cases",
        True,
        "each member's problem is its own, and thresholds are in order",
    )
    facts = [*trail.facts, ordered.fact, cover]
    reply = Reply(stage, names, branches, tuple(facts))
    posed = takewhile(lambda step: not step.title.startswith("Reply"), trail.steps)
    steps = [*posed, answered(stage, branches)]
    return _derived(
        ordered.game,
        clock,
        Trail(replies=[reply], facts=facts, steps=steps),
        later=regimes,
        draws=draws,
        seed=seed,
    )


def _derived(
    game: Game,
    clock: Clock,
    trail: Trail,
    *,
    later: Sequence[Regime] = (),
    draws: int,
    seed: int,
) -> Equilibrium:
    """later: the replies of the last stage, where they are known."""
    at = inner(game)
    status, reason = Status.NUMERICAL, ""
    regimes: list[Regime] = []
    try:
        if not clock.left:
            raise TimeIsUp
        with time_limit(clock.left):
            regimes = _backwards(at, trail, clock, later)
    except TimeIsUp:
        reason = f"no closed form within {clock.seconds:g} s"
    except NoClosedForm as problem:
        reason = str(problem)
    except _SYMPY_FAILS as problem:
        reason = f"SymPy fails at a step: {type(problem).__name__}: {problem}"
    except NoEquilibrium as problem:
        status, reason = Status.NONE, str(problem)
    except Indifferent as tie:
        return _indifferent(game, tie, clock, draws=draws, seed=seed)
    short = tuple(branch(at, regime) for regime in regimes)
    branches = in_full(short, trail.names)
    found = Equilibrium(
        game,
        status,
        branches,
        tuple(replace(r, branches=in_full(r.branches, trail.names)) for r in trail.replies),
        utilities_in(game, short, trail.names),
        tuple(trail.facts),
        tuple(trail.steps),
        None,
        reason,
        names=trail.names,
    )
    return _checked(found, trail.partial, draws=draws, seed=seed) if branches else found


def _checked(found: Equilibrium, partial: bool, *, draws: int, seed: int) -> Equilibrium:
    """With the verdict of the numerical check; partial: the branches need not cover everything."""
    from proofs.games.check import check

    verdict = check(found.game, found, draws=draws, seed=seed, partial=partial)
    reached = [branch for branch in found.branches if verdict.branches.get(branch.name)]
    if not verdict.holds:
        return replace(found, status=Status.REJECTED, check=verdict)
    if not reached:
        reason = "no draw of the parameters fell into a branch, so that none could be checked"
        return replace(found, status=Status.NUMERICAL, branches=(), check=verdict, reason=reason)
    names = [branch.name for branch in found.branches if branch not in reached]
    missed = tuple(
        Fact(f"the branch {name!r} is right", None, "reached by no draw and not checked")
        for name in names
    )
    reason = found.reason or _limits(names, verdict, partial=partial)
    facts = (*found.facts, *missed)
    return replace(found, status=Status.CHECKED, check=verdict, facts=facts, reason=reason)


def _limits(missed: Sequence[str], verdict: Check, *, partial: bool) -> str:
    """In what the answer falls short of one for all parameters, checked everywhere; else ""."""
    parts = []
    if partial:
        told = sum(n for name, n in verdict.branches.items() if not name.startswith("reply of "))
        parts.append(
            "the formulas hold under the conditions of their branches and not for all parameters "
            f"that the assumptions allow ({told} of {verdict.draws} draws); elsewhere "
            "numerical_equilibrium finds numbers"
        )
    for name in missed:
        parts.append(f"the branch {name!r} was reached by no draw and not checked")
    return "; ".join(parts)


def _backwards(at: Inner, trail: Trail, clock: Clock, known: Sequence[Regime]) -> list[Regime]:
    """The regimes of the whole game: every decision in terms of parameters (and of names)."""
    later = list(known) or [Regime("", (), {})]
    for stage in reversed(range(len(at.game.stages) - bool(known))):
        domain = at.domain
        for earlier in at.game.stages[:stage]:
            for mover in earlier:
                domain = decided(mover, at, domain)
        later = stage_reply(at, stage, later, domain, trail, clock)
    return later


def in_full(branches: Sequence[Branch], names: Mapping[sp.Symbol, sp.Expr]) -> tuple[Branch, ...]:
    """The branches without names."""
    return tuple(
        Branch(
            each.name,
            _full(each.when, names),
            {x: _full(value, names) for x, value in each.decisions.items()},
        )
        for each in branches
    )


def _full(formula: sp.Basic, names: Mapping[sp.Symbol, sp.Expr]) -> sp.Basic:
    for name, value in reversed(list(names.items())):
        formula = formula.xreplace({name: value})
    return formula


def utilities_in(
    game: Game, branches: Sequence[Branch], names: Mapping[sp.Symbol, sp.Expr] | None = None
) -> dict[str, sp.Expr]:
    """What everybody gets in equilibrium: one formula, or one for each branch.

    names: in the branches, and none of them in the result.
    """
    at = inner(game)
    known = names or {}
    found: dict[str, sp.Expr] = {}
    for mover in game.players:
        utility = at.inward(mover.utility)
        values = []
        for each in branches:
            decisions = {at.inward(x): at.inward(value) for x, value in each.decisions.items()}
            value = at.outward(neat(put(utility, decisions, at.indices)))
            values.append((_full(value, known), _full(each.when, known)))
        if len(values) == 1:
            found[mover.name] = values[0][0]
        elif values:
            found[mover.name] = sp.Piecewise(*values, evaluate=False)
    return found


def _indifferent(
    game: Game, tie: Indifferent, clock: Clock, *, draws: int, seed: int
) -> Equilibrium:
    """A follower to whom all its decisions are equally good: for the leader, or against it.

    The optimistic (strong) commitment lets it side with the earlier mover whom it matters to, the
    pessimistic (weak) one against (Breton, Alj & Haurie 1988). Either is the game in which it has
    that player's utility, or minus it.
    """
    player = next(p for p in game.players if p.name == tie.player)
    own = {d.symbol for d in player.decisions}
    earlier = [
        mover
        for stage in game.stages[: tie.stage]
        for mover in stage
        if mover.utility.free_symbols & own
    ]
    statement = f"the utility of {tie.player} does not depend on {', '.join(map(str, own))}"
    fact = Fact(statement, True, "its derivative is zero, after the replies of later stages")
    if len(earlier) > 1:
        names = " and ".join(mover.name for mover in earlier)
        reason = f"{tie.player} is indifferent, and it matters to {names} what it does"
        return Equilibrium(game, Status.NUMERICAL, (), (), {}, (fact,), (), None, reason)
    if not earlier:
        anchored = sum(-((d.symbol - _anchor(d)) ** 2) for d in player.decisions)
        found = _derived(_with(game, tie.player, anchored), clock, Trail(), draws=draws, seed=seed)
        return _of(game, found, (fact, Fact("no earlier player minds what it does", True, "")))
    leader = earlier[0].name
    utility = earlier[0].utility
    best, worst = (
        _derived(_with(game, tie.player, own), clock, Trail(), draws=draws, seed=seed)
        for own in (utility, -utility)
    )
    facts = [fact]
    for kind, side, answer in (("optimistic", "with", best), ("pessimistic", "against", worst)):
        value = answer.utilities.get(leader)
        gets = f"gets {value}" if value is not None else f"has no closed form: {answer.reason}"
        facts.append(
            Fact(
                f"{kind} commitment ({tie.player} sides {side} {leader}): {leader} {gets}",
                True if answer.status is Status.CHECKED else None,
                f"the game in which {tie.player} does so: {answer.status.value}",
            )
        )
    return _of(game, best, tuple(facts))


def _anchor(decision: Decision) -> sp.Expr:
    """Some feasible decision, to stand for any."""
    for bound in (decision.low, decision.high):
        if bound.is_finite is not False:
            return bound
    return sp.S.Zero


def _with(game: Game, name: str, utility: sp.Expr) -> Game:
    """The game with another utility for one player."""
    stages = tuple(
        tuple(replace(p, utility=utility) if p.name == name else p for p in stage)
        for stage in game.stages
    )
    return replace(game, stages=stages)


def _of(game: Game, found: Equilibrium, facts: tuple[Fact, ...]) -> Equilibrium:
    """What was found for a game with another utility, told of the game itself."""
    utilities = utilities_in(game, found.branches)
    return replace(found, game=game, utilities=utilities, facts=(*facts, *found.facts))
