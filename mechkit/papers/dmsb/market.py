"""The market of vehicle twin tasks: rates, latency, accuracy, and what a task is worth to whom.

One UAV (provider 0) and N base stations compete for one task a round. Each function here is one
equation of the system model, on arrays (batch, providers, periods) or scalars; `draw` puts them
together for a whole batch. Sizes are in megabit, rates in megabit per second, times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mechkit.errors import bounds, require, whole

MEGABIT = 8
"""Megabit in a megabyte."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The paper's section 6.1, and our choices where it is silent (`READINGS`).

    Pairs are the bounds of uniform draws. task: MB. bandwidth: MHz, up and down alike. compute:
    units of GPU and CPU, of `unit` Mbit/s each. power: units. gain, noise: g and σ². gpu_per_bit:
    e_p. accuracy: the law of R_m. latency_factor, match_factor, sensitivity: ω_1, ω_2, β. zeta: ζ.
    """

    task: tuple[float, float] = (20.0, 40.0)
    bandwidth: tuple[float, float] = (20.0, 60.0)
    compute: tuple[float, float] = (0.0, 2.0)
    unit: float = 100.0
    gpu_per_bit: float = 0.5
    power: tuple[float, float] = (1.0, 10.0)
    gain: float = 1.0
    noise: float = 1.0
    accuracy: tuple[float, float] = (0.5, 0.95)
    latency_factor: float = 1.0
    match_factor: float = 1.0
    sensitivity: float = 2.0
    zeta: float = 1.5

    def __post_init__(self) -> None:
        for name in ("task", "bandwidth", "compute", "power", "accuracy"):
            low, high = bounds(getattr(self, name), name)
            require(
                0 <= low <= high and high > 0,
                f"{name} = {(low, high)}: expected bounds 0 ≤ low ≤ high of a uniform draw",
            )
        for name in ("unit", "gain", "noise", "latency_factor", "match_factor", "zeta"):
            value = getattr(self, name)
            require(
                isinstance(value, int | float | np.number) and bool(0 < value < np.inf),
                f"{name} = {value!r}: expected a positive number",
            )
        require(
            self.accuracy[1] < 1,
            f"accuracy = {self.accuracy}: expected bounds below 1, where 1 / (1 - R)^β is finite",
        )


PRINTED = Parameters()


@dataclass(frozen=True)
class Instances:
    """A batch of rounds.

    values: v_n, (batch, 1 + stations), the UAV's first. latency: the expected latency E[T_n] of
    the task at each provider, seconds, same shape. actions: a uniform draw in [0, 1) for the random
    policy, (batch,). history: values in past rounds, independent of these, (rounds, 1 + stations).
    zeta: ζ.
    """

    values: np.ndarray
    latency: np.ndarray
    actions: np.ndarray
    history: np.ndarray
    zeta: float


def rate(bandwidth: np.ndarray, gain: float, power: np.ndarray, noise: float) -> np.ndarray:
    """Eqs. 1 and 2: B · log2(1 + g p / σ²), uplink or downlink, Mbit/s for MHz."""
    return bandwidth * np.log2(1 + gain * power / noise)


def transmission(size: np.ndarray | float, rate: np.ndarray) -> np.ndarray:
    """Eqs. 3 and 5: D / R, seconds."""
    return size / rate


def processing(
    size: np.ndarray | float, gpu_per_bit: float, gpu: np.ndarray, cpu: np.ndarray
) -> np.ndarray:
    """Eq. 4: D e_p / f^g + D / f^c, seconds; gpu and cpu in Mbit/s."""
    return size * gpu_per_bit / gpu + size / cpu


def latency(*times: np.ndarray) -> np.ndarray:
    """Eq. 6: the sum of upload, processing and download."""
    return np.asarray(sum(times[1:], start=times[0]))


def matches(processed: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Eq. 7: how many of the k pixels (..., k) are the same."""
    return (processed == original).sum(axis=-1)


def accuracy(processed: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Eq. 8: the share of the pixels that are the same, R_m."""
    return matches(processed, original) / original.shape[-1]


def common_value(latency: np.ndarray, latency_factor: float) -> np.ndarray:
    """Eq. 9: E_t[ω_1 / T^t], the mean over the last axis."""
    return mean(latency_factor / latency)


def matching_value(accuracy: np.ndarray, match_factor: float, sensitivity: float) -> np.ndarray:
    """Eq. 10: E_t[ω_2 / (1 − R)^β], the mean over the last axis."""
    return mean(match_factor / (1 - accuracy) ** sensitivity)


def valuation(common: np.ndarray, matching: np.ndarray) -> np.ndarray:
    """Eq. 11: v_n = c_n · m_n."""
    return common * matching


def mean(of: np.ndarray) -> np.ndarray:
    """Over the last axis; for axes this short several times as fast as NumPy's own."""
    return np.asarray(np.einsum("...t->...", of) / of.shape[-1])


def uniform(
    rng: np.random.Generator, bounds: tuple[float, float], shape: tuple[int, ...]
) -> np.ndarray:
    """The numbers of rng.uniform(*bounds, shape), three times as fast."""
    low, high = bounds
    drawn = rng.random(shape)
    drawn *= high - low
    drawn += low
    return drawn


def values(
    rng: np.random.Generator, batch: int, stations: int, periods: int, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """What a task is worth to each provider, and its expected latency there, both (batch, 1 + N).

    Task, user and accuracy differ from period to period, equipment from provider to provider.
    """
    p, shape = parameters, (batch, 1 + stations, periods)
    size = MEGABIT * uniform(rng, p.task, (batch, 1, periods))
    sent = uniform(rng, p.power, (batch, 1, periods))
    equipment = (batch, 1 + stations, 1)
    returned = uniform(rng, p.power, equipment)
    up, down = (uniform(rng, p.bandwidth, equipment) for _ in range(2))
    # From the top, so that nobody has 0 of anything.
    least, most = p.compute
    gpu, cpu = (p.unit * (most - uniform(rng, (0, most - least), equipment)) for _ in range(2))
    # Each time is proportional to the size: those of a megabit, of which two are the same in every
    # period, times the size.
    fixed = latency(
        processing(1, p.gpu_per_bit, gpu, cpu),
        transmission(1, rate(down, p.gain, returned, p.noise)),
    )
    taken = size * latency(transmission(1, rate(up, p.gain, sent, p.noise)), fixed)
    matching = matching_value(uniform(rng, p.accuracy, shape), p.match_factor, p.sensitivity)
    common = common_value(taken, p.latency_factor)
    return valuation(common, matching), mean(taken)


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    stations: int = 6,
    periods: int = 10,
    past: int = 256,
    parameters: Parameters = PRINTED,
) -> Instances:
    """A batch of rounds with that many stations and one UAV.

    periods: how many past slots the expectations of eqs. 9 to 11 run over. past: rounds of history.
    """
    for name, size, least in (
        ("batch", batch, 1),
        ("stations", stations, 2),
        ("periods", periods, 1),
        ("past", past, 1),
    ):
        whole(size, least, name)
    history, _ = values(rng, past, stations, periods, parameters)
    worth, taken = values(rng, batch, stations, periods, parameters)
    return Instances(worth, taken, rng.random(batch), history, parameters.zeta)
