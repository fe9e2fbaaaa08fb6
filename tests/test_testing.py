"""Strategies that reach where rules break and shrink to what reads best; properties asserted."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random
from unittest import SkipTest

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import NoSuchExample
from scipy import stats

import mechkit as mk
from mechkit import testing
from mechkit.errors import InputError
from mechkit.testing import (
    assert_not_refuted_by,
    assert_property,
    batches,
    given_property,
    misreports,
    profiles,
)
from mechkit.verdict import Effort, Report, Status, Verdict

ROOT = Path(__file__).resolve().parent.parent
ITEM = mk.single_item(3)
UNITS = mk.multi_unit(2, units=3, demand=3)
LEVELS = mk.Setting(
    name="levels",
    types=mk.box(2, levels=["1/3", "1/2", 1], low="1/3", high=1),
    allocation_shape=(2,),
    value=lambda types, x: types * x,
    slack=lambda x: 1 - x.sum(axis=-1, keepdims=True),
    quantity=lambda x: x,
    binary=True,
)
SHIFTED = mk.single_item(2, low=2, high=7)
# Two constraints that bind together: t_0 + t_1 ≤ 1 and t_0 ≥ 2 t_1.
WEDGE = mk.Setting(
    name="wedge",
    types=mk.box(2, 2, constraints=([[1, 1], [-1, 2]], [1, 0])),
    allocation_shape=(2, 2),
    value=lambda types, x: (types * x).sum(axis=-1),
    slack=lambda x: 1 - x.sum(axis=1),
)


def highest(bids):
    winner = np.argmax(bids, axis=-1)
    return np.arange(bids.shape[-1]) == winner[..., None]


def second_price(setting=ITEM, name="second price"):
    return mk.Mechanism(
        setting, highest, lambda b, x: x * np.sort(b, axis=-1)[..., -2:-1], name=name
    )


def first_price(name="first price"):
    return mk.Mechanism(ITEM, highest, lambda b, x: x * b, name=name)


@pytest.fixture(autouse=True)
def database():
    """A database of the test's own, as the default of every Hypothesis call in it."""
    kept = InMemoryExampleDatabase()
    before = hypothesis.settings.default
    hypothesis.settings.register_profile("own", parent=before, database=kept, deadline=None)
    hypothesis.settings.load_profile("own")
    yield kept
    hypothesis.settings.register_profile("before", parent=before)
    hypothesis.settings.load_profile("before")


SHRINKING = [hypothesis.Phase.generate, hypothesis.Phase.shrink]


def minimal(strategy, condition):
    """What Hypothesis shrinks to; it must not depend on where the search happened to start."""
    found = [
        hypothesis.find(
            strategy,
            condition,
            settings=hypothesis.settings(max_examples=3000, database=None, phases=SHRINKING),
            random=Random(seed),
        )
        for seed in range(2)
    ]
    assert all(np.array_equal(found[0], other) for other in found), found
    return found[0].tolist()


def reached(strategy, condition, examples=2000):
    settings = hypothesis.settings(
        max_examples=examples, database=None, phases=[hypothesis.Phase.generate]
    )
    try:
        hypothesis.find(strategy, condition, settings=settings)
    except NoSuchExample:
        return False
    return True


# Strategies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "condition", "smallest"),
    [
        (ITEM, lambda p: True, [0, 0, 0]),
        (ITEM, lambda p: p[1] > Fraction(1, 3), [0, 1, 0]),
        (ITEM, lambda p: p[2] > Fraction(71, 100), [0, 0, 1]),
        (ITEM, lambda p: p.sum() > 1, [0, 1, 1]),
        (ITEM, lambda p: p[0] == p[1] > 0, [1, 1, 0]),
        (ITEM, lambda p: len(set(p)) == 1 and p[0] > Fraction(1, 2), [1, 1, 1]),
        (ITEM, lambda p: 0 < p[0] < Fraction(1, 2), [Fraction(1, 3), 0, 0]),
        (SHIFTED, lambda p: True, [2, 2]),
        (SHIFTED, lambda p: p[1] > 2, [2, 3]),
        (LEVELS, lambda p: p[0] != p[1], [1, Fraction(1, 2)]),
        (UNITS, lambda p: p[0, 2] > 0, [[1, 1, 1], [0, 0, 0]]),
        (UNITS, lambda p: p[1, 0] > p[1, 1] > 0, [[0, 0, 0], [1, Fraction(1, 2), 0]]),
    ],
)
def test_profiles_shrink_to_the_known_minimum(setting, condition, smallest):
    assert minimal(profiles(setting), condition) == smallest


