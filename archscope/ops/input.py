"""The inputs of a network."""

from __future__ import annotations

from typing import Annotated

from archscope.ir import Call, Example, Op, Shape, call
from archscope.ops.attributes import Dimensions
from archscope.ops.facts import free, pointwise, saves_nothing, unchanged
from archscope.ops.registry import op


@op("input")
class Input(Op, frozen=True, kw_only=True):
    """An input of the network; a spec writes it as `input:` or `inputs:`, never as a layer."""

    arity = (0, 0)

    size: Annotated[Dimensions, "channels, then the spatial axes"]

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        return self.size

    params = buffers = macs = elementwise = access = free
    saved = saves_nothing

    def torch(self, *ins: Shape) -> Call:
        return call("nn.Identity")

    onnx = unchanged

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(size=(3, 224, 224)), ()),)
