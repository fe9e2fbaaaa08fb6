"""The terms of symbolic arithmetic: a directed acyclic graph in which equal terms are one object.

Real terms are Fractions and `Linear` combinations of *atoms*: variables, guarded choices, order
statistics, integer parts, and, where a rule multiplies or divides variables, products and inverses.
Conditions are True, False, boolean variables, `Sign` conditions on a linear form, and `And`s and
`Not`s of these (an "or" is a Not of an And of Nots, so that equal conditions are found equal).
Integers, which come from counting and from positions, are ints and `Select`s: finitely many values,
each with the condition under which it is the one.

Nodes are made by a `Store`, never directly: it brings them to normal form and keeps one of each.
Within a store, a node is equal to itself alone, and its serial number says when it was made, so a
node's parts always have lower numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

__all__ = [
    "NEGATIVE",
    "POSITIVE",
    "ZERO",
    "And",
    "Atom",
    "Bool",
    "Choice",
    "Defined",
    "Floor",
    "Inverse",
    "Linear",
    "Node",
    "Not",
    "Product",
    "Rank",
    "Real",
    "Select",
    "Sign",
    "Variable",
    "constant_or",
    "joined",
    "reachable",
]

NEGATIVE, ZERO, POSITIVE = 1, 2, 4
_RELATIONS = {NEGATIVE: "<", NEGATIVE | ZERO: "<=", POSITIVE: ">", POSITIVE | ZERO: ">=", ZERO: "="}


class Node(ABC):
    """A term. It has no truth value and no order: those are for the algebra."""

    __slots__ = ("serial",)
    serial: int

    def __bool__(self) -> bool:
        raise TypeError("a symbolic term has no truth value; compare it through its Array")

    def parts(self) -> Iterable[Any]:
        """The terms that this one is made of, and the conditions that define it."""
        return ()

    @abstractmethod
    def text(self, of: Callable[[Any], str]) -> str:
        """The term in SMT-LIB syntax, where ``of`` gives the text of its parts."""

    def __repr__(self) -> str:
        texts: dict[Node, str] = {}
        for node in reachable([self]):
            texts[node] = node.text(lambda part: constant_or(part, texts))
        return texts[self]


class Variable(Node):
    """An unknown, real or boolean."""

    __slots__ = ("boolean", "name")

    def __init__(self, name: str, boolean: bool) -> None:
        self.name, self.boolean = name, boolean

    def text(self, of: Callable[[Any], str]) -> str:
        return self.name


class Linear(Node):
    """constant + Σ coefficient · atom, with at least one atom, no zero coefficient, atoms in the
    order of their numbers."""

    __slots__ = ("constant", "items")

    def __init__(self, constant: Fraction, items: tuple[tuple[Atom, Fraction], ...]) -> None:
        self.constant, self.items = constant, items

    def parts(self) -> Iterable[Any]:
        return (atom for atom, _ in self.items)

    def text(self, of: Callable[[Any], str]) -> str:
        parts = [_scaled(k, of(atom)) for atom, k in self.items]
        return joined("+", parts + ([of(self.constant)] if self.constant else []))


class Choice(Node):
    """``then`` where the condition holds, else ``otherwise``."""

    __slots__ = ("condition", "otherwise", "then")

    def __init__(self, condition: Bool, then: Real, otherwise: Real) -> None:
        self.condition, self.then, self.otherwise = condition, then, otherwise

    def parts(self) -> Iterable[Any]:
        return self.condition, self.then, self.otherwise

    def text(self, of: Callable[[Any], str]) -> str:
        return f"(ite {' '.join(map(of, self.parts()))})"


class Rank(Node):
    """The k-th smallest of a row, k from 1.

    ``axioms`` define it: among the entries of the row, at least k do not exceed it, and fewer than
    k lie below it. They are filled in by the store, once the node that they speak of is there.
    """

    __slots__ = ("axioms", "k", "row")

    def __init__(self, row: tuple[Real, ...], k: int) -> None:
        self.row, self.k = row, k
        self.axioms: tuple[Bool, ...] = ()

    def parts(self) -> Iterable[Any]:
        return self.row

    def text(self, of: Callable[[Any], str]) -> str:
        return f"$rank{self.serial}"


class Product(Node):
    """A product of two or more atoms, none a choice: where arithmetic stops being linear."""

    __slots__ = ("factors",)

    def __init__(self, factors: tuple[Atom, ...]) -> None:
        self.factors = factors

    def parts(self) -> Iterable[Any]:
        return self.factors

    def text(self, of: Callable[[Any], str]) -> str:
        return joined("*", [of(factor) for factor in self.factors])


class Inverse(Node):
    """1 / divisor; any number where the divisor is 0, which nothing may depend on.

    ``axioms``: the divisor is 0, or the product of the two is 1.
    """

    __slots__ = ("axioms", "divisor")

    def __init__(self, divisor: Linear) -> None:
        self.divisor = divisor
        self.axioms: tuple[Bool, ...] = ()

    def parts(self) -> Iterable[Any]:
        return (self.divisor,)

    def text(self, of: Callable[[Any], str]) -> str:
        return f"$inverse{self.serial}"


class Floor(Node):
    """The largest integer that does not exceed a form.

    ``axioms``: it does not exceed the form, and the form is less than 1 above it.
    """

    __slots__ = ("axioms", "form")

    def __init__(self, form: Linear) -> None:
        self.form = form
        self.axioms: tuple[Bool, ...] = ()

    def parts(self) -> Iterable[Any]:
        return (self.form,)

    def text(self, of: Callable[[Any], str]) -> str:
        return f"(to_real $floor{self.serial})"


class Sign(Node):
    """Whether the sign of a form is among ``signs``, a set of NEGATIVE, ZERO and POSITIVE.

    The form's first coefficient is 1, so that a < b and b > a are one node.
    """

    __slots__ = ("form", "signs")

    def __init__(self, form: Linear, signs: int) -> None:
        self.form, self.signs = form, signs

    def parts(self) -> Iterable[Any]:
        return (self.form,)

    def text(self, of: Callable[[Any], str]) -> str:
        """Positive terms on the left, negative ones on the right."""
        sides = [[_scaled(k * s, of(atom)) for atom, k in self.form.items if k * s > 0] +
                 ([of(self.form.constant * s)] if self.form.constant * s > 0 else [])
                 for s in (1, -1)]  # fmt: skip
        left, right = (joined("+", side) or "0.0" for side in sides)
        if self.signs == NEGATIVE | POSITIVE:
            return f"(not (= {left} {right}))"
        return f"({_RELATIONS[self.signs]} {left} {right})"


class And(Node):
    """All of at least two conditions."""

    __slots__ = ("conditions",)

    def __init__(self, conditions: tuple[Bool, ...]) -> None:
        self.conditions = conditions

    def parts(self) -> Iterable[Any]:
        return self.conditions

    def text(self, of: Callable[[Any], str]) -> str:
        return joined("and", [of(a) for a in self.conditions])


class Not(Node):
    """The opposite of an And or of a boolean variable (the opposite of a Sign is a Sign)."""

    __slots__ = ("condition",)

    def __init__(self, condition: Node) -> None:
        self.condition = condition

    def parts(self) -> Iterable[Any]:
        return (self.condition,)

    def text(self, of: Callable[[Any], str]) -> str:
        return f"(not {of(self.condition)})"


class Select(Node):
    """An integer: (value, condition) for each value that it can have, of which one holds.

    The value None stands for an entry that was never written.
    """

    __slots__ = ("cases",)

    def __init__(self, cases: tuple[tuple[int | None, Bool], ...]) -> None:
        self.cases = cases

    def parts(self) -> Iterable[Any]:
        return (condition for _, condition in self.cases)

    def text(self, of: Callable[[Any], str]) -> str:
        return f"(select {' '.join(f'({v} if {of(c)})' for v, c in self.cases)})"


Atom: TypeAlias = Variable | Choice | Rank | Product | Inverse | Floor
Real: TypeAlias = Fraction | Linear
Bool: TypeAlias = bool | Node
# Atoms that are new numbers, which their axioms define.
Defined = (Rank, Inverse, Floor)


def _scaled(k: Fraction, text: str) -> str:
    if k == 1:
        return text
    return f"(- {text})" if k == -1 else f"(* {_number(k)} {text})"


def _number(x: Fraction) -> str:
    text = f"{abs(x.numerator)}.0"
    if x.denominator != 1:
        text = f"(/ {text} {x.denominator}.0)"
    return f"(- {text})" if x < 0 else text


def joined(operator: str, parts: Sequence[str]) -> str:
    """The operator on its arguments; a lone argument as it is, and nothing for none."""
    if len(parts) < 2:
        return "".join(parts)
    return f"({operator} {' '.join(parts)})"


def constant_or(term: Any, texts: Mapping[Node, str]) -> str:
    """The text of a constant, or of a node whose text is known."""
    if isinstance(term, bool):
        return "true" if term else "false"
    return texts[term] if isinstance(term, Node) else _number(term)


def reachable(terms: Iterable[Any], *, axioms: bool = False) -> list[Node]:
    """All nodes that the terms are made of, each once and after its parts.

    ``axioms``: also what the axioms of new numbers are made of; they come after these numbers.
    """
    found: dict[Node, None] = {}
    roots = list(terms)
    for root in roots:
        stack: list[tuple[Any, Iterator[Any] | None]] = [(root, None)]
        while stack:
            node, rest = stack.pop()
            if not isinstance(node, Node) or node in found:
                continue
            if rest is None:
                rest = iter(node.parts())
            for part in rest:
                if isinstance(part, Node) and part not in found:
                    stack.append((node, rest))
                    stack.append((part, None))
                    break
            else:
                found[node] = None
                if axioms and isinstance(node, Defined):
                    roots.extend(node.axioms)
    return list(found)
