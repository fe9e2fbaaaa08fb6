"""One item: sound auctions, classics that are not truthful, and faults one step away from sound.

Where a bidder wins iff its report reaches a threshold t_i(r_−i) and then pays t_i, truth is
dominant (Vickrey 1961; Myerson 1981). Most faults below break the threshold or let r_i move the
price. The rules serve any number of agents, save where they name them; ties go to the lowest index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import (
    ONE_WINNER,
    UNIT_DEMAND,
    UNTRUTHFUL,
    VICKREY,
    entry,
    highest,
    one_hot,
    order,
    ruled,
    second,
    winner_pays,
    without,
)
from mechkit.constructors import single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Setting


def three() -> Setting:
    return single_item(3)


# Sound rules --------------------------------------------------------------------------------------


def above(reserve: float) -> Callable[[Array], Array]:
    """The highest bidder wins, if it reports at least the reserve."""
    return lambda reports: highest(reports) & (reports >= reserve)


HIGHS = np.array([1, 2, 3])
RESERVES = np.array([0.5, 0.3, 0.1])


def virtual(reports: Array) -> Array:
    """φ_i(v) = v − (1 − F_i(v)) / f_i(v) = 2 v − h_i for U[0, h_i] (Myerson 1981)."""
    return 2 * reports - HIGHS


def best_virtual(reports: Array) -> Array:
    worth = virtual(reports)
    return highest(worth) & (worth >= 0)


def rival_virtual(reports: Array) -> Array:
    return np.maximum(second(virtual(reports)), 0)


def unlike() -> Setting:
    """Three bidders with values uniform on [0, 1], [0, 2] and [0, 3]."""
    from scipy.stats import uniform

    return single_item(3, high=HIGHS, prior=[uniform(0, h) for h in HIGHS])


def fixed() -> Setting:
    """Three bidders whose number is fixed, for rules that name them."""
    return replace(three(), resize=None)


def entered(reports: Array) -> Array:
    """Reports below the own reserve are out before the auction begins."""
    return np.where(reports >= RESERVES, reports, -1)


def clear_winner(reports: Array) -> Array:
    """Who bids more than twice every other bid; nobody otherwise."""
    return highest(reports) & (reports > 2 * second(reports))


def first_to_reach_the_last(reports: Array) -> Array:
    """The last agent's report is a posted price for the others, who come in order."""
    n = reports.shape[-1]
    wants = (reports >= reports[..., -1:]) & (np.arange(n) < n - 1)
    before = np.cumsum(wants * 1, axis=-1) - wants * 1
    return wants & (before < 1)


def highest_rival(others: Array, agent: int) -> Array:
    return np.max(others, axis=-1)


def raffle(agents: int) -> Mechanism:
    """Everybody has the same chance, and nobody pays."""
    setting = single_item(agents).with_public(ticket=Lottery(draws=np.arange(agents)))

    def allocate(reports: Array, public: Any) -> Array:
        return one_hot(public["ticket"], agents)

    def pay(reports: Array, allocation: Array, public: Any) -> Array:
        return np.zeros_like(reports)

    return Mechanism(
        setting, allocate, pay, name="raffle", rebuild=lambda other: raffle(other.agents)
    )


def favoured(setting: Setting, *, weight: int = 1, boost: float = 0, name: str) -> Mechanism:
    """An affine maximiser with a multiple of, or an addition to, agent 0's bid; always sells."""
    n = setting.agents
    maximiser = Mechanism.affine_maximiser(
        setting,
        weights=[weight] + [1] * (n - 1),
        boosts=[boost] + [0] * (n - 1),
        outcomes=np.eye(n, dtype=int),
        name=name,
    )
    return replace(
        maximiser, rebuild=lambda other: favoured(other, weight=weight, boost=boost, name=name)
    )


def no_pivot(setting: Setting) -> Mechanism:
    """Groves with h = 0: everybody is paid what the others get."""
    groves = Mechanism.groves(
        setting, h=lambda reports, i: np.zeros_like(reports[:, i]), name="groves without pivot"
    )
    return replace(groves, rebuild=no_pivot)


