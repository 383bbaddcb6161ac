"""Maps whose channels were moved to the end: what works on them is said of them as they were.

torch normalises and multiplies along the last axis, so networks such as ConvNeXt move the
channels there and back. The moves are no layers; between them a layer norm and a linear layer
are ours on channels in front, the linear layer as a convolution of one position.
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
"""Operators that do the same to a number wherever it stands."""


class Layout:
    """The maps whose channels stand last, by name, each with the same map as it was."""

    def __init__(self) -> None:
        self.before: dict[str, Tensor] = {}

    def __contains__(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor) and tensor.name in self.before

    def turn(self, before: Tensor) -> Tensor:
        """Return a map with its channels last."""
        shape = tuple(before.shape[axis] for axis in TO_LAST)
        turned = Tensor(f"{before.name}:last", shape)
        self.before[turned.name] = before
        return turned

    def move(self, foreign: Foreign) -> Tensor | None:
        """Return what a permutation gives, where it moves the channels of a map."""
        if foreign.target != "aten.permute.default" or len(foreign.out) != 4:
            return None
        (x,) = foreign.ins
        order = tuple(axis % 4 for axis in foreign.args["dims"])
        if order == TO_FIRST and x in self:
            return self.before[x.name]
        return self.turn(x) if order == TO_LAST and x not in self else None

    def in_front(self, foreign: Foreign) -> Foreign | None:
        """Return an operator as it is of channels in front, or None if it is no such thing."""
        if (
            not foreign.ins
            or len(foreign.out) != 4
            or not all(shape in self for shape in foreign.ins)
        ):
            return None
        name = foreign.target.split(".")[1]
        if name in ("layer_norm", "linear"):
            target = f"channels.{name}"
        elif name in ELEMENTWISE and all(tensor.shape == foreign.out for tensor in foreign.ins):
            target = foreign.target
        else:
            return None
        factors = name in ELEMENTWISE
        args = {key: self._in_front(value, factors) for key, value in foreign.args.items()}
        out = tuple(foreign.out[axis] for axis in TO_FIRST)
        return Foreign(target, args, out)

    def _in_front(self, value: Any, factors: bool) -> Any:
        if value in self:
            return self.before[value.name]
        # A number for each channel stands along the last axis, and now along the first.
        if isinstance(value, Tensor) and factors and value.shape and set(value.shape[:-1]) <= {1}:
            return structs.replace(value, shape=(value.shape[-1], 1, 1))
        return value
