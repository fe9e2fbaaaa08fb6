"""Double auctions: buyers and sellers of single units, and what happens at the margin of trade.

Let b_1 ≥ b_2 ≥ … be the bids and s_1 ≤ s_2 ≤ … the asks, and k the largest i with b_i ≥ s_i: the
efficient number of trades. Every mechanism here is a choice of how many of the first pairs trade
and at what prices, and every impossibility (Myerson & Satterthwaite 1983) shows as a choice between
the budget, the k-th trade and the truth. Bids and asks lie in [0, 1]; b_0 = 1 and s_0 = 0 stand
before the first, b_{m+1} = 0 and s_{n+1} = 1 after the last. Ties go to the lowest index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mechkit.book import Sides, market, order
from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry
from mechkit.constructors import double_auction
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Setting


def mcafee(values: Array, costs: Array, *, reduces: bool = True, slip: int = 0) -> Sides:
    """All k trade at the mean of b_{k+1} and s_{k+1} if it suits the k-th pair; else k − 1 trade,
    buyers paying b_k and sellers receiving s_k."""
    book = order(values, costs)
    k = book.k
    price = (book.bid(k + 1) + book.ask(k + 1)) / 2
    fits = (book.ask(k) <= price) & (price <= book.bid(k)) if reduces else k >= 0
    last = np.maximum(k - slip, 0)
    return (
        *book.first(np.where(fits, k, k - 1)),
        np.where(fits, price, book.bid(last)),
        np.where(fits, price, book.ask(last)),
    )


def trade_reduction(values: Array, costs: Array, *, both_sides: bool = True) -> Sides:
    """The first k − 1 pairs trade, at b_k and s_k."""
    book = order(values, costs)
    buys, sells = book.first(book.k - 1)
    if not both_sides:
        sells = book.sell_rank < book.k
    return buys, sells, book.bid(book.k), book.ask(book.k)


def clarke(values: Array, costs: Array, *, sign: int = 1, late: int = 0) -> Sides:
    """The first k pairs trade: a buyer pays max(s_k, b_{k+1}), a seller gets min(b_k, s_{k+1})."""
    book = order(values, costs)
    k = book.k
    return (
        *book.first(k),
        np.maximum(book.ask(k), book.bid(k + 1 - late)) * sign,
        np.minimum(book.bid(k), book.ask(k + 1 - late)) * sign,
    )


def clarke_for_buyers(values: Array, costs: Array) -> Sides:
    """The buyers' Clarke payments, passed on to the sellers."""
    buys, sells, pays, _ = clarke(values, costs)
    return buys, sells, pays, pays


def clarke_ties(values: Array, costs: Array) -> Sides:
    """As `clarke`, but whoever bids b_k buys, which at a tie is one buyer too many."""
    book = order(values, costs)
    _, sells, pays, gets = clarke(values, costs)
    return (values >= book.bid(book.k)) & (book.k > 0), sells, pays, gets


def clearing(values: Array, costs: Array, *, weight: float) -> Sides:
    """The k-double auction: one price, `weight` of the way up the window of clearing prices."""
    book = order(values, costs)
    low, high = book.window()
    price = low + weight * (high - low)
    return *book.first(book.k), price, price


def paid_the_bid(values: Array, costs: Array) -> Sides:
    """The i-th buyer pays its own bid to the i-th seller."""
    book = order(values, costs)
    falling = np.concatenate([-np.sort(-values, axis=-1), np.zeros_like(costs)], axis=-1)
    return *book.first(book.k), values, np.take_along_axis(falling, book.sell_rank, axis=-1)


def at_price(values: Array, costs: Array, price: Array) -> Sides:
    """Whoever accepts the price trades; the longer side is served in order of index."""
    wants, offers = values >= price, costs <= price
    trades = np.minimum(wants.sum(axis=-1, keepdims=True), offers.sum(axis=-1, keepdims=True))
    return (
        wants & (np.cumsum(wants, axis=-1) <= trades),
        offers & (np.cumsum(offers, axis=-1) <= trades),
        price + np.zeros_like(values),
        price + np.zeros_like(costs),
    )


def at_half(values: Array, costs: Array) -> Sides:
    return at_price(values, costs, np.zeros_like(values[..., :1]) + 0.5)


def at_mean(values: Array, costs: Array) -> Sides:
    """The price is the mean of all bids and asks, so that everybody moves it."""
    everybody = np.concatenate([values, costs], axis=-1)
    return at_price(values, costs, np.mean(everybody, axis=-1, keepdims=True))


