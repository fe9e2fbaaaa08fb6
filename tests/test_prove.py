"""Proofs: what must be proved is, nothing wrong is, and a proof stands or falls by its check."""

import copy
import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from scipy import stats

import mechkit as mk
import mechkit.prove.piecewise as piecewise
from mechkit.catalogue import entries
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, prove
from mechkit.prove.attempt import Found
from mechkit.prove.certificate import check, explain, read, to_json
from mechkit.prove.problem import problems
from mechkit.replay import margins, negative
from mechkit.verdict import Certificate, Status
from tests.rules import first_price, highest, midpoint, order, pay_second, second_price

ENTRIES = entries()
SECONDS = 60


def proved(mechanism, name):
    attempt = prove(mechanism, PROPERTIES[name], seconds=SECONDS)
    assert isinstance(attempt, Proved), (name, attempt)
    return attempt


def written(mechanism, name):
    """The certificate file of a proof, by way of JSON."""
    attempt = proved(mechanism, name)
    certificate = Certificate(attempt.method, attempt.domain, attempt.tool, attempt.argument)
    data = to_json(
        certificate, name, mechanism, reference="here", digest="0", version=mk.__version__
    )
    return json.loads(json.dumps(data))


# What must be proved ----------------------------

MUST = [
    ("second-price", "ic ir critical_payment monotone weak_budget_balance false_name_proof"),
    ("second-price-reserve", "ic ir critical_payment"),
    ("uniform-price", "ic ir"),
    ("posted-price", "ic ir"),
    ("serial-dictatorship", "ic feasible"),
    ("mcafee", "ic ir weak_budget_balance"),
    ("trade-reduction", "ic ir weak_budget_balance"),
    ("vcg-assignment", "ic ir"),
    ("clarke-project", "ic"),
]


@pytest.mark.parametrize(("key", "names"), MUST)
def test_classics_are_proved_for_every_real_type(key, names):
    mechanism = ENTRIES[key].make()
    for name in names.split():
        assert "[0, 1]" in proved(mechanism, name).domain


def test_verify_proves_and_says_by_what():
    report = mk.verify(second_price(), ["ic", "ir"], evaluations=20_000, prove=True)
    for verdict in report:
        assert verdict.status is Status.PROVED
        assert verdict.certificate.tool == "rational arithmetic"
        assert verdict.certificate.domain == "single item, 3 agents, types in [0, 1]"


# Every engine against the truth tables ----------------------------


@pytest.mark.parametrize("solvers", [False, True], ids=["trees", "solvers"])
@pytest.mark.parametrize("key", ENTRIES)
def test_no_proof_and_no_case_contradicts_a_truth_table(key, solvers, monkeypatch):
    """Short limits: a cell may stay open on a slow machine, and none may be decided wrongly."""
    if solvers:
        monkeypatch.setattr(piecewise, "_by_paths", lambda *a: GaveUp("not asked"))
    else:
        monkeypatch.setattr(piecewise, "_by_solvers", lambda *a: GaveUp("not asked"))
    mechanism, truth = ENTRIES[key].make(), ENTRIES[key].truth
    for name, holds in truth.items():
        prop = PROPERTIES[name]
        attempt = prove(mechanism, prop, seconds=0.5)
        if isinstance(attempt, Proved):
            assert holds, (name, attempt.method)
        elif isinstance(attempt, Found):
            margin = margins(mechanism, prop, attempt.check, attempt.case)[0]
            assert negative(margin), (name, margin)
            assert not holds, name


def test_solvers_alone_refute_what_is_faulty(monkeypatch):
    monkeypatch.setattr(piecewise, "_by_paths", lambda *a: GaveUp("not asked"))
    for mechanism in (first_price(3), midpoint()):
        attempt = prove(mechanism, PROPERTIES["ic"], seconds=SECONDS)
        assert isinstance(attempt, Found)


def test_a_case_that_only_a_prover_finds_is_replayed_and_shrunk():
    """A window of a millionth of the range, at a place that no tactic of the search knows."""

    def pay(bids, allocation):
        here = (3 * bids > F(1234567, 10**6)) & (3 * bids < F(1234568, 10**6))
        return allocation * np.where(here, 0, order(bids, 2))

    mechanism = mk.Mechanism(mk.single_item(2), highest, pay, name="needle")
    options = {"evaluations": 20_000, "seed": 1}
    assert mk.verify(mechanism, "ic", **options)["ic"].status is Status.UNREFUTED
    verdict = mk.verify(mechanism, "ic", prove=True, **options)["ic"]
    assert verdict.status is Status.REFUTED
    assert verdict.counterexample.arithmetic == "exact"


# Mutants ----------------------------------------------------------------


