"""What every story of a counterexample needs: numbers, agents and outcomes in words.

Numbers are exact and, beside it, decimal: "1/3 ≈ 0.333", "1/2 = 0.5". A number with "≈" alone is
rounded: a float, an enclosure, or a fraction too long to be read. Agents with equal numbers are
told together, and those with nothing last: "the other 997 agents report 0".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.settings import Setting
from mechkit.verdict import Counterexample, Played

LONGEST = 20
"""Digits of a fraction that is still read; longer ones are rounded."""
ENTRIES = 8
"""Numbers of a vector that are still read; of longer ones only what is not zero is shown."""
GROUPS = 6
"""Groups of agents that are still read; what the rest report is left to the witness file."""


@dataclass(frozen=True)
class Story:
    """headline: one line for a table, without a full stop. lines: the whole, one point each."""

    headline: str
    lines: tuple[str, ...]


# Numbers -----------------------------------------------------------------------------------------


def decimal(x: float) -> str:
    """Three decimals, or three significant digits below one."""
    if x == 0 or abs(x) >= 1:
        text = f"{x:.3f}".rstrip("0").rstrip(".") if abs(x) < 1e9 else f"{x:.6g}"
    else:
        text = f"{x:.3g}"
    return "0" if text == "-0" else text


def short(x: Any) -> str:
    """A number on its own: 1/3. Floats, enclosures and long fractions are rounded: ≈ 0.333333."""
    if isinstance(x, bool | np.bool_ | int | np.integer | Fraction):
        text = str(x if isinstance(x, Fraction) else int(x))
        if len(text) <= LONGEST:
            return text
        return f"≈ {float(x):.12g}"
    return f"≈ {float(x):.6g}"


def number(x: Any) -> str:
    """A number with its decimals: 1/3 ≈ 0.333, 1/2 = 0.5, 2."""
    text = short(x)
    if "/" not in text:
        return text
    rounded = decimal(float(x))
    return f"{text} {'=' if Fraction(rounded) == x else '≈'} {rounded}"


def shown(array: Any, one: Callable[[Any], str] = number) -> str:
    """A number, a vector in brackets, or of a long one the entries that are not zero."""
    array = np.asarray(array, dtype=object)
    if array.size == 1:
        return one(array.item())
    if array.size <= ENTRIES:
        return f"({', '.join(shown(row, short) for row in array)})"
    moved = [(at, x) for at, x in np.ndenumerate(array) if not zero(x)]
    if not moved:
        return "0 everywhere"
    named = ", ".join(f"[{', '.join(map(str, at))}] {short(x)}" for at, x in moved[:ENTRIES])
    more = "" if len(moved) <= ENTRIES else f" and {len(moved) - ENTRIES} more"
    return f"0 except {named}{more}"


def zero(x: Any) -> bool:
    """Whether a number, or every number of an array, is zero."""
    return all(float(each) == 0 for each in np.asarray(x, dtype=object).ravel())


def listed(words: Iterable[str]) -> str:
    """a; a and b; a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


