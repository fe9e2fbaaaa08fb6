"""The system model: users who train models together, and providers who bid for access to them.

Each of H organisations (MU-DAOs) has N users. User i holds |D_i| samples, trains k_ij iterations
with privacy budget ε_ij for each of M providers, at unit costs C^c_i and C^p_i (eqs. 5-7), and
contributes θ^Q_i to the model's quality and θ^F_i to its freshness (eqs. 10-12). A provider is
satisfied to the degree Q^λ + F, Q = Σ θ^Q_i, F = Σ θ^F_i (eq. 8), and of its bids (q_j, f_j) user
i gets δ_ij = q_j Q^λ τ^Q_i + f_j F τ^F_i, τ being its share of Q and of F (eq. 13). Sections 3 and
6.1; what they leave open is stated in `READINGS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mechkit.book import ranks
from mechkit.errors import whole


@dataclass(frozen=True)
class Parameters:
    """Table 2's parameters, and (from `fairness` on) choices for what it lacks.

    budget: B_j in money, for 10 users and 5 providers. layers: μ of eq. 10. iterations: k_i^0;
    batch_size: s. clock: f_i in GHz. privacy: ε_i. period: T in seconds. alpha, beta: of eqs. 6 and
    7; memory: ξ_i, a share of `device` = θ_i.

    fairness: σ of h(x) = x^(1 − σ) / (1 − σ). elasticity: λ. capacitance: ζ, in joules per cycle
    and Hz². cycles: z of one batch. samples: in all training sets of an organisation together.
    loss: the mean cross-entropy H_i. gradient: ‖g̃‖. link: of the consensus, b_i in Hz. size: d_i in
    bits. bandwidth: ω_i in Hz. signal: SINR in dB. consensus: T^c_i in seconds. worth: ν_j, money
    per unit of satisfaction, for 5 providers. tolerance: how far above its own proposal a user
    still supports one.
    """

    budget: float = 1000.0
    layers: tuple[float, float] = (10.0, 2.0)
    iterations: int = 5
    batch_size: int = 64
    clock: tuple[float, float] = (3.0, 5.0)
    privacy: tuple[float, float] = (1.0, 5.0)
    period: float = 10.0
    alpha: float = 0.3
    beta: float = 0.5
    memory: float = 0.5
    device: float = 8.0

    fairness: float = 0.5
    elasticity: float = 1.0
    capacitance: float = 1e-28
    cycles: float = 2e7
    samples: int = 50_000
    loss: tuple[float, float] = (0.1, 0.6)
    gradient: tuple[float, float] = (0.5, 2.0)
    link: float = 1e9
    size: float = 1e7
    bandwidth: tuple[float, float] = (2e6, 5e6)
    signal: tuple[float, float] = (5.0, 20.0)
    consensus: tuple[float, float] = (1.0, 3.0)
    worth: tuple[float, float] = (0.0, 100.0)
    tolerance: float = 0.08


TABLE = Parameters()

READINGS = (
    "Table 2 lacks σ, λ, ζ, z, s, b and the gradient norm. σ = 1/2: C1 of eq. 15 needs σ < 1, as h "
    "< 0 beyond. λ = 1 (eq. 9's e^Q = e^F = 1/2). ζ = 10^-28, z = 2·10^7 cycles, s = the batch "
    "size 64, b = 1 GHz; ‖g̃‖ ~ U[0.5, 2]; H_i ~ U[0.1, 0.6]; d = 10 Mbit, ω ~ U[2, 5] MHz, SINR "
    "U[5, 20] dB, consensus U[1, 3] s.",
    "C_i = Σ_j (C^c_i k_ij + C^p_i ε_ij): eq. 5 has no provider in it and eq. 14 sums over them.",
    "Eq. 10 has μ_0 and μ_1, Table 2 μ_1 = 10 and μ_2 = 2: hidden layers 10, output layers 2. "
    "|D_i| is a share of all data (1/N, 'divided equally'): in samples θ^Q is about 20,000, and "
    "every bid for quality costs far more than it wins. Its sum over rounds is the mean H_i.",
    "Eq. 8's two right-hand sides differ: Q^(e^Q) + F^(e^F) is not Q^λ + F with λ = e^Q / e^F. The "
    "second is what eq. 13 uses.",
    "T_i (eq. 11) is measured in game periods T = 10 s, D_i is the cycles of a pass, |D_i| z / s. "
    "θ^F = log(1 / T_i), natural, is positive only below one unit of time; δ_ij of eq. 13 can be "
    "negative otherwise, and eq. 20 then fails.",
    "The paper simulates one organisation and auctions among several: 4 of N = 10 users, for M = 5 "
    "providers, in 2 kinds of model (χ).",
    "P_j's access to the model of h is worth ν_j (Q_h^λ + F_h), ν_j ~ U[0, 100], at most its "
    "budget B_j (eq. 17). Its sealed bid cannot depend on h: it is the mean over the organisations "
    "of the kind it wants.",
    "Training costs are those of k = k^0 iterations and ε ~ U[1, 5] for every provider; a user "
    "proposes its cost (eq. 34), and supports proposals up to 8 % above its own.",
    "Every user trains for every provider, so costs grow with N M; B_j = 1000 is Table 2's for "
    "N = 10 and M = 5. Elsewhere B_j is 20 N M and ν_j ~ U[0, 20 M], so that the market is not "
    "empty for its size.",
    "Eq. 2: an organisation whose costs exceed the sum of all budgets does not train, and offers "
    "nothing.",
)


@dataclass(frozen=True, eq=False)
class Instances:
    """What was drawn, batch first: B instances, H organisations, N users each, M providers.

    clock (GHz), loss, gradient, computing (C^c), disclosing (C^p), quality (θ^Q), freshness (θ^F),
    privacy (ε): (B, H, N). iterations: k. costs (B, H, N): C_i. proposals (B, H, N). support
    (B, H, N): how many others support each. worth (B, M): ν_j. values (B, M, H): of access.
    budgets (B, M). wants (B, M), offers (B, H): kinds, −1 for none. buyer_dice (B, M), seller_dice
    (B, H): uniform, for systems that draw.
    """

    clock: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray
    computing: np.ndarray
    disclosing: np.ndarray
    quality: np.ndarray
    freshness: np.ndarray
    privacy: np.ndarray
    costs: np.ndarray
    support: np.ndarray
    worth: np.ndarray
    values: np.ndarray
    budgets: np.ndarray
    wants: np.ndarray
    offers: np.ndarray
    buyer_dice: np.ndarray
    seller_dice: np.ndarray
    parameters: Parameters

    @property
    def proposals(self) -> np.ndarray:
        """What each user asks for, (B, H, N): its cost."""
        return self.costs


KINDS = 2


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    users: int = 10,
    providers: int = 5,
    organisations: int = 4,
    parameters: Parameters = TABLE,
) -> Instances:
    """A batch of instances."""
    for name, count in (
        ("batch", batch),
        ("users", users),
        ("providers", providers),
        ("organisations", organisations),
    ):
        whole(count, 1, name)
    p, crowd = parameters, (batch, organisations, users)
    clock, loss = rng.uniform(*p.clock, crowd), rng.uniform(*p.loss, crowd)
    gradient, privacy = rng.uniform(*p.gradient, crowd), rng.uniform(*p.privacy, crowd)
    signal = 10 ** (rng.uniform(*p.signal, crowd) / 10)
    seconds = (
        training_time(loss, p.samples / users * p.cycles / p.batch_size, 1e9 * clock)
        + uploading_time(p.size, rng.uniform(*p.bandwidth, crowd), signal)
        + rng.uniform(*p.consensus, crowd)
    )
    computing, disclosing = computation_cost(clock, p), privacy_cost(gradient, p)
    costs = total_cost(computing, np.array(p.iterations), disclosing, privacy, providers)
    theta_q = quality_contribution(np.array(1 / users), loss, p)
    theta_f = freshness_contribution(seconds / p.period)
    worth = rng.uniform(*p.worth, (batch, providers)) * providers / 5
    pleased = satisfaction(theta_q.sum(axis=-1), theta_f.sum(axis=-1), p.elasticity)
    budgets = np.full((batch, providers), p.budget * users * providers / 50)
    return Instances(
        clock=clock,
        loss=loss,
        gradient=gradient,
        computing=computing,
        disclosing=disclosing,
        quality=theta_q,
        freshness=theta_f,
        privacy=privacy,
        costs=costs,
        support=supporters(costs, p.tolerance),
        worth=worth,
        values=np.clip(worth[..., None] * pleased[:, None], 0, budgets[..., None]),
        budgets=budgets,
        wants=rng.integers(KINDS, size=(batch, providers)),
        offers=np.where(
            affordable(costs, budgets), rng.integers(KINDS, size=(batch, organisations)), -1
        ),
        buyer_dice=rng.random((batch, providers)),
        seller_dice=rng.random((batch, organisations)),
        parameters=p,
    )


# Formulas -----------------------------------------------------------------------------------------


def energy(clock: np.ndarray, p: Parameters = TABLE) -> np.ndarray:
    """ζ z s f² of eq. 6, per iteration; clock f in GHz."""
    return p.capacitance * p.cycles * p.batch_size * (1e9 * clock) ** 2


def computation_cost(clock: np.ndarray, p: Parameters = TABLE) -> np.ndarray:
    """Eq. 6: C^c = α ζ z s f² + (1 − α) ξ θ."""
    return p.alpha * energy(clock, p) + (1 - p.alpha) * p.memory * p.device


def privacy_cost(gradient: np.ndarray, p: Parameters = TABLE) -> np.ndarray:
    """Eq. 7: C^p = β ln(1 + ‖g̃‖)."""
    return p.beta * np.log1p(gradient)


def total_cost(
    computing: np.ndarray,
    iterations: np.ndarray,
    disclosing: np.ndarray,
    privacy: np.ndarray,
    providers: int,
) -> np.ndarray:
    """Eq. 5 over all providers, alike for each: M (C^c k + C^p ε)."""
    return providers * (computing * iterations + disclosing * privacy)


def affordable(costs: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """Eq. 2: whether Σ_i C_i ≤ Σ_j B_j, (B, H); costs (B, H, N), budgets (B, M)."""
    return np.asarray(costs.sum(axis=-1) <= budgets.sum(axis=-1, keepdims=True))


def quality_contribution(data: np.ndarray, loss: np.ndarray, p: Parameters = TABLE) -> np.ndarray:
    """Eq. 10: θ^Q = μ_0 |D| / (μ_1 + H)."""
    return p.layers[0] * data / (p.layers[1] + loss)


def training_time(loss: np.ndarray, data: float, clock: np.ndarray) -> np.ndarray:
    """Below eq. 11: T^m = log(1 / H) D / f; data D in cycles, clock f in Hz."""
    return np.log(1 / loss) * data / clock


def uploading_time(size: float, bandwidth: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Below eq. 11: T^l = d / (ω log2(1 + SINR)), in seconds."""
    return np.asarray(size / (bandwidth * np.log2(1 + signal)))


