"""The system model: roadside units and vehicles, reputation, values and costs, and who is matched.

A vehicle m leaves roadside unit e and looks for another, n: it requires resources R_m (computation,
communication, storage), goes no further than q_m1 from e, and accepts no reputation below q_m2.
Unit n offers O_n and has the reputation D_n = Σ_a λ_n(a) E_n(a) that its earlier transactions left
(eqs. 2-5). The vehicle's value is α̂ lg(T̂ / T̄), T̄ = R^s / Π, Π = B log2(1 + ρ h d^−ε / N_0)
(eqs. 7-9); the unit's cost is ω_1 δ f² + ω_2 E B̂ + ω_3 x ε (eq. 6). Matching Γ is that of
`matching`. Sections III and VI; what they leave open, and what is empty as printed, is stated in
`READINGS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mechkit.errors import bounds, require, whole
from mechkit.lazy import lazy
from mechkit.papers.madda import matching


@dataclass(frozen=True)
class Parameters:
    """The paper's parameters, and (from `map_side` on) choices for what it leaves open.

    resources: the range of each of R_m and O_n. farthest: the range of q_m1, in kilometres.
    least_reputation: that of q_m2. latency: T̂ in seconds. power in watts, noise in W/Hz.
    low, high: p_min and p_max. weight: α of the clearing price. fee: ζ of eq. 17.

    map_side, coverage (d_c of eq. 11) in kilometres; gain: h^0; cost_weights: ω of eq. 6; decay: ξ
    per unit of time; transactions: that each unit has behind it, within `history` units of time;
    reliability: the range of the share of what was required that a unit provides on average, and
    `unsteady`, how far a single provision is from it. computing: the range of O_n^cp if it is
    another, within `resources`, over which costs are mapped; reputation: whether Γ heeds it.
    Raises InputError for bounds that are no range within another.
    """

    resources: tuple[float, float] = (40.0, 80.0)
    farthest: tuple[float, float] = (0.8, 1.0)
    least_reputation: tuple[float, float] = (0.6, 0.8)
    first_reputation: float = 0.5
    capacitance: float = 0.001
    storage_cost: float = 0.6
    spectrum: float = 0.1
    sensitivity: float = 0.3
    latency: float = 0.15
    power: float = 500.0
    noise: float = 1e-9
    path_loss: float = 3.0
    low: int = 1
    high: int = 100
    weight: float = 0.5
    fee: float = 0.01
    map_side: float = 1.0
    coverage: float = 1.0
    gain: float = 1.0
    cost_weights: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    decay: float = 0.5
    transactions: int = 10
    history: float = 10.0
    reliability: tuple[float, float] = (0.6, 1.0)
    unsteady: float = 0.1
    computing: tuple[float, float] | None = None
    reputation: bool = True

    def __post_init__(self) -> None:
        least, most = self.resources
        given = self.resources if self.computing is None else self.computing
        low, high = bounds(given, "computing")
        require(
            least <= low <= high <= most,
            f"computing = {self.computing!r}: expected bounds {least:g} ≤ low ≤ high ≤ {most:g}, "
            "within the range of resources, over which costs are mapped onto the clock",
        )
        require(
            isinstance(self.reputation, bool),
            f"reputation = {self.reputation!r}: expected true or false",
        )


PAPER = Parameters()

READINGS = (
    "The market as printed is empty. With the printed parameters eq. 9 gives values of at most "
    "0.3 lg(0.15 · 2 · 39.8) = 0.32 (path loss in kilometres, h = 1; in metres less), eq. 6 gives "
    "costs of at least 1.6 whatever the weights, and clocks run from 1 to 100: no buyer accepts "
    "any price, nobody trades, and every claim would hold of nothing. So values and costs are "
    "mapped: [least, largest value of eq. 9 in the printed ranges] onto [1, 100], linearly, and "
    "alike for eq. 6. Order among buyers and among sellers is that of the paper; who gains from "
    "whom is a choice.",
    "Nobody would be matched either: reputations start at 0.5 and vehicles ask for 0.6 to 0.8. "
    "Each unit has a history: the 0.5, as a transaction at time 0, and ten more at uniform times; "
    "it provides a share of what is required, uniform in [0.6, 1] per unit, ± 10 % each time. "
    "Resource weights are 1/3 each, ξ = 0.5 over 10 units of time.",
    "Eq. 4's freshness does not sum to 1, as the sentence before it asks: divided by its sum.",
    "h^0, ω of eq. 6, the map, d_c and W_m are not given: h^0 = 1, ω = 1/3 each, a square of 1 km, "
    "d_c = 1 km, ω_m1 ~ U(0, 1) and ω_m2 = 1 − ω_m1. f, B̂ and x of eq. 6 are the unit's O_n "
    "(computation, communication, storage); B of eq. 7 is R^com; lg is the common logarithm.",
    "Eq. 11 as printed: R_m · O_n is about 10^4, distance and reputation at most 1, so that they "
    "decide only among equals.",
    "The unit that a vehicle leaves is anywhere on the map and not one of those on offer.",
)


@dataclass(frozen=True, eq=False)
class Instances:
    """What was drawn, batch first: B instances, M buyers (vehicles), N sellers (roadside units).

    values (B, M), costs (B, N): in [p_min, p_max]. required (B, M, 3) R_m; offered (B, N, 3) O_n.
    leaves (B, M, 2), sites (B, N, 2): in kilometres. farthest, least_reputation (B, M): Q_m.
    reputation (B, N): D_n. attribute_weights (B, M, 2): W_m. coverage (B,): d_c. heeded (B,):
    whether Γ heeds reputations; where it does not, its pairs with D_n < q_m2 fail if they trade.
    dice (B, 128): uniform, for policies that draw.
    """

    values: np.ndarray
    costs: np.ndarray
    required: np.ndarray
    offered: np.ndarray
    leaves: np.ndarray
    sites: np.ndarray
    farthest: np.ndarray
    least_reputation: np.ndarray
    reputation: np.ndarray
    attribute_weights: np.ndarray
    coverage: np.ndarray
    heeded: np.ndarray
    dice: np.ndarray

    @lazy
    def partner(self) -> np.ndarray:
        """Γ: (B, M), the seller of each buyer, −1 for none; found when it is first asked for."""
        return matching.match(matching.heeding(matching.attributes_of(self), self.heeded))

    def matched(self, partner: np.ndarray) -> Instances:
        """The same with Γ given, (B, M) as `partner`: nothing is left to be found."""
        given = replace(self)
        given.__dict__["partner"] = partner
        return given


DICE = 128


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    buyers: int = 200,
    sellers: int = 200,
    parameters: Parameters = PAPER,
) -> Instances:
    """A batch of instances. Raises InputError for counts that are not positive integers."""
    for name, count in (("batch", batch), ("buyers", buyers), ("sellers", sellers)):
        whole(count, 1, name)
    p, vehicles, units = parameters, (batch, buyers), (batch, sellers)
    required = rng.uniform(*p.resources, (*vehicles, 3))
    offered = rng.uniform(*p.resources, (*units, 3))
    if p.computing is not None:
        offered[..., 0] = onto(offered[..., 0], p.resources, p.computing)
    farthest = rng.uniform(*p.farthest, vehicles)
    least_reputation = rng.uniform(*p.least_reputation, vehicles)
    leaves = rng.uniform(0, p.map_side, (*vehicles, 2))
    sites = rng.uniform(0, p.map_side, (*units, 2))
    reputations = draw_reputations(rng, units, p)
    first = rng.random(vehicles)
    attribute_weights = np.stack([first, 1 - first], axis=-1)
    value = buyer_value(required[..., 1], required[..., 2], farthest, p)
    return Instances(
        values=onto_clock(value, value_range(p), p),
        costs=onto_clock(seller_value(offered, p), cost_range(p), p),
        required=required,
        offered=offered,
        leaves=leaves,
        sites=sites,
        farthest=farthest,
        least_reputation=least_reputation,
        reputation=reputations,
        attribute_weights=attribute_weights,
        coverage=np.full(batch, p.coverage),
        heeded=np.full(batch, p.reputation),
        dice=rng.random((batch, DICE)),
    )


def draw_reputations(
    rng: np.random.Generator, shape: tuple[int, ...], p: Parameters = PAPER
) -> np.ndarray:
    """D_n after each unit's history, of this shape."""
    past = (*shape, p.transactions)
    times = np.sort(rng.uniform(0, p.history, past), axis=-1)
    asked = rng.uniform(*p.resources, (*past, 3))
    share = rng.uniform(*p.reliability, (*shape, 1, 1))
    provided = asked * share * rng.uniform(1 - p.unsteady, 1 + p.unsteady, asked.shape)
    evaluations = weighted_evaluation(feedback(asked, provided), np.full(3, 1 / 3))
    first = np.zeros((*shape, 1))
    times = np.concatenate([first, times], axis=-1)
    evaluations = np.concatenate([first + p.first_reputation, evaluations], axis=-1)
    return reputation(normalised(freshness(times, p.history, p.decay)), evaluations)


