"""Unstructured pruning: set the smallest weights to zero, and count the bytes that this can save.

Layers keep their shapes, so dense kernels multiply by the zeros: only files get smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.compress.importance import SCOPES, Scope
from archscope.compress.layout import PAPER
from archscope.errors import OptionError, check_known
from archscope.ir import Graph
from archscope.weights import kernel_names, layer_names

if TYPE_CHECKING:
    from torch import Tensor


class SparseLayer(Struct, frozen=True):
    """The weights of a layer, and how many of them are left."""

    name: str  # of the layer, or of the weights if it has several
    weights: int
    left: int


class Sparsified(Struct, frozen=True):
    """Weights of which many are zero, and their bytes."""

    weights: dict[str, Tensor]  # a state dict
    masks: dict[str, Tensor]  # masks of the weights that are left, by name
    layers: tuple[SparseLayer, ...]
    dense_bytes: int  # everything as float32
    csr_bytes: int  # as `encodings.csr_bytes`, with everything else as float32
    relative_bytes: int  # as `encodings.relative_bytes`, with distances of 8 or 5 bits
    fillers: int  # zeros inserted in that form for longer distances

    @property
    def sparsity(self) -> float:
        """The fraction of the weights of layers that is zero."""
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
    `weights` is a state dict; errors refer to it as `source`. Raises OptionError.
    """
    from archscope.compress import encodings, tensors  # loads torch
    from archscope.compress.codebooks import relative_entries

    check_sparsity(sparsity)
    check_known("scope", scope, SCOPES)
    state, kernels = tensors.fitted_weights(graph, weights, source), kernel_names(graph)
    held = {name: tensor for name, tensor in state.items() if name in kernels}
    if not held:
        raise OptionError(f"'{graph.name}' has no layer with weights to set to zero")
    for name, tensor in held.items():
        tensors.check_finite(name, tensor)
    masks = tensors.largest(held, 1 - sparsity, scope == "global")
    state |= {name: held[name] * mask for name, mask in masks.items()}
    titles = layer_names(masks)
    layers = tuple(
        SparseLayer(titles[name], mask.numel(), int(mask.sum())) for name, mask in masks.items()
    )
    rest = sum(t.numel() for name, t in state.items() if t.is_floating_point() and name not in held)
    left = sum(layer.left for layer in layers)
    csr = relative = encodings.FLOAT_BYTES * rest
    entries = 0
    for mask in masks.values():
        _, bits = PAPER.of(mask.ndim)
        found = len(relative_entries(mask, mask, bits)[0])
        csr += encodings.csr_bytes(mask)
        relative += encodings.relative_bytes(found, bits)
        entries += found
    return Sparsified(
        state, masks, layers,
        dense_bytes=encodings.FLOAT_BYTES * (rest + sum(layer.weights for layer in layers)),
        csr_bytes=csr,
        relative_bytes=relative,
        fillers=entries - left,
    )  # fmt: skip


def check_sparsity(sparsity: float) -> None:
    """Raise OptionError for an invalid sparsity."""
    if not 0 < sparsity < 1:
        percent = f"; for {sparsity:g} %, write {sparsity:g}%" if 1 < sparsity < 100 else ""
        raise OptionError(
            f"expected a sparsity above 0% and below 100%, got {100 * sparsity:g}%{percent}"
        )
