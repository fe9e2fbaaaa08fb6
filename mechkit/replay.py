"""Floats find, Fractions decide: a case played in exact arithmetic, and the sign of its margin.

The mechanism, its setting and the margin run unchanged on `proofs` arrays of rationals; exp, log
and roots become enclosures whose sign must be decided. A rule that only runs on floats is opaque:
its outputs at a float point then count, and only a failure of at least 1e-9 of the setting's scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.errors import MechkitError, RuleTimeout
from mechkit.first_best import refuse_false_at_draws
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.spaces import contains
from mechkit.verdict import Counterexample, Played
from mechkit.views import Case, Slot
from proofs import Interval, Ties, Undecided, exact, precision, simplest, values

OPAQUE_GAIN = 1e-9
PRECISIONS = (128, 512)


def rationalised(case: Case, mechanism: Mechanism) -> Iterator[Case]:
    """Exact versions of a one-row float case, the simplest numbers first.

    Coarse denominators keep ties and thick violations; fine ones keep thin violations.
    """
    makers: list[Callable[[float], Fraction]] = [
        lambda x: Fraction(x).limit_denominator(10),
        lambda x: Fraction(x).limit_denominator(100),
        simplest_of,
        lambda x: Fraction(x).limit_denominator(10_000),
        Fraction,
    ]
    seen: set[tuple[Any, ...]] = set()
    homes = d.slots(mechanism, case)
    for maker in makers:
        arrays = {}
        for key, array in case.arrays.items():
            made = np.empty(array.shape, dtype=object)
            for at, x in np.ndenumerate(array):
                made[at] = maker(float(x))
            arrays[key] = _snapped(made, homes[key])
        numbers = tuple(x for a in arrays.values() for x in a.ravel())
        if numbers in seen:
            continue
        seen.add(numbers)
        found = Case(case.family, case.who, arrays)
        if valid(found, mechanism).all():
            yield found


def integrated(mechanism: Mechanism, prop: Property, check: int, case: Case) -> Case | None:
    """An exact version of a float case that fails in expectation over a continuous prior, if exact
    integration says so: an estimate decides nothing, and neither do floats."""
    for candidate in rationalised(case, mechanism):
        try:
            margin = margins(mechanism, prop, check, candidate)[0]
        except (RuleTimeout, MemoryError):
            raise
        except Exception:
            # The prior is not uniform, or the rule is not piecewise linear.
            return None
        if isinstance(margin, Fraction) and margin < 0:
            return candidate
    return None


def simplest_of(x: float) -> Fraction:
    return Fraction(simplest(x))


def _snapped(made: np.ndarray, slot: Slot) -> np.ndarray:
    """Coordinates with levels take the nearest of them exactly."""
    if slot.space.levels is None:
        return made
    flat = made.reshape(*made.shape[:2], slot.space.size)
    for c, level in enumerate(slot.space.levels):
        if level is not None:
            for at in np.ndindex(*flat.shape[:2]):
                x = flat[(*at, c)]
                flat[(*at, c)] = min(level, key=lambda v, x=x: abs(v - x))  # type: ignore[misc]
    return flat.reshape(made.shape)


def valid(case: Case, mechanism: Mechanism) -> np.ndarray:
    """Which rows of an exact case lie in the spaces of its slots, bool (batch,)."""
    ok = np.ones(case.batch, dtype=bool)
    for key, slot in d.slots(mechanism, case).items():
        ok &= contains(slot.space, case.arrays[key], slot.owners)
    return ok


def margins(
    mechanism: Mechanism, prop: Property, check: int, case: Case
) -> list[Fraction | Interval | None]:
    """The exact margin of each row: the least entry; None where an enclosure cannot decide it.

    For properties claimed away from ties, rows in which the rule meets a tie have margin 0.
    Raises whatever the rule raises in exact arithmetic.
    """
    if prop.tie_free:
        return [
            _tie_free(mechanism, prop, check, case.rows(slice(k, k + 1))) for k in range(case.batch)
        ]
    last: Undecided | None = None
    for bits in PRECISIONS:
        with precision(bits):
            try:
                return _margins(mechanism, prop, check, case, lambda a: exact(a))
            except Undecided as undecided:
                last = undecided
    if case.batch == 1:
        return [None]
    assert last is not None
    rows = (case.rows(slice(k, k + 1)) for k in range(case.batch))
    return [margins(mechanism, prop, check, row)[0] for row in rows]


def _margins(
    mechanism: Mechanism, prop: Property, check: int, case: Case, lift: Callable[[Any], Any]
) -> list[Fraction | Interval | None]:
    lifted = Case(case.family, case.who, {k: lift(a) for k, a in case.arrays.items()})
    view = d.view(mechanism, lifted)
    raw = prop.checks(mechanism.setting)[check].margin(view)
    found = np.asarray(values(raw) if not isinstance(raw, np.ndarray) else raw, dtype=object)
    return [_least(row) for row in found.reshape(case.batch, -1)]


def _tie_free(
    mechanism: Mechanism, prop: Property, check: int, case: Case
) -> Fraction | Interval | None:
    margin, tied = margin_and_tie(mechanism, prop, check, case)
    if tied:
        return Fraction(0)
    if negative(margin) and not robust(mechanism, prop, check, case):
        return Fraction(0)
    return margin


def margin_and_tie(
    mechanism: Mechanism, prop: Property, check: int, case: Case
) -> tuple[Fraction | Interval | None, bool]:
    """The margin of a one-row case, and whether the rules compare numbers that tie to the first
    order, a report with a constant included."""
    algebra = Ties()
    lifted = Case(
        case.family, case.who, {k: exact(a, algebra=algebra) for k, a in case.arrays.items()}
    )
    try:
        # Only what the rules compare counts: the margin's own comparisons come afterwards.
        _ = d.view(mechanism, lifted).played
        tied = algebra.tied
        return _margins(mechanism, prop, check, case, exact)[0], tied
    except Undecided:
        return None, False


def robust(mechanism: Mechanism, prop: Property, check: int, case: Case) -> bool:
    """Whether a violation survives small exact changes of the types.

    A tie of numbers that are equal to the first order, (x − y)² and 0, does not. Levels are left on
    purpose; a rule that refuses such types is not refuted here.
    """
    rng, space = np.random.default_rng(0), mechanism.setting.types
    types, centre = case.arrays["types"], (space.low + space.high) / 2
    for _ in range(PERTURBED):
        weight = rng.integers(1, 1000, size=space.shape).astype(object) * Fraction(1, 10**9)
        # A little towards the centre, so that the box is kept; away from it where it is the centre.
        beside = types + (centre - types) * weight
        beside = beside + (types == centre) * (space.high - space.low) * weight / 4
        moved = Case(case.family, case.who, {**case.arrays, "types": beside})
        try:
            margin = _margins(mechanism, prop, check, moved, exact)[0]
        except RuleTimeout:
            raise
        except Exception:
            return False
        if not negative(margin):
            return False
    return True


def _least(row: np.ndarray) -> Fraction | Interval | None:
    """The least entry of a margin, if its sign is decided: one below zero, or all above."""
    exactly = [Fraction(int(x)) if isinstance(x, bool | int | np.integer) else x for x in row]
    below = [x for x in exactly if negative(x)]
    if not below and any(negative(x) is None for x in exactly):
        return None
    return min(below or exactly, key=float)


def negative(margin: Any) -> bool | None:
    """Whether a margin is below zero; None where an enclosure straddles it."""
    if margin is None:
        return None
    try:
        return bool(margin < 0)
    except Undecided:
        return None


PERTURBED, STEP = 8, 1e-4


def magnitude(view: Any, unit: str) -> float:
    """The largest number that a margin of this unit is a difference of, over a view's plays."""
    found = [0.0]
    for _, outcome, types in view.played.values():
        numbers = [outcome.allocation]
        if unit == "money":
            numbers.append(outcome.payments)
            if outcome.setting.agents == types.shape[1]:
                numbers.append(outcome.values(types))
        found += [float(np.abs(np.asarray(x, dtype=float)).max(initial=0.0)) for x in numbers]
    return max(found)