def balanced(values: Array, costs: Array, *, drops: str = "by index") -> Sides:
    """One price min(b_k, s_{k+1}). If it is s_{k+1}, all k pairs trade; if it is b_k, the k-th
    buyer goes, and with it one of the k sellers, who must not be chosen by its ask."""
    book = order(values, costs)
    k = book.k
    all_trade = book.ask(k + 1) <= book.bid(k)
    trades = np.where(all_trade, k, k - 1)
    buys, cheapest = book.first(trades)
    willing = book.sell_rank < k
    sells = willing & (np.cumsum(willing, axis=-1) <= trades)
    price = np.where(all_trade, book.ask(k + 1), book.bid(k))
    return buys, sells if drops == "by index" else cheapest, price, price


def muda(values: Array, costs: Array, *, public: dict[str, Array], swap: bool = True) -> Sides:
    """Coins split the traders in two halves; each half trades at the other's clearing price."""
    m, n = values.shape[-1], costs.shape[-1]
    buyer_half, seller_half = public["half"][:, :m], public["half"][:, -n:]
    prices = []
    for half in (0, 1):
        # Outsiders bid too little and ask too much to trade, or to move the window.
        book = order(
            np.where(buyer_half == half, values, -1), np.where(seller_half == half, costs, 2)
        )
        low, high = book.window()
        prices.append((np.maximum(low, 0) + np.minimum(high, 1)) / 2)
    halves = []
    for half in (0, 1):
        price = prices[1 - half if swap else half]
        halves.append(
            at_price(
                np.where(buyer_half == half, values, -1),
                np.where(seller_half == half, costs, 2),
                price,
            )
        )
    (buys, sells, pays, gets), (buys_1, sells_1, pays_1, gets_1) = halves
    return (
        buys | buys_1,
        sells | sells_1,
        np.where(buys, pays, pays_1),
        np.where(sells, gets, gets_1),
    )


HALVES = Lottery(
    # One buyer and one seller in each half; the third buyer's coin is a newcomer's.
    draws=[[0, 1, 0, 0, 1], [0, 1, 0, 1, 0], [0, 1, 1, 0, 1], [0, 1, 1, 1, 0]],
    every=True,
)


def bilateral(rule: Callable[..., Sides], name: str) -> Callable[[], Mechanism]:
    return lambda: market(rule, double_auction(1, 1), name)


def two_by_two(rule: Callable[..., Sides], name: str) -> Callable[[], Mechanism]:
    return lambda: market(rule, double_auction(2, 2), name)


def split(rule: Callable[..., Sides], name: str) -> Callable[[], Mechanism]:
    return lambda: market(rule, double_auction(2, 2).with_public(half=HALVES), name)


# The truth ----------------------------------------------------------------------------------------


BILATERAL = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "monotone critical_payment efficient non_bossy group_ic strong_group_ic collusion_proof "
    "false_name_proof revenue_monotone"
)
MARKET = BILATERAL + " anonymous envy_free"
_one, _two = partial(entry, of=BILATERAL), partial(entry, of=MARKET)


def careless_pivot(setting: Setting) -> Mechanism:
    """Clarke's pivot over all trades: without a seller, as if its unit were still there."""
    trades = setting.outcomes() if setting.outcomes else np.zeros((0, setting.agents))

    def best_for_others(reports: Array, i: int) -> Array:
        values = [setting.value(reports, np.broadcast_to(x, reports.shape)) for x in trades]
        return np.max(np.stack([v.sum(axis=-1) - v[:, i] for v in values], axis=-1), axis=-1)

    groves = Mechanism.groves(setting, h=best_for_others, name="VCG with a careless pivot")
    return replace(groves, rebuild=careless_pivot)