def test_misreports_and_batches_shrink_as_profiles_do():
    assert minimal(misreports(UNITS, 1), lambda r: r[1] > 0) == [1, 1, 0]
    assert minimal(batches(ITEM, 2), lambda b: b[1, 2] > b[0, 0]) == [[0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    "condition",
    [
        lambda p: len(set(p)) == 1 and 0 < p[0] < 1,
        lambda p: set(p) == {Fraction(0), Fraction(1)},
        lambda p: p[0] == p[2] != p[1],
        lambda p: any(x.denominator > 100 for x in p),
        lambda p: 0 < p[1] < Fraction(1, 50),
        lambda p: p[0] > p[1] > p[2] > 0,
    ],
    ids=["all tie", "corners", "two tie", "fine", "nearly zero", "strict order"],
)
def test_profiles_reach_where_rules_break(condition):
    assert reached(profiles(ITEM), condition)


def test_hypothesis_reaches_a_tie_of_fine_numbers():
    assert reached(profiles(ITEM), lambda p: p[0] == p[1] and p[0].denominator > 8, 5000)


@pytest.mark.parametrize("setting", [ITEM, SHIFTED, LEVELS, UNITS, WEDGE], ids=lambda s: s.name)
def test_what_is_drawn_is_a_profile_of_the_setting(setting):
    @hypothesis.settings(max_examples=40)
    @given(profiles(setting), profiles(setting, exact=False), batches(setting, 2))
    def inside(exactly, floats, several):
        for profile in (exactly, *several):
            assert profile.shape == setting.types.shape
            assert all(type(x) is Fraction for x in profile.ravel())
            # Written out, not by `contains`, on which the strategies themselves lean.
            assert (profile >= setting.types.low).all()
            assert (profile <= setting.types.high).all()
            if setting is UNITS:
                assert (profile[:, :-1] >= profile[:, 1:]).all()
            if setting is WEDGE:
                assert (profile.sum(axis=-1) <= 1).all()
                assert (profile[:, 0] >= 2 * profile[:, 1]).all()
            if setting is LEVELS:
                assert set(profile) <= {Fraction(1, 3), Fraction(1, 2), Fraction(1)}
        assert floats.dtype == float
        assert floats.shape == setting.types.shape
        assert (floats >= setting.types.low_float).all()
        assert (floats <= setting.types.high_float).all()

    inside()


def test_misreports_live_in_the_report_space():
    doubled = mk.Setting(
        name="doubled",
        types=mk.box(2),
        reports=mk.box(2, 2, low=3, high=4),
        truthful=lambda types: np.stack([types + 3, types + 3], axis=-1),
        allocation_shape=(2,),
        value=lambda types, x: types * x,
        slack=lambda x: 1 - x.sum(axis=-1, keepdims=True),
    )
    assert minimal(misreports(doubled, 0), lambda r: True) == [3, 3]
    assert minimal(misreports(doubled, 1, exact=False), lambda r: r[1] > 3) == [3.0, 4.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: profiles("single item"), "setting = 'single item': expected a Setting"),
        (lambda: profiles(ITEM, exact=1), "exact = 1: expected True or False"),
        (lambda: misreports(ITEM, 3), "agent = 3: expected an integer from 0 to 2"),
        (lambda: batches(ITEM, 0), "size = 0: expected an integer of at least 1"),
        (lambda: assert_property(ITEM, "ic"), "expected a Mechanism"),
        (lambda: assert_property(second_price(), "truthful"), "expected some of feasible, ir, ic"),
        (lambda: assert_property(second_price(), "ic ir"), "give one name"),
        (lambda: assert_property(second_price(), ["ic"]), r"property \['ic'\]: expected one name"),
        (lambda: assert_property(second_price(), "ic", examples=-1), "examples = -1"),
        (lambda: assert_property(second_price(), "ic", seconds=0), "seconds = 0"),
        (lambda: assert_property(second_price(), "cyclic_monotone"), "does not apply to single"),
        (lambda: given_property(second_price(), "bic"), "expectation over a continuous prior"),
        (lambda: assert_not_refuted_by(second_price(), "{"), "the witness is not JSON"),
        (lambda: assert_not_refuted_by(second_price(), "{}"), "not a witness of format"),
    ],
)
def test_bad_arguments_say_what_was_expected(call, message):
    with pytest.raises(InputError, match=message):
        call()


