"""Rules and arguments that are wrong: each is told apart, with value, expectation and remedy."""

import threading
import time
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from tests.rules import first_price, highest, order, pay_first, pay_second, second_price

SMALL = {"evaluations": 20_000, "seconds": 20}


def verify(allocate, pay, names=("feasible", "ic"), setting=None, **budget):
    mechanism = mk.Mechanism(setting or mk.single_item(3), allocate, pay, name="suspect")
    return mk.verify(mechanism, names, **(budget or SMALL))


def message(allocate, pay, **options):
    with pytest.raises(mk.RuleError) as caught:
        verify(allocate, pay, **options)
    text = str(caught.value)
    assert text.startswith("suspect: ")
    return text, caught.value.profile


# What comes back is not an outcome ----------------------------------------------------------------


def test_nan():
    text, profile = message(highest, lambda b, x: pay_second(b, x) / b.sum(axis=-1, keepdims=True))
    assert "nan" in text
    assert "expected finite numbers" in text
    assert "np.where" in text
    assert profile == [0.0, 0.0, 0.0]


def test_infinity():
    text, profile = message(highest, lambda b, x: np.where(x, np.inf, 0.0))
    assert "inf" in text
    assert len(profile) == 3


def test_nan_in_one_corner_only():
    """Nothing is wrong unless two reports are exactly equal and above 1/2."""

    def pay(bids, allocation):
        top, second = order(bids, 1), order(bids, 2)
        gap = np.where((top == second) & (top > 0.5), 0.0, 1.0)
        return allocation * second / gap

    text, profile = message(highest, pay)
    assert "nan" in text or "inf" in text
    top, second = sorted(profile)[-1:-3:-1]
    assert top == second > 0.5


@pytest.mark.parametrize(
    ("allocate", "pay", "got", "remedy"),
    [
        (lambda b: highest(b)[0], pay_second, "(3,)", "axis=-1"),
        (lambda b: highest(b)[:1], lambda b, x: b, "(1, 3)", "one row for each row"),
        (lambda b: highest(b)[:, :2], lambda b, x: b, "2)", "first axis, which is the batch"),
        (highest, lambda b, x: (b * x).sum(axis=-1), "(8,)", "first axis"),
        (highest, lambda b, x: 1.0, "()", "first axis"),
    ],
)
def test_wrong_shapes(allocate, pay, got, remedy):
    text, _ = message(allocate, pay)
    assert got in text
    assert "expected (8, 3)" in text
    assert remedy in text


@pytest.mark.parametrize("dtype", [complex, str, "datetime64[s]"])
def test_wrong_dtypes(dtype):
    text, _ = message(highest, lambda b, x: np.zeros(b.shape).astype(dtype))
    assert "dtype" in text
    assert "expected numbers or booleans" in text


def test_nothing_comes_back():
    text, _ = message(lambda b: None, lambda b, x: b)
    assert "allocation of shape ()" in text


def test_fractions_among_the_constants_are_welcome():
    report = verify(highest, lambda b, x: x * order(b, 2) * F(1, 1))
    assert report.ok


def test_outcome_is_not_a_pair():
    mechanism = mk.Mechanism.from_outcome(mk.single_item(3), lambda b: highest(b), "suspect")
    with pytest.raises(mk.RuleError, match=r"expected a pair \(allocation, payments\)"):
        mk.verify(mechanism, "ic", **SMALL)


# Rules that misbehave ----------------------------------------------------------------


def test_raising_on_some_profile_names_the_profile():
    def allocate(bids):
        if (bids[:, 0] == bids[:, 1]).any():
            raise KeyError("nobody thought of ties")
        return highest(bids)

    text, profile = message(allocate, pay_second)
    assert "KeyError: 'nobody thought of ties'" in text
    assert "test_bad_input.py:" in text
    assert profile[0] == profile[1]
    assert str(profile) in text


def test_changing_the_reports():
    def allocate(bids):
        bids.sort(axis=-1)
        return highest(bids)

    text, _ = message(allocate, pay_second)
    assert "read-only" in text
    assert "reports.copy()" in text


def test_randomness_in_the_rule():
    rng = np.random.default_rng(0)
    text, profile = message(highest, lambda b, x: x * order(b, 2) * rng.random(b.shape))
    assert "run twice" in text
    assert "public draws" in text or "public arrays" in text
    assert len(profile) == 3


def test_rows_that_see_one_another():
    text, _ = message(highest, lambda b, x: x * b.max())
    assert "each row must depend on its own profile only" in text
    assert "axis=-1" in text


