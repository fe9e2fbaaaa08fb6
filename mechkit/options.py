"""Options that several commands share, with the same names and the same meaning."""

from __future__ import annotations

import math
from pathlib import Path

import click


def finite(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """A positive, finite number of seconds, or nothing."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not a positive, finite number of seconds")
    return value


JSON = click.option("--json", "json_", is_flag=True, help="One JSON document on stdout instead.")
SEED = click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True)
SECONDS = click.option(
    "--seconds", type=float, metavar="S", callback=finite, help="Time to spend; 2 s if not said."
)
EVALUATIONS = click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs of the rules to spend; the result then depends on the seed alone.",
)
WORKERS = click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="One per core if not said."
)
SAVE = click.option(
    "--save", type=click.Path(path_type=Path), metavar="DIR", help="Write the results there, too."
)
