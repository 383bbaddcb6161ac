"""Feature maps whose channels were moved to the end, as ConvNeXt does, read as channels first.

torch normalises and multiplies along the last axis, so such networks move the channels there and
back. The moves are not layers; between them a layer norm and a linear layer become operators of
ours on channels first, the linear layer as a convolution with a 1x1 kernel.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from archscope.ops.foreign import Foreign, Tensor

TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)
ELEMENTWISE = {
    "relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "dropout", "add", "mul",
    "div", "leaky_relu", "elu", "relu6", "hardtanh", "softplus",
}  # fmt: skip
"""Operators that treat every number alike, wherever it stands."""


class ChannelsLast:
    """The feature maps with channels last, by name, each with the same map channels first."""

    def __init__(self) -> None:
        self.first: dict[str, Tensor] = {}

    def __contains__(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor) and tensor.name in self.first

    def to_last(self, first: Tensor) -> Tensor:
        """Return a feature map with its channels last."""
        shape = tuple(first.shape[axis] for axis in TO_LAST)
        last = Tensor(f"{first.name}:last", shape)
        self.first[last.name] = first
        return last

    def permuted(self, foreign: Foreign) -> Tensor | None:
        """Return the result of a permutation that moves channels to the end or back, or None."""
        if foreign.target != "aten.permute.default" or len(foreign.out) != 4:
            return None
        (x,) = foreign.ins
        order = tuple(axis % 4 for axis in foreign.args["dims"])
        if order == TO_FIRST and x in self:
            return self.first[x.name]
        return self.to_last(x) if order == TO_LAST and x not in self else None

    def as_channels_first(self, foreign: Foreign) -> Foreign | None:
        """Return an operator on channels last as the same operator on channels first, or None."""
        on_maps = foreign.ins and all(tensor in self for tensor in foreign.ins)
        if not on_maps or len(foreign.out) != 4:
            return None
        name = foreign.target.split(".")[1]
        if name in ("layer_norm", "linear"):
            target = f"channels.{name}"
        elif name in ELEMENTWISE and all(tensor.shape == foreign.out for tensor in foreign.ins):
            target = foreign.target
        else:
            return None
        elementwise = name in ELEMENTWISE
        args = {key: self._first(value, elementwise) for key, value in foreign.args.items()}
        out = tuple(foreign.out[axis] for axis in TO_FIRST)
        return Foreign(target, args, out)

    def _first(self, value: Any, elementwise: bool) -> Any:
        if value in self:
            return self.first[value.name]
        # Numbers for each channel stand along the last axis, and now along the first.
        per_channel = isinstance(value, Tensor) and value.shape and set(value.shape[:-1]) <= {1}
        if elementwise and per_channel:
            return structs.replace(value, shape=(value.shape[-1], 1, 1))
        return value
