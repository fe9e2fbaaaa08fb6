"""What a prover comes back with: a proof, a case that refutes, or why it gave up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mechkit.views import Case


@dataclass(frozen=True)
class Proved:
    """A proof: by which method, on which domain, with which tool; argument: JSON values that a
    checker needs to check it again."""

    method: str
    domain: str
    tool: str
    argument: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A candidate counterexample: which check fails on which exact case of one row."""

    check: int
    case: Case


@dataclass(frozen=True)
class GaveUp:
    """Why a prover says nothing. final: the property is seen to fail, though in no case of its
    families, so that a proof of a weaker statement would mislead."""

    reason: str
    final: bool = False


Attempt = Proved | Found | GaveUp


@dataclass(frozen=True)
class Checked:
    """Whether a certificate stands, and on what that rests now."""

    confirmed: bool
    message: str
