"""How good could any mechanism be? The largest welfare at given types, and VCG's payments there.

    W(θ) = max { Σ_i v_i(θ_i, x) : x feasible }
    p_i  = W_−i(θ) − Σ_{j≠i} v_j(θ_j, x*)                                         (Clarke's pivot)

with x* of welfare W, a seller's value minus its cost, and W_−i the best without agent i: without a
seller its unit cannot be had (Vickrey 1961; Clarke 1971; Groves 1973). A setting carries the
function that solves it, `Setting.solve`, from `solvers`; where it carries none, the outcomes that
it lists are compared one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mechkit import first_best as fb
from mechkit.errors import InputError, MechkitError, require
from mechkit.groves import groves
from mechkit.settings import Public, Setting, takes_public
from proofs import Undecided, Unsupported, arithmetic, exact, values

if TYPE_CHECKING:
    from solvers import Optimum

CELLS = 4_000_000
"""Numbers in one table of welfares, (profiles, outcomes, agents)."""


def optimum(
    setting: Setting, types: Any, *, public: Public | None = None, seconds: float | None = None
) -> Optimum:
    """The largest welfare that any feasible allocation has at these types.

    types: one profile (agents, *coordinates) or a batch (batch, agents, *coordinates), as lists or
        arrays; floats and ints are solved in floats, Fractions in rationals wherever the setting's
        solver can. Any finite numbers will do, inside [low, high] or not: the bounds say for which
        types a property is claimed, and the best allocation is a matter of the values alone.
    public: the public arrays of a setting that has some, by name, with a batch axis as types have.
    seconds: a limit, for solvers that can take long; a sort does not look at it.

    Returns a `solvers.Optimum`: value and bound (numbers, or (batch,)), allocation in the setting's
    shape, status, method, and the certificate that `solvers.check` verifies (a tuple of one for
    each profile where these are solved one at a time; None where outcomes were compared one by
    one). Of equally good allocations it is one. Status OPTIMAL says that bound and value meet.

    Raises InputError for types of another shape, NaN, infinities, marginal values that rise, and a
    setting with neither a solver, nor `first_best`, nor outcomes of which the best is the optimum.
    """
    return _solved(setting, types, public, payments=False, seconds=seconds)


def vcg(
    setting: Setting, types: Any, *, public: Public | None = None, seconds: float | None = None
) -> Optimum:
    """`optimum` with every agent's Clarke payment, (agents,) or (batch, agents).

    Positive: the agent pays; a seller's is negative: it is paid. A public project's payments are
    transfers on top of equal shares of the cost. They are Clarke's for the allocation returned, and
    None where a limit came before they were known.
    """
    return _solved(setting, types, public, payments=True, seconds=seconds)


def _solved(
    setting: Setting, types: Any, public: Public | None, *, payments: bool, seconds: float | None
) -> Optimum:
    require(
        isinstance(setting, Setting),
        f"setting = {setting!r}: expected a Setting, mk.single_item(3) say; of a Mechanism give "
        "its setting",
    )
    require(
        seconds is None or (isinstance(seconds, int | float | np.number) and seconds > 0),
        f"seconds = {seconds!r}: expected a positive number, or None for no limit",
    )
    array = numbers(setting, types)
    one = array.ndim == len(setting.types.shape)
    shown = _shown(setting, public, array, one)
    if setting.solve is None:
        batch = array[None] if one else array
        compared = (_groves if payments else _best)(setting, batch, shown)
        return _mapped(compared, lambda part: part[0]) if one else compared
    more: dict[str, Any] = {}
    if setting.public and takes_public(setting.solve.best):  # type: ignore[attr-defined]
        more["public"] = {k: v[0] for k, v in shown.items()} if one else shown
    try:
        solved: Optimum = setting.solve(array, payments=payments, seconds=seconds, **more)
    except MechkitError:
        raise
    except ValueError as error:
        raise InputError(f"{setting.name}: {error}") from None
    _refuse_misshapen(setting, solved, array.shape[: array.ndim - len(setting.types.shape)])
    return rationals(solved) if array.dtype == object else solved


# What comes in, and what a setting's own solver gives -------------------------------------------


def numbers(setting: Setting, types: Any) -> np.ndarray:
    """types as float64 or as Fractions, of the setting's shape and finite; InputError otherwise."""
    shape = setting.types.shape
    expected = (
        f"expected {shape} for one profile of {setting.name}, or {('batch', *shape)}".replace(
            "'batch'", "batch"
        )
    )
    require(
        not np.ma.is_masked(types),
        "types are masked: NumPy would read what the mask hides; fill it, with 0 for nobody",
    )
    try:
        array = np.asarray(types)
    except ValueError as error:
        raise InputError(f"types are ragged ({error}): {expected}") from None
    if array.dtype.kind == "O":
        exactly = np.empty(array.shape, dtype=object)
        for at, entry in np.ndenumerate(array):
            try:
                exactly[at] = Fraction(entry)
            except (TypeError, ValueError, OverflowError):
                raise InputError(
                    f"types{list(at)} = {entry!r}: expected a finite number; {expected}"
                ) from None
        array = exactly
    else:
        require(
            array.dtype.kind in "biuf",
            f"types of dtype {array.dtype}: expected numbers (floats, ints or Fractions)",
        )
        array = array.astype(float)
    require(
        array.shape == shape or array.shape[1:] == shape,
        f"types of shape {array.shape}: {expected}",
    )
    if array.dtype != object and not np.isfinite(array).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        agent = at[array.ndim - len(shape)]
        raise InputError(
            f"types{list(at)} = {array[at]}, of agent {agent}: expected a finite number; give an "
            "agent who takes no part a value of 0"
        )
    return array


