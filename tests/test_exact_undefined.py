"""Quotients by zero that a rule discards do no harm, those that it uses raise, infinities mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs import Exact, Ties, UndefinedNumber, exact, values


@pytest.mark.parametrize(
    "rule",
    [
        lambda a, s: np.where(s > 0, a / s, 0),
        lambda a, s: np.divide(a, s, out=np.zeros_like(a), where=s > 0),
        lambda a, s: a / np.where(s > 0, s, 1) * (s > 0),
        lambda a, s: np.select([s > 0], [a / s], default=0),
        lambda a, s: np.where(np.isfinite(a / s), a / s, 0),
        lambda a, s: np.nan_to_num(a * s / s),
        lambda a, s: np.where(s > 0, np.maximum(a / s, 0) + 1, 1) - 1,
    ],
)
def test_guarded_divisions(rule: Callable[[Any, Any], Any]) -> None:
    a, s = exact([F(1, 3), F(1)]), exact([F(0), F(7)])
    assert values(rule(a, s)).tolist()[1] in (F(1, 7), F(1))
    assert values(rule(a, s)).tolist()[0] == 0


@pytest.mark.parametrize(
    ("rule", "use"),
    [
        (lambda x: x / 0 > 1, "is compared"),
        (lambda x: x / 0 == x / 0, "is compared"),
        (lambda x: np.sort(x / 0), "is compared"),
        (lambda x: np.argmax(x / 0), "is compared"),
        (lambda x: np.where(x / 0, 1, 2), "is used as a number"),
        (lambda x: x[(x / 0).astype(int)], "is used as a number"),
        (lambda x: values(np.max(x / 0)), "is entry"),
        (lambda x: values(x % 0), "is entry"),
        (lambda x: values(x // 0), "is entry"),
        (lambda x: values((x > 0) * (x / 0)), "is entry"),
        (lambda x: values((x < 0) * (x / 0)), "is entry"),
        (lambda x: values(x * np.inf - np.inf), "is entry"),
        (lambda x: values((x > 5) * np.inf), "is entry"),
        (lambda x: values(x + np.nan), "is entry"),
        (lambda x: values(np.empty_like(x)), "is entry"),
        (lambda x: values(np.add(x, 1, where=x > 1)), "is entry"),
        (lambda x: np.isnan(1 / (x / 0)), "isnan"),
    ],
)
def test_numbers_that_do_not_exist_raise_on_use(rule: Callable[[Any], Any], use: str) -> None:
    with pytest.raises(UndefinedNumber, match=use) as error:
        rule(exact([F(1), F(2)]))
    assert isinstance(error.value, ZeroDivisionError)
    assert f"{__file__}:{rule.__code__.co_firstlineno}" in str(error.value)


def test_infinities_mask_and_compare() -> None:
    x = exact([[F(1, 3), F(1, 2), F(1, 2)], [F(2), F(0), F(1)]])
    masked = np.where(x < 1, x, -np.inf)
    assert values(np.max(masked, axis=1)).tolist() == [F(1, 2), 0]
    assert values(np.argmax(masked, axis=1)).tolist() == [1, 1]
    assert values(np.sort(masked, axis=1)).tolist()[1] == [-math.inf, -math.inf, 0]
    assert values(masked + 1)[1].tolist() == [-math.inf, 1, -math.inf]
    assert values(np.max(x, initial=np.inf)).item() == math.inf
    assert values(x[:, 0] / np.inf).tolist() == [0, 0]
    assert values(np.isinf(masked)).tolist()[1] == [True, False, True]


@pytest.mark.parametrize("sign", [1, -1])
def test_infinities_under_functions_of_one_number(sign: int) -> None:
    for algebra in (Exact(), Ties()):
        x = exact([sign * math.inf], algebra=algebra)
        whole = [sign * math.inf]
        for function in (np.floor, np.ceil, np.trunc, np.rint, np.positive):
            assert values(function(x)).tolist() == whole
        assert values(-x).tolist() == [-sign * math.inf]
        assert values(abs(x)).tolist() == [math.inf]
        assert values(x**2).tolist() == [math.inf]
        assert values(x**3).tolist() == whole
        assert values(x**-1).tolist() == [0]
        assert values(x**0).tolist() == [1]
        assert values(exact([2.0, 0.5, 1.0], algebra=algebra) ** x).tolist() == (
            [math.inf, 0, 1] if sign > 0 else [0, math.inf, 1]
        )
        for undefined in (x // 2, x % 2, 2 // x, x + np.nan, np.nan * x, x / np.nan, x**np.nan):
            with pytest.raises(UndefinedNumber):
                values(undefined)
        for compare in (np.less, np.less_equal, np.greater, np.greater_equal):
            assert values(compare(x, 0)).tolist() == [bool(compare(whole[0], 0))]
            assert values(compare(0, x)).tolist() == [bool(compare(0, whole[0]))]
            with pytest.raises(UndefinedNumber, match="is compared"):
                compare(x, np.nan)


@given(st.lists(st.sampled_from([-math.inf, -1.5, 0.0, 2.0, math.inf]), min_size=2, max_size=2))
def test_arithmetic_with_infinities_is_that_of_floats(pair: list[float]) -> None:
    """Where floats give NaN or divide by zero, the exact result does not exist."""
    x, y = pair
    for ufunc in (np.add, np.subtract, np.multiply, np.divide, np.less, np.less_equal, np.equal):
        with np.errstate(all="ignore"):
            expected = ufunc(x, y)
        result = ufunc(exact(x), exact(y))
        if np.isnan(expected) or (ufunc is np.divide and y == 0):
            with pytest.raises(UndefinedNumber):
                values(result)
        else:
            assert float(values(result).item()) == expected
