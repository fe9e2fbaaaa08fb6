"""The first best: the largest welfare that a setting allows, profile by profile.

    W(θ) = max { Σ_i v_i(θ_i, x) : x feasible },

a seller's value being minus its cost, and fractions (lotteries) among the allocations where the
setting's constraints let them in (Vickrey 1961; Green & Laffont 1979). A setting either carries a
closed form, `Setting.first_best`, or lists its pure outcomes, of which the best is taken. A mixture
of outcomes reaches no more than the best of them where values are linear, or at least convex,
between outcomes; where that is seen to fail on samples, no optimum is claimed to be known.

All of it is plain NumPy, so that an optimum is a number, a rational or a term as the types are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from mechkit import settings as s
from mechkit.errors import InputError, require
from mechkit.priors import uniform
from mechkit.settings import Array, Lottery, Public, Setting
from mechkit.spaces import Space
from proofs import values

MOST = 2_000
"""How many outcomes are compared one by one."""
SAMPLES = 64
"""How many profiles, and mixtures of two outcomes, a declaration is tried on."""


def welfare(setting: Setting, types: Array, allocation: Array, public: Public) -> Array:
    """Σ_i v_i(θ_i, x), (batch,)."""
    return s.values(setting, types, allocation, public).sum(axis=-1)


def unknown(setting: Setting) -> str | None:
    """Why no exact optimum is known for this setting, with a remedy; None where one is."""
    return None if setting.first_best is not None else _unlisted(setting)


def first_best(setting: Setting, types: Array, public: Public) -> Array:
    """W(θ), (batch,), where `unknown(setting)` is None. types: (batch, agents, ...)."""
    if setting.first_best is None:
        return np.max(_table(setting, types, public), axis=-1)
    best = setting.first_best(types, **({"public": public} if setting.public else {}))
    require(
        np.shape(best) == (types.shape[0],),
        f"{setting.name}: first_best returned shape {np.shape(best)} for {types.shape[0]} "
        f"profiles, expected ({types.shape[0]},): reduce over agents with axis=-1",
    )
    if isinstance(best, np.ndarray) and best.dtype.kind == "O" and isinstance(types, np.ndarray):
        # A Fraction among a setting's constants makes an object array of what are plain numbers, if
        # types are; in exact arithmetic it stays what it is.
        best = best.astype(float)
    return best


def best_outcome(setting: Setting, types: Array, public: Public) -> np.ndarray | None:
    """For one profile, (1, agents, ...), the first listed allocation of the largest welfare; None
    where none that is listed attains W(θ)."""
    if _listed(setting) is None:
        return None
    reached = _floats(_table(setting, types, public)[0])
    best = int(np.argmax(reached))
    if abs(_floats(first_best(setting, types, public))[0] - reached[best]) > _dust(setting):
        return None
    found: np.ndarray = _outcomes(setting)[best]
    return found


def compared(setting: Setting) -> np.ndarray:
    """The listed outcomes (k, *allocation_shape), where the best of them is the optimum; InputError
    with the reason where it is not known to be."""
    reason = _unlisted(setting)
    require(reason is None, f"{setting.name}: {reason}")
    return _outcomes(setting)


def welfares(setting: Setting, types: Array, public: Public) -> Array:
    """The welfare of every listed outcome, (batch, k), where `compared(setting)` gives them."""
    return _table(setting, types, public)


def refuse_false(setting: Setting, types: np.ndarray, allocation: Array, public: Public) -> None:
    """Raise InputError, naming a profile, where the optimum of a setting contradicts its values.

    No feasible allocation may be worth more: neither the rule's own (batch, *allocation_shape), nor
    a listed outcome, nor a mixture of two. Where mixtures gain nothing, a listed one attains it.
    """
    if unknown(setting) is not None:
        return
    best = np.asarray(first_best(setting, types, public), dtype=float)
    own = np.asarray(welfare(setting, types, allocation, public), dtype=float)
    ok = setting.feasible(np.asarray(allocation) * 1.0)
    what = "first_best" if setting.first_best is not None else "the best of outcomes()"

    def refuse(rows: np.ndarray, told: str, than: np.ndarray) -> None:
        if rows.any():
            k = int(np.argmax(rows))
            raise InputError(
                f"{setting.name}: at the types {types[k].tolist()} {what} is {best[k]:.12g}, and "
                f"{told} {than[k]:.12g}; make first_best the largest welfare of all feasible "
                "allocations, or leave it out"
            )

    dust = _dust(setting)
    refuse(ok & (own > best + dust), "the rule's own allocation, which is feasible, reaches", own)
    if setting.first_best is None or _listed(setting) is None:
        return
    listed = np.asarray(_table(setting, types, public), dtype=float).max(axis=-1)
    refuse(listed > best + dust, "one of outcomes() reaches", listed)
    if not _mixing_gains(setting):
        refuse(listed < best - dust, "the best of outcomes() reaches only", listed)


def refuse_false_at_draws(setting: Setting, types: np.ndarray, draws: Iterable[Any]) -> None:
    """`refuse_false` at each draw (weight, allocation, payments, public) of an outcome."""
    for _, allocation, _, public in draws:
        refuse_false(setting, types, allocation, public)


def _floats(array: Array) -> np.ndarray:
    """The numbers of an array of any arithmetic, rounded."""
    numbers = array if isinstance(array, np.ndarray) else values(array)
    return np.array([float(x) for x in numbers])


# Listed outcomes ----------------------------------------------------------------------------------


def _dust(setting: Setting) -> float:
    """What rounding may make of equal sums of values."""
    return 1e-9 * max(1.0, setting.types.scale) * setting.agents


@lru_cache(maxsize=256)
def _unlisted(setting: Setting) -> str | None:
    """Why the best of the listed outcomes is not known to be the optimum."""
    if setting.outcomes is None:
        return (
            "no exact optimum is known: give Setting first_best= (a new one where value, slack or "
            "types were replaced), or outcomes="
        )
    if _listed(setting) is None:
        return (
            f"no exact optimum is known: {MOST} outcomes at most are compared one by one; give "
            "Setting first_best=, or take fewer agents or items"
        )
    bad = ~setting.feasible(_outcomes(setting))
    if bad.any():
        return (
            f"no exact optimum is known: the listed outcome {int(np.argmax(bad))} is infeasible; "
            "make outcomes() list what is feasible, or give Setting first_best="
        )
    if _mixing_gains(setting):
        return (
            "no exact optimum is known: a mixture of two outcomes is worth more than they are on "
            "average, so that the best outcome need not be one of those listed; give Setting "
            "first_best="
        )
    return None


@lru_cache(maxsize=256)
def _listed(setting: Setting) -> np.ndarray | None:
    """The pure outcomes, (k, *allocation_shape); None where there are none or too many."""
    if setting.outcomes is None:
        return None
    try:
        found = np.asarray(setting.outcomes())
    except InputError:  # more than can be listed at all
        return None
    require(
        found.ndim > 0 and found.shape[1:] == setting.allocation_shape and len(found) > 0,
        f"{setting.name}: outcomes() returned shape {found.shape}, expected "
        f"(k, *{setting.allocation_shape}) with k ≥ 1",
    )
    return found if len(found) <= MOST else None


def _outcomes(setting: Setting) -> np.ndarray:
    found = _listed(setting)
    assert found is not None
    return found


def _table(setting: Setting, types: Array, public: Public) -> Array:
    """The welfare of every listed outcome, (batch, k)."""
    batch, rows = types.shape[0], []
    for outcome in _outcomes(setting):
        x = np.broadcast_to(outcome, (batch, *outcome.shape))
        rows.append(welfare(setting, types, x, public))
    return np.stack(rows, axis=-1)


@lru_cache(maxsize=256)
def _mixing_gains(setting: Setting) -> bool:
    """Whether half one listed outcome and half another, where that is feasible, is seen to be worth
    more than the two on average: then the best need not be a pure one."""
    rng = np.random.default_rng(11)
    listed = _outcomes(setting)
    a, b = listed[rng.integers(len(listed), size=(2, SAMPLES))]
    half = (a + b) / 2
    ok = setting.feasible(half) & np.not_equal(a, b).reshape(SAMPLES, -1).any(axis=-1)
    if not ok.any():
        return False
    a, b, half = a[ok], b[ok], half[ok]
    a, b, half = (np.concatenate([x] * 4) for x in (a, b, half))
    types = setting.sample(rng, len(half))
    public: dict[str, Array] = {}
    for name, source in setting.public.items():
        if isinstance(source, Lottery):
            public[name] = source.draws[rng.integers(len(source.draws), size=len(half))]
        elif isinstance(source, Space):
            public[name] = uniform(source, rng, len(half))
        else:
            public[name] = source(types)
    one, other, mixed = (
        np.asarray(welfare(setting, types, x, public), dtype=float) for x in (a, b, half)
    )
    return bool(np.any(mixed > (one + other) / 2 + _dust(setting)))