def _shown(
    setting: Setting, public: Public | None, types: np.ndarray, one: bool
) -> dict[str, np.ndarray]:
    """The public arrays, batch-first."""
    given: Mapping[str, Any] = public or {}
    require(
        set(given) == set(setting.public),
        f"public = {sorted(given)}: expected arrays of the names {sorted(setting.public)}, which "
        f"{setting.name} shows",
    )
    shown = {name: np.asarray(a)[None] if one else np.asarray(a) for name, a in given.items()}
    rows = 1 if one else len(types)
    for name, a in shown.items():
        require(
            a.ndim > 0 and len(a) == rows,
            f"public {name!r} of shape {np.shape(given[name])} for {rows} profiles: expected a "
            "batch axis where types have one",
        )
    return shown


def _refuse_misshapen(setting: Setting, found: Any, batch: tuple[int, ...]) -> None:
    from solvers import Optimum

    require(
        isinstance(found, Optimum),
        f"{setting.name}: solve returned a {type(found).__name__}, expected a solvers.Optimum",
    )
    shapes: dict[str, tuple[int, ...]] = {
        "value": (),
        "bound": (),
        "allocation": setting.allocation_shape,
        "payments": (setting.agents,),
    }
    for name, shape in shapes.items():
        part = getattr(found, name)
        require(
            part is None or np.shape(part) == (*batch, *shape),
            f"{setting.name}: solve returned {name} of shape {np.shape(part)}, expected "
            f"{(*batch, *shape)}",
        )


# Settings without a solver ------------------------------------------------------------------------