# Assertions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ic", "ir", "feasible", "false_name_proof", "anonymous", "bic"])
def test_a_sound_mechanism_passes(name):
    assert_property(second_price(), name, evaluations=20_000, examples=20)


@pytest.mark.parametrize("name", ["ic", "ir", "revenue_monotone", "critical_payment"])
def test_a_sound_mechanism_passes_the_test_that_hypothesis_runs(name):
    given_property(second_price(), name)()


def message_of(call):
    with pytest.raises(AssertionError) as caught:
        call()
    return str(caught.value)


def test_the_message_tells_the_counterexample_and_carries_its_witness():
    message = message_of(lambda: assert_property(first_price(), "ic"))
    assert "first price: ic is refuted" in message
    assert "Agent 0 (bidder) has type 1." in message
    assert "The lie gains 1." in message
    line = next(part for part in message.splitlines() if part.startswith("witness = "))
    data = json.loads(line.removeprefix("witness = ").strip("'"))
    (types,), ((lie,),) = data["arrays"]["types"], data["arrays"]["lies"]
    (agent,) = data["who"]
    # First price in plain Fractions: truth brings nothing, the lie wins for less than the value.
    bids = [Fraction(x) for x in types]
    bids[agent] = Fraction(lie)
    assert max(range(3), key=lambda i: (bids[i], -i)) == agent
    assert Fraction(data["gain"]) == Fraction(types[agent]) - bids[agent] > 0
    # The line is a regression test: it fails for this rule and passes for a sound one.
    assert "The lie gains 1." in message_of(lambda: assert_not_refuted_by(first_price(), data))
    assert_not_refuted_by(second_price(), json.dumps(data))


def test_numbers_are_exact_and_decimal():
    thirds = mk.Mechanism(ITEM, highest, lambda b, x: x * b / 3, name="a third of the bid")
    found = mk.verify(thirds, ["ic"], evaluations=5000)["ic"].counterexample
    assert "1/3 ≈ 0.333" in message_of(lambda: assert_not_refuted_by(thirds, found))


def test_a_rule_that_runs_on_floats_only_is_refuted_in_floats():
    def pay(bids, allocation):
        return allocation * np.vectorize(float)(np.asarray(bids, dtype=float))

    opaque = mk.Mechanism(ITEM, highest, pay, name="opaque")
    assert "The lie gains" in message_of(lambda: assert_property(opaque, "ic"))
    assert "The lie gains" in message_of(given_property(opaque, "ic"))


def nothing(setting=ITEM):
    return mk.Mechanism(
        setting,
        lambda b: b * 0,
        lambda b, x: np.zeros_like(b),
        name="never sells",
    )


def test_what_exercised_nothing_does_not_pass_unless_allowed():
    message = message_of(lambda: assert_property(nothing(), "ic", evaluations=2000))
    assert "never sells: ic was not put to the test: vacuous" in message
    assert "allow_vacuous=True" in message
    assert_property(nothing(), "ic", evaluations=2000, allow_vacuous=True)


def test_what_looks_violated_in_expectation_does_not_pass():
    message = message_of(lambda: assert_property(first_price(), "bic"))
    assert "bic is refuted" in message
    skewed = replace(first_price(), setting=mk.single_item(2, prior=stats.beta(2, 5)))
    message = message_of(lambda: assert_property(skewed, "bic"))
    assert "bic was not put to the test: it looks violated" in message


def test_hypothesis_goes_on_where_the_batched_search_found_nothing(monkeypatch):
    def blind(mechanism, names, **budget):
        (name,) = names
        return Report("", "", {name: Verdict(name, Status.UNREFUTED, effort=Effort())}, 0, 0.0)

    monkeypatch.setattr(testing, "verify", blind)
    message = message_of(lambda: assert_property(first_price(), "ic", examples=200))
    assert "Agent 0 (bidder) has type 1." in message  # shrunk as any other witness
    assert_property(first_price("not drawn"), "ic", examples=0)


# The database -------------------------------------------------------------------------------------


def counted(mechanism):
    """The mechanism, and a list that grows by the rows of every call of its allocation rule."""
    rows = []

    def allocate(bids):
        rows.append(bids.shape[0])
        return mechanism.allocate(bids)

    return mk.Mechanism(mechanism.setting, allocate, mechanism.pay, name=mechanism.name), rows


