"""A seller's reputation while it is honest, and after it turns: figure 3 of `madda`.

    python -m benchmarks.reputation [--out docs/figures]

One transaction per unit of time. An honest seller provides what is required, a malicious one a
share of it, each resource's own. The reputation is eq. 5's Σ_a λ(a) E(a) over everything so far,
the first 0.5 at time 0 included; what differs is the weights λ, which add to 1:

    freshness   eq. 4, exp(−ξ (now − t)), divided by its sum
    equal       no freshness: every transaction counts the same
    random      uniform draws, divided by their sum, anew at every update

After a honest transactions equal weights are at (a + ½)/(a + 1), and freshness, with q = exp(−ξ),
at 1 − ½ q^a (1 − q)/(1 − q^(a+1)).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from learners import store
from mechkit.papers.madda import market
from mechkit.papers.madda.market import PAPER
from mechkit.pictures import keep, sheet

HONEST, MALICIOUS = 20, 20
"""Transactions before and after the seller turns."""
SHARE = (0.1, 0.5)
"""Of what is required, by a malicious seller."""
SCHEMES = ("freshness", "equal", "random")


def reputations(
    seed: int, sellers: int, *, honest: int = HONEST, malicious: int = MALICIOUS
) -> dict[str, np.ndarray]:
    """By scheme: (sellers, 1 + honest + malicious), at first and after each transaction."""
    rng, many = np.random.default_rng(seed), honest + malicious
    asked = rng.uniform(*PAPER.resources, (sellers, many, 3))
    provided = asked * rng.uniform(*SHARE, asked.shape)
    provided[:, :honest] = asked[:, :honest]
    evaluations = market.weighted_evaluation(market.feedback(asked, provided), np.full(3, 1 / 3))
    first = np.full((sellers, 1), PAPER.first_reputation)
    known, times = np.concatenate([first, evaluations], axis=-1), np.arange(many + 1.0)
    found = {name: np.empty((sellers, many + 1)) for name in SCHEMES}
    for now in range(many + 1):
        past = times[: now + 1]
        weights = {
            "freshness": market.freshness(past, float(now), PAPER.decay),
            "equal": np.ones_like(past),
            "random": rng.random((sellers, now + 1)),
        }
        for name, of in weights.items():
            found[name][:, now] = market.reputation(market.normalised(of), known[:, : now + 1])
    return found


def first_time(curve: np.ndarray, level: float, *, above: bool) -> int:
    """The first transaction at which the mean reputation is beyond the level; −1 for never."""
    beyond = curve.mean(axis=0) >= level if above else curve.mean(axis=0) < level
    return int(np.argmax(beyond)) if beyond.any() else -1


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reputation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sellers", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    found = reputations(options.seed, options.sellers)
    columns = {name: curve.mean(axis=0) for name, curve in found.items()}
    about = {
        "seed": options.seed,
        "sellers": options.sellers,
        "decay": PAPER.decay,
        "turns": HONEST,
    }
    store.write_table(options.out / "reputation.parquet", columns, about)
    figure = sheet(6, 3.6)
    panel = figure.subplots()
    for name, style in zip(SCHEMES, ("-", "--", ":"), strict=True):
        low, high = np.quantile(found[name], [0.025, 0.975], axis=0)
        panel.plot(columns[name], style, label=f"{name} weights")
        panel.fill_between(range(len(low)), low, high, alpha=0.15, linewidth=0)
    panel.axvline(HONEST, color="#5a6472", linewidth=0.8)
    panel.set_xlabel(f"transactions; malicious after {HONEST}")
    panel.set_ylabel("reputation, mean and 95 % of sellers")
    panel.grid(alpha=0.25)
    panel.legend()
    keep(figure, options.out / "reputation.png", dpi=110)
    least = PAPER.least_reputation[0]
    for name, curve in found.items():
        rises = first_time(curve[:, : HONEST + 1], 0.9, above=True)
        falls = first_time(curve[:, HONEST:], least, above=False)
        told = "not after any" if falls < 0 else f"after {falls}"
        print(
            f"{name}: 0.9 after {rises} honest transactions; below {least:g} {told} of "
            f"{MALICIOUS} malicious ones"
        )


if __name__ == "__main__":
    main()
