"""Putting numbers in: what a term is worth at a profile, exactly.

This is the meaning of the terms, written down a second time and without simplification: the tests
hold it against exact arithmetic, and a solver's model is put in here before it counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from proofs.arrays import Array
from proofs.errors import UndefinedNumber
from proofs.nodes import (
    NEGATIVE,
    POSITIVE,
    ZERO,
    And,
    Choice,
    Floor,
    Inverse,
    Linear,
    Node,
    Not,
    Product,
    Rank,
    Select,
    Sign,
    Variable,
    reachable,
)
from proofs.partial import Partial
from proofs.symbolic import Symbolic
from proofs.terms import Infinity, Undefined

__all__ = ["Evaluator", "assignment", "evaluate"]


class Evaluator:
    """Terms, ready to be evaluated at many profiles."""

    def __init__(self, terms: Iterable[Any]) -> None:
        self._terms = list(terms)
        self._nodes = reachable(
            part for term in self._terms for part in (_entry(term) if _partial(term) else (term,))
        )

    def __call__(self, values: Mapping[str, Any]) -> list[Any]:
        """The numbers of the terms: Fraction, int, bool, or ±infinity as a float.

        Raises:
            KeyError: a variable has no value.
            UndefinedNumber: a term does not exist at these values.
        """
        found: dict[Node, Any] = {}
        for node in self._nodes:
            found[node] = _value(node, found, values)
        return [_result(term, found) for term in self._terms]


def evaluate(terms: Any, values: Mapping[str, Any]) -> Any:
    """What a term, or every entry of an Array, is worth where the variables have these values.

    Args:
        terms: a term, or an Array over a `Symbolic` algebra.
        values: variable name -> Fraction, int or bool.

    Returns:
        One number, or an object ndarray of the Array's shape: Fraction for reals (±``math.inf`` for
        infinities), int for integers, bool for conditions.

    Raises:
        ValueError: a variable that the terms use has no value.
        UndefinedNumber: an entry is the result of a division by zero, or was never written.
    """
    flat = list(terms.terms.flat) if isinstance(terms, Array) else [terms]
    try:
        numbers = Evaluator(flat)(values)
    except KeyError as error:
        raise ValueError(
            f"the variable {error} has no value; give one for every variable of the terms"
        ) from None
    if not isinstance(terms, Array):
        return numbers[0]
    result = np.empty(len(flat), dtype=object)
    result[:] = numbers
    return result.reshape(terms.shape)


def _partial(term: Any) -> bool:
    return isinstance(term, Partial)


def _entry(term: Partial) -> tuple[Any, ...]:
    return term.value, term.undefined, term.plus, term.minus


def _of(term: Any, found: dict[Node, Any]) -> Any:
    return found[term] if isinstance(term, Node) else term


def _result(term: Any, found: dict[Node, Any]) -> Any:
    if isinstance(term, Undefined):
        term.refuse("is evaluated")
    if isinstance(term, Infinity):
        return float(term)
    if isinstance(term, Partial):
        value, missing, plus, minus = (_of(part, found) for part in _entry(term))
        if missing:
            raise UndefinedNumber(f"{term.cause}: the result is not a number at these values")
        return float("inf") if plus else -float("inf") if minus else value
    value = _of(term, found)
    if value is None:
        raise UndefinedNumber("an entry was never written at these values")
    return value


def _value(node: Node, found: dict[Node, Any], values: Mapping[str, Any]) -> Any:
    match node:
        case Variable():
            given = values[node.name]
            return bool(given) if node.boolean else Fraction(given)
        case Linear():
            return sum((k * found[atom] for atom, k in node.items), node.constant)
        case Choice():
            chosen = node.then if _of(node.condition, found) else node.otherwise
            return _of(chosen, found)
        case Sign():
            x = found[node.form]
            return bool(node.signs & (ZERO if x == 0 else POSITIVE if x > 0 else NEGATIVE))
        case And():
            return all(_of(a, found) for a in node.conditions)
        case Not():
            return not found[node.condition]
        case Rank():
            return sorted(_of(a, found) for a in node.row)[node.k - 1]
        case Product():
            product = Fraction(1)
            for factor in node.factors:
                product *= found[factor]
            return product
        case Inverse():
            divisor = found[node.divisor]
            return 1 / divisor if divisor else Fraction(0)
        case Floor():
            return Fraction(math.floor(found[node.form]))
        case Select():
            holding = [value for value, c in node.cases if _of(c, found)]
            assert len(holding) == 1, f"an integer has the values {holding} at once"
            return holding[0]
    raise AssertionError(f"unknown node {type(node).__name__}")


def assignment(array: Array, numbers: Any) -> dict[str, Any]:
    """The values of variables at which an Array of `symbols` has these numbers.

    Raises:
        ValueError: an entry is no unknown of its own, or a number is none of its levels.
    """
    algebra: Symbolic = array.algebra  # type: ignore[assignment]
    found: dict[str, Any] = {}
    for term, number in zip(array.terms.flat, np.asarray(numbers, dtype=object).flat, strict=True):
        if term not in algebra.unknowns:
            raise ValueError(f"{term} is not an unknown; give the array that symbols() made")
        name, levels = algebra.unknowns[term]
        if not levels:
            found[name] = number
        elif number not in levels:
            raise ValueError(f"{name} is {number}, which is none of its levels {levels}")
        else:
            found |= {f"{name}_is_{k}": level == number for k, level in enumerate(levels[:-1])}
    return found
