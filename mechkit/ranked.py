"""Rules that see the others through their k highest reports, for every number of agents at once.

The agents are ordered by report, the highest first, the lower index first among equals. An agent
sees its own report, the k highest reports of the others in falling order (the lowest type in place
of those that are not there), and its rank: how many stand before it in the order, k for k or more.
What it gets and pays is a function of these three numbers, the same for every agent and every
number of agents: second and (k+1)-st price, with or without reserve, first price, all-pay, posted
prices for unlimited supply.

An ordinary NumPy rule can look at `reports.shape`, and change its price at a thousand bidders. No
number of runs rules that out. Here the number of agents is nowhere to be seen, so that a proof can
speak of all of them: see `prove.every`.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.errors import require
from mechkit.groves import Rules
from mechkit.settings import Array, Setting

Rule = Callable[[Array, Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Ranked:
    """The outcome function that a ranked rule makes; `mechanism.Mechanism.outcome` calls it.

    rule(own, top, rank) -> (allocation, payment), each (batch,), for one agent: own (batch,) and
    top (batch, k) reports, rank (batch,) in 0 … k. low: what stands for a report that is not there.
    """

    rule: Rule
    k: int
    low: Fraction

    def __call__(self, reports: Array) -> tuple[Array, Array]:
        parts = [self.rule(*view) for view in self.views(reports)]
        return (
            np.stack([allocation * 1 for allocation, _ in parts], axis=-1),
            np.stack([payment * 1 for _, payment in parts], axis=-1),
        )

    def views(self, reports: Array) -> Iterator[tuple[Array, Array, Array]]:
        """(own, top, rank) of each agent in turn."""
        n = reports.shape[-1]
        low = float(self.low)
        for i in range(n):
            own = reports[:, i : i + 1]
            before, after = reports[:, :i], reports[:, i + 1 :]
            missing = [own * 0 + low] * max(0, self.k - (n - 1))
            others = np.concatenate([before, after, *missing], axis=1)
            top = np.flip(np.sort(others, axis=-1), axis=-1)[:, : self.k]
            ahead = np.concatenate([before >= own, after > own, own > own], axis=1)
            # Copies: the memory of a slice would tell how wide the profile is.
            rank = np.minimum((ahead * 1).sum(axis=-1), self.k)
            yield own[:, 0].copy(), top.copy(), rank.copy()


def ranked(setting: Setting, rule: Rule, k: int, *, name: str = "ranked rule") -> Rules:
    """The mechanism in which every agent gets and pays what `rule` makes of its view."""
    require(
        isinstance(k, int) and not isinstance(k, bool) and k >= 0,
        f"k = {k!r}: expected how many of the others' reports the rule sees, an integer ≥ 0",
    )
    require(callable(rule), f"rule = {rule!r}: expected rule(own, top, rank)")
    low = setting.types.low
    require(
        setting.types.coordinates == ()
        and setting.reports is None
        and not setting.public
        and not setting.sellers.any()
        and setting.allocation_shape == (setting.agents,)
        and bool((low == low[0]).all()),
        f"Mechanism.ranked needs bidders with one number each and equal lowest types, such as "
        f"single_item(agents); {setting.name} is not such a setting",
    )
    return Rules(
        name=name,
        outcome=Ranked(rule, k, Fraction(low[0])),
        structure={"kind": "ranked", "k": k},
        again=lambda other: ranked(other, rule, k, name=name),
    )


# What a rule can remember ---------------------------------------------------------------------

_PLAIN = {bool, int, float, str, bytes, Fraction, type(None)}
_PLAIN |= {t for t in np.sctypeDict.values() if issubclass(t, np.bool_ | np.integer | np.floating)}
_WRITES = {"STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME", "STORE_ATTR", "DELETE_ATTR"}
_READS = {"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"}
_USED = (np.ndarray, np.ufunc, np.dtype, list, tuple, dict, set, int, float, Fraction, slice, range)
# What arrays, ufuncs and plain values can be asked for; of other things nothing.
_ASKED = {name for kind in _USED for name in dir(kind)}
# What NumPy could tell of the machine, of the clock, of where an array lies or what lay there
# before, and what NumPy keeps from call to call.
_HIDDEN = {"random", "base", "strides", "data", "ctypes", "flags", "setflags", "memmap", "empty"}
_HIDDEN |= {"empty_like", "ndarray", "recarray", "nditer", "fromfile", "load", "loadtxt", "tofile"}
_HIDDEN |= {"genfromtxt", "fromregex", "save", "savez", "savez_compressed", "savetxt", "dump"}
_HIDDEN |= {"datetime64", "seterr", "geterr", "seterrcall", "geterrcall", "errstate", "setbufsize"}
_HIDDEN |= {"getbufsize", "set_printoptions", "get_printoptions", "printoptions", "test"}
_BUILTINS = {"abs", "enumerate", "float", "int", "len", "max", "min", "range", "sum", "zip"}


def memory(rule: Any) -> str | None:
    """Through what a rule could know of anything but its arguments; None if there is nothing.

    Its globals, closure and defaults must be numbers, strings and tuples of such, functions of the
    same kind, and what NumPy publishes under its own name; it must not write globals or attributes,
    nor import, nor read attributes that arrays, numbers and NumPy do not have.
    """
    return _memory(rule, {})


def _memory(value: Any, seen: dict[int, Any]) -> str | None:
    if type(value) in _PLAIN or id(value) in seen:
        return None
    seen[id(value)] = value  # kept, lest something else be put in its place
    if type(value) is tuple:
        return next(filter(None, (_memory(part, seen) for part in value)), None)
    if value is np:
        return None
    if _published(value):
        hidden = value.__name__ in _HIDDEN
        return f"numpy.{value.__name__}, which may know of other calls" if hidden else None
    if type(value) is not types.FunctionType:
        return f"a {type(value).__name__}, which can change from call to call"
    if vars(value):
        return f"{value.__name__} carries attributes, which can change from call to call"
    try:
        held = [cell.cell_contents for cell in value.__closure__ or ()]
    except ValueError:
        return f"{value.__name__} uses a name that is not set yet"
    held += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    for code in _codes(value.__code__):
        for step in dis.get_instructions(code):
            if step.opname in _WRITES or (step.opname == "STORE_DEREF" and code.co_freevars):
                return f"{value.__name__} writes to {step.argval}"
            name = str(step.argval)
            if step.opname == "MATCH_CLASS":
                return f"{value.__name__} matches a class, which reads attributes"
            if step.opname in _READS:
                if name in vars(np):
                    held.append(vars(np)[name])
                elif name not in _ASKED or name in _HIDDEN or name.startswith("_"):
                    return f"{value.__name__} reads .{name}"
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                if step.argval in value.__globals__:
                    held.append(value.__globals__[step.argval])
                elif step.argval not in _BUILTINS:
                    return f"{value.__name__} uses {step.argval}"
    return _memory(tuple(held), seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _published(value: Any) -> bool:
    """Whether NumPy has a function or a type of this name, and it is this one: what merely says
    that it comes from NumPy, or wraps a function of somebody else's, is not NumPy's."""
    name, module = getattr(value, "__name__", None), getattr(value, "__module__", "numpy")
    ours = isinstance(value, np.ufunc) or str(module).split(".")[0] == "numpy"
    return ours and callable(value) and isinstance(name, str) and vars(np).get(name) is value
