"""A second opinion on a printed formula: what is it, and if not what it claims, what is near it?

Claims are tested in order of strength: feasible, stationary, a maximum near by, the best of all,
the equilibrium. A refutation names the parameters. Where a claim fails, small edits of it are
tried (a sign, an inverse, a root), and small edits of the utility: a formula that is wrong for the
game as printed often solves the first order condition of one that differs by a sign or a factor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.check import check
from proofs.games.draws import draw
from proofs.games.edits import Edit, edits, twice
from proofs.games.game import Family, Game, Player, expanded
from proofs.games.lowered import LoweredGame, lowered, placed
from proofs.games.numeric import best_reply, respond
from proofs.games.solution import Branch, Equilibrium, Fact, Reply, Status
from proofs.limits import Clock, TimeIsUp

_ZERO = 1e-9
_SIMPLIFYING = 5.0
"""Seconds for showing that a derivative is 0; numbers decide where they are over."""
_GROSS = ("the sign of the whole", "the whole inverted", "a root drawn of", "the power ")
"""Edits of a claim that are tried together with an edit of the utility."""


@dataclass(frozen=True)
class Nearby:
    """An edit after which the claim is right. what: "the claim", "the utility of …", or both.

    formulas: the edited ones. maximum: whether the claim is then a maximum at all draws, and not
    just stationary.
    """

    what: str
    words: str
    formulas: tuple[sp.Expr, ...]
    maximum: bool


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
    nearby: list[Nearby] = []
    for stage, players in enumerate(small.stages):
        for player in players:
            assert isinstance(player, Player)
            own = {d.symbol: claims[d.symbol] for d in player.decisions if d.symbol in claims}
            if not own or (player.name.endswith(" 2") and _twin(small, player)):
                continue
            case = _Case(small, low, stage, player, own, claims, points, seed)
            found = case.facts(clock)
            facts += found
            _, stationary, *maximal = found
            if stationary.holds is not True or any(fact.holds is False for fact in maximal):
                nearby += case.nearby(clock)
    facts.append(_equilibrium(small, claims, draws, seed))
    return ClaimReport(game, dict(claimed), tuple(facts), tuple(nearby), len(points), clock.spent)


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


@dataclass
class _Case:
    """One player's claimed decisions."""

    game: Game
    low: LoweredGame
    stage: int
    player: Player
    own: dict[sp.Basic, sp.Expr]
    claims: dict[sp.Basic, sp.Expr]
    points: list[dict[sp.Basic, Any]]
    seed: int
    best: dict[sp.Basic, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 2])
        earlier = [
            d
            for k in range(self.stage + 1)
            for p in self.game.stages[k]
            for d in p.decisions
            if p is not self.player
        ]
        # What others decide at the same time or before: as claimed, or anything.
        self.where: list[dict[sp.Basic, Any]] = []
        for values in self.points:
            here = dict(values)
            for decision in earlier:
                known = self.claims.get(decision.symbol)
                depends = any(e.has(decision.symbol) for e in self.own.values())
                if known is not None and not depends:
                    here[decision.symbol] = _number(known, {**values, **here})
                else:
                    here[decision.symbol] = _some(decision, here, rng)
            self.where.append(here)
        self.values = [{s: _number(e, here) for s, e in self.own.items()} for here in self.where]

    def facts(self, clock: Clock) -> list[Fact]:
        feasible = self._feasible()
        stationary = self._stationary(clock)
        near, best = self._maximum()
        return [feasible, stationary, near, best]

    def _say(self, what: str) -> str:
        names = ", ".join(f"{s} = {e}" for s, e in self.own.items())
        return f"{self.player.name}: {names} {what}"

    def _feasible(self) -> Fact:
        statement = self._say("is feasible")
        for here, own in zip(self.where, self.values, strict=True):
            for decision in self.player.decisions:
                if decision.symbol not in own:
                    continue
                value = own[decision.symbol]
                if value is None:
                    return Fact(statement, False, f"{decision.symbol} is not a real number", here)
                low, high = (_number(b, here) for b in (decision.low, decision.high))
                slack = sp.Float("1e-20", 30) * (1 + abs(value))
                if value < low - slack or value > high + slack:
                    how = f"{decision.symbol} = {sp.N(value, 6)} is not between {low} and {high}"
                    return Fact(statement, False, how, here)
            if len(own) == len(self.player.decisions):
                for relation in self.player.constraints:
                    missing = relation.free_symbols & self._later()
                    gap = _gap(relation, {**here, **own}) if not missing else None
                    if gap is not None and gap < -1e-20:
                        return Fact(statement, False, f"{relation} fails by {sp.N(-gap, 6)}", here)
        return Fact(statement, None, f"held at {len(self.where)} draws", None)

    def _later(self) -> set[sp.Basic]:
        return {
            d.symbol
            for players in self.game.stages[self.stage + 1 :]
            for p in players
            for d in p.decisions
        }

    def utility(self) -> sp.Expr | None:
        """With later claims put in; None where a later decision has no formula."""
        value = self.player.utility
        for players in self.game.stages[self.stage + 1 :]:
            later = {d.symbol: self.claims.get(d.symbol) for p in players for d in p.decisions}
            if any(value.has(s) and e is None for s, e in later.items()):
                return None
            value = value.subs({s: e for s, e in later.items() if e is not None})
        return value

    def _stationary(self, clock: Clock) -> Fact:
        statement = self._say("is a stationary point")
        utility = self.utility()
        if utility is None:
            return Fact(statement, None, "later decisions have no formula", None)
        proved = True
        for symbol in self.own:
            slope = sp.diff(utility, symbol)
            inside = slope.subs(self.own)
            if _within(clock, _SIMPLIFYING, _vanishes, inside):
                continue
            proved = False
            for here, own in zip(self.where, self.values, strict=True):
                value = None if None in own.values() else _number(slope, {**here, **own})
                if value is None:
                    how = f"∂/∂{symbol} of the utility is not a real number there"
                    return Fact(statement, False, how, here)
                if abs(value) > _ZERO * _size(slope, {**here, **own}):
                    how = f"∂/∂{symbol} of the utility is {sp.N(value, 6)} and not 0"
                    return Fact(statement, False, how, here)
        if proved:
            return Fact(statement, True, "the first order condition simplifies to 0 = 0", None)
        return Fact(
            statement, None, f"the first order condition held at {len(self.where)} draws", None
        )

    def _maximum(self) -> tuple[Fact, Fact]:
        """Near by and overall, by search; all of the player's decisions must be claimed."""
        near, overall = self._say("is a local maximum"), self._say("is the best of all decisions")
        if len(self.own) < len(self.player.decisions):
            how = "not all of the player's decisions are claimed"
            return Fact(near, None, how), Fact(overall, None, how)
        (mover,) = (m for m in self.low.stages[self.stage] if m.name == self.player.name)
        at = placed(self.low, self.points)
        for symbol in self.where[0]:
            if symbol in at and symbol not in self.points[0]:
                at[symbol] = np.array([float(h[symbol]) for h in self.where])[:, None, None]
        real = np.array([None not in own.values() for own in self.values])
        for symbol in self.own:
            column = [0.0 if own[symbol] is None else float(own[symbol]) for own in self.values]
            at[symbol] = np.array(column)[:, None, None]
        claimed = dict(at)
        at, _ = respond(self.low, self.stage + 1, at)
        found = best_reply(self.low, self.stage, mover, at)
        self.best = found.at
        value = mover.payoff(at)[:, 0, 0]
        with np.errstate(all="ignore"):
            gain = np.where(real, (found.value[:, 0] - value) / (1 + np.abs(value)), np.inf)
            gain = np.where(np.isnan(gain), np.inf, gain)
        local = np.where(real, 0.0, np.inf)
        for choice in mover.choices:
            low, high = mover.bounds(choice, claimed)
            for step in (1e-3, -1e-3):
                moved = dict(claimed)
                x = claimed[choice.symbol]
                x = x + step * np.maximum(np.abs(x), 1e-3)
                moved[choice.symbol] = np.clip(x, low[..., None], high[..., None])
                moved, _ = respond(self.low, self.stage + 1, moved)
                with np.errstate(all="ignore"):
                    rise = (mover.payoff(moved)[:, 0, 0] - value) / (1 + np.abs(value))
                local = np.maximum(local, np.where(np.isnan(rise), 0, rise))
        number = int(np.argmax(found.unbounded[:, 0])) if found.unbounded.any() else -1
        if number >= 0:
            how = "the utility has no upper bound"
            second = Fact(overall, False, how, self.where[number])
        else:
            second = self._verdict(overall, gain, found.at)
        local = np.where(np.isfinite(value), local, np.inf)
        return self._verdict(near, local, {}), second

    def _verdict(self, statement: str, gain: Any, better: Mapping[sp.Basic, Any]) -> Fact:
        if gain.max() <= 1e-8:
            how = f"no better decision was found at {len(gain)} draws"
            return Fact(statement, None, how, None)
        k = int(np.argmax(np.where(np.isfinite(gain), gain, -1)))
        k = k if gain[k] > 1e-8 else int(np.argmax(gain))
        choice = ", ".join(f"{s} = {v[k, 0, 0]:.6g}" for s, v in better.items())
        how = f"{choice or 'a small change'} gains {gain[k]:.3g} relative to 1 + |utility|"
        return Fact(statement, False, how, self.where[k])

    def nearby(self, clock: Clock) -> list[Nearby]:
        """Edits of one decision's claim, of the utility, and of both, smallest first."""
        end = time.monotonic() + clock.left
        nearest: list[Nearby] = []
        for symbol, expression in self.own.items():
            found: list[Nearby] = []
            # What was found before the time is over is kept.
            _within(clock, clock.seconds, self._nearby, symbol, expression, end, found)
            if any(n.maximum for n in found):
                found = [n for n in found if n.maximum]
            nearest += sorted(
                found, key=lambda n: (not n.maximum, n.words.count(";"), len(n.words))
            )[:6]
        return nearest

    def _nearby(self, symbol: sp.Basic, claim: sp.Expr, end: float, found: list[Nearby]) -> None:
        names = sorted(
            {s for s in claim.free_symbols if isinstance(s, sp.Symbol)}, key=lambda s: str(s)
        )
        probe = list(range(min(8, len(self.where))))
        best = self.best.get(symbol)
        single = list(edits(claim, names))
        best = self.best.get(symbol)
        target = {} if best is None else {k: float(best[k, 0, 0]) for k in probe}
        target = {k: x for k, x in target.items() if 1e-6 < abs(x) < 1e8}

        def right(candidates: Iterator[Edit]) -> None:
            for edit in candidates:
                if time.monotonic() > end or len(target) < 3:
                    return
                if self._gives(edit.result, target):
                    found.append(Nearby("the claim", edit.words, (edit.result,), True))
                    return

        right(iter(single))
        gross = [e for e in single if e.words.startswith(_GROSS)]
        if not found:
            right(
                Edit(f"{one.words}; {two.words}", two.result)
                for one in gross
                for two in edits(one.result, names)
            )
            if found:
                return
        utility = self.player.utility
        alone = [Edit("", claim)]
        changes: list[tuple[Edit, sp.Expr]] = []
        for variants in (alone, gross):
            source = changes if variants is gross else self._slopes(symbol, utility)
            for change, slope in source:
                if time.monotonic() > end:
                    break
                if variants is alone:
                    changes.append((change, slope))
                for edit in variants:
                    if self._solves(slope, symbol, edit.result, probe):
                        words = "; ".join(w for w in (edit.words, change.words) if w)
                        what = f"the utility of {self.player.name}"
                        what = f"the claim and {what}" if edit.words else what
                        formulas = (edit.result, change.result) if edit.words else (change.result,)
                        peak = self._bends(slope, symbol, edit.result, probe)
                        found.append(Nearby(what, words, formulas, peak))
            if found:
                break
        if not found:
            right(twice(claim, names))

    def _slopes(self, symbol: sp.Basic, utility: sp.Expr) -> Iterator[tuple[Edit, sp.Expr]]:
        """Edited utilities with their slopes in the decision, later claims put in."""
        later = self._later()

        def replied(value: sp.Expr) -> sp.Expr | None:
            for players in self.game.stages[self.stage + 1 :]:
                known = {d.symbol: self.claims.get(d.symbol) for p in players for d in p.decisions}
                if any(value.has(s) and e is None for s, e in known.items()):
                    return None
                value = value.subs({s: e for s, e in known.items() if e is not None})
            return value

        if utility.has(*later) if later else False:
            held = replied(sp.diff(utility, symbol))
            if held is not None:
                yield Edit("later decisions held fixed, as if all moved at once", utility), held
        for change in edits(utility):
            # Twice the utility, or its square, is another scale and not another game.
            if "the whole" in change.words and "sign" not in change.words:
                continue
            value = replied(change.result)
            if value is not None and value.has(symbol):
                yield change, sp.diff(value, symbol)

    def _gives(self, expression: sp.Expr, target: Mapping[int, float]) -> bool:
        for k, best in target.items():
            value = _number(expression, self.where[k])
            if value is None or not abs(float(value) - best) <= 1e-5 * abs(best):
                return False
        return True

    def _solves(self, slope: sp.Expr, symbol: sp.Basic, claim: sp.Expr, probe: list[int]) -> bool:
        """The slope is 0 at the claim, and not everywhere, at all probes where it is real."""
        hits = 0
        for k in probe:
            x = _number(claim, self.where[k])
            if x is None:
                return False
            here = {**self.where[k], **{s: v for s, v in self.values[k].items() if v is not None}}
            value = _number(slope, {**here, symbol: x})
            beside = _number(slope, {**here, symbol: x * sp.Rational(1001, 1000)})
            if value is None or beside is None or abs(value) > 1e-12 * abs(beside):
                return False
            hits += 1
        return hits > 0

    def _bends(self, slope: sp.Expr, symbol: sp.Basic, claim: sp.Expr, probe: list[int]) -> bool:
        bend = sp.diff(slope, symbol)
        for k in probe:
            here = {**self.where[k], **{s: v for s, v in self.values[k].items() if v is not None}}
            value = _number(bend, {**here, symbol: _number(claim, self.where[k])})
            if value is None or value >= 0:
                return False
        return True


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


