"""A claim of a paper as data: what it says, where, how it is put to the toolkit, what was found.

A claim is asked in one of two ways. `Asked` names a mechanism of the paper and a property (of one
side of it, where the paper speaks of buyers or of sellers), and goes through search, exact replay
and provers like any mechanism. A `Fact` is all else (a formula, a uniqueness, an equilibrium): it
decides itself, its refutation is a handful of exact numbers that `replay` checks from nothing, and
its proof a decision that `replay` makes again.

Where a claim can be read in two ways, there are two claims, `paper.claim/reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mechkit.errors import require
from mechkit.verdict import Status

FORMAT = "mechkit-fact/1"


@dataclass(frozen=True)
class Effort:
    """How hard to try. seconds: for a search or a decision; prove_seconds: for a proof."""

    seed: int = 0
    evaluations: int = 200_000
    seconds: float = 30.0
    prove_seconds: float = 20.0


@dataclass(frozen=True)
class Asked:
    """A property of a mechanism of the paper. role: seen from this side only (see `sides.side`)."""

    mechanism: str
    property: str
    role: str | None = None


@dataclass(frozen=True)
class Finding:
    """What was found of a claim.

    method: "search, replayed exactly", a prover's, "enumeration", "derivation", … evidence: one
    line with the numbers. exercised: how many trades or instances put it to the test, None where
    that means nothing. numbers: of a refuted fact, exact (strings such as "1/3"), by name; of a
    proved one whatever its decision needs again. told: the counterexample or argument in words.
    """

    status: Status
    method: str
    evidence: str
    exercised: int | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True)
class Fact:
    """A claim that is not a property of a mechanism.

    decide(effort) -> Finding. replay(status, numbers) -> a sentence that says what was confirmed,
    in exact arithmetic and with no search; raises ValueError, saying why, where it is not so.
    """

    decide: Callable[[Effort], Finding]
    replay: Callable[[Status, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Formula:
    """A formula that the paper prints and that is wrong: as printed, why, and as it should be."""

    printed: str
    derivation: str
    corrected: str


@dataclass(frozen=True)
class Claim:
    """id: `paper.claim` or `paper.claim/reading`. says: the claim in our words. where: "Theorem 1".

    expected: True holds, False fails, None unknown, from an argument by hand (`because`), never
    from the engine; tests and the audit compare with it.
    """

    id: str
    where: str
    says: str
    how: Asked | Fact
    expected: bool | None
    because: str
    reading: str = ""
    formula: Formula | None = None

    def __post_init__(self) -> None:
        paper, dot, name = self.id.partition(".")
        require(
            bool(paper and dot and name),
            f"claim {self.id!r}: expected 'paper.claim' or 'paper.claim/reading'",
        )

    @property
    def paper(self) -> str:
        return self.id.partition(".")[0]
