"""Plain rules that several test files use, as a user would write them."""

import numpy as np

import mechkit as mk


def highest(bids):
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def order(bids, k):
    """The k-th highest bid (1 is the highest), with the agents' axis kept."""
    return np.sort(bids, axis=-1)[..., -k : bids.shape[-1] - k + 1]


def pay_second(bids, allocation):
    return allocation * order(bids, 2)


def pay_first(bids, allocation):
    return allocation * bids


def pay_third(bids, allocation):
    return allocation * order(bids, 3)


def pay_all(bids, allocation):
    return bids * 1


def second_price(agents=3, **options):
    return mk.Mechanism(
        mk.single_item(agents=agents, **options), highest, pay_second, name="second price"
    )


def first_price(agents=3, **options):
    return mk.Mechanism(
        mk.single_item(agents=agents, **options), highest, pay_first, name="first price"
    )


def midpoint(low=0, high=1):
    """One buyer, one seller: trade where value ≥ cost, at the midpoint."""

    def allocate(reports):
        trade = reports[:, :1] >= reports[:, 1:]
        return np.concatenate([trade, trade], axis=1)

    def pay(reports, allocation):
        price = (reports[:, :1] + reports[:, 1:]) / 2
        return allocation * np.concatenate([price, -price], axis=1)

    setting = mk.double_auction(1, 1, low=low, high=high)
    return mk.Mechanism(setting, allocate, pay, name="midpoint double auction")