def _within(clock: Clock, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, None where the time of the call or the clock is over."""
    try:
        return clock.limited(function, *arguments, seconds=seconds)
    except TimeIsUp:
        return None


def _vanishes(expression: sp.Expr) -> bool:
    """Whether it simplifies to 0; long ones are left to numbers, as SymPy may take for ever."""
    length = sp.count_ops(expression)
    if length > 150:
        return False
    return bool((sp.simplify(expression) if length < 60 else sp.cancel(expression)) == 0)


def _number(expression: Any, values: Mapping[sp.Basic, Any]) -> Any:
    """30 digits of a real number; None where it is not one."""
    # Not exactly: a rational to a large power may have more digits than there is memory.
    near = {
        s: v.evalf(30) if v.is_Rational and not v.is_Integer else v
        for s, v in values.items()
        if v is not None
    }
    found = sp.sympify(expression).xreplace(near)
    found = found if found.is_Rational or found in (sp.oo, -sp.oo) else found.evalf(30)
    return found if found.is_Number and found is not sp.nan else None


def _size(expression: sp.Expr, values: Mapping[sp.Basic, Any]) -> Any:
    terms = [_number(term, values) for term in sp.Add.make_args(sp.expand(expression))]
    return sum((abs(t) for t in terms if t is not None), sp.Float("1e-30"))


def _gap(relation: Any, values: Mapping[sp.Basic, Any]) -> Any:
    if isinstance(relation, sp.Eq):
        gap = _number(relation.lhs - relation.rhs, values)
        return None if gap is None else -abs(gap)
    return _number(relation.gts - relation.lts, values)


def _some(decision: Any, values: Mapping[sp.Basic, Any], rng: np.random.Generator) -> sp.Rational:
    """A decision between its bounds, a short rational."""
    low, high = (float(_number(b, values)) for b in (decision.low, decision.high))
    if np.isfinite(low) and np.isfinite(high):
        number = low + rng.random() * (high - low)
    else:
        away = 10.0 ** rng.uniform(-1, 1)
        number = low + away if np.isfinite(low) else high - away if np.isfinite(high) else away
    if decision.integer:
        return sp.Integer(round(number))
    return sp.Rational(f"{number:.4g}")
