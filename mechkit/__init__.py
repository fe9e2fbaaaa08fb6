"""mechkit: optimisation and verification for mechanisms.

Declare a mechanism once, as an allocation rule and a payment rule in plain NumPy, and ask whether
it has the properties that it claims: `verify` refutes them with a smallest exact counterexample, or
says how hard it tried. `optimum` and `vcg` say how good any mechanism could be at given types.
"""

from mechkit.constructors import (
    additive,
    combinatorial,
    divisible,
    double_auction,
    multi_unit,
    positions,
    public_project,
    single_item,
    single_minded,
    unit_demand,
)
from mechkit.errors import InputError, MechkitError, RuleError
from mechkit.mechanism import Mechanism, Outcome, play
from mechkit.optimal import Optimality, optimality
from mechkit.optimum import optimum, vcg
from mechkit.properties import PROPERTIES, Property
from mechkit.settings import Lottery, Setting
from mechkit.spaces import Space, box, contains, grid
from mechkit.verdict import Certificate, Counterexample, Effort, Report, Status, Verdict
from mechkit.verify import verify

__version__ = "0.1.0"

__all__ = [
    "PROPERTIES",
    "Certificate",
    "Counterexample",
    "Effort",
    "InputError",
    "Lottery",
    "Mechanism",
    "MechkitError",
    "Optimality",
    "Outcome",
    "Property",
    "Report",
    "RuleError",
    "Setting",
    "Space",
    "Status",
    "Verdict",
    "__version__",
    "additive",
    "box",
    "combinatorial",
    "contains",
    "divisible",
    "double_auction",
    "grid",
    "multi_unit",
    "optimality",
    "optimum",
    "play",
    "positions",
    "public_project",
    "single_item",
    "single_minded",
    "unit_demand",
    "vcg",
    "verify",
]
