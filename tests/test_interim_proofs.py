"""Truth in expectation over a uniform prior: proved, or refuted by a witness that replays."""

import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import mechkit as mk
from mechkit import witness
from mechkit.errors import InputError
from mechkit.expectations import expectation, lattice
from mechkit.properties import PROPERTIES
from mechkit.prove import Found, GaveUp, Proved, certificate, myerson, prove
from mechkit.prove.interim import outside
from mechkit.replay import margins, negative
from mechkit.story import story
from proofs.integrate import Curves
from proofs.polynomials import made


def highest(bids):
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def second(bids, allocation):
    return allocation * np.sort(bids, axis=-1)[..., -2:-1]


def reserved(bids):
    return highest(bids) & (bids >= 0.5)


def reserve_price(bids, allocation):
    return allocation * np.maximum(np.sort(bids, axis=-1)[..., -2:-1], 0.5)


def item(allocate, pay, agents=2, **options):
    return mk.Mechanism(mk.single_item(agents, **options), allocate, pay)


def pays(share):
    return lambda bids, allocation: allocation * bids * share


def trade(gap, price):
    """Bilateral trade where the value exceeds the cost by the gap, at a price."""

    def outcome(reports):
        value, cost = reports[:, :1], reports[:, 1:]
        trades = value >= cost + gap
        both = np.concatenate([trades, trades], axis=-1)
        paid = price(value, cost)
        return both, both * np.concatenate([paid, -paid], axis=-1)

    return mk.Mechanism.from_outcome(mk.double_auction(1, 1), outcome)


def midpoint(value, cost):
    return (value + cost) / 2


def linear_strategies(value, cost):
    """The linear equilibrium of the midpoint auction: 2v/3 + 1/12 and 2c/3 + 1/4, wherever these
    trade (Chatterjee & Samuelson 1983)."""
    return (2 * value / 3 + F(1, 12) + 2 * cost / 3 + F(1, 4)) / 2


SOUND = {
    "second price": item(highest, second),
    "second price, 3": item(highest, second, 3),
    "reserve": item(reserved, reserve_price),
    "reserve, 3": item(reserved, reserve_price, 3),
    "reserve that must be exceeded": item(lambda b: highest(b) & (b > 0.5), reserve_price),
    # The equilibrium of the first price as a direct mechanism: bic, and not ic.
    "half of the own value": item(highest, pays(F(1, 2))),
    "two thirds, 3": item(highest, pays(F(2, 3)), 3),
    "a price for each": item(lambda b: b > 0.5, lambda b, x: x * F(1, 2)),
    "Chatterjee and Samuelson": trade(F(1, 4), linear_strategies),
    # Without its structure, or a theorem would be quicker.
    "clarke": replace(mk.Mechanism.groves(mk.public_project(3, F(3, 2))), structure=None),
    "asymmetric": item(highest, second, high=2, prior=[stats.uniform(0, 1), stats.uniform(0.5, 1)]),
    "one agent": item(lambda b: b >= 1 / 3, lambda b, x: x / 3, 1),
    "a known opponent": item(highest, second, low=[0, F(1, 2)], high=[1, F(1, 2)]),
}  # fmt: skip


def check_of(mechanism, name, attempt):
    data = {
        "property": name, "mechanism": {"name": "m"}, "method": attempt.method,
        "domain": attempt.domain, "tool": attempt.tool, "argument": attempt.argument,
    }  # fmt: skip
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_in_expectation_is_proved(name):
    mechanism = SOUND[name]
    attempt = prove(mechanism, PROPERTIES["bic"], seconds=30)
    assert isinstance(attempt, Proved), attempt
    data = check_of(mechanism, "bic", attempt)
    assert certificate.check(mechanism, data).confirmed
    told = certificate.explain(data)
    assert "Myerson" in told
    assert "Agent 0:" in told


def test_it_is_weaker_than_dominance():
    mechanism = SOUND["half of the own value"]
    assert isinstance(prove(mechanism, PROPERTIES["ic"], seconds=10), Found)
    assert isinstance(prove(mechanism, PROPERTIES["interim_ir"], seconds=10), Proved)


