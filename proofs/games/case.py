"""One player's claimed decisions, tested: feasible, stationary, a maximum near by, the best of all.

Formulas are evaluated to 30 digits at draws of the parameters, where others decide at the same time
or before as is claimed of them, or anything. What is refuted names the draw; a first order
condition that SymPy simplifies to 0 is proved; all else has held at the draws and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.game import Game, Player
from proofs.games.growth import RISING
from proofs.games.lowered import LoweredGame, placed
from proofs.games.numeric import best_reply, respond
from proofs.games.solution import Fact
from proofs.limits import Clock, TimeIsUp

_ZERO = 1e-9
_SIMPLIFYING = 5.0
"""Seconds for showing that a derivative is 0; numbers decide where they are over."""


@dataclass
class Case:
    """One player's claimed decisions, at draws of the parameters and of what others decide.

    own: its claims. where: what is known at each draw; values: the claims there, None where one is
    no real number. best: the searched decisions, once `facts` has looked for a maximum.
    """

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
                    here[decision.symbol] = number(known, {**values, **here})
                else:
                    here[decision.symbol] = some(decision, here, rng)
            self.where.append(here)
        self.values = [{s: number(e, here) for s, e in self.own.items()} for here in self.where]

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
                low, high = (number(b, here) for b in (decision.low, decision.high))
                slack = sp.Float("1e-20", 30) * (1 + abs(value))
                if value < low - slack or value > high + slack:
                    how = f"{decision.symbol} = {sp.N(value, 6)} is not between {low} and {high}"
                    return Fact(statement, False, how, here)
            if len(own) == len(self.player.decisions):
                for relation in self.player.constraints:
                    missing = relation.free_symbols & self.later()
                    gap = margin(relation, {**here, **own}) if not missing else None
                    if gap is not None and gap < -1e-20:
                        return Fact(statement, False, f"{relation} fails by {sp.N(-gap, 6)}", here)
        return Fact(statement, None, f"held at {len(self.where)} draws", None)

    def later(self) -> set[sp.Basic]:
        return {
            d.symbol
            for players in self.game.stages[self.stage + 1 :]
            for p in players
            for d in p.decisions
        }

    def replied(self, value: sp.Expr) -> sp.Expr | None:
        """With later claims put in; None where a later decision has no formula."""
        for players in self.game.stages[self.stage + 1 :]:
            later = {d.symbol: self.claims.get(d.symbol) for p in players for d in p.decisions}
            if any(value.has(s) and e is None for s, e in later.items()):
                return None
            value = value.subs({s: e for s, e in later.items() if e is not None})
        return value

    def _stationary(self, clock: Clock) -> Fact:
        statement = self._say("is a stationary point")
        utility = self.replied(self.player.utility)
        if utility is None:
            return Fact(statement, None, "later decisions have no formula", None)
        proved = True
        for symbol in self.own:
            slope = sp.diff(utility, symbol)
            inside = slope.subs(self.own)
            if within(clock, _SIMPLIFYING, _vanishes, inside):
                continue
            proved = False
            for here, own in zip(self.where, self.values, strict=True):
                value = None if None in own.values() else number(slope, {**here, **own})
                if value is None:
                    how = f"∂/∂{symbol} of the utility is not a real number there"
                    return Fact(statement, False, how, here)
                if abs(value) > _ZERO * size(slope, {**here, **own}):
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
        endless = found.unbounded[:, 0]
        if endless.any():
            how = RISING
            second = Fact(overall, False, how, self.where[int(np.argmax(endless))])
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


def within(clock: Clock, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
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


def number(expression: Any, values: Mapping[sp.Basic, Any]) -> Any:
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


def size(expression: sp.Expr, values: Mapping[sp.Basic, Any]) -> Any:
    terms = [number(term, values) for term in sp.Add.make_args(sp.expand(expression))]
    return sum((abs(t) for t in terms if t is not None), sp.Float("1e-30"))


def margin(relation: Any, values: Mapping[sp.Basic, Any]) -> Any:
    """By how much a relation holds; minus the difference for an equation."""
    if isinstance(relation, sp.Eq):
        gap = number(relation.lhs - relation.rhs, values)
        return None if gap is None else -abs(gap)
    return number(relation.gts - relation.lts, values)


def some(decision: Any, values: Mapping[sp.Basic, Any], rng: np.random.Generator) -> sp.Rational:
    """A decision between its bounds, a short rational."""
    low, high = (float(number(b, values)) for b in (decision.low, decision.high))
    if np.isfinite(low) and np.isfinite(high):
        drawn = low + rng.random() * (high - low)
    else:
        away = 10.0 ** rng.uniform(-1, 1)
        drawn = low + away if np.isfinite(low) else high - away if np.isfinite(high) else away
    if decision.integer:
        return sp.Integer(round(drawn))
    return sp.Rational(f"{drawn:.4g}")