def _blocks(setting: Setting, rows: int, outcomes: int) -> list[slice]:
    step = max(1, CELLS // max(1, outcomes * setting.agents))
    return [slice(at, at + step) for at in range(0, max(rows, 1), step)]


def _best(setting: Setting, types: np.ndarray, public: dict[str, np.ndarray]) -> Optimum:
    """The best of the listed outcomes; without any, what the setting says it is."""
    from solvers import Optimum, Status

    started = time.perf_counter()
    reason = fb.unknown(setting)
    require(reason is None, f"{setting.name}: {reason}, or a solver, Setting solve=")
    try:
        outcomes = fb.compared(setting)
    except InputError:
        claimed = _plain(lambda t: fb.first_best(setting, t, public), types)
        _refuse_endless(setting, types, claimed)
        return Optimum(
            value=claimed,
            bound=claimed,
            status=Status.OPTIMAL,
            method="the setting's own first_best",
            seconds=time.perf_counter() - started,
            notes=("no allocation: the setting has no solver and no list of outcomes",),
        )
    value, chosen = [], []
    for rows in _blocks(setting, len(types), len(outcomes)):
        shown = {name: a[rows] for name, a in public.items()}
        table = _plain(lambda t, shown=shown: fb.welfares(setting, t, shown), types[rows])
        _refuse_endless(setting, types[rows], table)
        best = np.argmax(table, axis=-1)
        chosen.append(best)
        value.append(np.take_along_axis(table, best[:, None], axis=-1)[:, 0])
    return _compared(np.concatenate(value), outcomes[np.concatenate(chosen)], None, started)


def _groves(setting: Setting, types: np.ndarray, public: dict[str, np.ndarray]) -> Optimum:
    """The Groves mechanism over the listed outcomes, with Clarke's pivot."""
    started = time.perf_counter()
    outcomes = fb.compared(setting)
    rule = groves(setting).outcome
    assert rule is not None
    parts: list[list[np.ndarray]] = [[], [], []]
    for rows in _blocks(setting, len(types), len(outcomes)):

        def both(t: Any) -> Any:
            x, payments = rule(t)
            return np.concatenate([fb.welfare(setting, t, x, {})[:, None], payments], axis=-1)

        found = _plain(both, types[rows])
        _refuse_endless(setting, types[rows], found)
        x = _plain(lambda t: rule(t)[0], types[rows])
        for part, piece in zip(parts, (found[:, 0], x, found[:, 1:]), strict=True):
            part.append(piece)
    value, allocation, payments = (np.concatenate(part) for part in parts)
    return _compared(value, allocation.astype(outcomes.dtype), payments, started)


def _compared(value: Any, allocation: Any, payments: Any, started: float) -> Optimum:
    from solvers import Optimum, Status

    return Optimum(
        value=value,
        bound=value,
        status=Status.OPTIMAL,
        allocation=allocation,
        payments=payments,
        method="every listed outcome compared",
        seconds=time.perf_counter() - started,
    )


def _plain(function: Any, types: np.ndarray) -> np.ndarray:
    """The numbers of function(types): in rationals for Fractions, if its arithmetic has them."""
    if types.dtype == object:
        try:
            found = function(exact(types))
            if arithmetic(found) == "exact":
                return np.asarray(values(found))
        except (Undecided, Unsupported):
            pass
        types = types.astype(float)
    return np.asarray(function(types), dtype=float)


def _refuse_endless(setting: Setting, types: np.ndarray, found: np.ndarray) -> None:
    bad = ~np.isfinite(found.astype(float)).reshape(len(found), -1).all(axis=-1)
    if bad.any():
        k = int(np.argmax(bad))
        raise InputError(
            f"{setting.name}: welfare is not finite at the types {types[k].tolist()}; make value "
            "defined there, or leave these types out"
        )


# Records ------------------------------------------------------------------------------------------


def _mapped(found: Optimum, change: Callable[[Any], Any]) -> Optimum:
    """The same record with its numbers changed."""
    parts = ("value", "bound", "allocation", "payments")
    known = {name: getattr(found, name) for name in parts if getattr(found, name) is not None}
    return replace(found, **{name: change(part) for name, part in known.items()})


def rationals(found: Optimum) -> Optimum:
    """What came out of sums of Fractions, as Fractions: an empty sum is an int."""
    return _mapped(found, _rationals)


def _rationals(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.dtype == object:
        return np.asarray(_rational(part), dtype=object)
    return _rational(part) if not isinstance(part, np.ndarray) else part


_rational = np.frompyfunc(lambda v: Fraction(v) if type(v) is int else v, 1, 1)
