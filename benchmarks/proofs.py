"""Seconds to prove `ic` for every real type against the size, for five mechanisms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table

import mechkit as mk
from mechkit.catalogue import entry_of
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, prove


def sizes() -> Iterator[tuple[str, str, Callable[[], mk.Mechanism]]]:
    """(mechanism, size, how to make it), the small sizes first."""
    for key, agents in (
        ("second-price", (3, 5, 10, 20)),
        ("second-price-reserve", (3, 5, 10)),
        ("uniform-price", (3, 5, 8)),
    ):
        for n in agents:
            yield key, f"n = {n}", lambda key=key, n=n: entry_of(key).make().resized(n)
    for k in (2, 3, 4, 5):
        yield (
            "mcafee",
            f"{k} × {k}",
            lambda k=k: entry_of("mcafee").make().resized({"buyer": k, "seller": k}),
        )
    for n, items in ((2, 2), (3, 2), (3, 3)):
        yield (
            "vcg-assignment",
            f"{n} × {items}",
            lambda n=n, items=items: mk.Mechanism.groves(mk.unit_demand(n, items)),
        )


def against_agents(seconds: float) -> list[dict[str, Any]]:
    """One row per mechanism and size, with a limit of so many seconds for each."""
    rows = []
    for name, size, make in sizes():
        started = time.perf_counter()
        attempt = prove(make(), PROPERTIES["ic"], seconds=max(seconds, 3.0))
        taken = time.perf_counter() - started
        if isinstance(attempt, Proved):
            how = attempt.method if attempt.tool == "rational arithmetic" else attempt.tool
        else:
            how = attempt.reason if isinstance(attempt, GaveUp) else "refuted"
        rows.append(
            {
                "mechanism": name,
                "size": size,
                "proved": isinstance(attempt, Proved),
                "by": how,
                "seconds": taken,
            }
        )
    return rows


def proof_table(rows: list[dict[str, Any]]) -> Table:
    table = Table("mechanism", "size", "ic", "by", "seconds", title="Proofs for every real type")
    for row in rows:
        table.add_row(
            row["mechanism"],
            row["size"],
            "proved" if row["proved"] else "open",
            row["by"],
            f"{row['seconds']:.2f}",
        )
    return table