def shifted(k, reserve, sign, last):
    """Second price, changed by program: order statistic, reserve, sign, a tie for one agent."""

    def allocate(bids):
        winner = np.argmax(bids, axis=-1)
        return (np.arange(bids.shape[-1]) == winner[..., None]) & (bids >= reserve)

    def pay(bids, allocation):
        price = np.maximum(order(bids, k), reserve) * sign
        if last:
            tie = order(bids, 1) == order(bids, 2)
            price = np.where(tie & (np.arange(bids.shape[-1]) == 1), 0, price)
        return allocation * price

    name = f"k={k}, reserve={reserve}, sign={sign}, last={last}"
    return mk.Mechanism(mk.single_item(3, levels=[0, F(1, 2), 1]), allocate, pay, name=name)


MUTANTS = [
    (k, reserve, sign, last)
    for k in (1, 2, 3)
    for reserve in (0, F(1, 2), F(2, 3))
    for sign in (1, -1)
    for last in (False, True)
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_agree_with_exhaustion(mutant):
    """On the grid {0, 1/2, 1} exhaustion decides; a proof for all reals must not contradict it."""
    discrete = shifted(*mutant)
    real = replace(discrete, setting=mk.single_item(3))
    for name in ("ic", "ir", "weak_budget_balance", "critical_payment"):
        on_grid = prove(discrete, PROPERTIES[name], seconds=SECONDS)
        everywhere = prove(real, PROPERTIES[name], seconds=SECONDS)
        assert not isinstance(on_grid, GaveUp)
        assert not isinstance(everywhere, GaveUp)
        if isinstance(everywhere, Proved):
            assert isinstance(on_grid, Proved), (mutant, name)


def test_anonymous_off_ties_is_no_reason_to_prove_one_agent_for_all():
    """The last agent pays nothing on a tie: right for the others, wrong for it alone."""

    def pay(bids, allocation):
        tie = order(bids, 1) == order(bids, 2)
        last = np.arange(bids.shape[-1]) == bids.shape[-1] - 1
        return allocation * np.where(tie & last, 0, order(bids, 2))

    def last_wins_ties(bids):
        n = bids.shape[-1]
        winner = n - 1 - np.argmax(bids[..., ::-1], axis=-1)
        return np.arange(n) == winner[..., None]

    mechanism = mk.Mechanism(mk.single_item(3), last_wins_ties, pay, name="last pays 0 on a tie")
    assert (
        mk.verify(mechanism, "anonymous", evaluations=100_000)["anonymous"].counterexample is None
    )
    attempt = prove(mechanism, PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, Found)
    assert attempt.case.who == (2,)


# Certificates ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("mechanism", "name"),
    [
        (second_price(), "ic"),
        (second_price(), "adverse_selection_free"),
        (second_price(3, levels=[0, F(1, 2), 1]), "bic"),
        (ENTRIES["mcafee"].make(), "weak_budget_balance"),
    ],
)
def test_a_certificate_stands_and_explains_itself(mechanism, name):
    data = written(mechanism, name)
    result = check(mechanism, data)
    assert result.confirmed, result.message
    text = explain(data)
    assert PROPERTIES[name].statement in text
    assert data["domain"] in text


def tampered(data, how):
    changed = copy.deepcopy(data)
    parts = changed["argument"]["parts"]
    if how == "a part left out":
        parts.pop()
    elif how == "parts exchanged":
        parts[0], parts[1] = parts[1], parts[0]
    elif how == "a tree of another agent":
        parts[0]["trees"] = parts[1]["trees"]
    elif how == "a node left out":
        parts[0]["trees"][0].pop()
    elif how == "no tree":
        parts[0]["trees"] = []
    elif how == "another property":
        changed["property"] = "non_bossy"
    elif how == "no kind":
        changed["argument"]["kind"] = ["problems"]
    elif how == "unknown kind":
        changed["argument"]["kind"] = "trust me"
    elif how == "coalition":
        changed["argument"]["coalition"] = 1
    return changed


@pytest.mark.parametrize(
    "how",
    [
        "a part left out",
        "parts exchanged",
        "a tree of another agent",
        "a node left out",
        "no tree",
        "another property",
        "no kind",
        "unknown kind",
        "coalition",
    ],
)
def test_a_certificate_that_was_tampered_with_is_rejected(how):
    data = written(second_price(), "ic")
    assert check(second_price(), data).confirmed
    assert not check(second_price(), tampered(data, how)).confirmed
    if "kind" in how:
        assert "no known kind" in explain(tampered(data, how))


def test_a_certificate_of_another_mechanism_is_rejected():
    data = written(second_price(), "ic")
    assert not check(first_price(), data).confirmed
    assert not check(second_price(4), data).confirmed
    text = written(second_price(), "adverse_selection_free")
    reserve = ENTRIES["second-price-reserve"].make()
    assert not check(reserve, text).confirmed


