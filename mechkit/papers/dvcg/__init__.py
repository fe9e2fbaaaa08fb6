"""An auction in two currencies, after Wang et al., "An Enhanced Dual-Currency VCG Auction Mechanism
for Resource Allocation in IoV: A Value of Information Perspective" (2025).

`market` draws utilities; `mechanism` has the rules, and `systems` runs them on batches beside the
exact optimum; `menu` and `quantised` are small auctions, of which `claims` asks what the paper
claims; `collusion` is the linear system of eq. 26.
"""

from __future__ import annotations

from mechkit.papers.dvcg.claims import CLAIMS
from mechkit.papers.dvcg.market import READINGS, draw, optimum
from mechkit.papers.dvcg.menu import MECHANISMS
from mechkit.papers.dvcg.quantised import QUANTISED
from mechkit.papers.dvcg.systems import SYSTEMS
from mechkit.papers.paper import Market, Paper

PAPER = Paper(
    id="dvcg",
    about="network slices for vehicle services: VCG with a bank, and the quantised VCG program",
    market=Market(
        draw=draw,
        sizes={"vsps": 50, "quanta": 20},
        optimum=optimum,
        systems=SYSTEMS,
        large={"vsps": 500, "quanta": 20},
        unit="utility",
    ),
    mechanisms={**MECHANISMS, **QUANTISED},
    claims=CLAIMS,
    readings=(
        *READINGS,
        "norm of eq. 15: negative shares become 0, and a resource of which more than 1 would be "
        "given is divided by the sum. Eq. 16 adds currency to shares of a unit: any bid above the "
        "truth makes Δ large against 1/N and the division almost random.",
        "Eq. 13 divides by zero where nobody bids: loans are equal then.",
        "The tax of eq. 18 is what VSPs pay, in money; VoI currency is lent (Σ K = F) and "
        "reclaimed, and buys nothing else.",
        "For exact work eq. 39 gives way to a menu of allocations with any rational utilities, or "
        "to the few numbers that the rules see of any utilities (see `menu`). The truth is the "
        "true utility of the allocation that is best by the estimates.",
        "QVCG is a linear program, whose optimum may be a lottery: efficient, truthful and "
        "individually rational in expectation, with capacities that hold in expectation. The "
        "small mechanisms choose among whole divisions.",
        "QVCG's bundles: 1…M quanta of each resource or nothing, as printed, and 0…M of each. As "
        "printed at most M VSPs get anything.",
        "Table II counts all rounds for DVCG and one for QVCG; both are given for both. "
        "'Proportional' is Kelly's rule with one bid for all resources, the bid paid.",
    ),
)