def refuted(mechanism, name):
    attempt = prove(mechanism, PROPERTIES[name], seconds=20)
    assert isinstance(attempt, Found), attempt
    (margin,) = margins(mechanism, PROPERTIES[name], attempt.check, attempt.case)
    assert negative(margin)
    return attempt.case, -margin


def test_first_price_by_hand():
    # Of type 1, reporting r wins with probability r and gains r (1 − r): best is 1/2.
    case, gain = refuted(item(highest, pays(1)), "bic")
    assert (case.arrays["types"][0, 0], case.arrays["lies"][0, 0], gain) == (1, F(1, 2), F(1, 4))


def test_all_pay_by_hand():
    # Of type θ the truth gives θ² − θ: worst at 1/2. Staying away in the bid gives nothing.
    mechanism = item(highest, lambda bids, allocation: bids)
    case, gain = refuted(mechanism, "bic")
    assert (case.arrays["types"][0, 0], case.arrays["lies"][0, 0], gain) == (F(1, 2), 0, F(1, 4))
    case, gain = refuted(mechanism, "interim_ir")
    assert (case.arrays["types"][0, 0], gain) == (F(1, 2), F(1, 4))


def test_the_midpoint_double_auction_by_hand():
    # Of value 1, reporting r: E[(1 − (r + c)/2); c ≤ r] = r − 3 r²/4, best at 2/3: 1/3 − 1/4.
    _, gain = refuted(trade(0, midpoint), "bic")
    assert gain <= F(1, 12)
    mechanism = trade(0, midpoint)
    assert expectation(mechanism, 0, F(1), F(2, 3)) == F(1, 3)
    assert expectation(mechanism, 0, F(1), F(1)) == F(1, 4)


def test_clarke_taxes_can_exceed_what_is_expected():
    refuted(mk.Mechanism.groves(mk.public_project(3, F(3, 2))), "interim_ir")


@pytest.mark.parametrize(
    ("mechanism", "name"),
    [
        # What happens at one report only: everybody sends it; nobody of that type does.
        (item(highest, lambda b, x: second(b, x) - (b == 1 / 3)), "bic"),
        (item(highest, lambda b, x: second(b, x) + (b == 1 / 3)), "bic"),
        (item(highest, lambda b, x: second(b, x) + (b == 1 / 3)), "interim_ir"),
        # A reserve that the payment forgets, on one side of 1/2.
        (item(reserved, second), "bic"),
        (item(lambda b: highest(b) & (b < 0.5), lambda b, x: x * 0), "bic"),
        # Off by a thousandth, between 0.700 and 0.701 only.
        (item(highest, lambda b, x: second(b, x) - 0.001 * ((b > 0.7) & (b < 0.701))), "bic"),
        (item(highest, pays(F(499, 1000))), "bic"),
        (item(highest, pays(F(501, 1000))), "bic"),
        # The last agent alone is treated otherwise.
        (item(highest, lambda b, x: second(b, x) * [1, 1, F(9, 10)], 3), "bic"),
        (trade(0, linear_strategies), "bic"),
        (trade(F(1, 4), midpoint), "bic"),
    ],
)  # fmt: skip
def test_planted_faults_are_refuted(mechanism, name):
    refuted(mechanism, name)


def test_a_witness_is_shrunk_told_saved_and_replayed():
    mechanism = replace(item(highest, pays(1)), name="first price")
    report = mk.verify(mechanism, "bic,interim_ir", evaluations=20_000, prove=True)
    verdict = report["bic"]
    assert verdict.status is mk.Status.REFUTED
    assert verdict.counterexample.arithmetic == "exact"
    assert list(verdict.counterexample.types) == [1, 0]
    assert "raises its expected utility by" in story(verdict.counterexample, mechanism.setting)
    saved = witness.to_json(verdict.counterexample, reference=None, digest=None, seed=0)
    saved = json.loads(json.dumps(saved))
    assert witness.replay(mechanism, saved).confirmed
    assert not witness.replay(SOUND["second price"], saved).confirmed
    assert not witness.replay(mechanism, {**saved, "gain": "1/3"}).confirmed
    # Floats estimate such an expectation, and an estimate confirms nothing.
    floats = witness.replay(mechanism, {**saved, "arithmetic": "float64"})
    assert not floats.confirmed
    assert "no matter of floats" in floats.message
    assert report["interim_ir"].status is mk.Status.PROVED
    assert "uniform on [0, 1]" in report["interim_ir"].certificate.domain


