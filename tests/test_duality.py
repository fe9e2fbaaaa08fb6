"""Duality: potentials against brute force over cycles, and what a certificate of them is worth."""

import copy
import itertools
import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit import witness
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, duality, prove
from mechkit.prove.attempt import Found
from mechkit.prove.certificate import check, explain, to_json
from mechkit.prove.exhaustive import exhaust
from mechkit.replay import margins
from mechkit.story import story
from mechkit.verdict import Certificate, Status

CYCLIC = PROPERTIES["cyclic_monotone"]
KINDS = 4


def kind(types, side=2):
    """Which of the types in {0, …, side − 1}² each agent has, counted from 0."""
    return side * types[..., 0] + types[..., 1]


def one_of(kinds, count=KINDS):
    """(batch, agents) -> one-hot (batch, agents, count)."""
    return (kinds[..., None] == np.arange(count)) * 1


def tables(worth, *, agents=1, side=2, **options):
    """Agents with types in {0, …, side − 1}², to whom outcome o is worth worth[type][o]."""
    numbers = np.array(worth)

    def value(types, allocation):
        rows = one_of(kind(types, side), side**2)[..., None] * numbers
        return (rows.sum(axis=-2) * allocation).sum(axis=-1)

    return mk.Setting(
        name="tables",
        types=mk.box(agents, 2, high=side - 1, levels=range(side), **options),
        allocation_shape=(agents, side**2),
        value=value,
        slack=lambda x: x.reshape(x.shape[0], -1),
    )


def identity(setting, side=2):
    """Type t gets outcome t."""

    def allocate(reports):
        return one_of(kind(reports, side), side**2)

    return mk.Mechanism(setting, allocate, lambda r, x: r[..., 0] * 0, "identity")


def lost(gaps):
    """worth with worth[t][t] − worth[t][r] = gaps[t][r]."""
    return -np.array(gaps)


def simple_cycles(count):
    for length in range(2, count + 1):
        for first, *rest in itertools.permutations(range(count), length):
            if first < min(rest):
                yield (first, *rest)


