"""The settings that auction theory names, each a declaration of value, feasibility and size.

Types lie in [low, high], [0, 1] unless said otherwise. Where allocations are indivisible, fractions
are the probabilities of a lottery and values are expected values, except where stated.
"""

from mechkit.constructors.goods import (
    additive,
    bundle_table,
    combinatorial,
    single_minded,
    unit_demand,
)
from mechkit.constructors.shared import divisible, public_project
from mechkit.constructors.trade import double_auction
from mechkit.constructors.units import multi_unit, positions, single_item

__all__ = [
    "additive",
    "bundle_table",
    "combinatorial",
    "divisible",
    "double_auction",
    "multi_unit",
    "positions",
    "public_project",
    "single_item",
    "single_minded",
    "unit_demand",
]
