"""Affine maximisers: what follows from maximising Σ_j w_j v_j + c with Groves payments.

The rule picks x* ∈ argmax_k W_k, W_k(r) = Σ_j w_j v_j(r_j, x_k) + c_k, among listed outcomes x_k,
and asks p_i = (h_i(r_−i) − Σ_{j≠i} w_j v_j(r_j, x*) − c*) / w_i with w_i > 0 (Vickrey 1961; Clarke
1971; Groves 1973; Roberts 1979). Any way to choose among equals will do. All below rests on

    u_i(θ_i; r) = v_i(θ_i, x*) − p_i = (W_{x*(r)}(θ_i, r_−i) − h_i(r_−i)) / w_i.            (1)

- ic, ex_post_nash: at the truth x* maximises W(θ_i, r_−i), and a report moves (1) by x* alone.
- cyclic_monotone: of the agent's types θ^1, …, θ^m, each has W_{x(θ^k)} ≥ W_{x(θ^{k+1})} at θ^k.
  Summed over the cycle the others' terms and c cancel; divide by w_i > 0 (Rochet 1987). Any m.
- monotone: where v_i = ±θ_i q_i + constant, the two-cycle says (±θ ∓ θ')(q(θ) − q(θ')) ≥ 0.
- ir, with Clarke's pivot h_i = max_{k ∈ A_i} (W_k − w_i v_i): let k reach it. By (1)
  w_i u_i ≥ W_k − (W_k − w_i v_i(θ_i, x_k)) = w_i v_i(θ_i, x_k), so v_i ≥ 0 on A_i is enough,
  whatever the weights and boosts are. A_i are all outcomes; where there are sellers, those in which
  i is idle.
- no_positive_transfers, weak_budget_balance: p_i ≥ 0 where x* is among A_i, over which h_i is the
  maximum, and also where A_i has an outcome at which the others have at least what they have at x*.
- critical_payment, for v_i = ±θ_i q_i, q_i ∈ {0, 1}, with ir as above and A_i ∋ all k with q_i = 0.
  A loser has w_i p_i = h_i − W_{x*} with W_{x*} = max W ≥ h_i as v_i ≥ 0 on A_i, and ≤ as x* ∈ A_i:
  it pays 0. A winner's price is at most each winning report r_i: u_i ≥ 0 for the type r_i, and the
  price is the same for all winning reports, by ic. It is at least each losing one, by ic again.
- feasible: x* is listed, and each listed outcome keeps every constraint.
- bic, interim_ir: what holds at every profile holds in expectation, whatever the prior is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.prove.reading import need, read, unread
from mechkit.settings import Setting

MOST = 250_000
"""How many numbers (outcomes² × agents) the comparison of all outcomes may have."""

SOURCE = "Groves 1973; Roberts 1979"
STATEMENT = (
    "The rule picks the listed outcome with the highest weighted sum of the reported values (plus "
    "a boost), and an agent pays an amount that its report does not move, less what the others and "
    "the boost make of the outcome, in units of its own weight. So its utility is, but for an "
    "amount that it cannot move, that very sum, which the rule maximises for it if it is truthful."
)
_EXPECTED = "It holds at every profile, and so in expectation under any prior."
BECAUSE = {
    "ic": "No report can do better than the one that has the sum maximised at the true type.",
    "ex_post_nash": "Truth is best against all reports of the others, so also against the truth.",
    "bic": _EXPECTED,
    "cyclic_monotone": "Summed over a cycle of any length, the others' values and boosts cancel, "
    "and what is left is the own weight times the sum in question (Rochet 1987).",
    "monotone": "The cycle of two types: a higher type never gets less than a lower one.",
    "ir": "The utility is at least the value of the outcome that the pivot is taken at, which is "
    "nowhere negative.",
    "interim_ir": _EXPECTED,
    "no_positive_transfers": "The pivot is a maximum over all outcomes, also the chosen one, or "
    "over some of them of which one leaves the others at least what the chosen one does.",
    "weak_budget_balance": "Nobody's payment is negative: the pivot is a maximum over all "
    "outcomes, also the chosen one, or over some of which one leaves the others no less.",
    "critical_payment": "A loser's pivot is what the others have at the chosen outcome. A winner's "
    "price does not depend on its report, is no more than any type that wins (it is not worse off) "
    "and no less than any type that loses (which would else report to win).",
    "feasible": "The chosen outcome is one of the listed ones.",
}


def left_out(setting: Setting, listed: np.ndarray) -> np.ndarray:
    """The outcomes that Clarke's pivot ranges over, bool (k, agents): all; in a market, a setting
    with sellers, those in which the agent is idle, where there are any."""
    k, n = len(listed), setting.agents
    everything = np.ones((k, n), dtype=bool)
    if not (setting.personal and setting.sellers.any()):
        return everything
    idle = ~(listed.reshape(k, n, -1) != 0).astype(bool).any(axis=-1)
    return np.where(idle.any(axis=0), idle, everything)


class Maximiser:
    """The terms of a rule that was declared an affine maximiser, seen to be one.

    numbers: the outcomes, Fractions (k, *allocation_shape). table: v_i(r_i, x_k), (1, k, agents).
    worth: its terms, (k, agents). pivoted: over which outcomes Clarke's pivot ranges, (k, agents).
    """

    def __init__(self, mechanism: Mechanism, structure: Mapping[str, Any]) -> None:
        self.setting = setting = mechanism.setting
        n = setting.agents
        need(len(structure["outcomes"]) ** 2 * n <= MOST, "too many outcomes to compare as terms")
        self.reading = reading = read(mechanism)
        listed = reading.constant(structure["outcomes"])
        w, c = reading.constant(structure["weights"]), reading.constant(structure["boosts"])
        k = len(listed)
        if listed.shape != (k, *setting.allocation_shape) or w.shape != (n,) or c.shape != (k,):
            unread("outcomes, weights or boosts of another shape than this setting's")
        self.numbers = reading.numbers(listed)
        need((reading.numbers(w) > 0).all(), "a weight is not positive")
        reports = reading.reports
        rows = [reading.worth(reports, listed[j : j + 1]) for j in range(k)]
        self.table = table = np.stack(rows, axis=1)
        self.worth = np.array(reading.reals(table), dtype=object).reshape(k, n)
        for i in range(n):
            need(
                reading.seen(self.worth[:, i]) <= {i},
                f"the value of agent {i} depends on the reports of others",
            )
        self.pivoted = left_out(setting, self.numbers)
        self.clarke = isinstance(structure["h"], str) and structure["h"] == "Clarke pivot"
        weighted = table * w
        welfare = weighted.sum(axis=-1) + c
        self.others = others = welfare[..., None] - weighted
        if self.clarke:
            pivots = [np.max(others[:, self.pivoted[:, i], i], axis=-1) for i in range(n)]
        else:
            pivots = [structure["h"](reports, i) for i in range(n)]
        for i, pivot in enumerate(pivots):
            need(
                i not in reading.seen(reading.reals(pivot)),
                f"the Groves term of agent {i} depends on its own report",
            )
        best = np.argmax(welfare, axis=-1)
        chosen = (best[:, None] == np.arange(k))[..., None]
        allocation = (chosen * listed.reshape(k, -1)).sum(axis=1)
        need(
            reading.same(reading.allocation, allocation),
            "the allocation is not the declared maximiser",
        )
        payments = (np.stack(pivots, axis=-1) - (chosen * others).sum(axis=1)) / w
        need(reading.same(reading.payments, payments), "the payments are not the declared ones")

    def form(self) -> str:
        n, k = self.setting.agents, len(self.numbers)
        pivot = "Clarke's pivot" if self.clarke else "the declared Groves terms"
        return (
            f"the rule's terms are those of the maximiser over the {k} declared outcomes, with "
            f"{n} weights, all positive, and {pivot}; no agent's value sees another's report, and "
            "no agent's Groves term sees its own"
        )

    def bounded(self) -> str:
        for term in (*self.worth.flat, *self.reading.reals(self.reading.payments)):
            self.reading.bounds(term)
        return "values and payments are bounded, so that expectations exist"

    def pivot(self) -> str:
        need(self.clarke, "the Groves terms are not Clarke's pivot")
        return "the Groves terms are Clarke's pivot"

    def harmless(self) -> str:
        for at, term in np.ndenumerate(self.worth):
            need(
                not self.pivoted[at] or self.reading.bounds(term)[0] >= 0,
                f"outcome {at[0]} may be worth less than nothing to agent {at[1]}",
            )
        return "no outcome that an agent's pivot ranges over is worth less than 0 to it"

    def _covers(self, agents: np.ndarray) -> None:
        """Every outcome that the pivot of one of the agents leaves out has one beside it, which it
        keeps, at which the others have at least as much at all types."""
        for i in agents.tolist():
            kept = np.flatnonzero(self.pivoted[:, i])
            for k in np.flatnonzero(~self.pivoted[:, i]).tolist():
                # The nearest outcomes first: what the agent leaves, others leave with it.
                apart = (self.numbers[kept] != self.numbers[k]).reshape(len(kept), -1).sum(axis=1)
                order = kept[np.argsort(apart, kind="stable")]
                need(
                    any(self.reading.bounds(self._gained(i, k, j))[0] >= 0 for j in order),
                    f"the pivot of agent {i} leaves out outcome {k}, at which the others may have "
                    "more than at those that it keeps",
                )

    def _gained(self, i: int, k: int, j: int) -> Any:
        """The term: what the others have at outcome j beyond what they have at k."""
        gained = self.others[:, j, i] - self.others[:, k, i]
        (term,) = self.reading.reals(gained)
        return term

    def everywhere(self) -> str:
        self._covers(np.arange(self.setting.agents))
        return "every agent's pivot is at least what the others have at any outcome"

    def buyers_everywhere(self) -> str:
        self._covers(np.flatnonzero(~self.setting.sellers))
        return "every buyer's pivot is at least what the others have at any outcome"

    def quantities(self) -> np.ndarray:
        """q_i(x_k), Fractions (k, agents)."""
        need(self.setting.quantity is not None, "the setting has several parameters")
        q = self.setting.quantity(self.reading.constant(self.numbers))  # type: ignore[misc]
        need(q.shape == self.pivoted.shape, "quantities are not one per agent")
        return self.reading.numbers(q)

    def _rests(self) -> list[Any]:
        """v_i − (±θ_i q_i), (k · agents) terms."""
        signs = np.where(self.setting.sellers, -1, 1)
        need(self.setting.types.coordinates == (), "types are not single numbers")
        slopes = self.reading.constant(self.quantities() * signs)
        return self.reading.reals(self.table - slopes * self.reading.reports)

    def straight(self) -> str:
        need(
            not self.reading.seen(self._rests()),
            "a value is not the type times the quantity plus a constant",
        )
        return "every value is ± the type times the quantity, plus a constant"

    def proportional(self) -> str:
        need(
            all(rest == 0 for rest in self._rests()),
            "a value is not the type times the quantity",
        )
        need(
            all(q in (0, 1) for q in self.quantities().flat),
            "a quantity is neither 0 nor 1",
        )
        return "every value is ± the type times the quantity, which is 0 or 1"

    def losers_pivot(self) -> str:
        need(
            self.pivoted[self.quantities() == 0].all(),
            "the pivot of an agent leaves out an outcome in which it gets nothing",
        )
        return "every agent's pivot ranges over all outcomes in which it gets nothing"

    def listed(self) -> str:
        slack = self.reading.numbers(self.setting.slack(self.reading.constant(self.numbers)))
        need((slack >= 0).all(), "a listed outcome is not feasible")
        return "every declared outcome keeps every constraint of the setting, in rationals"


CONSEQUENCES: dict[str, tuple[Any, ...]] = {
    "ic": (),
    "ex_post_nash": (),
    "bic": (Maximiser.bounded,),
    "cyclic_monotone": (),
    "monotone": (Maximiser.straight,),
    "ir": (Maximiser.pivot, Maximiser.harmless),
    "interim_ir": (Maximiser.pivot, Maximiser.harmless, Maximiser.bounded),
    "no_positive_transfers": (Maximiser.pivot, Maximiser.buyers_everywhere),
    "weak_budget_balance": (Maximiser.pivot, Maximiser.everywhere),
    "critical_payment": (
        Maximiser.pivot,
        Maximiser.harmless,
        Maximiser.proportional,
        Maximiser.losers_pivot,
    ),
    "feasible": (Maximiser.listed,),
}
"""By property: the conditions to be checked beyond the form of the rule."""
