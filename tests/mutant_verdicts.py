"""What becomes of a mutant: every property proved or refuted by the engine, and judged without it.

Four judges look at each property of a mutant, and must not contradict one another:

- the box: the provers, for every real type;
- the exact grid: the engine's exhaustion, in rationals, on a few levels of each coordinate;
- the same grid by brute force (`oracle`), which shares no code with the engine, in floats;
- a finer grid by brute force, the numbers in the rule among its points.

A violation on a grid makes a proof on the box wrong. A case that the provers find must replay in
rationals and, where types are single numbers, show on the grid of its own numbers by brute force.
"Same outcomes as the original" is one more property, and decides whether a mutant is equivalent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.catalogue import entry_of
from mechkit.margins import distance
from mechkit.mechanism import Mechanism, play
from mechkit.properties import PROPERTIES, Property, any_reports
from mechkit.prove import Attempt, Found, GaveUp, Proved, prove
from mechkit.prove.exhaustive import exhaust
from mechkit.replay import margins, negative
from proofs.errors import UndefinedNumber
from proofs.smt import SolversDisagree
from tests.mutated import Mutant, axis_of, constants, mutants
from tests.oracle import CHECKS, judge

ASKED = (
    "feasible",
    "ic",
    "ir",
    "weak_budget_balance",
    "strong_budget_balance",
    "monotone",
    "critical_payment",
    "efficient",
)
"""What is asked where it applies; an entry's truth table says whether it does."""
SAME = "same"
VISIBLE = 1e-6
"""How large a violation brute force in floats must not overlook."""


@dataclass(frozen=True)
class Cell:
    """One property of one mutant. holds: of the original, by its truth table.

    box: "proved", "found" or "open"; grid and brute (on the same grid), fine: "violated", "clean"
    or "open". reason: why the box is open. wrong: a contradiction in words, empty if there is none.
    """

    name: str
    holds: bool
    box: str
    grid: str
    brute: str
    fine: str
    reason: str = ""
    wrong: str = ""

    @property
    def refuted(self) -> bool:
        return self.box == "found" or "violated" in (self.grid, self.brute, self.fine)


@dataclass(frozen=True)
class Verdict:
    """refuted: something that held for the original does not. equivalent: the same outcomes, proved
    for all types. holding: other outcomes, and all that held is proved. open: none of these."""

    key: str
    mutation: str
    kind: str
    verdict: str
    cells: tuple[Cell, ...]

    @property
    def wrong(self) -> list[str]:
        return [f"{self.key}, {self.mutation}: {c.name}: {c.wrong}" for c in self.cells if c.wrong]


@dataclass(frozen=True)
class Tally:
    """The mutants of one entry, and how many places gave none."""

    key: str
    verdicts: tuple[Verdict, ...]
    discarded: dict[str, int] = field(default_factory=dict)

    def counts(self) -> Counter[str]:
        return Counter(v.verdict for v in self.verdicts)


def same_as(original: Mechanism) -> Property:
    """That a mechanism has the outcomes of the original at every profile of reports."""

    def margin(view: Any) -> Any:
        other = play(original, view.reports, view.public)
        gaps = (
            distance(view.before.allocation, other.allocation),
            distance(view.before.payments, other.payments),
        )
        return -np.maximum(*gaps)

    checks = any_reports(margin)
    return Property(SAME, "The outcome is that of the original.", "", checks)


def on_grid(mechanism: Mechanism, key: str) -> Mechanism:
    """The same rules where each coordinate is low, in the middle or high, or a number in the rule
    if types are numbers."""
    space = mechanism.setting.types
    levels = []
    flat = [bound.reshape(space.agents, -1) for bound in (space.low, space.high)]
    given = space.levels or (None,) * space.size
    for c, level in enumerate(given):
        if level is None:
            pairs = set(zip(flat[0][:, c], flat[1][:, c], strict=True))
            found = {lo + (hi - lo) * Fraction(k, 2) for lo, hi in pairs for k in range(3)}
            if space.size == 1:
                low, high = min(lo for lo, _ in pairs), max(hi for _, hi in pairs)
                found |= {x for x in constants(key) if low < x < high}
            level = tuple(sorted(found))
        levels.append(level)
    types = replace(space, levels=tuple(levels))
    return replace(mechanism, setting=replace(mechanism.setting, types=types, prior=None))


def asked(key: str) -> list[str]:
    """The properties that are asked of an entry."""
    return [name for name in ASKED if name in entry_of(key).truth]


def _word(attempt: Attempt, clean: str, violated: str) -> str:
    if isinstance(attempt, GaveUp):
        return "open"
    return clean if isinstance(attempt, Proved) else violated


