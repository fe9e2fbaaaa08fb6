"""The quantised VCG auction against full programs, enumeration, and its own certificates."""

import re
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import optimize

import solvers
from solvers.bundles import Quantised
from solvers.qvcg_model import solve_model
from solvers.utilities import Saturating


def eq39(agents, quanta, seed=0):
    rng = np.random.default_rng(seed)
    u = Saturating(rng.uniform(100, 200, agents), rng.uniform(0, 10, (agents, 3)))
    return Quantised(u, quanta)


def random_values(agents, quanta, seed):
    """Values without structure: not monotone, with ties, nothing worth something."""
    rng = np.random.default_rng(seed)
    shape = (agents, *(quanta + 1,) * 3)
    return rng.random(shape) if seed % 2 else rng.integers(0, 5, shape).astype(float)


def columns_of(values, levels):
    """(agent, bundle) of every variable, nothing included."""
    quanta = values.shape[1] - 1
    every = list(product(range(quanta + 1), repeat=3))
    if levels == "printed":
        every = [b for b in every if min(b) >= 1 or max(b) == 0]
    return [(i, b) for i in range(len(values)) for b in every]


def full_lp(values, levels="full"):
    """The whole linear program by SciPy, every variable written out."""
    names = columns_of(values, levels)
    gains = np.array([values[(i, *b)] for i, b in names])
    use = np.array([b for _, b in names]).T
    one = np.array([[float(i == j) for i, _ in names] for j in range(len(values))])
    found = optimize.linprog(
        -gains, A_ub=use, b_ub=[values.shape[1] - 1] * 3, A_eq=one, b_eq=np.ones(len(values))
    )
    assert found.status == 0
    return -found.fun


def best_integer(values, levels="full"):
    """Every integer allocation, bidder by bidder, over all states of what is left."""
    quanta = values.shape[1] - 1
    best = {(0, 0, 0): 0.0}
    for i in range(len(values)):
        after: dict[tuple[int, ...], float] = {}
        for used, worth in best.items():
            for _, b in columns_of(values[:1], levels):
                state = tuple(u + k for u, k in zip(used, b, strict=True))
                if max(state) <= quanta:
                    total = worth + values[(i, *b)]
                    if total > after.get(state, -1.0):
                        after[state] = total
        best = after
    return max(best.values())


def lagrangian(values, prices, levels="full"):
    quanta = values.shape[1] - 1
    most = [
        max(values[(i, *b)] - sum(p * k for p, k in zip(prices, b, strict=True)) for _, b in names)
        for i, names in enumerate([columns_of(values[:1], levels)] * len(values))
    ]
    return quanta * sum(prices) + sum(most)


@pytest.mark.parametrize("levels", ["full", "printed"])
@pytest.mark.parametrize("seed", range(6))
def test_linear_optimum_payments_and_certificate(levels, seed):
    agents, quanta = 2 + seed % 3, 2 + seed % 2
    values = random_values(agents, quanta, seed)
    found = solvers.qvcg(values, quanta=quanta, levels=levels)
    assert found.status == "optimal"
    assert found.value == pytest.approx(full_lp(values, levels), abs=1e-9)
    assert found.bound == pytest.approx(found.value, rel=1e-9)
    # The certificate, without code of the solver: prices bound, the lottery attains.
    assert (found.certificate.prices >= 0).all()
    assert lagrangian(values, found.certificate.prices, levels) == pytest.approx(found.bound)
    assert found.certificate.bound() == pytest.approx(found.bound)
    assert solvers.check(found.certificate).holds
    assert (found.payment_error <= 1e-9 * found.value).all()
    draws = found.lottery
    own = np.zeros(agents)
    for i, b, p in zip(draws.agents, draws.bundles, draws.probabilities, strict=True):
        assert levels == "full" or b.min() >= 1 or b.max() == 0
        own[i] += p * values[(i, *b)]
    assert own.sum() == pytest.approx(found.value)
    assert np.bincount(draws.agents, weights=draws.probabilities) == pytest.approx(np.ones(agents))
    assert (found.allocation.sum(axis=0) <= quanta + 1e-9).all()
    for i in range(agents):
        rest = full_lp(np.delete(values, i, axis=0), levels)
        assert found.payments[i] == pytest.approx(rest - (own.sum() - own[i]), abs=1e-8)