SOUND = (
    ruled(
        "second-price", three, highest, winner_pays(second), VICKREY, "Vickrey 1961",
        non_bossy="(1, 1/2, 0): agent 1 reports 0 and still gets nothing; agent 0 pays 0, not 1/2",
        strong_group_ic="(1, 1/2, 0): agents 0 and 1 report 1 and 0: agent 0 gains 1/2",
        group_ic=ONE_WINNER,
        false_name_proof="a second identity only raises the price of the first",
    ),
    ruled(
        "second-price-reserve", three, above(0.5),
        winner_pays(lambda r: np.maximum(second(r), 0.5)),
        f"{VICKREY} adverse_selection_free efficient",
        "Myerson 1981: the optimum for U[0, 1] values, reserve 1/2",
        adverse_selection_free="(1/4, 0, 0) is not sold, twice the bids are",
        efficient="(1/4, 0, 0) is not sold",
    ),
    entry(
        "posted-price", lambda: Mechanism.posted(single_item(3), 0.5),
        "strong_budget_balance envy_free anonymous strong_group_ic collusion_proof "
        "adverse_selection_free efficient",
        "folklore; Hartline 2013, Mechanism Design and Approximation, ch. 1",
        envy_free="(1/2, 1, 0): agent 1 would pay 1/2 for what agent 0 got",
        strong_group_ic="(1/2, 1, 0): agent 0 gains nothing and stands aside; at v_0 = 1/2 only",
        non_bossy="whoever declines without being asked changes nothing",
        efficient="(1/2, 1, 0): agent 0 comes first and takes it",
    ),
    entry(
        "second-price-strict",
        lambda: Mechanism.threshold(
            single_item(3), highest_rival, strict=True, name="second price, unsold at ties"
        ),
        f"{VICKREY} revenue_monotone efficient", "Vickrey 1961, the item kept at ties",
        revenue_monotone="(1, 1/2, 0) earns 1/2; agent 1 reports 1: a tie, and nothing is sold",
        efficient="(1, 1, 0): nothing is sold, at ties only",
    ),
    entry(
        "vcg-single-item", lambda: Mechanism.groves(single_item(3), name="VCG, one item"),
        VICKREY, "Clarke 1971; ties to the first listed outcome, the highest index",
    ),
    entry(
        "groves-without-pivot", lambda: no_pivot(single_item(3)),
        f"{VICKREY} weak_budget_balance no_positive_transfers critical_payment false_name_proof "
        "revenue_monotone",
        "Groves 1973, h = 0",
        envy_free="whoever has the item and whoever is paid for its loss hold the same, max v",
        group_ic="both partners already hold max v, more than either gets when the other wins",
        strong_group_ic="(1/2, 0, 0): agent 0 reports 1, which agents 1 and 2 are paid",
        false_name_proof="(1, 0, 0): agent 1 as two losers is paid twice",
    ),
    ruled(
        "myerson-unlike-bidders", unlike, best_virtual,
        winner_pays(lambda r: (rival_virtual(r) + HIGHS) / 2),
        f"{VICKREY} envy_free revenue_monotone adverse_selection_free efficient",
        "Myerson 1981, sec. 5; U[0, 1], U[0, 2], U[0, 3]: the price is φ_i⁻¹(max(φ_second, 0))",
        of=without(UNIT_DEMAND, "false_name_proof", "anonymous"),
        revenue_monotone="(0, 0, 1.6) earns 1.5; agent 0 reports 1: it wins, for (0.2 + 1)/2",
        envy_free="(1, 0, 1.6): agent 0 gets for 0.6 what is worth 1.6 to agent 2",
        efficient="(1, 0, 7/4): agent 0 has the higher virtual value, 1 > 1/2",
    ),
    entry(
        "raffle", lambda: raffle(3), "false_name_proof efficient", "folklore: ignores the reports",
        of=without(UNIT_DEMAND, "critical_payment"),
        false_name_proof="two tickets of four are better than one of three",
        strong_budget_balance="nobody pays", envy_free="all have the same chance",
    ),
    ruled(
        "lease-at-a-fee", three, lambda r: one_hot(np.zeros_like(r[..., 0]), r.shape[-1]),
        winner_pays(lambda r: 0.25 + np.zeros_like(r)),
        "ir strong_budget_balance critical_payment envy_free anonymous efficient",
        "constant: agent 0 holds the item at a fee of 1/4, whatever is reported",
        ir="agent 0 with value 0 pays 1/4", critical_payment="agent 0 wins with 0 and pays 1/4",
        collusion_proof="no report matters",
    ),
    ruled(
        "modified-second-bid", three, clear_winner, winner_pays(lambda r: 2 * second(r)),
        f"{VICKREY} efficient revenue_monotone",
        "Arnosti, Beck & Milgrom 2016, α = 2, unsold otherwise",
        adverse_selection_free="the critical payment is homogeneous of degree one",
        revenue_monotone="(1, 1/4, 0) earns 1/2; agent 1 reports 1/2: nothing is sold",
        efficient="(1, 1/2, 0): nothing is sold",
    ),
    entry(
        "boosted-clarke",
        lambda: favoured(single_item(3), boost=0.25, name="agent 0's bid plus 1/4"),
        f"{VICKREY} envy_free anonymous revenue_monotone adverse_selection_free efficient",
        "Roberts 1979: affine maximiser, c = 1/4 where agent 0 wins",
        revenue_monotone="(3/8, 3/4, 0) earns 5/8; agent 0 reports 1/2: it wins for 1/2",
        envy_free="(1, 1, 0): agent 0 pays 3/4",
        efficient="(7/8, 1, 0): agent 0 wins",
    ),
    entry(
        "weighted-clarke", lambda: favoured(single_item(3), weight=2, name="agent 0's bid twice"),
        f"{VICKREY} efficient envy_free anonymous revenue_monotone",
        "Roberts 1979: weights (2, 1, 1)",
        adverse_selection_free="weights, unlike additions, are homogeneous",
        revenue_monotone="(0.45, 1, 0) earns 0.9; agent 0 reports 1/2: it wins for 1/2",
        efficient="(3/4, 1, 0): agent 0 wins",
    ),
    ruled(
        "lazy-reserves", fixed, lambda r: highest(r) & (r >= RESERVES),
        winner_pays(lambda r: np.maximum(second(r), RESERVES)),
        f"{VICKREY} anonymous revenue_monotone adverse_selection_free efficient",
        "Dhangwatnotai, Roughgarden & Yan 2015: the highest bidder meets its reserve, or no sale",
        of=without(UNIT_DEMAND, "false_name_proof"),
        revenue_monotone="(0, 0.35, 0) earns 0.3; agent 0 reports 0.4: nothing is sold",
        envy_free="whoever loses reported at most the price",
        efficient="(0.4, 0.35, 0) is not sold",
    ),
    ruled(
        "eager-reserves", fixed, lambda r: highest(entered(r)) & (r >= RESERVES),
        winner_pays(lambda r: np.maximum(second(entered(r)), RESERVES)),
        f"{VICKREY} envy_free anonymous adverse_selection_free efficient",
        "Paes Leme, Pál & Vassilvitskii 2016: bids below the own reserve are dropped first",
        of=without(UNIT_DEMAND, "false_name_proof"),
        envy_free="(0.4, 0.35, 0): agent 1 buys for 0.3, agent 0 may not",
        revenue_monotone="whoever takes over pays at least the bid that it beats",
        efficient="(0.4, 0.35, 0): agent 1 wins",
    ),
    ruled(
        "sample-price", three, first_to_reach_the_last, winner_pays(lambda r: r[..., -1:]),
        f"{VICKREY} envy_free anonymous false_name_proof revenue_monotone efficient",
        "Azar, Kleinberg & Weinberg 2014: one bidder's report is the posted price of the rest",
        false_name_proof="a false last agent who reports 0 gives the item away",
        revenue_monotone="(1/2, 0, 1/2) earns 1/2; agent 2 reports 1: nothing is sold",
        envy_free="(1/2, 1, 1/2): agent 1 would pay 1/2",
        efficient="(0, 0, 1): the last agent never wins",
    ),
    ruled(
        "entry-fee", three, highest, lambda r, x: x * second(r) + 0.05,
        f"{VICKREY} ir critical_payment", "Vickrey 1961 with a fee of 1/20 from everybody",
        ir="a loser pays 1/20", critical_payment="a loser pays 1/20",
        ic="the fee does not depend on the reports",
    ),
)  # fmt: skip


