"""How sure a few training runs make us: robust means, intervals, and who is better.

Scores are arrays (runs, tasks): one number for each training run (a seed) on each task (an
environment). With few runs the mean is moved by one bad seed and the median ignores half of them;
the interquartile mean, of the middle half of all scores, does neither. Its interval comes from a
stratified bootstrap: within every task, runs are drawn again with replacement, independently, and
the percentiles of the statistic over many such draws are the interval.

    iqm(x)              = mean of the scores between the first and the third quartile
    improvement(x, y)   = mean over tasks of P(X > Y) + P(X = Y) / 2        (Mann & Whitney 1947)
    gap of run r, instance k = optimum_k − return_rk, paired, since everybody plays the same

Source: Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice"
(2021). Everything here is a pure function of arrays and a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

RESAMPLES = 2000
CONFIDENCE = 0.95
TOLERANCE = 1e-6
"""How far, relative to the largest optimum, a return may exceed its optimum by rounding."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Curve:
    """Interquartile means over `runs` runs at positions `at` (steps, updates or seconds), with
    pointwise intervals; all (points,)."""

    at: Array
    value: Array
    low: Array
    high: Array
    runs: int


def iqm(scores: Array) -> Array:
    """Scores (..., runs, tasks) -> (...): the mean of what is left when a quarter of all scores,
    rounded down, is cut off at either end."""
    shape = np.shape(scores)
    if len(shape) < 2 or shape[-1] * shape[-2] == 0:
        raise ValueError(f"scores of shape {shape}: expected (runs, tasks), at least one of each")
    flat = np.sort(np.reshape(scores, (*shape[:-2], -1)), axis=-1)
    count = flat.shape[-1]
    cut = count // 4
    return np.asarray(flat[..., cut : count - cut].mean(axis=-1))


def mean(scores: Array) -> Array:
    """The same with nothing cut off."""
    return np.asarray(np.mean(scores, axis=(-2, -1)))


