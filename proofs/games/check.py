"""Does a closed form hold? Every player's own problem, solved by search at hundreds of draws.

At each draw of the parameters the formulas give decisions, and then for every player: are they
feasible, does the best deviation found by search gain anything (whoever moves later replies to it
anew), and are they the decisions that the search finds? Replies are also checked off the
equilibrium path, after random choices of those who move first: a reply may be wrong there and
right on the path, and then the equilibrium is wrong, as the leader was deterred or tempted wrongly.

The search (`proofs.games.numeric`) shares nothing with the derivation but the utilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.branches import Piecewise
from proofs.games.draws import draw
from proofs.games.formulas import Array, Arrays, Unaligned, arrays, rows
from proofs.games.game import Family, Game
from proofs.games.lowered import Lowered, LoweredGame, grouped, lowered, members
from proofs.games.numeric import Hint, best_reply, respond
from proofs.games.solution import Branch, Check, Equilibrium, Failure

_DECISIONS = 1e-5
"""Relative difference from the searched optimum that a decision may have."""
_FLAT = (1e-13, 3e-11)
"""Gains below this part of the utility are rounding: of the last movers, and of others."""
_INSIDE = 1e-9
_KEPT = 20


def check(
    game: Game,
    solution: Equilibrium,
    *,
    draws: int = 500,
    seed: int = 0,
    tolerance: float = 1e-8,
    partial: bool = False,
) -> Check:
    """Try the solution's branches and replies at `draws` draws of the parameters.

    tolerance: gains up to it, relative to 1 + |utility|, count as none. partial: the branches need
    not cover the assumptions; draws in none are then not checked (and not counted in `branches`).
    Raises ValueError where no parameters meet the assumptions, or a decision has no formula.
    """
    points = draw(game, draws, seed=seed)
    record = _Record(tolerance)
    rng = np.random.default_rng([seed, 1])
    for numbers in grouped(game, points):
        group = [points[k] for k in numbers]
        sizes = _family_sizes(game, group[0])
        try:
            try:
                _examine(game, lowered(game, sizes), solution, group, record, rng, partial)
            except Unaligned:
                whole = lowered(game, sizes, whole=False)
                _examine(game, whole, solution, group, record, rng, partial)
        except KeyError as error:
            raise ValueError(
                f"game {game.name!r}: a formula uses {error.args[0].split()[0]}, which is neither a "
                "parameter nor decided earlier"
            ) from error
    return Check(
        len(points), seed, record.gain, record.difference, dict(record.branches), _worst(record)
    )


def _worst(record: _Record) -> tuple[Failure, ...]:
    """The worst failures, every player's worst before anybody's second."""
    rank: dict[str, int] = {}
    ranked = []
    for failure in sorted(record.failures, key=lambda f: -f.gain):
        rank[failure.player] = rank.get(failure.player, 0) + 1
        ranked.append((rank[failure.player], failure))
    return tuple(failure for _, failure in sorted(ranked, key=lambda pair: pair[0])[:_KEPT])


@dataclass
class _Record:
    """What has been found so far."""

    tolerance: float
    gain: float = 0.0
    difference: float = 0.0
    branches: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def count(self, names: Sequence[str], branch: Array) -> None:
        for number, name in enumerate(names):
            self.branches[name] = self.branches.get(name, 0) + int((branch == number).sum())


def _family_sizes(game: Game, values: Mapping[Any, Any]) -> dict[sp.Symbol, int]:
    symbols = [m.size for m in game.players if isinstance(m, Family) and m.size.is_Symbol]
    return {symbol: int(values[symbol]) for symbol in symbols}


def _examine(
    game: Game,
    low: LoweredGame,
    solution: Equilibrium,
    group: list[dict[sp.Basic, Any]],
    record: _Record,
    rng: np.random.Generator,
    partial: bool,
) -> None:
    """One size of the families: all draws at once, on the path and off it."""
    whole = Piecewise(solution.branches, low, game)
    replies = {r.stage: Piecewise(r.branches, low, game) for r in solution.replies if r.stage > 0}
    hints = [replies[k].hint if k in replies else None for k in range(len(low.stages))]
    at = placed(low, group)
    chosen = whole(at)
    record.count(whole.names, chosen.branch)
    _no_branch(low, group, at, chosen.branch, record, "" if partial else "no branch holds")
    _contradictions(low, whole, group, at, chosen.overlap, chosen.branch, record)
    missing = set(symbols(low)) - set(chosen.decisions)
    if missing:
        raise ValueError(f"game {game.name!r}: no formula for {', '.join(map(str, missing))}")
    good = np.flatnonzero(chosen.branch >= 0)
    at = rows({**at, **chosen.decisions}, good)
    where = [group[k] for k in good]
    for stage in range(len(low.stages)):
        for mover in low.stages[stage]:
            exact = _Exact(game, low, solution.branches, chosen.branch[good], where)
            examine_mover(low, stage, mover, where, at, hints, record, exact)
    for stage, reply in replies.items():
        _off_path(game, low, stage, reply, solution, where, at, hints, record, rng, partial)


def symbols(low: LoweredGame) -> list[sp.Basic]:
    return [s for stage in range(len(low.stages)) for s in low.symbols(stage)]


def placed(low: LoweredGame, group: Sequence[Mapping[Any, Any]]) -> dict[sp.Basic, Array]:
    """Arrays of the parameters, and of the decisions, of the right shapes and 1 everywhere."""
    at = arrays([{s: v for s, v in values.items()} for values in group])
    for stage in low.stages:
        for mover in stage:
            for choice in mover.choices:
                at[choice.symbol] = np.ones((len(group), members(mover, group[0]), 1))
    return at


def _off_path(
    game: Game,
    low: LoweredGame,
    stage: int,
    reply: Piecewise,
    solution: Equilibrium,
    where: list[dict[sp.Basic, Any]],
    at: Arrays,
    hints: Sequence[Hint | None],
    record: _Record,
    rng: np.random.Generator,
    partial: bool,
) -> None:
    """The stage's reply after random decisions of everybody before."""
    if not where:
        return
    there = dict(at)
    for earlier in range(stage):
        for mover in low.stages[earlier]:
            for choice in mover.choices:
                there[choice.symbol] = _random(mover, choice, there, rng)
    for earlier in range(stage, len(low.stages)):
        hint = hints[earlier]
        if hint is not None:
            there.update(hint(there))
    allowed = np.ones(len(where), dtype=bool)
    for earlier in range(stage):
        for mover in low.stages[earlier]:
            allowed &= np.isfinite(mover.payoff(there)).all(axis=(1, 2))
    chosen = reply(there)
    label = f"reply of stage {stage + 1}"
    record.count([f"{label}: {name}" for name in reply.names], np.where(allowed, chosen.branch, -1))
    branch = np.where(allowed, chosen.branch, 0)
    _no_branch(
        low, where, there, branch, record, "" if partial else f"no branch of the {label} holds"
    )
    overlap = np.where(allowed, chosen.overlap, -1)
    _contradictions(low, reply, where, there, overlap, chosen.branch, record)
    good = np.flatnonzero(allowed & (chosen.branch >= 0))
    if not len(good):
        return
    there = rows({**there, **chosen.decisions}, good)
    group = [where[k] for k in good]
    if stage + 1 < len(low.stages):
        there, _ = respond(low, stage + 1, there, hints)
    (record_of,) = (r for r in solution.replies if r.stage == stage)
    for mover in low.stages[stage]:
        exact = _Exact(game, low, record_of.branches, chosen.branch[good], group)
        examine_mover(low, stage, mover, group, there, hints, record, exact, path=False)


