"""The papers that mechkit runs and checks: one module each, loaded when it is asked for.

A mechanism of a paper is called `paper/name`, or `paper/name:role` seen from one side; a claim is
`paper.claim`.
"""

from __future__ import annotations

import difflib
import importlib
from functools import cache

from mechkit.errors import InputError
from mechkit.mechanism import Mechanism
from mechkit.papers.claim import Asked, Claim, Effort, Fact, Finding, Formula
from mechkit.papers.paper import Market, Paper, Result
from mechkit.sides import side

PAPERS: tuple[str, ...] = ("madda", "dmsb", "dvcg", "aigc", "pmsam")
"""Their ids, which are the names of the modules; each has a `PAPER`."""

__all__ = [
    "PAPERS",
    "Asked",
    "Claim",
    "Effort",
    "Fact",
    "Finding",
    "Formula",
    "Market",
    "Paper",
    "Result",
    "claim_of",
    "claims",
    "mechanism_of",
    "paper_of",
    "readings_of",
]


@cache
def paper_of(name: str) -> Paper:
    """The paper of an id. Raises InputError, with the nearest id, for an unknown one."""
    if name not in PAPERS:
        near = difflib.get_close_matches(name, PAPERS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"no paper {name!r}; there are {', '.join(PAPERS)}{hint}")
    found: Paper = importlib.import_module(f"mechkit.papers.{name}").PAPER
    return found


def mechanism_of(reference: str) -> Mechanism:
    """The mechanism of `paper/name`, or of `paper/name:role` seen from that side."""
    text, _, role = reference.partition(":")
    name, _, which = text.partition("/")
    offered = paper_of(name).mechanisms
    if which not in offered:
        raise InputError(f"{name} has no mechanism {which!r}; it has {', '.join(offered)}")
    made = offered[which]()
    return side(made, role) if role else made


def claims() -> dict[str, Claim]:
    """Every claim of every paper by id, in the order of the papers."""
    return {claim.id: claim for name in PAPERS for claim in paper_of(name).claims}


def claim_of(name: str) -> Claim:
    """The claim of an id. Raises InputError, with the nearest ids, for an unknown one."""
    known = claims()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise InputError(f"no claim {name!r}{hint}")
    return known[name]


def readings_of(name: str) -> list[str]:
    """The ids that a name stands for: a paper's claims, a claim, or where no claim has just that
    id, all of its readings, `name/…`. Raises InputError for an unknown name."""
    known = claims()
    if name in PAPERS:
        return [claim for claim in known if claim.startswith(f"{name}.")]
    within = [claim for claim in known if claim.startswith(f"{name}/")]
    return within if within and name not in known else [claim_of(name).id]
