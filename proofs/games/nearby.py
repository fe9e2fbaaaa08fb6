"""What a claim that fails is near to: small edits of it, of the utility, and of both.

A formula that is wrong for the game as printed is often right up to a sign, an inverse or a root,
or solves the first order condition of a game that differs by a sign or a factor. Edits are tried
smallest first, at the draws of a `Case`, until the time is over; what was found by then is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from proofs.games.case import Case, number, within
from proofs.games.edits import Edit, edits, twice
from proofs.limits import Clock

_GROSS = ("the sign of the whole", "the whole inverted", "a root drawn of", "the power ")
"""Edits of a claim that are tried together with an edit of the utility."""

_KEPT = 6


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


def nearby(case: Case, clock: Clock) -> list[Nearby]:
    """Edits of one decision's claim, of the utility, and of both, smallest first."""
    end = time.monotonic() + clock.left
    nearest: list[Nearby] = []
    for symbol, expression in case.own.items():
        found: list[Nearby] = []
        # What was found before the time is over is kept.
        within(clock, clock.seconds, _nearby, case, symbol, expression, end, found)
        if any(n.maximum for n in found):
            found = [n for n in found if n.maximum]
        found.sort(key=lambda n: (not n.maximum, n.words.count(";"), len(n.words)))
        nearest += found[:_KEPT]
    return nearest


def _nearby(case: Case, symbol: sp.Basic, claim: sp.Expr, end: float, found: list[Nearby]) -> None:
    names = sorted(
        {s for s in claim.free_symbols if isinstance(s, sp.Symbol)}, key=lambda s: str(s)
    )
    probe = list(range(min(8, len(case.where))))
    single = list(edits(claim, names))
    best = case.best.get(symbol)
    target = {} if best is None else {k: float(best[k, 0, 0]) for k in probe}
    target = {k: x for k, x in target.items() if 1e-6 < abs(x) < 1e8}

    def right(candidates: Iterator[Edit]) -> None:
        for edit in candidates:
            if time.monotonic() > end or len(target) < 3:
                return
            if _gives(case, edit.result, target):
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
    alone = [Edit("", claim)]
    changes: list[tuple[Edit, sp.Expr]] = []
    for variants in (alone, gross):
        source = changes if variants is gross else _slopes(case, symbol)
        for change, slope in source:
            if time.monotonic() > end:
                break
            if variants is alone:
                changes.append((change, slope))
            for edit in variants:
                if _solves(case, slope, symbol, edit.result, probe):
                    words = "; ".join(w for w in (edit.words, change.words) if w)
                    what = f"the utility of {case.player.name}"
                    what = f"the claim and {what}" if edit.words else what
                    formulas = (edit.result, change.result) if edit.words else (change.result,)
                    peak = _bends(case, slope, symbol, edit.result, probe)
                    found.append(Nearby(what, words, formulas, peak))
        if found:
            break
    if not found:
        right(twice(claim, names))


def _slopes(case: Case, symbol: sp.Basic) -> Iterator[tuple[Edit, sp.Expr]]:
    """Edited utilities with their slopes in the decision, later claims put in."""
    utility, later = case.player.utility, case.later()
    if later and utility.has(*later):
        held = case.replied(sp.diff(utility, symbol))
        if held is not None:
            yield Edit("later decisions held fixed, as if all moved at once", utility), held
    for change in edits(utility):
        # Twice the utility, or its square, is another scale and not another game.
        if "the whole" in change.words and "sign" not in change.words:
            continue
        value = case.replied(change.result)
        if value is not None and value.has(symbol):
            yield change, sp.diff(value, symbol)


def _gives(case: Case, expression: sp.Expr, target: Mapping[int, float]) -> bool:
    for k, best in target.items():
        value = number(expression, case.where[k])
        if value is None or not abs(float(value) - best) <= 1e-5 * abs(best):
            return False
    return True


def _solves(case: Case, slope: sp.Expr, symbol: sp.Basic, claim: sp.Expr, probe: list[int]) -> bool:
    """The slope is 0 at the claim, and not everywhere, at all probes where it is real."""
    hits = 0
    for k in probe:
        x = number(claim, case.where[k])
        if x is None:
            return False
        here = {**case.where[k], **{s: v for s, v in case.values[k].items() if v is not None}}
        value = number(slope, {**here, symbol: x})
        beside = number(slope, {**here, symbol: x * sp.Rational(1001, 1000)})
        if value is None or beside is None or abs(value) > 1e-12 * abs(beside):
            return False
        hits += 1
    return hits > 0


def _bends(case: Case, slope: sp.Expr, symbol: sp.Basic, claim: sp.Expr, probe: list[int]) -> bool:
    bend = sp.diff(slope, symbol)
    for k in probe:
        here = {**case.where[k], **{s: v for s, v in case.values[k].items() if v is not None}}
        value = number(bend, {**here, symbol: number(claim, case.where[k])})
        if value is None or value >= 0:
            return False
    return True
