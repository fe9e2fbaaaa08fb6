"""The multi-attribute double Dutch auction, after Tong et al., "Multi-attribute Auction-based
Resource Allocation for Twins Migration in Vehicular Metaverses: A GPT-based DRL Approach" (2024).

`market` draws vehicles and roadside units, `matching` has Γ and the optima; `mechanism` has the
auction in closed form, `clocks` runs it under any step policy, `systems` compares; `small` are the
mechanisms that `claims` is about, and `theorem` and `facts` decide the rest.
"""

from __future__ import annotations

from mechkit.papers.madda.claims import CLAIMS
from mechkit.papers.madda.market import READINGS, draw
from mechkit.papers.madda.matching import optimum
from mechkit.papers.madda.small import MECHANISMS
from mechkit.papers.madda.systems import SYSTEMS
from mechkit.papers.paper import Market, Paper

PAPER = Paper(
    id="madda",
    about="multi-attribute double Dutch auction: matching by attributes, then two clocks",
    market=Market(
        draw=draw,
        sizes={"buyers": 200, "sellers": 200},
        optimum=optimum,
        systems=SYSTEMS,
        large={"buyers": 2000, "sellers": 2000},
        unit="ticks",
    ),
    mechanisms=MECHANISMS,
    claims=CLAIMS,
    readings=(
        *READINGS,
        "The clocks take turns, one acceptance each, as in the double Dutch auction that the paper "
        "builds on, and a side is ranked by its values, then by index. A truthful agent accepts at "
        "the first price at or below its value.",
        "Λ are pairs of Γ of which both sides accepted; 'the first |Λ| − 1' leaves out the one "
        "whose buyer accepted last. The proof of Lemma 2 leaves out the buyer who set the price: a "
        "second reading. By rank, with no Γ among winners: a third, for systems.",
        "α of p* is section VI's 1/2. Where the step divides p_max − p_min it plays no role.",
        "The action set is not given: {1, 2, 5, 10, 20}. 'Random' takes each as often.",
        "Eq. 17 is regret where somebody accepts, cost where nobody does; with cost in every round "
        "it is a second reading. Its k is everybody on the side that takes part; those who have "
        "not accepted yet are a third. All rewards are ≤ 0: compare differences.",
        "Welfare and utilities are from true values; eqs. 15-16, from clock prices, stand beside. "
        "A trade by rank that eq. 10 forbids fails, and nobody pays.",
        "The learned auctioneer acts where a clock moves; in a round in which somebody accepts its "
        "action is ignored. Greedy is not described: the step of the least expected cost per tick, "
        "one move ahead, those left being uniform over the rest of the clock.",
        "The optimum is over all matchings that eq. 10 allows. The optimum within Γ, where every "
        "pair that gains trades, is a system and a measure.",
    ),
)
