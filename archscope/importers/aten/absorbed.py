"""Permutations of channels and padding that are absorbed by the layers that read them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.canonical import RECURRENT, ROWS_NORM
from archscope.importers.aten.names import name_of
from archscope.ir import Op
from archscope.ops.foreign import Foreign, Recognised, Tensor
from archscope.ops.geometry import short_padding
from archscope.ops.layout import Permute
from archscope.ops.pad import LOWEST, Pad, constants_of_torch
from archscope.ops.torch_layout import order_of_torch

PAD, PERMUTE = "aten.pad.default", "aten.permute.default"
FILLED = {0.0: ("aten.conv",), LOWEST: ("aten.max_pool",)}
"""The padding values of layers that can pad, and the prefixes of their names."""
PADS = {PAD, "aten.constant_pad_nd.default"}
TURNS = {
    PERMUTE, "aten.transpose.int", "aten.movedim.int", "aten.swapaxes.default", "aten.mT.default",
}  # fmt: skip
ALONG_LAST = {
    "layer_norm", "rms_norm", "linear", "attention", "batch_norm_last", *RECURRENT
}  # fmt: skip
"""Operators along the last axis that have an equivalent along the first."""
REDUCING = {"select", "slice", "narrow", "mean", "sum", "amax", "roll", "flip"}
"""Operators along given spatial axes."""
ELEMENTWISE = {
    "relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "dropout", "add", "mul",
    "div", "stochastic_depth", "leaky_relu", "elu", "relu6", "hardtanh", "softplus",
}  # fmt: skip
"""Element-wise operators."""


class AbsorbedMap(Struct, frozen=True):
    """A feature map that is another one with channels last, or with padding."""

    kind: str  # PERMUTE or PAD
    inner: Tensor  # the map with its channels first, or without the padding
    padding: tuple[tuple[int, int], ...] = ()  # before and after, for each axis
    value: float = 0.0  # of the padding

    def layer(self, inner: Tensor) -> Recognised:
        """Return the permutation or padding as a layer on the inner map."""
        op: Op = Permute(order=(*range(1, len(inner.shape) - 1), 0))
        if self.kind == PAD:
            op = Pad(padding=short_padding(self.padding), value=self.value)
        return Recognised(op, (inner,))


def turning(tensor: Tensor) -> tuple[Recognised, tuple[int, ...]]:
    """Return the layer that brings the last axis of a value to the front, and its shape."""
    batch, *sizes, channels = tensor.shape
    op = Permute(order=(len(sizes), *range(len(sizes))))
    return Recognised(op, (tensor,)), (batch, channels, *sizes)


class AbsorbedMaps:
    """The permuted and padded feature maps of a program.

    torch normalises and multiplies along the last axis, so networks such as ConvNeXt move the
    channels there and back, and transformers keep them there. The moves are not layers; between
    them operators become ours on channels first, a linear layer as a convolution with a 1x1 kernel.
    A convolution or a maximum pool that alone reads a padded map pads for itself.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.maps: dict[str, AbsorbedMap] = {}
        self.turned: dict[str, Tensor] = {}  # values that became layers with channels first

    def find(self, value: object, kind: str | None = None) -> AbsorbedMap | None:
        """Return the record of a value, None if it is not such a map, or one of another kind."""
        found = self.maps.get(value.name) if isinstance(value, Tensor) else None
        return found if found and kind in (None, found.kind) else None

    def channels_last(self, first: Tensor) -> Tensor:
        """Record a feature map with its channels last."""
        batch, channels, *sizes = first.shape
        last = Tensor(f"{first.name}:last", (batch, *sizes, channels))
        self.maps[last.name] = AbsorbedMap(PERMUTE, first)
        return last

    def permuted(self, foreign: Foreign) -> Tensor | None:
        """Return the result of a permutation that moves channels to the end or back, or None."""
        rank = len(foreign.out)
        if foreign.target not in TURNS or rank < 3:
            return None
        (x,) = foreign.ins
        order, found = order_of_torch(foreign, rank), self.find(x, PERMUTE)
        if order == [0, rank - 1, *range(1, rank - 1)] and found:
            return found.inner
        last = order == [0, *range(2, rank), 1] and self.batch.leads(x.shape)
        return self.channels_last(x) if last and not found else None

    def first(self, value: Tensor) -> Tensor | None:
        """Return a value with its channels first, if there is one."""
        found = self.find(value, PERMUTE)
        return found.inner if found else self.turned.get(value.name)

    def wants_first(self, foreign: Foreign) -> tuple[Tensor, ...]:
        """Return the values that an operator reads as they are, and that should be turned for it.

        Layers along the last axis want it, and sums of such values with others.
        """
        if not foreign.ins or len(foreign.out) < 3:
            return ()
        name = name_of(foreign.target)
        others = tuple(t for t in foreign.ins if self.first(t) is None and not self.find(t))
        sized = all(len(tensor.shape) == len(foreign.out) for tensor in foreign.ins)
        if not sized or not all(self.batch.leads(tensor.shape) for tensor in foreign.ins):
            return ()
        if name in ALONG_LAST:
            return others
        both = len(foreign.ins) > 1 and len(others) < len(foreign.ins)
        return others if both and name in ("add", "sub", "mul") else ()

    def as_channels_first(self, foreign: Foreign) -> Foreign | None:
        """Return an operator on channels last as the same operator on channels first, or None."""
        ins, out = foreign.ins, foreign.out
        lazy = any(self.find(tensor, PERMUTE) for tensor in ins)
        name = name_of(foreign.target)
        on_maps = ins and all(self.first(tensor) is not None for tensor in ins)
        if not on_maps or not (lazy or name in ALONG_LAST) or len(out) < 2:
            return None
        if name in REDUCING and len(ins) == 1:
            return self._along_positions(foreign)
        if len(out) < 3:
            return None
        first = (out[0], out[-1], *out[1:-1])
        if name == "cat":
            return self._joined(foreign, first)
        elementwise = name in ELEMENTWISE
        if name in ALONG_LAST:
            target = (
                "aten.batch_norm.default" if foreign.target == ROWS_NORM else f"channels.{name}"
            )
        elif elementwise and all(tensor.shape == out for tensor in ins):
            target = foreign.target
            if name == "add" and len(ins) == 1 and self._positions(foreign):
                target = "channels.add_positions"
                elementwise = False
        else:
            return None
        rank = len(out)
        args = {key: self._first(value, elementwise, rank) for key, value in foreign.args.items()}
        return Foreign(target, args, first)

    @staticmethod
    def _positions(foreign: Foreign) -> bool:
        """Return whether a learned vector is added to each position."""
        held = [tensor for tensor in foreign.tensors if tensor.constant and tensor.learned]
        sizes = foreign.out[1:]
        return len(held) == 1 and held[0].shape in (sizes, (1, *sizes)) and len(sizes) > 1

    def _joined(self, foreign: Foreign, first: tuple[int, ...]) -> Foreign | None:
        """Return a concatenation along an axis of positions, or along the channels."""
        axis, rank = foreign.args["dim"] % len(first), len(first)
        held = [tensor for tensor in foreign.tensors if tensor.constant]
        if axis == 0 or (held and (axis != 1 or rank != 3)):
            return None
        parts = tuple(self.first(t) if not t.constant else t for t in foreign.args["tensors"])
        place = 1 if axis == rank - 1 else axis + 1
        target = "channels.cat" if held else foreign.target
        return Foreign(target, {**foreign.args, "tensors": parts, "dim": place}, first)

    def _along_positions(self, foreign: Foreign) -> Foreign | None:
        """Return an operator along axes of positions."""
        (x,) = foreign.ins
        given = foreign.get("dim")
        inner = self.first(x)
        if given is None or inner is None:
            return None
        rank = len(x.shape)
        axes = [axis % rank for axis in ([given] if isinstance(given, int) else given)]
        if not axes or not all(0 < axis < rank - 1 for axis in axes):
            return None
        places = [axis + 1 for axis in axes]
        args = {key: inner if value is x else value for key, value in foreign.args.items()}
        args["dim"] = places[0] if isinstance(given, int) else tuple(places)
        out = foreign.out
        return Foreign(foreign.target, args, (out[0], out[-1], *out[1:-1]))

    def _first(self, value: Any, elementwise: bool, rank: int) -> Any:
        found = self.first(value) if isinstance(value, Tensor) and not value.constant else None
        if found:
            return found
        # Values per channel were along the last axis, and now are along the first.
        per_channel = isinstance(value, Tensor) and value.shape and set(value.shape[:-1]) <= {1}
        if elementwise and per_channel:
            return structs.replace(value, shape=(value.shape[-1], *(1,) * (rank - 2)))
        return value

    def padded(self, foreign: Foreign) -> Tensor | None:
        """Return the result of an operator that pads a map as a layer can, or None."""
        for value in FILLED if foreign.target in PADS else ():
            pairs = constants_of_torch(foreign, value)
            (x,) = foreign.ins if pairs else (None,)
            if not pairs or x is None or self.find(x, PAD) or not self.batch.leads(x.shape):
                continue
            padded = Tensor(f"{x.name}:pad{pairs}:{value}", foreign.out)
            self.maps[padded.name] = AbsorbedMap(PAD, x, pairs, value)
            return padded
        return None

    def into_window(self, foreign: Foreign) -> Foreign | None:
        """Return a layer on a padded map as one that pads for itself, or None."""
        word = "input" if "input" in foreign.args else "self"
        found, padding = self.find(foreign.get(word), PAD), foreign.get("padding")
        if found is None or padding == "same" or "transpose" in foreign.target:
            return None
        if not foreign.target.startswith(FILLED[found.value]):
            return None
        own = (0,) if padding == "valid" else tuple(padding)
        own = own * len(found.padding) if len(own) == 1 else own
        whole = tuple((a + p, b + p) for (a, b), p in zip(found.padding, own, strict=True))
        even = all(before == after for before, after in whole)
        sides = tuple(before for before, _ in whole) if even else whole
        args = {**foreign.args, word: found.inner, "padding": sides}
        return Foreign(foreign.target, args, foreign.out)
