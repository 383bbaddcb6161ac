"""Read and write the file format of songhan/SqueezeNet-Deep-Compression.

All numbers are little-endian. The file begins with the number of entries of every layer, uint32.
Then each layer has its codebook (float32; 256 values for a convolution, 16 for a linear layer),
its biases (float32), the codes of its entries (8 or 4 bits) and their distances (4 bits), two of 4
bits to a byte, the lower half first. An entry is a weight that is not zero, or a filler of code 0;
its distance is the number of places since the last, less one. Value 0 of a codebook is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archscope.build import build
from archscope.compress.codebooks import Codebook, codebook, relative_entries
from archscope.compress.layout import PUBLISHED
from archscope.compress.tensors import fitted_weights
from archscope.errors import OptionError, reason_of
from archscope.files import write_bytes
from archscope.ir import Graph
from archscope.weights import is_weight

Bytes = NDArray[np.uint8]
Number = TypeVar("Number", bound=np.generic)


def read_compressed(path: Path, graph: Graph) -> dict[str, Tensor]:
    """Read the weights of a network of convolutions and linear layers.

    Raises OptionError if the file cannot be read or does not fit the network.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OptionError(f"cannot read '{path}': {reason_of(error)}") from None
    layers = _layers(graph)
    reader = _Reader(path, content)
    counts = reader.take(np.uint32, len(layers), "the numbers of entries").tolist()
    found: dict[str, Tensor] = {}
    for (name, (weight, bias)), count in zip(layers.items(), counts, strict=True):
        bits, distance_bits = PUBLISHED.of(weight.ndim)
        values = reader.take(np.float32, 2**bits, f"the codebook of '{name}'")
        if bias is not None:
            biases = reader.take(np.float32, bias.numel(), f"the biases of '{name}'")
            found[f"{name}.bias"] = torch.from_numpy(biases.copy())
        codes = reader.packed(bits, count, f"the codes of '{name}'")
        distances = reader.packed(distance_bits, count, f"the distances of '{name}'")
        places = (distances.astype(np.int64) + 1).cumsum() - 1
        if count and places[-1] >= weight.numel():
            raise OptionError(
                f"'{path}' does not fit '{graph.name}': '{name}' has {weight.numel():,} weights,"
                f" but the file has one at position {places[-1] + 1:,}"
            )
        dense = np.zeros(weight.numel(), np.float32)
        dense[places] = values[codes]
        found[f"{name}.weight"] = torch.from_numpy(dense).view(weight.shape)
    reader.end(graph)
    return found


def write_compressed(weights: Mapping[str, Tensor], graph: Graph, path: Path) -> None:
    """Write the weights of a network of convolutions and linear layers, atomically.

    Raises OptionError for other networks, weights that do not fit, and layers with more distinct
    weights than a codebook of the format holds.
    """
    state = fitted_weights(graph, weights, "the weights")
    counts, parts = [], []
    for name, (shape, bias) in _layers(graph).items():
        weight = state[f"{name}.weight"]
        bits, distance_bits = PUBLISHED.of(shape.ndim)
        book = _book(name, weight, bits)
        codes, distances = relative_entries(book.codes, weight != 0, distance_bits)
        counts.append(len(codes))
        values = np.zeros(2**bits, "<f4")
        values[: len(book.values)] = book.values
        parts.append(values.tobytes())
        if bias is not None:
            parts.append(state[f"{name}.bias"].numpy().astype("<f4").tobytes())
        parts += [_pack(codes.numpy(), bits), _pack(distances.numpy(), distance_bits)]
    write_bytes(path, np.array(counts, "<u4").tobytes() + b"".join(parts))


def _layers(graph: Graph) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Return the weight and bias, as meta tensors, of each layer in order. Raises OptionError."""
    found: dict[str, tuple[Tensor, Tensor | None]] = {}
    state = build(graph, device="meta").state_dict()
    for key, tensor in state.items():
        name, _, what = key.rpartition(".")
        if what == "weight" and is_weight(key, tensor.ndim):
            found[name] = (tensor, state.get(f"{name}.bias"))
        elif what != "bias" or name not in found:
            raise OptionError(
                f"the format of compressed files supports only convolutions and linear layers, but"
                f" '{graph.name}' has the weight '{key}'"
            )
    if not found:
        raise OptionError(f"'{graph.name}' has no weights")
    return found


def _book(name: str, weight: Tensor, bits: int) -> Codebook:
    """Return the codebook of a layer, starting with zero. Raises OptionError."""
    book = codebook(weight, bits)
    if len(book.values) and book.values[0] != 0:  # no weight is zero
        values = torch.cat([book.values.new_zeros(1), book.values])
        book = Codebook(values, book.codes + 1, book.exact)
    if not book.exact or len(book.values) > 2**bits:
        raise OptionError(
            f"'{name}' has more than {2**bits - 1} distinct non-zero weights, the maximum that"
            " a codebook of the format holds; `archscope quantize --method codebook --bits"
            f" {bits}` makes them fewer if some are zero, and --bits {bits - 1} if none is"
        )
    return book


class _Reader:
    """Reads arrays from the bytes of a file, one after the other."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content, self.place = path, content, 0

    def take(self, dtype: type[Number], count: int, what: str) -> NDArray[Number]:
        size = np.dtype(dtype).itemsize * count
        left = len(self.content) - self.place
        if size > left:
            raise OptionError(
                f"'{self.path}' is truncated: {what} need {size:,} bytes, {left:,} are left"
            )
        kind = np.dtype(dtype).newbyteorder("<")
        found = np.frombuffer(self.content, kind, count, self.place).astype(dtype)
        self.place += size
        return found

    def packed(self, bits: int, count: int, what: str) -> Bytes:
        """Return numbers of 8 or 4 bits."""
        if bits == 8:
            return self.take(np.uint8, count, what)
        halves = self.take(np.uint8, -(-count // 2), what)
        return np.stack([halves & 15, halves >> 4], 1).ravel()[:count]

    def end(self, graph: Graph) -> None:
        """Raise OptionError if bytes are left."""
        more = len(self.content) - self.place
        if more:
            raise OptionError(
                f"'{self.path}' does not fit '{graph.name}', which ends {more:,} bytes earlier"
            )


def _pack(numbers: Bytes, bits: int) -> bytes:
    """Return numbers of 8 or 4 bits as bytes."""
    if bits == 8:
        return numbers.tobytes()
    even = np.pad(numbers, (0, len(numbers) % 2))
    return (even[0::2] | even[1::2] << 4).tobytes()
