"""What the paper claims of its local markets, and eq. 1 against gains from trade.

The claims about rules go through search, replay and provers on the small markets of `mechanism`.
`welfare_sign` decides itself: with one unit per machine and one service per vehicle, an allocation
is a matching, and on a few levels of values and costs every matching is listed, in rationals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Asked, Claim, Effort, Fact, Finding, Formula
from mechkit.verdict import Status

# Eq. 1 --------------------------------------------------------------------------------------------

Pairs = tuple[tuple[int, int], ...]
"""A matching: (buyer, seller) of each trade."""
LEVELS = tuple(Fraction(i, 4) for i in range(5))
SIZES = ((1, 1), (1, 2), (2, 2))


def matchings(buyers: int, sellers: int) -> Iterator[Pairs]:
    """Every way to trade, each agent at most once."""
    for count in range(min(buyers, sellers) + 1):
        for who in itertools.combinations(range(buyers), count):
            for whom in itertools.permutations(range(sellers), count):
                yield tuple(zip(who, whom, strict=True))


def welfare(values: list[Fraction], costs: list[Fraction], pairs: Pairs, sign: int) -> Fraction:
    """sign 1: eq. 1 as printed, Σ u_v + Σ u_m over trades; −1: gains from trade."""
    return sum((values[v] + sign * costs[m] for v, m in pairs), Fraction(0))


def disagreement(
    values: list[Fraction], costs: list[Fraction]
) -> tuple[Pairs, Fraction, Fraction] | None:
    """Where no maximiser of eq. 1 has the largest gains from trade: the one that gains most, its
    gains, and the largest. None where some maximiser of both exists."""
    ways = list(matchings(len(values), len(costs)))
    printed = [welfare(values, costs, way, 1) for way in ways]
    gains = [welfare(values, costs, way, -1) for way in ways]
    chosen = [k for k, total in enumerate(printed) if total == max(printed)]
    best = max(chosen, key=lambda k: gains[k])
    return None if gains[best] == max(gains) else (ways[best], gains[best], max(gains))


def decide_welfare_sign(effort: Effort) -> Finding:
    """Every profile on the levels, smallest markets first; the costliest disagreement there."""
    tried, against, worst = 0, 0, None
    for buyers, sellers in SIZES:
        for types in itertools.product(LEVELS, repeat=buyers + sellers):
            values, costs = list(types[:buyers]), list(types[buyers:])
            tried += 1
            found = disagreement(values, costs)
            if found is None:
                continue
            against += 1
            lost = found[2] - found[1]
            if worst is None or (len(values) + len(costs), -lost) < worst[0]:
                worst = ((len(values) + len(costs), -lost), values, costs, found)
    if worst is None:
        return Finding(
            Status.UNREFUTED,
            "enumeration",
            f"{tried} markets on quarters, up to 2 × 2: a maximiser of eq. 1 is efficient in each",
            exercised=tried,
        )
    _, values, costs, (pairs, gains, best) = worst
    numbers = {
        "values": [str(x) for x in values],
        "costs": [str(x) for x in costs],
        "trades": [list(pair) for pair in pairs],
        "printed": str(welfare(values, costs, pairs, 1)),
        "gains": str(gains),
        "best": str(best),
    }
    return Finding(
        Status.REFUTED,
        "enumeration",
        f"in {against} of {tried} markets on quarters, up to 2 × 2, no maximiser of eq. 1 is "
        "efficient",
        exercised=tried,
        numbers=numbers,
        told=_told(numbers),
    )


def _told(numbers: Mapping[str, Any]) -> str:
    values, costs = (", ".join(numbers[side]) for side in ("values", "costs"))
    trades = ", ".join(f"buyer {v} and seller {m}" for v, m in numbers["trades"])
    return (
        f"Buyers worth {values}, sellers with valuations {costs}: eq. 1 is largest, "
        f"{numbers['printed']}, where {trades or 'nobody'} trade, with gains of "
        f"{numbers['gains']}; the largest gains from trade are {numbers['best']}."
    )


def replay_welfare_sign(status: Status, numbers: Mapping[str, Any]) -> str:
    """Lists every matching of the market again; ValueError where the numbers do not refute."""
    if status is not Status.REFUTED:
        raise ValueError(f"welfare_sign was {status.value}: only a refutation can be replayed")
    try:
        values, costs = ([Fraction(x) for x in numbers[side]] for side in ("values", "costs"))
        stated = [Fraction(numbers[name]) for name in ("printed", "gains", "best")]
        pairs: Pairs = tuple((int(v), int(m)) for v, m in numbers["trades"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"welfare_sign: malformed numbers ({error!r}); save them again") from None
    if min(values + costs, default=Fraction(-1)) < 0 or max(len(values), len(costs)) > 6:
        raise ValueError("welfare_sign: expected up to 6 agents a side, valuations of 0 or more")
    found = disagreement(values, costs)
    if found is None:
        raise ValueError("welfare_sign: a maximiser of eq. 1 has the largest gains there")
    best, gains, most = found
    if pairs not in set(matchings(len(values), len(costs))):
        raise ValueError(f"welfare_sign: {pairs} is no matching of that market")
    again = [welfare(values, costs, pairs, 1), welfare(values, costs, pairs, -1), most]
    largest = welfare(values, costs, best, 1)
    if again != stated or again[0] != largest or again[1] != gains:
        raise ValueError(
            f"welfare_sign: eq. 1, gains and largest gains are {[str(x) for x in again]}, not as "
            "stated"
        )
    return _told({**numbers, "printed": str(again[0]), "gains": str(gains), "best": str(most)})


WELFARE_SIGN = Formula(
    printed="SW = Σ_v Σ_m x_{v,m} u_v + Σ_v Σ_m y_{v,m} u_m",
    derivation="Section II.A gives utilities u_v − p_v to a buyer and p_m − u_m to a seller: u_m "
    "is what the seller gives up. Over trades they sum to Σ u_v − Σ u_m − (Σ p_v − Σ p_m), and "
    "the last term is β of eq. 4, which stays with the auctioneer; so the welfare of all three is "
    "Σ u_v − Σ u_m. With + instead, a trade adds to SW whatever it costs, and among sellers the "
    "costliest is the best.",
    corrected="SW = Σ_v Σ_m x_{v,m} u_v − Σ_v Σ_m y_{v,m} u_m, every y_{v,m} = x_{v,m}",
)

# The claims ---------------------------------------------------------------------------------------

TRUTHFUL = "Sections II.B and III.B: truthful after McAfee and the second price auction"
RATIONAL = "Sections II.B and III.B: individually rational"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "aigc.mcafee.ic",
        TRUTHFUL,
        "In the double auction as printed nobody gains by a bid other than its valuation.",
        Asked("mcafee", "ic"),
        True,
        "v_{K+1} < p < m_{K+1}, so exactly K bid p or more if and only if v_K ≥ p, and alike for "
        "sellers: McAfee's condition. Where a side has no K+1st agent, the reduction is what his "
        "rule does if the missing bid and ask are constants so far out that no mean suits the K-th "
        "pair: his argument does not ask which constants they are.",
        reading="the reduction where no K+1st pair exists",
    ),
    Claim(
        "aigc.mcafee.ir",
        RATIONAL,
        "In the double auction as printed a truthful buyer pays at most its valuation, and a "
        "truthful seller receives at least its own.",
        Asked("mcafee", "ir"),
        True,
        "Who trades at p accepts p, by the counts; otherwise buyers 1 … K − 1 pay v_K and sellers "
        "receive m_K, the bid and ask of the pair after them.",
    ),
    Claim(
        "aigc.mcafee.weak_budget_balance",
        "Section III.A, eq. 4",
        "In the double auction the auctioneer never pays more than it receives.",
        Asked("mcafee", "weak_budget_balance"),
        True,
        "At p nothing is left; in a reduction K − 1 pairs leave v_K − m_K ≥ 0 each.",
    ),
    Claim(
        "aigc.mcafee.strong_budget_balance",
        "Section IV, on fig. 4: the double auction's budget cost is always zero",
        "In the double auction what buyers pay is what sellers receive.",
        Asked("mcafee", "strong_budget_balance"),
        False,
        "Buyers 1, 1, 3/4 and sellers 0, 0, 1/2: K = 3 and there is no fourth pair. Two pairs "
        "trade; each time 3/4 is paid and 1/2 received.",
        reading="the reduction where no K+1st pair exists",
    ),
    Claim(
        "aigc.mcafee.strong_budget_balance/next-pair",
        "Section IV, on fig. 4: the double auction's budget cost is always zero",
        "In the double auction what buyers pay is what sellers receive, also where only what is "
        "printed counts.",
        Asked("mcafee-next-pair", "strong_budget_balance"),
        False,
        "Buyers 1, 3/4, 0 and sellers 0, 1/2, 3/4: K = 2, p = 3/8 < 1/2, so that the second seller "
        "does not accept. One pair trades; 3/4 is paid and 1/2 received.",
        reading="nobody trades where no K+1st pair exists: reductions are those that are printed",
    ),
    Claim(
        "aigc.second_price.ic",
        TRUTHFUL,
        "In the second price auction neither vehicles nor the machine gain by a false bid.",
        Asked("second-price", "ic"),
        False,
        "Bids 1, 1/2, 0 and cost 1/4: the machine receives 1/2, and 1 if it reports 1.",
        reading="one auction per machine, the machine's reported cost the reserve",
    ),
    Claim(
        "aigc.second_price.ic/buyer",
        TRUTHFUL,
        "In the second price auction no vehicle gains by a false bid, whatever the others and the "
        "machine report.",
        Asked("second-price", "ic", role="buyer"),
        True,
        "It wins if its bid exceeds the greater of the best other bid and the reserve, and pays "
        "that (Vickrey 1961).",
        reading="one auction per machine, the machine's reported cost the reserve",
    ),
    Claim(
        "aigc.second_price.ic/seller",
        TRUTHFUL,
        "In the second price auction the machine does not gain by a false cost, whatever the "
        "vehicles bid.",
        Asked("second-price", "ic", role="seller"),
        False,
        "Bids 1, 1/2, 0 and cost 1/4: the machine receives 1/2, and 1 if it reports 1. A report "
        "between the two highest bids is the price.",
        reading="one auction per machine, the machine's reported cost the reserve",
    ),
    Claim(
        "aigc.second_price.ic/in-turn",
        TRUTHFUL,
        "With several machines, each an auction of its own, no vehicle gains by a false bid.",
        Asked("second-price-in-turn", "ic", role="buyer"),
        False,
        "Buyers 1 and 1/2, two machines with cost 0: the first buyer pays 1/2 at the first "
        "machine. Bidding 1/4 it leaves that to the other and wins the second for 0.",
        reading="a vehicle bids at one machine after the other until it wins, with one bid",
    ),
    Claim(
        "aigc.second_price.ir",
        RATIONAL,
        "In the second price auction a truthful buyer pays at most its valuation, and a truthful "
        "machine receives at least its own.",
        Asked("second-price", "ir"),
        True,
        "The price is the greater of the second bid and the cost: not above the winning bid, which "
        "meets both, and not below the cost.",
        reading="one auction per machine, the machine's reported cost the reserve",
    ),
    Claim(
        "aigc.second_price.weak_budget_balance",
        "Section III.A, eq. 4, and fig. 4",
        "In the second price auction the auctioneer never pays more than it receives.",
        Asked("second-price", "weak_budget_balance"),
        True,
        "The price is passed on: the budget cost is always 0.",
        reading="the machine receives what the vehicle pays",
    ),
    Claim(
        "aigc.second_price.weak_budget_balance/kept",
        "Section III.A, eq. 4, and fig. 4",
        "In the second price auction the auctioneer never pays more than it receives.",
        Asked("second-price-kept", "weak_budget_balance"),
        True,
        "The price is at least the reserve. Fig. 4 shows budgets that grow with the number of "
        "vehicles, as they do in this reading and not where the price is passed on.",
        reading="the machine receives its reported cost",
    ),
    Claim(
        "aigc.multi_slot.ic/one-bid",
        "Section II.A.3: the losing vehicles can bid in the next slot or later",
        "Where losers bid again in the next slot, no vehicle gains by a bid other than its "
        "valuation.",
        Asked("two-slots-one-bid", "ic", role="buyer"),
        False,
        "Buyers 1, 1/2, 1/4 and two sellers with cost 0 in each slot: K = 2 without a third pair, "
        "so that one trades. The first buyer buys at 1/2 in slot 1. Bidding 3/8 throughout, it "
        "loses to the second buyer, who leaves, and buys at 1/4 in slot 2.",
        reading="the same bid in both slots; every machine serves one vehicle in each slot",
    ),
    Claim(
        "aigc.multi_slot.ic/two-bids",
        "Section II.A.3: the losing vehicles can bid in the next slot or later",
        "Where losers bid again in the next slot, the valuation is the best bid in both slots, "
        "whatever the others bid.",
        Asked("two-slots-two-bids", "ic", role="buyer"),
        False,
        "Buyers 1, 1/2, 1/4 and two sellers with cost 0 in each slot: bidding 0 in slot 1 and 1 in "
        "slot 2, the first buyer buys at 1/4 in slot 2 and not at 1/2 in slot 1.",
        reading="a bid for each slot, fixed in advance; bids that watch the first slot do no worse",
    ),
    Claim(
        "aigc.welfare_sign",
        "Eq. 1",
        "The allocation of the largest social welfare of eq. 1 has the largest gains from trade.",
        Fact(decide_welfare_sign, replay_welfare_sign),
        False,
        "A buyer worth 0 and a seller with valuation 1: eq. 1 is 1 if they trade and 0 if not, and "
        "the trade loses 1.",
        reading="what is sold is what is bought (y = x), and a vehicle buys once; under the "
        "printed x ≤ y eq. 1 would also count supply that nobody buys",
        formula=WELFARE_SIGN,
    ),
)