def _random(mover: Lowered, choice: Any, at: Arrays, rng: np.random.Generator) -> Array:
    """Near the equilibrium's decision, or anywhere between the bounds; at a bound sometimes."""
    x = at[choice.symbol][..., 0]
    low, high = mover.bounds(choice, at)
    near = x * 10.0 ** rng.uniform(-1, 1, x.shape)
    bottom = np.where(np.isfinite(low), low, np.minimum(-1, x - 2 * np.abs(x)))
    top = np.where(np.isfinite(high), high, np.maximum(1, x + 2 * np.abs(x)))
    new = np.where(rng.random(x.shape) < 0.5, near, bottom + rng.random(x.shape) * (top - bottom))
    new = np.where(rng.random(x.shape) < 0.05, bottom, new)
    new = np.clip(np.round(new) if choice.integer else new, low, high)
    return np.asarray(new[..., None])


def examine_mover(
    low: LoweredGame,
    stage: int,
    mover: Lowered,
    group: list[dict[sp.Basic, Any]],
    at: Arrays,
    hints: Sequence[Hint | None],
    record: _Record,
    exact: _Exact,
    *,
    path: bool = True,
) -> None:
    """One mover's decisions at all draws against the best that search finds."""
    trouble = _examined(low, stage, mover, at, hints, record.tolerance)
    wrong = np.flatnonzero(trouble.wrong)
    # Rounding may condemn a right formula: the few that fail are tried again from exact values.
    for k in wrong[:_KEPT]:
        one = rows(at, slice(k, k + 1))
        again = exact(int(k), one)
        if again is not None:
            second = _examined(low, stage, mover, {**one, **again}, hints, record.tolerance)
            if not second.wrong[0]:
                trouble.clear(int(k), second)
                continue
            one, there = {**one, **again}, second.row(0)
        else:
            there = trouble.row(int(k))
        record.failures.append(_failure(low, stage, mover, group[int(k)], one, there, path))
    if len(group):
        with np.errstate(all="ignore"):
            record.gain = max(record.gain, float(np.nanmax(trouble.gain, initial=0.0)))
            record.difference = max(
                record.difference, float(np.nanmax(trouble.difference, initial=0.0))
            )


