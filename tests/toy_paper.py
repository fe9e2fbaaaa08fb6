"""A paper in small: claims that hold, fail, break down, are vacuous, and one expected wrongly."""

from fractions import Fraction

import numpy as np

import mechkit as mk
from mechkit.papers import Asked, Claim, Fact, Finding, Formula, Market, Paper, Result


def highest(bids):
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def first_price():
    return mk.Mechanism(mk.single_item(2), highest, lambda b, x: x * b, name="first price")


def second_price():
    return mk.Mechanism(
        mk.single_item(2), highest, lambda b, x: x * np.sort(b, axis=-1)[..., -2:-1], name="second"
    )


def bilateral():
    def rule(reports):
        value, cost = reports[:, :1], reports[:, 1:]
        trades = np.broadcast_to(value >= cost, reports.shape) * 1
        return trades, np.concatenate([cost, -cost], axis=1) * trades

    return mk.Mechanism.from_outcome(mk.double_auction(1, 1), rule, "the buyer pays the cost")


def never_sells():
    return mk.Mechanism(
        mk.single_item(2),
        lambda bids: np.zeros_like(bids),
        lambda bids, x: np.zeros_like(bids),
        name="never sells",
    )


def sums_to_one(effort):
    weights = [Fraction(1), Fraction(1, 2)]
    return Finding(
        mk.Status.REFUTED,
        "arithmetic",
        "two weights sum to 3/2",
        numbers={"weights": [str(w) for w in weights]},
        told="With weights 1 and 1/2 the sum is 3/2.",
    )


def check_sum(status, numbers):
    total = sum(Fraction(w) for w in numbers["weights"])
    if status is not mk.Status.REFUTED or total == 1:
        raise ValueError(f"the weights sum to {total}")
    return f"the weights sum to {total}, not 1"


def breaks(effort):
    raise ArithmeticError("no such number")


def draw(rng, batch, agents):
    return rng.random((batch, agents))


def sold_to(pick):
    def run(values):
        got = np.take_along_axis(values, pick(values)[:, None], axis=1)[:, 0]
        return Result(got, np.ones(len(values)), np.zeros(len(values)))

    return run


PAPER = Paper(
    id="toy",
    about="an item in two auctions",
    market=Market(
        draw,
        {"agents": 5},
        lambda values: values.max(axis=1),
        {
            "second price": sold_to(lambda v: np.argmax(v, axis=1)),
            "to the first": sold_to(lambda v: np.zeros(len(v), dtype=int)),
        },
    ),
    mechanisms={
        "first-price": first_price,
        "second-price": second_price,
        "bilateral": bilateral,
        "never": never_sells,
    },
    claims=(
        Claim("toy.ic", "Th. 1", "Bids are true.", Asked("second-price", "ic"), True, "Vickrey"),
        Claim(
            "toy.ic/own-bid",
            "Th. 1",
            "Bids are true <b>even so</b>.",
            Asked("first-price", "ic"),
            False,
            "shading pays",
            reading="the winner pays its own bid",
        ),
        Claim(
            "toy.ic/seller",
            "Th. 2",
            "Sellers ask their costs.",
            Asked("bilateral", "ic", "seller"),
            False,
            "asking more pays",
        ),
        Claim(
            "toy.sums",
            "eq. 4",
            "Weights sum to one.",
            Fact(sums_to_one, check_sum),
            False,
            "they are not normalised",
            formula=Formula("w_a = 1/a", "sum over a = 1, 2: 3/2 ≠ 1", "w_a = (1/a) / (3/2)"),
        ),
        Claim("toy.vacuous", "Th. 3", "Nobody lies.", Asked("never", "ic"), None, "nothing sold"),
        Claim("toy.breaks", "Th. 4", "It runs.", Fact(breaks, check_sum), True, "it should"),
        Claim(
            "toy.wrong", "Th. 5", "Holds.", Asked("first-price", "ic"), True, "a mistake of ours"
        ),
    ),
    readings=("the number of bidders is not given: five",),
)
