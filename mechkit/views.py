"""What a mechanism does on a case: at the truth, and at what a property compares it with.

A case is a batch of instances of one family (see `deviations`). A view plays the mechanism on it,
in whatever arithmetic its arrays are; margins read utilities, payments and allocations off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mechkit import settings as s
from mechkit.lazy import lazy
from mechkit.mechanism import Mechanism, Outcome, play
from mechkit.settings import Array, Setting
from mechkit.spaces import Space, contains
from proofs import Exact, Ties, values


class Slot(NamedTuple):
    """Where one array of a case lives: its space, and whose type or report each column is."""

    space: Space
    owners: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A batch of instances of a family: who acts (the same in all rows) and the arrays."""

    family: str
    who: tuple[int, ...]
    arrays: Mapping[str, Array]

    @property
    def batch(self) -> int:
        return int(self.arrays["types"].shape[0])

    def rows(self, index: Any) -> Case:
        """The case restricted to some rows."""
        return Case(self.family, self.who, {k: a[index] for k, a in self.arrays.items()})


# Views: what the mechanism does on a case --------------------------------------------------------


class View:
    """The mechanism at the truthful profile of a case; families add what they compare it with."""

    scratch: Array | None = None
    strict = False
    """Whether margins decide: then they take nothing for rounding."""

    def __init__(self, mechanism: Mechanism, case: Case, base: View | None = None) -> None:
        self.mechanism, self.case, self.who = mechanism, case, case.who
        self.setting: Setting = mechanism.setting
        self.types: Array = case.arrays["types"]
        if base is not None and "others" not in case.arrays:
            # Profiles that many deviations start from are played once.
            for name in ("public", "reports", "before", "before_utility"):
                if name in base.__dict__:
                    self.__dict__[name] = base.__dict__[name]

    @lazy
    def public(self) -> dict[str, Array]:
        """Every public array by name, batch first (lotteries in expectation are left to `play`)."""
        shown: dict[str, Array] = {}
        for name, source in self.setting.public.items():
            if callable(source):
                shown[name] = source(self.types)
            elif isinstance(source, Space):
                shown[name] = self.case.arrays[f"public.{name}"]
            elif source.every:
                picks = self.case.arrays[f"public.{name}"][:, 0]
                if not isinstance(picks, np.ndarray):
                    picks = values(picks)
                shown[name] = source.draws[picks.astype(int)]
        return shown

    @lazy
    def sincere(self) -> Array:
        """Everybody's truthful report."""
        return s.truth(self.setting, self.types, self.public)

    @lazy
    def reports(self) -> Array:
        """The profile before the deviation: whoever acts is truthful."""
        if "others" not in self.case.arrays:
            return self.sincere
        sincere = self.sincere
        return replaced(self.case.arrays["others"], self.who, [sincere[:, i] for i in self.who])

    @lazy
    def before(self) -> Outcome:
        return play(self.mechanism, self.reports, self.public)

    @lazy
    def before_utility(self) -> Array:
        return self.before.utility(self.types)

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        """What the case compares, labelled, for witnesses: (reports, outcome, true types)."""
        return {"truth": (self.reports, self.before, self.types)}


def replaced(
    reports: Array, who: Sequence[int], rows: Sequence[Array], scratch: Array | None = None
) -> Array:
    """The profile with the reports of some agents replaced; rows: one (batch, ...) for each.

    scratch: a copy of the profile, altered at `who` alone, that may be written over.
    """
    out = reports.copy() if scratch is None else scratch
    for i, row in zip(who, rows, strict=True):
        out[:, i] = row
    return out


class Deviation(View):
    """The agents of `who` report `lies` instead of the truth, all together."""

    @lazy
    def lied(self) -> Array:
        lies = self.case.arrays["lies"]
        return replaced(
            self.reports, self.who, [lies[:, k] for k in range(len(self.who))], self.scratch
        )

    @lazy
    def after(self) -> Outcome:
        return play(self.mechanism, self.lied, self.public)

    @lazy
    def after_values(self) -> Array:
        return self.after.values(self.types)

    def gain(self, agent: int) -> Array:
        """What the deviation brings to an agent, (batch,)."""
        after = self.after_values[:, agent] - self.after.payments[:, agent]
        return after - self.before_utility[:, agent]

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {**super().played, "deviation": (self.lied, self.after, self.types)}


class Swap(View):
    """The two agents of `who` exchange their reports."""

    @lazy
    def swapped(self) -> Array:
        i, j = self.who
        return replaced(self.reports, self.who, [self.reports[:, j], self.reports[:, i]])

    @lazy
    def after(self) -> Outcome:
        return play(self.mechanism, self.swapped, self.public)

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {**super().played, "swapped": (self.swapped, self.after, self.types)}


def performers(setting: Setting) -> np.ndarray:
    """Whose bids scale together: the agents with role "performance" if any, else everybody."""
    chosen = np.array([role == "performance" for role in setting.roles])
    return chosen if chosen.any() else np.ones(setting.agents, dtype=bool)


