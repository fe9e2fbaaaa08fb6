"""The papers' markets as environments: by name, for learners, Gymnasium and the command line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from learners.environment import Environment
from mechkit.errors import require

ENVIRONMENTS: Mapping[str, str] = {
    "dmsb": "mechkit.papers.dmsb.environment:Dmsb",
    "madda": "mechkit.papers.madda.environment:Madda",
}
"""By name: the module, imported when the environment is first wanted, and the class in it."""


def environment(name: str, **options: Any) -> Environment:
    """The environment of that name; options: sizes and choices, as its class takes them."""
    require(name in ENVIRONMENTS, f"{name!r}: expected one of {', '.join(ENVIRONMENTS)}")
    module, attribute = ENVIRONMENTS[name].split(":")
    found: Environment = getattr(importlib.import_module(module), attribute)(**options)
    return found


def register() -> None:
    """Gymnasium calls this when it is imported: `gymnasium.make("mechkit/Dmsb-v0")` then works."""
    import gymnasium

    for name in ENVIRONMENTS:
        gymnasium.register(
            id=f"{name.capitalize()}-v0",
            entry_point="learners.adapters.gym:one",
            vector_entry_point="learners.adapters.gym:many",
            kwargs={"make": "mechkit.environments:environment", "name": name},
        )
