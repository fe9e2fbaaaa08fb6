"""A question of mechanism design over finite types, read and checked.

    values[i]        (types_i, outcomes): what each outcome is worth to each type of agent i
    probabilities    a list of arrays (types_i,): types are independent; or one array
                     (types_1, …, types_n): the joint distribution

A type *is* its row of values: labels, dimensions and numbers of items play no part in the program,
so one pair of arrays states auctions, bilateral trade and public decisions alike, and feasibility
is the list of outcomes. Where every number is an int or a Fraction the question is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["Question", "read", "winner_values"]

CHOICES = {
    "ic": ("dsic", "bic"),
    "ir": ("expost", "interim", None),
    "budget": (None, "exante", "expost", "strong"),
    "objective": ("revenue", "welfare", "gains"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """values: per agent (types_i, outcomes); joint (types_1, …, types_n); marginals: per agent
    (types_i,) where types are independent, else None. Numbers are Fractions where exact."""

    values: tuple[np.ndarray, ...]
    joint: np.ndarray
    marginals: tuple[np.ndarray, ...] | None
    exact: bool
    ic: str
    ir: str | None
    budget: str | None
    objective: str

    @property
    def outcomes(self) -> int:
        return int(self.values[0].shape[1])

    @property
    def independent(self) -> bool:
        return self.marginals is not None

    def worth(self) -> np.ndarray:
        """What the objective makes of each outcome at each profile, (*types, outcomes)."""
        total = np.zeros((*self.joint.shape, self.outcomes), dtype=self.joint.dtype)
        for i, v in enumerate(self.values):
            relative = v - v[:, :1] if self.objective == "gains" else v
            shape = [1] * self.joint.ndim + [self.outcomes]
            shape[i] = len(v)
            total = total + relative.reshape(shape)
        return total


def read(
    values: Sequence[Any],
    probabilities: Any,
    *,
    ic: str = "dsic",
    ir: str | None = "expost",
    budget: str | None = None,
    objective: str = "revenue",
) -> Question:
    """Raises ValueError where shapes, numbers or options are not what `design` describes."""
    for name, given in (("ic", ic), ("ir", ir), ("budget", budget), ("objective", objective)):
        if given not in CHOICES[name]:
            raise ValueError(f"{name} = {given!r}: expected one of {CHOICES[name]}")
    if not len(values):
        raise ValueError("values is empty: expected one array (types, outcomes) per agent")
    raw = [np.asarray(v) for v in values]
    for i, v in enumerate(raw):
        if v.ndim != 2 or v.shape[0] == 0 or v.shape[1] == 0:
            raise ValueError(
                f"values[{i}] has shape {v.shape}: expected (types, outcomes) with at least one "
                "type and one outcome"
            )
        if v.shape[1] != raw[0].shape[1]:
            raise ValueError(
                f"values[{i}] has {v.shape[1]} outcomes and values[0] has {raw[0].shape[1]}: "
                "every agent values the same list of outcomes"
            )
    sizes = tuple(len(v) for v in raw)
    independent = isinstance(probabilities, list | tuple)
    chances = [np.asarray(p) for p in probabilities] if independent else [np.asarray(probabilities)]
    wanted = [(k,) for k in sizes] if independent else [sizes]
    if [p.shape for p in chances] != wanted:
        raise ValueError(
            f"probabilities have shapes {[p.shape for p in chances]}: expected {wanted} (a list of "
            "one array per agent for independent types, one joint array otherwise)"
        )
    exact = all(_rational(a) for a in [*raw, *chances])
    raw = [_numbers(v, exact, f"values[{i}]") for i, v in enumerate(raw)]
    names = [f"probabilities[{i}]" for i in range(len(chances))] if independent else ["joint"]
    chances = [_numbers(p, exact, name) for p, name in zip(chances, names, strict=True)]
    for p, name in zip(chances, names, strict=True):
        if (p < 0).any():
            raise ValueError(f"{name} holds {p[p < 0][0]}: expected probabilities ≥ 0")
        if p.sum() != 1 and (exact or abs(p.sum() - 1) > 1e-9):
            raise ValueError(f"{name} sums to {p.sum()}: expected 1; divide by the sum")
    joint = chances[0]
    for p in chances[1:] if independent else ():
        joint = np.multiply.outer(joint, p)
    return Question(
        values=tuple(raw), joint=joint, marginals=tuple(chances) if independent else None,
        exact=exact, ic=ic, ir=ir, budget=budget, objective=objective,
    )  # fmt: skip


def _rational(array: np.ndarray) -> bool:
    if array.dtype == object:
        return all(isinstance(x, int | Fraction | np.integer) for x in array.flat)
    return np.issubdtype(array.dtype, np.integer)


def _numbers(array: np.ndarray, exact: bool, name: str) -> np.ndarray:
    if exact:
        return np.array([Fraction(x) for x in array.ravel().tolist()], dtype=object).reshape(
            array.shape
        )
    numbers = array.astype(float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds {numbers[~np.isfinite(numbers)][0]}: expected numbers")
    return numbers


def winner_values(types: Sequence[Any]) -> list[np.ndarray]:
    """values for one item: outcome 0 keeps it, outcome i + 1 gives it to agent i, who has one of
    the types (types_i,). An exact list stays exact."""
    columns = [np.asarray(t) for t in types]
    found = []
    for i, t in enumerate(columns):
        v = np.zeros((len(t), len(columns) + 1), dtype=t.dtype)
        v[:, i + 1] = t
        found.append(v)
    return found
