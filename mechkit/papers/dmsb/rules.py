"""The modified second bid auction, its price scaling factors, and the second price auction.

Provider 0 is the UAV (the brand bidder, with a contract bid b_0), providers 1…N are base stations
(performance bidders). Eqs. 14 and 15, with a price scaling factor ρ ≥ 1:

    station n wins   ⇔   b_n > ρ · (the highest bid of all other providers),   and pays just that;
    the UAV wins     ⇔   no station does,                                      and pays b_0.

"All other providers" includes the UAV in one reading (`everybody`) and means stations in the other,
which is that of Arnosti, Beck & Milgrom 2016. A factor is a number, public, or computed from the
bids; every function here is plain NumPy over a batch: bids (batch, providers), factors (batch, 1).
A factor that is a quotient stays one, (top, per): b_n · per > top · rival compares equal numbers as
equal in floats, too, where b_n > (b_n / rival) · rival comes out as it rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mechkit.book import ranks
from mechkit.constructors import single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Public
from mechkit.spaces import box

Rule = Callable[..., tuple[Array, Array]]
"""bids (batch, providers) -> (who gets the task, what each pays), both (batch, providers)."""

STATIONS = 3
"""In the mechanisms of the claims; every case of a rule that sees the two highest bids occurs."""
HIGHEST_RHO = 10
"""ρ = 10^(a/|A|) with a = 0…|A|."""
ZETA = 1.5
"""ζ, the weight of the UAV's surplus."""
HISTORY = (
    (3 / 4, 1 / 2, 3 / 8, 1 / 8),
    (1 / 2, 7 / 8, 1 / 4, 1 / 4),
    (1, 1 / 8, 5 / 8, 1 / 2),
    (5 / 8, 3 / 8, 1 / 2, 1 / 4),
)
"""Bids of four past rounds (the UAV's first), from which the optimal factor takes its means."""


def best_of_the_others(bids: Array) -> Array:
    """For each agent the highest bid of all others, (batch, agents)."""
    falling = -np.sort(-bids, axis=-1)
    return np.where(ranks(-bids) == 0, falling[..., 1:2], falling[..., :1])


def station_outcome(
    contract: Array, bids: Array, *, rho: Any, per: Any = 1, everybody: bool = False
) -> tuple[Array, Array]:
    """Eqs. 14 and 15 for the stations alone: who wins and what they pay, (batch, stations)."""
    rival = best_of_the_others(bids)
    scaled = rho * (np.maximum(rival, contract) if everybody else rival)
    wins = bids * per > scaled
    return wins, np.where(wins, scaled / per, 0)


def modified_second_bid(
    reports: Array, *, rho: Any = 2, per: Any = 1, everybody: bool = False
) -> tuple[Array, Array]:
    """Agent 0 is the brand bidder. The factor is rho / per, numbers or (batch, 1), per > 0.

    everybody: a station must also outbid the brand, ρ times.
    """
    contract, bids = reports[..., :1], reports[..., 1:]
    wins, pays = station_outcome(contract, bids, rho=rho, per=per, everybody=everybody)
    left = ~wins.any(axis=-1, keepdims=True)
    return (
        np.concatenate([left, wins], axis=-1),
        np.concatenate([np.where(left, contract, 0), pays], axis=-1),
    )


def second_price(reports: Array) -> tuple[Array, Array]:
    """The highest bid of all providers wins and pays the second highest."""
    falling = -np.sort(-reports, axis=-1)
    wins = ranks(-reports) == 0
    return wins, np.where(wins, falling[..., 1:2], 0)


# Factors from the bids ---------------------------------------------------------------------------

Quotient = tuple[Any, Any]
"""(top, per): the factor top / per, both (batch, 1) or numbers."""


def two_highest(bids: Array) -> Quotient:
    """The highest and the second highest of each row, (batch, 1)."""
    falling = -np.sort(-bids, axis=-1)
    return falling[..., :1], falling[..., 1:2]


def at_least_one(top: Array, second: Array) -> Quotient:
    """max(1, top / second), and 1 where the second is 0: nobody is left to scale."""
    some = second > 0
    return np.where(some, np.maximum(top, second), 1), np.where(some, second, 1)


def myopic_of_highest(reports: Array) -> Quotient:
    """max(1, u_0 / u_(2)) of this round: the two highest bids of all providers."""
    return at_least_one(*two_highest(reports))


def myopic_of_uav(reports: Array) -> Quotient:
    """The same with u_0 the UAV's bid and u_(2) the stations' second highest."""
    return first_best_factor(reports, zeta=1)


def first_best_factor(reports: Array, *, zeta: Any = ZETA, everybody: bool = False) -> Quotient:
    """max(1, ζ·b_0 / rival): the second price auction in which the UAV's bid counts ζ times."""
    _, second = two_highest(reports[..., 1:])
    rival = np.maximum(second, reports[..., :1]) if everybody else second
    return at_least_one(zeta * reports[..., :1], rival)


