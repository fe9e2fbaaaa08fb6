"""Every NumPy function on symbolic arrays: profiles put into the result give the exact numbers.

The rules are those on which exact arithmetic agrees with NumPy, so all three agree.
"""

from __future__ import annotations

from fractions import Fraction as F
from functools import partial
from typing import Any

import numpy as np
import pytest
from arithmetics import Inputs, Rule
from symbolic_profiles import Run, assert_agree, reals, unknowns
from test_exact_functions import CONCRETE_CASES, FUNCTION_CASES
from test_exact_ufuncs import INDEXING_CASES, UFUNC_CASES

from proofs import Array, Symbolic, Unsupported, exact, symbols

SHAPE = (2, 3)
PROFILES = 12
CHOICES: dict[str, list[Any]] = {
    "x": [F(-3, 2), F(-1, 2), F(0), F(1, 2), F(1), F(2)],
    "y": [F(-1), F(0), F(1, 4), F(1)],
    "p": [F(1, 4), F(1, 2), F(1), F(3)],
    "i": [0, 1, 2],
    "m": [False, True],
    "k": [False, True],
}


def unknown_inputs(algebra: Symbolic) -> Inputs:
    """Unknown reals and bools, and positions that count unknown bools."""
    ticks = symbols("i", (*SHAPE, SHAPE[1] - 1), algebra=algebra, kind="bool")
    real = {name: symbols(name, SHAPE, algebra=algebra) for name in "xyp"}
    boolean = {name: symbols(name, SHAPE, algebra=algebra, kind="bool") for name in "mk"}
    return Inputs(**real, **boolean, i=np.sum(ticks, axis=-1))


def check(rule: Rule, seed: int) -> None:
    algebra = Symbolic()
    arrays = unknown_inputs(algebra)
    run = Run(rule(arrays), algebra)
    rng = np.random.default_rng(seed)
    for _ in range(PROFILES):
        drawn = {name: reals(rng, SHAPE, choices) for name, choices in CHOICES.items()}
        values_of: dict[str, Any] = {}
        for name in "xypmk":
            values_of |= unknowns(getattr(unknown_inputs(Symbolic()), name), drawn[name])
        for place in np.ndindex(*SHAPE):
            for tick in range(SHAPE[1] - 1):
                name = "_".join(["i", *map(str, place), str(tick)])
                values_of[name] = tick < drawn["i"][place]
        concrete = Inputs(**{name: exact(numbers) for name, numbers in drawn.items()})
        assert_agree(run, values_of, partial(rule, concrete))


CASES = {
    f"{name}-{number}": rule
    for name, rules in [
        *((f.__name__, rules) for f, rules in {**FUNCTION_CASES, **UFUNC_CASES}.items()),
        ("index", INDEXING_CASES),
    ]
    for number, rule in enumerate(rules)
}
# What leaves the rationals, what asks for NaN, and an integer made of a real that is no position.
UNSUPPORTED = {
    "exp-0", "exp-1", "exp2-0", "expm1-0", "fmin-1", "index-22", "isnan-1", "log-0", "log10-0",
    "log1p-0", "log2-0", "nan_to_num-0", "nan_to_num-2", "power-3", "power-4", "power-5", "power-6",
    "sqrt-0", "sqrt-1", "std-0",
}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case not in UNSUPPORTED])
def test_profiles_in_the_symbolic_result_give_the_exact_numbers(case: str) -> None:
    check(CASES[case], seed=7)


@pytest.mark.parametrize("case", sorted(UNSUPPORTED))
def test_what_is_not_supported_names_itself_and_the_line(case: str) -> None:
    rule = CASES[case]
    line = f"{rule.__code__.co_filename}:{rule.__code__.co_firstlineno}"
    with pytest.raises(Unsupported) as error:
        rule(unknown_inputs(Symbolic()))
    assert line in str(error.value)


@pytest.mark.parametrize("rule", CONCRETE_CASES)
def test_python_may_not_look_at_unknown_values(rule: Rule) -> None:
    """It raises, or hands the entries on as arrays (tolist, item)."""
    try:
        result = rule(unknown_inputs(Symbolic()))
    except (Unsupported, TypeError):
        return
    entries = [result] if isinstance(result, Array) else [x for row in result for x in row]
    assert entries
    assert all(isinstance(entry, Array) and entry.shape == () for entry in entries)
