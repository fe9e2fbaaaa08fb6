"""Problems of known answers: their formulas against brute force, integrals and plain loops."""

import itertools

import numpy as np
import pytest

from learners.environment import checked_actions, shaped
from learners.evaluate import Ruled, evaluate
from learners.known import KNOWN, Arms, Clock, FirstPrice, Reserve, best

ALONE = [Arms(), Arms(contexts=1, arms=3, noise=0), Reserve(), Reserve(bidders=3), Clock()]
ALONE += [Clock(buyers=3, fee=0.03, horizon=12)]
each = pytest.mark.parametrize("market", ALONE, ids=lambda market: str(market.spec.sizes))


def earned(market, rule, instances, seed=0):
    played = evaluate(
        Ruled(market, market.rules[rule]), market, instances, np.random.default_rng(seed)
    )
    return played.returns


# What holds of all --------------------------------------------------------------------------------


@each
def test_the_best_policy_earns_what_its_formula_says(market):
    rule = "oracle" if market.spec.name == "arms" else "best constant"
    returns = earned(market, rule, market.draw(np.random.default_rng(1), 40_000))
    assert abs(returns.mean() - best(market)) <= 4 * returns.std() / 200 + 1e-12


@each
def test_nobody_earns_more_than_the_optimum_and_the_oracle_earns_it(market):
    instances = market.draw(np.random.default_rng(2), 300)
    optimum = market.optimum(instances)
    for rule in market.rules:
        returns = earned(market, rule, instances)
        assert (returns <= optimum + 1e-9).all(), rule
    np.testing.assert_allclose(earned(market, "oracle", instances), optimum, atol=1e-9)
    noise = instances[:, 1] if market.spec.name == "arms" else 0
    assert (optimum - noise <= market.first_best(instances) + 1e-9).all()
    assert best(market) <= optimum.mean() + 4 * optimum.std() / np.sqrt(300) + 1e-12


@each
def test_what_has_ended_stands_still_until_it_is_restarted(market):
    rng = np.random.default_rng(3)
    market.reset(rng, 4)
    ended = np.zeros(4, dtype=bool)
    while not ended.all():
        step = market.step(rng.choice(market.spec.levels, size=4))
        ended = step.ended
    told = market.measures()
    again = market.step(rng.choice(market.spec.levels, size=4))
    np.testing.assert_array_equal(again.observation, step.observation)
    np.testing.assert_array_equal(again.reward, 0)
    assert again.ended.all()
    for name, of in market.measures().items():
        np.testing.assert_array_equal(of, told[name])
    rows = np.array([True, False, True, False])
    seen = market.restart(rows, rng)
    np.testing.assert_array_equal(seen[~rows], step.observation[~rows])
    third = market.step(np.full(4, market.spec.levels[-1]))
    np.testing.assert_array_equal(third.reward[~rows], 0)
    for name, of in market.measures().items():
        np.testing.assert_array_equal(of[~rows], told[name][~rows])


@each
def test_actions_outside_the_bounds_are_refused(market):
    market.reset(np.random.default_rng(0), 2)
    for wrong in ([-0.01, 0.5], [0.5, 1.01], [np.nan, 0.5], [0.5], [[0.5], [0.5]]):
        with pytest.raises(ValueError, match="expected"):
            market.step(np.array(wrong))