def float_margin(mechanism: Mechanism, prop: Property, check: int, case: Case) -> float:
    """The margin of a one-row case in floats, the mechanism run on that row alone.

    Zero unless it fails by at least 1e-9 of the numbers that it compares. For properties claimed
    away from ties, the mildest margin over profiles a little beside it: a tie among computed
    numbers cannot be seen in floats, but it does not survive a small change.
    """
    arrays = {k: np.asarray(a, dtype=float) for k, a in case.arrays.items()}
    chosen = prop.checks(mechanism.setting)[check]

    def margin_at(types: np.ndarray) -> float:
        view = d.view(mechanism, Case(case.family, case.who, {**arrays, "types": types}))
        view.strict = True
        margin = float(np.min(np.asarray(chosen.margin(view), dtype=float)))
        return margin if -margin >= OPAQUE_GAIN * magnitude(view, prop.unit) else max(margin, 0.0)

    margin = margin_at(arrays["types"])
    if prop.tie_free and margin < 0:
        rng, space = np.random.default_rng(0), mechanism.setting.types
        # Levels are left on purpose, and so is a box of one point.
        step = STEP * np.where(space.span > 0, space.span, space.scale)
        low, high = space.low_float, np.maximum(space.high_float, space.low_float + step)
        for _ in range(PERTURBED):
            beside = arrays["types"] + step * rng.uniform(-1, 1, space.shape)
            margin = max(margin, margin_at(np.clip(beside, low, high)))
    return margin


