"""What is shared: a divisible resource in parts, a public project by all at once.

A share rule x_i(r) is truthful iff it does not fall in r_i and the payment is Myerson's,
r_i x_i(r) − ∫_0^{r_i} x_i(z, r_−i) dz. A project of cost c that all pay for equally is worth
v_i = θ_i − c/n to agent i; Clarke's tax makes truth dominant and leaves a surplus, and may ask more
of an agent who is against the project than it bargained for (Clarke 1971; Green & Laffont 1979).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import PROJECT, SHARES, entry, one_hot, ruled
from mechkit.constructors import divisible, public_project
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Public, Setting

# A divisible resource -----------------------------------------------------------------------------


def resource() -> Setting:
    return divisible(3)


def in_proportion(reports: Array) -> Array:
    """x_i = r_i / Σ_j r_j, and nothing to anybody where all report 0."""
    total = reports.sum(axis=-1, keepdims=True)
    return (reports / np.where(total > 0, total, 1))[..., None]


def equal_shares(reports: Array) -> Array:
    return (np.ones_like(reports) / reports.shape[-1])[..., None]


def own_part(reports: Array) -> Array:
    """x_i = r_i / n for values in [0, 1]: what others report does not matter."""
    return (reports / reports.shape[-1])[..., None]


def nothing(reports: Array, allocation: Array) -> Array:
    return np.zeros_like(reports)


def own_bid(reports: Array, allocation: Array) -> Array:
    return reports * 1


MANIPULABLE = "ic ex_post_nash strong_group_ic collusion_proof false_name_proof"

DIVISIBLE = (
    ruled(
        "equal-shares", resource, equal_shares, nothing, "false_name_proof efficient",
        "folklore: ignores the reports", of=SHARES,
        false_name_proof="two of four equal parts are more than one of three",
        strong_budget_balance="nobody pays",
    ),
    ruled(
        "quadratic-menu", resource, own_part, lambda r, x: r * r / (2 * r.shape[-1]),
        "strong_budget_balance false_name_proof revenue_monotone adverse_selection_free efficient",
        "Myerson 1981: x_i = r_i/n, p_i = r_i²/2n", of=SHARES,
        envy_free="all choose from one menu", collusion_proof="nobody moves anybody else",
        false_name_proof="with n agents the truth is worth v²/2n, as two of n + 1 v²/(n + 1)",
        revenue_monotone="(1, 1, 1) earns 1/2; with a fourth report of 0 only 3/8",
        adverse_selection_free="the shares scale with the reports",
    ),
    ruled(
        "kelly-proportional", resource, in_proportion, own_bid,
        f"{MANIPULABLE} ir strong_budget_balance envy_free group_ic efficient",
        "Kelly 1997; Johari & Tsitsiklis 2004: reports are what one pays, here one's value",
        of=SHARES, faulty=True,
        ir="(1, 1, 0): agent 0 pays 1 for a half",
        envy_free="(1, 1, 0): agent 0 would rather have nothing, and pay nothing",
        non_bossy="every change of a report changes the own payment",
        group_ic="(1, 1, 0): agents 0 and 1 report 1/2: the same halves at half the price",
    ),
    ruled(
        "proportional-for-free", resource, in_proportion, nothing,
        f"{MANIPULABLE} envy_free group_ic efficient", "planted in kelly-proportional: nobody pays",
        of=SHARES, faulty=True, ic="(1/2, 1/2, 0): agent 0 reports 1",
        group_ic="(1/2, 1/2, 1/2): agents 0 and 1 report 1: 2/5 each, not 1/3",
        non_bossy="the own share is unchanged only where there is nobody else to share with",
    ),
    ruled(
        "own-part-pay-as-bid", resource, own_part, lambda r, x: r * x[..., 0],
        f"{MANIPULABLE} strong_budget_balance envy_free group_ic revenue_monotone "
        "adverse_selection_free efficient",
        "planted in quadratic-menu: r_i x_i(r), the integral forgotten", of=SHARES, faulty=True,
        ic="(1, 0, 0): agent 0 reports 1/2 and gains 1/12",
        group_ic="(1, 1, 0): agents 0 and 1 report 1/2",
        envy_free="(1, 1/2, 0): agent 0 gains 1/12 from the part of agent 1",
        revenue_monotone="(1, 1, 1) earns 1; with a fourth report of 0 only 3/4",
    ),
)  # fmt: skip


# A public project ---------------------------------------------------------------------------------

COST = 1.5


def project() -> Setting:
    return public_project(3, COST)


def share(reports: Array) -> float:
    """What each agent contributes if the project is built."""
    return COST / reports.shape[-1]


def efficient(reports: Array) -> Array:
    """Build where the values cover the cost."""
    return reports.sum(axis=-1) >= COST


def by_vote(passes: Callable[[Array, int], Array]) -> Callable[[Array], Array]:
    """Build where passes(number of agents in favour, number of agents)."""
    return lambda reports: passes(((reports >= share(reports)) * 1).sum(axis=-1), reports.shape[-1])


def clarke_tax(reports: Array, built: Array, *, borne: Callable[[Array], float] = share) -> Array:
    """max(0, V_−i) where it is not built, max(0, −V_−i) where it is; V_−i = Σ_{j≠i} (r_j − c/n).

    borne: the part of the cost that agent i bears already when it turns the decision to yes.
    """
    others = reports.sum(axis=-1, keepdims=True) - reports
    for_it = others - (COST - share(reports))
    against_it = COST - borne(reports) - others
    return np.maximum(np.where(built[..., None], against_it, for_it), 0)


def dictatorship(setting: Setting) -> Mechanism:
    """A public coin names the agent who decides."""
    n = setting.agents
    drawn = public_project(n, COST).with_public(dictator=Lottery(draws=np.arange(n)))

    def allocate(reports: Array, public: Public) -> Array:
        return (one_hot(public["dictator"], n) & (reports >= share(reports))).any(axis=-1)

    def pay(reports: Array, allocation: Array, public: Public) -> Array:
        return np.zeros_like(reports)

    return Mechanism(drawn, allocate, pay, name="random dictator", rebuild=dictatorship)


TAXED = (
    "ir strong_budget_balance non_bossy group_ic strong_group_ic collusion_proof revenue_monotone "
    "adverse_selection_free"
)
VOTED: dict[str, Any] = {
    "of": PROJECT,
    "adverse_selection_free": "who is in favour depends on the scale",
    "strong_budget_balance": "nobody pays on top of the equal shares",
}

PUBLIC = (
    ruled(
        "clarke-project", project, efficient, clarke_tax, TAXED,
        "Clarke 1971; Green & Laffont 1979", of=PROJECT,
        ir="(0, 1, 1): it is built, which costs agent 0 its share",
        group_ic="(0.6, 0.6, 0): agents 0 and 1 report 1: it is built, and neither is pivotal",
        revenue_monotone="(0.8, 0.6, 0.15): agent 0 pays 1/4; agent 1 reports 1: it pays 0",
        efficient="Σ θ = c: built or not, the welfare is 0",
    ),
    entry(
        "clarke-project-groves",
        lambda: Mechanism.groves(project(), name="Clarke's pivot for a project"), TAXED,
        "Clarke 1971; at a tie it is not built", of=PROJECT, ir="as for clarke-project",
    ),
    ruled(
        "majority-vote", project, by_vote(lambda yes, n: 2 * yes > n), nothing,
        "ir strong_group_ic collusion_proof adverse_selection_free efficient",
        "May 1952", **VOTED,
        ir="(0, 1, 1): it is built, which costs agent 0 its share",
        group_ic="two who both gain from the other outcome have voted for it already",
        strong_group_ic="(1/2, 1, 0): agent 0, who does not care, votes with agent 2",
        efficient="(1/2, 1/2, 0): two votes build what is worth 1 and costs 3/2",
    ),
    ruled(
        "unanimity", project, by_vote(lambda yes, n: yes >= n), nothing,
        "collusion_proof adverse_selection_free efficient",
        "Moulin 1994: conservative equal costs", **VOTED,
        ir="whoever is against it prevents it",
        strong_group_ic="no coalition can overrule a no from outside, and a no from inside loses",
        collusion_proof="(1/4, 1, 1/2): agents 0 and 1 agree to build",
        efficient="(1, 1, 1/4): one prevents it",
    ),
    entry(
        "random-dictator", lambda: dictatorship(project()),
        "ir efficient strong_group_ic collusion_proof adverse_selection_free",
        "Gibbard 1977", **VOTED,
        ir="(0, 1, 1): it is built with chance 2/3, which costs agent 0 1/3",
        strong_group_ic="(1/2, 1, 0): agent 0, who does not care, decides as agent 2 would",
        efficient="(1, 1, 1/4): it is not built if agent 2 is drawn",
    ),
    ruled(
        "contributions", project, efficient,
        lambda r, built: built[..., None] * (r - share(r)),
        "ic ex_post_nash strong_budget_balance no_positive_transfers group_ic strong_group_ic "
        "collusion_proof adverse_selection_free",
        "Samuelson 1954: everybody contributes its report", of=PROJECT, faulty=True,
        ic="(1, 1, 1): agent 0 reports 0 and rides free",
        no_positive_transfers="(1, 1, 0): agent 2 gets back its share, 1/2",
        non_bossy="where it is built every change of a report changes the own payment",
        revenue_monotone="the surplus is Σ r − c where it is built",
    ),
    ruled(
        "clarke-project-cost-twice", project, efficient,
        lambda r, built: clarke_tax(r, built, borne=lambda r: 0.0), f"{TAXED} ic ex_post_nash",
        "planted in clarke-project: the tax on a yes forgets the share that is paid anyway",
        of=PROJECT, faulty=True,
        ic="(0.8, 0.8, 0): agent 0 is taxed 0.7 on top of its share; reporting 0 it pays nothing",
        revenue_monotone="(0.8, 0.8, 0) earns 1.4; agent 0 reports 1: 1.2",
        group_ic="(0.8, 0.8, 0): agents 0 and 1 report 0",
    ),
)  # fmt: skip

ENTRIES: tuple[Entry, ...] = DIVISIBLE + PUBLIC