@dataclass
class _Trouble:
    """For each game: the worst member's gain and difference, and what is wrong, if anything."""

    gain: Array
    difference: Array
    reason: list[str]
    member: Array
    better: dict[sp.Basic, Array]
    utility: Array

    @property
    def wrong(self) -> Array:
        return np.array([bool(reason) for reason in self.reason], dtype=bool)

    def clear(self, k: int, second: _Trouble) -> None:
        self.gain[k], self.difference[k] = second.gain[0], second.difference[0]
        self.reason[k] = ""

    def row(self, k: int) -> _Trouble:
        part = slice(k, k + 1)
        better = {s: v[part] for s, v in self.better.items()}
        return _Trouble(
            self.gain[part],
            self.difference[part],
            self.reason[part],
            self.member[part],
            better,
            self.utility[part],
        )


def _examined(
    low: LoweredGame,
    stage: int,
    mover: Lowered,
    at: Arrays,
    hints: Sequence[Hint | None],
    tolerance: float,
) -> _Trouble:
    games, count = at[mover.choices[0].symbol].shape[:2]
    value = np.broadcast_to(mover.utility(at), (games, count, 1))[..., 0]
    number = np.isfinite(value)
    feasible = np.ones((games, count), dtype=bool)
    for choice in mover.choices:
        x = at[choice.symbol][..., 0]
        bottom, top = mover.bounds(choice, at)
        size = _INSIDE * np.maximum(np.abs(x), 1e-6)
        number &= np.isfinite(x)
        feasible &= (x >= bottom - size) & (x <= top + size)
        if choice.integer:
            feasible &= np.abs(x - np.round(x)) <= size
    for constraint in mover.constraints:
        gap, scale = constraint(at)
        feasible &= (gap >= -_INSIDE * scale)[..., 0]
    safe = {c.symbol: np.where(np.isfinite(at[c.symbol]), at[c.symbol], 0.0) for c in mover.choices}
    best = best_reply(low, stage, mover, {**at, **safe}, hints)
    with np.errstate(all="ignore"):
        gain = np.where(number, (best.value - value) / (1 + np.abs(value)), np.inf)
        apart = np.zeros((games, count))
        for choice in mover.choices:
            x, y = at[choice.symbol][..., 0], best.at[choice.symbol][..., 0]
            apart = np.maximum(apart, np.abs(x - y) / np.maximum(np.maximum(abs(x), abs(y)), 1e-6))
        flat = _FLAT[0] if stage == len(low.stages) - 1 else _FLAT[1]
        rise = best.value - np.where(feasible, np.maximum(best.before, value), best.before)
        apart = np.where(rise > flat * np.abs(best.value), apart, 0.0)
        apart = np.where(np.isnan(apart), np.inf, apart)
    kinds = [
        (~number, "not a real number"),
        (~feasible, "not feasible"),
        (best.unbounded, "the utility has no upper bound"),
        (gain > tolerance, "another decision is better"),
        (apart > _DECISIONS, "another decision is better"),
    ]
    reason = [""] * games
    for mask, words in reversed(kinds):
        for k in np.flatnonzero(mask.any(axis=1)):
            reason[k] = words
    bad = np.max([mask * (len(kinds) - n) for n, (mask, _) in enumerate(kinds)], axis=0)
    gain = np.where(feasible & number, gain, np.inf)
    worst = np.argmax(bad * 1e6 + np.minimum(np.nan_to_num(gain, nan=0, posinf=1e3), 1e3), axis=1)
    lines = np.arange(games)
    return _Trouble(
        gain.max(axis=1), apart.max(axis=1), reason, worst, best.at, value[lines, worst]
    )


