"""What the paper claims of its auction, in two readings of who trades and with two kinds of steps.

Three pairs of Γ with values and costs on the ticks 1 … 5: v for buyers, c for sellers, in the order
of their pairs. As printed: the pairs of Γ of which both sides accepted, less the last where Ψ = 1.
Setter left out: only the buyer who set the price does not trade. The unit step divides the range of
the clocks; the larger step (2, the buyers' clock from 6) does not, so that α matters.
"""

from __future__ import annotations

from mechkit.papers.claim import Asked, Claim, Fact
from mechkit.papers.madda import facts, theorem

PRINTED = "the pairs of Γ of which both sides accepted, less the last one where Ψ = 1"
SETTER_OUT = "of the pairs of Γ of which both sides accepted, the buyer who set p* is left out"
READINGS = {
    "": ("unit-step", f"unit step; {PRINTED}"),
    "step-2": ("step-2", f"steps of 2; {PRINTED}"),
    "setter-out": ("setter-out", f"unit step; {SETTER_OUT}"),
    "setter-out-step-2": ("setter-out-step-2", f"steps of 2; {SETTER_OUT}"),
    "between": (
        "setter-out-between",
        f"unit step, two pairs, the clocks from 100 and 1 and values between ticks; {SETTER_OUT}",
    ),
}

SAYS = {
    "monotone": ("Lemma 1, Definition 4", "No {side} that wins would lose by a better report."),
    "critical_payment": (
        "Lemma 2, Definition 5",
        "p* is critical for every winning {side}: a better report than p* wins, a worse one loses.",
    ),
    "ir": ("Theorem 2 with Lemmas 1 and 2, Definition 1", "No truthful {side} is at a loss."),
    "ic": (
        "Theorem 2 with Lemmas 1 and 2, Definition 2",
        "No {side} gains by a report other than its true value, whatever the others report.",
    ),
}

