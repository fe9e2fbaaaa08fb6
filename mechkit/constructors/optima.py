"""How each setting's optimum is solved: what a setting carries as `Setting.solve`.

    solve(types, *, payments, seconds) -> solvers.Optimum

types (..., agents, *coordinates), one profile or batches of them, floats or Fractions; the
allocation comes back in the setting's shape, (..., *allocation_shape). `solvers.vcg` holds the
names of `solvers`, with payments, so that one line serves both questions. Types that are Fractions
are solved in rationals, a setting's own floats (click rates, a cost) then being the simplest
rationals that round to them, as everywhere in exact arithmetic.

`solvers` is imported when something is solved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mechkit.spaces import rational

if TYPE_CHECKING:
    from solvers import Optimum

Solve = Callable[..., "Optimum"]


def room(payments: bool) -> Any:
    """Where the functions are: `solvers`, or `solvers.vcg` if payments are asked for."""
    import solvers

    return solvers.vcg if payments else solvers


def of_units(units: int, demand: int) -> Solve:
    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        marginals = types[..., None] if demand == 1 else types
        found: Optimum = room(payments).multi_unit(marginals, units)
        return found

    return solve


def of_positions(rates: np.ndarray) -> Solve:
    exact = np.array([rational(r, "click rate") for r in rates.tolist()], dtype=object)

    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        shown = exact if types.dtype == object else rates.astype(float)
        found: Optimum = room(payments).positions(types, shown)
        return found

    return solve


def of_trade(buyers: int) -> Solve:
    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        found: Optimum = room(payments).double_auction(types[..., :buyers], types[..., buyers:])
        return found

    return solve


def of_items(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
    found: Optimum = room(payments).additive(types)
    return found


def of_shares(agents: int, resources: int) -> Solve:
    """Linear values of shares: a resource is an item, since its best division gives it whole to
    whoever values it most; the price that proves it for items proves it for fractions, too."""

    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        batch = types.shape[: -2 if resources > 1 else -1]
        return of_items(types.reshape(*batch, agents, resources), payments=payments)

    return solve


def of_project(cost: Fraction) -> Solve:
    """Values are net of equal shares of the cost, and payments are transfers on top of these."""

    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        amount = cost if types.dtype == object else float(cost)
        found: Optimum = room(payments).public_project(types, amount)
        return found

    return solve


def of_matching(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
    found: Optimum = room(payments).unit_demand(types)
    return found


def of_packages(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
    found: Optimum = room(payments).packages(types)
    return found


TABLES = 8
"""Up to this many items, single-minded agents are solved in batches, by dense tables."""


def of_wants(known: np.ndarray | None) -> Solve:
    """Single-minded agents: their bundles 0/1 (agents, items), or None where types tell them."""

    def solve(types: np.ndarray, *, payments: bool = False, seconds: Any = None) -> Optimum:
        worth = types if known is not None else types[..., 0]
        wanted = known if known is not None else np.asarray(types[..., 1:])
        if wanted.shape[-1] <= TABLES:
            found: Optimum = room(payments).single_minded(worth, wanted)
            return found
        deadline = None if seconds is None else time.monotonic() + seconds
        batch = worth.shape[:-1]
        rows = worth.reshape(-1, worth.shape[-1])
        wants = np.broadcast_to(wanted, (*worth.shape, wanted.shape[-1]))
        if not len(rows):
            return nobody(worth, wants, payments)
        one_by_one = [
            _bids(row, own, payments, deadline)
            for row, own in zip(rows, wants.reshape(len(rows), *wants.shape[-2:]), strict=True)
        ]
        return stacked(one_by_one, batch) if batch else one_by_one[0]

    return solve


def _bids(worth: np.ndarray, wanted: np.ndarray, payments: bool, deadline: Any) -> Optimum:
    """One profile of many items, as one bid each."""
    bids = [(i, np.flatnonzero(w).tolist(), v) for i, (v, w) in enumerate(zip(worth, wanted))]  # noqa: B905
    left = None if deadline is None else max(deadline - time.monotonic(), 0.01)
    found: Optimum = room(payments).winners(
        bids, bidders=len(worth), items=wanted.shape[-1], seconds=left
    )
    if found.allocation is None:
        return found
    return replace(found, allocation=np.asarray(wanted * found.allocation[:, None], dtype=np.int64))


def nobody(worth: np.ndarray, wants: np.ndarray, payments: bool) -> Optimum:
    """No profiles at all."""
    import solvers

    none = np.zeros(worth.shape[:-1])
    return solvers.Optimum(
        value=none,
        bound=none,
        status=solvers.Status.OPTIMAL,
        allocation=np.zeros(wants.shape, dtype=np.int64),
        payments=np.zeros(worth.shape) if payments else None,
        certificate=(),
    )


def stacked(found: list[Optimum], batch: tuple[int, ...]) -> Optimum:
    """Profiles that were solved one at a time as one record: a tuple of certificates, the status
    of the one that fared worst, and no allocation or payments unless all have them."""
    import solvers

    def together(name: str) -> Any:
        parts = [getattr(one, name) for one in found]
        if any(part is None for part in parts):
            return None
        return np.array(parts).reshape(*batch, *np.shape(parts[0])) if parts else None

    order = list(solvers.Status)
    return solvers.Optimum(
        value=together("value"),
        bound=together("bound"),
        status=max((one.status for one in found), key=order.index, default=order[0]),
        allocation=together("allocation"),
        payments=together("payments"),
        payment_error=together("payment_error"),
        certificate=tuple(one.certificate for one in found),
        method=", ".join(dict.fromkeys(one.method for one in found)),
        seconds=sum(one.seconds for one in found),
        notes=tuple(dict.fromkeys(note for one in found for note in one.notes)),
    )
