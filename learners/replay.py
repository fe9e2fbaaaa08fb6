"""A replay buffer (Lin 1992): the last `capacity` transitions, sampled uniformly with replacement.

Rows are written as a ring, thousands at once; what a row consists of is up to the caller, by name.
Sampling draws from the buffer's own generator, so that how often it is asked changes no other
random number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from learners.networks import Arrays, fits, generator, load_generator


class Replay:
    """fields: by name, the shape of one row and its dtype. capacity: rows. size: rows so far, at
    most capacity. place: the row that is written next."""

    def __init__(
        self, capacity: int, fields: Mapping[str, tuple[tuple[int, ...], str]], *, seed: int
    ) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ValueError(f"capacity = {capacity!r}: expected a whole number of at least 1")
        self.capacity, self.size, self.place = capacity, 0, 0
        self.rows = {
            name: torch.zeros((capacity, *shape), dtype=getattr(torch, kind))
            for name, (shape, kind) in fields.items()
        }
        self.stream = generator(seed)

    def add(self, **rows: np.ndarray) -> None:
        """Rows (count, *shape) of every field; the oldest make room, and of more than `capacity`
        the last ones stay. ValueError where fields or lengths do not fit."""
        if set(rows) != set(self.rows):
            raise ValueError(f"fields {sorted(rows)}: expected {sorted(self.rows)}")
        count = len(next(iter(rows.values())))
        for name, array in rows.items():
            fits(array, (count, *self.rows[name].shape[1:]), f"rows of {name!r}")
        kept = min(count, self.capacity)
        place = (self.place + count - kept) % self.capacity
        first = min(kept, self.capacity - place)
        for name, array in rows.items():
            latest = torch.as_tensor(array)[count - kept :]
            self.rows[name][place : place + first] = latest[:first]
            self.rows[name][: kept - first] = latest[first:]
        self.place = (place + kept) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, count: int) -> dict:
        """That many rows, each uniform on all that are stored; tensors by name."""
        if not self.size:
            raise ValueError("an empty buffer has nothing to sample: add rows first")
        chosen = torch.randint(self.size, (count,), generator=self.stream)
        return {name: rows[chosen] for name, rows in self.rows.items()}

    def arrays(self) -> Arrays:
        """What is stored, in the buffer's order, where the next row goes, and the generator."""
        return {
            **{
                f"rows/{name}": rows[: self.size].numpy().copy() for name, rows in self.rows.items()
            },
            "place": np.array(self.place),
            "stream": self.stream.get_state().numpy().copy(),
        }

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """The inverse of `arrays`; ValueError where names or shapes do not fit."""
        wanted = {"place", "stream", *(f"rows/{name}" for name in self.rows)}
        if set(arrays) != wanted:
            odd = sorted(set(arrays) ^ wanted)
            raise ValueError(f"replay: {odd[0]!r} is on one side only; this is another buffer")
        size = len(arrays[f"rows/{next(iter(self.rows))}"])
        if size > self.capacity:
            raise ValueError(f"replay of {size} rows: expected at most {self.capacity}")
        for name, rows in self.rows.items():
            fits(arrays[f"rows/{name}"], (size, *rows.shape[1:]), f"replay/rows/{name}")
        for name, rows in self.rows.items():
            rows[:size] = torch.from_numpy(np.array(arrays[f"rows/{name}"]))
        load_generator(self.stream, arrays["stream"], "replay/stream")
        self.size, self.place = size, int(arrays["place"])