# (property, side, reading): expected, because
ACCEPTS = (
    "Who trades has accepted: B_i ≤ v_i and S_i ≥ c_i. The clocks have not crossed before the last "
    "step, so S_K ≤ C_S ≤ p* ≤ C_B ≤ B_i for every accepted buyer, whatever α and the steps."
)
KEEPS = (
    "A better report of one of the first K leaves the first K, K itself and, for a buyer, S_K and "
    "B_{K+1} as they are. So it still wins: "
)
BASIS: dict[tuple[str, str, str], tuple[bool, str]] = {
    ("monotone", "buyer", ""): (
        True,
        KEEPS + "Ψ is the same, too, and it moves away from the last of Λ, which is dropped. The "
        "buyer K + 1 never wins: if in Λ, it is the last.",
    ),
    ("monotone", "seller", ""): (
        False,
        "v = (3, 2, 1), c = (3, 5, 5): seller 0 sells at 3 (Ψ = 0). With c_0 = 1, S_1 = 1 ≤ B_2, "
        "buyer 1 accepts, Ψ = 1, Λ is still pair 0 alone and loses its last: nobody trades.",
    ),
    ("critical_payment", "buyer", ""): (
        False,
        "v = (4, 5, 3), c = (1, 1, 5): K = 2, buyer 2 accepts at 3 (Ψ = 1), pair 0 is the last of "
        "Λ and dropped, and pair 1 trades at 3. With 4 > 3 buyer 1 is behind buyer 0 and loses.",
    ),
    ("critical_payment", "seller", ""): (
        False,
        "v = (5, 1, 1), c = (2, 5, 5): one trade at S_1 = 2; with 4 > 2 the seller wins, too.",
    ),
    ("ir", "buyer", ""): (True, ACCEPTS),
    ("ir", "seller", ""): (True, ACCEPTS),
    ("ic", "buyer", ""): (
        False,
        "v = (4, 4, 3), c = (1, 1, 5): K = 2, Ψ = 1 and buyer 1 is the last of Λ: dropped. "
        "Reporting 5 it is the first, buyer 0 is dropped, and it buys at 3.",
    ),
    ("ic", "seller", ""): (
        False,
        "v = (4, 1, 1), c = (2, 5, 5): one trade, at 2. Reporting 4 the seller is paid 4.",
    ),
    ("monotone", "buyer", "step-2"): (
        True,
        KEEPS + "as with the unit step; nothing there depends on the step.",
    ),
    ("monotone", "seller", "step-2"): (
        False,
        "v = (4, 2, 1), c = (3, 5, 5), clocks 6, 4, 2 and 1, 3, 5: seller 0 accepts at 3, buyers "
        "at 4 and 2: Ψ = 0, it sells. With c_0 = 1 buyer 1 accepts (2 ≥ 1), Ψ = 1, and the only "
        "pair of Λ is dropped.",
    ),
    ("critical_payment", "buyer", "step-2"): (
        False,
        "v = (5, 5, 2), c = (1, 1, 5): K = 2, buyer 2 accepts at 2 (Ψ = 1), pair 1 is dropped and "
        "pair 0 pays (2 + 1) / 2. With 4 > 3/2 buyer 0 is the last of Λ and loses.",
    ),
    ("critical_payment", "seller", "step-2"): (
        False,
        "v = (5, 1, 1), c = (1, 5, 5): one trade at (2 + 1) / 2; with 3 > 3/2 it wins, too.",
    ),
    ("ir", "buyer", "step-2"): (True, ACCEPTS),
    ("ir", "seller", "step-2"): (True, ACCEPTS),
    ("ic", "buyer", "step-2"): (
        False,
        "v = (4, 4, 2), c = (1, 1, 5): pair 1 is dropped, as the last of Λ. Reporting 5 buyer 1 is "
        "the first and pays 3/2.",
    ),
    ("ic", "seller", "step-2"): (
        False,
        "v = (5, 1, 1), c = (1, 5, 5): paid (2 + 1) / 2; reporting 3 it is paid (4 + 3) / 2.",
    ),
    ("monotone", "buyer", "setter-out"): (True, KEEPS + "who trades is fixed by the first K."),
    ("monotone", "seller", "setter-out"): (True, KEEPS + "who trades is fixed by the first K."),
    ("critical_payment", "buyer", "setter-out"): (
        True,
        "On ticks B_i = v_i, S_i = c_i and p* = max(v_{K+1}, c_K), which does not depend on a "
        "winner's bid. Above it the winner stays among the first K; below v_{K+1} it is overtaken, "
        "and below c_K the K-th pair, its own partner or not, no longer meets and K falls.",
    ),
    ("critical_payment", "seller", "setter-out"): (
        False,
        "v = (5, 1, 1), c = (2, 5, 5): one trade at S_1 = 2; with 4 > 2 the seller wins, too.",
    ),
    ("ir", "buyer", "setter-out"): (True, ACCEPTS),
    ("ir", "seller", "setter-out"): (True, ACCEPTS),
    ("ic", "buyer", "setter-out"): (
        True,
        "p* is the lowest price that clears the market, and critical for buyers on ticks: the "
        "least bid with which a buyer is among the first K. A loser with its partner outside wins "
        "only by raising K, at a price of at least its value.",
    ),
    ("ic", "seller", "setter-out"): (
        False,
        "v = (4, 1, 1), c = (2, 5, 5): one trade, at 2. Reporting 4 the seller is paid 4.",
    ),
    ("monotone", "buyer", "setter-out-step-2"): (
        True,
        KEEPS + "who trades is fixed by the first K.",
    ),
    ("monotone", "seller", "setter-out-step-2"): (
        True,
        KEEPS + "who trades is fixed by the first K.",
    ),
    ("critical_payment", "buyer", "setter-out-step-2"): (
        False,
        "v = (2, 3, 1), c = (5, 1, 5), clocks 6, 4, 2 and 1, 3, 5: both accept at 2, buyer 1 "
        "before buyer 0, who sets p* = (2 + 1) / 2. With 2 > 3/2 buyer 1 is behind buyer 0 and "
        "loses.",
    ),
    ("critical_payment", "seller", "setter-out-step-2"): (
        False,
        "v = (5, 1, 1), c = (1, 5, 5): one trade at (2 + 1) / 2; with 3 > 3/2 it wins, too.",
    ),
    ("ir", "buyer", "setter-out-step-2"): (True, ACCEPTS),
    ("ir", "seller", "setter-out-step-2"): (True, ACCEPTS),
    ("ic", "buyer", "setter-out-step-2"): (
        False,
        "v = (3, 3, 1), c = (5, 1, 5): both buyers accept at 2, buyer 0 first: its partner does "
        "not sell, and nobody trades. Reporting 4 buyer 1 is first and pays (2 + 1) / 2.",
    ),
    ("ic", "seller", "setter-out-step-2"): (
        False,
        "v = (5, 1, 1), c = (1, 5, 5): paid (2 + 1) / 2; reporting 3 it is paid (4 + 3) / 2.",
    ),
    ("critical_payment", "buyer", "between"): (
        False,
        "v = (50.9, 50.5), c = (10, 90): both accept at 50 = p*, buyer 0 first. With 50.2 > 50 it "
        "is behind buyer 1, whose partner does not sell, and loses.",
    ),
    ("ir", "buyer", "between"): (True, ACCEPTS),
    ("ir", "seller", "between"): (True, ACCEPTS),
    ("ic", "buyer", "between"): (
        False,
        "v = (50.5, 50.9), c = (10, 90): both accept at 50, buyer 1 first, and nobody trades. "
        "Reporting 51 buyer 0 is first and buys at 50: a gain of less than a tick.",
    ),
}

