"""What the paper claims of its auction, and of those that it compares it with.

What is claimed with parameters known exactly is put to auctions of any utilities (`any_auction`),
which take in eq. 39; what fails, to small menus, whose counterexamples have allocations to look at.
`unique_collusive_bid` is linear algebra (`collusion`).
"""

from __future__ import annotations

from mechkit.papers.claim import Asked, Claim, Fact
from mechkit.papers.dvcg.collusion import (
    UNIQUE,
    decide_proper,
    decide_unique,
    replay_proper,
    replay_unique,
)

KNOWN = "parameters known exactly; any utilities, of which the rules see U*, W(−i) and u(s̃) only"
MENU = "parameters known exactly; a menu of allocations with rational utilities, α = 1, w = 0"
TAUGHT = (
    "estimates as bids teach them (eq. 27): what is bid for an allocation is taken for its "
    "utility; the bank knows the true ones; the outsider bids the truth; a menu of allocations"
)
ESTIMATES = "the estimates of provider and bank are any numbers; a menu of allocations"
PRINTED = "bundles of 1…M quanta of each resource, or nothing, as printed; M = 2"
FULL = "bundles of 0…M quanta of each resource; M = 1"
GROWING = "larger bundles are worth no less"

CEILING = (
    "A profit is SW(s̃) − W(−i) − |K_i − U*_i| (α = 1, w = 0), at most SW* − W(−i) whatever anybody "
    "bids, and exactly that where all bid the truth"
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "dvcg.dsic",
        "Title claim: Abstract, contributions, section IV.B",
        "A bid equal to one's value of information is best whatever the others bid.",
        Asked("dvcg-menu", "ic"),
        False,
        "Three VSPs, each worth 1/4 of the one that is chosen; two bid 1/8. Then the third, "
        "bidding 1/4, is lent half of 3/4, that is 3/8, and owes 1/8 interest; bidding 1/8 it is "
        "lent 1/4 and owes none. Loans see proportions only: against scaled bids one must scale.",
        reading=MENU,
    ),
    Claim(
        "dvcg.ex_post_nash",
        "Section IV.B, Case I",
        "Where the others bid their values of information, so does everybody who maximises profit.",
        Asked("dvcg", "ex_post_nash"),
        True,
        f"{CEILING}.",
        reading=KNOWN,
    ),
    Claim(
        "dvcg.ex_post_nash/estimates",
        "Section IV.B, Case I",
        "Where the others bid their values of information, so does everybody who maximises profit, "
        "also while the estimates are off.",
        Asked("dvcg-estimates", "ex_post_nash"),
        False,
        "Everything is worth 1/4 to two VSPs, and is thought to be worth 1/2 to the first and 1/4 "
        "to the second. At the truth each is lent 3/8, off by 1/8; bidding 1/8, the second is lent "
        "3/4 · 1/3 = 1/4 and owes nothing. Best is what the bank believes, not the truth.",
        reading=ESTIMATES,
    ),
    Claim(
        "dvcg.collusion_proof",
        "Section IV.B, Case II, and fig. 8",
        "Two VSPs that bid jointly do not gain in sum, where the third bids the truth.",
        Asked("colluders", "collusion_proof"),
        True,
        f"{CEILING}: no coalition, of any size, can have more for any of its members.",
        reading=KNOWN,
    ),
    Claim(
        "dvcg.collusion_proof/everybody",
        "Section IV.B, Case II",
        "Two VSPs that bid jointly do not gain in sum, where there is nobody else.",
        Asked("everybody", "collusion_proof"),
        True,
        f"{CEILING}. Other bids do as well (see unique_collusive_bid), and none better.",
        reading=KNOWN,
    ),
    Claim(
        "dvcg.collusion_proof/any-bids",
        "Section IV.B, Case II",
        "Two VSPs that bid jointly do not gain in sum, whatever the third bids.",
        Asked("dvcg-menu", "collusion_proof"),
        False,
        "Three VSPs worth 1/4 each, the third bids 1/8. At the truth the first two are lent 3/10 "
        "each, and owe 1/20; bidding 1/8 they are lent 1/4 and owe nothing.",
        reading=MENU,
    ),
    Claim(
        "dvcg.collusion_proof/taught",
        "Section IV.B, Case II, and fig. 8",
        "Two VSPs that bid jointly do not gain in sum, where bids teach the estimates.",
        Asked("dvcg-taught", "collusion_proof"),
        False,
        "Allocations A and B; colluders worth 1, 1/2 and 1/4, 1, the outsider 1/2 and 1/4. A and B "
        "are worth 7/4 each, A is chosen. B is worth 5/4 to the second and third, A 3/4, so that "
        "the first owes 1/2. If the second bids 1/4 for B, A stays, and the first owes nothing; "
        "bids for A are true, so that nobody owes interest. Interest tests the bid for what is "
        "allocated, and taxes hang on bids for what is not.",
        reading=TAUGHT,
    ),
    Claim(
        "dvcg.unique_collusive_bid",
        "Section IV.B, Case II, eq. 26",
        "For a coalition of any size the bids without interest are unique: A is of full rank.",
        Fact(decide_unique, replay_unique),
        False,
        "If everybody colludes, halving all bids leaves all loans as they are.",
        reading="every coalition, that of all VSPs too; positive values of information",
        formula=UNIQUE,
    ),
    Claim(
        "dvcg.unique_collusive_bid/proper",
        "Section IV.B, Case II, eq. 26",
        "For a coalition that leaves somebody out the bids without interest are unique, and true.",
        Fact(decide_proper, replay_proper),
        True,
        "det(F I − u 1ᵀ) = F^{m−1} (F − Σ_M u), and F − Σ_M u is what the others are worth.",
        reading="coalitions that leave somebody out; positive values of information",
        formula=UNIQUE,
    ),
    Claim(
        "dvcg.ir",
        "Contributions: VSPs have reason to take part",
        "Where all bid their values of information nobody's profit is below 0.",
        Asked("dvcg", "ir"),
        True,
        "Interest is 0, and SW* ≥ W(−i): without i the others have no more than all have with it. "
        "What w_i takes is not the auction's doing.",
        reading=f"{KNOWN}; w = 0",
    ),
    Claim(
        "dvcg.ir/estimates",
        "Contributions: VSPs have reason to take part",
        "Where all bid their values of information nobody's profit is below 0, also while the "
        "estimates are off.",
        Asked("dvcg-estimates", "ir"),
        False,
        "Everything is worth 1/4 to two VSPs, and is thought to be worth 1 to the first: both bid "
        "1/4 and are lent 5/8 each. The first owes 3/8.",
        reading=ESTIMATES,
    ),
    Claim(
        "dvcg.ablation.collusion_proof",
        "Section VI.C and fig. 10: without interest colluders gain",
        "In NVI-DVCG, too, two VSPs that bid jointly do not gain in sum, where the third bids the "
        "truth.",
        Asked("nvi-colluders", "collusion_proof"),
        True,
        "A profit is SW(s̃) − W(−i), at most SW* − W(−i). With parameters known bids do no more "
        "than make noise, and interest is not what keeps colluders honest.",
        reading=f"{KNOWN}; the paper's colluders gain by skewing estimates",
    ),
    Claim(
        "dvcg.ablation.collusion_proof/taught",
        "Section VI.C and fig. 10: without interest colluders gain",
        "In NVI-DVCG two VSPs that bid jointly do not gain in sum, where bids teach the estimates.",
        Asked("nvi-taught", "collusion_proof"),
        False,
        "As in dvcg.collusion_proof/taught, where nobody owes interest either.",
        reading=TAUGHT,
    ),
    Claim(
        "dvcg.qvcg.ic",
        "Section II.A and [8]: dominant strategies for quantised resources",
        "In the quantised auction nobody gains by false bids, whatever the others bid.",
        Asked("qvcg", "ic"),
        True,
        "Clarke payments for the best of a fixed list of divisions (Groves 1973). A lottery over "
        "divisions adds vertices to the list and changes nothing else.",
        reading=PRINTED,
    ),
    Claim(
        "dvcg.qvcg.ic/full",
        "Section II.A and [8]: dominant strategies for quantised resources",
        "In the quantised auction nobody gains by false bids, whatever the others bid.",
        Asked("qvcg-full", "ic"),
        True,
        "Clarke payments for the best of a fixed list of divisions (Groves 1973).",
        reading=FULL,
    ),
    Claim(
        "dvcg.qvcg.ir",
        "Section II.A, eq. 2",
        "In the quantised auction a truthful VSP pays no more than its bundle is worth.",
        Asked("qvcg", "ir"),
        True,
        "Giving nothing to i is a division, so that W(−i) ≤ W, values being at least 0.",
        reading=PRINTED,
    ),
    Claim(
        "dvcg.qvcg.ir/full",
        "Section II.A, eq. 2",
        "In the quantised auction a truthful VSP pays no more than its bundle is worth.",
        Asked("qvcg-full", "ir"),
        True,
        "Giving nothing to i is a division, so that W(−i) ≤ W, values being at least 0.",
        reading=FULL,
    ),
    Claim(
        "dvcg.qvcg.efficient_on_grid",
        "Section VI: maximum social welfare allocation on the grid",
        "The quantised auction finds the best division into the bundles that are bid for.",
        Asked("qvcg", "efficient"),
        True,
        "It maximises over them.",
        reading=f"{PRINTED}; divisions into such bundles",
    ),
    Claim(
        "dvcg.qvcg.efficient_on_grid/full",
        "Section VI: maximum social welfare allocation on the grid",
        "The quantised auction finds the best division into the bundles that are bid for.",
        Asked("qvcg-full", "efficient"),
        True,
        "It maximises over them.",
        reading=f"{FULL}; divisions into such bundles",
    ),
    Claim(
        "dvcg.qvcg.efficient_on_grid/printed-among-all",
        "Section VI: maximum social welfare allocation on the grid",
        "The quantised auction for printed bundles finds the best division of the quanta.",
        Asked("qvcg-among-all", "efficient"),
        False,
        "One VSP wants the first resource alone, the other the second: together worth 2. A printed "
        "bundle has a quantum of each, so that with M = 1 one of them gets everything, worth 1. In "
        "general M VSPs at most are served.",
        reading="bundles of 1…M quanta against divisions of 0…M of each; M = 1",
    ),
    Claim(
        "dvcg.qvcg.collusion_proof",
        "Section VI and fig. 9: colluders gain",
        "In the quantised auction two VSPs that bid jointly do not gain in sum.",
        Asked("qvcg-grows", "collusion_proof"),
        False,
        "Both want all that there is, worth 1: the winner pays 1. If the other bids nothing, 0. "
        "The paper says that it fails, and it does.",
        reading=f"{PRINTED}; {GROWING}",
    ),
    Claim(
        "dvcg.qvcg.collusion_proof/full",
        "Section VI and fig. 9: colluders gain",
        "In the quantised auction two VSPs that bid jointly do not gain in sum.",
        Asked("qvcg-full-grows", "collusion_proof"),
        False,
        "Both want all that there is, worth 1: the winner pays 1. If the other bids nothing, 0.",
        reading=f"{FULL}; {GROWING}",
    ),
    Claim(
        "dvcg.vcg.ic",
        "Section II.A",
        "In the VCG auction nobody gains by a false utility function, whatever the others report.",
        Asked("vcg", "ic"),
        True,
        "Vickrey 1961, Clarke 1971, Groves 1973.",
        reading="a menu of three allocations, any utilities",
    ),
)
