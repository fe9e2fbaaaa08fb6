"""NumPy's universal functions, operators and indexing on exact arrays agree with float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arithmetics import Inputs, Rule, assign, check, every_algebra, inputs, rows, written
from hypothesis import given, settings

from proofs.algebra import comparators
from proofs.arrays import UFUNCS

UFUNC_CASES: dict[Any, list[Rule]] = {
    np.add: [
        lambda a: a.x + a.y,
        lambda a: a.m + a.k,
        lambda a: a.m + a.x + a.i,
        lambda a: 1 + a.i,
        lambda a: a.i + 0.5,
        lambda a: np.add.reduce(a.x, axis=1),
        lambda a: np.add.reduce(a.m, axis=None),
        lambda a: np.add.reduce(a.x, axis=(0, 1), keepdims=True, initial=2.5),
        lambda a: np.add.accumulate(a.m, axis=0),
        lambda a: np.add.outer(a.x, a.i),
        lambda a: np.add(a.x, a.y, out=np.zeros_like(a.x)),
        lambda a: np.add(a.x, 1, out=np.ones_like(a.x), where=a.m),
        lambda a: np.add(a.i, a.i, dtype=float),
        lambda a: written(a.x, lambda x: np.add.at(x, (slice(None), a.i[0]), 1)),
        lambda a: written(a.x, lambda x: x.__iadd__(a.m)),
    ],
    np.subtract: [lambda a: a.x - a.i, lambda a: a.i - a.m, lambda a: 1 - a.x],
    np.multiply: [
        lambda a: a.x * a.y,
        lambda a: a.m * a.k,
        lambda a: a.m * a.x,
        lambda a: a.x * a.m,
        lambda a: a.i * a.m,
        lambda a: a.i * a.i,
        lambda a: 0.5 * a.i,
        lambda a: np.multiply.reduce(a.x, axis=-1),
        lambda a: np.multiply.accumulate(a.x, axis=1),
        lambda a: np.multiply.outer(a.m, a.x),
    ],
    np.divide: [
        lambda a: a.x / a.p,
        lambda a: a.i / 4,
        lambda a: 1 / a.p,
        lambda a: np.where(a.y > 0, a.x / a.y, 0),
        lambda a: np.divide(a.x, a.y, out=np.zeros_like(a.x), where=a.y != 0),
    ],
    np.floor_divide: [
        lambda a: a.x // a.p,
        lambda a: a.i // 2,
        lambda a: a.i // -2,
        lambda a: a.x // -1,
    ],
    np.remainder: [
        lambda a: a.x % a.p,
        lambda a: a.i % 2,
        lambda a: a.x % -2,
        lambda a: np.mod(a.i, -3),
    ],
    np.power: [
        lambda a: a.x**2,
        lambda a: a.p**-2,
        lambda a: a.i**2,
        lambda a: a.i**0.5,
        lambda a: a.p**0.3,
        lambda a: a.p**a.x,
        lambda a: 2.0**a.i,
    ],
    np.float_power: [lambda a: np.float_power(a.p, 2), lambda a: np.float_power(a.i, 2)],
    np.square: [lambda a: np.square(a.x), lambda a: np.square(a.i)],
    np.reciprocal: [lambda a: np.reciprocal(a.p), lambda a: np.reciprocal(a.i + 1)],
    np.negative: [lambda a: -a.x, lambda a: -a.i],
    np.positive: [lambda a: +a.x],
    np.absolute: [lambda a: abs(a.x), lambda a: np.abs(a.i - 2), lambda a: np.abs(a.m)],
    np.fabs: [lambda a: np.fabs(a.x)],
    np.sign: [lambda a: np.sign(a.x), lambda a: np.sign(a.i - 1)],
    np.floor: [lambda a: np.floor(a.x), lambda a: np.floor(a.x * 0.75)],
    np.ceil: [lambda a: np.ceil(a.x)],
    np.trunc: [lambda a: np.trunc(a.x)],
    np.rint: [lambda a: np.rint(a.x), lambda a: np.rint(a.x * 1.5)],
    np.exp: [lambda a: np.exp(a.x), lambda a: np.exp(a.i)],
    np.exp2: [lambda a: np.exp2(a.x)],
    np.expm1: [lambda a: np.expm1(a.x)],
    np.log: [lambda a: np.log(a.p)],
    np.log1p: [lambda a: np.log1p(a.p)],
    np.log2: [lambda a: np.log2(a.p)],
    np.log10: [lambda a: np.log10(a.p)],
    np.sqrt: [lambda a: np.sqrt(a.p), lambda a: np.sqrt(a.i)],
    np.less: [
        lambda a: a.x < a.y,
        lambda a: a.i < a.x,
        lambda a: a.m < a.k,
        lambda a: a.x > 0.5,
        lambda a: a.x < np.inf,
    ],
    np.less_equal: [lambda a: a.x <= a.y, lambda a: a.m <= a.k],
    np.greater: [lambda a: a.x > a.y, lambda a: a.x > -np.inf],
    np.greater_equal: [lambda a: a.x >= a.y, lambda a: np.arange(a.i.shape[1]) >= a.i],
    np.equal: [
        lambda a: a.x == a.y,
        lambda a: a.m == a.k,
        lambda a: np.arange(a.i.shape[1]) == a.i,
        lambda a: a.m == a.i,
    ],
    np.not_equal: [lambda a: a.x != a.y, lambda a: a.m != a.k],
    np.logical_and: [
        lambda a: np.logical_and(a.x, a.m),
        lambda a: np.logical_and.reduce(a.m, axis=1),
    ],
    np.logical_or: [
        lambda a: np.logical_or(a.i, a.m),
        lambda a: np.logical_or.accumulate(a.m, axis=1),
    ],
    np.logical_xor: [lambda a: np.logical_xor(a.m, a.x)],
    np.logical_not: [lambda a: np.logical_not(a.x), lambda a: np.logical_not(a.m)],
    np.bitwise_and: [lambda a: a.m & a.k, lambda a: np.bitwise_and.reduce(a.m, axis=0)],
    np.bitwise_or: [lambda a: a.m | (a.x > 0)],
    np.bitwise_xor: [lambda a: a.m ^ a.k],
    np.invert: [lambda a: ~a.m],
    np.maximum: [
        lambda a: np.maximum(a.x, a.y),
        lambda a: np.maximum(a.i, 1),
        lambda a: np.maximum(a.i, 0.5),
        lambda a: np.maximum(a.m, a.k),
        lambda a: np.maximum.reduce(a.x, axis=0),
        lambda a: np.maximum.accumulate(a.x, axis=-1),
        lambda a: np.maximum.reduce(a.x, axis=1, initial=0.25, where=a.m),
    ],
    np.minimum: [lambda a: np.minimum(a.x, 0), lambda a: np.minimum.reduce(a.m, axis=1)],
    np.fmax: [lambda a: np.fmax(a.x, a.y)],
    np.fmin: [lambda a: np.fmin(a.x, a.y), lambda a: np.fmin(np.where(a.m, a.x, np.nan), 1)],
    np.isfinite: [lambda a: np.isfinite(a.x), lambda a: np.isfinite(np.where(a.m, a.x, np.inf))],
    np.isnan: [lambda a: np.isnan(a.x), lambda a: np.isnan(np.where(a.m, a.x, np.nan))],
    np.isinf: [lambda a: np.isinf(a.x), lambda a: np.isinf(np.where(a.m, a.x, -np.inf))],
    np.matmul: [
        lambda a: a.x @ a.y.T,
        lambda a: a.x @ a.y[0],
        lambda a: a.y[:, 0] @ a.x,
        lambda a: a.m @ a.k.T,
        lambda a: a.m @ a.i.T,
        lambda a: a.x[0] @ a.y[0],
        lambda a: a.x[:, None, :] @ a.y[:, :, None],
    ],
}


INDEXING_CASES: list[Rule] = [
    lambda a: a.x[rows(a), np.argmax(a.x, axis=1)],
    lambda a: a.x[:, a.i[0]],
    lambda a: a.x[rows(a)[:, None], a.i],
    lambda a: a.x[rows(a)[:, None], -a.i],
    lambda a: a.x[..., a.i[0, 0]],
    lambda a: a.x[0][a.i[0]],
    lambda a: a.x[:, :, None][rows(a), np.argmin(a.y, axis=1)],
    lambda a: a.x[a.i[:, 0] * 0, a.i[:, 0]],
    lambda a: np.stack([a.x, a.y])[a.m.astype(int)[:, 0], :, a.i[:, 0]],
    assign(lambda a: (rows(a), np.argmax(a.x, axis=1)), lambda a: 1),
    assign(lambda a: (rows(a), np.argmax(a.x, axis=1)), lambda a: a.p[:, 0]),
    assign(lambda a: (rows(a)[:, None], np.argsort(a.y, axis=1, kind="stable")), lambda a: a.x),
    assign(lambda a: (slice(None), a.i[0]), lambda a: a.p),
    assign(lambda a: (0, a.i[0, 0]), lambda a: a.p[0, 0]),
    assign(lambda a: (Ellipsis, a.i[0, 0]), lambda a: 4),
    assign(lambda a: a.m, lambda a: 0),
    assign(lambda a: a.m, lambda a: a.p[0, 0]),
    assign(lambda a: a.m[:, 0], lambda a: a.p[0]),
    assign(lambda a: (slice(None), a.m[0]), lambda a: 5),
    assign(lambda a: (0, a.m[0]), lambda a: 5),
    lambda a: written(
        a.x, lambda x: x.__setitem__((rows(a), a.i[:, 0]), x[rows(a), a.i[:, 0]] + 1)
    ),
    lambda a: written(a.x, lambda x: x[:, 0].__iadd__(1)),
    lambda a: a.x.astype(int),
    lambda a: a.m.astype(float) + a.i.astype(bool),
    lambda a: a.x[a.i.shape[0] - 1 :, None, ::-1],
    lambda a: [row.sum() for row in a.x],
    lambda a: a.x.flatten() + a.i.ravel(),
    lambda a: a.x.T.swapaxes(0, 1).squeeze(),
]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, id=f"{function.__name__}-{number}")
        for function, rules in UFUNC_CASES.items()
        for number, rule in enumerate(rules)
    ],
)
@given(data=inputs())
@settings(max_examples=10, deadline=None)
def test_agrees_with_numpy(rule: Rule, data: Inputs) -> None:
    check(rule, data, *every_algebra())


@pytest.mark.parametrize("rule", INDEXING_CASES)
@given(data=inputs())
@settings(max_examples=15, deadline=None)
def test_indexing_agrees_with_numpy(rule: Rule, data: Inputs) -> None:
    check(rule, data, *every_algebra())


def test_every_handled_ufunc_is_tried() -> None:
    assert set(UFUNCS) == set(UFUNC_CASES)


@pytest.mark.parametrize("n", range(1, 9))
def test_merge_exchange_sorts_every_sequence_of_zeros_and_ones(n: int) -> None:
    """Knuth's zero-one principle: then it sorts everything."""
    for number in range(2**n):
        wires = [number >> i & 1 for i in range(n)]
        for i, j in comparators(n):
            wires[i], wires[j] = min(wires[i], wires[j]), max(wires[i], wires[j])
        assert wires == sorted(wires)
