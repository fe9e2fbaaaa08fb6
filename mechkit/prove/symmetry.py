"""One agent stands for its role, where the mechanism is proved to treat the role alike.

Let a permutation g of agents act on profiles, (gθ)_k = θ_g(k), and on allocations (on their rows
where they are `personal`, else not at all), payments, values and quantities alike. Say that the
mechanism *commutes* with g if at every profile of reports r, ties included, whatever is public,

    x(gr) = g x(r)   and   p(gr) = g p(r),

and its setting does if v(gθ, gx) = g v(θ, x), q(gx) = g q(x) and truthful(gθ) = g truthful(θ).

**Theorem.** Let mechanism and setting commute with every g of a group G of permutations, each of
which keeps roles and bounds. Then the margin of a property of `EQUIVARIANT` takes the same values
for the agents A ("who") as for those that g takes to A; so it is ≥ 0 for all of an orbit iff it is
for one of it.

*Proof.* Carry a case (types, others' reports, lies, ω) to the one with types gθ, the others'
reports permuted as well, the same ω, and the same lies, told by those who now stand where A stood.
This is a bijection between the cases of the two, since agents of an orbit have the same bounds, and
levels and constraints are the same for all. Both profiles that a case compares are permuted by g,
so outcomes, values and utilities are, in each draw of a lottery and so in expectation. The margins
named read utilities, quantities, reports, allocations and payments at A, position by position, join
those of several members by min, max or sum, and beside this take sums and largest differences over
all agents. None of this changes. ∎

If they commute with g and with h, then with gh: x(g(hr)) = g x(hr) = gh x(r), because hr is a
profile of the space as well. So generators are enough: one transposition and one cycle through all
give every permutation of a role, however many it has.

The setting is checked once on terms, for all real types and all allocations of the kind that the
rule returns: the two sides must be the very same terms of one store. The rule's part is a problem
like any other, a proof in the certificate. Off ties alone would not do: a rule that breaks ties
for one agent may be wrong for that agent alone. Most rules (`np.argmax` takes the lowest index) are
not alike at ties; exact profiles full of ties refuse them before any proof is tried.

Source: Ip & Dill, "Better verification through symmetry" (1996): states there, deviators here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit import settings as s
from mechkit.errors import RuleTimeout
from mechkit.mechanism import Mechanism, play
from mechkit.properties import PROPERTIES, Property
from mechkit.prove.problem import Problem, coordinates
from mechkit.sampling import Sampler
from mechkit.settings import Array, Lottery, Setting
from mechkit.spaces import Space, repair
from mechkit.views import Case, Slot, View
from proofs import Kind, Symbolic, exact, symbols, values

EQUIVARIANT = frozenset(
    {"ic", "ex_post_nash", "monotone", "critical_payment", "cyclic_monotone", "anonymous"}
    | {"non_bossy", "group_ic", "strong_group_ic", "collusion_proof", "revenue_monotone"}
)
"""The properties to whose margins the theorem applies."""
FAMILIES = frozenset({"deviation", "nash", "coalition", "swap", "cycle 2", "cycle 3"})
"""The families whose `who` may be represented: both profiles are of the mechanism itself."""
ROWS, STEPS, DRAWS = 24, 2, 64

Group = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Relabelling(Problem):
    """Show that the rule commutes with the permutation `who`: agent k becomes who[k]."""

    def margins(self, unknowns: Any) -> Any:
        """Each difference between the two sides, and its negative, flattened."""
        gaps = self.gaps(self.case(unknowns))
        return np.reshape(np.concatenate([gaps, -gaps], axis=-1), (-1,))

    def gaps(self, case: Case) -> Array:
        """g of the outcome minus the outcome at g of the reports, (batch, k); the case holds the
        reports as its types."""
        setting, to, reports = self.mechanism.setting, list(self.who), case.arrays["types"]
        public = View(self.mechanism, case).public
        before = play(self.mechanism, reports, public).draws
        after = play(self.mechanism, reports[:, to], public).draws
        flat = []
        for (_, x, p, _), (_, y, q, _) in zip(before, after, strict=True):
            moved = x[:, to] if setting.personal else x
            for a, b in ((moved, y), (p[:, to], q)):
                flat.append(np.reshape(a * 1 - b * 1, (reports.shape[0], -1)))
        return np.concatenate(flat, axis=-1)


def roles_alike(setting: Setting) -> list[Group]:
    """The agents, two or more, that share a role and all bounds."""
    spaces = (setting.types, setting.report_space)
    bounds_of = [bound for space in spaces for bound in (space.low, space.high)]
    found: dict[Any, list[int]] = {}
    for i, role in enumerate(setting.roles):
        bounds = tuple(tuple(bound[[i]].ravel().tolist()) for bound in bounds_of)
        found.setdefault((role, bounds), []).append(i)
    return [tuple(group) for group in found.values() if len(group) > 1]


def relabellings(mechanism: Mechanism, prop: Property, groups: Iterable[Group]) -> list[Problem]:
    """What must be proved of the rule for the agents of each group to be interchangeable."""
    everybody = tuple(range(mechanism.setting.agents))
    reports = Slot(mechanism.setting.report_space, everybody)
    slots = {**d.FAMILIES["profile"].slots(mechanism, ()), "types": reports}
    known = coordinates(mechanism, slots)
    return [
        Relabelling(mechanism, prop, 0, "relabelling", order, slots, *known)
        for group in groups
        for order in _generators(group, everybody)
    ]


def _generators(group: Group, everybody: Group) -> list[Group]:
    """A transposition and a cycle through all, which generate every permutation of a group."""
    swap, cycle = list(everybody), list(everybody)
    swap[group[0]], swap[group[1]] = group[1], group[0]
    for k, i in enumerate(group):
        cycle[i] = group[(k + 1) % len(group)]
    return [tuple(swap)] if len(group) == 2 else [tuple(swap), tuple(cycle)]


def representatives(todo: Sequence[Problem], groups: Iterable[Group]) -> list[Problem]:
    """The first problem of each orbit, if the agents of each group are interchangeable."""
    first = {i: group[0] for group in groups for i in group}
    found: dict[Any, Problem] = {}
    for at, problem in enumerate(todo):
        orbit: Any = at
        if problem.family in FAMILIES:
            members = sorted(first.get(i, i) for i in problem.who)
            orbit = (problem.check, problem.family, tuple(members))
        found.setdefault(orbit, problem)
    return list(found.values())


def candidates(mechanism: Mechanism, prop: Property, todo: Sequence[Problem]) -> list[Group]:
    """The groups that a proof should try: they would save more problems than they cost, and no
    profile full of ties tells their agents apart."""
    groups = interchangeable(mechanism, prop) if applies(prop) else []
    cost = len(relabellings(mechanism, prop, groups))
    if len(todo) - len(representatives(todo, groups)) <= cost:
        return []
    return [group for group in groups if _plausible(mechanism, prop, group)]


def interchangeable(mechanism: Mechanism, prop: Property) -> list[Group]:
    """The groups whose permutations the setting is shown to commute with, where the theorem is
    about this property."""
    if not applies(prop):
        return []
    everybody = tuple(range(mechanism.setting.agents))
    return [
        group
        for group in roles_alike(mechanism.setting)
        if all(_commutes(mechanism, order) for order in _generators(group, everybody))
    ]


def applies(prop: Property) -> bool:
    """Whether the theorem is about this property."""
    return prop.name in EQUIVARIANT and PROPERTIES[prop.name] is prop


def _commutes(mechanism: Mechanism, order: Group) -> bool:
    """Whether the setting commutes with a permutation, on terms."""
    setting, to = mechanism.setting, list(order)
    if any(callable(source) for source in setting.public.values()):
        return False
    try:
        kind = _sampled(mechanism, _profiles(mechanism, 1)).draws[0][1].kind
        for public, algebra in _shown(setting):
            types = symbols("t", (1, *setting.types.shape), algebra=algebra)
            unknown: Kind = "bool" if kind == "bool" else "real"
            x = symbols("x", (1, *setting.allocation_shape), algebra=algebra, kind=unknown)
            # Real numbers under the name of integers: what holds for them holds for integers.
            x = type(x)(x.terms, kind, algebra)
            moved = x[:, to] if setting.personal else x
            sides = [
                (
                    s.values(setting, types, x, public),
                    s.values(setting, types[:, to], moved, public),
                ),
                (s.truth(setting, types, public), s.truth(setting, types[:, to], public)),
            ]
            if setting.quantity is not None:
                sides.append((setting.quantity(x), setting.quantity(moved)))
            for a, b in sides:
                left, right = (exact(y, algebra=algebra).terms for y in (a[:, to], b))
                if left.shape != right.shape or any(
                    p is not q for p, q in zip(left.flat, right.flat, strict=True)
                ):
                    return False
    except (RuleTimeout, MemoryError):
        raise
    except Exception:
        # No meaning on terms: nothing is known of this setting.
        return False
    return True


def _shown(setting: Setting) -> Iterator[tuple[dict[str, Array], Any]]:
    """What may be public, each draw of the lotteries in turn, in a store of its own."""
    drawn = {k: v for k, v in setting.public.items() if isinstance(v, Lottery)}
    picks = itertools.product(*(range(len(v.draws)) for v in drawn.values()))
    for number, pick in enumerate(picks):
        if number >= DRAWS:
            raise ValueError(f"more than {DRAWS} draws")
        algebra = Symbolic()
        shown: dict[str, Array] = {
            name: np.broadcast_to(lottery.draws[k], (1, *np.shape(lottery.draws[k])))
            for (name, lottery), k in zip(drawn.items(), pick, strict=True)
        }
        for number, (name, source) in enumerate(setting.public.items()):
            if isinstance(source, Space):
                shown[name] = symbols(f"p{number}", (1, *source.shape), algebra=algebra)
        yield shown, algebra


def _profiles(mechanism: Mechanism, rows: int) -> dict[str, Array]:
    """Exact reports on very few levels, as types, and what is public beside them."""
    rng, space = np.random.default_rng(7), mechanism.setting.report_space
    steps = rng.integers(0, STEPS + 1, size=(rows, *space.shape))
    arrays = {"types": repair(space, space.low_float + space.span * steps / STEPS)}
    slots = d.FAMILIES["profile"].slots(mechanism, ())
    arrays |= Sampler(mechanism).publics(slots, rng, rows)
    return {key: exact(array) for key, array in arrays.items()}


def _sampled(mechanism: Mechanism, arrays: dict[str, Array]) -> Any:
    public = View(mechanism, Case("profile", (), arrays)).public
    return play(mechanism, arrays["types"], public)


def _plausible(mechanism: Mechanism, prop: Property, group: Group) -> bool:
    """Whether exact sampled profiles, full of ties, are consistent with a group being alike."""
    case = Case("profile", (), _profiles(mechanism, ROWS))
    try:
        return all(
            bool((values(problem.gaps(case)) == 0).all())  # type: ignore[attr-defined]
            for problem in relabellings(mechanism, prop, [group])
        )
    except (RuleTimeout, MemoryError):
        raise
    except Exception:
        # No exact counterpart, or a sign that an enclosure leaves open: nothing is saved here.
        return False


def explain(groups: Iterable[Group]) -> list[str]:
    """On what ground one agent stands for others, in words."""
    return [
        f"Agents {', '.join(map(str, group))}: one of them stands for all. Permuting their types "
        "and reports is proved to permute what they get, what they pay and what it is worth to "
        "them, and to change nothing else, at every profile, ties included."
        for group in groups
    ]