def test_a_text_that_asks_something_easier_is_rejected():
    data = written(second_price(), "adverse_selection_free")
    part = data["argument"]["parts"][0]
    part["texts"] = [part["texts"][0].replace("(check-sat)", "(assert false)\n(check-sat)")]
    result = check(second_price(), data)
    assert not result.confirmed
    assert "not the question" in result.message


def test_files_that_are_no_certificates(tmp_path):
    path = tmp_path / "x.json"
    for text, expected in [("{", "not a JSON file"), ("{}", "expected format")]:
        path.write_text(text)
        with pytest.raises(mk.InputError, match=expected):
            read(path)
    with pytest.raises(mk.InputError, match="no such file"):
        read(tmp_path / "y.json")


# Problems ----------------------------------------------------------------


def test_every_agent_and_every_check_is_a_problem():
    who = [p.who for p in problems(second_price(4), PROPERTIES["ic"])]
    assert who == [(0,), (1,), (2,), (3,)]
    pairs = problems(second_price(4), PROPERTIES["group_ic"], coalition=3)
    assert len(pairs) == 6 + 4
    both = problems(second_price(3), PROPERTIES["revenue_monotone"])
    assert {p.family for p in both} == {"deviation", "newcomer"}


def test_expectations_over_priors_that_are_not_uniform_are_not_proved():
    skewed = replace(second_price(), setting=mk.single_item(3, prior=stats.beta(2, 5)))
    attempt = prove(skewed, PROPERTIES["bic"], seconds=1)
    assert isinstance(attempt, GaveUp)
    assert "continuous prior" in attempt.reason


def test_an_opaque_rule_is_unknown_and_says_why():
    mechanism = mk.Mechanism(
        mk.single_item(2), highest, lambda b, x: pay_second(b, x) * np.sinc(b * 0), name="opaque"
    )
    verdict = mk.verify(mechanism, "ic", evaluations=20_000, prove=True)["ic"]
    assert verdict.status is Status.UNREFUTED
    assert any("not proved" in note and "sinc" in note for note in verdict.effort.notes)


# What must not be proved ----------------------------------------------------------------


def product_price(bids, allocation, *, public=None):
    return allocation * bids * bids


def test_a_lottery_with_the_name_of_a_slot_hides_nothing():
    """Its draws are not types: the rule is refuted, not proved for none."""
    lottery = mk.Lottery(draws=[0, 1], every=True)
    setting = mk.single_item(2).with_public(types=lottery)
    rule = mk.Mechanism(setting, lambda b, *, public: highest(b), product_price)
    assert not isinstance(prove(rule, PROPERTIES["ic"], seconds=SECONDS), Proved)


def test_a_rule_that_catches_the_errors_of_the_arithmetic_is_not_proved():
    """On floats the winner pays 1/2 more at one bid; elsewhere there is no square root."""

    def pay(bids, allocation):
        try:
            extra = np.where(np.abs(np.sqrt(bids[:, :1]) - 0.1234567) < 1e-10, 0.5, 0)
        except Exception:
            extra = 0 * bids[:, :1]
        return allocation * (order(bids, 2) + extra)

    rule = mk.Mechanism(mk.single_item(2), highest, pay)
    assert isinstance(prove(rule, PROPERTIES["ir"], seconds=SECONDS), GaveUp)


def test_a_dictator_by_table_is_not_anonymous():
    table = np.array([0.0, 1.0])

    def allocate(bids):
        levels = table[bids.astype(int)]
        return np.stack([levels[:, 0], 0 * levels[:, 0]], axis=1)

    rule = mk.Mechanism(mk.single_item(2, levels=[0, 1]), allocate, lambda b, x: b * 0)
    assert not isinstance(prove(rule, PROPERTIES["anonymous"], seconds=SECONDS), Proved)


def test_integers_that_wrap_on_floats_are_noticed():
    def pay(bids, allocation):
        wrapped = (bids > 0.5).astype(np.uint8) - np.uint8(1)
        return allocation * order(bids, 2) + (wrapped > 100) * 1

    rule = mk.Mechanism(mk.single_item(2), highest, pay)
    assert not isinstance(prove(rule, PROPERTIES["ir"], seconds=SECONDS), Proved)


@pytest.mark.parametrize("levels", [None, [0, F(1, 2), 1]], ids=["reals", "levels"])
@pytest.mark.parametrize("kind", ["stable", None])
def test_a_rule_whose_ties_the_machine_breaks_is_not_proved(kind, levels):
    """Who wins a tie then depends on the processor: nothing said of one order holds of the rule."""

    def allocate(bids):
        order = np.argsort(-bids, axis=-1, kind=kind)
        return np.argsort(order, axis=-1) < 1

    rule = mk.Mechanism(mk.single_item(3, levels=levels), allocate, pay_second)
    attempt = prove(rule, PROPERTIES["ic"], seconds=SECONDS)
    if kind == "stable":
        assert isinstance(attempt, Proved)
    else:
        assert isinstance(attempt, GaveUp)
        assert 'kind="stable"' in attempt.reason


