"""An auction in two currencies, after Wang et al., "An Enhanced Dual-Currency VCG Auction Mechanism
for Resource Allocation in IoV: A Value of Information Perspective" (2025).

`market` draws utilities; `mechanism` has the rules, `systems` runs them on batches beside the exact
optimum.
"""

from __future__ import annotations

from mechkit.papers.dvcg.market import READINGS, draw, optimum
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
    mechanisms={},
    claims=(),
    readings=READINGS,
)
