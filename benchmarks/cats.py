"""Winner determination in the style of CATS, by generators of our own.

Each generator draws bids (bidder, items, value) from a seed: paths in space, proximity in space
(regions), arbitrary relationships, temporal matching of landing slots, temporal scheduling of jobs.
A bidder's substitutable bids are XOR. Values are whole numbers, in cents where CATS has prices with
fractions.

These are the five economic motives of CATS and not its five distributions: the code is ours, no
file of CATS is read, and numbers are not comparable with those published for it. Beside the
defaults of the program CATS, version 2:

    regions,      as there: common values to 100, another location with 0.9, additivity 0.2, budget
    arbitrary     1.5, resale 0.5. Otherwise: private values deviate by half of the common value and
                  not by half of the largest, and the first location is one of those valued above
                  it; a bundle has eight items at most; five bids of a bidder (there six), of any
                  size and not of that of the first; no jumps (there 0.05), no missing neighbours
                  (there 0.1), and a diagonal with 0.36 (there one of a cell's two, with 0.2)
    paths         as there: five bids of a bidder, who would pay 1 to 1.5 times the distance.
                  Otherwise: roads are edges of a Delaunay triangulation and not built along
                  shortest paths at a penalty of 1.7; the five paths are not the cheapest; a path
                  costs half of its length
    matching      as there: four airports, take-off one slot early to two late. Otherwise: they lie
                  in a square; a flight is worth 1 to 10 and not the two airports' prices; each slot
                  of delay takes 0.8 (there 0.9, and 0.75 for lateness); five bids of a bidder
    scheduling    as there: jobs of up to ten slots, a further deadline with 0.7, a value in
                  proportion to the first deadline over the one that is met. Otherwise: a value
                  of 1 to 1.5 a slot and not 0.5 to 1.5 times length^1.2; a release time; ten bids
                  of a bidder

Source: Leyton-Brown, Pearson & Shoham, "Towards a universal test suite for combinatorial auction
algorithms" (2000); the program of CATS, version 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.spatial import Delaunay

__all__ = ["STYLES", "bids"]

Bid = tuple[int, list[int], float]


def bids(style: str, items: int, count: int, seed: int) -> list[Bid]:
    """About `count` bids over `items` items; a bidder's last substitutes may exceed the count."""
    rng = np.random.default_rng(seed)
    return STYLES[style](items, count, rng)


def _cents(value: float) -> float:
    return float(max(1, round(100 * value)))