def test_a_rule_that_treats_a_batch_otherwise_is_noticed():
    """Alone a profile pays the second price; in a batch three high bids pay nothing."""

    def pay(bids, allocation):
        free = (bids.shape[0] > 1) & (np.min(bids, axis=-1, keepdims=True) >= 0.75)
        return allocation * np.where(free, 0, order(bids, 2))

    rule = mk.Mechanism(mk.single_item(3), highest, pay)
    attempt = prove(rule, PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)
    assert "in a batch" in attempt.reason


def test_an_empty_type_space_proves_nothing():
    t = F(1, 2)
    setting = mk.Setting(
        name="nobody",
        types=mk.box(1, 1, constraints=([[1], [-1]], [t, -t - F(1, 10**12)])),
        allocation_shape=(1,),
        value=lambda types, allocation: types[..., 0] * allocation,
        slack=lambda allocation: allocation * 1,
        prior=lambda rng, batch: np.full((batch, 1, 1), 0.5),
    )
    rule = mk.Mechanism(setting, lambda b: b[..., 0] * 0 + 1, lambda b, x: x * b[..., 0] + 5)
    attempt = prove(rule, PROPERTIES["ir"], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)
    assert "everything would hold" in attempt.reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "single item, 3 agents, types in [-1000, 1000]"),
        ("method", "theorem"),
        ("tool", "a friend"),
    ],
)
def test_what_a_certificate_says_of_itself_is_checked(field, value):
    data = written(second_price(), "ic")
    assert not check(second_price(), data | {field: value}).confirmed
    finite = second_price(2, levels=[0, 1])
    assert not check(finite, written(finite, "ic") | {field: value}).confirmed


def test_the_size_of_coalitions_is_part_of_the_claim():
    attempt = prove(second_price(), PROPERTIES["group_ic"], seconds=SECONDS, coalition=3)
    assert isinstance(attempt, Proved)
    assert attempt.domain.endswith("coalitions of 2 to 3")
    pairs = written(second_price(), "group_ic")
    assert pairs["domain"].endswith("coalitions of 2")
    assert check(second_price(), pairs).confirmed
    pairs["domain"] = pairs["domain"].replace("coalitions of 2", "coalitions of 2 to 3")
    assert not check(second_price(), pairs).confirmed


def test_exhaustion_gives_up_where_the_rule_fails():
    opaque = mk.Mechanism(
        mk.single_item(2, levels=[0, 1]), highest, lambda b, x: pay_second(b, x) * np.sinc(b * 0)
    )
    assert isinstance(prove(opaque, PROPERTIES["ic"], seconds=SECONDS), GaveUp)

    def two_only(bids):
        if bids.shape[-1] != 2:
            raise ValueError("two agents")
        return highest(bids)

    pair = mk.Mechanism(mk.single_item(2, levels=[0, 1]), two_only, pay_second)
    report = mk.verify(pair, ["ic", "revenue_monotone"], evaluations=20_000, prove=True)
    assert report["ic"].status is Status.PROVED
    assert report["revenue_monotone"].status is not Status.PROVED


def test_a_certificate_is_not_confirmed_for_a_rule_that_floats_run_otherwise():
    """First price on floats, second price in rationals: the certificate of second price."""
    real = second_price(2)

    def outcome(bids):
        x = real.allocate(bids)
        return x, x * bids if type(bids) is np.ndarray and bids.dtype == float else real.pay(
            bids, x
        )

    double = mk.Mechanism.from_outcome(real.setting, outcome)
    data = written(real, "ic")
    assert check(real, data).confirmed
    assert isinstance(prove(double, PROPERTIES["ic"]), GaveUp)
    result = check(double, data)
    assert not result.confirmed
    assert "on floats" in result.message


@pytest.mark.parametrize("agents", [13, 40])
def test_many_agents_are_no_reason_to_doubt_a_rule(agents):
    """So few profiles are tried there that fewer rows than usual are played alone."""
    mechanism = mk.Mechanism.posted(mk.single_item(agents), F(1, 2))
    assert isinstance(prove(mechanism, PROPERTIES["ic"]), Proved)


def test_a_proof_about_coalitions_does_not_speak_of_one_agent_alone():
    """At first price one agent gains alone; of two, one loses the auction and gains nothing."""
    mechanism = first_price(2)
    assert isinstance(prove(mechanism, PROPERTIES["ic"]), Found)
    attempt = prove(mechanism, PROPERTIES["group_ic"])
    assert isinstance(attempt, Proved)
    assert attempt.domain.endswith(", coalitions of 2")