@pytest.mark.parametrize("levels", ["full", "printed"])
@pytest.mark.parametrize("seed", range(4))
def test_integer_optimum_and_payments(levels, seed):
    values = random_values(3, 3, seed) if seed else eq39(3, 3).block(0, 3)
    found = solvers.qvcg(values, levels=levels, integer=True)
    assert found.status == "optimal"
    assert found.value == pytest.approx(best_integer(values, levels), abs=1e-9)
    assert found.lottery.overuse == 0
    own = [values[(i, *b.astype(int))] for i, b in enumerate(found.allocation)]
    assert sum(own) == pytest.approx(found.value)
    for i in range(3):
        rest = best_integer(np.delete(values, i, axis=0), levels)
        assert found.payments[i] == pytest.approx(rest - (sum(own) - own[i]), abs=1e-8)
    assert found.certificate.bound() >= found.value - 1e-9
    # A tree over the listed bundles proves what the prices alone do not.
    assert solvers.check(found.certificate).holds


@pytest.mark.parametrize("levels", ["full", "printed"])
@pytest.mark.parametrize("integer", [False, True])
def test_the_program_as_written(levels, integer):
    values = eq39(4, 3, seed=2).block(0, 4)
    written = solve_model(values, levels=levels, integer=integer)
    found = solvers.qvcg(values, levels=levels, integer=integer, payments=False)
    assert written.status == "optimal"
    assert found.value == pytest.approx(written.value, rel=1e-8)
    assert written.bound >= written.value - 1e-6


