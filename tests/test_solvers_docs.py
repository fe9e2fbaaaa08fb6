"""The examples in the pillar's docstring run, and its table names what there is."""

from __future__ import annotations

import doctest

import pytest

import solvers
from solvers import vcg


def test_the_examples_run():
    assert doctest.testmod(solvers).attempted >= 4
    assert doctest.testmod(solvers).failed == 0


@pytest.mark.parametrize("name", vcg.__all__)
def test_vcg_has_the_names_of_the_optima(name):
    assert callable(getattr(solvers, name))
    assert name in solvers.__doc__
