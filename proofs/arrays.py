"""The array on which an unchanged NumPy rule runs over other numbers than floats.

An `Array` holds terms of an `Algebra` (rationals, dual numbers, terms of a solver) and takes part
in NumPy's own dispatch: `__array_ufunc__` (NEP 13) and `__array_function__` (NEP 18) look up what
to do in two tables, `UFUNCS` and `FUNCTIONS`, to which other files add one short function per NumPy
function. It is a wrapper and no ndarray: nothing can convert it to floats, to an index or to a
plain array by accident. What would lose exactness raises `Unsupported` and names the line of the
rule.

Semantics are NumPy's: shapes, broadcasting, kinds (bool, int and real for NumPy's bool, int64 and
float64), ties, views.

Source: NumPy Enhancement Proposals 13 (2013) and 18 (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from proofs.algebra import Algebra, Kind, as_array, highest_kind
from proofs.concrete import Exact
from proofs.errors import unsupported
from proofs.indexing import Computed, read, write

__all__ = [
    "FUNCTIONS",
    "UFUNCS",
    "UFUNC_METHODS",
    "Array",
    "algebra_of",
    "implements",
    "lift",
]

_DTYPES: dict[Kind, np.dtype] = {
    "bool": np.dtype(np.bool_),
    "int": np.dtype(np.int64),
    "real": np.dtype(np.float64),
}
_KINDS: dict[str, Kind] = {"b": "bool", "i": "int", "u": "int", "f": "real"}
_NO_FLOATS = (
    "exact numbers are not rounded to floats. Use the reports as they are, np.zeros_like(reports) "
    "instead of np.zeros(shape), and np.stack([a, b]) instead of np.array([a, b])"
)

_NO_INDEX = (
    "its entries depend on the reports. Use np.take_along_axis(table, index, axis) instead of "
    "table[index], np.zeros_like(reports) instead of np.zeros(shape), np.where instead of a mask"
)

UFUNCS: dict[np.ufunc, Callable[..., Array]] = {}
UFUNC_METHODS: dict[str, Callable[..., Array]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}

_EXACT = Exact()


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter an implementation, with NumPy's parameters, in the table of functions."""

    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return enter


def kind_of_dtype(dtype: Any) -> Kind:
    """The kind that stands for a NumPy dtype."""
    code = np.dtype(dtype).kind
    if code not in _KINDS:
        raise unsupported(
            f"dtype {np.dtype(dtype)} has no exact counterpart", "use float, int or bool"
        )
    return _KINDS[code]


def _method(function: Any) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    method.__name__ = function.__name__
    method.__doc__ = f"``np.{function.__name__}`` of this array."
    return method