ENTRIES: tuple[Entry, ...] = (
    _two(
        "mcafee",
        two_by_two(mcafee, "McAfee"),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof false_name_proof "
        "revenue_monotone efficient",
        "McAfee 1992, theorem 1",
        revenue_monotone="bids 9/10, 4/10, asks 1/10, 2/10: one trade leaves 2/10; raise 4/10 to "
        "1/2: both trade at 1/2, and nothing is left",
        false_name_proof="bids 1, 0, asks 1/4, 1/4: no trade; as 1 and 1/4 it buys at 1/4",
        group_ic="prices of those who trade are set by those who do not",
        efficient="bids 1/4, 0, asks 0, 1: the price of 1/2 does not suit b_1, and none trades",
    ),
    _two(
        "trade-reduction",
        two_by_two(trade_reduction, "trade reduction"),
        "strong_budget_balance efficient non_bossy strong_group_ic collusion_proof "
        "false_name_proof",
        "McAfee 1992; Babaioff & Nisan 2004",
        revenue_monotone="with at most two trades it is max(b_2 − s_2, 0)",
        efficient="a single pair that gains never trades",
    ),
    _two(
        "vcg-market",
        two_by_two(clarke, "VCG market"),
        "weak_budget_balance strong_budget_balance non_bossy group_ic strong_group_ic "
        "collusion_proof revenue_monotone",
        "Vickrey 1961; Myerson & Satterthwaite 1983",
        weak_budget_balance="a single pair: the buyer pays s and the seller gets b",
        group_ic="each side's report is the other's price: buyer up, seller down",
    ),
    _one(
        "vcg-bilateral",
        bilateral(clarke, "VCG bilateral trade"),
        "weak_budget_balance strong_budget_balance non_bossy group_ic strong_group_ic "
        "collusion_proof revenue_monotone",
        "Myerson & Satterthwaite 1983: a deficit of 1/6 on uniform types",
    ),
    _one(
        "posted-trade",
        bilateral(at_half, "posted price trade"),
        "collusion_proof efficient",
        "Hagerty & Rogerson 1987",
        collusion_proof="value 4/10, cost 0, price 1/2: together they gain 4/10 by trading",
        efficient="value 4/10, cost 0",
    ),
    _two(
        "posted-market",
        two_by_two(at_half, "posted price market"),
        "anonymous envy_free strong_group_ic collusion_proof efficient",
        "Hagerty & Rogerson 1987, with rationing by index",
        strong_group_ic="a buyer worth exactly 1/2 stands back for the next one",
        efficient="values 1/2, 1, costs 0, 1: the first buyer is served",
    ),
    _two(
        "balanced-market",
        two_by_two(balanced, "strongly budget-balanced market"),
        "anonymous envy_free non_bossy strong_group_ic collusion_proof efficient",
        "Segal-Halevi, Hassidim & Aumann 2016 (SBBA), the seller left out drawn by index",
        efficient="bids 1/2, 0, asks 0, 1: s_2 > b_1, and none trades",
    ),
    _two(
        "muda",
        split(muda, "MUDA"),
        "efficient anonymous envy_free non_bossy group_ic strong_group_ic collusion_proof "
        "false_name_proof",
        "Segal-Halevi, Hassidim & Aumann 2018, single units, at each split into halves",
        group_ic="a buyer in each half moves the price that the other pays",
        false_name_proof="an identity in the other half buys at a price that one's own half makes",
        efficient="bids 1, 0, asks 1, 0, halves by index: who could gain sits in different halves",
    ),
    _one(
        "midpoint",
        bilateral(partial(clearing, weight=0.5), "midpoint double auction"),
        "ic ex_post_nash critical_payment false_name_proof",
        "Chatterjee & Samuelson 1983, k = 1/2",
        faulty=True,
        ic="value 50, cost 30 (hundredths): truth pays 40; reporting 30 pays 30",
    ),
    _one(
        "buyers-bid",
        bilateral(partial(clearing, weight=1), "buyer's bid double auction"),
        "ic ex_post_nash critical_payment false_name_proof",
        "Chatterjee & Samuelson 1983, k = 1",
        faulty=True,
    ),
    _one(
        "sellers-offer",
        bilateral(partial(clearing, weight=0), "seller's offer double auction"),
        "ic ex_post_nash critical_payment",
        "Chatterjee & Samuelson 1983, k = 0",
        faulty=True,
    ),
    _two(
        "clearing-midpoint",
        two_by_two(partial(clearing, weight=0.5), "midpoint clearing price"),
        "ic ex_post_nash critical_payment non_bossy group_ic strong_group_ic collusion_proof "
        "false_name_proof",
        "Rustichini, Satterthwaite & Williams 1994",
        faulty=True,
    ),
    _two(
        "paid-the-bid",
        two_by_two(paid_the_bid, "sellers paid the buyer's bid"),
        "ic ex_post_nash critical_payment envy_free group_ic strong_group_ic collusion_proof "
        "false_name_proof",
        "clearing-midpoint, with each pair at its buyer's bid",
        faulty=True,
    ),
    _two(
        "buyers-vcg",
        two_by_two(clarke_for_buyers, "VCG on the buyers' side"),
        "ic ex_post_nash critical_payment non_bossy group_ic strong_group_ic collusion_proof",
        "vcg-market, with the buyers' payments passed on to the sellers",
        faulty=True,
        ic="one seller sets max(s_k, b_{k+1}); buyers are truthful",
    ),
    _two(
        "mcafee-no-reduction",
        two_by_two(partial(mcafee, reduces=False), "McAfee without reduction"),
        "ir ic ex_post_nash critical_payment envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof",
        "mcafee, trading k pairs at the mean of the next pair whether or not it fits",
        faulty=True,
        efficient="all k pairs trade",
    ),
    _two(
        "mcafee-wrong-neighbour",
        two_by_two(partial(mcafee, slip=1), "McAfee at the wrong neighbour"),
        "ic ex_post_nash strong_budget_balance critical_payment non_bossy group_ic "
        "strong_group_ic collusion_proof false_name_proof revenue_monotone efficient",
        "mcafee, reducing to k − 1 trades at b_{k−1} and s_{k−1}",
        faulty=True,
        efficient="one trade too few wherever it reduces",
    ),
    _two(
        "reduction-one-sided",
        two_by_two(partial(trade_reduction, both_sides=False), "reduction of buyers only"),
        "feasible ic ex_post_nash weak_budget_balance strong_budget_balance critical_payment "
        "efficient non_bossy group_ic strong_group_ic collusion_proof false_name_proof "
        "revenue_monotone",
        "trade-reduction, forgetting to leave out the k-th seller",
        faulty=True,
        efficient="bids 1, 0, asks 1/2, 1: a seller parts with its unit, and no buyer gets it",
    ),
    _two(
        "vcg-market-sign",
        two_by_two(partial(clarke, sign=-1), "VCG market with the sign turned"),
        "ir ic ex_post_nash strong_budget_balance no_positive_transfers critical_payment "
        "envy_free non_bossy group_ic strong_group_ic collusion_proof false_name_proof "
        "revenue_monotone",
        "vcg-market, all payments negated",
        faulty=True,
    ),
    _one(
        "vcg-bilateral-pivot",
        lambda: careless_pivot(double_auction(1, 1)),
        "ir strong_budget_balance critical_payment non_bossy strong_group_ic collusion_proof",
        "vcg-bilateral, the pivot without the seller counting trades that need its unit",
        faulty=True,
        ir="value 1, cost 1/2: the seller gives up its unit and receives nothing",
    ),
    _two(
        "vcg-market-late",
        two_by_two(partial(clarke, late=1), "VCG market one neighbour late"),
        "ic ex_post_nash strong_budget_balance critical_payment group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone",
        "vcg-market, with b_k and s_k for b_{k+1} and s_{k+1}",
        faulty=True,
    ),
    _two(
        "vcg-market-ties",
        two_by_two(clarke_ties, "VCG market that serves ties"),
        "feasible weak_budget_balance strong_budget_balance non_bossy group_ic "
        "strong_group_ic collusion_proof revenue_monotone",
        "vcg-market, where everybody who bids b_k buys: wrong only at a tie",
        faulty=True,
        efficient="one buyer too many adds b_k ≥ 0: only `feasible` fails",
    ),
    _two(
        "mean-price-market",
        two_by_two(at_mean, "market at the mean report"),
        "ic ex_post_nash critical_payment anonymous envy_free non_bossy group_ic "
        "strong_group_ic collusion_proof false_name_proof efficient",
        "posted-market, at a price that everybody's report moves",
        faulty=True,
    ),
    _two(
        "balanced-drops-dearest",
        two_by_two(partial(balanced, drops="by ask"), "balanced market, dearest seller out"),
        "ic ex_post_nash critical_payment efficient envy_free non_bossy strong_group_ic "
        "collusion_proof",
        "balanced-market, leaving out the k-th seller, who can ask less and stay in",
        faulty=True,
    ),
    _two(
        "muda-own-half",
        split(partial(muda, swap=False), "MUDA at its own price"),
        "ic ex_post_nash critical_payment anonymous envy_free group_ic strong_group_ic "
        "collusion_proof false_name_proof efficient",
        "muda, with each half at its own clearing price",
        faulty=True,
        efficient="bids 1, 0, asks 1, 0, halves by index: who could gain sits in different halves",
    ),
)
