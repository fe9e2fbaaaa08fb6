"""Commitment as one mixed-integer program in Pyomo, as it is printed: DOBSS.

Followers of type t appear with probability p_t. With x the leader's mixture, q_tk = 1 where type t
replies k, a_t what it then gets, and z_tik = x_i q_tk,

    max Σ_t p_t Σ_ik R_tik z_tik
        Σ_ik z_tik = 1,   Σ_k z_tik = x_i,   q_tk = Σ_i z_tik,
        0 ≤ a_t − Σ_i C_tik x_i ≤ (1 − q_tk) M_t,   x, z ≥ 0, q whole,

so ties are broken for the leader. It shares no more with `commitment` than the tables, so that the
two can be compared, and it grows with the sum of the types' actions and not with their product.

Source: Paruchuri et al., "Playing games for security: an efficient exact algorithm for solving
Bayesian Stackelberg games" (2008), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from solvers.commitment import read_types
from solvers.modelling import pyomo

__all__ = ["commitment_model"]


def commitment_model(leader: Sequence[Any], followers: Sequence[Any], probabilities: Any) -> Any:
    """A pyomo.environ.ConcreteModel: x[i], q[t, k], z[t, i, k], objective `best`.

    Arguments as those of `harsanyi`: per type tables (m, n_t), probabilities (types,); one type of
    probability 1 is the game of `commitment`. Solve it with `solvers.modelling.solved`.

    Raises ValueError as `harsanyi` does, whatever the number of replies, ImportError without Pyomo.
    """
    pyo = pyomo()
    types = read_types(leader, followers, probabilities)
    tables = [(mine.astype(float), theirs.astype(float)) for mine, theirs, _ in types]
    p = [float(chance) for *_, chance in types]
    actions = range(len(tables[0][0]))
    replies = [(t, k) for t, (mine, _) in enumerate(tables) for k in range(mine.shape[1])]
    kinds = range(len(tables))
    own = {t: [k for s, k in replies if s == t] for t in kinds}

    m = pyo.ConcreteModel()
    m.x = pyo.Var(actions, bounds=(0, 1))
    m.q = pyo.Var(replies, within=pyo.Binary)
    m.z = pyo.Var([(t, i, k) for t, k in replies for i in actions], bounds=(0, 1))
    m.a = pyo.Var(kinds)

    def behind(t: int, k: int) -> Any:
        """By how much reply k falls short of what type t gets."""
        return m.a[t] - sum(float(tables[t][1][i, k]) * m.x[i] for i in actions)

    big = [float(np.ptp(theirs)) for _, theirs in tables]
    m.one = pyo.Constraint(
        kinds, rule=lambda m, t: sum(m.z[t, i, k] for i in actions for k in own[t]) == 1
    )
    m.mixture = pyo.Constraint(
        kinds, actions, rule=lambda m, t, i: sum(m.z[t, i, k] for k in own[t]) == m.x[i]
    )
    m.reply = pyo.Constraint(
        replies, rule=lambda m, t, k: sum(m.z[t, i, k] for i in actions) == m.q[t, k]
    )
    m.least = pyo.Constraint(replies, rule=lambda m, t, k: behind(t, k) >= 0)
    m.most = pyo.Constraint(replies, rule=lambda m, t, k: behind(t, k) <= (1 - m.q[t, k]) * big[t])
    m.best = pyo.Objective(
        expr=sum(
            p[t] * float(tables[t][0][i, k]) * m.z[t, i, k] for t, k in replies for i in actions
        ),
        sense=pyo.maximize,
    )
    return m
