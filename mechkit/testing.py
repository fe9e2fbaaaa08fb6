"""For people who already test: strategies for Hypothesis, and properties as assertions.

    def test_truthful():
        assert_property(mechanism, "ic")              # one line; fails with the counterexample

    test_rational = given_property(mechanism, "ir")   # Hypothesis draws, and shrinks, itself

`assert_property` keeps the witness that refutes a property in Hypothesis's example database, in
exact numbers, and replays it before it searches: the second run of a failing test fails at once,
on the same counterexample, as it would for a test of one's own. `given_property` hands the whole
search to Hypothesis, so that every tool that knows its tests (its database, its pytest plugin,
`target`) works on mechanisms as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from mechkit import replay, witness
from mechkit.deviations import FAMILIES
from mechkit.errors import InputError, MechkitError, RuleTimeout, require
from mechkit.mechanism import Mechanism
from mechkit.priors import level_weights
from mechkit.properties import Property, select
from mechkit.settings import Setting
from mechkit.shrink import cost, shrink
from mechkit.spaces import Space
from mechkit.story import story
from mechkit.verdict import Counterexample, Status
from mechkit.verify import verify
from mechkit.views import Case

EVALUATIONS = 100_000
EXAMPLES = 50
DENOMINATORS = (1, 2, 3, 4, 5, 8, 10)
FINE = 1000

# How many of the simplest numbers there are to choose from: few, and agents tie. Numbers are not
# copied outright, since Hypothesis cannot take a copy apart again when it shrinks.
CHOICES = st.sampled_from((None, None, 3, 5))
Values = st.SearchStrategy[np.ndarray]


# Numbers and types --------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def simple(low: Fraction, high: Fraction) -> tuple[Fraction, ...]:
    """Numbers of [low, high] with small denominators and the two ends, the simplest first."""
    found = {low, high}
    for q in DENOMINATORS:
        first, last = -(-low * q // 1), high * q // 1
        step = max(1, int(last - first + 1) // 20)
        found.update(Fraction(p, q) for p in range(int(first), int(last) + 1, step))
    rest = min(max(Fraction(0), low), high)
    ordered = sorted(found, key=lambda x: (x != rest, cost(x), x))
    # The ends are corners, and what constraints leave of them is a tie: among the first.
    return tuple(dict.fromkeys((*ordered[:2], low, high, *ordered)))


@st.composite
def numbers(draw: st.DrawFn, low: Fraction, high: Fraction, most: int | None = None) -> Fraction:
    """A rational of [low, high]: one of the `most` simplest, or now and then a fine one."""
    found: Fraction = draw(st.sampled_from(simple(low, high)[:most]))
    if low < high and draw(st.sampled_from((*[False] * 5, True))):
        finest = max(FINE, low.denominator, high.denominator)
        found = draw(st.fractions(low, high, max_denominator=finest))
    return found


@st.composite
def _rows(draw: st.DrawFn, space: Space, owner: int, most: int | None) -> list[Fraction]:
    """One agent's flattened type, coordinate by coordinate.

    Each is drawn between the bounds that the constraints leave it, given those before it; what then
    still breaks a constraint (several that bind together) is pulled to the centre.
    """
    lows, highs = (bound[[owner]].reshape(-1) for bound in (space.low, space.high))
    row: list[Fraction] = []
    for c in range(space.size):
        level = None if space.levels is None else space.levels[c]
        if level is not None:
            own = [x for x in level if lows[c] <= x <= highs[c]]
            row.append(draw(st.sampled_from(sorted(own, key=lambda x: (cost(x), x)))))
        else:
            row.append(draw(numbers(*_room(space, lows, highs, row), most)))
    if _fits(space, owner, row):
        return row
    if space.levels is None and (pulled := _pulled(space, owner, row)) is not None:
        return pulled
    hypothesis.reject()


def _room(
    space: Space, lows: np.ndarray, highs: np.ndarray, row: Sequence[Fraction]
) -> tuple[Fraction, Fraction]:
    """The bounds of the next coordinate, given those drawn, whatever the ones after it are."""
    c, low, high = len(row), lows[len(row)], highs[len(row)]
    if space.constraints is None:
        return low, high
    for a, b in zip(*space.constraints, strict=True):
        left = b - sum((x * y for x, y in zip(a, row, strict=False)), Fraction(0))
        for k in range(c + 1, space.size):
            left -= min(a[k] * lows[k], a[k] * highs[k])
        if a[c] > 0:
            high = min(high, left / a[c])
        elif a[c] < 0:
            low = max(low, left / a[c])
    return (low, high) if low <= high else (lows[c], highs[c])


def _fits(space: Space, owner: int, row: Sequence[Fraction]) -> bool:
    point = np.empty((1, 1, space.size), dtype=object)
    point[0, 0] = list(row)
    return bool(replay.contains(space, point.reshape(1, 1, *space.coordinates), [owner])[0])


def _pulled(space: Space, owner: int, row: Sequence[Fraction]) -> list[Fraction] | None:
    """The point between the row and the centre of the constraints that just meets them all."""
    assert space.constraints is not None
    centre = [Fraction(float(x)).limit_denominator(FINE) for x in space.centre[owner]]
    share = Fraction(1)
    for a, b in zip(*space.constraints, strict=True):
        inner, outer = (sum(x * y for x, y in zip(a, t, strict=True)) for t in (centre, row))
        if outer > b:
            share = min(share, (b - inner) / (outer - inner)) if outer > inner else Fraction(0)
    found = [m + max(share, Fraction(0)) * (x - m) for x, m in zip(row, centre, strict=True)]
    return found if _fits(space, owner, found) else None


def _columns(draw: st.DrawFn, space: Space, owners: Sequence[int], most: int | None) -> np.ndarray:
    """(k, *coordinates): a row for each owner."""
    made = np.empty((len(owners), space.size), dtype=object)
    for k, owner in enumerate(owners):
        made[k] = draw(_rows(space, owner, most))
    return made.reshape(len(owners), *space.coordinates)


@st.composite
def _drawn(draw: st.DrawFn, space: Space, owners: tuple[int, ...], size: int) -> np.ndarray:
    return np.stack([_columns(draw, space, owners, draw(CHOICES)) for _ in range(size)])


def _in(exact: bool, strategy: Values, space: Space, owners: Sequence[int]) -> Values:
    """The strategy in Fractions, or in floats inside the float image of the space."""
    require(isinstance(exact, bool), f"exact = {exact!r}: expected True or False")
    if exact:
        return strategy
    low, high = space.low_float[list(owners)], space.high_float[list(owners)]
    return strategy.map(lambda made: np.clip(made.astype(float), low, high))


def _setting(setting: Any) -> Setting:
    require(
        isinstance(setting, Setting),
        f"setting = {setting!r}: expected a Setting, mk.single_item(agents=3) for one",
    )
    return setting


def profiles(setting: Setting, *, exact: bool = True) -> Values:
    """Profiles of true types, (agents, *coordinates): simple numbers, ties, corners.

    exact: Fractions in an object array, or float64. Levels and constraints are kept (by floats up
    to rounding). Shrinks towards agents with type zero, or the bound nearest to it.
    """
    return batches(setting, 1, exact=exact).map(lambda batch: batch[0])


def misreports(setting: Setting, agent: int, *, exact: bool = True) -> Values:
    """Reports that one agent may make, (*coordinates), as in `profiles`."""
    space = _setting(setting).report_space
    require(
        isinstance(agent, int) and 0 <= agent < space.agents,
        f"agent = {agent!r}: expected an integer from 0 to {space.agents - 1}",
    )
    strategy = _in(exact, _drawn(space, (agent,), 1).map(lambda batch: batch[0]), space, (agent,))
    return strategy.map(lambda made: made[0:1].reshape(space.coordinates))


def batches(setting: Setting, size: int, *, exact: bool = True) -> Values:
    """`size` profiles at once, (size, agents, *coordinates), as rules take them."""
    space = _setting(setting).types
    require(
        isinstance(size, int) and size >= 1, f"size = {size!r}: expected an integer of at least 1"
    )
    owners = tuple(range(space.agents))
    return _in(exact, _drawn(space, owners, size), space, owners)


@st.composite
def cases(draw: st.DrawFn, mechanism: Mechanism, prop: Property) -> tuple[int, Case]:
    """An instance of what a property ranges over: (which of its checks, an exact one-row case)."""
    setting = mechanism.setting
    checks = prop.sought(setting)
    check = draw(st.integers(0, len(checks) - 1))
    family = FAMILIES[checks[check].family]
    who = draw(st.sampled_from(list(family.targets(setting))))
    arrays, most = {}, draw(CHOICES)
    for key, slot in family.slots(mechanism, who).items():
        arrays[key] = _columns(draw, slot.space, slot.owners, most)[None]
    return check, Case(family.name, who, arrays)


# Properties as tests ------------------------------------------------------------------------------


def assert_property(
    mechanism: Mechanism,
    name: str,
    *,
    seed: int = 0,
    seconds: float | None = None,
    evaluations: int | None = None,
    examples: int = EXAMPLES,
    allow_vacuous: bool = False,
) -> None:
    """Fail, with the counterexample, if a property of a mechanism can be refuted.

    First the witness that Hypothesis's example database holds from an earlier run is replayed; then
    `verify` searches within its budget (seconds, evaluations; 100,000 evaluations by default, which
    makes the result depend on the seed alone); then Hypothesis draws `examples` exact cases. What
    refutes the property is kept in the database under the names of mechanism, setting and property,
    so that it is tried first after a rule has been edited, and forgotten when it passes.

    Raises AssertionError where the property is refuted, and where nothing was put to the test
    (allow_vacuous: let that pass); InputError where it does not apply, or for bad arguments.
    """
    prop = _applicable(mechanism, name)
    require(
        isinstance(examples, int) and not isinstance(examples, bool) and examples >= 0,
        f"examples = {examples!r}: expected a non-negative integer",
    )
    __tracebackhide__ = True
    settings = hypothesis.settings(max_examples=max(1, examples), deadline=None)
    store = _Store(settings.database, mechanism, prop)
    if (found := store.replayed()) is not None:
        raise AssertionError(_message(mechanism, found, store, "replayed from the database"))
    if seconds is None and evaluations is None:
        evaluations = EVALUATIONS
    verdict = verify(mechanism, [name], seed=seed, seconds=seconds, evaluations=evaluations)[name]
    found = verdict.counterexample
    if verdict.status is Status.NOT_APPLICABLE:
        raise InputError(f"{name} does not apply to {mechanism.name}: {verdict.reason}")
    if verdict.status is Status.UNKNOWN:
        vacuous = verdict.reason.startswith("vacuous")
        if not (vacuous and allow_vacuous):
            hint = "; allow_vacuous=True lets this pass" if vacuous else ""
            raise AssertionError(
                f"{mechanism.name}: {name} was not put to the test: {verdict.reason}{hint}"
            )
    if found is None and examples and not _estimated(mechanism, prop):
        found = _drawn_counterexample(mechanism, prop, settings, store.key + b".cases", seed)
    if found is not None:
        _refuse_undefined(mechanism, prop, found.check)
        store.keep(found, seed)
        raise AssertionError(_message(mechanism, found, store, "found by this run"))


def assert_not_refuted_by(
    mechanism: Mechanism, refutation: Mapping[str, Any] | Counterexample | str
) -> None:
    """Fail if a witness still refutes its property: a past counterexample as a regression test.

    refutation: a `Counterexample`, or the JSON text or values of a witness (`witness.to_json`, or
    the last line of the message of `assert_property`). There is no search.
    """
    __tracebackhide__ = True
    if isinstance(refutation, Counterexample):
        refutation = witness.to_json(refutation, reference=None, digest=None, seed=0)
    elif isinstance(refutation, str):
        try:
            refutation = json.loads(refutation)
        except ValueError as error:
            raise InputError(f"the witness is not JSON ({error}): paste the whole line") from None
    again = witness.replay(mechanism, _checked(refutation))
    if again.counterexample is not None:
        raise AssertionError(story(again.counterexample, mechanism.setting))


def given_property(
    mechanism: Mechanism, name: str, *, settings: hypothesis.settings | None = None
) -> Callable[[], None]:
    """A Hypothesis test of a property: `test_ic = given_property(mechanism, "ic")`.

    It draws exact cases, guides them by the margin (`hypothesis.target`), and fails where the exact
    margin is negative; Hypothesis shrinks the case, and replays it from its database on the next
    run. settings: such as `hypothesis.settings(max_examples=1000)`.
    """
    prop = _applicable(mechanism, name)
    require(
        not _estimated(mechanism, prop),
        f"{name} is an expectation over a continuous prior in {mechanism.setting.name}: no single "
        "case refutes it; declare the setting with levels= for an exact answer",
    )

    def test(drawn: tuple[int, Case]) -> None:
        __tracebackhide__ = True
        check, case = drawn
        margin, arithmetic, note = _margin(mechanism, prop, check, case)
        hypothesis.target(-float(margin if margin is not None else 0), label=f"fails {name} by")
        if _violates(mechanism, margin, arithmetic):
            _refuse_undefined(mechanism, prop, check)
            found = replay.counterexample(mechanism, prop, check, case, arithmetic, note)
            raise AssertionError(story(found, mechanism.setting))

    test.__name__ = test.__qualname__ = f"test_{name}"
    test.__doc__ = f"{mechanism.name}: {prop.statement}."
    # Hypothesis tells tests apart by their source, which is the same for every property.
    test._hypothesis_internal_add_digest = _key(mechanism, prop)  # type: ignore[attr-defined]
    made = hypothesis.given(cases(mechanism, prop))(test)
    return (settings or hypothesis.settings(deadline=None))(made)


# How they decide ----------------------------------------------------------------------------------


def _applicable(mechanism: Mechanism, name: str) -> Property:
    require(
        isinstance(mechanism, Mechanism),
        f"mechanism = {mechanism!r}: expected a Mechanism, mk.Mechanism(setting, allocate, pay)",
    )
    require(isinstance(name, str), f"property {name!r}: expected one name such as 'ic'")
    chosen = select(name)
    require(len(chosen) == 1, f"properties {name!r}: give one name, and one line for each")
    (prop,) = chosen
    if (why := prop.excuse(mechanism.setting)) is not None:
        raise InputError(f"{prop.name} does not apply to {mechanism.setting.name}: {why}")
    return prop


def _refuse_undefined(mechanism: Mechanism, prop: Property, check: int) -> None:
    """InputError where what was found is that the property is not defined for the rule."""
    if (why := prop.checks(mechanism.setting)[check].refuses) is not None:
        raise InputError(f"{prop.name} does not apply to {mechanism.name}: {why}")


def _estimated(mechanism: Mechanism, prop: Property) -> bool:
    setting, family = mechanism.setting, prop.checks(mechanism.setting)[0].family
    return family == "interim" and level_weights(setting.types, setting.prior) is None


def _margin(mechanism: Mechanism, prop: Property, check: int, case: Case) -> tuple[Any, str, str]:
    """(margin, arithmetic, note) of a one-row case: of floats where the rule is opaque."""
    try:
        margin = replay.margins(mechanism, prop, check, case)[0]
    except (RuleTimeout, MemoryError):
        raise
    except Exception as error:  # the rule runs on floats only, or fails on those as well
        note = f"{type(error).__name__}: {error}"
        return replay.float_margin(mechanism, prop, check, case), "float64", note
    exactly = isinstance(margin, Fraction | int) or margin is None
    return margin, "exact" if exactly else "interval", ""


def _violates(mechanism: Mechanism, margin: Any, arithmetic: str) -> bool:
    if arithmetic == "float64":
        return bool(margin < 0)
    return bool(replay.negative(margin))


def _drawn_counterexample(
    mechanism: Mechanism, prop: Property, settings: hypothesis.settings, key: bytes, seed: int
) -> Counterexample | None:
    """What Hypothesis finds among exact cases of its own, made as small as any other witness."""

    def refuted(drawn: tuple[int, Case]) -> bool:
        margin, arithmetic, _ = _margin(mechanism, prop, *drawn)
        return _violates(mechanism, margin, arithmetic)

    try:
        check, case = hypothesis.find(
            cases(mechanism, prop),
            refuted,
            settings=settings,
            random=Random(seed),
            database_key=key,
        )
    except NoSuchExample:
        return None
    _, arithmetic, note = _margin(mechanism, prop, check, case)
    small = shrink(mechanism, prop, check, case, arithmetic)
    return replay.counterexample(mechanism, prop, check, small, arithmetic, note)


def _key(mechanism: Mechanism, prop: Property) -> bytes:
    """Under what a test is kept in the database; the same after its rules have been edited."""
    names = (mechanism.name, mechanism.setting.name, str(mechanism.setting.types.shape), prop.name)
    return b"mechkit." + hashlib.sha256("\0".join(names).encode()).digest()


class _Store:
    """The witnesses that Hypothesis's example database holds for a property of a mechanism."""

    def __init__(self, database: Any, mechanism: Mechanism, prop: Property) -> None:
        self.database, self.mechanism = database, mechanism
        self.key = _key(mechanism, prop)

    def replayed(self) -> Counterexample | None:
        """A stored witness that still refutes; those that no longer do are forgotten."""
        if self.database is None:
            return None
        for stored in sorted(self.database.fetch(self.key), key=len):
            try:
                again = witness.replay(self.mechanism, _checked(json.loads(stored)))
            except (ValueError, LookupError, TypeError, MechkitError):
                self.database.delete(self.key, stored)
                continue
            if again.counterexample is not None:
                return again.counterexample
            self.database.delete(self.key, stored)
        return None

    def keep(self, found: Counterexample, seed: int) -> None:
        if self.database is not None:
            self.database.save(self.key, _line(found, seed).encode())


def _checked(data: Any) -> Mapping[str, Any]:
    """The values of a witness, or InputError where they are not one."""
    require(
        isinstance(data, Mapping)
        and data.get("format") == witness.FORMAT
        and all(isinstance(data.get(key), kind) for key, kind in witness.KINDS.items())
        and data["family"] in FAMILIES,
        f"{str(data)[:60]!r} is not a witness of format {witness.FORMAT!r}: paste all of it",
    )
    select(data["property"])
    return data


def _line(found: Counterexample, seed: int) -> str:
    data = witness.to_json(found, reference=None, digest=None, seed=seed)
    return json.dumps(data, ensure_ascii=False)


def _message(mechanism: Mechanism, found: Counterexample, store: _Store, origin: str) -> str:
    kept = (
        "Run the test again to replay it first: it is kept in Hypothesis's example database."
        if store.database is not None
        else "Hypothesis has no example database here, so that it is not kept."
    )
    return "\n".join(
        (
            story(found, mechanism.setting),
            "",
            f"({origin}) {kept}",
            "To keep it as a test: mechkit.testing.assert_not_refuted_by(mechanism, witness) with",
            f"witness = {_line(found, 0)!r}",
        )
    )
