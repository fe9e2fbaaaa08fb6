"""What the paper claims of its game, of its forecasts and of its auction.

Claims about the auction go through search, replay and provers on the small markets of `mechanism`;
those about formulas decide themselves, in exact arithmetic (`users`, `providers`, `chain`).
"""

from __future__ import annotations

from mechkit.papers.claim import Asked, Claim, Fact, Formula
from mechkit.papers.pmsam import chain, providers, users

# Formulas -----------------------------------------------------------------------------------------

HESSIAN = Formula(
    printed="h^k_ij = δ_ij k_ij^(−σ−1), h^ε_ij = δ_ij ε_ij^(−σ−1)",
    derivation="h(x) = x^(1−σ) / (1−σ), h' = x^(−σ), h'' = −σ x^(−σ−1): the factor σ is missing. "
    "The signs are right as long as δ_ij > 0.",
    corrected="h^k_ij = σ δ_ij k_ij^(−σ−1), h^ε_ij = σ δ_ij ε_ij^(−σ−1)",
)
TRAINING = Formula(
    printed="(k*, ε*) = (−(C^c / δ)^(1/σ), −(C^p / δ)^(1/σ))",
    derivation="∂Φ/∂k = δ k^(−σ) − C^c = 0, so k^(−σ) = C^c / δ and k = (C^c / δ)^(−1/σ): the sign "
    "belongs to the exponent. Φ is concave for δ > 0, so this is the maximum; at it the term is "
    "C^c k* σ / (1−σ) > 0 and C1 is slack for σ < 1. With C2, k* is cut at (T − z s / b) ζ z s f²; "
    "an integer is the better neighbour of that.",
    corrected="(k*, ε*) = ((δ / C^c)^(1/σ), (δ / C^p)^(1/σ)), 0 where δ ≤ 0",
)
ROUNDING = Formula(
    printed="k^a* = [k*], [x] = min{z ∈ Z, z ≤ x}: there is no least such z, and the largest, "
    "⌊x⌋, is meant",
    derivation="Φ is concave in k, so the best integer is one of k*'s two neighbours; which one is "
    "a comparison of two values. Below 1 the floor is 0, outside Z⁺.",
    corrected="k^a* = whichever of ⌊k*⌋ and ⌊k*⌋ + 1 (up to C2's bound) gives the larger Φ",
)
BIDDING_HESSIAN = Formula(
    printed="∂²Ψ/∂q² = −h^q, h^q = w / q + (2 Σ q) / (q + Σ q)³ > 0",
    derivation="Ψ in one bid is q w − A q + const with w = q / (q + Δ). q² / (q + Δ) = q − Δ + "
    "Δ² / (q + Δ), and the last term's second derivative is 2 Δ² / (q + Δ)³ ≥ 0. The sums of eqs. "
    "26 and 30 run over users; in w they run over the other providers.",
    corrected="∂²Ψ/∂q² = 2 Δ² / (q + Δ)³ ≥ 0, Δ = Σ_{j' ≠ j} q_ij': Ψ is convex",
)
BIDDING = Formula(
    printed="q* = (Δ² + Δ) / (Q^λ + 1) − Δ, f* = √((Δ² + Δ) / (F + 1)) − Δ",
    derivation="∂Ψ/∂q = 1 − A − Δ² / (q + Δ)² = 0 at q = Δ / √(1 − A) − Δ if A < 1, a minimum, as "
    "Ψ is convex. What eq. 29 solves (with the root in both components) is another game, "
    "(1 − q) q / (q + Δ) − A q: winning is worth 1 and only who wins pays its bid. There "
    "(Δ² + Δ) / (q + Δ)² = 1 + A.",
    corrected="a vertex: everything on the coordinate where B / (B + Δ) − A is largest, or nothing "
    "if that is negative everywhere; A = Q^λ and F (eq. 13), or Q^λ τ^Q_i and F τ^F_i (eq. 16)",
)
EQUILIBRIUM = Formula(
    printed="each MSP has an optimal and unique bidding strategy",
    derivation="Best replies are vertices. With equal budgets B and n providers on a coordinate, "
    "each there gets B (1/n − A): a singleton congestion game, which has an equilibrium in pure "
    "strategies (Rosenthal 1973), and with one also every exchange of providers.",
    corrected="providers take, one after the other, the coordinate where 1/(n + 1) − A is largest, "
    "while that is positive; unique only where A ≥ 1 keeps everybody out, as in the reading of "
    "eq. 13 with Q^λ, F > 1: nobody bids",
)
FORWARD = Formula(
    printed="p(X_{t+1} = b_j | O_{t+1}) = η_{t+1}(j) / p(O_{t+1}), η_{t+1}(j) = Σ_i η_t(i) a_ij "
    "b_i(o_{t+1})",
    derivation="η_{t+1}(j) = p(o_1..t+1, X_{t+1} = j) = Σ_i η_t(i) a_ij b_j(o_{t+1}): the bid is "
    "shown by the state that is entered. It needs o_{t+1}, which is what is to be forecast, and "
    "η / p(O_{t+1}) conditions on one bid where η holds the whole past.",
    corrected="p(O_{t+1} = o | o_1..t) = Σ_j b_j(o) Σ_i a_ij η_t(i) / Σ_i η_t(i), with "
    "η_{t+1}(j) = b_j(o_{t+1}) Σ_i η_t(i) a_ij",
)

