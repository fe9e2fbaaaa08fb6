"""Small auctions with a menu of allocations, for search and proof.

The exponentials of eq. 39 leave no rational arithmetic, so here the provider can choose among
finitely many allocations, and a type is what each of them is worth to a VSP: any numbers in [0, 1],
those of eq. 39 among them up to scale. Reports are bids x_i of VoI currency; the truth is one's
value of information. Where Δ > 0 the noise of eq. 15 makes the allocation some other of the menu,
any one (`noise`). α_i = 1 and w_i = 0: both leave best replies as they are, and where a bid is
best for every member of a coalition it is so for any α.

Utility here is profit (eq. 6): value minus tax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.papers.dvcg.mechanism import levy, spread
from mechkit.settings import Array, Lottery, Public, Setting
from mechkit.spaces import box


def chosen(index: Array, menu: int) -> Array:
    """(batch,) -> (batch, menu): the allocation of that index, one-hot."""
    return np.arange(menu) == index[..., None]


def best(utilities: Array) -> Array:
    """Eq. 14, (batch, menu): the first allocation with the largest Σ_j u_j, one-hot.

    utilities (batch, N, menu)."""
    return chosen(np.argmax(utilities.sum(axis=1), axis=-1), utilities.shape[-1])


def worth(utilities: Array, allocation: Array) -> Array:
    """u_i of a one-hot allocation, (batch, N)."""
    return (utilities * allocation[:, None, :]).sum(axis=-1)


def without_each(utilities: Array) -> Array:
    """max_s Σ_{j≠i} u_j(s), (batch, N)."""
    others = utilities.sum(axis=1, keepdims=True) - utilities
    return np.max(others, axis=-1)


def auction(
    bids: Array,
    estimates: Array,
    bills: Array,
    star: Array,
    noise: Array,
    *,
    with_interest: bool = True,
) -> tuple[Array, Array]:
    """Eqs. 12–18 on a menu: (allocation (batch, menu), taxes (batch, N)).

    bids (batch, N); estimates (batch, N, menu): by which the others' welfare is judged; bills:
    those by which currency is lent; star: s* of eq. 14; noise (batch,): the allocation that comes
    of it where Δ > 0.
    """
    values = worth(bills, star)
    delta = spread(bids, values.sum(axis=-1, keepdims=True))
    shares = np.where(delta > 0, chosen(noise, star.shape[-1]), star) * 1
    levied = levy(
        bids,
        values,
        without_each(estimates),
        worth(estimates, shares),
        with_interest=with_interest,
    )
    return shares, levied.taxes


def one_of(allocation: Array) -> Array:
    """The slack of a choice from a menu: a share of each of at least 0, and one in all."""
    x = allocation * 1
    return np.concatenate([x, -np.abs(1 - x.sum(axis=-1, keepdims=True))], axis=-1)


LEAST_VALUE, LEAST_BID = Fraction(1, 4), Fraction(1, 8)
"""On a menu every utility and every bid is positive, so that no loan is 0/0."""


def menu_setting(
    vsps: int,
    menu: int,
    *,
    truthful: Callable[..., Array] | None,
    public: Mapping[str, Any],
) -> Setting:
    """VSPs with a utility in [1/4, 1] of every allocation of a menu, (batch, vsps, menu); reports
    are one bid each, or, where truthful is None, utilities."""
    return Setting(
        name=f"{vsps} VSPs, a menu of {menu}",
        types=box(vsps, menu, low=LEAST_VALUE),
        allocation_shape=(menu,),
        value=lambda types, allocation, *, public=None: worth(types, allocation * 1),
        slack=one_of,
        roles=("VSP",) * vsps,
        personal=False,
        reports=None if truthful is None else box(vsps, low=LEAST_BID, high=2),
        truthful=truthful,
        public=public,
        outcomes=lambda: np.eye(menu, dtype=int),
    )


def menu_auction(
    vsps: int, menu: int, *, estimated: bool = False, name: str = "DVCG on a menu"
) -> Mechanism:
    """DVCG. estimated: the estimates of utilities are any numbers in [1/4, 1]; exact by default."""

    def truthful(types: Array, *, public: Public) -> Array:
        return worth(types, best(public["estimates"]))

    def outcome(bids: Array, *, public: Public) -> tuple[Array, Array]:
        estimates = public["estimates"]
        star = best(estimates)
        return auction(bids, estimates, estimates, star, public["noise"])

    public = {
        "noise": Lottery(draws=range(menu), every=True),
        "estimates": box(vsps, menu, low=LEAST_VALUE) if estimated else lambda types: types,
    }
    return Mechanism.from_outcome(
        menu_setting(vsps, menu, truthful=truthful, public=public), outcome, name=name
    )


def taught(
    vsps: int, menu: int, *, outsiders: int, with_interest: bool = True, name: str
) -> Mechanism:
    """Where bids teach the estimates (eq. 27 rewards the provider by them): after many rounds it
    knows what each VSP bids for each allocation, and takes that for its utility in eqs. 14 and 17.

    Reports are those bids, (batch, vsps, menu). The bank lends and asks for interest by the true
    utilities, which it sees in the bills (eq. 35), and the spread is that of bids above them.
    `outsiders` bid their utilities.
    """

    def together(agents: Array, public: Public) -> Array:
        return np.concatenate([agents, public["outsiders"]], axis=1)

    def outcome(reports: Array, *, public: Public) -> tuple[Array, Array]:
        said, true = together(reports, public), together(public["bills"], public)
        star = best(said)
        shares, taxes = auction(
            worth(said, star), said, true, star, public["noise"], with_interest=with_interest
        )
        return shares, taxes[:, :vsps]

    public = {
        "noise": Lottery(draws=range(menu), every=True),
        "bills": lambda types: types,
        "outsiders": box(outsiders, menu, low=LEAST_VALUE),
    }
    return Mechanism.from_outcome(
        menu_setting(vsps, menu, truthful=None, public=public), outcome, name=name
    )


def vcg(vsps: int, menu: int) -> Mechanism:
    """VCG on a menu: reports are utilities (eqs. 1 and 2)."""
    return Mechanism.groves(menu_setting(vsps, menu, truthful=None, public={}), name="VCG")


# Any utilities ------------------------------------------------------------------------------------


def any_auction(
    vsps: int, *, outsiders: int = 0, with_interest: bool = True, name: str = "DVCG"
) -> Mechanism:
    """DVCG for any utilities whatever, known exactly, by the few numbers that its rules see.

    A type is a value of information U*_j in [0, 1]. Public are `change` (1, N), what noise does to
    the utilities, u_j(s̃_j) = U*_j + change_j where Δ > 0, with Σ_j change_j ≤ 0 since s* is best;
    and `room` (N,): max_s Σ_{j≠i} u_j(s_j) is Σ_{j≠i} U*_j + min(room_i, U*_i), since it is no
    less than the others have at s*, and no more than SW*. Utilities of any form, those of eq. 39
    too, give such numbers, and what holds for all of these holds for them. An allocation is
    (1, 0) for s* and (0, 1) for s̃. `outsiders` bid their values of information.
    """
    crowd = vsps + outsiders

    def everybody(types: Array, public: Public) -> Array:
        return np.concatenate([types, public["outsiders"]], axis=1) if outsiders else types

    def after(values: Array, noisy: Array, public: Public) -> Array:
        return values + noisy * public["change"][:, 0]

    def outcome(bids: Array, *, public: Public) -> tuple[Array, Array]:
        values = everybody(public["estimates"], public)
        if outsiders:
            bids = np.concatenate([bids, public["outsiders"]], axis=1)
        most = values.sum(axis=-1, keepdims=True)
        noisy = spread(bids, most) > 0
        without = most - values + np.minimum(public["room"], values)
        levied = levy(
            bids, values, without, after(values, noisy, public), with_interest=with_interest
        )
        return np.concatenate([~noisy, noisy], axis=-1), levied.taxes[:, :vsps]

    def value(types: Array, allocation: Array, *, public: Public) -> Array:
        return after(everybody(types, public), allocation[:, 1:], public)[:, :vsps]

    public: dict[str, Any] = {
        "estimates": lambda types: types,
        "change": box(1, crowd, low=-1, constraints=([[1] * crowd], [0])),
        "room": box(crowd),
    }
    if outsiders:
        public["outsiders"] = box(outsiders)
    setting = Setting(
        name=f"{crowd} VSPs of any utilities",
        types=box(vsps),
        allocation_shape=(2,),
        value=value,
        slack=one_of,
        roles=("VSP",) * vsps,
        personal=False,
        reports=box(vsps, high=2),
        truthful=lambda types, *, public: types * 1,
        public=public,
    )
    return Mechanism.from_outcome(setting, outcome, name=name)


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "dvcg": lambda: any_auction(3),
    "colluders": lambda: any_auction(2, outsiders=1, name="DVCG, two of three"),
    "everybody": lambda: any_auction(2, name="DVCG, two of two"),
    "nvi-colluders": lambda: any_auction(
        2, outsiders=1, with_interest=False, name="NVI-DVCG, two of three"
    ),
    "dvcg-menu": lambda: menu_auction(3, 2),
    "dvcg-estimates": lambda: menu_auction(2, 2, estimated=True, name="DVCG by estimates"),
    "dvcg-taught": lambda: taught(2, 2, outsiders=1, name="DVCG by bids, two of three"),
    "nvi-taught": lambda: taught(
        2, 2, outsiders=1, with_interest=False, name="NVI-DVCG by bids, two of three"
    ),
    "vcg": lambda: vcg(3, 3),
}