def values_of(array: Any) -> np.ndarray:
    """The numbers of an exact array, or of a plain one that a rule returned as a constant."""
    if isinstance(array, np.ndarray):
        return exact_constants(array)
    return np.asarray(values(array), dtype=object)


def exact_constants(array: np.ndarray) -> np.ndarray:
    return np.asarray(values(exact(array)), dtype=object)


def confirm(
    mechanism: Mechanism, prop: Property, check: int, case: Case
) -> tuple[Case, str, str] | None:
    """Decide a float candidate (one row): (exact case, arithmetic, note), or None.

    Several rationalisations are tried. A rule that raises in exact arithmetic only is opaque, and
    then the float point itself is the witness.
    """
    note, decided = "", False
    for candidate in rationalised(case, mechanism):
        try:
            margin = margins(mechanism, prop, check, candidate)[0]
        except (RuleTimeout, MemoryError):
            raise
        except Exception as error:
            # A rule may be undefined at one rationalisation (0/0) and run at the next.
            note = note or f"{type(error).__name__}: {error}"
            continue
        decided = True
        if negative(margin):
            arithmetic = "interval" if isinstance(margin, Interval) else "exact"
            return candidate, arithmetic, ""
    if decided or not note:
        return None
    return confirm_float(mechanism, prop, check, case, note)


def confirm_float(
    mechanism: Mechanism, prop: Property, check: int, case: Case, note: str
) -> tuple[Case, str, str] | None:
    """The verdict of floats, for an opaque rule."""
    floats = {k: np.asarray(a, dtype=float) for k, a in case.arrays.items()}
    point = Case(case.family, case.who, floats)
    try:
        margin = float_margin(mechanism, prop, check, point)
    except RuleTimeout:
        raise
    except MechkitError:
        return None
    return (point, "float64", note) if margin < 0 else None


def counterexample(
    mechanism: Mechanism,
    prop: Property,
    check: int,
    case: Case,
    arithmetic: str,
    note: str = "",
) -> Counterexample:
    """The record of a confirmed one-row case, with what happened at every profile it compares.

    Raises InputError where a loss of welfare is one against an optimum that is none.
    """
    if prop.name == "efficient":
        floats = {k: np.asarray(a, dtype=float) for k, a in case.arrays.items()}
        at = d.view(mechanism, Case(case.family, case.who, floats))
        refuse_false_at_draws(mechanism.setting, at.types, at.before.draws)
    if arithmetic == "float64":
        margin: Any = float_margin(mechanism, prop, check, case)
        view = d.view(mechanism, case)
        return _record(mechanism, prop, check, case, view, margin, arithmetic, note, np.asarray)
    with precision(PRECISIONS[-1]):
        margin = margins(mechanism, prop, check, case)[0]
        lifted = Case(case.family, case.who, {k: exact(a) for k, a in case.arrays.items()})
        view = d.view(mechanism, lifted)
        return _record(mechanism, prop, check, case, view, margin, arithmetic, note, values_of)


def _record(
    mechanism: Mechanism,
    prop: Property,
    check: int,
    case: Case,
    view: Any,
    margin: Any,
    arithmetic: str,
    note: str,
    read: Callable[[Any], np.ndarray],
) -> Counterexample:
    profiles: dict[str, Played] = {}
    for label, (reports, outcome, types) in view.played.items():
        same = outcome.setting.agents == mechanism.setting.agents
        profiles[label] = Played(
            reports=read(reports)[0],
            allocation=read(outcome.allocation)[0],
            payments=read(outcome.payments)[0],
            utilities=read(outcome.utility(types))[0] if same else None,
        )
    last = list(profiles.values())[-1]
    return Counterexample(
        property=prop.name,
        mechanism=mechanism.name,
        types=case.arrays["types"][0],
        reports=last.reports,
        agents=case.who,
        gain=-margin,
        unit=prop.unit,
        arithmetic=arithmetic,
        profiles=profiles,
        public={k: read(v)[0] for k, v in view.public.items()},
        case=case,
        check=check,
        note=note,
    )
