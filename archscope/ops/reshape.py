"""Views and ranges: identity, flatten, reshape and slices of the channels."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, call, text_of
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Count, Dimensions, Positive
from archscope.ops.facts import View, pointwise, same_shape, unchanged, whole
from archscope.ops.foreign import Foreign, Recognised, recognises, recognises_as
from archscope.ops.registry import op


@op("identity")
class Identity(View, frozen=True, kw_only=True):
    """The input, unchanged."""

    modules = ("nn.Identity",)
    valuewise = True

    window = pointwise
    shape = same_shape
    onnx = unchanged

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)),)


@op("flatten")
class Flatten(View, frozen=True, kw_only=True):
    """Flatten each image into a vector."""

    modules = ("nn.Flatten",)

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        return (prod(ins[0]),)

    def onnx(self, *ins: Shape) -> Value:
        return X if self.is_identity(*ins) else node("Flatten", X, axis=1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(), ((8,),)))


@op("reshape")
class Reshape(View, frozen=True, kw_only=True):
    """Reshape the values of each image."""

    principal = "size"
    modules = ("archscope.nn.Reshape",)

    size: Annotated[Dimensions, "target shape: channels, then the spatial axes"]

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if prod(x) != prod(self.size):
            raise ShapeError(
                f"'reshape' to {text_of(self.size)} needs {prod(self.size)} numbers,"
                f" got {prod(x)} of {text_of(x)}"
            )
        return self.size

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Reshape", *self.size)

    def onnx(self, *ins: Shape) -> Value:
        return X if self.is_identity(*ins) else node("Reshape", X, ints(0, *self.size))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(16, 4, 4)), ((256,),)),
            Example(cls(size=(4, 18)), ((2, 6, 6),)),
        )


@op("slice")
class Slice(View, frozen=True, kw_only=True):
    """A range of the channels; what `split` gives each branch."""

    modules = ("archscope.nn.Slice",)

    start: Annotated[Count, "first channel"]
    stop: Annotated[Positive, "channel after the last"]

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if not self.start < self.stop <= x[0]:
            raise ShapeError(
                f"'slice' from {self.start} to {self.stop} does not lie within {x[0]} channels"
            )
        return self.stop - self.start, *x[1:]

    def access(self, *ins: Shape) -> int:
        """Count the range read and written, as every runtime but an eager view does."""
        return 2 * prod(self.shape(*ins))

    def onnx(self, *ins: Shape) -> Value:
        return node("Slice", X, ints(self.start), ints(self.stop), ints(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(start=0, stop=4), ((8, 6, 6),)),
            Example(cls(start=5, stop=8), ((8,),)),
        )


recognises_as(Identity, "onnx.Identity")
recognises_as(Slice, "onnx.Range", when=lambda f: f.get("axis") == 1, start="start", stop="stop")


@recognises("onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze")
def onnx_reshape(foreign: Foreign) -> Recognised | None:
    """Recognise another shape for the same numbers of each image."""
    x = foreign.ins[0]
    if foreign.out == x.shape:
        return Recognised(Identity(), (x,))
    if len(foreign.out) == 2:
        return Recognised(Flatten(), (x,))
    return Recognised(Reshape(size=foreign.out[1:]), (x,)) if len(foreign.out) <= 5 else None


@recognises("aten.slice.Tensor", "aten.narrow.default", "aten.split.Tensor", "aten.chunk.default",
            "aten.split_with_sizes.default")  # fmt: skip
def slice_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a range of the channels; importers say where a part of a split starts."""
    (x,) = foreign.ins
    if foreign.args["dim"] % len(x.shape) != 1 or foreign.get("step", 1) != 1:
        return None
    start = foreign.get("start", 0) or 0
    start = max(0, start + x.shape[1]) if start < 0 else start
    if foreign.out[1] == x.shape[1]:
        return Recognised(Identity(), (x,))
    return Recognised(Slice(start=start, stop=start + foreign.out[1]), (x,))


@recognises("aten.view.default", "aten.reshape.default", "aten.unflatten.int",
            "aten.flatten.using_ints")  # fmt: skip
def reshape_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise another shape of the same image: flat, or up to 4 axes."""
    (x,) = foreign.ins
    if x.shape[0] != foreign.out[0] or len(foreign.out) > 5:
        return None
    op = Flatten() if len(foreign.out) == 2 else Reshape(size=foreign.out[1:])
    return Recognised(op, (x,))
