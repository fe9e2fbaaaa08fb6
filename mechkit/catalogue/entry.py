"""One entry of the catalogue: a mechanism and the truth about it.

The truth is declared by hand from the literature or by an argument, never by the engine that the
catalogue judges. `holds` and `fails` together name every property that applies to the setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mechkit.lazy import lazy
from mechkit.mechanism import Mechanism


@dataclass(frozen=True)
class Entry:
    """A mechanism with its truth table.

    key: unique, lower-case words joined by "-". make() builds the mechanism. holds, fails: names of
    properties, separated by blanks. source: author, year, theorem; for a planted fault what was
    changed, and in which sound entry. because: per property a reason or the smallest
    counterexample. faulty: a classic that is not truthful, or a planted fault.
    """

    key: str
    make: Callable[[], Mechanism]
    holds: str
    fails: str
    source: str
    because: Mapping[str, str] = field(default_factory=dict)
    faulty: bool = False

    @lazy
    def truth(self) -> Mapping[str, bool]:
        """True where the property holds, False where it fails, by property name."""
        return dict.fromkeys(self.holds.split(), True) | dict.fromkeys(self.fails.split(), False)
