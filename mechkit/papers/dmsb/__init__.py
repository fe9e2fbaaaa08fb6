"""A modified second bid auction with a learned price scaling factor, for vehicle twin tasks.

Kang et al., "Diffusion-based auction mechanism for efficient resource management in 6G-enabled
vehicular metaverses". A UAV and N ground stations compete for one task: the best station has it if
it is ρ times ahead of its rivals, else the UAV. `market` draws what tasks are worth, `rules` holds
the auction and its factors, `history` two rounds of it, `systems` what they attain, `claims` what
is said of them.
"""

from __future__ import annotations

from functools import partial

from mechkit.papers.dmsb.claims import CLAIMS
from mechkit.papers.dmsb.history import two_rounds
from mechkit.papers.dmsb.market import draw
from mechkit.papers.dmsb.rules import MECHANISMS
from mechkit.papers.dmsb.systems import SYSTEMS, first_best
from mechkit.papers.paper import Market, Paper

READINGS: tuple[str, ...] = (
    "ρ = 10^(a/|A|) with a = 0…|A| and |A| = 20, so that ρ is from 1 to 10; claims about constants "
    "are asked for every real ρ in [1, 10]",
    "eq. 14's maximum: over the other stations (as in Arnosti, Beck & Milgrom 2016), or over all "
    "other providers with the UAV's contract bid among them; both are run and both are asked",
    "eq. 13 is a maximum as printed; its maximiser, v_0, is the contract bid: in the market the "
    "UAV bids its value, as constraint 12b says, and pays it",
    "providers pay for the task (they bid for the opportunity): a payment is positive, and the "
    "auctioneer keeps their sum",
    "ties: eq. 14 is strict, so that equal best stations leave the task to the UAV",
    "ζ is not given: 1.5, with the surplus at 1, 1.5 and 2 among what is measured",
    "ω_1 = ω_2 = 1: they scale every value alike",
    "R_m is uniform on (0.5, 0.95), drawn for each provider and period in place of pixels: "
    "1/(1 - R)^2 has no mean on (0, 1)",
    "g = 1 and σ² = 1 everywhere; power is uniform on (1, 10) for the user and for each provider",
    "GPU and CPU are uniform on (0, 2] units; a unit is 100 Mbit/s, so that processing and "
    "transmission take times of the same order",
    "expectations over the past T periods: T = 10 tasks of other sizes, users and accuracies, with "
    "the provider's equipment as it is; D_task = D_req",
    "the common value has an index n in eq. 9: each provider has its own, and no factor that all "
    "share is drawn, as it would be in the model that Theorem 1 leans on",
    "the myopic and the optimal factor: u_0 and u_(2) are the two highest bids of all providers, "
    "or the UAV's bid and the stations' second; both are run; a second bid of 0 means ρ = 1",
    "history: in a claim about one round it is fixed, four rounds written out; that today's bid is "
    "tomorrow's history is asked apart, over two rounds",
    "the optimal factor's means are over 256 past rounds, drawn independently of the instances",
    "best constant: the best of the 21 factors on those past rounds",
    "greedy is not described: each of the 21 actions is tried on as many past rounds, in turn, and "
    "the one with the best mean reward so far is taken, whatever the bids (a greedy choice that "
    "reads the bids is the optimum)",
    "the auctioneer of section 5.2 decides about independent rounds: episodes of one step, whose "
    "state is all bids and all expected latencies",
)

PAPER = Paper(
    id="dmsb",
    about="a UAV and ground stations bid for a task; a learned factor sets how far ahead a station "
    "must be",
    market=Market(
        draw=draw,
        sizes={"stations": 6},
        optimum=first_best,
        systems=SYSTEMS,
        large={"stations": 90},
    ),
    mechanisms={
        **MECHANISMS,
        "two-rounds": partial(two_rounds, everybody=False),
        "two-rounds-all": partial(two_rounds, everybody=True),
    },
    claims=CLAIMS,
    readings=READINGS,
)
