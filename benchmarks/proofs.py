"""Seconds to prove `ic` against the size, for five mechanisms, and the catalogue in one go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table

import mechkit as mk
from mechkit.audit.pool import Pool
from mechkit.catalogue import entries, entry_of
from mechkit.properties import PROPERTIES
from mechkit.prove import Found, GaveUp, Proved, prove


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


NAMES = ("ic", "ir", "weak_budget_balance", "strong_budget_balance", "monotone")


def cells(key: str) -> list[dict[str, Any]]:
    """Every cell of an entry's truth table that the provers are asked for."""
    entry, found = entry_of(key), []
    mechanism = entry.make()
    for name in NAMES:
        if name in entry.truth:
            started = time.perf_counter()
            attempt = prove(mechanism, PROPERTIES[name], seconds=20.0)
            said = {Proved: "proved", Found: "refuted", GaveUp: "open"}[type(attempt)]
            found.append(
                {
                    "entry": key,
                    "property": name,
                    "holds": entry.truth[name],
                    "said": said,
                    "how": attempt.method if isinstance(attempt, Proved) else "",
                    "seconds": time.perf_counter() - started,
                }
            )
    return found


def catalogue(workers: int = 2) -> dict[str, Any]:
    """The whole catalogue by the provers alone, the search switched off."""
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with Pool(cells, workers) as pool:
        for key, result in pool.map(list(entries())):
            if isinstance(result, Exception):
                raise RuntimeError(f"{key}: {result}") from result
            rows += result
    return {"seconds": time.perf_counter() - started, "workers": workers, "cells": rows}


def catalogue_table(record: dict[str, Any]) -> Table:
    title = f"The catalogue by provers alone: {record['seconds']:.0f} s on {record['workers']}"
    table = Table("truth", "proved", "refuted", "open", "cpu seconds", title=f"{title} processes")
    for holds in (True, False):
        rows = [row for row in record["cells"] if row["holds"] is holds]
        said = Counter(row["said"] for row in rows)
        table.add_row(
            "holds" if holds else "fails",
            *(str(said[word]) for word in ("proved", "refuted", "open")),
            f"{sum(row['seconds'] for row in rows):.0f}",
        )
    return table


def measure(share: float) -> dict[str, Any]:
    """All of it; share: of the full time."""
    return {"sizes": against_agents(30.0 * share), "catalogue": catalogue()}


def tables(record: dict[str, Any]) -> list[Table]:
    """What `measure` found, for the terminal."""
    return [proof_table(record["sizes"]), catalogue_table(record["catalogue"])]
