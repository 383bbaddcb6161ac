"""Permutations of channels and zero padding that are no layers: what reads them takes them in."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from archscope.importers.torch.batch import Batch
from archscope.ops.foreign import Foreign, Tensor
from archscope.ops.pad import zeros_of_torch

PAD, PERMUTE = "aten.pad.default", "aten.permute.default"
PADS = {PAD, "aten.constant_pad_nd.default"}
TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)
ELEMENTWISE = {
    "relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "dropout", "add", "mul",
    "div", "stochastic_depth", "leaky_relu", "elu", "relu6", "hardtanh", "softplus",
}  # fmt: skip
"""Operators that treat every number alike, wherever it stands."""


class AbsorbedMap(Struct, frozen=True):
    """A feature map that is another one with its channels last, or with zeros around it."""

    kind: str  # PERMUTE or PAD
    inner: Tensor  # the map with its channels first, or without the zeros
    zeros: tuple[tuple[int, int], ...] = ()  # before and after, for each axis


class AbsorbedMaps:
    """The permuted and padded feature maps of a program.

    torch normalises and multiplies along the last axis, so networks such as ConvNeXt move the
    channels there and back. The moves are not layers; between them a layer norm and a linear layer
    become operators of ours on channels first, the linear layer as a convolution with a 1x1 kernel.
    A convolution that alone reads a padded map pads for itself.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.maps: dict[str, AbsorbedMap] = {}

    def find(self, value: object, kind: str | None = None) -> AbsorbedMap | None:
        """Return what is known of a value, None if it is no such map, or one of another kind."""
        found = self.maps.get(value.name) if isinstance(value, Tensor) else None
        return found if found and kind in (None, found.kind) else None

    def channels_last(self, first: Tensor) -> Tensor:
        """Return a feature map with its channels last."""
        last = Tensor(f"{first.name}:last", tuple(first.shape[axis] for axis in TO_LAST))
        self.maps[last.name] = AbsorbedMap(PERMUTE, first)
        return last

    def permuted(self, foreign: Foreign) -> Tensor | None:
        """Return the result of a permutation that moves channels to the end or back, or None."""
        if foreign.target != PERMUTE or len(foreign.out) != 4:
            return None
        (x,) = foreign.ins
        order = tuple(axis % 4 for axis in foreign.args["dims"])
        found = self.find(x, PERMUTE)
        if order == TO_FIRST and found:
            return found.inner
        return self.channels_last(x) if order == TO_LAST and not found else None

    def as_channels_first(self, foreign: Foreign) -> Foreign | None:
        """Return an operator on channels last as the same operator on channels first, or None."""
        on_maps = foreign.ins and all(self.find(tensor, PERMUTE) for tensor in foreign.ins)
        if not on_maps or len(foreign.out) != 4:
            return None
        name = foreign.target.split(".")[1]
        elementwise = name in ELEMENTWISE
        if name in ("layer_norm", "linear"):
            target = f"channels.{name}"
        elif elementwise and all(tensor.shape == foreign.out for tensor in foreign.ins):
            target = foreign.target
        else:
            return None
        args = {key: self._first(value, elementwise) for key, value in foreign.args.items()}
        out = tuple(foreign.out[axis] for axis in TO_FIRST)
        return Foreign(target, args, out)

    def _first(self, value: Any, elementwise: bool) -> Any:
        found = self.find(value, PERMUTE)
        if found:
            return found.inner
        # Numbers for each channel stand along the last axis, and now along the first.
        per_channel = isinstance(value, Tensor) and value.shape and set(value.shape[:-1]) <= {1}
        if elementwise and per_channel:
            return structs.replace(value, shape=(value.shape[-1], 1, 1))
        return value

    def padded(self, foreign: Foreign) -> Tensor | None:
        """Return the result of an operator that puts zeros around a map, or None."""
        pairs = zeros_of_torch(foreign) if foreign.target in PADS else None
        (x,) = foreign.ins if pairs else (None,)
        if not pairs or x is None or self.find(x, PAD) or not self.batch.leads(x.shape):
            return None
        padded = Tensor(f"{x.name}:pad{pairs}", foreign.out)
        self.maps[padded.name] = AbsorbedMap(PAD, x, pairs)
        return padded

    def into_convolution(self, foreign: Foreign) -> Foreign | None:
        """Return a convolution of a padded map as one that pads for itself, or None."""
        found, padding = self.find(foreign.get("input"), PAD), foreign.get("padding")
        if not foreign.target.startswith("aten.conv") or found is None or padding == "same":
            return None
        if "transpose" in foreign.target:
            return None
        own = (0,) if padding == "valid" else tuple(padding)
        own = own * len(found.zeros) if len(own) == 1 else own
        whole = tuple((a + p, b + p) for (a, b), p in zip(found.zeros, own, strict=True))
        even = all(before == after for before, after in whole)
        sides = tuple(before for before, _ in whole) if even else whole
        args = {**foreign.args, "input": found.inner, "padding": sides}
        return Foreign(foreign.target, args, foreign.out)
