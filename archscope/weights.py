"""Weights of an imported model -> the state_dict of the network that its spec builds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import GraphError, OptionError
from archscope.ir import Graph

if TYPE_CHECKING:
    import torch

COUNTER = "num_batches_tracked"
"""What torch's batch normalisation keeps beside its statistics; only training reads it."""


def state_of(
    graph: Graph, weights: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, torch.Tensor]:
    """Return weights by node as the state_dict of the graph's network, whole and of its shapes.

    `names` gives the nodes that are called otherwise in the graph. Raises GraphError if the
    graph cannot be built, or if the weights are not those of it.
    """
    import torch

    from archscope.build import build, module_path

    wanted = build(graph, device="meta").state_dict()
    state: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        node, _, word = key.rpartition(".")
        path = f"{module_path((names or {}).get(node, node))}.{word}"
        if path not in wanted:
            raise GraphError(f"the network has no weight '{path}'")
        # A factor for each channel is the same numbers with and without axes of one position.
        tensor = torch.as_tensor(value).detach().cpu()
        if _long(tensor.shape) != _long(wanted[path].shape):
            raise GraphError(
                f"the weight '{path}' is {tuple(wanted[path].shape)}, got {tuple(tensor.shape)}"
            )
        state[path] = tensor.reshape(wanted[path].shape).clone().contiguous()
    for path in wanted:
        if path.rpartition(".")[2] == COUNTER:
            state.setdefault(path, torch.tensor(0))
    missing = [path for path in wanted if path not in state]
    if missing:
        raise GraphError(f"no weights were found for {', '.join(missing[:3])}")
    return state


def save(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state_dict as safetensors, whole or not at all. Raises OptionError."""
    from safetensors.torch import save as packed

    from archscope.files import put

    if path.suffix != ".safetensors":
        raise OptionError(f"weights are written as .safetensors, got '{path}'")
    put(path, lambda file: file.write(packed(dict(state), {"format": "pt"})))


def _long(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]
