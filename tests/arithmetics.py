"""Three arithmetics under one array, and how a rule's results in them compare with NumPy's.

The entries are small dyadic numbers, on which float arithmetic is exact (or rounds once), drawn
from few values so that ties are frequent. The arithmetics are the fast concrete one, the generic
networks that symbolic algebras inherit, on terms that nothing else can look into, and dual numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction as F
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from proofs import Array, Exact, Interval, Ties, exact, values
from proofs.algebra import Algebra, as_array


class Sealed:
    """A term that only its algebra can open: comparisons, truth value and hash fail on it."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content

    def _refuse(self, *_: Any) -> Any:
        raise AssertionError("a term was compared or decided outside its algebra")

    __eq__ = __ne__ = __bool__ = __hash__ = _refuse


class _OnSealedTerms(Algebra):
    """All of the algebra below but its primitives."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = Exact()

    def variables(self, terms: np.ndarray, kind: Any) -> np.ndarray:
        return as_array(np.frompyfunc(Sealed, 1, 1)(terms))

    def value(self, term: Any) -> Any:
        return term.content if isinstance(term, Sealed) else term

    def decide(self, condition: Any) -> bool:
        return bool(self.value(condition))

    def cast(self, term: Any, old: Any, new: Any) -> Sealed:
        return Sealed(self.hidden.cast(self.value(term), old, new))


def _sealed(name: str) -> Callable[..., Sealed]:
    def primitive(self: _OnSealedTerms, *terms: Any) -> Sealed:
        return Sealed(getattr(self.hidden, name)(*map(self.value, terms)))

    return primitive


_PRIMITIVES = """add subtract multiply divide power exp log sqrt floor less equal both invert ite
    finite nan"""
# Sealed terms under the networks of `Algebra`: what a symbolic algebra goes through.
Generic: type[Algebra] = type(
    "Generic", (_OnSealedTerms,), {name: _sealed(name) for name in _PRIMITIVES.split()}
)


@dataclass
class Inputs:
    """Arrays of one shape: reals x and y, positive p, positions i in a row, bools m and k."""

    x: Any
    y: Any
    p: Any
    i: Any
    m: Any
    k: Any

    def mapped(self, function: Callable[[Any], Any]) -> Inputs:
        return Inputs(*(function(getattr(self, field.name)) for field in fields(self)))


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 4))

    def array(*choices: Any) -> np.ndarray:
        entry = st.sampled_from(choices)
        flat = draw(st.lists(entry, min_size=rows * columns, max_size=rows * columns))
        return np.array(flat).reshape(rows, columns)

    return Inputs(
        array(-1.5, -0.5, 0.0, 0.5, 1.0, 2.0),
        array(-1.0, 0.0, 0.25, 1.0),
        array(0.25, 0.5, 1.0, 3.0),
        array(*range(columns)),
        array(False, True),
        array(False, True),
    )


def assert_same(result: Any, expected: Any) -> None:
    """The same structure, shapes and kinds, and the same numbers."""
    if isinstance(expected, (tuple, list)):
        assert len(result) == len(expected)
        for one, other in zip(result, expected, strict=True):
            assert_same(one, other)
        return
    expected = np.asarray(expected)
    assert np.shape(result) == expected.shape
    if isinstance(result, Array):
        assert result.dtype.kind == expected.dtype.kind, (result.dtype, expected.dtype)
        kinds = {"f": (F, Interval, float), "i": (int,), "b": (bool,)}[expected.dtype.kind]
        assert all(isinstance(value, kinds) for value in values(result).flat)
        result = values(result).astype(expected.dtype)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)
    else:
        assert np.array_equal(result, expected)


def written(x: Any, write: Callable[[Any], Any]) -> Any:
    x = x.copy()
    write(x)
    return x


def assign(key: Callable[[Any], Any], value: Callable[[Any], Any]) -> Callable[[Inputs], Any]:
    return lambda a: written(a.x, lambda x: x.__setitem__(key(a), value(a)))


def rows(a: Inputs) -> Any:
    return np.arange(len(a.x))


Rule = Callable[[Inputs], Any]


def check(rule: Rule, data: Inputs, *algebras: Algebra) -> None:
    """The rule on exact arrays gives what it gives on NumPy's own arrays, in each algebra."""
    with np.errstate(all="ignore"):
        expected = rule(data)
    for algebra in algebras:
        exactly = data.mapped(partial(exact, algebra=algebra))
        assert_same(rule(exactly), expected)


def every_algebra() -> tuple[Algebra, ...]:
    return Exact(), Generic(), Ties()