# Classics that are not truthful, and planted faults -----------------------------------------------


def second_distinct(reports: Array) -> Array:
    top = order(reports, 1)
    return np.max(np.where(reports < top, reports, 0), axis=-1, keepdims=True)


def incumbent_price(reports: Array) -> Array:
    return second(reports) * np.where(np.arange(reports.shape[-1]) == 0, 0.8, 1)


def without_outlier(reports: Array) -> Array:
    """The highest bid is struck out where it is more than four times the second."""
    return np.where(highest(reports) & (reports > 4 * second(reports)), -1, reports)


def lowest(reports: Array) -> Array:
    return one_hot(np.argmin(reports, axis=-1), reports.shape[-1])


def fault(
    key: str,
    allocate: Callable[[Array], Array],
    price: Callable[[Array], Array],
    fails: str,
    source: str,
    *,
    on: Callable[[], Setting] = three,
    of: str = UNIT_DEMAND,
    **because: str,
) -> Entry:
    """A faulty entry in which the winner pays price(reports)."""
    pay = winner_pays(price)
    return ruled(key, on, allocate, pay, fails, source, of=of, faulty=True, **because)


FAULTY = (
    fault(
        "first-price", highest, lambda r: r, without(f"{VICKREY} {UNTRUTHFUL}", "non_bossy"),
        "Vickrey 1961; the equilibrium for U[0, 1] is (n − 1)/n · v",
        ic="(1, 0, 0): agent 0 reports 0 for 1 and gains 1", group_ic=ONE_WINNER,
        non_bossy="a loser who still loses moves nothing, and a winner moves its own price",
        strong_group_ic="(1, 0, 0): agents 0 and 1 report 0 and 0", envy_free="winners pay all",
    ),
    ruled(
        "all-pay", three, highest, lambda r, x: r * 1,
        without(f"{VICKREY} {UNTRUTHFUL} ir envy_free group_ic", "non_bossy"),
        "Baye, Kovenock & de Vries 1996", faulty=True,
        envy_free="(1, 1, 0): agent 1 pays 1 for nothing, agent 2 pays 0",
        group_ic="(1, 1/2, 0): agent 0 reports 1/4, agent 1 reports 0: both pay less",
        non_bossy="every change of a report changes the own payment",
    ),
    fault(
        "third-price", highest, lambda r: order(r, 3), f"{VICKREY} {UNTRUTHFUL} envy_free",
        "Kagel & Levin 1993",
        ic="(1/2, 3/4, 0): agent 0 reports 1, wins for 0", envy_free="(1, 1/2, 0): the price is 0",
    ),
    fault(
        "half-price", highest, lambda r: second(r) / 2, f"{VICKREY} {UNTRUTHFUL} envy_free",
        "planted in second-price: the winner pays half of the second bid",
        ic="(3/4, 1, 0): agent 0 reports 1, pays 1/2",
    ),
    fault(
        "second-from-the-bottom", highest, lambda r: np.sort(r, axis=-1)[..., 1:2],
        f"{VICKREY} false_name_proof revenue_monotone",
        "planted in second-price: the index counts from the bottom, right for three bidders only",
        false_name_proof="(1/2, 3/4, 1/4): agent 0 reports 1 and a fourth bid of 0: it pays 1/4",
        revenue_monotone="(1, 1/2, 0) earns 1/2; a fourth bid of 0 makes it 0",
    ),
    entry(
        "all-tied-bidders-win",
        lambda: Mechanism.threshold(single_item(3), highest_rival, name="all tied bidders win"),
        f"{VICKREY} feasible group_ic revenue_monotone",
        "planted in second-price-strict: ≥ for >", faulty=True,
        feasible="(1, 1, 0): two items are given away, at ties only",
        group_ic="(1, 1, 0): agents 0 and 1 report 1/2 and 1/2: both win, for 1/2 each",
        revenue_monotone="(1/2, 1/2, 0) earns 1; agent 0 reports 1: the revenue is 1/2",
        ic="the price is still the others' highest report",
        efficient="two items given away are worth more than one: only `feasible` fails",
    ),
    fault(
        "mean-of-first-and-second", highest, lambda r: (order(r, 1) + second(r)) / 2,
        f"{VICKREY} {UNTRUTHFUL}", "planted in second-price: the own bid is half of the price",
    ),
    fault(
        "reserve-not-paid", above(0.5), second,
        f"{VICKREY} {UNTRUTHFUL} efficient adverse_selection_free",
        "planted in second-price-reserve: the price forgets the reserve",
        ic="(1/4, 0, 0): agent 0 reports 1/2 and gets for nothing what is worth 1/4",
    ),
    fault(
        "reserve-only-paid", highest, lambda r: np.maximum(second(r), 0.5),
        f"{VICKREY} {UNTRUTHFUL} ir envy_free",
        "planted in second-price-reserve: the allocation forgets the reserve",
        ir="(1/4, 0, 0): agent 0 pays 1/2", ic="(0, 1/4, 0): agent 1 would rather report 0",
        group_ic="who gains by winning values the item above 1/2 and the price: then the partner "
        "had no loss to get rid of",
    ),
    ruled(
        "losers-pay-a-fee", three, highest, lambda r, x: np.where(x, second(r), 0.02),
        without(f"{VICKREY} {UNTRUTHFUL} ir envy_free", "false_name_proof"),
        "planted in entry-fee: only losers are charged, 1/50", faulty=True,
        ic="(1/2, 1/2, 0): agent 1 reports 1: it wins for 1/2 and saves 1/50; needs a bid within "
        "1/50 of the highest",
        envy_free="agent 1 of (1/2, 1/2, 0) would rather win",
        group_ic="of a pair at most one wins, and the other then pays the fee",
        false_name_proof="one of the two identities pays the fee",
    ),
    fault(
        "winner-is-paid", highest, lambda r: -second(r),
        f"{VICKREY} {UNTRUTHFUL} weak_budget_balance no_positive_transfers envy_free "
        "revenue_monotone",
        "planted in second-price: the sign of the payment",
    ),
    fault(
        "mean-as-reserve", highest,
        lambda r: np.maximum(second(r), np.mean(r, axis=-1, keepdims=True)),
        f"{VICKREY} {UNTRUTHFUL} revenue_monotone",
        "planted in second-price: the mean of all bids, the winner's own among them, is a floor",
        ic="(1, 0, 0): the price is 1/3, and 1/12 for a bid of 1/4",
        revenue_monotone="(1, 0, 0) earns 1/3, with a fourth bid of 0 only 1/4",
    ),
    fault(
        "half-the-own-bid-as-reserve", highest, lambda r: np.maximum(second(r), r / 2),
        f"{VICKREY} {UNTRUTHFUL}", "planted in second-price: the reserve is half of the own bid",
        ic="only where the winner bids more than twice the second: (1, 1/4, 0)",
    ),
    fault(
        "second-distinct-bid", highest, second_distinct,
        f"{VICKREY} {UNTRUTHFUL} envy_free revenue_monotone",
        "planted in second-price: the price is the highest bid below the winner's",
        ic="only at ties: (1/2, 3/4, 1/4): agent 0 reports 3/4 exactly, wins and pays 1/4",
        revenue_monotone="(1, 1/2, 0) earns 1/2; agent 1 reports 1: the price is 0",
        critical_payment="(3/4, 3/4, 1/4): agent 0 pays 1/4, and loses with 1/2",
    ),
    fault(
        "price-up-to-a-tick", highest, lambda r: 10 * np.ceil(second(r) / 10),
        f"{VICKREY} {UNTRUTHFUL} ir envy_free group_ic",
        "planted in second-price, values in [0, 100]: the price is rounded up to a multiple of 10",
        on=lambda: single_item(3, high=100),
        ir="(25, 25, 0): agent 0 pays 30",
        group_ic="(25, 25, 0): agent 0 reports 0 and leaves the item to agent 1: −5 becomes 0",
    ),
    fault(
        "incumbent-discount", highest, incumbent_price,
        f"{VICKREY} {UNTRUTHFUL} envy_free anonymous revenue_monotone",
        "planted in second-price: agent 0 pays four fifths of the second bid",
        ic="agent 0 only: (0.7, 0.75, 0): it reports 1 and pays 0.6",
        revenue_monotone="(3/4, 7/8, 7/8) earns 7/8; agent 0 reports 1: it wins for 7/10",
    ),
    fault(
        "outlier-struck-out", lambda r: highest(without_outlier(r)),
        lambda r: second(without_outlier(r)),
        f"{VICKREY} {UNTRUTHFUL} monotone envy_free revenue_monotone efficient",
        "planted in second-price: a bid of more than four times the second counts as an error",
        monotone="(1/2, 1/8, 0) wins, (1, 1/8, 0) does not: large ratios only",
        false_name_proof="a second identity at a quarter of the own bid keeps it in",
        efficient="(1, 1/8, 0): agent 1 wins",
    ),
    fault(
        "buy-now", highest, lambda r: np.where(order(r, 1) >= 0.9, 0.6, second(r)),
        f"{VICKREY} {UNTRUTHFUL} envy_free revenue_monotone",
        "planted in second-price: a highest bid of 0.9 or more buys at the list price, 0.6",
        ic="(3/4, 0.7, 0): agent 0 reports 0.9 and pays 0.6, not 0.7",
    ),
    fault(
        "lowest-bid-wins", lowest, lambda r: np.sort(r, axis=-1)[..., 1:2],
        f"{VICKREY} {UNTRUTHFUL} ir monotone envy_free group_ic revenue_monotone efficient",
        "planted in second-price: sorted as in procurement",
        group_ic="(0, 1/2, 1): agent 0 reports 1 and loses nothing; agent 2 reports 0, pays 1/2",
        revenue_monotone="(1/4, 1/2, 1) earns 1/2; a fourth bid of 0 makes it 1/4",
    ),
    fault(
        "virtual-price", best_virtual, rival_virtual,
        without(f"{VICKREY} {UNTRUTHFUL} efficient envy_free adverse_selection_free",
                "false_name_proof"),
        "planted in myerson-unlike-bidders: the price is the rival's virtual value, not inverted",
        on=unlike, of=without(UNIT_DEMAND, "false_name_proof", "anonymous"),
        ic="(1/4, 0, 0): agent 0 reports 1/2 and pays nothing",
        revenue_monotone="the revenue is the second highest virtual value, or 0",
    ),
    fault(
        "clear-winner-pays-second", clear_winner, second,
        f"{VICKREY} {UNTRUTHFUL} revenue_monotone efficient",
        "planted in modified-second-bid: the price forgets the factor",
        ic="(1/2, 1/4, 0): agent 0 reports 1 and pays 1/4",
    ),
)  # fmt: skip

ENTRIES: tuple[Entry, ...] = SOUND + FAULTY