def optimal_of_highest(history: Array) -> Quotient:
    """max(1, E[u_0] / E[u_(2)]) over past rounds: history (rounds, providers), a number each."""
    top, second = two_highest(history)
    return _means(top, second)


def optimal_of_uav(history: Array) -> Quotient:
    """The same with u_0 the UAV's bid and u_(2) the stations' second highest."""
    _, second = two_highest(history[..., 1:])
    return _means(history[..., :1], second)


def _means(top: Array, second: Array) -> Quotient:
    rho, per = at_least_one(top.mean(axis=0), second.mean(axis=0))
    return float(rho[0]), float(per[0])


def greedy(reports: Array, *, zeta: Any = ZETA) -> Quotient:
    """What a learner of the surplus ζ·S_UAV + S_BS tends to: the least factor where a station
    should have the task, the largest where the UAV should."""
    top, _ = two_highest(reports[..., 1:])
    return np.where(top > zeta * reports[..., :1], 1, HIGHEST_RHO), 1


def scored(reports: Array, *, weights: Any = (2, -1, -1, -1)) -> Quotient:
    """A policy network of one layer and two actions: ρ = 10 or 1 by the sign of weights · bids."""
    score = (reports * np.array(weights)).sum(axis=-1, keepdims=True)
    return np.where(score >= 0, HIGHEST_RHO, 1), 1


def with_factor(
    factor: Callable[[Array], Quotient], *, everybody: bool = False
) -> Callable[[Array], tuple[Array, Array]]:
    """The auction whose factor is computed from this round's bids."""

    def rule(reports: Array) -> tuple[Array, Array]:
        rho, per = factor(reports)
        return modified_second_bid(reports, rho=rho, per=per, everybody=everybody)

    return rule


beating_everybody = partial(modified_second_bid, everybody=True)
myopic = with_factor(myopic_of_highest)


# Mechanisms --------------------------------------------------------------------------------------


def task(rule: Rule, name: str) -> Callable[[], Mechanism]:
    """One task for a brand bidder and three stations."""
    setting = single_item(1 + STATIONS, roles=("brand", *("performance",) * STATIONS))
    return lambda: Mechanism.from_outcome(setting, rule, name=name)


def scaled_task(*, everybody: bool, alike: bool = False) -> Mechanism:
    """The auction with ρ public, any number from 1 to 10: what holds, holds of each constant.

    alike: all providers have the same role, the UAV too.
    """
    roles = () if alike else ("brand", *("performance",) * STATIONS)
    setting = single_item(1 + STATIONS, roles=roles)

    def rule(reports: Array, *, public: Public) -> tuple[Array, Array]:
        return modified_second_bid(reports, rho=public["rho"], everybody=everybody)

    public = {"rho": box(1, low=1, high=HIGHEST_RHO)}
    return Mechanism.from_outcome(setting.with_public(**public), rule, name=_named(everybody))


def stations_only(*, everybody: bool) -> Mechanism:
    """The same for any number of stations; ρ and the UAV's contract bid are public.

    Here a station can take part under a second name, which a setting of fixed roles rules out.
    """
    setting = single_item(2, roles=("performance",) * 2)

    def rule(reports: Array, *, public: Public) -> tuple[Array, Array]:
        return station_outcome(public["contract"], reports, rho=public["rho"], everybody=everybody)

    public = {"rho": box(1, low=1, high=HIGHEST_RHO), "contract": box(1)}
    return Mechanism.from_outcome(
        setting.with_public(**public), rule, name=f"{_named(everybody)}, stations"
    )


def _named(everybody: bool) -> str:
    return "modified second bid" + (" over everybody" if everybody else "")


def optimal(factor: Callable[[Array], Quotient], *, everybody: bool = False) -> Rule:
    """The auction whose factor comes from past rounds, `HISTORY`."""
    rho, per = factor(np.array(HISTORY))
    return partial(modified_second_bid, rho=rho, per=per, everybody=everybody)


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "second-price": task(second_price, "second price over UAV and stations"),
}
for _end, _everybody in (("", False), ("-all", True)):
    MECHANISMS |= {
        f"second-bid{_end}": partial(scaled_task, everybody=_everybody),
        f"second-bid-alike{_end}": partial(scaled_task, everybody=_everybody, alike=True),
        f"stations{_end}": partial(stations_only, everybody=_everybody),
        **{
            f"{_name}{_end}": task(_rule, f"second bid, {_name} factor")
            for _name, _rule in {
                "myopic": with_factor(myopic_of_highest, everybody=_everybody),
                "myopic-uav": with_factor(myopic_of_uav, everybody=_everybody),
                "optimal": optimal(optimal_of_highest, everybody=_everybody),
                "optimal-uav": optimal(optimal_of_uav, everybody=_everybody),
                "greedy": with_factor(greedy, everybody=_everybody),
                "scored": with_factor(scored, everybody=_everybody),
            }.items()
        },
    }