def test_bad_input_is_refused():
    for make in (
        lambda: Arms(arms=1),
        lambda: Arms(contexts=0),
        lambda: Arms(noise=-1),
        lambda: Reserve(bidders=True),
        lambda: FirstPrice(bidders=1),
        lambda: Clock(fee=0),
        lambda: Clock(buyers=2.5),
        lambda: Clock(buyers=1000, fee=0.001, horizon=10),
        lambda: Reserve().reset(np.random.default_rng(0), 0),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()

    class Unknown:
        spec = Reserve().spec

    with pytest.raises(ValueError, match="no formula"):
        best(Unknown())
    assert all(best(make()) > 0 for make in KNOWN.values())


def test_shapes_have_an_axis_of_agents_where_there_are_several():
    several, alone = FirstPrice(bidders=4).spec, Reserve().spec
    assert (shaped(5, several), shaped(5, alone)) == ((5, 4), (5,))
    assert checked_actions(np.zeros((5, 4)), 5, several).shape == (5, 4)
    with pytest.raises(ValueError, match=r"expected \(5, 4\)"):
        checked_actions(np.zeros(5), 5, several)


# Arms ---------------------------------------------------------------------------------------------


def test_every_context_has_its_own_order_of_the_same_rewards():
    market = Arms(arms=4, contexts=3, noise=0)
    rewards = np.zeros((3, 4))
    for context, (arm, level) in itertools.product(range(3), enumerate(market.spec.levels)):
        seen = market.start(np.array([[context, 0.0]]))
        np.testing.assert_array_equal(seen, np.eye(3, dtype=np.float32)[[context]])
        rewards[context, arm] = market.step(np.array([level])).reward[0]
    np.testing.assert_allclose(np.sort(rewards), np.tile([0, 1 / 3, 2 / 3, 1], (3, 1)))
    assert len({tuple(row) for row in rewards}) > 1
    # Between two arms it is the nearer one.
    market.start(np.array([[0, 0.0], [0, 0.0]]))
    np.testing.assert_array_equal(market.step(np.array([0.3, 0.2])).reward, rewards[0, [1, 1]])


# Reserve ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bidders", [1, 2, 3])
def test_the_revenue_of_a_reserve_is_its_integral(bidders):
    """A midpoint rule over all profiles, by the rules of the auction in plain Python."""
    market = Reserve(bidders=bidders)
    points = (np.arange(40) + 0.5) / 40
    for reserve in (0.0, 0.25, 0.5, 0.75):
        total = 0.0
        for values in itertools.product(points, repeat=bidders):
            first, *others = sorted(values, reverse=True)
            total += max(reserve, *others, 0) if first >= reserve else 0
        assert market.revenue(reserve) == pytest.approx(total / 40**bidders, abs=1e-3)
    grid = np.linspace(0, 1, 1001)
    assert grid[np.argmax([market.revenue(r) for r in grid])] == 0.5
    assert best(market) == market.revenue(0.5)


def test_revenues_of_textbooks():
    assert best(Reserve(bidders=1)) == pytest.approx(1 / 4)
    assert best(Reserve(bidders=2)) == pytest.approx(5 / 12)


# Clock --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("buyers", "fee"), [(10, 0.2), (10, 0.5), (3, 0.03), (1, 2.0), (6, 1.0)])
def test_no_sequence_of_announcements_earns_more(buyers, fee):
    """Over all sequences of prices that are multiples of 1/420, by dynamic programming: buyers
    whose values lie between two prices are on average n times their distance."""
    market = Clock(buyers=buyers, fee=fee)
    assert 420 % market.best_announcements == 0
    prices = np.arange(421) / 420
    value = np.zeros(421)
    for k in range(1, 421):
        lower = prices[:k]
        value[k] = (buyers * (prices[k] - lower) * lower - fee + value[:k]).max()
    assert best(market) == pytest.approx(value[420], abs=1e-9)
    assert 1 / market.best_announcements in market.spec.levels


@pytest.mark.parametrize("seed", range(12))
def test_the_informed_optimum_is_the_best_set_of_prices(seed):
    market = Clock(buyers=4, fee=0.15)
    instances = market.draw(np.random.default_rng(seed), 1)
    values = [v for v in instances[0] if v >= 0]
    found = -market.fee
    for size in range(min(len(values), 5) + 1):
        for chosen in itertools.combinations(values, size):
            prices = sorted({*chosen, 0.0}, reverse=True)
            paid = sum(next(price for price in prices if price <= value) for value in values)
            found = max(found, paid - market.fee * len(prices))
    assert market.optimum(instances)[0] == pytest.approx(found, abs=1e-12)


def test_a_clock_by_hand():
    market = Clock(buyers=2, fee=0.1)
    instances = np.full((1, 3), -1.0)
    instances[0, :2] = 0.75, 0.3
    np.testing.assert_array_equal(market.start(instances), [[1, 0]])
    rewards = [market.step(np.array([fall])).reward[0] for fall in (0.2, 0.2, 0.5, 0.5)]
    np.testing.assert_allclose(rewards, [-0.1, 0.6 - 0.1, 0.1 - 0.1, -0.1], atol=1e-12)
    told = {name: of[0] for name, of in market.measures().items()}
    assert told == pytest.approx(
        {"welfare": 1.05 - 0.4, "trades": 2, "announcements": 4, "revenue": 0.7 - 0.4}
    )


def test_a_clock_that_does_not_move_is_cut_off():
    market = Clock(buyers=1, fee=0.5, horizon=3)
    market.reset(np.random.default_rng(0), 2)
    for k in range(3):
        step = market.step(np.array([0.0, 0.5]))
        assert step.truncated.tolist() == [k == 2, False]
        assert step.terminated.tolist() == [False, k >= 1]


# First price --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bidders", [2, 3, 5])
def test_no_bid_is_better_against_others_in_equilibrium(bidders):
    """The probability of winning with b is P(all others' values < b n/(n−1))."""
    market = FirstPrice(bidders=bidders)
    bids = np.linspace(0, 1, 20_001)
    wins = np.minimum(bids * bidders / (bidders - 1), 1) ** (bidders - 1)
    points = (np.arange(500) + 0.5) / 500
    most = np.array([((value - bids) * wins).max() for value in points])
    assert best(market) == pytest.approx(most.mean(), abs=1e-5)
    chosen = np.array([bids[np.argmax((value - bids) * wins)] for value in points])
    np.testing.assert_allclose(market.equilibrium(points), chosen, atol=1e-4)


def test_the_equilibrium_earns_its_formula_and_never_more_than_the_bound():
    market = FirstPrice()
    instances = market.draw(np.random.default_rng(5), 40_000)
    seen = market.start(instances)
    assert seen.shape == (40_000, 3, 1)
    step = market.step(market.rules["equilibrium"](market, np.random.default_rng(0)))
    assert step.reward.shape == step.terminated.shape == (40_000, 3)
    assert abs(step.reward.mean() - best(market)) < 4 * step.reward.std() / 200
    assert (step.reward <= market.optimum(instances) + 1e-12).all()
    np.testing.assert_allclose(market.measures()["welfare"], market.first_best(instances))


def test_ties_share_evenly():
    market = FirstPrice()
    market.start(np.array([[0.8, 0.6, 0.9]]))
    step = market.step(np.array([[0.5, 0.5, 0.1]]))
    np.testing.assert_allclose(step.reward, [[0.15, 0.05, 0]])
