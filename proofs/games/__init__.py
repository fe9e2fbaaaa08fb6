"""Games with an order of moves: equilibria in closed form, derived with SymPy and checked.

A game is written in SymPy, so importing this package loads it; `import proofs` does not.
"""

from proofs.games.check import check
from proofs.games.claim import ClaimReport, Nearby, check_claim
from proofs.games.derive import derive
from proofs.games.draws import draw
from proofs.games.equilibrium import NumericalEquilibrium, numerical_equilibrium
from proofs.games.game import Decision, Family, Game, Parameter, Player, expanded
from proofs.games.solution import (
    Branch,
    Check,
    Equilibrium,
    Fact,
    Failure,
    Reply,
    Status,
    Step,
    Values,
    written_out,
)

__all__ = [
    "Branch",
    "Check",
    "ClaimReport",
    "Decision",
    "Equilibrium",
    "Fact",
    "Failure",
    "Family",
    "Game",
    "Nearby",
    "NumericalEquilibrium",
    "Parameter",
    "Player",
    "Reply",
    "Status",
    "Step",
    "Values",
    "check",
    "check_claim",
    "derive",
    "draw",
    "expanded",
    "numerical_equilibrium",
    "written_out",
]