def total(gaps, cycle):
    return sum(gaps[t][r] for t, r in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


# 0 → 1 → 2 → 3 → 0 costs 1 at each step; every other step brings 3.
AROUND = [[0, -1, 3, 3], [3, 0, -1, 3], [3, 3, 0, -1], [-1, 3, 3, 0]]


def written(mechanism, attempt):
    certificate = Certificate(attempt.method, attempt.domain, attempt.tool, attempt.argument)
    data = to_json(
        certificate, CYCLIC.name, mechanism, reference="here", digest="0", version=mk.__version__
    )
    return json.loads(json.dumps(data))


# Cycles ----------------------------


SEEDS = range(40)


def random_gaps(seed):
    """Whole lengths of arcs; with odd seeds only one long way round is cheap."""
    rng = np.random.default_rng(seed)
    gaps = rng.integers(-2, 6, size=(KINDS, KINDS))
    if seed % 2:
        gaps = rng.integers(1, 6, size=(KINDS, KINDS))
        for t in range(KINDS):
            gaps[t, (t + 1) % KINDS] = rng.integers(-3, 1)
    np.fill_diagonal(gaps, 0)
    return gaps


def negative_cycles(gaps):
    return [c for c in simple_cycles(len(gaps)) if total(gaps, c) < 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_tables_agree_with_every_simple_cycle(seed):
    gaps = random_gaps(seed)
    negative = negative_cycles(gaps)
    mechanism = identity(tables(lost(gaps)))
    attempt = prove(mechanism, CYCLIC)
    if not negative:
        assert isinstance(attempt, Proved)
        assert check(mechanism, written(mechanism, attempt)).confirmed
        return
    shortest = min(map(len, negative))
    assert isinstance(attempt, Found)
    assert attempt.case.family == f"cycle {shortest}"
    (margin,) = margins(mechanism, CYCLIC, attempt.check, attempt.case)
    assert margin in {total(gaps, c) for c in negative if len(c) == shortest}


def test_the_random_tables_are_of_every_sort():
    lengths = [min(map(len, negative_cycles(random_gaps(seed))), default=0) for seed in SEEDS]
    assert min(map(lengths.count, (0, 2, 3, 4))) >= 3


@pytest.mark.parametrize("seed", range(30))
def test_distances_and_shortest_cycles_on_larger_tables(seed):
    rng = np.random.default_rng(seed)
    gaps = rng.integers(-1, 9, size=(6, 6)).astype(object)
    np.fill_diagonal(gaps, 0)
    negative = negative_cycles(gaps)
    found, cycle = duality.potentials(gaps), duality.shortest_cycle(gaps)
    assert (found is None) == (cycle is not None) == bool(negative)
    if cycle is None:
        assert (gaps >= found[:, None] - found[None, :]).all()
    else:
        assert total(gaps, cycle) < 0
        assert len(set(cycle)) == len(cycle) == min(map(len, negative))


def test_short_cycles_alone_would_have_been_proved():
    """Exhaustion says what it covers, and is not asked where a longer cycle is negative."""
    mechanism = identity(tables(lost(AROUND)))
    assert {len(c) for c in negative_cycles(AROUND)} == {4}
    short = exhaust(mechanism, CYCLIC, deadline=None)
    assert isinstance(short, Proved)
    assert short.domain.endswith("cycles of length 2 and 3")
    searched = mk.verify(mechanism, [CYCLIC.name], evaluations=2000)[CYCLIC.name]
    assert searched.status is Status.UNREFUTED
    verdict = mk.verify(mechanism, [CYCLIC.name], evaluations=2000, prove=True)[CYCLIC.name]
    assert verdict.status is Status.REFUTED
    found = verdict.counterexample
    assert (found.gain, found.case.family, found.arithmetic) == (4, "cycle 4", "exact")
    told = story(found, mechanism.setting)
    assert "were each type given the next one's allocation, 4, more by 4" in told


def test_a_long_cycle_is_a_witness_that_replays(tmp_path):
    mechanism = identity(tables(lost(AROUND)))
    verdict = mk.verify(mechanism, [CYCLIC.name], evaluations=2000, prove=True)[CYCLIC.name]
    data = witness.to_json(verdict.counterexample, reference=None, digest=None, seed=0)
    path = tmp_path / "witness.json"
    path.write_text(json.dumps(data))
    assert witness.replay(mechanism, witness.read(path)).confirmed
    gaps = np.array(AROUND)
    gaps[3, 0] = 3
    assert not witness.replay(identity(tables(lost(gaps))), data).confirmed


def test_a_cycle_too_long_for_a_witness_is_named_and_never_covered_by_a_proof():
    """Nine types, each 1 worse than the next one's outcome, and any other step costs 9."""
    count = 9
    gaps = np.full((count, count), 9)
    for t in range(count):
        gaps[t, t], gaps[t, (t + 1) % count] = 0, -1
    mechanism = identity(tables(lost(gaps), side=3), side=3)
    short = exhaust(mechanism, CYCLIC, deadline=None)
    assert isinstance(short, Proved)
    attempt = prove(mechanism, CYCLIC)
    assert isinstance(attempt, GaveUp)
    assert attempt.final
    assert "over a cycle of 9 types" in attempt.reason
    assert "agent 0 with (0, 0), (0, 1), (0, 2), (1, 0)," in attempt.reason
    assert "alone: -9 in sum" in attempt.reason
    verdict = mk.verify(mechanism, [CYCLIC.name], evaluations=2000, prove=True)[CYCLIC.name]
    assert verdict.status is Status.UNREFUTED
    assert any("a cycle of 9 types" in note for note in verdict.effort.notes)


def rule_by_other(setting):
    """Agent 0's own outcome if agent 1's kind is at least 2, and else outcome 0; agent 1 gets 0."""

    def allocate(reports):
        kinds = kind(reports)
        mine = kinds[:, 0] * (kinds[:, 1] >= 2)
        return one_of(np.stack([mine, mine * 0], axis=-1))

    return mk.Mechanism(setting, allocate, lambda r, x: r[..., 0] * 0, "by the other")


@pytest.mark.parametrize(("entry", "proved"), [(-2, False), (-1, True)])
def test_each_profile_of_the_others_has_a_table_of_its_own(entry, proved):
    gaps = np.array(AROUND) + 2
    gaps[2, 0], gaps[0, 2] = entry, 1
    np.fill_diagonal(gaps, 0)
    mechanism = rule_by_other(tables(lost(gaps), agents=2))
    attempt = prove(mechanism, CYCLIC)
    assert bool(negative_cycles(gaps)) != proved
    if proved:
        potentials = attempt.argument["potentials"]
        assert [len(own) for own in potentials] == [KINDS, KINDS]
        # Where everybody gets the same, so may the payments be.
        assert potentials[0][0] == potentials[1][3] == ["0"] * KINDS
        assert potentials[0][2] != ["0"] * KINDS
        return
    assert isinstance(attempt, Found)
    assert (attempt.check, attempt.case.who) == (0, (0,))
    assert kind(attempt.case.arrays["types"])[0, 1] >= 2
    assert margins(mechanism, CYCLIC, 0, attempt.case) == [-1]


def test_types_that_break_the_constraints_count_for_nothing():
    """Only 0, 1 and 3 are types where the first number is at most the second."""
    gaps = [[0, 1, -9, 1], [1, 0, -9, 1], [-9, -9, 0, -9], [1, 1, -9, 0]]
    assert isinstance(prove(identity(tables(lost(gaps))), CYCLIC), Found)
    mechanism = identity(tables(lost(gaps), constraints=([[1, -1]], [0])))
    attempt = prove(mechanism, CYCLIC)
    assert isinstance(attempt, Proved)
    assert [len(row) for row in attempt.argument["potentials"][0]] == [3]
    assert attempt.argument["inequalities"] == 9


@pytest.mark.parametrize(
    ("every", "weights", "expected"),
    [(False, ("1/2", "1/2"), Proved), (False, ("1/5", "4/5"), Found), (True, (), Found)],
)
def test_lotteries_count_in_expectation_or_draw_by_draw(every, weights, expected):
    """Draw 0 brings 1 to every way round of two types, draw 1 costs 1/2."""
    setting = tables(lost([[0, 2, 2, 2], [2, 0, 2, 2], [2, 2, 0, 2], [2, 2, 2, 0]]))
    setting = setting.with_public(coin=mk.Lottery(draws=[0, 1], weights=weights, every=every))

    def allocate(reports, public):
        kinds, coin = kind(reports), public["coin"]
        # On tails everybody gets the outcome of the type that differs in the first number.
        swapped = np.where(kinds >= 2, kinds - 2, kinds + 2)
        return one_of(np.where(coin[:, None] == 1, swapped, kinds))

    mechanism = mk.Mechanism(setting, allocate, lambda r, x, public: r[..., 0] * 0)
    attempt = prove(mechanism, CYCLIC)
    assert isinstance(attempt, expected)
    if expected is Proved:
        assert check(mechanism, written(mechanism, attempt)).confirmed
    else:
        assert margins(mechanism, CYCLIC, attempt.check, attempt.case)[0] < 0


def test_one_type_alone_has_no_cycle():
    setting = mk.Setting(
        name="sure", types=mk.box(1, 2, low=1, high=1, levels=[1]), allocation_shape=(1,),
        value=lambda types, x: types.sum(axis=-1) * x, slack=lambda x: x,
    )  # fmt: skip
    mechanism = mk.Mechanism(setting, lambda r: r[..., 0], lambda r, x: x * 0)
    attempt = prove(mechanism, CYCLIC)
    assert isinstance(attempt, Proved)
    assert attempt.argument["potentials"] == [[["0"]]]
    assert check(mechanism, written(mechanism, attempt)).confirmed


# What potentials do not speak of ----------------------------


def refused(mechanism):
    attempt = duality.prove(mechanism, CYCLIC, deadline=None)
    assert isinstance(attempt, GaveUp)
    assert not attempt.final
    return attempt.reason


def test_values_that_are_no_rationals_are_left_to_others():
    setting = replace(
        tables(lost(AROUND)), value=lambda types, x: np.sqrt(types.sum(axis=-1)) * x[..., 0]
    )
    assert "not as a rational" in refused(identity(setting))


def test_reports_of_others_that_move_with_the_own_type_are_left_to_others():
    moved = replace(tables(lost(np.zeros((4, 4))), agents=2), truthful=lambda types: types[:, ::-1])
    assert "depends on the type of agent 0" in refused(identity(moved))


def test_too_many_types_and_endless_public_information_are_left_to_others():
    wide = mk.additive(3, 2, levels=range(8), high=7)
    nothing = mk.Mechanism(wide, lambda r: r * 0, lambda r, x: r[..., 0] * 0)
    assert "more than 100000 pairs" in refused(nothing)
    shown = tables(lost(AROUND)).with_public(scale=mk.box(1))
    rule = mk.Mechanism(shown, lambda r, public: one_of(kind(r)), lambda r, x, public: r[..., 0])
    assert "infinitely many" in refused(rule)
    assert not duality.applies(identity(replace(wide, types=mk.box(3, 2))), CYCLIC)
    assert not duality.applies(nothing, PROPERTIES["ic"])


# Certificates ----------------------------


def example():
    """Two agents, an item for the one whose first number is higher, and its written proof."""
    setting = mk.additive(2, 2, levels=[0, 1, 2], high=2)

    def allocate(reports):
        first = reports[:, 0] >= reports[:, 1]
        return np.stack([first, ~first], axis=1) * 1

    def pay(reports, allocation):
        return (allocation * reports[:, ::-1]).sum(axis=-1)

    return mk.Mechanism(setting, allocate, pay, "second price, twice")


def test_verify_proves_cycles_of_every_length():
    verdict = mk.verify(example(), [CYCLIC.name], evaluations=2000, prove=True)[CYCLIC.name]
    assert verdict.status is Status.PROVED
    assert verdict.certificate.method == "duality: potentials (Rochet 1987)"
    assert verdict.certificate.domain == (
        "2 items, additive values, 2 agents, types in {0, 1, 2}, cycles of every length"
    )


def test_the_potentials_are_payments_that_make_the_rule_truthful():
    """By plain loops over the rule, and with no arithmetic of the prover."""
    mechanism = example()
    types = list(itertools.product((0, 1, 2), repeat=2))
    written_down = prove(mechanism, CYCLIC).argument["potentials"]
    for i, s in itertools.product(range(2), range(len(types))):
        pays = [F(x) for x in written_down[i][s]]
        for (t, own), (r, lie) in itertools.product(enumerate(types), repeat=2):
            utilities = []
            for report, price in ((own, pays[t]), (lie, pays[r])):
                profile = [types[s], types[s]]
                profile[i] = report
                row = mechanism.allocate(np.array([profile]))[0][i]
                utilities.append(sum(F(v * int(x)) for v, x in zip(own, row, strict=True)) - price)
            assert utilities[0] >= utilities[1]


def edited(change):
    mechanism = example()
    data = written(mechanism, prove(mechanism, CYCLIC))
    assert check(mechanism, data).confirmed
    change(data)
    result = check(mechanism, data)
    assert not result.confirmed
    return result.message


def put(*path, value):
    def change(data):
        at = data["argument"]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("potentials", 0, 4, 3, value="1/3"), "would rather have"),
        (put("potentials", 1, 8, 0, value="-100"), "would rather have"),
        (put("potentials", 0, 4, 3, value="1/0"), "no potentials"),
        (put("potentials", 0, 4, 3, value="nan"), "no potentials"),
        (put("potentials", 0, 4, 3, value=1), "no potentials"),
        (put("potentials", 0, 4, value=["0"] * 8), "no potentials"),
        (put("potentials", 0, 4, value="0" * 9), "no potentials"),
        (put("potentials", 0, value=[]), "agent 0 has no potentials for each of the 9"),
        (put("potentials", value=None), "each of the 2 agents"),
        (lambda data: data["argument"]["potentials"].pop(), "each of the 2 agents"),
        (lambda data: data["argument"]["potentials"][1].pop(), "agent 1 has no potentials"),
        (put("inequalities", value=1), "there are 1458 pairs"),
        (lambda data: data.update(domain="all types"), "it says"),
        (lambda data: data.update(method="duality"), "it says"),
        (lambda data: data.update(property="ic"), "does not follow from potentials"),
    ],
)
def test_a_changed_certificate_is_rejected(change, message):
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(edited(change))