def test_without_proofs_the_worst_estimate_is_decided_exactly():
    report = mk.verify(item(highest, pays(1)), "bic", evaluations=20_000)
    assert report["bic"].status is mk.Status.REFUTED
    skewed = item(highest, pays(1), prior=stats.beta(2, 2))
    report = mk.verify(skewed, "bic", evaluations=20_000, prove=True)
    assert report["bic"].status is mk.Status.UNKNOWN
    assert "does not refute" in report["bic"].reason
    assert any("not uniform" in note for note in report["bic"].effort.notes)


def test_nothing_at_stake_is_not_proved():
    never = item(lambda b: b < 0, lambda b, x: b * 0)
    report = mk.verify(never, "bic", evaluations=20_000, prove=True)
    assert report["bic"].status is mk.Status.UNKNOWN
    assert "vacuous" in report["bic"].reason


# What is outside ----------------------------------------------------------------------------------


def nonlinear(value):
    return replace(mk.single_item(2), value=value)


@pytest.mark.parametrize(
    ("mechanism", "reason"),
    [
        (item(highest, second, prior=stats.beta(2, 2)), "not uniform"),
        (item(highest, lambda b, x: x * b**2), "not piecewise linear"),
        (item(highest, lambda b, x: x * np.sqrt(b)), "not piecewise linear"),
        (item(lambda b: b / (b.sum(axis=-1, keepdims=True) + 1), lambda b, x: b * 0), "linear"),
        # Settings that declare a quantity, and have a value that is not linear in the type.
        (mk.Mechanism(nonlinear(lambda t, x: t * t * x), highest, second), "not linear"),
        (mk.Mechanism(nonlinear(lambda t, x: np.maximum(t, 0.5) * x), highest, second), "not lin"),
        (mk.Mechanism(nonlinear(lambda t, x: np.where(t > 0.5, x, 0)), highest, second), "not lin"),
    ],
)
def test_what_is_not_covered_is_left_and_says_why(mechanism, reason):
    attempt = prove(mechanism, PROPERTIES["bic"], seconds=5)
    assert isinstance(attempt, GaveUp)
    assert reason in attempt.reason


def test_values_may_bend_in_the_allocation():
    setting = nonlinear(lambda t, x: t * np.minimum(x * 2, 1) - np.where(x * 1 > 0.5, 1, 0) * 0.1)
    assert outside(setting) is None
    fee = mk.Mechanism(setting, highest, lambda b, x: second(b, x) - x * 0.1)
    assert isinstance(prove(fee, PROPERTIES["bic"], seconds=10), Proved)
    assert isinstance(prove(fee, PROPERTIES["interim_ir"], seconds=10), Proved)
    refuted(mk.Mechanism(setting, highest, lambda b, x: second(b, x)), "interim_ir")


def test_lotteries_are_taken_in_expectation():
    coins = mk.single_item(2).with_public(coin=mk.Lottery(draws=[0, 1], weights=(F(1, 3), F(2, 3))))

    def allocate(bids, *, public):
        return highest(bids) & (public["coin"][..., None] > 0)

    def pay(bids, allocation, *, public):
        return second(bids, allocation)

    assert isinstance(prove(mk.Mechanism(coins, allocate, pay), PROPERTIES["bic"]), Proved)
    half = mk.Mechanism(coins, allocate, lambda b, x, *, public: x * b / 2)
    assert isinstance(prove(half, PROPERTIES["bic"]), Proved)
    _, gain = refuted(mk.Mechanism(coins, allocate, lambda b, x, *, public: x * b), "bic")
    assert gain == F(2, 3) * F(1, 4)