def bootstrap(
    statistic: Callable[..., Array],
    *scores: Array,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The statistic of one or more arrays of scores, and its stratified percentile interval.

    statistic: (..., runs, tasks) arrays -> (...); each array is resampled on its own. With one run
    there is nothing to resample and the interval is a point. Raises ValueError for scores that are
    no finite (runs, tasks) arrays.
    """
    given = [_checked(part) for part in scores]
    rng = np.random.default_rng(seed)
    drawn = [_resampled(part, rng, resamples) for part in given]
    found = statistic(*drawn)
    low, high = _percentiles(found, confidence)
    return Interval(float(statistic(*given)), float(low), float(high))


def improvement(x: Array, y: Array) -> Array:
    """P(X > Y) + P(X = Y) / 2 of runs (..., runs, tasks), averaged over tasks: (...)."""
    first, second = x[..., :, None, :], y[..., None, :, :]
    wins = (first > second) + 0.5 * (first == second)
    return np.asarray(wins.mean(axis=(-3, -2, -1)))


def improvement_interval(
    x: Array,
    y: Array,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Probability of improvement of x over y, both (runs, tasks), with its interval.

    Where every run of the one beats every run of the other, resampling cannot say how sure that is
    and returns a point. n independent pairs then all went one way, which has the probability p^n:
    so p is at least ((1 − confidence) / 2)^(1/n) (Clopper & Pearson 1934), n the runs of the side
    that has fewer, sides of a single run (a rule that draws no lots) apart.
    """
    found = bootstrap(improvement, x, y, seed=seed, resamples=resamples, confidence=confidence)
    if found.value not in (0.0, 1.0):
        return found
    pairs = min([len(part) for part in (x, y) if len(part) > 1], default=1)
    least = ((1 - confidence) / 2) ** (1 / pairs)
    if found.value == 1.0:
        return Interval(1.0, least, 1.0)
    return Interval(0.0, 0.0, 1.0 - least)


def paired_gaps(returns: Array, optimum: Array) -> Array:
    """Returns (runs, instances), optimum (instances,) -> gaps (runs, instances).

    A gap below 0 is not hidden: the optimum is of fewer choices than the policy had, or it is none
    (see `exceeded`). Raises ValueError where shapes do not fit.
    """
    returns, optimum = _checked(returns), np.asarray(optimum, dtype=float)
    if optimum.shape != returns.shape[1:]:
        raise ValueError(
            f"optimum of shape {optimum.shape} for returns of shape {returns.shape}: expected one "
            "for each instance, the same instances for every run"
        )
    return optimum - returns


def exceeded(gaps: Array, optimum: Array) -> Array:
    """Where a gap (runs, instances) is below 0 by more than rounding; booleans of that shape."""
    slack = TOLERANCE * max(1e-12, float(np.abs(optimum).max()))
    return np.asarray(gaps < -slack)


def mean_gap(
    gaps: Array, *, seed: int = 0, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of gaps (runs, instances), for new runs on new instances of the same law.

    Runs and instances are crossed, so both are drawn again (the pigeonhole bootstrap of Owen 2007,
    which errs to the wide side). With a single run only the instances are.
    """
    gaps = _checked(gaps)
    runs, instances = gaps.shape
    rng = np.random.default_rng(seed)
    by_run = rng.multinomial(runs, np.full(runs, 1 / runs), size=resamples) / runs
    means = [row[rng.integers(instances, size=instances)].mean() for row in by_run @ gaps]
    low, high = _percentiles(np.array(means), confidence)
    return Interval(float(gaps.mean()), float(low), float(high))


def learning_curve(
    at: Sequence[Array],
    values: Sequence[Array],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Curve:
    """What the runs had reached by when. at[r], values[r]: (points of run r,), at rising.

    Between two evaluations a run counts with the earlier one, never with what it did not have yet.
    The curve spans what all runs have covered: from the latest start to the earliest end.
    """
    if not at or any(
        len(own) == 0 or len(own) != len(y) for own, y in zip(at, values, strict=True)
    ):
        raise ValueError("a learning curve needs runs, and as many positions as values of each")
    first, last = max(own[0] for own in at), min(own[-1] for own in at)
    grid = np.unique(np.concatenate([np.asarray(own, dtype=float) for own in at]))
    grid = grid[(grid >= first) & (grid <= last)]
    if len(grid) == 0:
        raise ValueError(f"runs that do not overlap: one starts at {first}, one ends at {last}")
    seen = np.stack(
        [
            np.asarray(y, dtype=float)[np.searchsorted(own, grid, side="right") - 1]
            for own, y in zip(at, values, strict=True)
        ]
    )
    runs = len(seen)
    rows = np.random.default_rng(seed).integers(runs, size=(resamples, runs))
    low, middle, high = [], [], []
    for column in seen.T:  # point by point, which bounds the memory
        least, most = _percentiles(iqm(column[rows][..., None]), confidence)
        low.append(least)
        middle.append(float(iqm(column[:, None])))
        high.append(most)
    return Curve(grid, np.array(middle), np.array(low), np.array(high), runs)


def _checked(scores: Array) -> Array:
    given = np.asarray(scores, dtype=float)
    if given.ndim != 2 or given.size == 0 or not np.isfinite(given).all():
        what = (
            f"shape {given.shape}" if given.ndim != 2 or given.size == 0 else "numbers not finite"
        )
        raise ValueError(f"scores of {what}: expected finite numbers (runs, tasks), at least one")
    return given


def _resampled(scores: Array, rng: np.random.Generator, resamples: int) -> Array:
    """(resamples, runs, tasks): runs drawn with replacement, anew within each task."""
    rows = rng.integers(len(scores), size=(resamples, *scores.shape))
    return np.take_along_axis(scores[None], rows, axis=1)


def _percentiles(found: Array, confidence: float) -> tuple[float, float]:
    outside = (1 - confidence) / 2
    low, high = np.quantile(found, [outside, 1 - outside])
    return float(low), float(high)
