"""The bytes of a network's weights in every form of storage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archscope.compress.layout import PAPER, Layout
from archscope.compress.weight_names import transposed_groups
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.weights import is_weight, kernel_names

if TYPE_CHECKING:
    from torch import Tensor

FORMS = {
    "float32": "all numbers in 4 bytes",
    "float16": "all numbers in 2 bytes",
    "int8": "weights in 1 byte, biases in 4, batch norms folded; without scales",
    "codebook": "a code for each weight",
    "codebook_huffman": "codes of Huffman's lengths",
    "levels": "even levels for each output channel, where weights are such, and its scale",
    "csr": "float32 weights that are not zero, their columns and rows",
    "relative_index": "float32 weights that are not zero and the distances between them",
    "deep_compression": "codes and distances of the weights that are not zero",
    "deep_compression_huffman": "the same in codes of Huffman's lengths",
}
"""What each form stores; biases and norms are float32 unless stated otherwise."""

UNWEIGHTED = ("float32", "float16", "int8", "codebook")
"""The forms whose sizes do not depend on the values of weights."""


class LayerSize(Struct, frozen=True):
    """The bytes of one layer in every form."""

    name: str
    weights: int  # those of kernels and matrices; biases and norms count only in bytes
    left: int | None  # non-zero weights; None if no weights were given
    values: int | None  # distinct values
    level_bits: int | None  # of a weight as a level; None if some weights are no even levels
    error: float | None  # of codebooks: root mean square error, relative to that of the weights
    bytes: dict[str, int]


class Sizes(Struct, frozen=True):
    """The bytes of a network for inference, by form and by layer."""

    layers: tuple[LayerSize, ...]
    layout: Layout

    @property
    def totals(self) -> dict[str, int]:
        """The bytes of the whole network in every known form."""
        forms = [form for form in FORMS if all(form in layer.bytes for layer in self.layers)]
        return {form: sum(layer.bytes[form] for layer in self.layers) for form in forms}


def sizes(
    graph: Graph,
    weights: Mapping[str, Tensor] | None = None,
    *,
    layout: Layout = PAPER,
    source: str = "the weights",
) -> Sizes:
    """Count the bytes of a network's weights in every form, by encoding them.

    Without weights only the forms whose size does not depend on them are counted. Parts that
    serve only training are left out. Codebooks hold 2 ** bits values, sparse forms a number of
    entries (4 bytes) for each layer, Huffman codes a byte for the length of every symbol.
    Raises OptionError for a network without weights, and for weights that do not fit it, which
    errors call `source`.
    """
    from archscope.build import build  # loads torch
    from archscope.compress import tensors
    from archscope.transforms.fuse import fuse

    state = build(graph.inference(), device="meta").state_dict()
    if weights is not None:
        fitted = tensors.fitted_weights(graph, weights, source)
        state = {name: fitted[name] for name in state}
        for name, tensor in state.items():
            tensors.check_finite(name, tensor)
    fused = _by_layer(build(fuse(graph), device="meta").state_dict())
    found, kernels, groups = [], kernel_names(graph), transposed_groups(graph)
    for name, tensors_of in _by_layer(state).items():
        held = {key: tensor for key, tensor in tensors_of.items() if f"{name}.{key}" in kernels}
        others = sum(tensor.numel() for key, tensor in tensors_of.items() if key not in held)
        layer = _layer(name, held, others, layout, groups if weights is not None else None)
        heavy, others = _numbers(fused.get(name, {}))
        layer.bytes["int8"] = heavy + 4 * others
        found.append(layer)
    if not found:
        raise OptionError(f"'{graph.name}' has no weights")
    return Sizes(tuple(found), layout)


def _by_layer(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the floating-point tensors of every layer that has some."""
    found: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in state.items():
        if tensor.is_floating_point():
            layer, _, name = key.rpartition(".")
            found[layer][name] = tensor
    return found


def _numbers(state: Mapping[str, Tensor]) -> tuple[int, int]:
    """Return how many values of a layer are weights, and how many are not."""
    total = sum(tensor.numel() for tensor in state.values())
    heavy = sum(tensor.numel() for name, tensor in state.items() if is_weight(name, tensor.ndim))
    return heavy, total - heavy


def _layer(
    name: str,
    held: Mapping[str, Tensor],
    others: int,
    layout: Layout,
    groups: Mapping[str, int] | None,
) -> LayerSize:
    """Return the bytes of a layer with some weights and a number of other values.

    `groups` are those of transposed convolutions by the names of weights; None if weights have no
    values.
    """
    given = groups is not None
    from archscope.compress.encodings import encoded
    from archscope.compress.even_levels import level_bytes
    from archscope.ops.conv import by_output

    heavy = sum(tensor.numel() for tensor in held.values())
    found: dict[str, Any] = dict.fromkeys(FORMS if given else UNWEIGHTED, 4 * others)
    found |= {"float32": 4 * (heavy + others), "float16": 2 * (heavy + others)}
    left = values = 0
    squares = errors = 0.0
    level_bits: list[int | None] = []
    for word, tensor in held.items():
        codes, distances = layout.of(tensor.ndim)
        if groups is None:
            found["codebook"] += 4 * 2**codes + -(-tensor.numel() * codes // 8)
        else:
            encoding = encoded(tensor, codes, distances)
            for form, amount in encoding.bytes.items():
                found[form] += amount
            amount, bits = level_bytes(by_output(tensor, groups.get(f"{name}.{word}")).numpy())
            found["levels"] += amount
            level_bits.append(bits)
            left += encoding.left
            values += encoding.values
            squares += encoding.squares
            errors += encoding.errors
    if not given:
        return LayerSize(name, heavy, None, None, None, None, found)
    error = (errors / squares) ** 0.5 if squares else 0.0
    known = [bits for bits in level_bits if bits is not None]
    most = max(known) if known and len(known) == len(level_bits) else None
    return LayerSize(name, heavy, left, values, most, error, found)
