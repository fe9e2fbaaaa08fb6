"""The best step policies: against every sequence of steps, and every policy, at tiny sizes."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from vehicles import drawn, slow_auction

from learners.evaluate import Ruled, evaluate
from mechkit.errors import InputError
from mechkit.papers.madda import clocks, planning, systems, unseen
from mechkit.papers.madda.environment import Madda

FEE = 0.3
EQ_17 = "reward (eq. 17)"

# Who knows every value ----------------------------------------------------------------------------


def every_auction(values, costs, levels, high):
    """What each sequence of steps leads to."""
    prefixes = [()]
    while prefixes:
        prefix = prefixes.pop()
        try:
            run = slow_auction(
                dict(enumerate(values)), dict(enumerate(costs)), prefix.__getitem__, high=high
            )
        except IndexError:
            prefixes += [(*prefix, level) for level in levels]
        else:
            yield run


def earned(run, reading):
    key = {
        "reward (eq. 17)": "idle",
        "reward, cost in every round": "told",
        "reward, those left are told": "left",
    }
    return -run["regret"] - FEE * sum(run[key[reading]])


CASES = {
    "on ticks": lambda rng, shape: rng.integers(1, 10, shape).astype(float),
    "between ticks": lambda rng, shape: rng.uniform(1, 9, shape),
    "ties and openings": lambda rng, shape: rng.choice([1.0, 5, 9], shape),
    "beyond the clocks": lambda rng, shape: rng.uniform(-1, 11, shape),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("buyers", "sellers"), [(1, 1), (3, 3), (2, 4)])
@pytest.mark.parametrize("reading", systems.REWARDS)
def test_the_plan_is_the_best_of_all_sequences(case, buyers, sellers, reading):
    rng = np.random.default_rng(buyers)
    values, costs = CASES[case](rng, (6, buyers)), CASES[case](rng, (6, sellers))
    if case == "beyond the clocks":  # above p_max they accept at the opening, with regret
        values, costs = np.maximum(values, 1), np.minimum(costs, 9)
    levels = (1, 2, 5)
    opened = clocks.begin(values, costs, low=1, high=9)
    found = planning.plan(opened, levels, reward=reading, fee=FEE)
    for b in range(6):
        runs = every_auction(values[b], costs[b], levels, 9)
        best = max(earned(run, reading) for run in runs)
        assert found.value[b] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("levels", [(2,), (1, 3), (4, 8), (9, 20)])
def test_few_and_large_steps(levels):
    rng = np.random.default_rng(5)
    values, costs = rng.uniform(1, 9, (2, 10, 3))
    found = planning.plan(clocks.begin(values, costs, low=1, high=9), levels, fee=FEE)
    for b in range(10):
        runs = every_auction(values[b], costs[b], levels, 9)
        assert found.value[b] == pytest.approx(max(earned(r, "reward (eq. 17)") for r in runs))


@pytest.mark.parametrize("case", ["on ticks", "between ticks", "ties and openings"])
def test_the_plan_for_what_the_end_is_worth_is_the_best_of_all_sequences(case):
    rng = np.random.default_rng(6)
    values, costs = CASES[case](rng, (12, 3)), CASES[case](rng, (12, 3))
    worth = rng.integers(0, 20, (2, 4, 12)).astype(float)
    opened = clocks.begin(values, costs, low=1, high=9)
    found = planning.plan(opened, (1, 2, 5), fee=FEE, ends=worth)
    for b in range(12):
        ends = {
            (run["psi"], len(run["sellers"]))
            for run in every_auction(values[b], costs[b], (1, 2, 5), 9)
        }
        assert found.value[b] == max(worth[psi, sold, b] for psi, sold in ends)


@pytest.mark.parametrize(
    ("reading", "winners"),
    [*((reading, "as printed") for reading in systems.REWARDS), (EQ_17, "setter left out")],
)
def test_the_oracle_plays_its_plan_and_no_rule_beats_it(reading, winners):
    env = Madda(buyers=16, sellers=16, pool=8, past=8, reward=reading, winners=winners)
    found = drawn(0, 60, buyers=16, sellers=16)
    best, finer, welfare = env.optimum(found), env.finer(found), env.best_welfare(found)
    assert (finer >= best - 1e-9).all()
    assert (finer > best + 1e-6).any()
    assert (welfare <= env.first_best(found) + 1e-9).all()
    for name, rule in env.rules.items():
        played = evaluate(Ruled(env, rule), env, found, np.random.default_rng(0))
        if set(rule(env, np.random.default_rng(0))) <= set(env.spec.levels):
            assert (played.returns <= best + 1e-9).all(), name
            assert (played.measures["welfare"] <= welfare + 1e-9).all(), name
        else:
            assert name == "best constant"
        if name == "oracle":
            assert played.returns == pytest.approx(best, abs=1e-9)
        if name == "welfare oracle":
            assert played.measures["welfare"] == pytest.approx(welfare, abs=1e-9)
    # What is best for eq. 17 is far from best for welfare: it rewards no trade.
    assert (
        welfare.mean()
        > 1.2
        * evaluate(Ruled(env, env.rules["oracle"]), env, found, np.random.default_rng(0))
        .measures["welfare"]
        .mean()
    )


def test_blocks_of_a_plan_are_put_together(monkeypatch):
    env = Madda(buyers=8, sellers=8, pool=8, past=8)
    found = drawn(1, 30, buyers=8, sellers=8)
    whole = env.optimum(found)
    monkeypatch.setattr(planning, "BLOCK", 7)
    assert np.array_equal(env.optimum(found), whole)
    played = evaluate(Ruled(env, env.rules["oracle"]), env, found, np.random.default_rng(0))
    assert played.returns == pytest.approx(whole, abs=1e-9)


def test_plans_know_whole_ticks_only():
    env = Madda(buyers=6, sellers=6, pool=8, past=8)
    found = drawn(2, 5, buyers=6, sellers=6)
    env.start(found)
    env.step(np.full(5, 1.5))
    with pytest.raises(InputError, match="between ticks"):
        env.rules["oracle"](env, np.random.default_rng(0))
    fine = Madda(buyers=6, sellers=6, pool=8, past=8, levels=(1.5, 2))
    with pytest.raises(InputError, match="expected whole numbers of ticks"):
        fine.optimum(found)
    opened = clocks.begin(found.values, found.costs)
    with pytest.raises(InputError, match="not a reading"):
        planning.plan(opened, (1,), reward="other", fee=1.0)


# Who sees no value --------------------------------------------------------------------------------


class Unknown(Exception):
    """The policy does not say what to do there."""


def play(values, costs, policy, ticks, fee):
    """Σ eq. 17 of one auction, round by round. policy: {what was seen so far: step}."""
    clock, taken, psi, t, total = [ticks, 1], [0, 0], 0, 0, Fraction(0)
    ranked = (sorted(values, reverse=True), sorted(costs))
    history = []
    while clock[0] >= clock[1]:
        first = ranked[psi][taken[psi]] if taken[psi] < len(values) else None
        if first is not None and (clock[0] <= first if psi == 0 else clock[1] >= first):
            total -= abs(first - clock[psi])
            taken[psi] += 1
            psi = 1 - psi
        else:
            total -= fee * len(values)
            history.append((psi, t, *clock, *taken))
            if (seen := tuple(history)) not in policy:
                raise Unknown(seen)
            clock[psi] += policy[seen] * (1 if psi else -1)
        t += 1
    return total


def best_of_all_policies(pairs, ticks, levels, fee):
    """(the best mean, how many policies there are): every function of what was seen."""
    profiles = list(itertools.product(range(1, ticks + 1), repeat=2 * pairs))
    waiting, best, count = [{}], None, 0
    while waiting:
        policy = waiting.pop()
        try:
            total = sum(play(p[:pairs], p[pairs:], policy, ticks, fee) for p in profiles)
        except Unknown as unknown:
            (seen,) = unknown.args
            waiting += [{**policy, seen: level} for level in levels]
            continue
        count += 1
        mean = total / len(profiles)
        best = mean if best is None else max(best, mean)
    return best, count


@pytest.mark.parametrize(
    ("pairs", "ticks", "levels", "fee"),
    [
        (1, 2, (1, 2), Fraction(1)),
        (1, 3, (1, 2), Fraction(1, 5)),
        (2, 2, (1, 2), Fraction(1, 100)),
        (1, 4, (2, 3), Fraction(1, 100)),
        (1, 4, (2, 3), Fraction(1, 3)),
    ],
)
def test_unseen_is_the_best_of_all_policies(pairs, ticks, levels, fee):
    expected, count = best_of_all_policies(pairs, ticks, levels, fee)
    assert unseen.best(pairs, ticks=ticks, levels=levels, fee=fee) == expected
    assert count > 40


def best_of_tree(waiting, levels, fee):
    """Σ over auctions that look alike of what the best steps earn: [(values, costs, psi, clocks,
    taken)], values falling and costs rising."""
    pairs = len(waiting[0][0])
    ways = []
    for level in levels:
        total, alike = -fee * pairs * len(waiting), {}
        for values, costs, psi, clock, taken in waiting:
            clock, taken = list(clock), list(taken)
            clock[psi] += level * (1 if psi else -1)
            if clock[0] < clock[1]:
                continue
            total -= accept(values, costs, psi, clock, taken)
            psi = taken[0] - taken[1]
            state = (psi, tuple(clock), tuple(taken))
            alike.setdefault(state, []).append((values, costs, *state))
        ways.append(total + sum(best_of_tree(group, levels, fee) for group in alike.values()))
    return max(ways)


def accept(values, costs, psi, clock, taken):
    """One after the other; changes taken and returns the regret."""
    regret = 0
    while taken[psi] < len(values):
        worth = (values, costs)[psi][taken[psi]]
        if (clock[0] > worth) if psi == 0 else (clock[1] < worth):
            break
        regret += abs(worth - clock[psi])
        taken[psi] += 1
        psi = 1 - psi
    return regret


@pytest.mark.parametrize(
    ("pairs", "ticks", "levels"),
    [(1, 7, (1, 2, 5)), (2, 4, (1, 2)), (2, 4, (1, 2, 3)), (3, 3, (1, 2))],
)
@pytest.mark.parametrize("fee", [Fraction(1, 100), Fraction(1, 3), Fraction(2)])
def test_unseen_is_the_best_on_the_tree_of_what_is_seen(pairs, ticks, levels, fee):
    alike = {}
    for profile in itertools.product(range(1, ticks + 1), repeat=2 * pairs):
        values = sorted(profile[:pairs], reverse=True)
        costs, taken = sorted(profile[pairs:]), [0, 0]
        assert accept(values, costs, 0, (ticks, 1), taken) == 0
        state = (taken[0] - taken[1], (ticks, 1), tuple(taken))
        alike.setdefault(state, []).append((values, costs, *state))
    total = sum(best_of_tree(group, levels, fee) for group in alike.values())
    found = unseen.best(pairs, ticks=ticks, levels=levels, fee=fee)
    assert found == total / ticks ** (2 * pairs)


@pytest.mark.parametrize(
    ("pairs", "ticks", "levels"), [(1, 10, (1, 2, 5)), (2, 6, (1, 2)), (2, 7, (1, 2, 5))]
)
def test_who_knows_more_does_better(pairs, ticks, levels):
    grid = np.array(list(itertools.product(range(1, ticks + 1), repeat=2 * pairs)), dtype=float)
    values, costs = grid[:, :pairs], grid[:, pairs:]
    opened = clocks.begin(values, costs, low=1, high=ticks)
    for fee in (Fraction(1, 100), Fraction(1, 8), Fraction(1, 2)):
        knowing = planning.plan(opened, levels, fee=float(fee)).value.mean()
        seeing = float(unseen.best(pairs, ticks=ticks, levels=levels, fee=fee))
        constants = []
        for step in levels:
            _, exchange = clocks.constant(values, costs, step, low=1, high=ticks)
            constants.append((-exchange.regret - exchange.cost(float(fee))).mean())
        assert knowing > seeing + 1e-9
        assert seeing >= max(constants) - 1e-9
        # If calls are dear, the largest step may be the best at any sight.
        assert seeing > max(constants) + 1e-9 or fee == Fraction(1, 2)


def test_unseen_by_hand():
    # One tick: all accept at the opening, and one step crosses: ζ k.
    assert unseen.best(3, ticks=1, levels=(1, 2), fee=Fraction(1, 7)) == Fraction(-3, 7)
    # Free moves: the unit step leaves no regret.
    assert unseen.best(2, ticks=6, levels=(1, 2, 5), fee=Fraction(0)) == 0
    # A step over all ticks from the opening costs one call; nobody but v = 5 has accepted.
    assert unseen.best(2, ticks=5, levels=(5,), fee=Fraction(1)) == -2
    for wrong in ({"pairs": 0}, {"ticks": 2.5}, {"levels": (0,)}, {"levels": ()}):
        given = {"pairs": 1, "ticks": 3, "levels": (1,), "fee": Fraction(1), **wrong}
        with pytest.raises(InputError, match="expected"):
            unseen.best(given.pop("pairs"), **given)
