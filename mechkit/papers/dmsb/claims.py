"""What the paper claims of the auction, and what we expect of each claim.

ψ_n is the threshold of station n, ρ times the highest bid of the others. A rule in which station n
wins exactly above a ψ_n that its own bid does not move, and pays ψ_n, is truthful for stations
(Myerson 1981); that is so for each constant ρ, and a policy breaks it where the own bid moves ρ.
Stations' bids all share a common value; the UAV does not see it. Who wins is free of it if and only
if ψ_n is homogeneous of degree one in the stations' bids (Arnosti, Beck & Milgrom 2016), which a
contract bid among "all others" breaks, and a factor that compares stations with the UAV, too.
"""

from __future__ import annotations

from mechkit.papers.claim import Asked, Claim, Fact, Formula
from mechkit.papers.dmsb import contract

STATIONS, ALL = "stations", "all"
_OVER = {
    STATIONS: "the maximum of eq. 14 is over the other stations",
    ALL: "the maximum of eq. 14 is over all other providers, the UAV among them",
}
_END = {STATIONS: "", ALL: "-all"}

_THEOREM = "Theorem 1"
_OWN = "a station's threshold does not depend on its own bid, it wins above it and pays it"
CONTRACT = Formula(
    printed="b_0 = max_b E[(v_0 - v_max) 1(v_max <= b_0)] (eq. 13)",
    derivation="the integrand is positive exactly where v_max < v_0, so that "
    "E[(v_0 - v_max) 1(v_max <= b)] is largest at b = v_0; its value, E[max(v_0 - v_max, 0)], is "
    "a profit and not a bid, and the b that is maximised over does not occur in what is printed",
    corrected="b_0 = argmax_b E[(v_0 - v_max) 1(v_max <= b)], which v_0 attains",
)


def _asked(
    name: str,
    mechanism: str,
    prop: str,
    expected: bool,
    because: str,
    *,
    says: str,
    role: str | None = None,
    where: str = _THEOREM,
    reading: str = "",
    formula: Formula | None = None,
) -> Claim:
    how = Asked(mechanism, prop, role)
    return Claim(f"dmsb.{name}", where, says, how, expected, because, reading, formula)


def _constant(over: str) -> tuple[Claim, ...]:
    """Theorem 1 for each constant ρ from 1 to 10, in one reading of eq. 14."""
    end, reading = _END[over], _OVER[over] + "; any constant ρ in [1, 10]"
    rule, stations = f"second-bid{end}", "performance"
    return (
        _asked(
            f"ic/{over}",
            rule,
            "ic",
            True,
            _OWN,
            says="no base station gains by bidding something else than its value",
            role=stations,
            reading=reading,
        ),
        _asked(
            f"ir/{over}",
            rule,
            "ir",
            True,
            "a winner bids more than the threshold that it pays, a loser pays nothing",
            says="no truthful base station loses by taking part",
            role=stations,
            where="constraint 12b and Theorem 1",
            reading=reading,
        ),
        _asked(
            f"critical_payment/{over}",
            rule,
            "critical_payment",
            True,
            "eq. 15 is the threshold of eq. 14",
            says="a winning base station pays the least bid with which it wins",
            role=stations,
            where="proof of Theorem 1",
            reading=reading,
        ),
        _asked(
            f"anonymous/{over}",
            rule,
            "anonymous",
            True,
            "eqs. 14 and 15 name no station",
            says="swapping the bids of two base stations swaps their outcomes",
            reading=reading + "; among stations",
        ),
        _asked(
            f"anonymous/providers/{over}",
            f"second-bid-alike{end}",
            "anonymous",
            False,
            "UAV 1/8, stations 1, 1/4, 1/2, ρ = 1: the first station wins; with its bid and the "
            "UAV's swapped, the station at 1/2 wins and not the UAV"
            if over == STATIONS
            else "UAV 1/2, stations 3/4, 1/8, 1/4, ρ = 2: 3/4 ≤ 2 · 1/2 and the UAV has the task; "
            "with the first two bids swapped, it has it still and not the first station",
            says="swapping the bids of any two providers swaps their outcomes",
            reading=reading + "; among all providers",
        ),
        _asked(
            f"false_name_proof/{over}",
            f"stations{end}",
            "false_name_proof",
            True,
            "a second bid of one's own only raises the threshold of the first",
            says="no base station gains by bidding under two names",
            where="proof of Theorem 1",
            reading=reading + "; for any contract bid",
        ),
        _asked(
            f"adverse_selection_free/{over}",
            rule,
            "adverse_selection_free",
            over == STATIONS,
            "the threshold ρ · max b is homogeneous of degree one in the stations' bids"
            if over == STATIONS
            else "UAV 3/8, stations 1/2, 1/8, 0, ρ = 2: the UAV has the task; with the stations' "
            "bids doubled, 1 > 2 · 3/8 and a station has it",
            says="a common factor on all stations' values never changes who has the task",
            reading=reading + "; the contract bid does not see the common factor",
        ),
        _asked(
            f"adverse_selection_free/every_bid/{over}",
            f"second-bid-alike{end}",
            "adverse_selection_free",
            True,
            "thresholds are homogeneous of degree one in all bids, and the UAV has the rest",
            says="a common factor on all values, the UAV's too, never changes who has the task",
            reading=reading + "; the UAV's bid carries the common factor, too",
        ),
        _asked(
            f"ic/uav/{over}",
            rule,
            "ic",
            False,
            "UAV of value 1, stations 1/2, 0, 3/8, ρ = 2: it pays 1; "
            + (
                "it has the task whatever it bids, and bidding 0 it pays 0"
                if over == STATIONS
                else "bidding 1/2 it has the task still, and pays 1/2"
            ),
            says="the UAV does not gain by bidding something else than its value",
            role="brand",
            where="Theorem 1 and the pricing rule",
            reading=reading + "; the UAV pays its contract bid",
            formula=CONTRACT,
        ),
        _asked(
            f"ir/uav/{over}",
            rule,
            "ir",
            True,
            "it pays what it bids, which is its value",
            says="the truthful UAV does not lose by taking part",
            role="brand",
            where="pricing rule",
            reading=reading + "; the UAV pays its contract bid",
        ),
    )


