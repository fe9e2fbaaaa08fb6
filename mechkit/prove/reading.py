"""A rule read as terms: what a mechanism does at every profile of real reports, in one run.

The reports are unknowns of `proofs`, and the rule's results are terms over them. Of a term one can
see whose reports it is made of (`seen`), whether it is the very term that a formula gives (`same`;
a store keeps one node of each), and between which bounds it lies on the type space (`bounds`). What
cannot be seen in these ways is not shown, and raises `Unmet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from mechkit import settings as s
from mechkit.mechanism import Mechanism, play
from mechkit.settings import Array, Setting
from proofs import Symbolic, exact, symbols
from proofs.nodes import Choice, Floor, Linear, Node, Product, Rank, Variable, reachable

Bounds = tuple[Fraction, Fraction]


class Unmet(Exception):
    """A condition of a theorem that the terms do not show."""


def need(condition: Any, otherwise: str) -> None:
    """Raise Unmet unless the condition holds."""
    if not condition:
        raise Unmet(otherwise)


@dataclass(frozen=True, eq=False)
class Reading:
    """The terms of a mechanism's rules, run once on unknown reports.

    reports: (1, agents, *coordinates). allocation: (1, *allocation_shape). payments: (1, agents).
    owner: whose report each unknown belongs to.
    """

    mechanism: Mechanism
    algebra: Symbolic
    reports: Array
    allocation: Array
    payments: Array
    owner: dict[Node, int]
    box: dict[Node, Bounds]
    known: dict[Any, Bounds] = field(default_factory=dict)

    @property
    def setting(self) -> Setting:
        return self.mechanism.setting

    def constant(self, numbers: Any) -> Array:
        """Numbers as an array of this arithmetic; floats as the simplest that round to them."""
        return exact(numbers, algebra=self.algebra)

    def reals(self, array: Any) -> list[Any]:
        """The terms of an array, flattened, all of them real numbers at every profile."""
        array = self.constant(array)
        terms = [self.algebra.cast(term, array.kind, "real") for term in array.terms.flat]
        need(
            all(isinstance(term, Fraction | Linear) for term in terms),
            "a result may be infinite or not exist",
        )
        return terms

    def same(self, one: Any, other: Any) -> bool:
        """Whether two arrays have the same terms: equal at every profile, then."""
        pairs = zip(self.reals(one), self.reals(other), strict=True)
        return all(a is b or a == b for a, b in pairs)

    def numbers(self, array: Any) -> np.ndarray:
        """An array that does not depend on the reports, as an object array of Fractions."""
        terms = self.reals(array)
        need(all(isinstance(t, Fraction) for t in terms), "a number depends on the reports")
        found = np.empty(len(terms), dtype=object)
        found[:] = terms
        return found.reshape(np.shape(array))

    def seen(self, terms: Iterable[Any]) -> set[int]:
        """The agents whose reports some terms are made of."""
        nodes = [node for node in reachable(terms) if isinstance(node, Variable)]
        need(all(node in self.owner for node in nodes), "a term has an unknown that is no report")
        return {self.owner[node] for node in nodes}

    def bounds(self, term: Any) -> Bounds:
        """Bounds of a real term on the box of the types, not always the closest."""
        for node in reachable([term]):
            if node not in self.known and isinstance(
                node, Variable | Linear | Choice | Rank | Product | Floor
            ):
                self.known[node] = self._bounds(node)
        return self._of(term)

    def _of(self, term: Any) -> Bounds:
        if isinstance(term, Fraction):
            return term, term
        need(term in self.known, "a quotient has no bounds that are known here")
        return self.known[term]

    def _bounds(self, node: Node) -> Bounds:
        if isinstance(node, Linear):
            low = high = node.constant
            for atom, k in node.items:
                ends = sorted(k * end for end in self._of(atom))
                low, high = low + ends[0], high + ends[1]
            return low, high
        if isinstance(node, Choice):
            then, otherwise = self._of(node.then), self._of(node.otherwise)
            return min(then[0], otherwise[0]), max(then[1], otherwise[1])
        if isinstance(node, Rank):
            lows, highs = zip(*map(self._of, node.row), strict=True)
            return sorted(lows)[node.k - 1], sorted(highs)[node.k - 1]
        if isinstance(node, Product):
            low = high = Fraction(1)
            for factor in node.factors:
                ends = [a * b for a in (low, high) for b in self._of(factor)]
                low, high = min(ends), max(ends)
            return low, high
        if isinstance(node, Floor):
            low, high = self._of(node.form)
            return Fraction(low.__floor__()), Fraction(high.__floor__())
        need(node in self.box, "an unknown is no report")
        return self.box[node]

    def worth(self, types: Array, allocation: Array) -> Array:
        """v_i(θ_i, x), (batch, agents)."""
        return s.values(self.setting, types, allocation, {})

    def proportional(self, quantity: Array) -> bool:
        """Whether what the rule does is worth ± one's own type times the quantity, 0 or 1, to
        everybody, whatever the types are: they are unknowns beside the reports."""
        name = f"t{len(self.algebra.unknowns)}"
        types = symbols(name, self.reports.shape, algebra=self.algebra)
        signs = np.where(self.setting.sellers, -1, 1)
        worth = self.worth(types, self.allocation)
        # One function, two normal forms: a number times the type, or a choice between it and 0.
        return any(self.same(worth, x * types * signs) for x in (quantity, quantity >= 1))

    def complete(self) -> None:
        """Raise Unmet if anything that was computed has no result at some profile."""
        if self.algebra.obligations:
            raise Unmet(f"at some reports: {self.algebra.obligations[0].error}")


def read(mechanism: Mechanism) -> Reading:
    """Run the rules of a mechanism on unknown reports.

    Raises Unmet where reports are not types, or where more than them is known or matters; and
    whatever a rule raises that has no terms.
    """
    setting, algebra = mechanism.setting, Symbolic()
    need(not setting.public, "public arrays are shown to the rule")
    need(not setting.apart, "reports are not types, or values depend on the others' types")
    space = setting.types
    reports = symbols("r", (1, *space.shape), algebra=algebra)
    outcome = play(mechanism, reports)
    unknowns = [_variable(term) for term in reports.terms.flat]
    owners = np.repeat(np.arange(space.agents), space.size)
    ends = zip(space.low.reshape(-1), space.high.reshape(-1), strict=True)
    return Reading(
        mechanism,
        algebra,
        reports,
        outcome.allocation,
        outcome.payments,
        dict(zip(unknowns, map(int, owners), strict=True)),
        dict(zip(unknowns, ends, strict=True)),
    )


def _variable(term: Any) -> Node:
    ((atom, _),) = term.items
    return atom


def unread(what: str) -> NoReturn:
    """Raise Unmet: a declaration does not have the form that it should have."""
    raise Unmet(f"the structure declares {what}")
