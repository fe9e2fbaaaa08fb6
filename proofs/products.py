"""Sums of products: dot, tensordot, outer, einsum, matmul."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from proofs.arrays import Array, algebra_of, implements, lift
from proofs.errors import unsupported
from proofs.folds import call, fold, store
from proofs.ufuncs import handles, multiply

__all__: list[str] = []


def _sum_of_products(arrays: list[Array], labels: list[str], output: str) -> Array:
    """The product, with axes of the same label aligned, summed over labels not in ``output``."""
    summed = "".join(
        dict.fromkeys(label for term in labels for label in term if label not in output)
    )
    order = output + summed
    product = None
    for array, term in zip(arrays, labels, strict=True):
        for label in dict.fromkeys(term):
            while term.count(label) > 1:
                first, second = term.index(label), term.rindex(label)
                diagonal = np.diagonal(array.terms, axis1=first, axis2=second)
                array = Array(np.moveaxis(diagonal, -1, first), array.kind, array.algebra)
                term = term[:second] + term[second + 1 :]
        present = [label for label in order if label in term]
        array = array.transpose(*(term.index(label) for label in present))
        shape = iter(array.shape)
        array = array.reshape([next(shape) if label in term else 1 for label in order])
        product = array if product is None else multiply(product, array)
    assert product is not None
    if not summed:
        return product.copy()
    axes = tuple(range(len(output), len(order)))
    return fold(product, "some" if product.kind == "bool" else "total", axes, product.kind)


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Array:
    if not isinstance(operands[0], str):
        raise unsupported(
            "np.einsum with lists of axes is not available", "write the subscripts as a string"
        )
    if any(option is not None for option in options.values()):
        raise unsupported(f"np.einsum(..., {', '.join(options)}=) is not available", "leave it out")
    subscripts, *tensors = operands
    algebra = algebra_of(*tensors)
    arrays = [lift(tensor, algebra) for tensor in tensors]
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if len(labels) != len(arrays):
        raise ValueError(
            f"np.einsum({subscripts!r}) names {len(labels)} arrays and got {len(arrays)}"
        )
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    hidden = max(
        (a.ndim - len(term) + 3 for a, term in zip(arrays, labels, strict=True) if "..." in term),
        default=0,
    )
    ellipsis = "".join(spare[:hidden])
    if not arrow:
        letters = inputs.replace(",", "").replace("...", "")
        output = "..." + "".join(
            sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        )
    for i, (a, term) in enumerate(zip(arrays, labels, strict=True)):
        missing = a.ndim - len(term.replace("...", ""))
        if missing and "..." not in term:
            raise ValueError(
                f"np.einsum({subscripts!r}): {term!r} does not name the axes of shape {a.shape}"
            )
        labels[i] = term.replace("...", ellipsis[hidden - missing :])
    return store(_sum_of_products(arrays, labels, output.replace("...", ellipsis)), out)


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Array:
    algebra = algebra_of(a, b)
    a, b = lift(a, algebra), lift(b, algebra)
    if a.ndim == 0 or b.ndim == 0:
        return store(multiply(a, b), out)
    return store(tensordot(a, b, axes=(a.ndim - 1, max(b.ndim - 2, 0))), out)


@implements(np.inner)
def inner(a: Any, b: Any) -> Array:
    algebra = algebra_of(a, b)
    a, b = lift(a, algebra), lift(b, algebra)
    return multiply(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=(-1, -1))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Array:
    return dot(np.ravel(a), np.ravel(b))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    algebra = algebra_of(a, b)
    a, b = lift(a, algebra), lift(b, algebra)
    if isinstance(axes, int):
        left: Any = range(a.ndim - axes, a.ndim)
        right: Any = range(axes)
    else:
        left, right = (([side] if isinstance(side, int) else side) for side in axes)
    left = [normalize_axis_index(axis, a.ndim) for axis in left]
    right = [normalize_axis_index(axis, b.ndim) for axis in right]
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(
            f"the summed axes {left} of shape {a.shape} and {right} of shape {b.shape} do not match"
        )
    a_labels, b_labels = (
        list(string.ascii_lowercase[: a.ndim]),
        list(string.ascii_uppercase[: b.ndim]),
    )
    output = [x for i, x in enumerate(a_labels) if i not in left] + [
        x for i, x in enumerate(b_labels) if i not in right
    ]
    for i, j in zip(left, right, strict=True):
        b_labels[j] = a_labels[i]
    return _sum_of_products([a, b], ["".join(a_labels), "".join(b_labels)], "".join(output))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Array:
    algebra = algebra_of(a, b)
    a, b = lift(a, algebra).ravel(), lift(b, algebra).ravel()
    return call(algebra, np.multiply, a[:, None], b, out=out)


@handles(np.matmul)
def matmul(a: Array, b: Array) -> Array:
    """Sums over the last axis of ``a`` and the last but one (or the only one) of ``b``."""
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul needs arrays of at least one dimension; use * for numbers")
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(
            f"matmul of shapes {a.shape} and {b.shape}: the summed axes differ in length"
        )
    products = multiply(left[..., :, :, None], right[..., None, :, :])
    kind = products.kind
    summed = fold(products, "some" if kind == "bool" else "total", -2, kind)
    if a.ndim == 1:
        summed = summed[..., 0, :]
    return summed[..., 0] if b.ndim == 1 else summed