class _Exact:
    """The decisions of one game from exact parameters, 30 digits, rounded once."""

    def __init__(
        self,
        game: Game,
        low: LoweredGame,
        branches: Sequence[Branch],
        chosen: Array,
        group: list[dict[sp.Basic, Any]],
    ) -> None:
        self.game, self.low, self.branches = game, low, branches
        self.chosen, self.group = chosen, group

    def __call__(self, k: int, at: Arrays) -> dict[sp.Basic, Array] | None:
        """None where a formula depends on decisions off the path (floats in themselves)."""
        values = self.group[k]
        branch = self.branches[int(self.chosen[k])]
        found: dict[sp.Basic, Array] = {}
        parameters = {self.game.parameter(s) is not None for s in values}
        assert parameters == {True} or not values
        for symbol, expression in branch.decisions.items():
            known = set(values) | {s.base for s in values if isinstance(s, sp.Indexed)}
            known |= {s.base.label for s in values if isinstance(s, sp.Indexed)}
            bound = {f.index for f in self.game.players if isinstance(f, Family)}
            if not sp.sympify(expression).free_symbols - bound <= known | _bound(expression):
                return None
            for target, formula in self._each(symbol, sp.sympify(expression), at):
                numbers = [_digits(f, values) for f in formula]
                found[target] = np.array(numbers)[None, :, None]
        return found

    def _each(
        self, symbol: sp.Basic, expression: sp.Expr, at: Arrays
    ) -> Iterator[tuple[sp.Basic, list[sp.Expr]]]:
        if not isinstance(symbol, sp.Indexed) or symbol.indices[0].is_Integer:
            yield symbol, [expression]
            return
        (index,) = symbol.indices
        if symbol.base in at and self.low.whole:
            count = at[symbol.base].shape[1]
            yield symbol.base, [expression.subs(index, r) for r in range(1, count + 1)]
            return
        for target in at:
            if isinstance(target, sp.Indexed) and target.base == symbol.base:
                yield target, [expression.subs(index, target.indices[0])]


def _bound(expression: Any) -> set[sp.Basic]:
    return {limit[0] for total in sp.sympify(expression).atoms(sp.Sum) for limit in total.limits}


def _digits(expression: sp.Expr, values: Mapping[sp.Basic, Any]) -> float:
    plain = {s: v for s, v in values.items() if isinstance(s, sp.Symbol)}
    if expression.has(sp.Sum):
        expression = expression.subs(plain).doit()
    number = expression.xreplace(dict(values)).evalf(30)
    if not number.is_number or number.is_real is False:
        return float("nan")
    try:
        return float(number)
    except TypeError:
        return float("nan")


def _no_branch(
    low: LoweredGame,
    group: list[dict[sp.Basic, Any]],
    at: Arrays,
    branch: Array,
    record: _Record,
    reason: str,
) -> None:
    if not reason:
        return
    everyone = ", ".join(mover.name for stage in low.stages for mover in stage)
    for k in np.flatnonzero(branch < 0)[:_KEPT]:
        record.failures.append(
            Failure(everyone, group[k], {}, {}, float("nan"), float("inf"), reason)
        )


def _contradictions(
    low: LoweredGame,
    branches: Piecewise,
    group: list[dict[sp.Basic, Any]],
    at: Arrays,
    overlap: Array,
    branch: Array,
    record: _Record,
) -> None:
    everyone = ", ".join(mover.name for stage in low.stages for mover in stage)
    for k in np.flatnonzero(overlap >= 0)[:_KEPT]:
        one = rows(at, slice(k, k + 1))
        first, second = (_numbers(branches.decisions(int(n), one)) for n in (branch[k], overlap[k]))
        names = " and ".join(repr(branches.names[int(n)]) for n in (branch[k], overlap[k]))
        record.failures.append(
            Failure(
                everyone,
                group[k],
                first,
                second,
                float("nan"),
                float("inf"),
                f"the branches {names} both hold and disagree",
            )
        )


def _failure(
    low: LoweredGame,
    stage: int,
    mover: Lowered,
    values: dict[sp.Basic, Any],
    one: Arrays,
    trouble: _Trouble,
    path: bool,
) -> Failure:
    member = int(trouble.member[0])
    name = mover.name if trouble.better[mover.choices[0].symbol].shape[1] == 1 else None
    decision = _numbers({s: one[s] for s in symbols(low)})
    if not path:
        before = {s for k in range(stage) for s in low.symbols(k)}
        own = {s for k in range(stage + 1) for s in low.symbols(k)}
        decision = _numbers({s: one[s] for s in symbols(low) if s in before | own})
    better = {}
    for choice in mover.choices:
        symbol = choice.symbol
        x = float(trouble.better[symbol][0, member, 0])
        better[symbol[member + 1] if isinstance(symbol, sp.IndexedBase) else symbol] = x
    where = "" if path else ", after other choices of those before"
    return Failure(
        name or f"{mover.name} {member + 1}",
        values,
        decision,
        better,
        float(trouble.utility[0]),
        float(trouble.gain[0]),
        trouble.reason[0] + where,
    )


def _numbers(decisions: Mapping[sp.Basic, Array]) -> dict[sp.Basic, float]:
    found = {}
    for symbol, value in decisions.items():
        if isinstance(symbol, sp.IndexedBase):
            found |= {symbol[k + 1]: float(v) for k, v in enumerate(value[0, :, 0])}
        else:
            found[symbol] = float(value[0, 0, 0])
    return found