# Reputation ---------------------------------------------------------------------------------------


def feedback(required: np.ndarray, provided: np.ndarray) -> np.ndarray:
    """Eq. 2: E^k = min(R^k, s^k) / R^k."""
    return np.minimum(required, provided) / required


def weighted_evaluation(evaluations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Eq. 3: E(a) = Σ_k ω^k E^k, over the last axis."""
    return np.asarray((evaluations * weights).sum(axis=-1))


def freshness(times: np.ndarray, now: float, decay: float) -> np.ndarray:
    """Eq. 4 as printed: λ(a) = exp(−ξ (t_μ − t(a)))."""
    return np.exp(-decay * (now - times))


def normalised(fresh: np.ndarray) -> np.ndarray:
    """Eq. 4 with Σ_a λ(a) = 1, over the last axis."""
    return np.asarray(fresh / fresh.sum(axis=-1, keepdims=True))


def reputation(fresh: np.ndarray, evaluations: np.ndarray) -> np.ndarray:
    """Eq. 5: D = Σ_a λ(a) E(a), over the last axis."""
    return np.asarray((fresh * evaluations).sum(axis=-1))


# Values and costs ---------------------------------------------------------------------------------


def seller_value(offered: np.ndarray, p: Parameters = PAPER) -> np.ndarray:
    """Eq. 6: v^s = ω_1 δ f² + ω_2 E B̂ + ω_3 x ε; offered (..., 3) holds f, B̂ and x."""
    f, bandwidth, storage = np.moveaxis(offered, -1, 0)
    parts = p.capacitance * f**2, p.spectrum * bandwidth, p.storage_cost * storage
    return np.asarray(sum(w * part for w, part in zip(p.cost_weights, parts, strict=True)))


def transmission_rate(
    bandwidth: np.ndarray, distance: np.ndarray, p: Parameters = PAPER
) -> np.ndarray:
    """Eq. 7: Π = B log2(1 + ρ h d^−ε / N_0), d in kilometres."""
    ratio = p.power * p.gain * distance**-p.path_loss / p.noise
    return np.asarray(bandwidth * np.log2(1 + ratio))


def expected_latency(size: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Eq. 8: T̄ = R^s / Π."""
    return size / rate


def immersion(latency: np.ndarray, p: Parameters = PAPER) -> np.ndarray:
    """Eq. 9: v^b = α̂ lg(T̂ / T̄)."""
    return np.asarray(p.sensitivity * np.log10(p.latency / latency))


def buyer_value(
    bandwidth: np.ndarray, size: np.ndarray, distance: np.ndarray, p: Parameters = PAPER
) -> np.ndarray:
    """Eqs. 7 to 9 together: R^com, R^s and q_m1 to v^b."""
    return immersion(expected_latency(size, transmission_rate(bandwidth, distance, p)), p)


def value_range(p: Parameters = PAPER) -> tuple[float, float]:
    """The least and the largest v^b in the ranges: it rises in R^com, falls in R^s and q_m1."""
    (few, many), (near, far) = p.resources, p.farthest
    worst, best = (
        buyer_value(np.array(bandwidth), np.array(size), np.array(distance), p)
        for bandwidth, size, distance in ((few, many, far), (many, few, near))
    )
    return float(worst), float(best)


def cost_range(p: Parameters = PAPER) -> tuple[float, float]:
    """The least and the largest v^s in the ranges: it rises in each of f, B̂ and x."""
    least, most = (float(seller_value(np.full(3, amount), p)) for amount in p.resources)
    return least, most


def onto_clock(amount: np.ndarray, span: tuple[float, float], p: Parameters = PAPER) -> np.ndarray:
    """The map that fills the market: span onto [p_min, p_max], linearly; rounding stays inside."""
    return onto(amount, span, (p.low, p.high))


def onto(amount: np.ndarray, span: tuple[float, float], other: tuple[float, float]) -> np.ndarray:
    """One range onto another, linearly."""
    (least, most), (low, high) = span, other
    return np.clip(low + (high - low) * (amount - least) / (most - least), low, high)
