"""Margins of cases built by hand, and short names for what varies in a case."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.deviations import Case
from mechkit.properties import PROPERTIES
from mechkit.replay import float_margin, margins, valid

F = Fraction


def exactly(rows: Any) -> np.ndarray:
    """One row of a case, with a batch axis, as Fractions."""
    raw = np.array([rows], dtype=object)
    return np.array([F(x) for x in raw.ravel()], dtype=object).reshape(raw.shape)


def margin(
    mechanism: mk.Mechanism, name: str, *, who: Sequence[int] = (), check: int = 0, **arrays: Any
) -> Any:
    """The exact margin of a case built by hand; arrays as in `Case`, without the batch axis."""
    prop = PROPERTIES[name]
    family = prop.checks(mechanism.setting)[check].family
    case = Case(family, tuple(who), {key: exactly(rows) for key, rows in arrays.items()})
    assert valid(case, mechanism).all()
    (found,) = margins(mechanism, prop, check, case)
    if not prop.tie_free:  # floats look a little beside the profile, to step off ties
        near = pytest.approx(float(found), abs=1e-9)  # type: ignore[arg-type]
        assert float_margin(mechanism, prop, check, case) == near
    return found


def by(agent: int, lie: Any) -> dict[str, Any]:
    return {"who": [agent], "lies": [lie]}


def pair(i: int, j: int, *lies: Any) -> dict[str, Any]:
    return {"who": [i, j], "lies": lies}


def names(agent: int, *lies: Any) -> dict[str, Any]:
    return {"who": [agent], "lies": lies}


def joins(newcomer: Any) -> dict[str, Any]:
    return {"who": [0], "newcomer": [newcomer], "check": 1}


def turns(*types: Any) -> dict[str, Any]:
    return {"who": [0], "cycle": types, "check": len(types) - 1}
