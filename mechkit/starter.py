"""The file that `mechkit init` writes: a first mechanism to change."""

STARTER = '''\
"""A mechanism, and the properties that it should have.

    mechkit verify {file}:second_price --properties ic,ir,feasible,weak_budget_balance
    mechkit verify {file}:second_price
"""

import numpy as np

import mechkit as mk

# Who takes part and what they want: three bidders, one item, values between 0 and 1.
# Others: mk.multi_unit, mk.double_auction, mk.unit_demand, mk.combinatorial, mk.public_project, ...
setting = mk.single_item(agents=3)


# A rule is a plain NumPy function over a batch of profiles, one row each: it takes bids of shape
# (batch, agents) and reduces with axis=-1. The same function runs in exact arithmetic, too, so
# choose with np.where, np.argmax and the like, not with Python's `if`.
def allocate(bids):
    """Who gets the item: the highest bid, the first among equals. (batch, agents)"""
    winner = np.argmax(bids, axis=-1)
    return np.arange(bids.shape[-1]) == winner[..., None]


def pay(bids, allocation):
    """What each bidder pays; negative would be received. (batch, agents)"""
    second = np.sort(bids, axis=-1)[..., -2:-1]
    return allocation * second


second_price = mk.Mechanism(setting, allocate, pay, name="second price")


# Why not let the winner pay its own bid, and earn more? Remove the marks to see who gains by what
# lie; with two mechanisms in the file, say which: mechkit verify {file}:first_price
#
# def pay_own_bid(bids, allocation):
#     return allocation * bids
#
#
# first_price = mk.Mechanism(setting, allocate, pay_own_bid, name="first price")
'''


def starter(file: str) -> str:
    """The text of a starter file that will be called `file`."""
    return STARTER.format(file=file)