def test_an_infeasible_allocation_is_a_refutation():
    report = verify(lambda b: b >= 0, pay_second)
    witness = report["feasible"].counterexample
    assert witness.arithmetic == "exact"
    # All three win: two items too many.
    assert witness.gain == 2
    assert witness.types.tolist() == [F(0)] * 3


def test_an_exotic_numpy_function_makes_a_float_witness_that_says_so():
    """np.sinc has no exact counterpart: the rule runs on floats only, and the witness says so."""
    witness = verify(highest, lambda b, x: x * b * np.sinc(b * 0))["ic"].counterexample
    assert witness.arithmetic == "float64"
    assert "sinc" in witness.note
    assert witness.gain >= 1e-9
    assert isinstance(float(witness.gain), float)


def test_a_float_only_sound_rule_is_not_refuted():
    report = verify(
        highest, lambda b, x: x * order(b, 2) * np.sinc(b * 0), ("ic", "ir", "anonymous")
    )
    assert report.ok


# Rules that hang ----------------------------------------------------------------


def forever(bids):
    while True:
        time.sleep(0.01)


def late(bids):
    if len(bids) > 64:
        forever(bids)
    return highest(bids)


@pytest.mark.parametrize("allocate", [forever, late])
def test_a_hanging_rule_ends_with_the_budget(allocate):
    before = threading.active_count()
    started = time.monotonic()
    report = verify(allocate, pay_second, seconds=0.4)
    assert time.monotonic() - started < 5
    for verdict in report:
        assert verdict.status is mk.Status.UNKNOWN
        assert "did not return" in verdict.reason
        assert "0.4 s" in verdict.reason
    # The threads are told to stop, and do.
    for _ in range(200):
        if threading.active_count() <= before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_slow_rule_keeps_to_its_budget():
    """A millisecond per row: pieces must be cut to fit, and something is still found."""

    def allocate(bids):
        time.sleep(0.001 * len(bids))
        return highest(bids)

    started = time.monotonic()
    report = verify(allocate, pay_first, ["ic"], seconds=1.5)
    assert time.monotonic() - started < 8
    assert report["ic"].status is mk.Status.REFUTED


# Arguments ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"properties": "ic,honesty"}, "honesty"),
        ({"properties": []}, "expected some of"),
        ({"seed": -1}, "non-negative integer"),
        ({"seed": 0.5}, "non-negative integer"),
        ({"seconds": 0}, "positive number"),
        ({"seconds": float("nan")}, "positive number"),
        ({"evaluations": -5}, "positive number"),
        ({"workers": 0}, "at least 1"),
        ({"coalition": 1}, "at least 2"),
    ],
)
def test_arguments_of_verify(options, expected):
    with pytest.raises(mk.InputError, match=expected):
        mk.verify(second_price(), **options)


def test_verify_wants_a_mechanism():
    with pytest.raises(mk.InputError, match="expected a Mechanism"):
        mk.verify(second_price)


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda: mk.Mechanism(mk.single_item(2), highest), "allocate"),
        (lambda: mk.Mechanism("single item", highest, pay_second), "expected a Setting"),
        (lambda: mk.single_item(0), "at least 1"),
        (lambda: mk.single_item(2, low=1, high=0), "above high"),
        (lambda: mk.single_item(2, high=float("nan")), "finite"),
        (lambda: mk.single_item(2, high=float("inf")), "finite"),
        (lambda: mk.single_item(2, levels=[0, 2]), "leave the box"),
        (lambda: mk.positions(2, [1, 2]), "do not increase"),
        (lambda: mk.combinatorial(2, 20), "8 or fewer"),
        (lambda: mk.public_project(2, -1), "at least 0"),
    ],
)
def test_declarations(declare, expected):
    with pytest.raises(mk.InputError, match=expected):
        declare()


def test_a_prior_outside_the_box():
    setting = mk.single_item(2, prior=lambda rng, batch: rng.random((batch, 2)) + 0.5)
    mechanism = mk.Mechanism(setting, highest, pay_second)
    with pytest.raises(mk.InputError, match="outside the type space"):
        mk.verify(mechanism, "ic", **SMALL)


def test_a_property_that_does_not_apply_is_no_success():
    report = mk.verify(first_price(2), ["cyclic_monotone"], **SMALL)
    verdict = report["cyclic_monotone"]
    assert verdict.status is mk.Status.NOT_APPLICABLE
    assert verdict.reason
    with pytest.raises(KeyError, match="this report has cyclic_monotone"):
        report["ic"]
