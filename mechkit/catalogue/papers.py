"""Three mechanisms as recent papers on edge and mobile services print them, and their truth.

The double Dutch auction with unit clock step, by rank, is that of `mechkit.papers.madda`, the
rules of local markets at roadside units are those of `mechkit.papers.aigc`, and the modified second
bid is that of `mechkit.papers.dmsb`.
"""

from __future__ import annotations

from functools import partial

from mechkit.book import market
from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry
from mechkit.catalogue.trade import MARKET
from mechkit.constructors import double_auction
from mechkit.papers.aigc.mechanism import cost_as_reserve, mcafee_as_printed
from mechkit.papers.dmsb.rules import (
    beating_everybody,
    modified_second_bid,
    myopic,
    second_price,
    task,
)
from mechkit.papers.madda.mechanism import HIGHEST, LOWEST, double_dutch

TASK = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "monotone critical_payment efficient anonymous envy_free non_bossy group_ic strong_group_ic "
    "collusion_proof revenue_monotone adverse_selection_free"
)
_market, _task = partial(entry, of=MARKET), partial(entry, of=TASK)
ENTRIES: tuple[Entry, ...] = (
    _market(
        "madda-double-dutch",
        lambda: market(
            double_dutch, double_auction(2, 2, low=LOWEST, high=HIGHEST), "double Dutch auction"
        ),
        "ic ex_post_nash critical_payment envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof efficient",
        "double Dutch auction with unit clock step; the buyer who sets the price is left out",
        faulty=True,
        ic="buyers 50 and 1, sellers 30 and 100: trade at 30; reporting 50 the seller is paid 50. "
        "A buyer gains less than a tick: 50.5 beside 50.9, sellers 10 and 90, reports 51",
        envy_free="buyers 50.5 and 50.9, sellers 10 and 90: the second trades at 50",
        group_ic="buyers 60, 60, sellers 30, 30: both sellers report 59 and are paid 59",
        false_name_proof="50.5 beside 50.9, sellers 10 and 90: as 51 and 1 it trades at 50",
        revenue_monotone="what buyers pay sellers get: always 0",
        efficient="buyer 50.5, seller 50.2: their clocks stop at 50 and 51; less than a tick",
    ),
    _market(
        "aigc-mcafee",
        lambda: market(mcafee_as_printed, double_auction(2, 2), "McAfee as printed"),
        "strong_budget_balance efficient non_bossy strong_group_ic collusion_proof "
        "false_name_proof",
        "McAfee 1992 with the accepting agents counted, and a reduction where no next pair exists",
        strong_budget_balance="buyers 1, 3/4, sellers 0, 1/2: one trade, 3/4 paid and 1/2 received",
        false_name_proof="buyers 1, 0, sellers 1/4, 1/4: no trade; as 1 and 1/4 it buys at 1/4",
    ),
    _market(
        "aigc-second-price",
        lambda: market(cost_as_reserve, double_auction(3, 1), "second price, cost as reserve"),
        "ic ex_post_nash critical_payment non_bossy strong_group_ic collusion_proof",
        "one auction per machine, its reported cost the reserve",
        faulty=True,
        ic="bids 1, 1/2, 0 and cost 1/4: the seller receives 1/2, and 1 if it reports 1",
        strong_budget_balance="the buyer's payment is passed on",
    ),
    _task(
        "dmsb-second-bid",
        task(modified_second_bid, "modified second bid"),
        "ic ex_post_nash strong_budget_balance critical_payment non_bossy strong_group_ic "
        "collusion_proof revenue_monotone efficient",
        "after Arnosti, Beck & Milgrom 2016, the brand bidder paying its own bid; rho = 2",
        faulty=True,
        ic="the brand bidder alone: it wins whatever it bids, and pays what it bids",
        revenue_monotone="brand 1/10, stations 1, 2/5, 0 pay 4/5; raise 2/5 to 3/5: 1/10",
        adverse_selection_free="thresholds are homogeneous in the stations' bids",
        efficient="brand 0, stations 1, 3/4, 0: the brand bidder wins",
    ),
    _task(
        "dmsb-second-bid-all",
        task(beating_everybody, "modified second bid over everybody"),
        "ic ex_post_nash strong_budget_balance critical_payment non_bossy strong_group_ic "
        "collusion_proof revenue_monotone adverse_selection_free efficient",
        "the same with the maximum over all other providers, the brand bidder among them",
        faulty=True,
        adverse_selection_free="brand 3/8, stations 1/2, 1/8, 0: the brand wins; doubled, 1 > 3/4",
    ),
    _task(
        "dmsb-myopic",
        task(myopic, "myopic second bid"),
        "ic ex_post_nash strong_budget_balance monotone critical_payment non_bossy "
        "strong_group_ic collusion_proof revenue_monotone adverse_selection_free efficient",
        "rho the ratio of this round's two highest bids over everybody",
        faulty=True,
        ic="brand 1, stations 4/5, 1/5, 0: rho = 5/4, pays 1/4; reporting 1 it pays 1/5",
        efficient="brand 0, stations 1, 1/2, 0: the threshold is 2 · 1/2, which 1 does not exceed",
    ),
    _task(
        "dmsb-second-price",
        task(second_price, "second price over brand and stations"),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof adverse_selection_free",
        "Vickrey 1961, as the baseline",
        adverse_selection_free="brand 3/8, stations 1/4, 1/8, 0; doubled, a station wins",
    ),
)
