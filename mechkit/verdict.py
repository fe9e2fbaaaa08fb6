"""What was found, and how strong the evidence is: never more.

REFUTED      a witness was replayed: exactly (`exact`), with enclosures whose sign is decided
             (`interval`), or, for rules that only run on floats, at a float point (`float64`)
PROVED       by a named method, on a named domain, with a named tool
UNREFUTED    searched, and nothing found: the effort says how much. It does not mean that it holds
UNKNOWN      nothing can be said, and `reason` says why (nothing was ever allocated, time ran out)
NOT_APPLICABLE   the setting cannot have the property
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.views import Case


class Status(StrEnum):
    """How a question about a property was answered; see the module."""

    REFUTED = "refuted"
    PROVED = "proved"
    UNREFUTED = "unrefuted"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Played:
    """What happened at one profile of reports: exact numbers unless the arithmetic says otherwise.

    allocation: (*allocation_shape). payments, utilities: (agents,); utilities are None where the
    profile has other agents than the types (a newcomer, a second identity).
    """

    reports: np.ndarray
    allocation: np.ndarray
    payments: np.ndarray
    utilities: np.ndarray | None


@dataclass(frozen=True)
class Counterexample:
    """One instance on which a property fails, replayed.

    types: true types (agents, ...). reports: the profile after the deviation (the truthful one
    where nobody deviates). agents: who acts. gain: by how much the property fails, > 0, in `unit`
    (−margin). profiles: every profile of reports compared, by label, with what happened there.
    public: the public arrays shown. arithmetic: exact, interval or float64. case: the instance as
    the property's family sees it, for replay; check: which of the property's checks it fails.
    """

    property: str
    mechanism: str
    types: np.ndarray
    reports: np.ndarray
    agents: tuple[int, ...]
    gain: Any
    unit: str
    arithmetic: str
    profiles: Mapping[str, Played]
    public: Mapping[str, np.ndarray]
    case: Case
    check: int
    note: str = ""


@dataclass(frozen=True)
class Certificate:
    """Why a property holds: the method, the domain it covers, the tool that decided.

    argument: what a checker needs to check it again, in JSON values.
    """

    method: str
    domain: str
    tool: str
    argument: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Effort:
    """What a search did. profiles: truthful profiles tried. evaluations: rows the rules ran on.

    deviations: cases whose margin was taken. trades: profiles in which anything was allocated.
    smallest: the smallest margin seen (None if none). seconds: of the whole verify call.
    """

    profiles: int = 0
    deviations: int = 0
    evaluations: int = 0
    trades: int = 0
    smallest: float | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answer for one property. reason: why nothing can be said, why the property does not
    apply, or why what was not refuted was not proved either, where a proof was tried."""

    property: str
    status: Status
    counterexample: Counterexample | None = None
    certificate: Certificate | None = None
    effort: Effort = field(default_factory=Effort)
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """The verdicts on one mechanism, by property name; `report["ic"]`.

    mechanism: its name. reference: FILE.py:NAME or a catalogue key, where there is one. seed: of
    the search.
    """

    mechanism: str
    setting: str
    verdicts: Mapping[str, Verdict]
    seed: int
    seconds: float
    reference: str | None = None

    def __getitem__(self, name: str) -> Verdict:
        try:
            return self.verdicts[name]
        except KeyError:
            raise KeyError(
                f"{name!r}: this report has {', '.join(self.verdicts) or 'no properties'}"
            ) from None

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts.values())

    def __len__(self) -> int:
        return len(self.verdicts)

    @property
    def ok(self) -> bool:
        """Nothing was refuted (which does not say that everything holds)."""
        return not self.refuted

    @property
    def refuted(self) -> list[Verdict]:
        return [v for v in self if v.status is Status.REFUTED]


def seconds_text(seconds: float) -> str:
    """A duration as one says it: 4 s for 3.99999, 0.25 s, 12 s; what is left of a budget is never a
    round number."""
    if seconds < 0.01:
        return "less than 0.01 s"
    return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"


def fraction_text(x: Any) -> str:
    """A number as exactly as it is known: 1/3, 0.25 as 1/4, an enclosure by its end points."""
    if isinstance(x, bool | np.bool_):
        return "1" if x else "0"
    if isinstance(x, int | np.integer):
        return str(int(x))
    if isinstance(x, Fraction):
        return str(x)
    return repr(x) if isinstance(x, float) else str(x)
