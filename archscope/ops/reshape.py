"""Views: identity, flatten, reshape and slices."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, Call, Example, Op, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import RANK, Count, Positive, TensorShape
from archscope.ops.facts import View, pointwise, same_shape, unchanged, whole
from archscope.ops.foreign import Foreign, Recognised, recognises, recognises_as
from archscope.ops.layout import Select
from archscope.ops.registry import op


@op("identity")
class Identity(View, frozen=True, kw_only=True):
    """Return the input unchanged."""

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

    size: Annotated[TensorShape, "target shape: channels, then the spatial axes"]

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


@op("squeeze")
class Squeeze(View, frozen=True, kw_only=True):
    """Remove the axis of a single number per image: (N,) in torch."""

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        if ins[0] != (1,):
            raise ShapeError(f"'squeeze' needs one number, got {text_of(ins[0])}")
        return ()

    def torch(self, *ins: Shape) -> Call:
        return call("nn.Flatten", 0)

    def onnx(self, *ins: Shape) -> Value:
        return node("Squeeze", X, ints(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((1,),)),)


def without_axes(shape: Shape, axes: tuple[int, ...]) -> tuple[Op, ...]:
    """Return the operators that remove axes of size 1."""
    rest = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    if rest:
        return (Flatten(),) if len(rest) == 1 else (Reshape(size=rest),)
    return (Squeeze(),) if len(shape) == 1 else (Flatten(), Squeeze())


@op("slice")
class Slice(View, frozen=True, kw_only=True):
    """A range of the channels, as `split` passes to each branch, or a crop along another axis."""

    modules = ("archscope.nn.Slice", "archscope.nn.Range")

    start: Annotated[Count, "first channel, or position along another axis"]
    stop: Annotated[Positive, "the channel after the last"]
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0
    step: Annotated[Positive, "distance from one channel to the next"] = 1

    def is_identity(self, *ins: Shape) -> bool:
        return self.shape(*ins) == ins[0] and self.step == 1

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        along = Window(stride=self.step, before=-self.start, after=self.stop - x[self.axis])
        return tuple(along if axis == self.axis else Window() for axis in range(1, len(x)))

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.axis >= len(x):
            raise ShapeError(f"'slice' along axis {self.axis} needs that axis, got {text_of(x)}")
        size = x[self.axis]
        if not self.start < self.stop <= size:
            what = f"{size} positions of axis {self.axis}" if self.axis else f"{size} channels"
            raise ShapeError(f"'slice' from {self.start} to {self.stop} does not lie within {what}")
        kept = len(range(self.start, self.stop, self.step))
        return *x[: self.axis], kept, *x[self.axis + 1 :]

    def access(self, *ins: Shape) -> int:
        """Count the range as read and written, as in every runtime except for an eager view."""
        return 2 * prod(self.shape(*ins))

    def torch(self, *ins: Shape) -> Call:
        if self.axis == 0 and self.step == 1:
            return call("archscope.nn.Slice", self.start, self.stop)
        words = {"step": self.step} if self.step > 1 else {}
        return call("archscope.nn.Range", self.start, self.stop, self.axis + 1, **words)

    def onnx(self, *ins: Shape) -> Value:
        step = ints(self.step) if self.step > 1 else None
        return node("Slice", X, ints(self.start), ints(self.stop), ints(self.axis + 1), step)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(start=0, stop=4), ((8, 6, 6),)),
            Example(cls(start=5, stop=8), ((8,),)),
            Example(cls(start=1, stop=5, axis=1), ((2, 6, 7),)),
            Example(cls(start=1, stop=7, axis=2, step=3), ((2, 6, 8),)),
            Example(cls(start=1, stop=8, step=2), ((8, 6),)),
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
            "aten.split_with_sizes.default", "aten.split.sizes", "aten.tensor_split.sections",
            "aten.tensor_split.indices", "aten.unsafe_split.Tensor",
            "aten.unsafe_chunk.default")  # fmt: skip
def slice_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a range along an axis; importers state where a part of a split starts."""
    (x,) = foreign.ins
    axis = foreign.args["dim"] % len(x.shape)
    if axis == 0 or ("result" in foreign.args and "start" not in foreign.args):
        return None
    size, kept, step = x.shape[axis], foreign.out[axis], foreign.get("step", 1)
    start = foreign.get("start", 0) or 0
    start = max(0, start + size) if start < 0 else start
    if kept == size:
        return Recognised(Identity(), (x,))
    stop = start + (kept - 1) * step + 1
    return Recognised(Slice(start=start, stop=stop, axis=axis - 1, step=step), (x,))


@recognises("aten.select.int")
def select_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise an element along an axis, which is removed."""
    (x,) = foreign.ins
    axis, index = foreign.args["dim"] % len(x.shape), foreign.args["index"]
    if axis == 0 or len(foreign.out) < 2:
        return None
    index = index + x.shape[axis] if index < 0 else index
    return Recognised(Select(index=index, axis=axis - 1), (x,))


@recognises("aten.unbind.int")
def unbind_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise one of all elements along an axis, which is removed."""
    args = {**foreign.args, "index": foreign.args["result"]}
    return select_of_torch(Foreign("aten.select.int", args, foreign.out))


@recognises("aten.view.default", "aten.reshape.default", "aten.unflatten.int",
            "aten.flatten.using_ints", "aten.unsqueeze.default", "aten.squeeze.dim",
            "aten.squeeze.dims", "aten.squeeze.default", "aten.view_as.default",
            "aten.reshape_as.default")  # fmt: skip
def reshape_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise another shape for the same image."""
    x = foreign.ins[0]
    if foreign.out == x.shape[:1] and len(x.shape) > 1:
        first, *others = without_axes(x.shape[1:], tuple(range(len(x.shape) - 1)))
        return Recognised(first, (x,), then=tuple(others))
    if x.shape[0] != foreign.out[0] or not 2 <= len(foreign.out) <= 1 + RANK:
        return None
    if x.shape == foreign.out:
        return Recognised(Identity(), (x,))
    flat = len(foreign.out) == 2 and len(x.shape) > 1  # a number of each image has no axes
    return Recognised(Flatten() if flat else Reshape(size=foreign.out[1:]), (x,))
