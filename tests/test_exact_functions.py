"""NumPy's functions on exact arrays agree with float64, ties included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arithmetics import Inputs, Rule, check, every_algebra, inputs, written
from hypothesis import given, settings

from proofs import Exact, Ties, handled
from proofs.arrays import FUNCTIONS

FUNCTION_CASES: dict[Any, list[Rule]] = {
    np.sum: [
        lambda a: np.sum(a.x),
        lambda a: a.m.sum(axis=1),
        lambda a: a.x.sum(axis=(0, 1), keepdims=True),
        lambda a: np.sum(a.x, axis=1, where=a.m, initial=1),
        lambda a: np.sum(a.i, axis=0, dtype=float),
        lambda a: a.x[:0].sum(axis=0),
    ],
    np.prod: [
        lambda a: np.prod(a.x, axis=1),
        lambda a: a.m.prod(axis=1),
        lambda a: a.x[:, :0].prod(-1),
    ],
    np.max: [
        lambda a: np.max(a.x, axis=1),
        lambda a: a.m.max(),
        lambda a: a.i.max(axis=0, keepdims=True),
    ],
    np.amax: [lambda a: np.amax(a.x, 1)],
    np.min: [lambda a: np.min(a.x, axis=1), lambda a: a.x.min(axis=1, initial=0.25, where=a.k)],
    np.amin: [lambda a: np.amin(a.i, 1)],
    np.all: [lambda a: np.all(a.m, axis=1), lambda a: a.x.all(), lambda a: np.all(a.m, where=a.k)],
    np.any: [lambda a: np.any(a.m, axis=1), lambda a: a.i.any(axis=0, keepdims=True)],
    np.cumsum: [
        lambda a: np.cumsum(a.x, axis=1),
        lambda a: a.m.cumsum(),
        lambda a: np.cumsum(a.i, axis=0),
    ],
    np.cumprod: [lambda a: np.cumprod(a.x, axis=1), lambda a: a.m.cumprod(axis=1)],
    np.ptp: [lambda a: np.ptp(a.x, axis=1)],
    np.count_nonzero: [lambda a: np.count_nonzero(a.x, axis=1), lambda a: np.count_nonzero(a.m)],
    np.mean: [
        lambda a: np.mean(a.x, axis=1),
        lambda a: a.m.mean(),
        lambda a: a.i.mean(axis=0, keepdims=True),
        lambda a: np.mean(a.x, axis=1, where=a.x <= a.x[:, :1]),
    ],
    np.average: [
        lambda a: np.average(a.x, axis=1, weights=a.p),
        lambda a: np.average(a.x, axis=1, weights=a.p[0]),
        lambda a: np.average(a.i),
        lambda a: np.average(a.x, axis=0, weights=a.p[:, 0], returned=True),
    ],
    np.var: [
        lambda a: np.var(a.x, axis=1),
        lambda a: a.i.var(),
        lambda a: np.tile(a.x, 2).var(axis=1, ddof=1),
    ],
    np.std: [lambda a: np.std(a.x, axis=1)],
    np.median: [
        lambda a: np.median(a.x, axis=1),
        lambda a: np.median(a.i),
        lambda a: np.median(a.x, 0, keepdims=True),
    ],
    np.argmax: [
        lambda a: np.argmax(a.x, axis=1),
        lambda a: np.argmax(a.m, axis=1),
        lambda a: a.i.argmax(),
        lambda a: np.argmax(np.where(a.m, a.x, -np.inf), axis=-1, keepdims=True),
    ],
    np.argmin: [lambda a: np.argmin(a.x, axis=0), lambda a: np.argmin(a.m, axis=1)],
    np.isclose: [
        lambda a: np.isclose(a.x, a.y),
        lambda a: np.isclose(a.x, np.where(a.m, np.inf, a.x)),
    ],
    np.allclose: [lambda a: np.allclose(a.x, a.y), lambda a: np.allclose(a.x, a.x + 1e-9)],
    np.array_equal: [lambda a: np.array_equal(a.m, a.k), lambda a: np.array_equal(a.x, a.x[:, :0])],
    np.sort: [
        lambda a: np.sort(a.x, axis=1),
        lambda a: np.sort(a.m, axis=0),
        lambda a: np.sort(a.i, axis=None),
        lambda a: np.sort(np.where(a.m, a.x, np.inf), axis=-1),
        lambda a: written(a.x, lambda x: x.sort()),
    ],
    np.argsort: [
        lambda a: np.argsort(a.x, axis=1, kind="stable"),
        lambda a: np.argsort(-a.i, axis=0, kind="stable"),
        lambda a: np.argsort(a.m, kind="stable"),
        lambda a: np.argsort(np.argsort(a.x, kind="stable"), kind="stable"),
    ],
    np.partition: [
        lambda a: np.partition(a.x, 0, axis=1)[:, 0],
        lambda a: written(a.x, lambda x: x.partition(0))[:, 0],
    ],
    np.argpartition: [lambda a: np.take_along_axis(a.x, np.argpartition(a.x, 0), -1)[:, :1]],
    np.lexsort: [lambda a: np.lexsort((a.x, a.y)), lambda a: np.lexsort((a.i[0], a.x[0]))],
    np.where: [
        lambda a: np.where(a.m, a.x, a.i),
        lambda a: np.where(a.x > 0, a.i, 0),
        lambda a: np.where(a.m, a.k, False),
        lambda a: np.where(a.m[:, :1], a.x, a.y[0]),
        lambda a: np.where(a.i, 0.5, a.i),
    ],
    np.select: [lambda a: np.select([a.m, a.x > 0], [a.x, a.i], default=-1)],
    np.choose: [
        lambda a: np.choose(np.minimum(a.i, 1), [a.x, a.y]),
        lambda a: a.m.astype(int).choose([0, a.x]),
    ],
    np.clip: [
        lambda a: np.clip(a.x, 0, a.p),
        lambda a: a.x.clip(-1),
        lambda a: np.clip(a.i, None, 1),
        lambda a: a.x.clip(max=0),
    ],
    np.nan_to_num: [
        lambda a: np.nan_to_num(np.where(a.m, a.x, np.nan)),
        lambda a: np.nan_to_num(np.where(a.m, a.x, -np.inf), neginf=-9.0),
        lambda a: np.nan_to_num(a.y * 0 / a.y, nan=0.25),
    ],
    np.take_along_axis: [
        lambda a: np.take_along_axis(a.x, a.i, axis=1),
        lambda a: np.take_along_axis(a.x, np.argsort(a.y, axis=1, kind="stable"), axis=1),
        lambda a: np.take_along_axis(a.x, np.argmax(a.x, axis=0, keepdims=True), axis=0),
    ],
    np.put_along_axis: [
        lambda a: written(a.x, lambda x: np.put_along_axis(x, a.i[:, :1], a.p[:, :1], axis=1)),
        lambda a: written(
            a.x, lambda x: np.put_along_axis(x, np.argsort(a.y, kind="stable"), a.p, axis=-1)
        ),
        lambda a: written(a.x, lambda x: np.put_along_axis(x, a.i, 7, axis=1)),
    ],
    np.take: [
        lambda a: np.take(a.x, a.i[0], axis=1),
        lambda a: a.x.take(a.i),
        lambda a: np.take(a.x, -1, axis=1),
    ],
    np.searchsorted: [
        lambda a: np.searchsorted(np.sort(a.x[0]), a.y),
        lambda a: np.searchsorted(
            a.x[0], a.y, side="right", sorter=np.argsort(a.x[0], kind="stable")
        ),
    ],
    np.isin: [lambda a: np.isin(a.x, a.y), lambda a: np.isin(a.i, [0, 2], invert=True)],
    np.interp: [
        lambda a: np.interp(a.x, [-1, 0.5, 1], [0, 4, 2]),
        lambda a: np.interp(a.x, np.cumsum(a.p[0]), a.y[0], left=-7),
    ],
    np.concatenate: [
        lambda a: np.concatenate([a.x, a.i], axis=1),
        lambda a: np.concatenate([a.m, a.k]),
    ],
    np.stack: [lambda a: np.stack([a.x, a.m], axis=-1)],
    np.vstack: [lambda a: np.vstack([a.x, a.y])],
    np.hstack: [lambda a: np.hstack([a.x, a.i])],
    np.dstack: [lambda a: np.dstack([a.x, a.i])],
    np.column_stack: [lambda a: np.column_stack([a.x[:, 0], a.y])],
    np.append: [lambda a: np.append(a.x, a.i), lambda a: np.append(a.x, a.y[:1], axis=0)],
    np.insert: [
        lambda a: np.insert(a.x, 1, 0, axis=1),
        lambda a: np.insert(a.x, 0, a.i[:, 0], axis=1),
    ],
    np.pad: [
        lambda a: np.pad(a.x, ((0, 0), (0, 1))),
        lambda a: np.pad(a.x, 1, constant_values=3),
        lambda a: np.pad(a.x, ((0, 0), (1, 0)), mode="edge"),
    ],
    np.broadcast_arrays: [lambda a: np.broadcast_arrays(a.x, a.y[:1])],
    np.meshgrid: [lambda a: np.meshgrid(a.x[0], a.i[:, 0])],
    np.zeros_like: [
        lambda a: np.zeros_like(a.x),
        lambda a: np.zeros_like(a.m, dtype=int),
        lambda a: np.zeros_like(a.x, shape=2),
    ],
    np.ones_like: [lambda a: np.ones_like(a.m), lambda a: np.ones_like(a.x)],
    np.full_like: [
        lambda a: np.full_like(a.x, 0.3),
        lambda a: np.full_like(a.x, -np.inf),
        lambda a: np.full_like(a.m, 1),
    ],
    np.empty_like: [lambda a: written(np.empty_like(a.x), lambda x: x.fill(0.25))],
    np.copyto: [lambda a: written(a.x, lambda x: np.copyto(x, a.y, where=a.m))],
    np.fill_diagonal: [lambda a: written(a.x, lambda x: np.fill_diagonal(x, 9))],
    np.tril: [lambda a: np.tril(a.x), lambda a: np.tril(a.m, -1)],
    np.triu: [lambda a: np.triu(a.x, 1)],
    np.trace: [lambda a: np.trace(a.x), lambda a: a.m.trace(offset=1)],
    np.diff: [
        lambda a: np.diff(a.x),
        lambda a: np.diff(a.m, axis=0),
        lambda a: np.diff(a.x, prepend=0, append=a.y),
        lambda a: np.diff(a.i, n=2),
    ],
    np.round: [lambda a: np.round(a.x), lambda a: (a.x * 0.25).round(2), lambda a: np.round(a.i)],
    np.around: [lambda a: np.around(a.x, 1)],
    np.shape: [lambda a: np.shape(a.x)],
    np.ndim: [lambda a: np.ndim(a.x)],
    np.size: [lambda a: np.size(a.x, 1)],
    np.result_type: [
        lambda a: np.result_type(a.x, a.i).itemsize,
        lambda a: np.result_type(a.m, np.int64).num,
    ],
    np.iscomplexobj: [lambda a: np.iscomplexobj(a.x)],
    np.isrealobj: [lambda a: np.isrealobj(a.x)],
    np.may_share_memory: [lambda a: np.may_share_memory(a.x, a.x[:1])],
    np.shares_memory: [lambda a: np.shares_memory(a.x, a.y)],
    np.apply_along_axis: [
        lambda a: np.apply_along_axis(np.sum, 1, a.x),
        lambda a: np.apply_along_axis(lambda row: row - row.min(), 0, a.x),
    ],
    np.einsum: [
        lambda a: np.einsum("ij,ij->i", a.x, a.y),
        lambda a: np.einsum("ij,kj", a.x, a.y),
        lambda a: np.einsum("...j,j->...", a.x, a.p[0]),
        lambda a: np.einsum("bi,bj->bij", a.m, a.x),
        lambda a: np.einsum("ii->i", a.x[:1, :1]),
        lambda a: np.einsum("ij->j", a.x),
    ],
    np.dot: [
        lambda a: np.dot(a.x, a.y.T),
        lambda a: a.x[0].dot(a.y[0]),
        lambda a: np.dot(a.x, 2),
        lambda a: np.dot(a.x, a.y[0]),
    ],
    np.inner: [lambda a: np.inner(a.x, a.y)],
    np.vdot: [lambda a: np.vdot(a.x, a.y)],
    np.tensordot: [
        lambda a: np.tensordot(a.x, a.y),
        lambda a: np.tensordot(a.x, a.p, axes=([0], [0])),
    ],
    np.outer: [lambda a: np.outer(a.x, a.i)],
    np.diag: [lambda a: np.diag(a.x), lambda a: np.diag(a.x[0], 1), lambda a: np.diag(a.x[0], -1)],
    np.array_split: [lambda a: np.array_split(a.x, 2, axis=1)],
    np.split: [lambda a: np.split(a.x, [1], axis=1)],
    np.hsplit: [lambda a: np.hsplit(a.x, 1)],
    np.vsplit: [lambda a: np.vsplit(a.x, [1])],
    np.dsplit: [lambda a: np.dsplit(a.x[:, :, None], 1)],
    np.atleast_1d: [lambda a: np.atleast_1d(a.x[0, 0])],
    np.atleast_2d: [lambda a: np.atleast_2d(a.x[0])],
    np.atleast_3d: [lambda a: np.atleast_3d(a.x)],
    np.broadcast_to: [lambda a: np.broadcast_to(a.x, (2, *a.x.shape))],
    np.copy: [lambda a: np.copy(a.i)],
    np.delete: [lambda a: np.delete(a.x, 0, axis=1)],
    np.diagonal: [lambda a: np.diagonal(a.x), lambda a: a.x.diagonal()],
    np.expand_dims: [lambda a: np.expand_dims(a.x, (0, 2))],
    np.flip: [lambda a: np.flip(a.x, axis=1), lambda a: np.flip(a.i)],
    np.fliplr: [lambda a: np.fliplr(a.x)],
    np.flipud: [lambda a: np.flipud(a.x)],
    np.matrix_transpose: [lambda a: np.matrix_transpose(a.x)],
    np.moveaxis: [lambda a: np.moveaxis(a.x, 0, 1)],
    np.permute_dims: [lambda a: np.permute_dims(a.x, (1, 0))],
    np.ravel: [lambda a: np.ravel(a.x), lambda a: a.x.ravel(order="F")],
    np.repeat: [lambda a: np.repeat(a.x, 2, axis=1), lambda a: a.i.repeat(2)],
    np.reshape: [lambda a: np.reshape(a.x, -1), lambda a: a.x.reshape(1, -1)],
    np.resize: [lambda a: np.resize(a.x, (2, 3))],
    np.roll: [lambda a: np.roll(a.x, 1, axis=1)],
    np.rollaxis: [lambda a: np.rollaxis(a.x, 1)],
    np.rot90: [lambda a: np.rot90(a.x)],
    np.squeeze: [lambda a: np.squeeze(a.x[:, :1], axis=1)],
    np.swapaxes: [lambda a: np.swapaxes(a.x, 0, 1)],
    np.tile: [lambda a: np.tile(a.x, (2, 1))],
    np.transpose: [lambda a: np.transpose(a.x), lambda a: a.x.transpose(1, 0)],
}


CONCRETE_CASES: list[Rule] = [
    lambda a: np.nonzero(a.x),
    lambda a: np.where(a.m),
    lambda a: a.i.nonzero(),
    lambda a: np.flatnonzero(a.m),
    lambda a: np.argwhere(a.x > 0),
    lambda a: np.extract(a.m, a.x),
    lambda a: np.compress(a.m[0], a.x, axis=1),
    lambda a: np.unique(a.x),
    lambda a: np.unique(a.i, return_index=True, return_inverse=True, return_counts=True),
    lambda a: a.x[a.m],
    lambda a: a.x[a.m[:, 0]],
    lambda a: written(a.x, lambda x: x.__setitem__(a.m, a.y[a.m])),
    lambda a: np.asarray(a.i) + np.asarray(a.m),
    lambda a: [a.x[0, int(j)] for j in a.i[0]],
    lambda a: [x if x > 0 else -x for x in a.x[0]],
    lambda a: max(a.x[0]) + min(a.x[0]),
    lambda a: sorted(a.x[0]),
    lambda a: len(set(a.i[0])),
    lambda a: np.repeat(a.x, a.i[0], axis=1),
    lambda a: np.roll(a.x, a.i[0, 0], axis=1),
    lambda a: a.i.tolist(),
    lambda a: a.i[0, 0].item(),
    lambda a: np.delete(a.x, a.i[0, 0], axis=1),
]
CONCRETE_FUNCTIONS = {np.nonzero, np.flatnonzero, np.argwhere, np.extract, np.compress, np.unique}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, id=f"{function.__name__}-{number}")
        for function, rules in FUNCTION_CASES.items()
        for number, rule in enumerate(rules)
    ],
)
@given(data=inputs())
@settings(max_examples=10, deadline=None)
def test_agrees_with_numpy(rule: Rule, data: Inputs) -> None:
    check(rule, data, *every_algebra())


@pytest.mark.parametrize("rule", CONCRETE_CASES)
@given(data=inputs())
@settings(max_examples=10, deadline=None)
def test_agrees_with_numpy_where_python_may_look_at_values(rule: Rule, data: Inputs) -> None:
    check(rule, data, Exact(), Ties())


def test_every_handled_function_is_tried() -> None:
    assert set(FUNCTIONS) == set(FUNCTION_CASES) | CONCRETE_FUNCTIONS
    assert {function.__name__ for function in FUNCTION_CASES} <= set(handled())