def test_the_second_run_replays_and_does_not_search(database):
    mechanism, rows = counted(first_price())
    first = message_of(lambda: assert_property(mechanism, "ic"))
    searched = sum(rows)
    rows.clear()
    second = message_of(lambda: assert_property(mechanism, "ic"))
    assert sum(rows) < 20 < 500 < searched
    assert "(found by this run)" in first
    assert "(replayed from the database)" in second
    assert first.replace("(found by this run)", "") == second.replace(
        "(replayed from the database)", ""
    )


def test_a_witness_is_forgotten_once_the_rule_is_mended(database):
    message_of(lambda: assert_property(first_price("auction"), "ic"))
    assert sum(len(kept) for kept in database.data.values()) == 1
    assert_property(second_price(name="auction"), "ic", evaluations=5000, examples=5)
    assert not any(database.data.values())


def test_another_mechanism_or_property_has_a_place_of_its_own(database):
    message_of(lambda: assert_property(first_price("one"), "ic"))
    mechanism, rows = counted(first_price("two"))
    message_of(lambda: assert_property(mechanism, "ic"))
    assert sum(rows) > 500
    assert_property(first_price("one"), "ir", evaluations=5000, examples=5)


@pytest.mark.parametrize("rubbish", [b"", b"\xff\x00", b"[]", b'{"format": "mechkit-witness/1"}'])
def test_rubbish_in_the_database_is_forgotten(database, rubbish):
    mechanism = second_price()
    key = testing._key(mechanism, mk.PROPERTIES["ic"])
    database.save(key, rubbish)
    assert_property(mechanism, "ic", evaluations=2000, examples=0)
    assert not any(database.data.values())


def test_without_a_database_it_fails_all_the_same():
    hypothesis.settings.register_profile("none", database=None)
    hypothesis.settings.load_profile("none")
    assert "it is not kept" in message_of(lambda: assert_property(first_price(), "ic"))


USERS_TEST = """
import numpy as np
import hypothesis
import mechkit as mk
from pathlib import Path
from mechkit.testing import assert_property, given_property

ROWS = []

def allocate(bids):
    ROWS.append(bids.shape[0])
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]

first = mk.Mechanism(mk.single_item(3), allocate, lambda b, x: x * b, name="first price")
sound = mk.Mechanism(
    mk.single_item(3), allocate, lambda b, x: x * np.sort(b, axis=-1)[..., -2:-1], name="second"
)

def test_one_line():
    ROWS.clear()
    try:
        assert_property(first, "ic")
    finally:
        Path("rows.txt").write_text(str(sum(ROWS)))

# The second run has no way to fail but by what the first one kept.
phases = [hypothesis.Phase.reuse] if Path("kept.txt").exists() else list(hypothesis.Phase)
test_given = given_property(first, "ic", settings=hypothesis.settings(phases=phases))

test_collected = given_property(sound, "ic")
test_collected_too = given_property(first, "ir")
"""


def users_run(folder):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "CI": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout, int((folder / "rows.txt").read_text())


def test_a_users_failing_test_is_replayed_at_once_by_the_next_run(tmp_path):
    (tmp_path / "test_auction.py").write_text(USERS_TEST)
    (tmp_path / "conftest.py").write_text(
        "import hypothesis\n"
        "from hypothesis.database import DirectoryBasedExampleDatabase\n"
        "kept = DirectoryBasedExampleDatabase('examples')\n"
        "hypothesis.settings.register_profile('kept', database=kept, derandomize=False)\n"
        "hypothesis.settings.load_profile('kept')\n"
    )
    out, first = users_run(tmp_path)
    assert "2 failed, 2 passed" in out
    assert out.count("The lie gains") >= 2
    assert "(found by this run)" in out
    (tmp_path / "kept.txt").touch()
    again, second = users_run(tmp_path)
    assert "2 failed, 2 passed" in again
    assert "FAILED test_auction.py::test_given" in again
    assert "(replayed from the database)" in again
    assert second < 20 < 500 < first


def test_the_test_of_a_property_is_replayed_from_the_database(database):
    reuse = hypothesis.settings(phases=[hypothesis.Phase.reuse])
    again = given_property(first_price(), "ic", settings=reuse)
    with pytest.raises(SkipTest):  # nothing is kept yet, and nothing may be drawn
        again()
    told = message_of(given_property(first_price(), "ic"))
    assert message_of(again) == told
    # Another property of the mechanism has other examples, though the test's source is the same.
    with pytest.raises(SkipTest):
        given_property(first_price(), "ex_post_nash", settings=reuse)()
