"""Read the `.weights` file of darknet: a header, then the weights of each layer in order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, UnavailableError, reason_of
from archscope.ir import Node
from archscope.ops.geometry import per_axis


class WeightsOf(Struct, frozen=True):
    """The node that holds the weights of a layer, and the batch norm after it."""

    word: str  # the operator of the node, or the section of a layer that cannot be read
    node: Node
    norm: str | None = None
    binary: bool = False  # only the signs of the weights count, times a mean for each filter
    flipped: bool = False  # the filters are the last axis in the file


class Part(Struct, frozen=True):
    """A tensor of the file: its weight, and how it is stored."""

    key: str
    shape: tuple[int, ...]
    turned: bool = False  # the last two axes are transposed in torch
    shift: bool = False  # of a separate norm, which not every darknet has
    binary: bool = False
    final: tuple[int, ...] = ()  # the shape in torch, if it is another one

    def array(self, numbers: Any) -> Any:
        """Return the weight as torch has it."""
        array = numbers.reshape(self.shape)
        array = (array.swapaxes(-1, -2) if self.turned else array).copy()
        if self.binary:
            scale = abs(array).mean(tuple(range(1, array.ndim)), keepdims=True)
            array = ((array > 0) * 2 - 1).astype(array.dtype) * scale
        return array.reshape(self.final) if self.final else array


class WeightsFile(Struct, frozen=True):
    """The weights of layers, in the `.weights` file of a configuration."""

    path: Path
    layers: tuple[WeightsOf, ...]

    def read(self) -> dict[str, Any]:
        """Return the weights as arrays by node. Raises UnavailableError or DataError."""
        import numpy

        where = self.path.as_posix()
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise UnavailableError(
                f"cannot read the weights of the configuration from {where}: {reason_of(error)}"
            ) from None
        if len(content) < 20:
            raise DataError(f"{where}: is truncated at {len(content)} bytes")
        major, minor, _ = struct.unpack("<3i", content[:12])
        old = major * 10 + minor < 2 or major >= 1000 or minor >= 1000
        header = 16 if old else 20  # the number of images seen has 8 bytes since 0.2
        whole = (len(content) - header) // 4
        numbers = numpy.frombuffer(content, "<f4", count=whole, offset=header)
        turned = major > 1000 or minor > 1000
        parts = [part for layer in self.layers for part in _parts(layer, turned)]
        shifted = whole >= sum(prod(part.shape) for part in parts)
        if not shifted:  # the first darknet has no shifts for separate norms
            parts = [part for part in parts if not part.shift]
        arrays: dict[str, Any] = {}
        start = 0
        for part in parts:
            stop = start + prod(part.shape)
            if stop > whole:
                raise DataError(
                    f"{where}: ends at number {whole}, within {part.key}; it is cut short, or"
                    " of another network"
                )
            arrays[part.key] = part.array(numbers[start:stop])
            start = stop
        if start != whole:
            raise DataError(f"{where}: has {whole} numbers, the network expects {start}")
        return arrays | self._not_in_files(shifted)

    def _not_in_files(self, shifted: bool) -> dict[str, Any]:
        """Return the weights that darknet does not store."""
        import numpy

        arrays: dict[str, Any] = {}
        for layer in self.layers:
            if layer.word == "fixed_conv":
                arrays[f"{layer.node.name}.weight"] = _blur(layer.node)
            elif layer.word == "batchnorm" and not shifted:
                arrays[f"{layer.node.name}.bias"] = numpy.zeros(layer.node.out[0], "f4")
        return arrays


def _parts(layer: WeightsOf, turned: bool) -> Iterator[Part]:
    """Yield the tensors of a layer in the order of the file.

    `turned` means that the matrices of linear layers are (in, out), as in the oldest files.
    """
    node, norm = layer.node, layer.norm
    out = node.out[0]
    words = ("weight", "running_mean", "running_var") if norm else ()
    statistics = [Part(f"{norm}.{word}", (out,)) for word in words]
    bias, weight = f"{norm or node.name}.bias", f"{node.name}.weight"
    if layer.word == "batchnorm":
        yield Part(bias, (out,), shift=True)
        yield from statistics
    elif layer.word == "locally_connected":
        positions = prod(node.out[1:])
        yield Part(bias, node.out)
        yield Part(weight, (positions, out, node.facts.params // positions // out - 1), turned=True)
    elif layer.word == "linear":
        inputs = node.ins[0][0]
        yield Part(bias, (out,))
        yield Part(weight, (inputs, out) if turned else (out, inputs), turned)
        yield from statistics
    elif layer.word in ("conv", "conv_transpose"):
        kernel = per_axis(getattr(node.op, "kernel", 1), len(node.ins[0]) - 1, "kernel")
        groups = getattr(node.op, "groups", 1)
        ends = (out, node.ins[0][0]) if layer.word == "conv" else (node.ins[0][0], out)
        shape = (ends[0], ends[1] // groups, *kernel)
        yield Part(bias, (out,))
        yield from statistics
        if layer.flipped:
            stored = (prod(shape[1:]), shape[0])
            yield Part(weight, stored, turned=True, binary=layer.binary, final=shape)
        else:
            yield Part(weight, shape, binary=layer.binary)
    elif layer.word == "parameter":
        yield Part(weight, node.out)
    elif layer.word != "fixed_conv":
        raise DataError(
            f"the weights of {layer.word} have another order in each version of darknet; they are"
            " not read"
        )


def _blur(node: Node) -> Any:
    """Return the kernel of darknet's antialiasing: binomial, or the mean of four values."""
    import numpy

    side = getattr(node.op, "kernel", 3)
    row = numpy.array([1, 2, 1] if side == 3 else [1, 1], "f4")
    return numpy.tile(numpy.outer(row, row) / row.sum() ** 2, (node.out[0], 1, 1, 1))
