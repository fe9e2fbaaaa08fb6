"""Does a closed form hold? Every player's own problem, solved by search at hundreds of draws.

At each draw of the parameters the formulas give decisions, and then for every player: are they
feasible, does the best deviation found by search gain anything (whoever moves later replies to it
anew), and are they the decisions that the search finds? Replies are also checked off the
equilibrium path, after random choices of those who move first: a reply may be wrong there and
right on the path, and then the equilibrium is wrong, as the leader was deterred or tempted wrongly.

The search (`proofs.games.numeric`) shares nothing with the derivation but the utilities. Where the
solution has no formula for the last replies, Newton's method guesses them, and search confirms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.branches import Piecewise
from proofs.games.draws import draw
from proofs.games.examine import Exact, Trouble, examined
from proofs.games.formulas import Array, Arrays, Unaligned, rows
from proofs.games.game import Family, Game
from proofs.games.growth import RISING, growth
from proofs.games.lowered import (
    Lowered,
    LoweredGame,
    grouped,
    lowered,
    numbers,
    of_member,
    placed,
    symbols,
)
from proofs.games.numeric import Hint, respond
from proofs.games.solution import Check, Equilibrium, Failure
from proofs.games.stationary import stationary
from proofs.games.steering import unreached

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
    Branches that no draw falls into are searched for (`proofs.games.steering`) and tried at up to
    a dozen points more.
    Raises ValueError where no parameters meet the assumptions, or a decision has no formula.
    """
    points = draw(game, draws, seed=seed)
    record = _Record(tolerance)
    _tried(game, solution, points, record, seed, partial)
    more: list[dict[sp.Basic, Any]] = []
    if not record.failures:
        more = unreached(
            game,
            solution.branches,
            record.branches,
            lambda values, whole: lowered(game, _family_sizes(game, values), whole=whole),
            draws=draws,
            seed=seed,
        )
    if more:
        _tried(game, solution, more, record, seed + 1, partial)
    drawn = len(points) + len(more)
    return Check(drawn, seed, record.gain, record.difference, dict(record.branches), _worst(record))


def _tried(
    game: Game,
    solution: Equilibrium,
    points: list[dict[sp.Basic, Any]],
    record: _Record,
    seed: int,
    partial: bool,
) -> None:
    """Examine the solution at all points, those with families of the same sizes together."""
    rng = np.random.default_rng([seed, 1])
    for together in grouped(game, points):
        group = [points[k] for k in together]
        sizes = _family_sizes(game, group[0])
        try:
            # A wrong formula may well be infinite or no number, and is found out by its values.
            with np.errstate(all="ignore"):
                try:
                    _examine(game, lowered(game, sizes), solution, group, record, rng, partial)
                except Unaligned:
                    whole = lowered(game, sizes, whole=False)
                    _examine(game, whole, solution, group, record, rng, partial)
        except KeyError as error:
            raise ValueError(
                f"game {game.name!r}: a formula uses {str(error.args[0]).split()[0]}, which is "
                "neither a parameter nor decided earlier"
            ) from error


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
    hints = [
        replies[k].hint if k in replies else stationary(low, k) if k else None
        for k in range(len(low.stages))
    ]
    at = placed(low, group)
    chosen = whole(at)
    record.count(whole.names, chosen.branch)
    _no_branch(low, group, at, chosen.branch, record, "" if partial else "no branch holds")
    _contradictions(low, whole, group, at, chosen.overlap, chosen.branch, record)
    missing = set(symbols(low)) - set(chosen.decisions)
    if missing:
        raise ValueError(f"game {game.name!r}: no formula for {', '.join(map(str, missing))}")
    good = np.flatnonzero(chosen.branch >= 0)
    if not len(good):
        return
    at = rows({**at, **chosen.decisions}, good)
    where = [group[k] for k in good]
    for stage in range(len(low.stages)):
        for mover in low.stages[stage]:
            exact = Exact(game, low, solution.branches, chosen.branch[good], where)
            examine_mover(low, stage, mover, where, at, hints, record, exact)
    for stage, reply in replies.items():
        _off_path(game, low, stage, reply, solution, where, at, hints, record, rng, partial)


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
        exact = Exact(game, low, record_of.branches, chosen.branch[good], group)
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
    exact: Exact,
    *,
    path: bool = True,
) -> None:
    """One mover's decisions at all draws against the best that search finds."""
    trouble = examined(low, stage, mover, at, hints, record.tolerance)
    wrong = np.flatnonzero(trouble.wrong)
    # Rounding may condemn a right formula: the few that fail are tried again from exact values.
    few = {int(k): rows(at, slice(k, k + 1)) for k in wrong[:_KEPT]}
    again = {k: exact(k, one) for k, one in few.items()}
    few |= {k: {**few[k], **found} for k, found in again.items() if found is not None}
    second = dict.fromkeys(few)
    if tried := [k for k, found in again.items() if found is not None]:
        together = {s: np.concatenate([few[k][s] for k in tried]) for s in at}
        better = examined(low, stage, mover, together, hints, record.tolerance)
        second |= {k: better.row(j) for j, k in enumerate(tried)}
    for k, one in few.items():
        there = second[k] or trouble.row(k)
        if there.wrong[0]:
            record.failures.append(_failure(low, stage, mover, group[k], one, there, path))
        else:
            trouble.clear(k, there)
    if len(group):
        with np.errstate(all="ignore"):
            record.gain = max(record.gain, float(np.nanmax(trouble.gain, initial=0.0)))
            record.difference = max(
                record.difference, float(np.nanmax(trouble.difference, initial=0.0))
            )


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
        first, second = (numbers(branches.decisions(int(n), one)) for n in (branch[k], overlap[k]))
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
    trouble: Trouble,
    path: bool,
) -> Failure:
    member = int(trouble.member[0])
    name = mover.name if trouble.better[mover.choices[0].symbol].shape[1] == 1 else None
    decision = numbers({s: one[s] for s in symbols(low)})
    if not path:
        before = {s for k in range(stage) for s in low.symbols(k)}
        own = {s for k in range(stage + 1) for s in low.symbols(k)}
        decision = numbers({s: one[s] for s in symbols(low) if s in before | own})
    better = {}
    for choice in mover.choices:
        symbol = choice.symbol
        x = float(trouble.better[symbol][0, member, 0])
        better[of_member(symbol, member)] = x
    reason = trouble.reason[0]
    if reason == RISING:
        point = {**values, **numbers({s: one[s] for s in symbols(low)}), **better}
        reason = growth(mover, point, last=stage == len(low.stages) - 1)
    where = "" if path else ", after other choices of those before"
    return Failure(
        name or f"{mover.name} {member + 1}",
        values,
        decision,
        better,
        float(trouble.utility[0]),
        float(trouble.gain[0]),
        reason + where,
    )
