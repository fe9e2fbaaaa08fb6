"""Forecasts of rivals' bids by a hidden Markov model (section 5.1, eqs. 31-33).

States X_t and observed bids O_t, both in finite sets; start I, transitions A, emissions B:

    p(x_1..T, o_1..T) = I(x_1) B(x_1, o_1) Π_t A(x_{t-1}, x_t) B(x_t, o_t).

Forward algorithm (Rabiner 1989): η_t(j) = p(o_1..t, X_t = j) = B(j, o_t) Σ_i η_{t-1}(i) A(i, j).
The next bid is forecast from the past alone,

    p(O_{t+1} = o | o_1..t) = Σ_j B(j, o) Σ_i A(i, j) p(X_t = i | o_1..t),

where the paper conditions on o_{t+1} itself, which is what is to be known. Parameters by
Baum-Welch (Baum, Petrie, Soules & Weiss 1970). Everything is batched: a model for each sequence
(one provider's bids), in logarithms, so that long sequences do not underflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mechkit.errors import require


@dataclass(frozen=True, eq=False)
class Model:
    """start (..., S), moves (..., S, S) from row to column, shows (..., S, K): each row sums to 1.

    Leading axes: one model for each sequence, or none for a model that serves all.
    """

    start: np.ndarray
    moves: np.ndarray
    shows: np.ndarray

    def __post_init__(self) -> None:
        states = self.start.shape[-1]
        require(
            self.moves.shape[-2:] == (states, states) and self.shows.shape[-2] == states,
            f"a model with start {self.start.shape}, moves {self.moves.shape} and shows "
            f"{self.shows.shape}: expected (..., S), (..., S, S) and (..., S, K)",
        )
        for name in ("start", "moves", "shows"):
            rows = getattr(self, name)
            require(
                bool((rows >= 0).all() and np.allclose(rows.sum(axis=-1), 1)),
                f"{name}: expected probabilities that sum to 1 in every row",
            )


def draw_model(rng: np.random.Generator, batch: int, *, states: int, levels: int) -> Model:
    """Random sticky models: a state is kept with probability 0.8 or more and shows bids around
    its own level."""
    moves = 0.8 * np.eye(states) + 0.2 * rng.dirichlet(np.ones(states), (batch, states))
    middle = (np.arange(states) + 0.5) * levels / states - 0.5
    shape = np.exp(-(((np.arange(levels) - middle[:, None]) / (levels / (2 * states))) ** 2))
    shows = shape * rng.uniform(0.5, 1.5, (batch, states, levels))
    return Model(
        rng.dirichlet(np.ones(states), batch), moves, shows / shows.sum(axis=-1, keepdims=True)
    )


def draw_bids(rng: np.random.Generator, model: Model, length: int) -> np.ndarray:
    """Bids (batch, length), integers 0 … K − 1, one sequence of each model."""

    def pick(probabilities: np.ndarray) -> np.ndarray:
        dice = rng.random((*probabilities.shape[:-1], 1))
        below = (dice >= np.cumsum(probabilities, axis=-1)).sum(axis=-1)
        return np.minimum(below, probabilities.shape[-1] - 1)

    rows = np.arange(len(model.start))
    state, bids = pick(model.start), []
    for _ in range(length):
        bids.append(pick(model.shows[rows, state]))
        state = pick(model.moves[rows, state])
    return np.stack(bids, axis=-1)


def forward(model: Model, bids: np.ndarray) -> np.ndarray:
    """log η_t(j) (batch, T, S), eqs. 32-33 with b_j(o_{t+1}) where b_i is printed."""
    shown = _shown(model, checked(bids, model))
    moves = _log(model.moves)
    now = _log(model.start) + shown[:, 0]
    found = [now]
    for t in range(1, shown.shape[1]):
        now = _sum(now[..., :, None] + moves, axis=-2) + shown[:, t]
        found.append(now)
    return np.stack(found, axis=1)


def likelihood(model: Model, bids: np.ndarray) -> np.ndarray:
    """log p(o_1..T), (batch,)."""
    return _sum(forward(model, bids)[:, -1], axis=-1)


def forecast(model: Model, bids: np.ndarray) -> np.ndarray:
    """log p(O_{t+1} = o | o_1..t) for t = 0 … T, (batch, T + 1, K); t = 0: no past at all."""
    past = forward(model, bids)
    known = past - _sum(past, axis=-1)[..., None]
    moves = _log(model.moves)
    ahead = _sum(known[..., :, None] + moves[..., None, :, :], axis=-2)
    first = np.broadcast_to(_log(model.start), ahead[:, 0].shape)[:, None]
    state = np.concatenate([first, ahead], axis=1)
    return _sum(state[..., :, None] + _log(model.shows)[..., None, :, :], axis=-2)


def backward(model: Model, bids: np.ndarray) -> np.ndarray:
    """log p(o_{t+1}..T | X_t = i), (batch, T, S)."""
    shown = _shown(model, checked(bids, model))
    moves = _log(model.moves)
    now = np.zeros_like(shown[:, 0])
    found = [now]
    for t in range(shown.shape[1] - 1, 0, -1):
        now = _sum(moves + (shown[:, t] + now)[..., None, :], axis=-1)
        found.append(now)
    return np.stack(found[::-1], axis=1)


def learned(model: Model, bids: np.ndarray, *, rounds: int = 50, prior: float = 0.1) -> Model:
    """Baum-Welch from a first guess: for each sequence its own model.

    prior: pseudo-counts added to every row, so that what was never seen keeps a chance. With
    prior = 0 no round lowers the likelihood.
    """
    require(rounds >= 1 and prior >= 0, f"rounds = {rounds}, prior = {prior}: expected ≥ 1 and ≥ 0")
    bids = checked(bids, model)
    seen = np.eye(model.shows.shape[-1])[bids]
    for _ in range(rounds):
        ahead, behind, shown = forward(model, bids), backward(model, bids), _shown(model, bids)
        total = _sum(ahead[:, -1], axis=-1)[:, None, None]
        require(
            bool(np.isfinite(total).all()),
            "a sequence of bids is impossible under the model: give every row of `shows` and "
            "`moves` a chance above 0",
        )
        state = np.exp(ahead + behind - total)
        pairs = np.exp(
            ahead[:, :-1, :, None]
            + _log(model.moves)[..., None, :, :]
            + (shown + behind)[:, 1:, None, :]
            - total[..., None]
        )
        model = Model(
            _rows(state[:, 0] + prior),
            _rows(pairs.sum(axis=1) + prior),
            _rows(np.einsum("bts,btk->bsk", state, seen) + prior),
        )
    return model


# Losses -------------------------------------------------------------------------------------------


def log_loss(predicted: np.ndarray, bids: np.ndarray) -> np.ndarray:
    """−log p of what came, (batch, T). predicted (batch, T or more, K) in logarithms."""
    upto = predicted[:, : bids.shape[1]]
    return np.asarray(-np.take_along_axis(upto, bids[..., None], axis=-1)[..., 0])


def marginal(train: np.ndarray, length: int, levels: int, *, prior: float = 0.1) -> np.ndarray:
    """The baseline that always says how often each bid came, (batch, length, K) in logarithms."""
    counts = np.eye(levels)[train].sum(axis=1) + prior
    return np.repeat(np.log(_rows(counts))[:, None], length, axis=1)


def persistence(
    train: np.ndarray, bids: np.ndarray, levels: int, *, prior: float = 0.1
) -> np.ndarray:
    """The baseline that says the last bid again, with the probability with which bids of `train`
    were repeated, and any other equally; (batch, T, K) in logarithms. The last bid before the first
    of `bids` is the last of `train`."""
    again = (train[:, 1:] == train[:, :-1]).sum(axis=1)
    kept = ((again + prior) / (train.shape[1] - 1 + 2 * prior))[:, None, None]
    last = np.concatenate([train[:, -1:], bids[:, :-1]], axis=1)
    same = np.eye(levels)[last] > 0
    return np.log(np.where(same, kept, (1 - kept) / max(levels - 1, 1)))


def after(model: Model, train: np.ndarray, bids: np.ndarray) -> np.ndarray:
    """Forecasts of each of `bids`, which follow `train`, (batch, T, K) in logarithms."""
    whole = np.concatenate([train, bids], axis=1)
    return forecast(model, whole)[:, train.shape[1] : -1]


def checked(bids: np.ndarray, model: Model) -> np.ndarray:
    """Sequences (batch, T ≥ 1) of integers below K; InputError otherwise."""
    bids, levels = np.asarray(bids), model.shows.shape[-1]
    require(
        bids.ndim == 2 and bids.shape[1] >= 1 and np.issubdtype(bids.dtype, np.integer),
        f"bids of shape {bids.shape} and type {bids.dtype}: expected integers, (batch, T)",
    )
    require(
        bool(((bids >= 0) & (bids < levels)).all()),
        f"bids from {bids.min(initial=0)} to {bids.max(initial=0)}: expected levels from 0 to "
        f"{levels - 1}",
    )
    return bids


def _shown(model: Model, bids: np.ndarray) -> np.ndarray:
    """log B(j, o_t), (batch, T, S)."""
    shows = np.broadcast_to(
        np.swapaxes(_log(model.shows), -1, -2),
        (len(bids), model.shows.shape[-1], model.shows.shape[-2]),
    )
    return np.asarray(np.take_along_axis(shows, bids[..., None], axis=1))


def _rows(counts: np.ndarray) -> np.ndarray:
    """Rows of probabilities; a row in which nothing was counted is uniform."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1), 1 / counts.shape[-1])


def _log(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def _sum(logs: np.ndarray, axis: int) -> np.ndarray:
    """log Σ exp."""
    return np.asarray(np.logaddexp.reduce(logs, axis=axis))
