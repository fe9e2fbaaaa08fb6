"""The game between providers, who bid, and users, who train (section 4, eqs. 14-30).

Provider j bids q_c ≥ 0 on coordinates c with Σ_c q_c ≤ B_j (C1 of eq. 17), and wins each with
probability q_c / (q_c + Δ_c), Δ_c what the others bid there. By eq. 16 it gets

    Ψ_j = Σ_c [ q_c² / (q_c + Δ_c) − A_c q_c ],                  0 / 0 = 0,

and there are two readings of what it pays, δ. As in eq. 16, with a bid q_ij and f_ij for every
user: coordinates are users twice, A = (Q^λ τ^Q_i, F τ^F_i). As in eq. 13, with one bid q_j and f_j,
split among users by their contributions (q_ij = q_j τ^Q_i, f_ij = f_j τ^F_i): two coordinates,
A = (Q^λ, F). Nothing in Ψ depends on what users reply.

    q² / (q + Δ) = q − Δ + Δ² / (q + Δ)        has second derivative 2 Δ² / (q + Δ)³ ≥ 0,

so Ψ is convex where the paper finds it concave, and its maximum over {q ≥ 0, Σ q ≤ B} is at a
vertex: bid nothing, or everything on one coordinate. With equal budgets and n_c providers on c,
each gets B (1/n_c − A_c) there: a singleton congestion game, in which providers who choose one
after the other (ties to the lowest index) end in an equilibrium (Rosenthal 1973; Milchtaich 1996).

User i gets Φ_i = Σ_j δ_ij (h(k_ij) + h(ε_ij)) − Σ_j (C^c k_ij + C^p ε_ij), h(x) = x^(1−σ) / (1−σ),
0 < σ < 1: each term is concave where δ > 0, with its maximum at (δ / C)^(1/σ); k is an integer up
to C2's bound. Decisions may be 0, as they must be where a provider bids nothing for a user: as
printed (positive) no best reply would exist there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mechkit.errors import require
from mechkit.papers.pmsam.market import Instances, charges, most_iterations

if TYPE_CHECKING:
    from proofs.games import Game

Array = Any
"""Floats, or object arrays of Fractions."""

# Providers ----------------------------------------------------------------------------------------


def won(bids: Array, others: Array) -> Array:
    """q w = q² / (q + Δ), 0 where nobody bids."""
    total = bids + others
    some = total > 0
    return np.where(some, bids * bids / np.where(some, total, 1), 0)


def provider_utilities(bids: Array, charge: Array) -> Array:
    """Eq. 16, (..., M): bids (..., M, C), charge (..., C)."""
    others = bids.sum(axis=-2, keepdims=True) - bids
    return (won(bids, others) - charge[..., None, :] * bids).sum(axis=-1)


def per_user(theta_q: Array, theta_f: Array, elasticity: float) -> Array:
    """A of the reading of eq. 16, (..., 2N): quality of every user, then freshness."""
    return np.concatenate(charges(theta_q, theta_f, elasticity), axis=-1)


def per_model(theta_q: Array, theta_f: Array, elasticity: float) -> Array:
    """A of the reading of eq. 13, (..., 2): Q^λ and F."""
    quality, freshness = theta_q.sum(axis=-1), theta_f.sum(axis=-1)
    return np.stack([quality**elasticity, freshness], axis=-1)


READINGS = {"q_ij": per_user, "q_j": per_model}


def vertices(budget: Fraction, coordinates: int) -> list[tuple[Fraction, ...]]:
    """Where a convex utility is largest: nothing, or all on one coordinate."""
    nothing = (Fraction(0),) * coordinates
    return [nothing] + [
        tuple(budget if c == d else Fraction(0) for d in range(coordinates))
        for c in range(coordinates)
    ]


def is_equilibrium(
    bids: Sequence[Sequence[Fraction]],
    charge: Sequence[Fraction],
    budgets: Sequence[Fraction],
    *,
    strict: bool = False,
) -> bool:
    """Whether no provider gains by any other bid: by convexity, by any vertex.

    strict: whether each loses by any other vertex.
    """
    own = provider_utilities(np.array(bids, dtype=object), np.array(charge, dtype=object))
    for who, budget in enumerate(budgets):
        profile = np.array(bids, dtype=object)
        for vertex in vertices(Fraction(budget), len(charge)):
            if vertex == tuple(bids[who]):
                continue
            profile[who] = vertex
            other = provider_utilities(profile, np.array(charge, dtype=object))[who]
            if other > own[who] or (strict and other == own[who]):
                return False
    return True


def equilibria(
    charge: Sequence[Fraction], budgets: Sequence[Fraction]
) -> list[tuple[tuple[Fraction, ...], ...]]:
    """Every equilibrium in vertices, by enumeration of all (C + 1)^M profiles, exact."""
    every = itertools.product(*(vertices(budget, len(charge)) for budget in budgets))
    return [profile for profile in every if is_equilibrium(profile, charge, budgets)]


def choices(charge: np.ndarray, providers: int) -> np.ndarray:
    """Where each provider puts everything, (..., M), −1 for nowhere, with equal budgets, batched.

    Each in turn takes the coordinate where 1 / (n_c + 1) − A_c is largest, if that is positive. Who
    came last to c found it best then, everywhere else has only become worse, and all on c get the
    same: nobody gains by moving. charge (..., C).
    """
    worth, held = 1.0 - charge, np.ones(charge.shape)
    chosen = []
    for _ in range(providers):
        best = worth.argmax(axis=-1)[..., None]
        found = np.take_along_axis(worth, best, axis=-1) > 0
        chosen.append(np.where(found, best, -1)[..., 0])
        crowd = np.take_along_axis(held, best, axis=-1) + 1
        np.put_along_axis(held, best, crowd, axis=-1)
        # Where the best is no good, nobody comes later either, and it may get worse.
        here = 1 / crowd - np.take_along_axis(charge, best, axis=-1)
        np.put_along_axis(worth, best, here, axis=-1)
    return np.stack(chosen, axis=-1)


def provider_equilibrium(charge: np.ndarray, providers: int) -> np.ndarray:
    """The equilibrium of `choices` as bids in shares of the budget, 0 or 1, (..., M, C)."""
    chosen = choices(charge, providers)[..., None]
    return (chosen == np.arange(charge.shape[-1])) * 1.0


# Users --------------------------------------------------------------------------------------------


def fair(x: Array, fairness: float) -> Array:
    """h(x) = x^(1 − σ) / (1 − σ), 0 < σ < 1."""
    return x ** (1 - fairness) / (1 - fairness)


def training(
    benefit: np.ndarray, cost: np.ndarray, fairness: float, most: np.ndarray | float = np.inf
) -> np.ndarray:
    """The best x ≥ 0 of δ h(x) − C x up to a bound: (δ / C)^(1/σ) or the bound; 0 where δ ≤ 0."""
    require(0 < fairness < 1, f"fairness σ = {fairness}: expected between 0 and 1 (C1 of eq. 15)")
    return np.minimum((np.maximum(benefit, 0) / cost) ** (1 / fairness), most)


def whole_training(
    benefit: np.ndarray, cost: np.ndarray, fairness: float, most: np.ndarray
) -> np.ndarray:
    """The best integer: the objective is concave, so the better neighbour of `training`."""
    below = np.floor(training(benefit, cost, fairness, most))
    above = np.minimum(below + 1, np.floor(most))

    def value(x: np.ndarray) -> np.ndarray:
        return benefit * fair(x, fairness) - cost * x

    return np.where(value(above) > value(below), above, below)


@dataclass(frozen=True, eq=False)
class Played:
    """An equilibrium of the game of every organisation. bids (B, H, M, C), benefits δ and
    iterations k and privacy ε (B, H, N, M), providers (B, H, M) and users (B, H, N): utilities."""

    bids: np.ndarray
    benefits: np.ndarray
    iterations: np.ndarray
    privacy: np.ndarray
    providers: np.ndarray
    users: np.ndarray


def equilibrium(instances: Instances, *, reading: str = "q_ij") -> Played:
    """What providers bid at each organisation, and how its users reply (eqs. 14-17).

    Providers have the paper's equal budgets, and play with each organisation by itself.
    """
    require(reading in READINGS, f"reading = {reading!r}: expected {' or '.join(READINGS)}")
    p, budgets = instances.parameters, instances.budgets
    require(
        bool((budgets == budgets[:, :1]).all()),
        "budgets differ between providers: `equilibria` enumerates such games",
    )
    theta_q, theta_f = instances.quality, instances.freshness
    charge = READINGS[reading](theta_q, theta_f, p.elasticity)
    bids = budgets[:, None, :, None] * provider_equilibrium(charge, budgets.shape[1])
    # δ_ij of eq. 13 has one bid for all users, of eq. 16 one for each.
    quality, freshness = np.split(bids, 2, axis=-1)
    each_q, each_f = charges(theta_q, theta_f, p.elasticity)
    benefits = quality * each_q[..., None, :] + freshness * each_f[..., None, :]
    benefits = np.moveaxis(benefits, -1, -2)
    cost_k, cost_e = instances.computing[..., None], instances.disclosing[..., None]
    most = most_iterations(instances.clock, p)[..., None]
    k = whole_training(benefits, cost_k, p.fairness, most)
    epsilon = training(benefits, cost_e, p.fairness)
    gained = benefits * (fair(k, p.fairness) + fair(epsilon, p.fairness))
    return Played(
        bids=bids,
        benefits=benefits,
        iterations=k,
        privacy=epsilon,
        providers=provider_utilities(bids, charge),
        users=(gained - cost_k * k - cost_e * epsilon).sum(axis=-1),
    )


# The same, for derivation -------------------------------------------------------------------------


def user_game(*, fairness: Any = None) -> Game:
    """Problem 1 in one decision: δ h(x) − C x over 0 ≤ x ≤ K, K the bound of C2.

    Φ is a sum of such terms, one for every k_ij and ε_ij, so their maxima are those of Φ.
    fairness: a number for σ, which is a parameter in (1/10, 1) otherwise: with less, floats cannot
    check a power of 1/σ.
    """
    import sympy as sp

    from proofs.games import Decision, Game, Parameter, Player

    x, benefit, cost, most, sigma = sp.symbols("x delta C K sigma", positive=True)
    power = sigma if fairness is None else sp.Rational(fairness)
    utility = benefit * x ** (1 - power) / (1 - power) - cost * x
    shape = (Parameter(sigma, low=sp.Rational(1, 10), high=1),) if fairness is None else ()
    return Game(
        stages=((Player("user", utility, (Decision(x, low=0, high=most),)),),),
        parameters=(*(Parameter(known, low=0) for known in (benefit, cost, most)), *shape),
        name="training",
    )


def provider_game(*, pays_when_it_wins: bool = False) -> Game:
    """Problem 2 on one coordinate, q w − A q over 0 ≤ q ≤ B, against rivals' bids Δ > 0.

    pays_when_it_wins: the game that eq. 29 solves, (1 − q) w − A q: winning is worth 1, and the bid
    is paid by who wins.
    """
    import sympy as sp

    from proofs.games import Decision, Game, Parameter, Player

    q, rivals, charge, budget = sp.symbols("q Delta A B", positive=True)
    prize = (1 - q) if pays_when_it_wins else q
    known = (Parameter(rivals, low=0), Parameter(charge, low=0))
    return Game(
        stages=(
            (
                Player(
                    "provider",
                    prize * q / (q + rivals) - charge * q,
                    (Decision(q, low=0, high=sp.oo if pays_when_it_wins else budget),),
                ),
            ),
        ),
        parameters=known if pays_when_it_wins else (*known, Parameter(budget, low=0)),
        name="bidding for a prize of 1" if pays_when_it_wins else "bidding",
    )


def rivals_game(providers: int = 2) -> Game:
    """Problem 2 of several providers at once, with the bids of eq. 13: q_j + f_j ≤ B.

    What users reply does not enter, so that their stage can be solved by itself (`user_game`).
    """
    import sympy as sp

    from proofs.games import Decision, Game, Parameter, Player

    charge_q, charge_f, budget = known = sp.symbols("A_q A_f B", positive=True)
    qs, fs = ([sp.Symbol(f"{name}{j + 1}", real=True) for j in range(providers)] for name in "qf")

    def prize(bids: list[sp.Symbol], j: int) -> sp.Expr:
        return sp.Piecewise((bids[j] ** 2 / sum(bids), sum(bids) > 0), (0, True))

    leaders = tuple(
        Player(
            f"provider {j + 1}",
            prize(qs, j) + prize(fs, j) - charge_q * qs[j] - charge_f * fs[j],
            (Decision(qs[j], low=0, high=budget), Decision(fs[j], low=0, high=budget)),
            (qs[j] + fs[j] <= budget,),
        )
        for j in range(providers)
    )
    return Game(
        stages=(leaders,),
        parameters=tuple(Parameter(symbol, low=0) for symbol in known),
        name="rival bids",
    )