def _brute(mechanism: Mechanism, name: str, **options: Any) -> str:
    if name not in CHECKS:
        return "open"
    decided = judge(mechanism, name, **options).decided
    return {"violated": "violated", "cannot": "open"}.get(decided, "clean")


def _does_not_stand(mechanism: Mechanism, prop: Property, found: Found) -> str:
    """Why a case that the provers found is none; empty if it is one."""
    margin: Any = margins(mechanism, prop, found.check, found.case)[0]
    if not negative(margin):
        return f"a case was found whose margin is {margin}"
    single = mechanism.setting.types.size == 1 and not mechanism.setting.types.finite
    if prop.name not in CHECKS or not single or not float(margin) < -VISIBLE:
        return ""
    arrays = (a for key, a in found.case.arrays.items() if not key.startswith("public."))
    numbers = sorted({Fraction(x) for a in arrays for x in a.ravel()})
    if _brute(mechanism, prop.name, axis=numbers) == "violated":
        return ""
    shown = {k: a.tolist() for k, a in found.case.arrays.items()}
    return f"a case was found that brute force does not see, {shown}"


def cell(mutant: Mutant, prop: Property, holds: bool, *, seconds: float) -> Cell:
    """All judges on one property of a mutant."""
    mechanism, name = mutant.mechanism, prop.name
    finite = mechanism.setting.types.finite
    coarse = mechanism if finite else on_grid(mechanism, mutant.key)
    fine = _brute(mechanism, name, axis=axis_of(mutant.key), limit=300_000)
    brute = fine if finite else _brute(coarse, name)
    if name == SAME:
        fine = "violated" if mutant.differs else "clean"
    wrong: list[str] = []
    try:
        attempt = prove(mechanism, prop, seconds=seconds)
        deadline = time.monotonic() + seconds
        exact = attempt if finite else exhaust(coarse, prop, deadline=deadline)
    except SolversDisagree as error:
        attempt = exact = GaveUp(str(error))
        wrong.append(f"the solvers disagree: {error}")
    try:
        found = [(m, a) for m, a in ((mechanism, attempt), (coarse, exact)) if isinstance(a, Found)]
        wrong += [why for m, a in found if (why := _does_not_stand(m, prop, a))]
    except UndefinedNumber as error:
        attempt = exact = GaveUp(f"at the case found the rule has no outcome: {error}")
    box, grid = _word(attempt, "proved", "found"), _word(exact, "clean", "violated")
    if box == "proved" and "violated" in (grid, brute, fine):
        wrong.append(f"proved, and violated on a grid ({grid}, {brute}, {fine})")
    if {grid, brute} == {"violated", "clean"}:
        wrong.append(f"{grid} by exhaustion and {brute} by brute force on the same grid")
    reason = attempt.reason if isinstance(attempt, GaveUp) else ""
    return Cell(name, holds, box, grid, brute, fine, reason, "; ".join(wrong))


def verdict(mutant: Mutant, *, seconds: float) -> Verdict:
    """A mutant judged on every property that is asked of its entry."""
    entry = entry_of(mutant.key)
    same = cell(mutant, same_as(entry.make()), True, seconds=seconds)
    names = asked(mutant.key)
    cells = [cell(mutant, PROPERTIES[n], entry.truth[n], seconds=seconds) for n in names]
    equal = same.box == "proved"
    if equal:
        cells = [replace(c, wrong=c.wrong or _against_truth(c)) for c in cells]
    held = [c for c in cells if c.holds]
    if any(c.refuted for c in held):
        word = "refuted"
    elif equal:
        word = "equivalent"
    elif same.refuted and all(c.box == "proved" for c in held):
        word = "holding"
    else:
        word = "open"
    mutation = mutant.mutation
    return Verdict(mutant.key, str(mutation), mutation.kind, word, (same, *cells))


def _against_truth(cell: Cell) -> str:
    """A mutant with the outcomes of the original has its truth table."""
    against = cell.refuted if cell.holds else cell.box == "proved"
    return f"{cell.box}, though equal to the original, where it is {cell.holds}" if against else ""


def tally(key: str, count: int, *, seconds: float, seed: int = 0) -> Tally:
    """The first mutants of an entry, judged."""
    found, discarded = mutants(key, count, seed=seed)
    return Tally(key, tuple(verdict(m, seconds=seconds) for m in found), discarded)


def contradictions(tallies: Iterable[Tally]) -> list[str]:
    return [text for t in tallies for v in t.verdicts for text in v.wrong]
