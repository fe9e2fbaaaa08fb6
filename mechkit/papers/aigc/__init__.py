"""Local double-sided markets at roadside units, after Fan et al., "A Learning-based Incentive
Mechanism for Mobile AIGC Service in Decentralized Internet of Vehicles" (2024).

`market` draws vehicles, machines and latencies; `mechanism` has the rules, `systems` runs them on
batches of several slots beside the exact optimum; `claims` puts the paper's claims to the toolkit.
"""

from __future__ import annotations

from mechkit.papers.aigc.claims import CLAIMS
from mechkit.papers.aigc.market import READINGS, draw
from mechkit.papers.aigc.mechanism import MECHANISMS
from mechkit.papers.aigc.systems import SYSTEMS, optimum
from mechkit.papers.paper import Market, Paper

PAPER = Paper(
    id="aigc",
    about="local double-sided markets at roadside units: McAfee and second price, slot by slot",
    market=Market(
        draw=draw,
        sizes={"vehicles": 80, "machines": 10, "slots": 5},
        optimum=optimum,
        systems=SYSTEMS,
        large={"vehicles": 800, "machines": 100, "slots": 5},
    ),
    mechanisms=MECHANISMS,
    claims=CLAIMS,
    readings=(
        *READINGS,
        "McAfee's price where no K+1st pair exists is not given: the first K − 1 pairs trade, as "
        "in a reduction. 'The first k − 1 trade for m_k and v_k' is read with K, as its next "
        "clause has it, not as everybody's own bid.",
        "The second price auction has one seller: one auction per machine, its reported cost the "
        "reserve, the price passed on. With several machines a vehicle bids at the one whose "
        "service it asks for ('second price'), or at one after the other ('second price in turn').",
        "Random: bids drawn uniformly from [0, 1], where costs are, put to McAfee.",
        "α of eq. 6 is not given: 0, 0.1 and 1. SW in eq. 6 is eq. 1, or, after the text below it, "
        "the buyers' and sellers' utilities: both. Sums over slots, not means (eq. 3 divides by "
        "T).",
        "Vehicles lose interest never and leave once served, so that the optimum over all slots "
        "is one matching; it knows the later slots.",
    ),
)
