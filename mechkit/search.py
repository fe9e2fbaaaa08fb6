"""The search: batched over profiles and deviations, in self-contained, seeded pieces.

A piece draws profiles once, plays them truthfully once, and then tries many deviations on them;
every property of the same family reads its margin off the same plays. The worst starts are then
improved by hill-climbing on the margin. A piece knows nothing of other pieces: its result depends
on its own fields alone, so that pieces run in any order, on any executor, with the same outcome.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.deviations import Case, View
from mechkit.mechanism import Mechanism, refuse_non_finite
from mechkit.properties import PROPERTIES
from mechkit.sampling import Sampler, mutate

KEPT = 3
STARTS, ROUNDS, BROOD = 4, 4, 64
TARGETS, LIES, MANY_LIES = 8, 8, 16
DUST = 1e-9
MAX_NUMBERS = 1 << 17
MAX_ROWS = 1 << 14
"""How many numbers a profile batch holds at most: about a megabyte, so that it stays in cache."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A self-contained, seeded piece of search: one family, some properties' checks.

    checks: (property name, index of its check in this family). rows: profiles drawn. deadline: on
    the clock of time.monotonic, None for none; only a budget in seconds sets it.
    """

    mechanism: Mechanism
    family: str
    checks: tuple[tuple[str, int], ...]
    seed: int
    index: int
    rows: int
    coalition: int = 2
    deadline: float | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes]]:
        # Rules and settings hold closures and lambdas, which a plain pickle refuses. The deadline
        # means nothing to another process's clock; it travels as the seconds that are left.
        import cloudpickle

        left = None if self.deadline is None else self.deadline - time.monotonic()
        return _thaw, (cloudpickle.dumps((dict(self.__dict__), left)),)


def _thaw(frozen: bytes) -> Piece:
    import cloudpickle

    fields, left = cloudpickle.loads(frozen)
    fields["deadline"] = None if left is None else time.monotonic() + left
    return Piece(**fields)


@dataclass(eq=False)
class Tally:
    """What a piece saw of one check: candidates are one-row float cases, the worst first."""

    cases: int = 0
    smallest: float = np.inf
    exercised: int = 0
    candidates: list[tuple[float, Case]] = field(default_factory=list)

    def note(self, margin: np.ndarray, least: float, case: Case, threshold: float) -> None:
        """Take in the margins (batch,) of a case, keeping the worst rows and some others."""
        self.cases += len(margin)
        self.smallest = min(self.smallest, least)
        if least >= threshold:
            return
        rows = np.flatnonzero(margin < threshold)
        worst = rows[np.argsort(margin[rows])[:KEPT]]
        # The first violating rows of each stretch come from simple numbers as often as the worst.
        spread = rows[:: max(1, len(rows) // KEPT)][:KEPT]
        for row in dict.fromkeys([*worst.tolist(), *spread.tolist()]):
            self.candidates.append((float(margin[row]), case.rows(slice(row, row + 1))))
        self.candidates.sort(key=lambda pair: pair[0])
        if len(self.candidates) > 4 * KEPT:
            step = len(self.candidates) // KEPT
            self.candidates = self.candidates[:KEPT] + self.candidates[KEPT::step]


@dataclass(eq=False)
class Found:
    """The result of a piece."""

    tallies: dict[tuple[str, int], Tally]
    profiles: int = 0
    trades: int = 0
    evaluations: int = 0
    complete: bool = True


def rows_for(mechanism: Mechanism, index: int) -> int:
    """How many profiles the pieces of a round draw: few at first, then a cache-full."""
    setting = mechanism.setting
    numbers = setting.agents * max(
        setting.types.size, int(np.prod(setting.allocation_shape[1:], dtype=int)), 1
    )
    most = max(16, MAX_NUMBERS // numbers)
    return int(min(most, 64 * 8 ** min(index, 3), MAX_ROWS))


def _turns(family: d.Family, rows: int) -> int:
    """How many misreports are tried per profile and agent."""
    if family.name == "interim" or not family.plays:
        return min(family.plays, 1)
    return LIES if rows < 4096 else MANY_LIES


def planned(mechanism: Mechanism, family: str, rows: int) -> int:
    """How many evaluations (rows through the rules) a piece counts for, whatever it finds."""
    kind = d.FAMILIES[family]
    draws = 1
    for name in mechanism.setting.lotteries:
        draws *= len(mechanism.setting.public[name].draws)  # type: ignore[union-attr]
    if family == "interim":
        count = len(d.opponents(mechanism.setting, 0)[1])
        return min(rows, 64) * 2 * min(mechanism.setting.agents, TARGETS) * count * draws
    plays = kind.plays * min(mechanism.setting.agents, TARGETS) * _turns(kind, rows)
    return rows * (1 + plays) * draws


def run(piece: Piece) -> Found:
    """Run one piece: draw, play, deviate, climb. Raises RuleError where a rule misbehaves."""
    with np.errstate(all="ignore"):
        return _run(piece)


def _run(piece: Piece) -> Found:
    mechanism, family = piece.mechanism, d.FAMILIES[piece.family]
    rng = np.random.default_rng([piece.seed, _code(piece.family), piece.index])
    sampler = Sampler(mechanism)
    judge = _Judge(piece, mechanism)
    rows = min(piece.rows, 64) if family.name == "interim" else piece.rows
    types = sampler.profiles(rng, rows)
    chosen = d.targets(family, mechanism.setting, rng, TARGETS, piece.coalition)
    if not chosen:
        return judge.found
    shared = sampler.publics(family.slots(mechanism, chosen[0]), rng, rows)
    profile = Case("profile", (), {"types": types, **shared})
    base = View(mechanism, profile)
    judge.start(base)
    if not family.plays:
        case = sampler.complete(family, (), types, base.sincere, shared, rng, 0)
        judge.take(case, d.view(mechanism, case, base if family.shares else None))
    turns = _turns(family, rows)
    for who in chosen:
        scratch = None
        for turn in range(turns):
            if judge.late():
                return judge.found
            case = sampler.complete(family, who, types, base.sincere, shared, rng, turn)
            view = d.view(mechanism, case, base if family.shares else None)
            if turns > 1 and "others" not in case.arrays:
                # One copy of the profile serves all misreports of the same agents.
                view.scratch = scratch = base.reports.copy() if scratch is None else scratch
            judge.take(case, view)
    for key in judge.found.tallies:
        judge.climb(key, rng)
    return judge.found


def _code(name: str) -> int:
    """A number for a name that does not change from run to run."""
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "big") + len(name)


class _Judge:
    """Takes the margins of views for every check of a piece."""

    def __init__(self, piece: Piece, mechanism: Mechanism) -> None:
        self.piece, self.mechanism = piece, mechanism
        self.threshold = -DUST * mechanism.setting.types.scale
        setting = mechanism.setting
        self.checks = {(name, k): PROPERTIES[name].checks(setting)[k] for name, k in piece.checks}
        self.found = Found({key: Tally() for key in self.checks})
        self.starts: dict[tuple[str, int], list[tuple[float, Case]]] = {
            key: [] for key in self.checks
        }

    def late(self) -> bool:
        deadline = self.piece.deadline
        if deadline is not None and time.monotonic() > deadline:
            self.found.complete = False
            return True
        return False

    def start(self, base: View) -> None:
        """Play the truthful profiles and count what was allocated."""
        outcome = base.before
        refuse_non_finite(self.mechanism, np.asarray(base.reports), outcome)
        _ = base.before_utility
        self.found.profiles += base.case.batch
        self.found.trades += int(np.asarray(outcome.trades).sum())
        self.found.evaluations += base.case.batch * len(outcome.draws)

    def take(self, case: Case, view: View) -> None:
        plays = d.FAMILIES[case.family].plays
        self.found.evaluations += case.batch * plays * len(view.before.draws)
        for key, check in self.checks.items():
            margin = np.asarray(check.margin(view), dtype=float)
            if margin.ndim > 1:
                margin = margin.reshape(len(margin), -1).min(axis=1)
            tally = self.found.tallies[key]
            row = int(margin.argmin())
            least = float(margin[row])
            if not math.isfinite(least):
                self._blame(view, margin)
            tally.note(margin, least, case, self.threshold)
            if check.exercised is None:
                tally.exercised = self.found.trades
            else:
                tally.exercised += int(np.asarray(check.exercised(view)).sum())
            if self.found.trades == 0 and hasattr(view, "after"):
                tally.exercised += int(np.asarray(view.after.trades).sum())
            self._keep(key, row, least, case)

    def _blame(self, view: View, margin: np.ndarray) -> None:
        """A margin is NaN or infinite: find the outcome that is, and say on which profile."""
        for reports, outcome, _ in view.played.values():
            refuse_non_finite(
                outcome_mechanism(self.mechanism, outcome), np.asarray(reports), outcome
            )
        row = int(np.argmin(np.isfinite(margin)))
        from mechkit.errors import RuleError

        profile = np.asarray(view.reports)[row].tolist()
        raise RuleError(
            f"{self.mechanism.name}: the value or margin at the profile of reports {profile} is "
            f"{margin[row]}, expected a finite number; check the setting's value function",
            profile=profile,
        )

    def _keep(self, key: tuple[str, int], row: int, margin: float, case: Case) -> None:
        """Remember the lowest margins as starts for climbing."""
        starts = self.starts[key]
        if len(starts) < STARTS or margin < starts[-1][0]:
            starts.append((margin, case.rows(slice(row, row + 1))))
            starts.sort(key=lambda pair: pair[0])
            del starts[STARTS:]

    def climb(self, key: tuple[str, int], rng: np.random.Generator) -> None:
        """Improve the best starts by random changes; violations already found need none."""
        tally, starts = self.found.tallies[key], self.starts[key]
        if tally.candidates or not starts:
            return
        check = self.checks[key]
        for margin, case in starts[:STARTS]:
            homes, best, current = d.slots(self.mechanism, case), margin, case
            brood = 8 if case.family == "interim" else BROOD
            for k in range(ROUNDS):
                if self.late():
                    return
                many = Case(
                    case.family,
                    case.who,
                    {name: np.repeat(a, brood, axis=0) for name, a in current.arrays.items()},
                )
                many = mutate(many, homes, rng, 0.3 * 0.4**k)
                view = d.view(self.mechanism, many)
                margins = np.asarray(check.margin(view), dtype=float)
                margins = margins.reshape(len(margins), -1).min(axis=1)
                if not np.isfinite(margins).all():
                    self._blame(view, margins)
                row = int(np.argmin(margins))
                tally.note(margins, float(margins[row]), many, self.threshold)
                if margins[row] <= best:
                    best, current = float(margins[row]), many.rows(slice(row, row + 1))
                if best < self.threshold:
                    return


def outcome_mechanism(mechanism: Mechanism, outcome: Any) -> Mechanism:
    """The mechanism that produced an outcome, for messages: the same name at any size."""
    return mechanism


def merge(found: list[Found]) -> tuple[Mapping[tuple[str, int], Tally], Found]:
    """Add up the results of pieces, in their order."""
    total = Found({})
    for part in found:
        total.profiles += part.profiles
        total.trades += part.trades
        total.evaluations += part.evaluations
        total.complete &= part.complete
        for key, tally in part.tallies.items():
            sum_of = total.tallies.setdefault(key, Tally())
            sum_of.cases += tally.cases
            sum_of.exercised += tally.exercised
            sum_of.smallest = min(sum_of.smallest, tally.smallest)
            sum_of.candidates += tally.candidates
    return total.tallies, total
