"""The papers' markets in Gymnasium's registry, which importing this module fills.

    gymnasium.make("mechkit.gym:mechkit/Dmsb-v0")                       # nothing imported first
    gymnasium.make_vec("mechkit.gym:mechkit/Madda-v0", num_envs=1024)

Gymnasium imports the module before the colon. Since its version 1.0 it reads no entry points any
more, so that without the prefix this module must have been imported: `import mechkit.gym`, then
`gymnasium.make("mechkit/Dmsb-v0")`. Options of the market (`stations=4`) and of the adapter
(`actions="continuous"`, see `learners.adapters.gym`) are passed on.
"""

from __future__ import annotations

import gymnasium

from mechkit.environments import ENVIRONMENTS


def register() -> None:
    """Each under mechkit/, its name with capital letters first; those that are there stay."""
    for name in ENVIRONMENTS:
        key = f"mechkit/{name.title().replace('-', '')}-v0"
        if key not in gymnasium.registry:
            gymnasium.register(
                id=key,
                entry_point="learners.adapters.gym:one",
                vector_entry_point="learners.adapters.gym:many",
                kwargs={"make": "mechkit.environments:environment", "name": name},
            )


register()
