"""A Stackelberg game and a multi-winner auction for models trained together, after Zhang et al.,
"A Privacy-preserving Auction Mechanism for Learning Model as an NFT in Blockchain-Driven Metaverse"
(2023).

`market` has costs and benefits, `mechanism` the auction and the vote before it, `systems` runs them
on batches beside the exact optimum. `game` is the game between providers and users with its
equilibrium as printed, `hmm` forecasts rivals' bids. `claims` puts the paper's claims to the
toolkit; those about formulas are decided in `users`, `providers` and `chain`.
"""

from __future__ import annotations

from mechkit.papers.paper import Market, Paper
from mechkit.papers.pmsam.claims import CLAIMS
from mechkit.papers.pmsam.market import READINGS, draw
from mechkit.papers.pmsam.mechanism import MECHANISMS
from mechkit.papers.pmsam.systems import SYSTEMS, optimum

PAPER = Paper(
    id="pmsam",
    about="models trained together: a Stackelberg game, a vote, a multi-winner double auction",
    market=Market(
        draw=draw,
        sizes={"users": 10, "providers": 5, "organisations": 4},
        optimum=optimum,
        systems=SYSTEMS,
        large={"users": 100, "providers": 50, "organisations": 40},
    ),
    mechanisms=MECHANISMS,
    claims=CLAIMS,
    readings=(
        *READINGS,
        "'The next largest buy-bid': the bid just below each winner's own, or the first that "
        "loses. The seller receives the next smallest sell-bid once, not for every access; without "
        "a rival, its own ask. Where there is no next buy-bid, 0. Claims are about one matched "
        "group of 3 buyers and 2 sellers, types in [0, 1]: groups share nothing, and with B_j = 1 "
        "the budgets of eqs. 2 and 17 never bind.",
        "Users who are voted down have trained all the same, and bear their cost (eq. 34).",
        "q_j (eq. 13) against q_ij (eq. 16): both. Δ of eq. 30 sums over users as printed (Ψ, with "
        "Σ q_i² / Σ q in it, would be convex, too); w below eq. 17 has the other providers' bids, "
        "which are taken. Q and F do not depend on k and ε in eqs. 10-12, so what users reply does "
        "not matter to providers.",
        "Bids, k and ε may be 0: where a provider bids nothing for a user no positive k and ε are "
        "best, and where bidding is worth nothing no positive bid is.",
        "The game is played with each organisation by itself, every provider with its whole "
        "budget.",
        "Bids are forecast from the past. Histories are not published: drawn from hidden Markov "
        "models (`hmm.draw_model`).",
    ),
)