def _policies(over: str) -> tuple[Claim, ...]:
    """The same where ρ comes from the bids of the round."""
    end, reading = _END[over], _OVER[over]
    where = "Theorem 1, with Algorithm 1, line 10"
    free = "a common factor on all stations' values never changes who has the task"
    truthful = "no base station gains by bidding something else than its value"
    greedy = "ρ = 1 where max b_n > ζ b_0, else 10, ζ = 3/2: what maximises the reward; " + reading
    scored = "ρ = 10 where 2 b_0 ≥ Σ b_n, else 1, one linear layer over all bids; " + reading
    low = over == STATIONS
    return (
        _asked(
            f"ic/policy/{over}",
            f"greedy{end}",
            "ic",
            False,
            "UAV 3/8, stations 1/2, 1/4, 0: 1/2 ≤ 9/16, so ρ = 10 and the UAV has the task; a "
            "station that reports 5/8 for 1/2 makes ρ = 1 and pays "
            + ("1/4: it gains 1/4" if low else "3/8: it gains 1/8"),
            says=truthful,
            role="performance",
            where=where,
            reading=greedy,
        ),
        _asked(
            f"ic/policy/scored/{over}",
            f"scored{end}",
            "ic",
            False,
            "UAV 1/4, stations 2/5, 1/20, 0: 1/2 ≥ 9/20, so ρ = 10 and the UAV has the task; "
            "reporting 3/5 for 2/5 makes ρ = 1, and the station pays " + ("1/20" if low else "1/4"),
            says=truthful,
            role="performance",
            where=where,
            reading=scored,
        ),
        _asked(
            f"adverse_selection_free/policy/{over}",
            f"greedy{end}",
            "adverse_selection_free",
            False,
            "UAV 1/4, stations 3/10, 1/10, 0: the UAV has the task; doubled, 3/5 > 3/8, ρ = 1 and "
            "a station has it",
            says=free,
            where=where,
            reading=greedy,
        ),
        _asked(
            f"adverse_selection_free/policy/scored/{over}",
            f"scored{end}",
            "adverse_selection_free",
            False,
            "UAV 1/4, stations 2/5, 1/20, 0: 1/2 ≥ 9/20 and the UAV has the task; doubled, ρ = 1 "
            "and 4/5 wins",
            says=free,
            where=where,
            reading=scored,
        ),
        _asked(
            f"adverse_selection_free/policy/myopic/{over}",
            f"myopic-uav{end}",
            "adverse_selection_free",
            False,
            "UAV 3/8, stations 1/4, 1/8, 0: all thresholds are at least 3/8 and the UAV has the "
            "task; with the stations' bids four times that, ρ = 1 and 1 > 1/2 wins",
            says=free,
            where=where,
            reading="the myopic ρ = max(1, b_0/b_(2)), b_(2) the stations' second; " + reading,
        ),
        _asked(
            f"adverse_selection_free/policy/optimal/{over}",
            f"optimal-uav{end}",
            "adverse_selection_free",
            low,
            "ρ is a constant of past rounds" + ("" if low else ": the contract bid is not scaled"),
            says=free,
            where=where,
            reading="the optimal ρ from the means of four given past rounds; " + reading,
        ),
    )


