"""Types from data: rows in profiles, buyers before sellers; nested lists by their shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mechkit.data import Table, numbers
from mechkit.errors import require

SPECIAL = ("profile", "agent", "role")
"""Columns that are no numbers of types."""


@dataclass(frozen=True, eq=False)
class Grouped:
    """types (profiles, agents, ...) of a table; buyers: how many, where roles say so."""

    types: np.ndarray
    parties: tuple[str, ...]
    profiles: tuple[str, ...] | None
    names: tuple[str, ...]
    buyers: int | None


def grouped(table: Table, exact: bool, *, sided: bool) -> Grouped:
    """Rows by profile, in order of appearance; buyers before sellers."""
    names = tuple(c for c in table.columns if c not in SPECIAL)
    require(bool(names), f"{table.path} has no column of values beside {list(table.columns)}")
    require(
        sided or "role" not in table.columns,
        f"{table.path} has a column role, and nobody sells in this setting: leave it out",
    )
    columns = [table.numbers(c, exact=exact) for c in names]
    count = len(table.rows)
    groups: dict[str, list[int]] = {}
    labels = table.text("profile") if "profile" in table.columns else [""] * count
    for row, label in enumerate(labels):
        groups.setdefault(label, []).append(row)
    first = next(iter(groups))
    agents = table.text("agent") if "agent" in table.columns else None
    roles = table.text("role") if "role" in table.columns else None
    for row, role in enumerate(roles or ()):
        require(
            role in ("buyer", "seller"),
            f"{table.cell('role', row)} is {role!r}: expected buyer or seller",
        )
    for label, rows in groups.items():
        require(
            len(rows) == len(groups[first]),
            f"{table.path}: profile {label} has {len(rows)} agents and profile {first} "
            f"{len(groups[first])}: every profile needs a row for each agent",
        )
        if agents is not None:
            # In the order of the first profile.
            own = [agents[row] for row in rows]
            twice = [a for a in own if own.count(a) > 1]
            require(not twice, f"{table.path}: agent {twice[:1]} has two rows in one profile")
            order = {agents[row]: k for k, row in enumerate(groups[first])}
            new = [a for a in own if a not in order]
            require(
                not new, f"{table.path}: profile {label} has agent {new[:1]}, the first has not"
            )
            rows.sort(key=lambda row: order[agents[row]])
        if roles is not None:
            rows.sort(key=lambda row: roles[row] == "seller")
    sellers = (
        {sum(roles[r] == "seller" for r in rows) for rows in groups.values()} if roles else {0}
    )
    require(len(sellers) == 1, f"{table.path}: profiles differ in how many agents sell")
    if agents is not None and roles is not None:
        # The agents of a profile were put in the order of the first; so must their roles be.
        line = [agents[r] for r in groups[first]]
        same = all([agents[r] for r in rows] == line for rows in groups.values())
        require(same, f"{table.path}: an agent buys in one profile and sells in another")
    cells = np.array(columns, dtype=object if exact else float).T
    if len(names) == 1:
        cells = cells[:, 0]
    rows_of = np.array(list(groups.values()))
    in_order = list(groups[first])
    parties = tuple(
        agents[row] if agents else f"{roles[row]} {k}" if roles else str(k)
        for k, row in enumerate(in_order)
    )
    return Grouped(
        types=cells[rows_of],
        parties=parties,
        profiles=tuple(groups) if "profile" in table.columns else None,
        names=names if len(names) > 1 else (),
        buyers=None if roles is None else len(in_order) - sellers.pop(),
    )


def nested(data: list[Any], axes_of: Callable[[int], int], path: Path, *, exact: bool) -> Grouped:
    """Lists of numbers. axes_of(axes of the lists) -> axes of one profile; lists with one more are
    many profiles."""
    flat, shape = numbers(data, str(path), exact=exact)
    array = np.array(flat, dtype=object if exact else float).reshape(shape)
    axes = axes_of(array.ndim)
    inner = ", ".join(["agents", "numbers for each"][:axes])
    require(
        array.ndim in (axes, axes + 1),
        f"{path} holds lists of shape {shape}: expected ({inner}), or (profiles, {inner})",
    )
    many = array.ndim > axes
    types = array if many else array[None]
    return Grouped(
        types=types,
        parties=tuple(str(i) for i in range(types.shape[1])),
        profiles=tuple(str(k) for k in range(len(types))) if many else None,
        names=(),
        buyers=None,
    )
