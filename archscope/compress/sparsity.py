"""Unstructured pruning: the smallest weights set to zero, and the bytes that this can save.

Layers keep their shapes, so that dense kernels multiply by the zeros: only files get smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.compress.importance import Scope
from archscope.errors import OptionError
from archscope.ir import Graph

if TYPE_CHECKING:
    from torch import Tensor

FLOAT_BYTES = INDEX_BYTES = 4
CONVOLUTION_BITS, LINEAR_BITS = 8, 5
"""Bits of the distance between neighbouring weights that are left, Han et al. 2016."""


class SparseLayer(Struct, frozen=True):
    """The weights of one layer, and how many of them are left."""

    name: str
    weights: int
    left: int


class Sparsified(Struct, frozen=True):
    """Weights of which many are zero, and what they take in memory."""

    weights: dict[str, Tensor]  # a state dict
    masks: dict[str, Tensor]  # which weights are left, by their names in it
    layers: tuple[SparseLayer, ...]
    dense_bytes: int  # everything as float32
    csr_bytes: int  # 4 bytes for each weight left and its column, and for each row
    relative_bytes: int  # 4 bytes for each weight left, 5 or 8 bits for its distance to the last
    fillers: int  # zeros that the last needs where a distance takes more bits

    @property
    def sparsity(self) -> float:
        """The share of the weights of layers that is zero."""
        total = sum(layer.weights for layer in self.layers)
        return 1 - sum(layer.left for layer in self.layers) / total


def sparsify(
    graph: Graph,
    weights: Mapping[str, Tensor],
    sparsity: float,
    *,
    scope: Scope = "global",
    source: str = "the weights",
) -> Sparsified:
    """Set a share of the weights of convolutions and linear layers to zero, the smallest first.

    Magnitudes are compared in the whole network, or in each layer alone. Biases and norms stay.
    `weights` is a state dict; errors call it `source`. Raises OptionError.
    """
    from archscope.compress import tensors  # loads torch

    if not 0 < sparsity < 1:
        raise OptionError(f"a sparsity is a share above 0% and below 100%, got {sparsity:.4%}")
    state = tensors.fitted_weights(graph, weights, source)
    held = {
        name: tensor
        for name, tensor in state.items()
        if name.rpartition(".")[2] == "weight" and tensor.ndim > 1
    }
    if not held:
        raise OptionError(f"'{graph.name}' has no layer with weights to set to zero")
    for name, tensor in held.items():
        tensors.check_finite(name, tensor)
    masks = tensors.largest(held, 1 - sparsity, scope == "global")
    state |= {name: held[name] * mask for name, mask in masks.items()}
    layers = tuple(
        SparseLayer(name.rpartition(".")[0], mask.numel(), int(mask.sum()))
        for name, mask in masks.items()
    )
    rest = sum(t.numel() for name, t in state.items() if t.is_floating_point() and name not in held)
    rows = sum(len(mask) + 1 for mask in masks.values())
    left = sum(layer.left for layer in layers)
    bits, fillers = 0, 0
    for mask in masks.values():
        size = LINEAR_BITS if mask.ndim == 2 else CONVOLUTION_BITS
        missing = tensors.fillers(mask, 2**size)
        bits += (int(mask.sum()) + missing) * (8 * FLOAT_BYTES + size)
        fillers += missing
    return Sparsified(
        state, masks, layers,
        dense_bytes=FLOAT_BYTES * (rest + sum(layer.weights for layer in layers)),
        csr_bytes=FLOAT_BYTES * (rest + left) + INDEX_BYTES * (left + rows),
        relative_bytes=FLOAT_BYTES * rest + -(-bits // 8),
        fillers=fillers,
    )  # fmt: skip