def test_larger_programs_meet_highs():
    from solvers import highs
    from solvers.qvcg_model import full_program

    values = eq39(10, 8, seed=3).block(0, 10)
    whole = highs.solve(full_program(values))
    found = solvers.qvcg(values)
    assert found.value == pytest.approx(whole.value, rel=1e-9)
    for i in (0, 7):
        rest = highs.solve(full_program(np.delete(values, i, axis=0))).value
        assert found.certificate.bound(without=i) == pytest.approx(rest, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_exact_gap_is_zero(seed):
    values = random_values(3, 3, 2 * seed) + eq39(3, 3, seed).block(0, 3).round(1) * (seed % 2)
    given = np.array([Fraction(v).limit_denominator(10) for v in values.flat], dtype=object)
    given = given.reshape(values.shape)
    found = solvers.qvcg(given, exact=True)
    assert isinstance(found.value, Fraction)
    assert found.value == found.bound == lagrangian(given, list(found.certificate.prices))
    assert all(isinstance(p, Fraction) and p >= 0 for p in found.payments)
    checked = solvers.check(found.certificate)
    assert checked.exact
    assert (checked.value, checked.bound) == (found.value, found.value)
    assert float(found.value) == pytest.approx(full_lp(values), abs=1e-9)
    own = sum(
        given[(i, *b)] * p
        for i, b, p in zip(
            found.lottery.agents, found.lottery.bundles, found.lottery.probabilities, strict=True
        )
    )
    assert own == found.value
    assert all(total <= 3 for total in found.allocation.sum(axis=0))


def test_wrong_prices_only_loosen_the_bound():
    values = random_values(3, 2, 1)
    found = solvers.qvcg(values)
    rng = np.random.default_rng(0)
    for _ in range(20):
        found.certificate.prices[:] = rng.uniform(0, 1, 3)
        assert found.certificate.bound() >= found.value - 1e-12
    found.certificate.prices[:] = [-1, 0, 0]
    assert found.certificate.bound() == np.inf


def test_blocks_objects_and_arrays_agree():
    computed = eq39(7, 5)

    class Plain:
        agents, quanta = 7, 5

        def block(self, start, stop):
            return computed.block(start, stop)

    array = computed.block(0, 7)
    found = [solvers.qvcg(v, quanta=5) for v in (computed, Plain(), array, array.tolist())]
    for other in found[1:]:
        assert other.value == pytest.approx(found[0].value, rel=1e-12)
        assert other.payments == pytest.approx(found[0].payments, abs=1e-6)


def test_a_lottery_says_what_its_draws_need():
    # Each of three bidders wants all of two resources, so any two collide: half of each.
    values = np.zeros((3, 3, 3, 3))
    for i, pair in enumerate([(1, 1, 0), (0, 1, 1), (1, 0, 1)]):
        a, b, c = (2 * k for k in pair)
        values[i, a:, b:, c:] = 1.0
    found = solvers.qvcg(values, exact=True)
    assert found.value == Fraction(3, 2)
    assert solvers.qvcg(values, integer=True).value == 1
    assert found.lottery.overuse > 0
    assert any("expectation" in note for note in found.notes)
    assert sum(d.probability for d in found.lottery.draws) == 1
    mean = sum(d.probability * d.bundles for d in found.lottery.draws)
    assert (mean == found.lottery.expected).all()


def test_one_bidder_identical_bidders_and_zero_values():
    alone = solvers.qvcg(eq39(1, 4))
    assert alone.value == pytest.approx(eq39(1, 4).block(0, 1).max())
    assert alone.payments == pytest.approx([0])
    same = np.repeat(eq39(1, 3).block(0, 1), 4, axis=0)
    found = solvers.qvcg(same)
    assert found.value == pytest.approx(full_lp(same))
    nothing = solvers.qvcg(np.zeros((3, 3, 3, 3)))
    assert (nothing.value, nothing.bound, nothing.status) == (0, 0, "optimal")
    assert (nothing.payments == 0).all()


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_values_of_any_size(scale):
    values = eq39(5, 4).block(0, 5)
    plain, scaled = solvers.qvcg(values), solvers.qvcg(values * scale)
    assert scaled.status == "optimal"
    assert scaled.value == pytest.approx(plain.value * scale, rel=1e-9)
    assert scaled.payments == pytest.approx(plain.payments * scale, rel=1e-6, abs=1e-6 * scale)


def test_one_bidder_may_dwarf_the_others():
    values = eq39(4, 3).block(0, 4)
    values[0] *= 1e12
    found = solvers.qvcg(values)
    rest = full_lp(values[1:])
    assert found.certificate.bound(without=0) == pytest.approx(rest, rel=1e-9)


@pytest.mark.parametrize("levels", ["full", "printed"])
def test_two_bidders_have_payments(levels):
    """Without one of two the prices of the other are far from those of both: HiGHS, started from
    the basis there, used to end without an answer, and payments were missing."""
    for seed in range(60):
        values = eq39(2, 3, seed)
        found = solvers.qvcg(values, levels=levels)
        assert found.payments is not None, seed
        alone = values.ceilings()
        cubes = values.block(0, 2)
        given = found.lottery
        own = np.zeros(2)
        for i, bundle, p in zip(given.agents, given.bundles, given.probabilities, strict=True):
            own[i] += p * cubes[(i, *bundle)]
        # Whoever is alone gets everything.
        assert found.payments == pytest.approx(alone[::-1] - own[::-1], abs=1e-6)


def test_a_time_limit_is_no_optimum():
    values = eq39(20, 10)
    for integer in (False, True):
        found = solvers.qvcg(values, seconds=0.0, integer=integer)
        assert found.status == "feasible"
        assert found.value < found.bound < np.inf
        assert found.payments is None
        assert found.gap > 0
        assert any("limit" in note for note in found.notes)
        assert found.bound >= solvers.qvcg(values).value - 1e-9


def test_quantisation_loses_little_and_less_with_more_quanta():
    utilities = eq39(6, 2).utilities
    losses = [solvers.quantisation(utilities, m) for m in (2, 4, 8)]
    for loss in losses:
        assert 0 <= loss.low <= loss.high
        assert loss.high - loss.low <= 1e-6
        assert loss.quantised.value <= loss.continuous.bound
    assert losses[0].low > losses[1].low > losses[2].low


good = np.ones((2, 3, 3, 3))


def spoilt(number):
    values = good.copy()
    values[1, 2, 0, 1] = number
    return values


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (spoilt(np.nan), {}, "the value of bundle (2, 0, 1) to bidder 1 is nan"),
        (spoilt(np.inf), {}, "the value of bundle (2, 0, 1) to bidder 1 is inf"),
        (spoilt(-1.0), {}, "the value of bundle (2, 0, 1) to bidder 1 is -1.0"),
        (good[0], {}, "values have shape (3, 3, 3)"),
        (good[:, :2], {}, "values have shape (2, 2, 3, 3)"),
        (good[:0], {}, "no bidder"),
        (np.ones((2, 1, 1, 1)), {}, "M = 0"),
        (good, {"quanta": 3}, "quanta is 3, and values have shape (2, 3, 3, 3)"),
        (good, {"quanta": 0}, "quanta is 0; give a whole number"),
        (good, {"levels": "some"}, "levels is 'some'"),
        (good, {"integer": True, "exact": True}, "do not go together"),
        ("values", {}, "not numbers"),
        (eq39(2, 3), {"quanta": 2}, "quanta is 2, and the values have 3"),
    ],
)
def test_bad_input_is_explained(values, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        solvers.qvcg(values, **options)


def test_an_object_with_blocks_of_the_wrong_shape():
    class Wrong:
        agents, quanta = 2, 3

        def block(self, start, stop):
            return np.ones((stop - start, 3, 3, 3))

    with pytest.raises(ValueError, match=r"block\(0, 2\) has shape"):
        solvers.qvcg(Wrong())


@pytest.mark.parametrize("levels", ["full", "printed"])
@pytest.mark.parametrize("seed", range(4))
def test_every_pass_bounds_as_a_look_at_every_bundle_does(levels, seed):
    """What a pass skips (out of reach, hopeless since the last pass) holds no best bundle."""
    from solvers.bundles import bundles
    from solvers.columns import Columns

    rng = np.random.default_rng(seed)
    values = random_values(12, 4, seed) if seed < 2 else eq39(12, 4, seed).block(0, 12)
    columns = Columns(bundles(values, 4, levels))
    start = columns.scale * np.array([0.8, 0.7, 0.9])
    for step in range(25):
        prices = start * 0.85**step * rng.uniform(0.8, 1.2, 3) * (rng.random(3) > 0.05)
        bound, _ = columns.price(prices)
        assert bound == pytest.approx(lagrangian(values, prices, levels), rel=1e-9)


def test_many_losers_and_their_payments():
    values = eq39(60, 4, seed=5).block(0, 60)
    found = solvers.qvcg(values)
    own = np.zeros(60)
    for i, b, p in zip(
        found.lottery.agents, found.lottery.bundles, found.lottery.probabilities, strict=True
    ):
        own[i] += p * values[(i, *b)]
    assert len(found.certificate.without) < 15
    for i in found.certificate.without:
        proved = lagrangian(np.delete(values, i, axis=0), found.certificate.without[i])
        assert found.payments[i] == pytest.approx(proved - own.sum() + own[i], abs=1e-6)


def test_rationals_of_very_different_sizes_and_of_ties_without_end():
    rng = np.random.default_rng(0)
    for sizes in ((1, 1e-9, 1e12), (1, 1, 1e12), (1e12, 1e-9, 1e-9), (1e-9, 1, 1e12)):
        values = rng.integers(0, 3, (3, 3, 3, 3)) * np.array(sizes)[:, None, None, None]
        found = solvers.qvcg(values, exact=True)
        assert found.status == "optimal"
        assert isinstance(found.value, Fraction)
        assert found.value == found.bound
    nothing = solvers.qvcg(np.zeros((2, 31, 31, 31)), exact=True)  # 29,791 bundles tie
    assert (nothing.value, nothing.bound, nothing.status) == (0, 0, "optimal")


def listed(values, levels):
    """The integer optimum by going through the bidders, for every use of the three resources."""
    quanta = values.shape[1] - 1
    first = 1 if levels == "printed" else 0
    some = [b for b in product(range(first, quanta + 1), repeat=3) if any(b)] + [(0, 0, 0)]
    best = {(0, 0, 0): 0.0}
    for own in values:
        after = {}
        for (used, worth), b in product(best.items(), some):
            both = tuple(x + y for x, y in zip(used, b, strict=True))
            if max(both) <= quanta:
                after[both] = max(after.get(both, 0.0), worth + own[b])
        best = after
    return max(best.values())


@pytest.mark.parametrize("seed", range(12))
def test_few_bidders_pay_what_the_others_lose(seed):
    rng = np.random.default_rng(seed)
    agents, quanta = 1 + seed % 3, 1 + seed % 2
    levels = ("full", "printed")[seed // 6]
    values = rng.random((agents, *(quanta + 1,) * 3))
    found = solvers.qvcg(values, levels=levels, integer=True)
    assert found.value == pytest.approx(listed(values, levels), rel=1e-9)
    for i, bundle in enumerate(found.allocation.astype(int).tolist()):
        others = found.value - values[(i, *bundle)]
        alone = listed(np.delete(values, i, axis=0), levels)
        assert found.payments[i] == pytest.approx(alone - others, abs=1e-9)


def test_ceilings_that_are_too_low_are_refused():
    class Low:
        agents = quanta = 2
        ceiling, peak = 1.0, (2, 2, 2)

        def block(self, start, stop):
            cubes = np.ones((stop - start, 3, 3, 3))
            cubes[(slice(None), *self.peak)] = 3.0
            return cubes

        def ceilings(self):
            return np.full(2, self.ceiling)

        def corner(self, agent, reach):
            return self.block(0, 1)[0][tuple(slice(r + 1) for r in reach)]

        def sample(self, bundles):
            return np.stack([self.block(0, 1)[0][tuple(bundles.T)]] * 2)

    with pytest.raises(ValueError, match=re.escape("values.ceilings() of bidder 0 is 1.0")):
        solvers.qvcg(Low())
    high = Low()
    high.ceiling = 3.0
    assert solvers.qvcg(high).value == solvers.qvcg(high.block(0, 2)).value
    high.sample = lambda bundles: np.ones((2, 3))
    with pytest.raises(ValueError, match="a number for each bidder and bundle"):
        solvers.qvcg(high)
