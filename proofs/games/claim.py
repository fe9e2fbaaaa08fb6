"""A second opinion on a printed formula: what is it, and if not what it claims, what is near it?

Claims are tested in order of strength: feasible, stationary, a maximum near by, the best of all,
the equilibrium. A refutation names the parameters. Where a claim fails, small edits of it are
tried (a sign, an inverse, a root), and small edits of the utility: a formula that is wrong for the
game as printed often solves the first order condition of one that differs by a sign or a factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from proofs.games.case import Case
from proofs.games.check import check
from proofs.games.draws import draw
from proofs.games.game import Family, Game, Player, expanded
from proofs.games.lowered import lowered
from proofs.games.nearby import Nearby, nearby
from proofs.games.solution import Branch, Equilibrium, Fact, Reply, Status
from proofs.limits import Clock


@dataclass(frozen=True)
class ClaimReport:
    """facts: feasible, stationary, local and global maximum of each claimed player; equilibrium.

    nearby: smallest edits first, empty where nothing was refuted or nothing found in the time.
    """

    game: Game
    claimed: Mapping[sp.Basic, sp.Expr]
    facts: tuple[Fact, ...]
    nearby: tuple[Nearby, ...]
    draws: int
    seconds: float

    @property
    def refuted(self) -> bool:
        return any(fact.holds is False for fact in self.facts)


def check_claim(
    game: Game,
    claimed: Mapping[Any, Any],
    *,
    draws: int = 60,
    seed: int = 0,
    seconds: float = 20.0,
) -> ClaimReport:
    """Test formulas for decisions: in parameters, or for a follower in earlier decisions too.

    claimed: by decision (`x`, or `x[i]` of a family); some players or stages may be left out.
    seconds: for SymPy and the search of nearby edits; what takes longer is left undecided, and says
    so (the numerical tests are not cut off). Families of symbolic size are tested with two members.
    """
    clock = Clock(seconds)
    claims = {sp.sympify(s): sp.sympify(e) for s, e in claimed.items()}
    small, claims = _written(game, claims)
    low = lowered(small)
    points = draw(small, draws, seed=seed)
    facts: list[Fact] = []
    near: list[Nearby] = []
    for stage, players in enumerate(small.stages):
        for player in players:
            assert isinstance(player, Player)
            own = {d.symbol: claims[d.symbol] for d in player.decisions if d.symbol in claims}
            if not own or (player.name.endswith(" 2") and _twin(small, player)):
                continue
            case = Case(small, low, stage, player, own, claims, points, seed)
            found = case.facts(clock)
            facts += found
            _, stationary, *maximal = found
            if stationary.holds is not True or any(fact.holds is False for fact in maximal):
                near += nearby(case, clock)
    facts.append(_equilibrium(small, claims, draws, seed))
    return ClaimReport(game, dict(claimed), tuple(facts), tuple(near), len(points), clock.spent)


def _twin(game: Game, player: Player) -> bool:
    """The second member of a family, whose claim is the first's with another index."""
    return any(p.name == player.name[:-1] + "1" for p in game.players)


def _written(
    game: Game, claims: Mapping[sp.Basic, sp.Expr]
) -> tuple[Game, dict[sp.Basic, sp.Expr]]:
    """The game and the claims with families written out, those of symbolic size for two."""
    families = [m for m in game.players if isinstance(m, Family)]
    sizes = {m.size: 2 for m in families if m.size.is_Symbol}
    small = expanded(game, sizes)
    decided = [d.symbol for p in small.players for d in p.decisions]
    found: dict[sp.Basic, sp.Expr] = {}
    for symbol, expression in claims.items():
        plain = expression.subs(sizes).doit()
        if isinstance(symbol, sp.Indexed) and not symbol.indices[0].is_Integer:
            for target in decided:
                if isinstance(target, sp.Indexed) and target.base == symbol.base:
                    found[target] = plain.subs(symbol.indices[0], target.indices[0])
        else:
            found[symbol] = plain
    for symbol in found:
        if symbol not in decided:
            raise ValueError(
                f"{symbol} is claimed, and nobody in {game.name!r} decides it; decisions are "
                f"{', '.join(map(str, decided))}"
            )
    return small, found


def _equilibrium(game: Game, claims: Mapping[sp.Basic, sp.Expr], draws: int, seed: int) -> Fact:
    statement = "the claims together are the equilibrium"
    decided = [d.symbol for p in game.players for d in p.decisions]
    missing = [str(s) for s in decided if s not in claims]
    if missing:
        return Fact(statement, None, f"nothing is claimed for {', '.join(missing)}")
    final: dict[sp.Basic, sp.Expr] = {}
    replies = []
    for stage, players in enumerate(game.stages):
        own = {d.symbol: claims[d.symbol] for p in players for d in p.decisions}
        if stage and any(e.has(*final) for e in own.values()):
            names = tuple(p.name for p in players)
            replies.append(Reply(stage, names, (Branch("claimed", sp.true, own),), ()))
        final |= {s: e.subs(final) for s, e in own.items()}
    solution = Equilibrium(
        game,
        Status.NUMERICAL,
        (Branch("claimed", sp.true, final),),
        tuple(replies),
        {},
        (),
        (),
        None,
    )
    found = check(game, solution, draws=draws, seed=seed)
    if found.holds:
        return Fact(statement, None, f"no player could gain at {found.draws} draws")
    worst = found.failures[0]
    how = f"{worst.player}: {worst.reason}, gain {worst.gain:.3g} relative to 1 + |utility|"
    return Fact(statement, False, how, worst.parameters)