# Certificates -------------------------------------------------------------------------------------


def edited(data, change):
    copy = json.loads(json.dumps(data))
    change(copy, copy["argument"]["agents"])
    return copy


@pytest.mark.parametrize(
    "change",
    [
        lambda d, a: a.pop(),
        lambda d, a: a.reverse(),
        lambda d, a: a[0]["between"][1][1].__setitem__(0, "1/9"),
        lambda d, a: a[1]["at"][1].__setitem__(0, "0"),
        lambda d, a: a[0]["knots"].__setitem__(1, "1/3"),
        lambda d, a: a[0].update(knots=["0", "1"], between=a[0]["between"][1:],
                                 at=[a[0]["at"][0], a[0]["at"][2]]),
        lambda d, a: a[0].update(knots=[], between=[], at=[]),
        lambda d, a: a[0]["tree"].pop(),
        lambda d, a: a[0]["tree"].insert(0, ["no", "0*1"]),
        lambda d, a: a[0].update(tree="?"),
        lambda d, a: d.update(domain=d["domain"].replace("uniform", "normal")),
        lambda d, a: d.update(method="magic"),
        lambda d, a: d.update(property="ic"),
    ],
)  # fmt: skip
def test_tampering_is_rejected(change):
    mechanism = SOUND["reserve"]
    attempt = prove(mechanism, PROPERTIES["bic"], seconds=10)
    data = check_of(mechanism, "bic", attempt)
    assert certificate.check(mechanism, data).confirmed
    assert not certificate.check(mechanism, edited(data, change)).confirmed


@pytest.mark.parametrize(
    "other",
    [
        item(highest, second),
        item(lambda b: highest(b) & (b > 0.5), reserve_price),
        item(reserved, second),
        item(reserved, reserve_price, prior=stats.uniform(0, 0.75)),
        item(reserved, reserve_price, high=2),
        mk.Mechanism(nonlinear(lambda t, x: t * t * x), reserved, reserve_price),
    ],
)
def test_a_certificate_is_for_its_own_mechanism(other):
    mechanism = SOUND["reserve"]
    data = check_of(mechanism, "bic", prove(mechanism, PROPERTIES["bic"], seconds=10))
    assert not certificate.check(other, data).confirmed


# Against other routes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reserve, 3", "Chatterjee and Samuelson", "asymmetric"])
def test_expectations_agree_with_floats(name):
    mechanism = SOUND[name]
    setting = mechanism.setting
    for agent in range(setting.agents):
        drawn = mechanism.setting.sample(np.random.default_rng(3), 200_000)
        for own, report in ((F(3, 4), F(3, 4)), (F(9, 10), F(2, 5)), (F(1, 4), F(4, 5))):
            exact = float(expectation(mechanism, agent, own, report))
            types, reports = drawn.copy(), drawn.copy()
            types[:, agent], reports[:, agent] = float(own), float(report)
            x, p = (mechanism.outcome or _apart(mechanism))(reports)
            utility = setting.value(types, x)[:, agent] - p[:, agent]
            assert exact == pytest.approx(utility.mean(), abs=5 * utility.std() / 400)
    within = lattice(setting, 0)
    assert within.shape == (512, setting.agents)


def _apart(mechanism):
    return lambda reports: (x := mechanism.allocate(reports), mechanism.pay(reports, x))


