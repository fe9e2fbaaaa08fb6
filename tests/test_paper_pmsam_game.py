"""The game between providers and users: utilities by hand, best replies, equilibria."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from trained import drawn

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.pmsam import game, market

# Utilities ----------------------------------------------------------------------------------------


def test_a_provider_wins_its_share_and_pays_what_eq_13_says():
    # Δ = 3, A = 1/4: 1 · 1/4 − 1/4 = 0. Alone with 2, A = 1/2: 2 − 1.
    bids = np.array([[[1.0, 2.0], [3.0, 0.0]]])
    found = game.provider_utilities(bids, np.array([[0.25, 0.5]]))
    assert found.tolist() == [[0 + 1, 9 / 4 - 3 / 4]]
    exactly = game.provider_utilities(
        np.array([[Fraction(1), Fraction(2)], [Fraction(3), Fraction(0)]], dtype=object),
        np.array([Fraction(1, 4), Fraction(1, 2)], dtype=object),
    )
    assert exactly.tolist() == [1, Fraction(3, 2)]
    assert game.provider_utilities(np.zeros((2, 1)), np.ones(1)).tolist() == [0, 0]


def slow_utilities(found, b, h, played, reading):
    """Eqs. 13, 14 and 16 with λ = 1 and σ = 1/2, term by term."""
    bids = played.bids[b, h]
    quality, freshness = found.quality[b, h], found.freshness[b, h]
    total_q, total_f = quality.sum(), freshness.sum()
    users, providers = len(quality), len(bids)
    psi = np.zeros(providers)
    phi = np.zeros(users)
    for i in range(users):
        tau_q, tau_f = quality[i] / total_q, freshness[i] / total_f
        for j in range(providers):
            if reading == "q_ij":
                q, f = bids[:, i], bids[:, users + i]
                delta = q[j] * total_q * tau_q + f[j] * total_f * tau_f
            else:
                q, f = bids[:, 0] * tau_q, bids[:, 1] * tau_f
                delta = bids[j, 0] * total_q * tau_q + bids[j, 1] * total_f * tau_f
            for bid in (q, f):
                psi[j] += bid[j] ** 2 / bid.sum() if bid.sum() else 0
            psi[j] -= delta
            k, e = played.iterations[b, h, i, j], played.privacy[b, h, i, j]
            phi[i] += delta * (2 * k**0.5 + 2 * e**0.5)
            phi[i] -= found.computing[b, h, i] * k + found.disclosing[b, h, i] * e
    return psi, phi


def cheap(found, by):
    """The same instances with contributions, and so charges, divided."""
    from dataclasses import replace

    return replace(found, quality=found.quality / by, freshness=found.freshness / by)


@pytest.mark.parametrize("reading", game.READINGS)
def test_utilities_of_an_equilibrium_are_those_of_the_equations(reading):
    found = cheap(drawn(0, 10), 8)
    played = game.equilibrium(found, reading=reading)
    assert (played.bids > 0).any()
    for b, h in itertools.product(range(10), range(4)):
        psi, phi = slow_utilities(found, b, h, played, reading)
        assert played.providers[b, h] == pytest.approx(psi)
        assert played.users[b, h] == pytest.approx(phi)


# Users --------------------------------------------------------------------------------------------


def test_training_by_hand():
    # σ = 1/2: (δ / C)². 4 for δ = 2, C = 1, cut at 3; nothing for δ ≤ 0.
    delta = np.array([2.0, 0.0, -1.0])
    assert game.training(delta, np.array(1.0), 0.5).tolist() == [4, 0, 0]
    assert game.training(delta, np.array(1.0), 0.5, 3.0).tolist() == [3, 0, 0]
    with pytest.raises(InputError, match="fairness σ = 2"):
        game.training(delta, np.array(1.0), 2)


def test_whole_training_is_the_best_of_all_integers():
    rng = np.random.default_rng(0)
    delta, cost = rng.uniform(-1, 12, 2000), rng.uniform(1, 4, 2000)
    most = rng.uniform(0, 9, 2000)
    for sigma in (0.3, 0.5, 0.8):
        found = game.whole_training(delta, cost, sigma, most)
        assert (found == np.floor(found)).all()
        assert ((found >= 0) & (found <= most)).all()
        every = np.arange(10)[:, None]
        value = np.where(
            every <= most, delta * every ** (1 - sigma) / (1 - sigma) - cost * every, -np.inf
        )
        own = delta * found ** (1 - sigma) / (1 - sigma) - cost * found
        assert own == pytest.approx(value.max(axis=0))
        floor = np.floor(game.training(delta, cost, sigma, most))
        assert (found > floor).any()


def test_training_is_the_best_of_a_fine_grid():
    rng = np.random.default_rng(1)
    grid = np.linspace(0, 40, 40_001)
    for _ in range(30):
        delta, cost, sigma = rng.uniform(0.1, 3), rng.uniform(0.5, 2), rng.uniform(0.3, 0.9)
        best = game.training(np.array(delta), np.array(cost), sigma)
        values = delta * grid ** (1 - sigma) / (1 - sigma) - cost * grid
        own = delta * best ** (1 - sigma) / (1 - sigma) - cost * best
        assert own >= values.max() - 1e-12
        assert best == pytest.approx(min(grid[values.argmax()], best), abs=1e-3)
        assert own > 0  # C1 is slack


# Providers ----------------------------------------------------------------------------------------


def deviations(rng, budget, coordinates, count):
    """Bids within the budget: on one coordinate, on two, on all, and not all of it."""
    single = budget * np.eye(coordinates)
    spread = budget * rng.dirichlet(np.full(coordinates, 0.3), count)
    partly = spread * rng.uniform(0, 1, (count, 1))
    return np.concatenate([np.zeros((1, coordinates)), single, spread, partly])


@pytest.mark.parametrize("reading", game.READINGS)
def test_no_provider_gains_at_the_size_of_table_2(reading):
    """N = 10, M = 5, budgets 1000: bids of any shape, not vertices alone."""
    rng = np.random.default_rng(2)
    sizes = paper_of("pmsam").market.sizes
    found = market.draw(rng, 4, **sizes)
    for instances in (found, cheap(found, 3), cheap(found, 30)):
        played = game.equilibrium(instances, reading=reading)
        charge = game.READINGS[reading](instances.quality, instances.freshness, 1.0)
        assert (played.bids.sum(axis=-1) <= 1000).all()
        other = deviations(rng, 1000.0, charge.shape[-1], 300)
        for b, h, j in itertools.product(range(4), range(4), range(5)):
            bids = np.repeat(played.bids[b, h][None], len(other), axis=0)
            bids[:, j] = other
            gain = game.provider_utilities(bids, charge[b, h])[:, j] - played.providers[b, h, j]
            assert gain.max() <= 1e-9 * 1000


@pytest.mark.parametrize("elasticity", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("fairness", [0.3, 0.5, 0.8])
def test_choices_of_sigma_and_lambda_swept(elasticity, fairness):
    """Neither providers nor users gain by deviating, whatever was chosen for what is not given."""
    chosen = market.Parameters(elasticity=elasticity, fairness=fairness)
    rng = np.random.default_rng(4)
    found = market.draw(rng, 20, parameters=chosen)
    played = game.equilibrium(found)
    charge = game.per_user(found.quality, found.freshness, elasticity)
    other = deviations(rng, 1000.0, charge.shape[-1], 20)
    for bid in other:
        bids = played.bids.copy()
        bids[:, :, 0] = bid
        gain = game.provider_utilities(bids, charge)[..., 0] - played.providers[..., 0]
        assert gain.max() <= 1e-6
    cost_k, cost_e = found.computing[..., None], found.disclosing[..., None]
    most = np.floor(market.most_iterations(found.clock))[..., None]

    def utility(k, e):
        h = [x ** (1 - fairness) / (1 - fairness) for x in (k, e)]
        return (played.benefits * (h[0] + h[1]) - cost_k * k - cost_e * e).sum(axis=-1)

    own = utility(played.iterations, played.privacy)
    assert played.users == pytest.approx(own)
    for _ in range(20):
        k = np.floor(rng.uniform(0, 1, played.iterations.shape) * (most + 1))
        e = played.privacy * rng.uniform(0.5, 1.5, played.privacy.shape)
        e = e + rng.uniform(0, 1, e.shape) * (rng.random(e.shape) < 0.2)
        for there in ((k, played.privacy), (played.iterations, e), (k, e)):
            assert (utility(*there) <= own + 1e-9 * (1 + np.abs(own))).all()


def test_what_the_game_of_table_2_comes_to():
    """Eq. 16: five providers spend everything on five users' quality, or freshness; eq. 13: Q^λ
    and F exceed 1, and nobody bids."""
    found = market.draw(np.random.default_rng(3), 50)
    played = game.equilibrium(found)
    assert (played.bids.sum(axis=-1) == 1000).all()
    assert ((played.bids > 0).sum(axis=-1) == 1).all()
    charge = game.per_user(found.quality, found.freshness, 1.0)
    taken = (played.bids > 0).any(axis=-2)
    assert (taken.sum(axis=-1) == 5).all()  # of 20 coordinates, nobody shares one
    worst = np.where(taken, charge, -np.inf).max(axis=-1)
    assert (worst <= np.where(taken, np.inf, charge).min(axis=-1)).all()
    # Those who are bid for train to C2's limit, and give up their privacy.
    trained = played.iterations > 0
    most = np.floor(market.most_iterations(found.clock))[..., None]
    assert (trained == (played.benefits > 0)).all()
    assert (played.iterations == np.where(trained, most, 0)).all()
    assert played.privacy[trained].min() > 1e4
    assert (played.users >= 0).all()
    assert (played.providers > 0).all()

    shared = game.equilibrium(found, reading="q_j")
    assert (game.per_model(found.quality, found.freshness, 1.0) > 1).all()
    for array in (shared.bids, shared.iterations, shared.privacy, shared.providers, shared.users):
        assert not array.any()


def test_in_samples_nobody_bids_for_quality():
    """|D_i| in samples, as eq. 10 has it: 10 · 5,000 / 2.5 = 20,000 for a unit of bid."""
    theta = market.quality_contribution(np.full((1, 10), 5000.0), np.full((1, 10), 0.5))
    assert theta == pytest.approx(np.full((1, 10), 20_000.0))
    charge = game.per_user(theta, np.full((1, 10), 2.0), 1.0)
    assert not game.provider_equilibrium(charge, 5).any()


@pytest.mark.parametrize(("providers", "coordinates"), [(2, 2), (2, 4), (3, 3)])
def test_equilibria_by_enumeration(providers, coordinates):
    """What is found in turn is among all vertex equilibria; and so is every exchange of it."""
    rng = np.random.default_rng(4)
    several = 0
    for _ in range(12):
        charge = [Fraction(int(n), 16) for n in rng.integers(-2, 24, coordinates)]
        every = game.equilibria(charge, [Fraction(1)] * providers)
        found = game.provider_equilibrium(np.array(charge, dtype=float), providers)
        profile = tuple(tuple(Fraction(x) for x in row) for row in found)
        assert profile in every
        for order in itertools.permutations(range(providers)):
            assert tuple(profile[i] for i in order) in every
        several += len(every) > 1
    assert several > 3


def test_unequal_budgets():
    """The small one leaves the large one alone; both orders of two coordinates are equilibria."""
    found = game.equilibria([Fraction(1, 4), Fraction(1, 2)], [Fraction(1), Fraction(1, 2)])
    bids = {(tuple(map(float, one)), tuple(map(float, other))) for one, other in found}
    assert bids == {((1.0, 0.0), (0.0, 0.5)), ((0.0, 1.0), (0.5, 0.0))}


def test_dear_coordinates_are_left_alone():
    two = [Fraction(2), Fraction(3, 2)]
    nothing = ((Fraction(0),) * 2,) * 2
    assert game.equilibria(two, [Fraction(1)] * 2) == [nothing]
    assert not game.provider_equilibrium(np.array([2.0, 1.5]), 2).any()


def test_strict_equilibria_are_told_from_ties():
    one = (Fraction(1), Fraction(0))
    other = (Fraction(0), Fraction(1))
    budgets = [Fraction(1), Fraction(1)]
    assert game.is_equilibrium((one, other), [Fraction(1, 4)] * 2, budgets, strict=True)
    # A = 1: bidding alone is worth nothing, as is not bidding.
    assert game.is_equilibrium((one, other), [Fraction(1)] * 2, budgets)
    assert not game.is_equilibrium((one, other), [Fraction(1)] * 2, budgets, strict=True)
    assert not game.is_equilibrium((one, one), [Fraction(1, 4)] * 2, budgets)


def test_unequal_budgets_are_left_to_enumeration():
    from dataclasses import replace

    found = drawn(0, 2)
    with pytest.raises(InputError, match="budgets differ between providers"):
        game.equilibrium(replace(found, budgets=found.budgets * [1, 2, 1, 1, 1]))


def test_bad_readings_are_explained():
    with pytest.raises(InputError, match="reading = 'q': expected q_ij or q_j"):
        game.equilibrium(drawn(0, 2), reading="q")


# Eq. 29 -------------------------------------------------------------------------------------------


def test_stationary_points_are_minima_and_eq_29_solves_another_game():
    rng = np.random.default_rng(5)
    grid = np.linspace(0, 5, 50_001)
    for _ in range(40):
        rivals, charge = rng.uniform(0.05, 2), rng.uniform(0, 0.95)
        printed = grid * grid / (grid + rivals) - charge * grid
        assert grid[printed.argmin()] == pytest.approx(
            min(rivals / np.sqrt(1 - charge) - rivals, 5), abs=2e-4
        )
        assert printed.argmax() in (0, len(grid) - 1)
        prize = (1 - grid) * grid / (grid + rivals) - charge * grid
        inside = max(np.sqrt((rivals**2 + rivals) / (1 + charge)) - rivals, 0)
        assert grid[prize.argmax()] == pytest.approx(inside, abs=2e-4)