def test_another_rule_needs_another_proof():
    mechanism = example()
    data = written(mechanism, prove(mechanism, CYCLIC))

    # Ties go to the other: allocations change, and the old payments no longer fit.
    def allocate(reports):
        first = reports[:, 0] > reports[:, 1]
        return np.stack([first, ~first], axis=1) * 1

    other = replace(mechanism, allocate=allocate)
    assert isinstance(prove(other, CYCLIC), Proved)
    assert not check(other, data).confirmed
    lowest = replace(mechanism, allocate=lambda r: 1 - mechanism.allocate(r))
    assert isinstance(prove(lowest, CYCLIC), Found)
    assert not check(lowest, data).confirmed
    wider = replace(mechanism, setting=mk.additive(2, 2, levels=[0, 1, 2, 3], high=3))
    assert not check(wider, data).confirmed


def test_a_shift_of_all_payments_of_one_table_proves_as_well():
    mechanism = example()
    data = written(mechanism, prove(mechanism, CYCLIC))
    shifted = copy.deepcopy(data)
    row = shifted["argument"]["potentials"][0][4]
    shifted["argument"]["potentials"][0][4] = [str(F(x) + F(7, 3)) for x in row]
    assert check(mechanism, shifted).confirmed
    assert "cycles of every length" in explain(data)
    assert "1458 inequalities" in explain(data)