def freshness_contribution(duration: np.ndarray) -> np.ndarray:
    """Eq. 12: θ^F = log(1 / T_i), T_i in units of time."""
    return np.log(1 / duration)


def satisfaction(quality: np.ndarray, freshness: np.ndarray, elasticity: float) -> np.ndarray:
    """Eq. 8: φ = Q^λ + F."""
    return quality**elasticity + freshness


def benefit(
    q: np.ndarray, f: np.ndarray, theta_q: np.ndarray, theta_f: np.ndarray, elasticity: float
) -> np.ndarray:
    """Eq. 13, or with q_ij and f_ij as in eq. 16: δ = q Q^λ τ^Q + f F τ^F; θ's (..., N)."""
    charge_q, charge_f = charges(theta_q, theta_f, elasticity)
    return q * charge_q + f * charge_f


def charges(
    theta_q: np.ndarray, theta_f: np.ndarray, elasticity: float
) -> tuple[np.ndarray, np.ndarray]:
    """(Q^λ τ^Q_i, F τ^F_i), (..., N): what a unit of bid for user i costs (eqs. 13, 16); F τ^F_i is
    θ^F_i, whatever the sign of F."""
    total = theta_q.sum(axis=-1, keepdims=True)
    return theta_q * total ** (elasticity - 1), theta_f


def most_iterations(clock: np.ndarray, p: Parameters = TABLE) -> np.ndarray:
    """C2 of eq. 15: k ≤ (T − z s / b) ζ z s f²."""
    return (p.period - p.cycles * p.batch_size / p.link) * energy(clock, p)


def supporters(proposals: np.ndarray, tolerance: float) -> np.ndarray:
    """How many other users' proposals, times 1 + tolerance, reach each proposal, (..., N)."""
    users = proposals.shape[-1]
    # Among both, a proposal's rank less its rank among proposals: how many stretched ones are less.
    both = np.concatenate([proposals, proposals * (1 + tolerance)], axis=-1)
    less = ranks(both)[..., :users] - ranks(proposals)
    return np.asarray(users - 1 - less)
