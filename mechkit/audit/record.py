"""What an audit records: a cell for each property of an entry, a row for each entry, all of them;
and what was found of each claim of the papers.

A cell holds both sides: what the entry declares, with its reason, and what `verify` found, with its
evidence and witness. Where the two differ, one of them is wrong.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from mechkit.audit.files import FORMAT
from mechkit.lazy import lazy


class Agreement(StrEnum):
    """How a verdict compares with the declaration."""

    REFUTED = "agrees: refuted"
    NOT_REFUTED = "agrees: not refuted"
    DISAGREES = "DISAGREES"
    NOT_APPLICABLE = "not applicable"
    UNDECLARED = "undeclared"


@dataclass(frozen=True)
class Cell:
    """One property of one entry: what was declared, what was found.

    expected: True if declared to hold, False if to fail, None if not declared. claim: the declared
    reason, or the entry's source. status: of the verdict (`verdict.Status`), or "error". estimated:
    an expectation over a continuous prior, which is never refuted. witness: of a refuted cell, as
    `witness.to_json` writes it. told: the counterexample as a story, where it disagrees.
    """

    property: str
    expected: bool | None
    status: str
    agreement: Agreement
    evidence: str
    claim: str = ""
    vacuous: bool = False
    estimated: bool = False
    witness: Mapping[str, Any] | None = None
    told: str = ""

    @lazy
    def ok(self) -> bool:
        """Nothing to look into. What applies must be declared, unless nothing can be at stake or
        it can only be estimated."""
        if self.agreement is Agreement.UNDECLARED:
            return self.estimated or self.vacuous
        return self.agreement is not Agreement.DISAGREES


@dataclass(frozen=True)
class Row:
    """One entry at one seed. seconds: wall time of the search and the replays.

    headline: the failing property that a faulty entry is first suspected of; refuted_after: seconds
    from asking `verify` about it alone to its smallest witness, None where it was not refuted.
    error: what a rule or the entry raised, if anything.
    """

    key: str
    setting: str
    faulty: bool
    seed: int
    seconds: float
    cells: tuple[Cell, ...]
    headline: str | None = None
    refuted_after: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Checked:
    """What was found of a claim, in plain values.

    asked: what was put to the toolkit. agreement: "agrees", "undecided" or "DISAGREES" with what
    was expected by hand. exercised: trades (or instances) that put it to the test. file: a witness,
    a certificate or the numbers of a fact, as `mechkit replay` reads it; None where there is
    nothing to replay. replays: whether it did. curve: see `curve`.
    """

    claim: str
    paper: str
    where: str
    says: str
    reading: str
    asked: str
    expected: bool | None
    because: str
    status: str
    method: str
    evidence: str
    exercised: int | None
    seconds: float
    agreement: str
    told: str = ""
    file: Mapping[str, Any] | None = None
    replays: str = ""
    curve: Mapping[str, Any] | None = None
    formula: Mapping[str, str] | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Nothing to look into."""
        return self.agreement != "DISAGREES" and self.error is None


@dataclass(frozen=True)
class Audit:
    """All rows, in the order of the catalogue, and how they were made.

    evaluations, seconds: the budget of each entry. taken: wall time of this run. resumed: how many
    rows were read from an earlier run's files. unsaved: why results could not be written, if so.
    claims: what was found of the papers' claims, where they were asked for.
    """

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    evaluations: int
    seconds: float
    workers: int
    taken: float
    version: str
    resumed: int = 0
    unsaved: str | None = None
    claims: tuple[Checked, ...] = ()

    def __iter__(self) -> Iterator[tuple[Row, Cell]]:
        return ((row, cell) for row in self.rows for cell in row.cells)

    @property
    def disagreements(self) -> list[tuple[Row, Cell]]:
        """Every cell where declaration and verdict differ, or a declaration is missing."""
        return [(row, cell) for row, cell in self if not cell.ok]

    @property
    def ok(self) -> bool:
        """Every cell and every claim agrees, and there are some."""
        return (
            bool(self.rows or self.claims)
            and not self.disagreements
            and not any(row.error for row in self.rows)
            and all(claim.ok for claim in self.claims)
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many cells there are of each agreement."""
        found = Counter(cell.agreement for _, cell in self)
        return {str(kind): found[kind] for kind in Agreement}

    @property
    def missed(self) -> list[Row]:
        """Faulty entries whose headline property was not refuted."""
        return [r for r in self.rows if r.headline is not None and r.refuted_after is None]

    @property
    def refutation_seconds(self) -> dict[str, float] | None:
        """Median and largest seconds to refute a faulty entry's headline; None without any."""
        taken = [r.refuted_after for r in self.rows if r.refuted_after is not None]
        if not taken:
            return None
        return {"median": statistics.median(taken), "max": max(taken), "entries": len(taken)}


def as_json(result: Audit) -> dict[str, Any]:
    """An audit as plain JSON values: the summary first, then every row with its cells."""
    return {
        "format": FORMAT,
        "version": result.version,
        "ok": result.ok,
        "counts": result.counts,
        "disagreements": [[row.key, row.seed, cell.property] for row, cell in result.disagreements],
        "errors": {row.key: row.error for row in result.rows if row.error},
        "refutation_seconds": result.refutation_seconds,
        "missed": [row.key for row in result.missed],
        "seeds": list(result.seeds),
        "evaluations": result.evaluations,
        "seconds_cap": result.seconds,
        "workers": result.workers,
        "taken": result.taken,
        "resumed": result.resumed,
        "rows": [asdict(row) for row in result.rows],
        "claims": [asdict(claim) | {"ok": claim.ok} for claim in result.claims],
    }


def row_from(data: Mapping[str, Any]) -> Row:
    """The row of `asdict(row)` after a trip through JSON."""
    cells = tuple(Cell(**c | {"agreement": Agreement(c["agreement"])}) for c in data["cells"])
    return Row(**{**data, "cells": cells})
