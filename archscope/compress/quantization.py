"""Weights in a few bits: rounded to a codebook or to even levels, and their bytes.

Only weights are rounded; a network computes with them in floating point as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from archscope.compress.layout import PAPER
from archscope.compress.weight_names import transposed_groups
from archscope.errors import OptionError, check_known
from archscope.ir import Graph
from archscope.weights import kernel_names, layer_names

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["codebook", "uniform"]
METHODS: tuple[Method, ...] = get_args(Method)


class QuantizedLayer(Struct, frozen=True):
    """The weights of a layer in a few bits."""

    name: str  # of the layer, or of the weights if it has several
    weights: int
    left: int  # non-zero
    error: float  # root mean square of the change, relative to that of the weights
    bytes: dict[str, int]  # float32, and those of `encodings.coded_bytes`


class Quantized(Struct, frozen=True):
    """A network's weights in a few bits."""

    weights: dict[str, Tensor]  # a state dict of the rounded weights, in floating point
    layers: tuple[QuantizedLayer, ...]
    method: Method
    bits: int
    other_bytes: int  # of biases and norms, float32

    @property
    def totals(self) -> dict[str, int]:
        """The bytes of the whole network by form."""
        return {
            form: self.other_bytes + sum(layer.bytes[form] for layer in self.layers)
            for form in self.layers[0].bytes
        }


def quantize_weights(
    graph: Graph,
    weights: Mapping[str, Tensor],
    *,
    method: Method = "codebook",
    bits: int = 4,
    source: str = "the weights",
) -> Quantized:
    """Round the weights of convolutions and linear layers to a few values; biases and norms stay.

    `codebook` shares 2 ** bits values in each layer, found by k-means (Han et al. 2016); `uniform`
    has 2 ** bits - 1 even levels around zero in each output channel. Zeros stay zero. `weights` is
    a state dict; errors refer to it as `source`. Raises OptionError.
    """
    from archscope.compress import tensors  # loads torch

    if not 2 <= bits <= 8:
        raise OptionError(f"expected 2 to 8 bits for weights, got {bits}")
    check_known("method", method, METHODS)
    state, kernels = tensors.fitted_weights(graph, weights, source), kernel_names(graph)
    found, layers, others, groups = dict(state), [], 0, transposed_groups(graph)
    titles = layer_names(kernels)
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        if name not in kernels:
            others += 4 * tensor.numel()
            continue
        tensors.check_finite(name, tensor)
        found[name], layer = _quantized(titles[name], tensor, method, bits, groups.get(name))
        layers.append(layer)
    if not layers:
        raise OptionError(f"'{graph.name}' has no layer with weights to round")
    return Quantized(found, tuple(layers), method, bits, others)


def _quantized(
    name: str, tensor: Tensor, method: Method, bits: int, groups: int | None
) -> tuple[Tensor, QuantizedLayer]:
    from archscope.compress.codebooks import codebook
    from archscope.compress.encodings import FLOAT_BYTES, coded_bytes
    from archscope.compress.levels import uniform

    if method == "codebook":
        book = codebook(tensor, bits)
        rounded, codes, table = book.weights, book.codes, 2**bits
    else:
        levels = uniform(tensor, bits, groups)
        rounded, codes, table = levels.weights, levels.codes(bits), len(levels.scales)
    change = float((rounded - tensor).double().square().sum())
    whole = float(tensor.double().square().sum())
    present = rounded != 0
    _, distance_bits = PAPER.of(tensor.ndim)
    forms = coded_bytes(codes, present, FLOAT_BYTES * table, bits, distance_bits)
    return rounded, QuantizedLayer(
        name,
        tensor.numel(),
        int(present.sum()),
        (change / whole) ** 0.5 if whole else 0.0,
        {"float32": FLOAT_BYTES * tensor.numel(), **forms},
    )
