"""Conditions in normal form, one object for each.

A condition on a form is a set of signs: within an "and", sets of the same form intersect, and an
empty set is False. A condition that the rest of its "and" decides is left out, and opposites
exclude each other. These are identities of propositional logic and of the order of the reals; they
find no contradiction that takes two different forms, which is for the solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proofs.nodes import NEGATIVE, POSITIVE, ZERO, And, Bool, Linear, Node, Not, Sign, Variable

__all__ = ["ALL", "Logic"]

ALL = NEGATIVE | ZERO | POSITIVE
# Beyond this many conditions, an "and" is kept nested.
_WIDEST = 64


class Logic:
    """Nodes, one of each, and the conditions among them.

    Attributes:
        variables: all unknowns, in the order in which they were made.
    """

    def __init__(self) -> None:
        self.variables: list[Variable] = []
        self._nodes: dict[tuple[Any, ...], Node] = {}

    def one(self, cls: type[Any], *content: Any) -> Any:
        """The node of this class and content."""
        key = (cls, *content)
        node = self._nodes.get(key)
        if node is None:
            node = cls(*content)
            node.serial = len(self._nodes)
            self._nodes[key] = node
        return node

    def unknown(self, name: str, *, boolean: bool) -> Variable:
        """A new variable; the name must be free."""
        if (Variable, name, True) in self._nodes or (Variable, name, False) in self._nodes:
            raise ValueError(
                f"the variable {name!r} is there already; give every array of symbols its own name"
            )
        variable: Variable = self.one(Variable, name, boolean)
        self.variables.append(variable)
        return variable

    def negate(self, a: Bool) -> Bool:
        if isinstance(a, bool):
            return not a
        if isinstance(a, Sign):
            return self.one(Sign, a.form, ALL - a.signs)
        return a.condition if isinstance(a, Not) else self.one(Not, a)

    def conjunction(self, conditions: Iterable[Bool]) -> Bool:
        signs: dict[Linear, int] = {}
        others: dict[Node, None] = {}
        stack = list(conditions)[::-1]
        while stack:
            a = stack.pop()
            if a is True:
                continue
            if a is False:
                return False
            if isinstance(a, Sign):
                signs[a.form] = signs.get(a.form, ALL) & a.signs
                if not signs[a.form]:
                    return False
            elif isinstance(a, And) and len(a.conditions) + len(signs) < _WIDEST:
                stack.extend(reversed(a.conditions))
            else:
                assert isinstance(a, Node)
                others[a] = None
        kept: list[Node] = []
        for a in others:
            if isinstance(a, Not):
                if a.condition in others:
                    return False
                if isinstance(a.condition, And):
                    left = self._undecided(a.condition, signs, others)
                    if left is None:
                        continue
                    if len(left) < len(a.condition.conditions):
                        # Something was decided, which may decide more.
                        rest = [b for b in others if b is not a]
                        literals = [self.one(Sign, f, s) for f, s in signs.items()]
                        return self.conjunction(
                            [*literals, *rest, self.negate(self.conjunction(left))]
                        )
            kept.append(a)
        kept += [self.one(Sign, form, s) for form, s in signs.items()]
        if not kept:
            return True
        kept.sort(key=lambda a: a.serial)
        return kept[0] if len(kept) == 1 else self.one(And, tuple(kept))

    @staticmethod
    def _undecided(
        inner: And, signs: dict[Linear, int], others: dict[Node, None]
    ) -> list[Bool] | None:
        """The conditions of an And that do not follow from the others; None if one is False."""
        left: list[Bool] = []
        for b in inner.conditions:
            if isinstance(b, Sign):
                known = signs.get(b.form, ALL)
                if not known & b.signs:
                    return None
                if known | b.signs != b.signs:
                    left.append(b)
            elif isinstance(b, Not) and b.condition in others:
                return None
            elif b not in others:
                left.append(b)
        return left

    def both(self, *conditions: Bool) -> Bool:
        return self.conjunction(conditions)

    def disjunction(self, conditions: Iterable[Bool]) -> Bool:
        return self.negate(self.conjunction([self.negate(a) for a in conditions]))

    def either(self, *conditions: Bool) -> Bool:
        return self.disjunction(conditions)

    def if_then(self, condition: Bool, then: Bool, otherwise: Bool) -> Bool:
        """A choice between two conditions."""
        if then is otherwise:
            return then
        if isinstance(condition, bool):
            return then if condition else otherwise
        return self.either(self.both(condition, then), self.both(self.negate(condition), otherwise))

    def at_most(self, count: int, conditions: Sequence[Bool]) -> Bool:
        """Whether no more than ``count`` of the conditions hold, by adding one after the other."""
        if count < 0:
            return False
        if count == 0:
            return self.conjunction([self.negate(a) for a in conditions])
        if 2 * count >= len(conditions):
            # Not more than count hold where at least the rest fail: fewer sums to keep.
            rest = len(conditions) - count - 1
            return self.negate(self.at_most(rest, [self.negate(a) for a in conditions]))
        more: list[Bool] = [False] * (count + 1)  # more[m]: more than m of those seen so far
        for a in conditions:
            for m in range(count, 0, -1):
                more[m] = self.either(more[m], self.both(a, more[m - 1]))
            more[0] = self.either(more[0], a)
        return self.negate(more[count])
