"""Multilayer perceptrons, several side by side, and their state as arrays.

A layer maps h to W h + b, with a nonlinearity between layers. `MLP` holds `copies` independent
networks of the same shape and runs them in one batched product; twin critics are two copies, an
actor is one. Weights start uniform on ±1/√inputs (He et al. 2015, with the gain that torch takes
for its own linear layers), drawn from a generator that is given.

Everything that a run depends on leaves as NumPy arrays by name and comes back from them: weights,
the moments of Adam (Kingma & Ba 2015), the state of a generator.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

Arrays = dict[str, np.ndarray]


def threads(count: int) -> None:
    """How many threads torch uses in this process from now on; 1 is fastest for small networks."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"threads = {count!r}: expected a whole number of at least 1")
    torch.set_num_threads(count)


def generator(seed: int) -> torch.Generator:
    """A stream of random numbers of its own; the global one is never used."""
    return torch.Generator().manual_seed(int(seed))


class MLP(nn.Module):
    """`copies` perceptrons: (batch, sizes[0]) -> (copies, batch, sizes[-1]), or with an input
    (copies, batch, sizes[0]) each on its own."""

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        draw: torch.Generator,
        copies: int = 1,
        between: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        self.between = between
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inputs, outputs in itertools.pairwise(sizes):
            bound = inputs**-0.5
            self.weights.append(uniform((copies, inputs, outputs), bound, draw))
            self.biases.append(uniform((copies, 1, outputs), bound, draw))

    def forward(self, inputs: Tensor) -> Tensor:
        copies = len(self.weights[0])
        hidden = inputs if inputs.dim() == 3 else inputs.expand(copies, *inputs.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer + 1 < len(self.weights):
                hidden = self.between(hidden)
        return hidden


def uniform(shape: Sequence[int], bound: float, draw: torch.Generator) -> nn.Parameter:
    """Weights uniform on ±bound."""
    return nn.Parameter((2 * torch.rand(*shape, generator=draw) - 1) * bound)


def follow(slow: nn.Module, fast: nn.Module, share: float) -> None:
    """Polyak averaging: slow ← (1 − share) · slow + share · fast, weight by weight."""
    with torch.no_grad():
        for behind, ahead in zip(slow.parameters(), fast.parameters(), strict=True):
            behind.lerp_(ahead, share)


def adam(parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    """Adam in its fused form, which does a step of all weights in one call."""
    return torch.optim.Adam(parameters, lr=rate, fused=True)


# State as arrays ---------------------------------------------------------------------------------


def module_arrays(module: nn.Module) -> Arrays:
    """A copy of all weights, by name."""
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def load_module(module: nn.Module, arrays: Mapping[str, np.ndarray], what: str) -> None:
    """The inverse of `module_arrays`; ValueError where names or shapes do not fit."""
    own = module.state_dict()
    if set(own) != set(arrays):
        odd = sorted(set(own) ^ set(arrays))
        raise ValueError(f"{what}: {odd[0]!r} is on one side only; this is another network")
    for name, tensor in own.items():
        fits(arrays[name], tuple(tensor.shape), f"{what}/{name}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name])))


def adam_arrays(optimiser: torch.optim.Adam) -> Arrays:
    """Steps and both moments of every weight: "3/exp_avg" is the fourth's. Empty before a step."""
    return {
        f"{index}/{key}": value.numpy().copy()
        for index, parameter in enumerate(_parameters(optimiser))
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def load_adam(optimiser: torch.optim.Adam, arrays: Mapping[str, np.ndarray], what: str) -> None:
    """The inverse of `adam_arrays`; ValueError where names or shapes do not fit."""
    parameters = _parameters(optimiser)
    keys = ("step", "exp_avg", "exp_avg_sq")
    wanted = {f"{index}/{key}" for index in range(len(parameters)) for key in keys}
    if arrays and set(arrays) != wanted:
        odd = sorted(set(arrays) ^ wanted)
        raise ValueError(f"{what}: {odd[0]!r} is on one side only; these are moments of others")
    optimiser.state.clear()
    for index, parameter in enumerate(parameters if arrays else []):
        for key in keys:
            array = arrays[f"{index}/{key}"]
            shape = () if key == "step" else tuple(parameter.shape)
            fits(array, shape, f"{what}/{index}/{key}")
            optimiser.state[parameter][key] = torch.from_numpy(np.array(array))


def _parameters(optimiser: torch.optim.Adam) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def load_generator(stream: torch.Generator, array: np.ndarray, what: str) -> None:
    """The inverse of `stream.get_state().numpy()`, bytes."""
    fits(array, tuple(stream.get_state().shape), what)
    stream.set_state(torch.from_numpy(np.array(array, dtype=np.uint8)))


def fits(array: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    """ValueError unless the array has that shape."""
    if np.shape(array) != shape:
        raise ValueError(f"{what} of shape {np.shape(array)}: expected {shape}")


def prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Names under a prefix: "weights.0" -> "actor/weights.0"."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The inverse of `prefixed`: those of the prefix, without it."""
    start = f"{prefix}/"
    return {name[len(start) :]: arrays[name] for name in arrays if name.startswith(start)}