def paths(items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Items are edges between nearby cities; a bidder wants any short path between two cities,
    each worth the same, a draw times their distance, less half of its length."""
    cities = max(4, items // 3 + 2)
    at = rng.random((cities, 2))
    triangles = Delaunay(at).simplices
    edges = sorted({tuple(sorted((int(t[a]), int(t[b])))) for t in triangles
                    for a, b in ((0, 1), (1, 2), (0, 2))})  # fmt: skip
    edges = [edges[k] for k in sorted(rng.permutation(len(edges))[:items])]
    length = {e: float(np.linalg.norm(at[e[0]] - at[e[1]])) for e in edges}
    index = {e: k for k, e in enumerate(edges)}
    near: dict[int, list[int]] = {}
    for a, b in edges:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    found: list[Bid] = []
    bidder = 0
    for _ in range(50 * count):
        if len(found) >= count:
            break
        start, end = (int(k) for k in rng.choice(cities, 2, replace=False))
        straight = float(np.linalg.norm(at[start] - at[end]))
        worth = straight * (1 + rng.random() * 0.5)
        substitutes: list[tuple[float, list[int]]] = []
        stack = [(start, [start], 0.0)]
        while stack and len(substitutes) < 5:
            city, way, far = stack.pop()
            if city == end:
                taken = [tuple(sorted(pair)) for pair in itertools.pairwise(way)]
                substitutes.append((far, [index[e] for e in taken]))
                continue
            for nxt in near.get(city, []):
                step = far + length[tuple(sorted((city, nxt)))]
                if nxt not in way and step + float(np.linalg.norm(at[nxt] - at[end])) <= worth:
                    stack.append((nxt, [*way, nxt], step))
        gained = [(bidder, sorted(taken), _cents(worth - 0.5 * far)) for far, taken in substitutes]
        found += gained
        bidder += bool(gained)
    return found


def _spread(weights: np.ndarray, items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Regions and arbitrary relationships share this: a first item by private value, neighbours
    added with probability 0.9 each, a value superadditive in the size, and substitutes that share
    an item and keep at least half of the first bundle's common value."""
    common = 1 + 99 * rng.random(items)
    found: list[Bid] = []
    bidder = 0
    while len(found) < count:
        private = common * (1 + 0.5 * (2 * rng.random(items) - 1))
        liking = np.maximum(private - common, 0) + 1e-9

        def bundle(first: int, liking: np.ndarray = liking) -> list[int]:
            taken = [first]
            while len(taken) < items and rng.random() < 0.9:
                rest = np.setdiff1d(np.arange(items), taken)
                pull = weights[np.ix_(taken, rest)].sum(axis=0) * liking[rest]
                if pull.sum() <= 0:
                    break
                taken.append(int(rng.choice(rest, p=pull / pull.sum())))
                if len(taken) >= 8:
                    break
            return sorted(taken)

        def worth(taken: list[int], private: np.ndarray = private) -> float:
            return float(private[taken].sum()) + len(taken) ** 1.2

        main = bundle(int(rng.choice(items, p=liking / liking.sum())))
        price, budget = worth(main), 1.5 * worth(main)
        made = {tuple(main): price}
        for first in main:
            other = bundle(first)
            value = worth(other)
            enough = common[other].sum() >= 0.5 * common[main].sum()
            if 0 <= value <= budget and enough and len(made) < 5:
                made.setdefault(tuple(other), value)
        found += [(bidder, list(taken), _cents(value)) for taken, value in made.items()]
        bidder += 1
    return found


def regions(items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Items are plots on a grid, and neighbours are worth more together."""
    side = int(np.ceil(np.sqrt(items)))
    row, column = np.divmod(np.arange(items), side)
    apart = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    diagonal = (np.abs(row[:, None] - row) == 1) & (np.abs(column[:, None] - column) == 1)
    joined = (apart == 1) | diagonal & (rng.random((items, items)) < 0.2)
    return _spread((joined | joined.T) * 1.0, items, count, rng)


def arbitrary(items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Every pair of items has a random affinity."""
    affinity = rng.random((items, items))
    affinity = (affinity + affinity.T) / 2
    np.fill_diagonal(affinity, 0)
    return _spread(affinity, items, count, rng)


def matching(items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Items are landing and take-off slots at four airports; a bidder wants a pair of slots that
    fits a flight between two of them, and loses value with delay."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    times = max(2, items // 4)
    found: list[Bid] = []
    bidder = 0
    for _ in range(100 * count):
        if len(found) >= count:
            break
        a, b = (int(k) for k in rng.choice(4, 2, replace=False))
        flight = max(1, round(float(np.linalg.norm(corners[a] - corners[b])) * times / 4))
        best, worth = int(rng.integers(0, max(1, times - flight))), 1 + 9 * rng.random()
        made = []
        for depart in range(max(0, best - 1), min(times, best + 3)):
            for arrive in range(depart + flight, min(times, depart + flight + 2)):
                late = abs(depart - best) + (arrive - depart - flight)
                pair = sorted({a * times + depart, b * times + arrive})
                if pair[-1] < items:
                    made.append((bidder, pair, _cents(worth * 0.8**late)))
        found += made[:5]
        bidder += bool(made)
    return found


def scheduling(items: int, count: int, rng: np.random.Generator) -> list[Bid]:
    """Items are time slots of one machine; a job of some length wants any interval before its last
    deadline, and is worth less after each deadline passed."""
    found: list[Bid] = []
    bidder = 0
    while len(found) < count:
        length = int(rng.integers(1, min(10, items) + 1))
        deadlines = [int(rng.integers(length, items + 1))]
        while rng.random() < 0.7 and deadlines[-1] < items:
            deadlines.append(int(rng.integers(deadlines[-1], items + 1)))
        release = int(rng.integers(0, max(1, deadlines[0] - length + 1)))
        worth = length * (1 + 0.5 * rng.random())
        made = []
        for end in range(release + length, deadlines[-1] + 1):
            passed = sum(end > d for d in deadlines)
            value = worth * deadlines[0] / deadlines[min(passed, len(deadlines) - 1)]
            made.append((bidder, list(range(end - length, end)), _cents(value)))
        found += made[:10]
        bidder += 1
    return found


STYLES: dict[str, Callable[[int, int, np.random.Generator], list[Bid]]] = {
    "arbitrary": arbitrary,
    "matching": matching,
    "paths": paths,
    "regions": regions,
    "scheduling": scheduling,
}