# Scenes ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A counterexample in its setting, and the phrases that every wording needs."""

    c: Counterexample
    setting: Setting

    @property
    def truth(self) -> Played:
        return next(iter(self.c.profiles.values()))

    @property
    def after(self) -> Played:
        return list(self.c.profiles.values())[-1]

    @property
    def gain(self) -> str:
        return number(self.c.gain)

    def agent(self, i: int) -> str:
        """agent 0; agent 0 (buyer) where there are several roles."""
        return self.actor(i) if len(set(self.setting.roles)) > 1 else f"agent {i}"

    def actor(self, i: int, role: str | None = None) -> str:
        return f"agent {i} ({role or self.setting.roles[i]})"

    def group(self, agents: Sequence[int]) -> str:
        """agent 3 (bidder); agents 0 and 2."""
        if len(agents) == 1:
            return self.agent(agents[0])
        return f"agents {listed(map(str, agents))}"

    def has(self, i: int) -> str:
        return f"{capital(self.actor(i))} has type {shown(self.c.types[i])}."

    def profile(
        self, array: Any, verbs: tuple[str, str], without: Sequence[int] = ()
    ) -> Iterator[str]:
        """What all agents but a few report (or have), equal ones together: at most one sentence."""
        groups: dict[str, list[int]] = {}
        rows = np.asarray(array, dtype=object)
        for i in range(self.setting.agents):
            if i not in without:
                groups.setdefault(shown(rows[i]), []).append(i)
        none = groups.pop(shown(np.zeros(rows.shape[1:], dtype=int)), [])
        if len(none) == 1 and len(groups) < 3:
            groups[shown(rows[none[0]])], none = none, []
        told = [
            f"{self.group(who)} {verbs[len(who) > 1]} {text}{' each' if len(who) > 1 else ''}"
            for text, who in list(groups.items())[:GROUPS]
        ]
        if left := [i for who in list(groups.values())[GROUPS:] for i in who]:
            told.append(f"for {len(left)} more see the witness")
        if none:
            rest = f"{'the other ' if groups or without else 'all '}{len(none)} agents"
            told.append(
                f"{rest if len(none) > 1 else self.group(none)} {verbs[len(none) > 1]} "
                f"{'0' if rows.ndim == 1 else 'zeros only'}"
            )
        if told:
            yield f"{capital('; '.join(told))}."

    def cast(self, actors: Sequence[int] = ()) -> list[str]:
        """Types of those who act, reports (and types, where they matter) of everybody else."""
        lines = [" ".join(self.has(i) for i in actors)] if actors else []
        types, reports, apart = self.c.types, self.truth.reports, self.setting.apart
        others = [i for i in range(self.setting.agents) if i not in actors]
        if apart and all(shown(types[i]) == shown(reports[i]) for i in others):
            verbs, apart = ("has and reports type", "have and report type"), False
        else:
            verbs = ("has type", "have type")
        told_types = not actors or (self.setting.apart and self.types_matter)
        if told_types:
            lines += self.profile(types, verbs, actors)
        if apart or not told_types:
            lines += self.profile(reports, ("reports", "report"), actors)
        return lines

    @property
    def types_matter(self) -> bool:
        return self.setting.interdependent or any(map(callable, self.setting.public.values()))

    def gets(self, played: Played, i: int, role: str | None = None) -> str:
        """What an agent gets and pays: wins, pays 1/2 = 0.5."""
        role = role or self.setting.roles[i]
        payment = played.payments[i]
        paid = "receives nothing" if role == "seller" and zero(payment) else pays(payment)
        return f"{self.wins(played.allocation, i, role)}, {paid}"

    def wins(self, allocation: Any, i: int, role: str) -> str:
        if not self.setting.personal:
            return f"the outcome is {shown(allocation)}"
        own = np.asarray(np.asarray(allocation, dtype=object)[i], dtype=object)
        verb = {"seller": "sells", "buyer": "buys"}.get(role, "wins")
        if self.setting.binary and own.size == 1 and shown(own) == "1":
            return verb
        if zero(own):
            return f"{verb} nothing"
        return f"{'sells' if role == 'seller' else 'gets'} {shown(own)}"

    def line(self, label: str, played: Played, i: int, width: int = 0) -> str:
        """truth: reports 1, wins, pays 1/2 = 0.5; utility 1/2 = 0.5"""
        assert played.utilities is not None
        return (
            f"  {label + ':':{width}} reports {shown(played.reports[i])}, {self.gets(played, i)}; "
            f"utility {number(played.utilities[i])}"
        )

    def sides(self, i: int) -> list[str]:
        return [self.line("truth", self.truth, i), self.line("lie", self.after, i, 6)]

    def aside(self) -> list[str]:
        """Public draws, expectations, and the arithmetic where it is not exact."""
        lines = []
        if self.c.public:
            drawn = "; ".join(f"{name} = {shown(x)}" for name, x in self.c.public.items())
            lines.append(f"Public: {drawn}.")
        if lotteries := self.setting.lotteries:
            lines.append(f"Outcomes and payments are expectations over {listed(lotteries)}.")
        if self.c.arithmetic == "interval":
            lines.append(
                "The rule takes roots, exp or log: its numbers are enclosures, narrow enough that "
                "the sign is decided."
            )
        if self.c.arithmetic == "float64":
            why = f", because of {self.c.note.rstrip('.')}" if self.c.note else ""
            lines.append(f"The rule runs in floats only{why}: this is a float point, not exact.")
        return lines


def pays(payment: Any, one: Callable[[Any], str] = number) -> str:
    amount = float(payment)
    if amount == 0:
        return "pays nothing"
    return f"pays {one(payment)}" if amount > 0 else f"receives {one(-payment)}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
