"""The best step policy of an auctioneer who sees no values, at small sizes, exactly.

It sees S = (Ψ, t, C_B, C_S, |M_B|, |N_S|) at every move, and so which clock stopped where and who
had accepted by then; it knows that k pairs take part and that values and costs are independent and
uniform on the ticks 1 … T. What it knows is a set of profiles, and it is a product of a set for
buyers and one for sellers: with b buyers willing at C_B and s sellers at C_S, it sees b = x and
s ≥ x where Ψ = 0, s = x and b > x where Ψ = 1, and each of these is about one side. So

    value(set) = −ζ k P(set) + max_a Σ_{what is seen next} value(smaller set) − E[its regret]

over the steps a, and nothing is to come once the clocks have crossed. Profiles are sorted values
with how many orders they have; all is counted in whole numbers. Kuhn 1953: with perfect recall a
policy that does not draw lots is best.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mechkit.errors import require


def best(pairs: int, *, ticks: int, levels: Sequence[int], fee: Fraction) -> Fraction:
    """The largest expected sum of eq. 17; levels: the steps to choose from, in ticks.

    The number of sets grows fast: 3 pairs on 10 ticks take seconds.
    """
    for name, count in (("pairs", pairs), ("ticks", ticks), *(("level", step) for step in levels)):
        whole = isinstance(count, int) and not isinstance(count, bool) and count >= 1
        require(whole, f"{name} = {count!r}: expected an integer of at least 1")
    require(len(levels) > 0, "levels are empty: expected at least one step")
    found = _Sets(pairs, ticks, tuple(levels), Fraction(fee))
    everybody = np.arange(len(found.weights))
    total = found.reached((ticks, 1), (everybody, everybody), (0, 0))
    return Fraction(total, found.scale * ticks ** (2 * pairs))


class _Sets:
    """Sides as in `clocks`: sellers are worth −c, their clock shows −C_S. Values of sets are whole
    numbers: sums over profiles, in units of 1 / scale."""

    def __init__(self, pairs: int, ticks: int, levels: tuple[int, ...], fee: Fraction) -> None:
        self.pairs, self.levels, self.scale = pairs, levels, fee.denominator
        self.fee = fee.numerator
        falling = list(itertools.combinations_with_replacement(range(ticks, 0, -1), pairs))
        orders = [
            math.factorial(pairs) // math.prod(map(math.factorial, Counter(one).values()))
            for one in falling
        ]
        values = np.array(falling)
        self.weights = np.array(orders)
        self.worth = (values, values - (ticks + 1))
        self.known: dict[tuple[object, ...], int] = {}

    def reached(
        self, clocks: tuple[int, int], sets: tuple[np.ndarray, np.ndarray], before: tuple[int, int]
    ) -> int:
        """Of these prices (C_B, C_S), at which some accept; `before`: who had accepted."""
        price = (clocks[0], -clocks[1])
        willing = [(self.worth[k][sets[k]] >= price[k]).sum(axis=1) for k in (0, 1)]
        total = 0
        for sold, active in itertools.product(range(before[1], self.pairs + 1), (0, 1)):
            if active:
                seen = (sets[0][willing[0] > sold], sets[1][willing[1] == sold])
            else:
                seen = (sets[0][willing[0] == sold], sets[1][willing[1] >= sold])
            mass = [int(self.weights[one].sum()) for one in seen]
            if not all(mass):
                continue
            after = (sold + active, sold)
            regret = 0
            for k in (0, 1):
                newly = self.worth[k][seen[k], before[k] : after[k]] - price[k]
                regret += int(self.weights[seen[k]] @ newly.sum(axis=1)) * mass[1 - k]
            total += self.value(clocks, seen, after, mass[0] * mass[1]) - self.scale * regret
        return total

    def value(
        self,
        clocks: tuple[int, int],
        sets: tuple[np.ndarray, np.ndarray],
        accepted: tuple[int, int],
        mass: int,
    ) -> int:
        """Of waiting for a step."""
        key = (clocks, sets[0].tobytes(), sets[1].tobytes())
        if key not in self.known:
            (buy, sell), active = clocks, accepted[0] > accepted[1]
            follows = []
            for step in self.levels:
                moved = (buy, sell + step) if active else (buy - step, sell)
                crossed = moved[0] < moved[1]
                follows.append(0 if crossed else self.reached(moved, sets, accepted))
            self.known[key] = max(follows) - self.fee * self.pairs * mass
        return self.known[key]