menus = st.tuples(
    st.lists(st.sampled_from([F(k, 6) for k in range(7)]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from([F(k, 4) for k in range(5)]), min_size=4, max_size=4),
    st.lists(st.sampled_from([F(k, 8) for k in range(-2, 5)]), min_size=4, max_size=4),
    st.lists(st.sampled_from([F(0), F(0), F(0), F(1, 2)]), min_size=4, max_size=4),
    st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(menus)
def test_alone_expectation_and_dominance_are_one(menu):
    """With one agent bic is ic and interim_ir is ir, proved or refuted by provers that share
    nothing."""
    cuts, shares, prices, slopes, strict = menu

    def outcome(reports):
        x, p = reports * 0 + shares[0], reports * slopes[0] + prices[0]
        for k, cut in enumerate(sorted(cuts)):
            past = reports > cut if strict else reports >= cut
            x = np.where(past, shares[k + 1], x)
            p = np.where(past, reports * slopes[k + 1] + prices[k + 1], p)
        return x, p

    mechanism = mk.Mechanism.from_outcome(mk.single_item(1), outcome)
    for one, other in (("bic", "ic"), ("interim_ir", "ir")):
        found = [prove(mechanism, PROPERTIES[name], seconds=20) for name in (one, other)]
        assert not any(isinstance(attempt, GaveUp) for attempt in found), found
        assert type(found[0]) is type(found[1])
        if isinstance(found[0], Found):
            assert negative(margins(mechanism, PROPERTIES[one], 0, found[0].case)[0])


def step(knots, between, at):
    return Curves(
        tuple(map(F, knots)),
        tuple(tuple(made(p) for p in polynomials) for polynomials in between),
        tuple(tuple(map(F, values)) for values in at),
    )


@pytest.mark.parametrize(
    ("curves", "fails"),
    [
        # Q = r², T = 2 r³/3: truth is best. Then with an irrational dip in Q.
        (step([0, 1], [([0, 0, 1], [0, 0, 0, F(2, 3)])], [(0, 0), (1, F(2, 3))]), False),
        (step([0, 1], [([1, -1, 1], [0, 0, F(-1, 2), F(2, 3)])], [(1, 0), (1, F(1, 6))]), True),
        # Values at the ends that their gap does not reach.
        (step([0, 1], [([], [])], [(0, 0), (1, 1)]), False),
        (step([0, 1], [([], [])], [(0, 0), (-1, -1)]), True),
        (step([0, 1], [([], [])], [(0, 0), (0, F(-1, 10**9))]), True),
        (step([0, 1], [([], [])], [(0, F(1, 10**9)), (0, 0)]), True),
        (step([F(1, 2)], [], [(1, 7)]), False),
    ],
)
def test_myersons_lemma_on_curves(curves, fails):
    found = myerson.lie(curves)
    assert (found is not None) is fails
    if found is not None:
        own, report = found
        assert myerson.utility(curves, own, report) > myerson.utility(curves, own, own)


@pytest.mark.parametrize(
    ("curves", "loses"),
    [
        # U = r² − r + 1/4 touches 0 at 1/2; a little lower it is below on both sides of it.
        (step([0, 1], [([0, 1], [F(-1, 4), 1])], [(0, F(-1, 4)), (1, F(3, 4))]), False),
        (step([0, 1], [([0, 1], [F(-1, 4) + F(1, 10**9), 1])], [(0, -1), (1, 0)]), True),
        # Below zero towards an end, not at it.
        (step([0, 1], [([], [1, -1])], [(0, 0), (0, 0)]), True),
        (step([0, 1], [([], [0, 1])], [(0, 0), (0, 0)]), True),
        (step([0, 1], [([], [])], [(0, 0), (0, 1)]), True),
    ],
)
def test_losses_on_curves(curves, loses):
    found = myerson.loss(curves)
    assert (found is not None) is loses
    assert found is None or myerson.utility(curves, found, found) < 0


def test_priors_are_read_as_rationals():
    from mechkit.priors import intervals

    assert intervals(mk.box(1), stats.uniform(0.1, 0.2)) == ((F(1, 10), F(3, 10)),)
    assert intervals(mk.box(2), [stats.uniform(), stats.uniform(scale=0.5)])[1] == (0, F(1, 2))
    for other in (stats.beta(1, 1), stats.loguniform(0.1, 1), lambda rng, batch: None):
        assert intervals(mk.box(2), other) is None
    assert intervals(mk.box(2, levels=[0, 1]), None) is None
    with pytest.raises(InputError, match="outside the types"):
        mk.single_item(2, prior=stats.uniform(0, 2))
