"""The search: what it must find, how small its witnesses get, and that it can be repeated."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction as F
from multiprocessing import get_context

import numpy as np
import pytest

import mechkit as mk
from mechkit import search
from mechkit.deviations import FAMILIES, targets
from mechkit.sampling import Sampler, hints
from tests.rules import (
    first_price,
    highest,
    midpoint,
    order,
    pay_all,
    pay_second,
    pay_third,
    second_price,
)

BUDGET = 60_000


def summary(report):
    """All that a report says, bar the seconds."""
    out = {}
    for v in report:
        witness = v.counterexample
        out[v.property] = (
            v.status,
            v.effort.profiles,
            v.effort.deviations,
            v.effort.evaluations,
            v.effort.smallest,
            v.effort.notes,
            witness and (witness.types.tolist(), witness.reports.tolist(), witness.gain),
        )
    return out


# Known minima ----------------------------------------------------------------


MINIMA = [
    # mechanism, property, types, acting agents, lies, gain
    (lambda: first_price(2), "ic", [1, 0], (0,), [0], 1),
    (lambda: first_price(2), "strong_budget_balance", [1, 0], (), [], 1),
    (
        lambda: mk.Mechanism(mk.single_item(2), highest, pay_all, name="all-pay"),
        "ic",
        [1, 0],
        (0,),
        [0],
        1,
    ),
    (
        lambda: mk.Mechanism(mk.single_item(2), highest, pay_all, name="all-pay"),
        "ir",
        [1, 1],
        (),
        [],
        1,
    ),
    # Third price: the second bidder overbids and wins at the lowest bid. With two types of 1 the
    # loser of the tie could not overbid, so that one type of 1/2 is needed.
    (
        lambda: mk.Mechanism(mk.single_item(3), highest, pay_third, name="third price"),
        "ic",
        [1, F(1, 2), 0],
        (0,),
        [1],
        F(1, 2),
    ),
    # The buyer of the midpoint auction bids down to the cost: half of the surplus is gained.
    (midpoint, "ic", [1, 0], (0,), [0], F(1, 2)),
    (lambda: second_price(2), "strong_group_ic", [1, 1], (0, 1), [1, 0], 1),
    (lambda: second_price(2), "collusion_proof", [1, 1], (0, 1), None, 1),
]


@pytest.mark.parametrize(("make", "name", "types", "who", "lies", "gain"), MINIMA)
def test_shrinking_reaches_known_minima(make, name, types, who, lies, gain):
    mechanism = make()
    witness = mk.verify(mechanism, name, evaluations=BUDGET)[name].counterexample
    assert witness is not None
    assert witness.arithmetic == "exact"
    assert sorted(witness.types.tolist()) == sorted(F(t) for t in types)
    assert len(witness.agents) == len(who)
    assert witness.gain == gain
    if lies is not None and len(who) == 1:
        (agent,) = witness.agents
        # The lie is the simplest report that still gains: 0 where ties favour the agent.
        assert witness.reports[agent] in (F(0), F(1, 2), F(1))


def test_the_smallest_witness_does_not_depend_on_the_seed():
    found = {
        tuple(
            mk.verify(first_price(2), "ic", evaluations=BUDGET, seed=s)["ic"].counterexample.types
        )
        for s in range(5)
    }
    assert found == {(F(1), F(0))}


def test_the_witness_is_a_violation_by_hand():
    """Recomputed with nothing but the definition of the midpoint auction."""
    witness = mk.verify(midpoint(0, 50), "ic", evaluations=BUDGET)["ic"].counterexample
    value, cost = witness.types
    bid, ask = witness.reports
    (agent,) = witness.agents

    def utility(b, a):
        price = (b + a) / 2
        return 0 if b < a else (value - price if agent == 0 else price - cost)

    assert utility(bid, ask) - utility(*(witness.types)) == witness.gain > 0


# Sound mechanisms and dust ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_second_price_is_never_refuted(seed):
    holds = ["feasible", "ir", "ic", "ex_post_nash", "monotone", "critical_payment", "envy_free"]
    holds += ["weak_budget_balance", "no_positive_transfers", "anonymous", "group_ic"]
    holds += ["false_name_proof", "revenue_monotone", "adverse_selection_free"]
    report = mk.verify(second_price(3), holds, evaluations=400_000, seed=seed)
    assert [v.property for v in report.refuted] == []


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_rounding_is_no_witness(scale):
    """A payment that is computed in a roundabout way differs from second price by dust alone."""

    def pay(bids, allocation):
        third = bids * 0.1 + bids * 0.2
        return allocation * order(third, 2) / 0.3

    setting = mk.single_item(3, high=scale)
    mechanism = mk.Mechanism(setting, highest, pay, name="dusty second price")
    bids = Sampler(mechanism).profiles(np.random.default_rng(0), 4096)
    assert (pay(bids, highest(bids)) != pay_second(bids, highest(bids))).any()
    report = mk.verify(mechanism, ["ic", "ir", "critical_payment"], evaluations=300_000)
    assert report.ok


def test_violations_of_every_scale_are_found():
    for scale in (1e-9, 1.0, 1e12):
        report = mk.verify(first_price(2, high=scale), "ic", evaluations=BUDGET)
        assert report["ic"].counterexample.gain > 0


# Hard places ----------------------------------------------------------------


def refuted(mechanism, name, **options):
    options.setdefault("evaluations", 500_000)
    return mk.verify(mechanism, name, **options)[name].status is mk.Status.REFUTED


def test_a_fault_at_an_exact_tie_is_found():
    def pay(bids, allocation):
        top, second = order(bids, 1), order(bids, 2)
        return allocation * np.where(top == second, 0, second)

    assert refuted(mk.Mechanism(mk.single_item(3), highest, pay), "ic")


def test_a_fault_beside_a_reserve_is_found():
    """Between 0.37 and 0.38 the winner pays nothing: a window of a hundredth of the range."""

    def pay(bids, allocation):
        return allocation * np.where((bids > 0.37) & (bids < 0.38), 0, order(bids, 2))

    assert refuted(mk.Mechanism(mk.single_item(2), highest, pay), "ic")


def test_a_fault_of_one_agent_in_twelve_is_found():
    def pay(bids, allocation):
        mine = np.arange(bids.shape[-1]) == 11
        return allocation * np.where(mine, bids, order(bids, 2))

    assert refuted(mk.Mechanism(mk.single_item(12), highest, pay), "ic")


def test_a_fault_at_large_ratios_is_found():
    """Wrong only where the second bid is under a thousandth of the first."""

    def pay(bids, allocation):
        top, second = order(bids, 1), order(bids, 2)
        return allocation * np.where(1000 * second < top, top / 2, second)

    assert refuted(mk.Mechanism(mk.single_item(2), highest, pay), "ic")


def test_a_fault_in_a_thin_wedge_is_climbed_to():
    """The payment depends on the own bid only while three bids lie within 1/200 of one another."""

    def pay(bids, allocation):
        close = order(bids, 1) - order(bids, 3) < 0.005
        return allocation * np.where(close, (order(bids, 1) + order(bids, 2)) / 2, order(bids, 2))

    assert refuted(mk.Mechanism(mk.single_item(3), highest, pay), "ic", evaluations=2_000_000)


# Repeatable ----------------------------------------------------------------


@pytest.mark.parametrize("make", [second_price, first_price, midpoint])
def test_workers_do_not_change_the_verdict(make):
    one, two, three = (
        summary(mk.verify(make(), evaluations=150_000, seed=5, workers=w)) for w in (1, 2, 3)
    )
    assert one == two == three


def test_a_callers_thread_pool_gives_the_same():
    with ThreadPoolExecutor(3) as pool:
        mine = mk.verify(first_price(), evaluations=60_000, executor=pool)
    assert summary(mine) == summary(mk.verify(first_price(), evaluations=60_000))


def test_a_callers_process_pool_gives_the_same():
    """Pieces travel: rules here are closures and lambdas, which a plain pickle refuses."""

    def build():
        share = 0.5
        return mk.Mechanism(
            mk.single_item(3),
            lambda bids: highest(bids),
            lambda bids, allocation: allocation * (order(bids, 2) + share * bids),
            name="half first price",
        )

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        mine = mk.verify(build(), ["ic", "ir"], evaluations=60_000, executor=pool)
    assert summary(mine) == summary(mk.verify(build(), ["ic", "ir"], evaluations=60_000))


def test_the_seed_matters_and_is_recorded():
    a, b = (mk.verify(second_price(), "ic", evaluations=60_000, seed=s) for s in (1, 2))
    assert (a.seed, b.seed) == (1, 2)
    piece = {
        s: search.run(
            search.Piece(
                mechanism=midpoint(),
                family="deviation",
                checks=(("ic", 0),),
                seed=s,
                index=0,
                rows=64,
            )
        )
        for s in (1, 2)
    }
    least = {s: piece[s].tallies["ic", 0].smallest for s in piece}
    assert least[1] != least[2]


def test_a_budget_in_evaluations_is_kept():
    # One property for each family, so that no family's work is counted twice.
    names = ["ir", "ic", "group_ic", "anonymous", "false_name_proof", "adverse_selection_free"]
    report = mk.verify(second_price(), names, evaluations=200_000)
    spent = sum(v.effort.evaluations for v in report)
    assert 200_000 / 2 < spent <= 200_000


# Tactics ----------------------------------------------------------------


def test_constants_of_the_rules_are_tried():
    reserve = 0.7321

    def allocate(bids):
        return highest(bids) & (bids >= reserve)

    mechanism = mk.Mechanism(mk.single_item(3), allocate, pay_second)
    assert reserve in hints(mechanism)
    profiles = Sampler(mechanism).profiles(np.random.default_rng(0), 2000)
    assert (profiles == reserve).any()


def test_profiles_tie_meet_the_corners_and_stay_inside():
    mechanism = mk.Mechanism(mk.multi_unit(3, 4, 3), lambda r: r[..., 0] * 0, lambda r, x: x)
    profiles = Sampler(mechanism).profiles(np.random.default_rng(0), 4000)
    assert mk.contains(mechanism.setting.types, profiles, slack=1e-12).all()
    first = profiles[..., 0]
    ties = (first[:, 0] == first[:, 1]).mean()
    assert ties > 0.05
    assert (profiles == 0).mean() > 0.02
    assert (profiles == 1).mean() > 0.02
    assert (first.max(axis=1) < 0.01).any()


def test_every_family_serves_some_property():
    setting = mk.single_item(3)
    used = {c.family for p in mk.PROPERTIES.values() for c in p.checks(setting)}
    apart = mk.Setting(
        name="apart",
        types=mk.box(2),
        allocation_shape=(2,),
        value=lambda types, allocation: types * allocation,
        slack=lambda allocation: 1 - allocation,
        interdependent=True,
    )
    used |= {c.family for p in mk.PROPERTIES.values() for c in p.checks(apart)}
    assert used == set(FAMILIES)


# Vacuity, coalitions ----------------------------------------------------------------


def test_what_nothing_exercised_is_unknown():
    nothing = mk.Mechanism(mk.single_item(2), lambda b: b < 0, lambda b, x: b * 0, name="no sale")
    for verdict in mk.verify(nothing, ["ic", "ir", "monotone"], evaluations=20_000):
        assert verdict.status is mk.Status.UNKNOWN
        assert "vacuous" in verdict.reason
        assert verdict.effort.trades == 0


def test_larger_coalitions_are_a_parameter():
    setting = mk.single_item(4)
    rng = np.random.default_rng(0)
    sizes = {
        most: {len(who) for who in targets(FAMILIES["coalition"], setting, rng, 100, most)}
        for most in (2, 3, 4)
    }
    assert sizes == {2: {2}, 3: {2, 3}, 4: {2, 3, 4}}
    few = {len(who) for who in targets(FAMILIES["coalition"], setting, rng, 8, 4)}
    assert few <= {2, 3, 4}
    verdict = mk.verify(second_price(4), "group_ic", evaluations=20_000, coalition=3)["group_ic"]
    assert "coalitions of up to 3" in verdict.effort.notes


def test_three_conspire_where_a_pair_has_a_loser():
    """A cycle of favours: a member's report of 0 pays the next one 2 and costs itself 1.

    Two members cannot both gain, since one of them gets no favour; three can.
    """

    def pay(bids, allocation):
        lied = bids == 0
        return lied * 1 - 2 * np.roll(lied, 1, axis=-1)

    mechanism = mk.Mechanism(
        mk.single_item(3, low=0, high=1), lambda bids: bids * 0 + F(1, 3), pay, name="favours"
    )
    pair = mk.verify(mechanism, "group_ic", evaluations=100_000, coalition=2)["group_ic"]
    assert pair.status is mk.Status.UNREFUTED
    trio = mk.verify(mechanism, "group_ic", evaluations=100_000, coalition=3)["group_ic"]
    assert trio.counterexample.agents == (0, 1, 2)
    assert trio.counterexample.gain == 1
