"""The statistics of few runs, against SciPy, numbers by hand, and rliable 1.2.0's own."""

import numpy as np
import pytest
from scipy import stats

from learners.statistics import (
    bootstrap,
    exceeded,
    improvement,
    improvement_interval,
    iqm,
    learning_curve,
    mean,
    mean_gap,
    paired_gaps,
)

X = np.array(
    [
        [0.62, 0.91, 0.33],
        [0.71, 0.85, 0.35],
        [0.66, 0.97, 0.52],
        [0.10, 0.93, 0.41],
        [0.69, 0.88, 0.38],
        [0.74, 0.90, 0.47],
        [0.65, 0.95, 0.29],
        [0.72, 0.40, 0.44],
    ]
)
Y = np.array(
    [
        [0.60, 0.89, 0.36],
        [0.58, 0.90, 0.31],
        [0.66, 0.84, 0.40],
        [0.55, 0.92, 0.37],
        [0.63, 0.80, 0.45],
        [0.61, 0.86, 0.28],
    ]
)
"""(runs, tasks): eight and six runs on three tasks."""


def close(interval, value, low, high, by):
    assert interval.value == pytest.approx(value, abs=1e-12)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=by)


def test_as_rliable_has_it():
    # rliable 1.2.0: aggregate_iqm, aggregate_mean, probability_of_improvement, with
    # get_interval_estimates of 50,000 (20,000 for the last) resamples.
    close(bootstrap(iqm, X, resamples=20_000), 0.6233333333333333, 0.53416667, 0.69083333, 0.003)
    close(bootstrap(iqm, Y, resamples=20_000), 0.612, 0.59, 0.633, 0.003)
    close(bootstrap(mean, X, resamples=20_000), 0.6195833333333334, 0.55083333, 0.67416667, 0.003)
    close(bootstrap(mean, Y, resamples=20_000), 0.6116666666666667, 0.59111111, 0.63168056, 0.003)
    found = improvement_interval(X, Y, resamples=20_000)
    close(found, 0.7083333333333334, 0.53819444, 0.86111111, 0.006)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 1), (4, 1), (10, 1), (7, 3), (10, 26)])
def test_iqm_is_the_trimmed_mean(shape):
    scores = np.random.default_rng(1).standard_cauchy(shape)
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))
    many = np.stack([scores, 2 * scores])
    assert iqm(many) == pytest.approx(np.array([1, 2]) * iqm(scores))


def test_iqm_by_hand():
    # Of eight the lowest two and the highest two go.
    assert iqm(np.array([[1, 2], [3, 4], [5, 6], [7, 1000]])) == 4.5


def test_improvement_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 6, (9, 1)), rng.integers(0, 5, (7, 1))  # with ties
    u = stats.mannwhitneyu(x[:, 0], y[:, 0]).statistic
    assert improvement(x, y) == pytest.approx(u / 63)
    assert improvement(y, x) == pytest.approx(1 - u / 63)


def test_improvement_where_all_runs_agree():
    # Ten of ten: Clopper and Pearson's interval begins at 0.025^(1/10).
    rule, better = np.array([[0.5]]), np.linspace(0.6, 0.9, 10)[:, None]
    exact = stats.binomtest(10, 10).proportion_ci(0.95, method="exact")
    found = improvement_interval(better, rule)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(exact.low) == pytest.approx(0.6915, abs=1e-4)
    assert improvement_interval(rule, better).high == pytest.approx(1 - exact.low)
    # One run says next to nothing.
    assert improvement_interval(better[:1], rule).low == pytest.approx(0.025)


def test_the_interval_covers_what_it_should():
    # Three normal tasks of ten runs; the interquartile mean of the law is 0. A percentile interval
    # of ten runs covers a little less than it says, and by no means half as much.
    rng, covered, tries = np.random.default_rng(3), 0, 200
    for k in range(tries):
        found = bootstrap(iqm, rng.standard_normal((10, 3)), seed=k, resamples=400)
        covered += found.low <= 0 <= found.high
    assert 0.88 <= covered / tries <= 0.985


def test_the_gap_is_paired_and_its_interval_covers_new_instances():
    # Runs and instances both vary: the mean of 1 + a_run + b_instance is 1.
    rng, covered, tries = np.random.default_rng(4), 0, 120
    for k in range(tries):
        optimum = rng.uniform(5, 50, 60)
        gap = 1 + 0.2 * rng.uniform(-1, 1, (10, 1)) + rng.uniform(-1, 1, 60)
        gap = np.maximum(gap, 0)
        found = mean_gap(paired_gaps(optimum - gap, optimum), seed=k, resamples=400)
        assert found.value == pytest.approx(gap.mean())
        covered += found.low <= 1 <= found.high
        # Unpaired, the optima's own spread would drown it.
        assert found.high - found.low < 0.8
    assert covered / tries >= 0.93


def test_what_exceeds_an_optimum_is_not_hidden():
    optimum = np.array([1.0, 2.0])
    gaps = paired_gaps(np.array([[1.0, 2.0 + 1e-9], [1.0, 2.5]]), optimum)
    assert gaps[1, 1] == -0.5
    assert exceeded(gaps, optimum).tolist() == [[False, False], [False, True]]
    with pytest.raises(ValueError, match="the same instances for every run"):
        paired_gaps(np.array([[1.0, 2.0, 3.0]]), optimum)


def test_the_seed_decides():
    assert bootstrap(iqm, X, seed=1) == bootstrap(iqm, X, seed=1) != bootstrap(iqm, X, seed=2)


def test_one_run_is_a_point():
    assert bootstrap(iqm, X[:1, :1]) == (found := bootstrap(mean, X[:1, :1]))
    assert found.low == found.value == found.high == 0.62


def test_learning_curves_wait_for_what_was_there():
    at = [np.array([0, 10, 20]), np.array([0, 8, 16, 24])]
    values = [np.array([4.0, 2.0, 0.0]), np.array([3.0, 1.0, 1.0, 0.0])]
    curve = learning_curve(at, values)
    assert list(curve.at) == [0, 8, 10, 16, 20]
    assert list(curve.value) == [3.5, 2.5, 1.5, 1.5, 0.5]
    assert list(curve.low) == [3, 1, 1, 1, 0]
    assert list(curve.high) == [4, 4, 2, 2, 1]
    assert curve.runs == 2
    with pytest.raises(ValueError, match="runs that do not overlap"):
        learning_curve([np.array([0, 1]), np.array([5])], [np.zeros(2), np.zeros(1)])


@pytest.mark.parametrize("scores", [np.zeros((0, 3)), np.zeros(3), np.array([[np.nan]])])
def test_bad_scores_are_refused(scores):
    with pytest.raises(ValueError, match="expected finite numbers"):
        bootstrap(iqm, scores)