class Array(NDArrayOperatorsMixin):
    """An array of terms.

    Attributes:
        terms: object ndarray of the terms, of the array's shape.
        kind: "real", "int" or "bool".
        algebra: the arithmetic of the terms.

    Made by `exact`, read by `values`; in between, NumPy's functions and operators apply.
    """

    __slots__ = ("algebra", "kind", "terms")

    def __init__(self, terms: np.ndarray, kind: Kind, algebra: Algebra) -> None:
        self.terms = terms
        self.kind = kind
        self.algebra = algebra

    # What NumPy dispatches

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        handler = UFUNC_METHODS.get(method)
        if handler is None or ufunc not in UFUNCS:
            called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise _no_such_function(f"np.{called}")
        return handler(self.algebra, ufunc, *inputs, **options)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        handler = FUNCTIONS.get(func)
        if handler is None:
            module = getattr(func, "__module__", "numpy").replace("numpy", "np", 1)
            raise _no_such_function(f"{module}.{func.__name__}")
        return handler(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        plain = self.algebra.known(self.terms, self.kind)
        if plain is None:
            raise unsupported(
                f"a plain NumPy array was asked of an array of kind {self.kind!r}",
                _NO_FLOATS if self.kind == "real" else _NO_INDEX,
            )
        return plain if dtype is None else plain.astype(dtype)

    # Shape

    @property
    def shape(self) -> tuple[int, ...]:
        return self.terms.shape

    @property
    def ndim(self) -> int:
        return self.terms.ndim

    @property
    def size(self) -> int:
        return self.terms.size

    @property
    def dtype(self) -> np.dtype:
        """The dtype that the float run has here: float64, int64 or bool."""
        return _DTYPES[self.kind]

    @property
    def T(self) -> Array:
        return self._like(self.terms.T)

    @property
    def mT(self) -> Array:
        return self._like(self.terms.mT)

    @property
    def flat(self) -> Iterator[Array]:
        """The entries in order, for reading."""
        return iter(self.ravel())

    def _like(self, terms: Any) -> Array:
        return Array(as_array(terms), self.kind, self.algebra)

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[Array]:
        if self.ndim == 0:
            raise TypeError("iteration over an array of no dimensions; its one entry is x[()]")
        return (self[row] for row in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Array:
        return self.copy()

    def __repr__(self) -> str:
        return (
            f"Array({np.array2string(self.terms, formatter={'object': str})}, kind={self.kind!r})"
        )

    # Truth values, integers and floats

    def _only_term(self, purpose: str) -> Any:
        if self.size != 1:
            raise ValueError(
                f"{purpose} of an array of shape {self.shape} is ambiguous; "
                "use np.any(...), np.all(...) or np.where(condition, a, b)"
            )
        return self.terms.reshape(-1)[0]

    def __bool__(self) -> bool:
        term = self._only_term("the truth value")
        return self.algebra.decide(self.algebra.cast(term, self.kind, "bool"))

    def __index__(self) -> int:
        plain = None
        if self.kind != "real":
            self._only_term("an integer")
            plain = self.algebra.known(self.terms, self.kind)
        if plain is None:
            raise unsupported(
                f"a Python integer was asked of a number of kind {self.kind!r}",
                "use np.floor or np.rint for rounding, and x[np.arange(batch), index] for indexing",
            )
        return int(plain.reshape(-1)[0])

    __int__ = __index__

    def __floor__(self) -> int:
        return int(np.floor(self).astype(int))

    def __ceil__(self) -> int:
        return int(np.ceil(self).astype(int))

    def __round__(self, digits: int | None = None) -> Any:
        return int(np.rint(self).astype(int)) if digits is None else self.round(digits)

    def __float__(self) -> float:
        raise unsupported("a Python float was asked of an exact number", _NO_FLOATS)

    def __complex__(self) -> complex:
        raise unsupported("a complex number was asked of an exact number", _NO_FLOATS)

    def __hash__(self) -> int:
        if self.ndim or not self.algebra.concrete:
            raise TypeError(
                "an array has no hash; only a single number of exact arithmetic has one"
            )
        return hash(self.terms[()])

    def item(self, *index: int) -> Any:
        """The one entry: a Python int or bool where it is known, else an array of no dimensions."""
        chosen = self.ravel()[index[0]] if len(index) == 1 else self[index] if index else self
        chosen._only_term("the item")
        plain = self.algebra.known(chosen.terms, self.kind) if self.kind != "real" else None
        return chosen.reshape(()) if plain is None else plain.item()

    def tolist(self) -> Any:
        """Nested lists of entries, as `item` gives them."""
        return [row.tolist() for row in self] if self.ndim else self.item()

    # Indexing

    def _key(self, key: Any) -> tuple[tuple[Any, ...], bool]:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(part, (Array, list)) for part in parts):
            return parts, False
        plain_parts, computed = [], False
        for part in parts:
            if isinstance(part, list):
                part = np.asarray(part, dtype=None if part else np.int64)
            elif isinstance(part, Array):
                if part.kind == "real":
                    raise IndexError(
                        "an index is an array of integers or booleans, not of real numbers"
                    )
                plain = self.algebra.known(part.terms, part.kind)
                if plain is None:
                    part, computed = Computed(part.terms, part.kind), True
                else:
                    part = plain if plain.ndim else plain[()]
            plain_parts.append(part)
        return tuple(plain_parts), computed

    def __getitem__(self, key: Any) -> Array:
        parts, computed = self._key(key)
        return self._like(read(self.terms, parts, self.algebra) if computed else self.terms[parts])

    def __setitem__(self, key: Any, value: Any) -> None:
        new = lift(value, self.algebra)
        if new.kind == "real" and self.kind == "int":
            raise unsupported(
                "writing real numbers into an array of integers would cut them",
                "make the array real: np.zeros_like(x, dtype=float)",
            )
        terms = new.astype(_DTYPES[self.kind], copy=False).terms
        parts, computed = self._key(key)
        if computed:
            write(self.terms, parts, terms, self.algebra)
            return
        # The ellipsis makes NumPy assign from an array; without it an object cell would receive the
        # array itself.
        if not any(part is Ellipsis for part in parts):
            parts = (*parts, Ellipsis)
        self.terms[parts] = terms

    # Methods that are NumPy functions

    all = _method(np.all)
    any = _method(np.any)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    argpartition = _method(np.argpartition)
    argsort = _method(np.argsort)
    choose = _method(np.choose)
    clip = _method(np.clip)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    diagonal = _method(np.diagonal)
    dot = _method(np.dot)
    max = _method(np.max)
    mean = _method(np.mean)
    min = _method(np.min)
    nonzero = _method(np.nonzero)
    prod = _method(np.prod)
    repeat = _method(np.repeat)
    round = _method(np.round)
    searchsorted = _method(np.searchsorted)
    squeeze = _method(np.squeeze)
    std = _method(np.std)
    sum = _method(np.sum)
    swapaxes = _method(np.swapaxes)
    take = _method(np.take)
    trace = _method(np.trace)
    var = _method(np.var)

    def astype(self, dtype: Any, *, copy: bool = True) -> Array:
        """The array in another kind; reals are cut towards 0 on the way to int, as NumPy does."""
        kind = kind_of_dtype(dtype)
        if kind == self.kind:
            return self.copy() if copy else self
        if self.terms.ndim == 0:
            terms = as_array(self.algebra.cast(self.terms[()], self.kind, kind))
        else:
            terms = self.algebra.elementwise("cast", self.terms, self.kind, kind)
        return Array(terms, kind, self.algebra)

    def copy(self, order: str = "C") -> Array:
        return self._like(self.terms.copy())

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        return self._like(self.terms.reshape(*shape, order=order))  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Array:
        return self._like(self.terms.transpose(*axes))

    def flatten(self, order: str = "C") -> Array:
        return self._like(self.terms.flatten(order))  # type: ignore[arg-type]

    def ravel(self, order: str = "C") -> Array:
        return self._like(self.terms.ravel(order))  # type: ignore[arg-type]

    def fill(self, value: Any) -> None:
        self[...] = value

    def sort(
        self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> None:
        """Sort in place, as ndarray.sort does."""
        self[...] = FUNCTIONS[np.sort](self, axis, kind, order)

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect") -> None:
        """Sort in place, which is a partition at every ``kth``."""
        self.sort(axis=axis)


def _no_such_function(name: str) -> Exception:
    return unsupported(
        f"{name} is not available on exact and symbolic arrays",
        "write it with arithmetic, comparisons, np.where, np.sort, np.argmax, sums and indexing; "
        "proofs.handled() lists what there is",
    )


def algebra_of(*objects: Any) -> Algebra:
    """The algebra of the first Array among the objects, which may be lists of arrays."""
    for candidate in objects:
        if isinstance(candidate, Array):
            return candidate.algebra
        if isinstance(candidate, (list, tuple)):
            for nested in candidate:
                if isinstance(nested, Array):
                    return nested.algebra
    return _EXACT


def lift(x: Any, algebra: Algebra) -> Array:
    """``x`` as an Array over ``algebra``: constants become its terms, Arrays stay as they are."""
    if isinstance(x, Array):
        if x.algebra is not algebra:
            raise ValueError(
                "two arrays of different algebras meet; make both by exact() with the same algebra="
            )
        return x
    if isinstance(x, (bool, int, float, Fraction)):
        term, kind = algebra.constant(x)
        return Array(as_array(term), kind, algebra)
    if (
        isinstance(x, (list, tuple))
        and algebra_of(x) is algebra
        and any(isinstance(y, Array) for y in x)
    ):
        rows = [lift(row, algebra) for row in x]
        kind = highest_kind(*(row.kind for row in rows))
        return Array(np.stack([row.astype(_DTYPES[kind]).terms for row in rows]), kind, algebra)
    plain = x if isinstance(x, np.ndarray) else _as_plain(x)
    if plain.dtype.kind in "biu":
        kind = "bool" if plain.dtype.kind == "b" else "int"
        return Array(plain.astype(object), kind, algebra)
    if plain.dtype.kind not in "fO":
        raise unsupported(
            f"an array of dtype {plain.dtype} has no exact counterpart",
            "use float, int or bool arrays",
        )
    pairs = [algebra.constant(value) for value in plain.flat]
    kind = "real" if plain.dtype.kind == "f" else highest_kind("bool", *(kind for _, kind in pairs))
    terms = np.empty(plain.size, dtype=object)
    terms[:] = [term if old == kind else algebra.cast(term, old, kind) for term, old in pairs]
    return Array(terms.reshape(plain.shape), kind, algebra)


def _as_plain(x: Any) -> np.ndarray:
    """An ndarray of a nested list; Fractions and big integers stay objects."""
    plain = np.asarray(x)
    exact_entries = np.asarray(x, dtype=object) if isinstance(x, (list, tuple)) else plain
    if exact_entries.shape != plain.shape or plain.dtype.kind in "US":
        raise ValueError(f"not a rectangular array of numbers: {x!r:.80}")
    return plain if plain.dtype.kind == "b" else exact_entries