# The game -----------------------------------------------------------------------------------------

Q_J = "one bid q_j, f_j for all users, split by their contributions (eq. 13): A = Q^λ, F"
Q_IJ = "a bid q_ij, f_ij for each user (eq. 16): A = Q^λ τ^Q_i, F τ^F_i"


def both(name: str, where: str, says: str, how: dict[str, Fact], **more: object) -> list[Claim]:
    """A claim about providers in the two readings."""
    return [
        Claim(f"pmsam.{name}/{key}", where, says, how[key], reading=reading, **more)  # type: ignore[arg-type]
        for key, reading in (("q_j", Q_J), ("q_ij", Q_IJ))
    ]


GAME: tuple[Claim, ...] = (
    Claim(
        "pmsam.follower.concave",
        "Theorem 1, eqs. 19-21",
        "The Hessian of a user's utility is diagonal and negative definite.",
        users.CONCAVE,
        True,
        "Each decision appears in a term of its own, δ x^(1−σ) / (1−σ) − C x, whose second "
        "derivative is −σ δ x^(−σ−1).",
        reading="σ > 0 other than 1, δ_ij > 0",
        formula=HESSIAN,
    ),
    Claim(
        "pmsam.follower.concave/entries",
        "eqs. 20 and 21",
        "The entries of that Hessian are −δ x^(−σ−1).",
        users.ENTRIES,
        False,
        "h'' = −σ x^(−σ−1): at σ = 1/2 half of it.",
        reading="the entries as printed, not their signs alone",
        formula=HESSIAN,
    ),
    Claim(
        "pmsam.follower.concave/stale",
        "Theorem 1 with eq. 12",
        "A user's utility is concave however long its training took.",
        users.STALE,
        False,
        "θ^F = log(1 / T_i) < 0 for T_i > 1, and a provider that bids for freshness alone makes "
        "δ_ij negative: Φ is then convex in k_ij. Table 3 has times from 733 to 16,226 s.",
        reading="T_i > 1 unit of time",
    ),
    Claim(
        "pmsam.follower.solution",
        "eq. 22",
        "A user's best training strategy is (−(C^c / δ)^(1/σ), −(C^p / δ)^(1/σ)).",
        users.SOLUTION,
        False,
        "Negative, where k and ε are positive; without its sign it is the inverse of the maximum "
        "(δ / C)^(1/σ).",
        formula=TRAINING,
    ),
    Claim(
        "pmsam.follower.solution/integers",
        "eq. 23",
        "The best number of iterations is the largest integer up to the real maximum.",
        users.INTEGERS,
        False,
        "σ = 1/2, δ = 5, C = 4: the maximum is at 25/16; 1 iteration gives 10 − 4 = 6 and 2 give "
        "10 √2 − 8 > 6.14.",
        reading="of the right maximum, (δ / C)^(1/σ)",
        formula=ROUNDING,
    ),
    Claim(
        "pmsam.leader.concave",
        "Theorem 2, eqs. 24-28",
        "The Hessian of a provider's utility is negative definite.",
        providers.BIDS_CONCAVE,
        False,
        "q² / (q + Δ) has second derivative 2 Δ² / (q + Δ)³ > 0, and the rest is linear: convex.",
        reading="eq. 13 and eq. 16 alike: they differ in the linear term",
        formula=BIDDING_HESSIAN,
    ),
    *both(
        "leader.solution",
        "eq. 29",
        "A provider's best bids are those of eq. 29.",
        providers.BIDS,
        expected=False,
        because="Ψ is convex, so inside there are only minima: with A < 1 and the budget large, "
        "everything on one coordinate is better. Q^λ = F = 7/25, Δ = 1, B = 1: eq. 29 bids 9/16 "
        "and 1/4 for 1/40 in the reading of eq. 13; (1, 0) gives 11/50.",
        formula=BIDDING,
    ),
    *both(
        "equilibrium.unique",
        "Theorems 1 and 2",
        "With several providers there is exactly one equilibrium.",
        providers.UNIQUE,
        expected=False,
        because="Two providers, A = 1/4 on two coordinates: one on each is an equilibrium (3/4 "
        "each; on the other's 1/4), and so is the exchange.",
        formula=EQUILIBRIUM,
    ),
    Claim(
        "pmsam.forecast",
        "eqs. 31-33",
        "Eq. 33 gives the joint probability of bids seen and the present state.",
        chain.FORWARD,
        False,
        "It weights with what the state that is left shows. Two states that show their own bid "
        "three times in four: a sum over all paths differs.",
        formula=FORWARD,
    ),
)