def _baselines(over: str) -> tuple[Claim, ...]:
    end, reading = _END[over], _OVER[over]
    says = "no base station gains by bidding something else than its value"
    highest = "u_0 and u_(2) are the two highest bids of all providers; " + reading
    uav = "u_0 is the UAV's bid and u_(2) the stations' second highest; " + reading
    past = "; means over four given past rounds, which this round's bids do not move"
    where = "Section 6.1"
    low = over == STATIONS
    return (
        _asked(
            f"myopic.ic/highest/{over}",
            f"myopic{end}",
            "ic",
            not low,
            "UAV 1, stations 4/5, 1/5, 0: ρ = 5/4, pays 1/4; reporting 1, ρ = 1 and it pays 1/5"
            if low
            else "almost vacuous: ρ times the highest other bid is the own bid of whoever is "
            "highest, and no station ever wins, unless every other bid is 0, and then it pays 0",
            says=says,
            role="performance",
            where=where,
            reading=highest,
        ),
        _asked(
            f"myopic.ic/uav/{over}",
            f"myopic-uav{end}",
            "ic",
            True,
            "for the highest station b_(2) is its rival r, and ρ r = max(r, b_0): the second price "
            "auction over everybody"
            if low
            else "for the highest station b_(2) is its rival r, and the threshold max(1, b_0/r) · "
            "max(r, b_0) does not depend on its own bid; others never win",
            says=says,
            role="performance",
            where=where,
            reading=uav,
        ),
        _asked(
            f"optimal.ic/highest/{over}",
            f"optimal{end}",
            "ic",
            True,
            "a constant within the round: " + _OWN,
            says=says,
            role="performance",
            where=where,
            reading=highest + past,
        ),
        _asked(
            f"optimal.ic/uav/{over}",
            f"optimal-uav{end}",
            "ic",
            True,
            "a constant within the round: " + _OWN,
            says=says,
            role="performance",
            where=where,
            reading=uav + past,
        ),
        _asked(
            f"optimal.ic/rounds/{over}",
            f"two-rounds{end}",
            "ic",
            False,
            "UAV 0, stations 1, 1/4, 0 in both rounds: the station wins the first at 1/4, then "
            "ρ = 4 and 1 > 4 · 1/4 fails; bidding 1/2 at first, ρ = 2 and it wins again, at 1/2",
            says=says,
            role="performance",
            where=where,
            reading=highest + "; two rounds, the second's ρ from the bids of the first",
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *_constant(STATIONS),
    *_constant(ALL),
    *_policies(STATIONS),
    *_policies(ALL),
    *_baselines(STATIONS),
    *_baselines(ALL),
    _asked(
        "spa.adverse_selection_free",
        "second-price",
        "adverse_selection_free",
        False,
        "UAV 3/8, stations 1/4, 1/8, 0: the UAV wins; with the stations' bids doubled, 1/2 does",
        says="a common factor on all stations' values never changes who has the task",
        where="Section 1: traditional auctions lead to adverse selection",
    ),
    Claim(
        "dmsb.contract",
        "eq. 13",
        "the contract bid of eq. 13 is the one that maximises the UAV's expected profit",
        Fact(contract.decide, contract.replay),
        False,
        "v_0 = 1 and v_max = 0 or 7/8, equally likely: the printed maximum is 9/16, and a bid of "
        "9/16 has the profit 1/2 < 9/16",
        "as printed: b_0 is the maximum",
        CONTRACT,
    ),
)