class Scaling(View):
    """All performance bids are multiplied by `factor`."""

    @lazy
    def scaled(self) -> Array:
        factor = self.case.arrays["factor"][:, 0]
        factor = np.reshape(factor, (factor.shape[0],) + (1,) * (self.reports.ndim - 1))
        chosen = performers(self.setting)
        chosen = chosen.reshape(-1, *(1,) * (self.reports.ndim - 2))
        return np.where(chosen, self.reports * factor, self.reports)

    @lazy
    def inside(self) -> Array:
        """Whether the scaled reports are reports at all, (batch,)."""
        space = self.setting.report_space
        scaled = self.scaled
        if isinstance(scaled, np.ndarray):
            return contains(space, scaled, slack=1e-12 * space.scale)
        if type(scaled.algebra) in (Exact, Ties):
            return contains(space, values(scaled))
        if space.levels is not None or space.constraints is not None:
            raise TypeError("whether a scaled bid of unknown size is a bid is not decided here")
        ok = (scaled >= space.low) & (scaled <= space.high)
        return np.all(np.reshape(ok, (ok.shape[0], -1)), axis=-1)

    @lazy
    def after(self) -> Outcome:
        # Rows that leave the space are played at the unscaled reports, where nothing changes.
        shape = (self.inside.shape[0],) + (1,) * (self.reports.ndim - 1)
        safe = np.where(np.reshape(self.inside, shape), self.scaled, self.reports)
        return play(self.mechanism, safe, self.public)

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {**super().played, "scaled": (self.scaled, self.after, self.types)}


class Cycle(View):
    """Agent `who[0]` has the types θ^1, …, θ^k in turn; the others stay."""

    @lazy
    def steps(self) -> list[tuple[Array, Array, Outcome]]:
        """(types, reports, outcome) for each step; the first is the profile itself."""
        (i,), cycle = self.who, self.case.arrays["cycle"]
        found = [(self.types, self.reports, self.before)]
        for k in range(cycle.shape[1]):
            types = replaced(self.types, (i,), [cycle[:, k]])
            truthful = s.truth(self.setting, types, self.public)[:, i]
            reports = replaced(self.reports, (i,), [truthful])
            found.append((types, reports, play(self.mechanism, reports, self.public)))
        return found

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {
            f"type {k + 1}": (reports, outcome, types)
            for k, (types, reports, outcome) in enumerate(self.steps)
        }


def enlarged(mechanism: Mechanism, role: str) -> tuple[Mechanism, int]:
    """The mechanism with one more agent of a role, and that agent's index."""
    counts = mechanism.setting.role_counts()
    larger = mechanism.resized({role: counts[role] + 1})
    last = max(i for i, r in enumerate(mechanism.setting.roles) if r == role)
    return larger, last + 1


def inserted(reports: Array, at: int, row: Array) -> Array:
    """The profile with one more agent's report (batch, ...) at an index."""
    return np.concatenate([reports[:, :at], row[:, None], reports[:, at:]], axis=1)


class Split(View):
    """Agent `who[0]` takes part as two identities, which report `lies`."""

    @lazy
    def larger(self) -> tuple[Mechanism, int]:
        return enlarged(self.mechanism, self.setting.roles[self.who[0]])

    @lazy
    def split(self) -> Array:
        lies, (i,) = self.case.arrays["lies"], self.who
        return inserted(replaced(self.reports, (i,), [lies[:, 0]]), self.larger[1], lies[:, 1])

    @lazy
    def after(self) -> Outcome:
        return play(self.larger[0], self.split, self.public)

    @lazy
    def gain(self) -> Array:
        (i,), j = self.who, self.larger[1]
        own = self.types[:, i]

        def worth(x: Array, p: Array, public: Any) -> Array:
            parts = np.stack([x[:, i], x[:, j]], axis=1)
            assert self.setting.joint_value is not None
            return self.setting.joint_value(own, parts) - p[:, i] - p[:, j]

        return self.after.mean(worth) - self.before_utility[:, i]

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {**super().played, "two identities": (self.split, self.after, self.types)}


class Newcomer(View):
    """One more agent of the role of `who[0]` joins, truthfully."""

    @lazy
    def larger(self) -> tuple[Mechanism, int]:
        return enlarged(self.mechanism, self.setting.roles[self.who[0]])

    @lazy
    def joined(self) -> Array:
        larger, at = self.larger
        types = inserted(self.types, at, self.case.arrays["newcomer"][:, 0])
        sincere = s.truth(larger.setting, types, self.public)
        return inserted(self.reports, at, sincere[:, at])

    @lazy
    def after(self) -> Outcome:
        return play(self.larger[0], self.joined, self.public)

    @lazy
    def played(self) -> dict[str, tuple[Array, Outcome, Array]]:
        return {**super().played, "with the newcomer": (self.joined, self.after, self.types)}
