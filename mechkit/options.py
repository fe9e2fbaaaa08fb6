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


def assignments(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE, once for each name; a hyphen in a name is an underscore."""
    options: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE, units=2 say")
        if name in options:
            raise click.BadParameter(f"{name} is given twice")
        options[name] = value.strip()
    return options


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
