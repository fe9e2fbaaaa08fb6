"""The search: batched over profiles and deviations, in self-contained, seeded pieces.

A piece draws profiles once, plays them truthfully once, and then tries many deviations on them;
every property of the same family reads its margin off the same plays. The worst starts are then
improved by hill-climbing on the margin. A piece knows nothing of other pieces: its result depends
on its own fields alone, so that pieces run in any order, on any executor, with the same outcome.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.errors import RuleError
from mechkit.expectations import opponents
from mechkit.mechanism import Mechanism, refuse_non_finite
from mechkit.properties import PROPERTIES
from mechkit.sampling import Sampler, mutate
from mechkit.spaces import repair
from mechkit.views import Case, View

KEPT = 3
STARTS, ROUNDS, BROOD = 4, 4, 32
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
        # Rules and settings hold closures and lambdas, which a plain pickle refuses. This is how a
        # piece travels between the processes of the caller's own executor; no file is ever read so.
        # The deadline means nothing to another clock; it travels as the seconds that are left.
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


def _interim(mechanism: Mechanism, rows: int) -> tuple[int, int]:
    """How many agents and rows an interim piece tries: each row sums over all opponents."""
    count = len(opponents(mechanism.setting, 0)[1])
    return (TARGETS if count <= 512 else 1), max(2, min(rows, 64, (1 << 15) // count))


def planned(piece: Piece) -> tuple[int, int]:
    """The evaluations (rows through the rules) that a piece is budgeted for: those that grow with
    its rows, and those of climbing at most."""
    setting, kind = piece.mechanism.setting, d.FAMILIES[piece.family]
    draws, agents = 1, min(setting.agents, TARGETS)
    for name in setting.lotteries:
        draws *= len(setting.public[name].draws)  # type: ignore[union-attr]
    starts = STARTS * len(piece.checks) * ROUNDS
    if piece.family == "interim":
        count = 2 * draws * len(opponents(setting, 0)[1])
        most, rows = _interim(piece.mechanism, piece.rows)
        return rows * min(agents, most) * count, starts * 8 * count
    plays = kind.plays * agents * _turns(kind, piece.rows)
    return piece.rows * (1 + plays) * draws, starts * BROOD * (1 + kind.plays) * draws


def run(piece: Piece) -> Found:
    """Run one piece: draw, play, deviate, climb. Raises RuleError where a rule misbehaves."""
    with np.errstate(all="ignore"):
        return _run(piece)


def _run(piece: Piece) -> Found:
    mechanism, family = piece.mechanism, d.FAMILIES[piece.family]
    rng = np.random.default_rng([piece.seed, _code(piece.family), piece.index])
    sampler = Sampler(mechanism)
    judge = _Judge(piece, mechanism)
    setting = mechanism.setting
    most, rows = TARGETS, piece.rows
    if family.name == "interim":
        most, rows = _interim(mechanism, rows)
    chosen = d.targets(family, setting, rng, most, piece.coalition)
    if not chosen:
        return judge.found
    types = sampler.profiles(rng, rows)
    if setting.agents > 2 * TARGETS and family.plays:
        # In a crowd the few who deviate hardly ever matter: in half of the profiles nobody else
        # has a type to speak of.
        crowd = np.setdiff1d(np.arange(setting.agents), [i for who in chosen for i in who])
        types[::2, crowd] = setting.types.low_float[crowd]
        types = repair(setting.types, types)
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
            drawn = types
            if family.name == "interim":
                # The others' types are summed over: what stands there means nothing.
                mine = np.isin(np.arange(setting.agents), who)
                drawn = np.where(mine, types, setting.types.low_float)
            case = sampler.complete(family, who, drawn, base.sincere, shared, rng, turn)
            view = d.view(mechanism, case, base if family.shares else None)
            if turns > 1 and "others" not in case.arrays:
                # One copy of the profile serves all misreports of the same agents.
                view.scratch = scratch = base.reports.copy() if scratch is None else scratch
            judge.take(case, view)
    judge.climb(rng)
    return judge.found


def _largest(numbers: Any) -> float:
    return float(np.abs(np.asarray(numbers, dtype=float)).max(initial=0.0))


def _code(name: str) -> int:
    """A number for a name that does not change from run to run."""
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "big") + len(name)


class _Judge:
    """Takes the margins of views for every check of a piece."""

    def __init__(self, piece: Piece, mechanism: Mechanism) -> None:
        self.piece, self.mechanism = piece, mechanism
        self.threshold: dict[tuple[str, int], float] = {}
        setting = mechanism.setting
        self.checks = {(name, k): PROPERTIES[name].checks(setting)[k] for name, k in piece.checks}
        self.found = Found({key: Tally() for key in self.checks})
        self.starts: dict[tuple[str, int], list[tuple[float, Case]]] = {
            key: [] for key in self.checks
        }

    def late(self) -> bool:
        deadline = self.piece.deadline
        return deadline is not None and time.monotonic() > deadline

    def start(self, base: View) -> None:
        """Play the truthful profiles and count what was allocated."""
        outcome = base.before
        refuse_non_finite(self.mechanism, np.asarray(base.reports), outcome)
        _ = base.before_utility
        self.found.profiles += base.case.batch
        self.found.trades += int(np.asarray(outcome.trades).sum())
        self.found.evaluations += base.case.batch * len(outcome.draws)
        # What counts as rounding depends on the numbers that a margin is a difference of.
        shares = _largest(outcome.allocation) or 1.0
        money = max(_largest(outcome.payments), _largest(outcome.values(base.types)))
        money = money or self.mechanism.setting.types.scale
        for key in self.checks:
            scale = shares if PROPERTIES[key[0]].unit == "allocation" else money
            both = key[0] in ("anonymous", "non_bossy")
            self.threshold[key] = -DUST * (min(shares, money) if both else scale)

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
            tally.note(margin, least, case, self.threshold[key])
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
            refuse_non_finite(self.mechanism, np.asarray(reports), outcome)
        row = int(np.argmin(np.isfinite(margin)))
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

    def climb(self, rng: np.random.Generator) -> None:
        """Improve the best starts of every check by random changes, those of the same agents in one
        batch; a check that has found violations already needs none."""
        climbers: dict[tuple[int, ...], list[_Climber]] = {}
        for key, starts in self.starts.items():
            if not self.found.tallies[key].candidates:
                for margin, case in starts:
                    climbers.setdefault(case.who, []).append(_Climber(key, margin, case))
        for k in range(ROUNDS):
            for who, group in climbers.items():
                if self.late():
                    return
                self._brood(who, group, 0.3 * 0.4**k, rng)

    def _brood(
        self,
        who: tuple[int, ...],
        group: list[_Climber],
        step: float,
        rng: np.random.Generator,
    ) -> None:
        """One generation of the climbers on the cases of some agents."""
        family = group[0].case.family
        brood = 8 if family == "interim" else BROOD
        arrays = {
            name: np.repeat(np.concatenate([c.case.arrays[name] for c in group]), brood, axis=0)
            for name in group[0].case.arrays
        }
        many = mutate(Case(family, who, arrays), d.slots(self.mechanism, group[0].case), rng, step)
        view = d.view(self.mechanism, many)
        self.found.evaluations += many.batch * (1 + d.FAMILIES[family].plays)
        for key, check in self.checks.items():
            margins = np.asarray(check.margin(view), dtype=float)
            margins = margins.reshape(len(margins), -1).min(axis=1)
            row = int(margins.argmin())
            if not math.isfinite(margins[row]):
                self._blame(view, margins)
            self.found.tallies[key].note(margins, float(margins[row]), many, self.threshold[key])
            for place, climber in enumerate(group):
                if climber.key != key:
                    continue
                mine = margins[place * brood : (place + 1) * brood]
                best = int(mine.argmin())
                if mine[best] <= climber.margin:
                    at = place * brood + best
                    climber.margin, climber.case = float(mine[best]), many.rows(slice(at, at + 1))


@dataclass
class _Climber:
    """A start on its way down: the check that it serves, its margin, its case of one row."""

    key: tuple[str, int]
    margin: float
    case: Case
