"""What a solver found, and how sure it is.

A value alone is a solver's word. Beside it stands a bound that no feasible solution exceeds, and
the certificate from which anyone can compute that bound again; the two differ by the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

__all__ = ["Optimum", "Status", "relative_gap"]


class Status(StrEnum):
    """How a search for an optimum ended.

    OPTIMAL      the bound meets the value
    FEASIBLE     a limit (time, nodes) came first: value and bound stand, with a gap between them
    INFEASIBLE   nothing satisfies the constraints
    UNBOUNDED    there is no largest value
    UNSOLVED     nothing can be said, and the notes say why (numerical trouble, a limit came before
                 any feasible solution)
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    UNSOLVED = "unsolved"


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum:
    """The best that was found, and what cannot be exceeded.

    value: of the allocation, in money; bound: ≥ every feasible value. Numbers, or (batch,) where
    many instances were solved at once; Fractions where the arithmetic was exact; value is None
    where no feasible solution is known. allocation: in the shape that the function which returned
    this states. payments: (agents,) or (batch, agents), positive where the agent pays, where they
    were asked for. payment_error: (agents,) ≥ 0, where the payments are known up to bounds: of the
    allocation given, the payment lies between payments and payments + payment_error.
    certificate: what the bound is computed from, a record with a check of its own; None: the
    bound is the word of `method`. notes: what a reader must know (a lottery, a limit reached).
    """

    value: Any
    bound: Any
    status: Status
    allocation: np.ndarray | None = None
    payments: np.ndarray | None = None
    payment_error: np.ndarray | None = None
    certificate: Any = None
    method: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> Any:
        """See `relative_gap`."""
        return relative_gap(self.value, self.bound)


def relative_gap(value: Any, bound: Any) -> Any:
    """(bound − value) / max(|value|, |bound|), 0 where both are equal; the largest of a batch."""
    if value is None or bound is None:
        return float("inf")
    values, bounds = np.asarray(value), np.asarray(bound)
    if object not in (values.dtype, bounds.dtype):
        values, bounds = np.broadcast_arrays(values.astype(float), bounds.astype(float))
        differ = values != bounds
        v, b = values[differ], bounds[differ]
        if not np.isfinite(b).all():
            return float("inf")
        return float(((b - v) / np.maximum(np.abs(v), np.abs(b))).max(initial=0))
    gaps = np.zeros(np.broadcast(values, bounds).shape, dtype=object)
    for at in np.ndindex(gaps.shape):
        v, b = np.broadcast_to(values, gaps.shape)[at], np.broadcast_to(bounds, gaps.shape)[at]
        if v != b:
            endless = b in (np.inf, -np.inf)
            gaps[at] = float("inf") if endless else (b - v) / max(abs(v), abs(b))
    return gaps.max(initial=0) if gaps.size else 0
