"""The restricted master of column generation, kept inside HiGHS from one round to the next.

    maximise Σ_k g_k x_k   subject to   Σ_k b_k x_k ≤ M          one row for each resource: λ ≥ 0
                                        Σ_{k of group j} x_k ≤ 1  one row for each group: π_j ≥ 0

A column k is a bundle b_k with a gain g_k over nothing. Columns are added and HiGHS goes on from
its basis. Prices are kept in a box (the step of BOXSTEP): capacity can be sold back at `low` and
more of it bought at `high`, so the master's prices lie between; if the best solution trades in this
way the box is in the way, and only then.

Sources: Dantzig & Wolfe, "Decomposition principle for linear programs" (1960); Marsten, Hogan &
Blankenship, "The BOXSTEP method for large-scale optimization" (1975).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.highs import library

__all__ = ["Master"]


class Master:
    """Rows, columns and the basis. Gains should be of the order of 1."""

    def __init__(self, supply: np.ndarray) -> None:
        self._api = highspy = library()
        self._highs = highs = highspy.Highs()
        for name, value in (
            ("output_flag", False), ("primal_feasibility_tolerance", 1e-10),
            ("dual_feasibility_tolerance", 1e-10), ("presolve", "off"), ("threads", 1),
        ):  # fmt: skip
            highs.setOptionValue(name, value)
        highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self._resources = len(supply)
        for amount in supply:
            highs.addRow(-highspy.kHighsInf, float(amount), 0, [], [])
        for r in range(self._resources):
            highs.addCol(0.0, 0.0, highspy.kHighsInf, 1, [r], [1.0])  # sells at low
        for r in range(self._resources):
            highs.addCol(-1.0, 0.0, highspy.kHighsInf, 1, [r], [-1.0])  # buys at high
        self._row: dict[int, int] = {}
        self._known: set[tuple[int, ...]] = set()
        self.group, self.bundle, self.gain = _Growing(()), _Growing((len(supply),)), _Growing(())

    def add(self, group: int, bundle: np.ndarray, gain: float) -> bool:
        """Add a column, unless it is there; whether it was new."""
        key = (group, *(int(b) for b in bundle))
        if key in self._known:
            return False
        self._known.add(key)
        if group not in self._row:
            self._row[group] = self._highs.getNumRow()
            self._highs.addRow(-self._api.kHighsInf, 1.0, 0, [], [])
        used = [(r, float(b)) for r, b in enumerate(bundle) if b] + [(self._row[group], 1.0)]
        rows, entries = zip(*used, strict=True)
        self._highs.addCol(
            float(gain), 0.0, self._api.kHighsInf, len(rows), np.array(rows, dtype=np.int32),
            np.array(entries),
        )  # fmt: skip
        for array, item in ((self.group, group), (self.bundle, bundle), (self.gain, gain)):
            array.append(item)
        return True

    def close(self, group: int, *, closed: bool = True) -> None:
        """Leave one group out, or let it in again."""
        if group in self._row:
            self._highs.changeRowBounds(
                self._row[group], -self._api.kHighsInf, 0.0 if closed else 1.0
            )

    def box(self, low: np.ndarray, high: np.ndarray) -> None:
        """Keep the prices in [low, high], ≥ 0."""
        for r in range(self._resources):
            self._highs.changeColCost(r, float(low[r]))
            self._highs.changeColCost(self._resources + r, -float(high[r]))

    def solve(self, seconds: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(x (columns,), prices (R,), traded (R,): sold (> 0) or bought (< 0) at the box).

        Raises RuntimeError where HiGHS does not reach an optimum.
        """
        if seconds is not None:
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(seconds, 0.01))
        self._highs.run()
        said = self._highs.getModelStatus()
        if said == self._api.HighsModelStatus.kUnknown:
            # From a basis of another box it may end without an answer; from none it does not.
            self._highs.clearSolver()
            self._highs.run()
            said = self._highs.getModelStatus()
        if said != self._api.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS says {self._highs.modelStatusToString(said)} of the master")
        solution = self._highs.getSolution()
        x = np.array(solution.col_value)
        prices = np.maximum(0.0, np.array(solution.row_dual[: self._resources]))
        k = self._resources
        return np.maximum(0.0, x[2 * k :]), prices, x[:k] - x[k : 2 * k]


class _Growing:
    """An array that grows at its end."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._data, self._size = np.empty((64, *shape)), 0

    def append(self, item: Any) -> None:
        if self._size == len(self._data):
            self._data = np.concatenate([self._data, np.empty_like(self._data)])
        self._data[self._size] = item
        self._size += 1

    @property
    def array(self) -> np.ndarray:
        return self._data[: self._size]