# The auction --------------------------------------------------------------------------------------

OWN = "each winner pays the bid just below its own"
LOSING = "every winner pays the first bid that loses"


def asked(
    claim: str,
    where: str,
    says: str,
    expected: bool,
    because: str,
    reading: str,
    *,
    mechanism: str | None = None,
    property: str | None = None,
    role: str | None = None,
) -> Claim:
    """A claim about the auction; its id says mechanism and property where they are not given."""
    name, _, tail = claim.partition("/")
    how = Asked(mechanism or tail, property or name, role)
    return Claim(f"pmsam.{claim}", where, says, how, expected, because, reading)


AUCTION: tuple[Claim, ...] = (
    asked(
        "ir/own-next",
        "Theorem 3",
        "No truthful buyer pays more than its value, and no truthful seller receives less than its "
        "cost.",
        True,
        "b_{i+1} ≤ b_i, and s_2 ≥ s_1.",
        OWN,
    ),
    asked(
        "ir/first-losing",
        "Theorem 3",
        "No truthful buyer pays more than its value, and no truthful seller receives less than its "
        "cost.",
        True,
        "b_{k+1} ≤ b_i for i ≤ k, and s_2 ≥ s_1.",
        LOSING,
    ),
    asked(
        "ir/vote",
        "Theorem 3 with eq. 34",
        "No user of the organisation that sells is worse off than without the auction.",
        False,
        "A user who is voted down has trained and receives nothing.",
        "users who are voted down bear their cost",
        mechanism="vote",
    ),
    asked(
        "ic/own-next",
        "Theorem 4",
        "Nobody gains by a false bid or ask.",
        False,
        "Buyers 1, 3/4, 1/2 and sellers 0, 0: k = 2 and the first pays 3/4; reporting 5/8 it still "
        "wins and pays 1/2.",
        OWN,
    ),
    asked(
        "ic/own-next-buyer",
        "Theorem 4",
        "No buyer gains by a false bid, whatever the others report.",
        False,
        "Buyers 1, 3/4, 1/2 and sellers 0, 0: the first pays 3/4 and, reporting 5/8, 1/2: a "
        "generalised second price.",
        OWN,
        mechanism="own-next",
        property="ic",
        role="buyer",
    ),
    asked(
        "ic/own-next-seller",
        "Theorem 4",
        "No seller gains by a false ask, whatever the others report.",
        False,
        "Buyers 1/4, 0, 0, sellers 1/2 and 3/4: nobody trades. Asking 0 the first sells at 3/4.",
        OWN,
        mechanism="own-next",
        property="ic",
        role="seller",
    ),
    asked(
        "ic/first-losing",
        "Theorem 4",
        "Nobody gains by a false bid or ask.",
        False,
        "Buyers 1, 1/4, 0 and sellers 0, 1/2: k = 1. The second, reporting 1, makes k = 2 and pays "
        "0.",
        LOSING,
    ),
    asked(
        "ic/first-losing-buyer",
        "Theorem 4",
        "No buyer gains by a false bid, whatever the others report.",
        False,
        "Buyers 1, 1/4, 0 and sellers 0, 1/2: the second, reporting 1, makes k = 2 and pays 0: "
        "what keeps it out is the ask, and the ask is not in the price.",
        LOSING,
        mechanism="first-losing",
        property="ic",
        role="buyer",
    ),
    asked(
        "ic/first-losing-seller",
        "Theorem 4",
        "No seller gains by a false ask, whatever the others report.",
        False,
        "As in the other reading: what sellers receive is the same.",
        LOSING,
        mechanism="first-losing",
        property="ic",
        role="seller",
    ),
    asked(
        "ic/vote",
        "Theorem 4 with eq. 34",
        "No user gains by a false proposal, whoever supports it.",
        False,
        "Costs 1/4 each, all supported, the rival asks 2, a buyer bids 3: each gets 2/3. Proposing "
        "1/2, a user gets half of 2.",
        "users share in proportion to what counts of their proposals",
        mechanism="vote",
    ),
    asked(
        "weak_budget_balance/own-next",
        "Lemma 1",
        "The auctioneer never pays more than it receives.",
        False,
        "Buyers 1, 0, 0 and sellers 0, 1/2: the one winner pays 0 and the seller receives 1/2. "
        "With k = 1 always b_2 < s_2; with k ≥ 2 the first winner alone pays b_2 ≥ s_2.",
        OWN,
    ),
    asked(
        "weak_budget_balance/first-losing",
        "Lemma 1",
        "The auctioneer never pays more than it receives.",
        False,
        "Buyers 1, 0, 0 and sellers 0, 1/2: the one winner pays 0 and the seller receives 1/2. "
        "With k = 2, too: 1, 1, 0 and 0, 1/2.",
        LOSING,
    ),
)

CLAIMS: tuple[Claim, ...] = (*GAME, *AUCTION)