BALANCE = (
    "Each pair that trades pays and receives p*, and there are as many buyers as sellers among "
    "those who trade."
)


def _sided(name: str, side: str, reading: str) -> Claim:
    where, says = SAYS[name]
    mechanism, how = READINGS[reading]
    expected, because = BASIS[name, side, reading]
    return Claim(
        f"madda.{name}/{side}" + (f"-{reading}" if reading else ""),
        where,
        says.format(side=side),
        Asked(mechanism, name, role=side),
        expected,
        because,
        reading=how,
    )


CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            "madda.strong_budget_balance" + (f"/{reading}" if reading else ""),
            "Theorem 1",
            "What buyers pay is what sellers receive.",
            Asked(READINGS[reading][0], "strong_budget_balance"),
            True,
            BALANCE,
            reading=READINGS[reading][1],
        )
        for reading in ("", "step-2", "setter-out")
    ),
    *(_sided(*key) for key in BASIS),
    Claim(
        "madda.theorem2",
        "Theorem 2",
        "A bid-monotonic auction is IR and IC if and only if every winner's charge is critical.",
        Fact(theorem.decide_theorem2, theorem.replay_theorem2),
        True,
        "If bids are reals the critical charge is unique, the winner's own bid cannot move it, and "
        "losers who could win would pay at least their value; and a charge that is not critical "
        "makes somebody gain or lose (see `theorem`). One common p* is enough only if it is "
        "critical for every winner at once: that it does not move with the winners' bids, as Lemma "
        "2 has it, is not enough, since who wins may still depend on them.",
        reading="bids are any reals; no lotteries; losers pay nothing",
    ),
    Claim(
        "madda.theorem2/ticks",
        "Theorem 2",
        "A bid-monotonic auction is IR and IC if and only if every winner's charge is critical, "
        "bids being ticks of the clocks.",
        Fact(theorem.decide_theorem2_ticks, theorem.replay_theorem2_ticks),
        False,
        "Bids 1 and 2 that win, charged 1/2 and 1: every bid above either charge wins and none "
        "that is below either is there to lose, so both are critical; worth 2, a bid of 1 saves "
        "1/2. 'IC and IR make charges critical' still holds.",
        reading="bids are multiples of the minimum price interval, as the clocks' prices are",
    ),
    Claim(
        "madda.matching_ignores_prices",
        "Theorem 3",
        "The matching does not depend on bids and asks.",
        Fact(facts.decide_ignores_prices, facts.replay_ignores_prices),
        True,
        "Eqs. 10 and 11 read R, O, Q, positions, reputations and W, and Algorithm 1 reads nothing "
        "else. (Values and costs are not independent of Γ for all that: eq. 9 computes v from the "
        "same R and q_m1, and eq. 6 c from what is offered.)",
        reading="bids are submitted after the matching, apart from requirements",
    ),
    Claim(
        "madda.matching_ignores_requirements",
        "Theorems 2 and 3 together, Section IV.B",
        "No buyer gains by submitting another value or another requirement R_m than its own.",
        Asked("requirements", "ic"),
        False,
        "One seller offers 3 at a cost of 2. Buyer 0, worth 3, requires 1, and buyer 1 requires 2: "
        "R · O is larger for buyer 1, who is matched. Claiming to require 3, buyer 0 is matched, "
        "buys at 2 and gains 1.",
        reading="requirements are reports, as Section IV.A has buyers submit them; one resource; "
        "being served is worth the value if the seller offers what is truly required",
    ),
    Claim(
        "madda.matching_unique",
        "Theorem 3's proof",
        "There is only one perfect matching of the largest weight.",
        Fact(facts.decide_unique, facts.replay_unique),
        False,
        "Two vehicles that leave the same unit and ask for the same: exchanging their sellers "
        "changes no sum. Who trades then depends on which matching Algorithm 1 happens on.",
    ),
    Claim(
        "madda.freshness_sums_to_one",
        "Eq. 4 and the sentence before it",
        "The freshness weights exp(−ξ (t_μ − t(a))) of a seller's transactions sum to 1.",
        Fact(facts.decide_freshness, facts.replay_freshness),
        False,
        "Two transactions at the moment of the update: 1 + 1.",
        formula=facts.FRESHNESS,
    ),
)
