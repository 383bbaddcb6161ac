"""Unpooling: the places of the maxima of a pool, and values put back to them."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from msgspec import structs

from archscope.axes import Scatter
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, call, text_of
from archscope.onnx_form import Input, Value, X, ints, node, scalar
from archscope.ops.attributes import Padding, Size
from archscope.ops.conv import torch_numbers
from archscope.ops.facts import Weightless, free, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, Tensor, per_axis_or_one, recognises
from archscope.ops.gather import INT64
from archscope.ops.geometry import per_axis, short, slid, spatial, symmetric
from archscope.ops.pool import Maxima, MaxPool, pool_of_torch, windows_of_onnx
from archscope.ops.registry import op
from archscope.ops.sort import FLOAT

FIELDS = ("kernel", "stride", "padding")
"""The attributes of the window of a pool."""


@op("maxpool_indices")
class MaxPoolIndices(Maxima, frozen=True, kw_only=True):
    """Position in the map of the maximum of each window, the first if several are equal.

    Positions are numbered row by row. They are 8-byte integers in torch, and float32 in an exported
    ONNX file. `max_unpool` puts values back to them.
    """

    modules = ("archscope.nn.MaxPoolIndices",)
    keeps_zero = False
    without_slope = (0,)
    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        if not symmetric(self.window(*ins)):
            raise ShapeError("'maxpool_indices' needs the same padding on both sides of an axis")
        return super().shape(*ins)

    def torch(self, *ins: Shape) -> Call:
        kernel, stride = (
            short(getattr(w, field) for w in self.window(*ins)) for field in ("kernel", "stride")
        )
        return call("archscope.nn.MaxPoolIndices", kernel, stride=stride, **self.words(*ins))

    def onnx(self, *ins: Shape) -> Value:
        place = self.onnx_pool("MaxPool", X, *ins).result(1)
        inside = node("Mod", place, ints(prod(ins[0][1:])))  # ONNX also counts channels
        return node("Cast", inside, to=FLOAT)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=2, padding=1), ((4, 15, 16),)),
            Example(cls(kernel=2), ((4, 20),)),
            Example(cls(kernel=2, stride=1), ((2, 4, 5, 6),)),
        )


@op("max_unpool")
class MaxUnpool(Weightless, frozen=True, kw_only=True):
    """Put values back to the positions of the maxima that a pool took them from, among zeros.

    The first input has the values, the second those of `maxpool_indices` with the same window. This
    is the upsampling of SegNet, Badrinarayanan et al. 2017.
    """

    principal = "kernel"
    arity = (2, 2)
    modules = ("archscope.nn.MaxUnpool",)
    known_to_tools = False  # measuring them needs indices within the map
    keeps_zero = selects = True
    without_slope = (1,)
    elementwise = free

    kernel: Annotated[Size, "size of the window of the pool"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None
    padding: Annotated[Padding, "padding of the pool"] = 0
    size: Annotated[Size | None, "size of the map; by default the least that windows fill"] = None

    def is_zero(self, *zero: bool) -> bool:
        return zero[0]

    def window(self, *ins: Shape) -> tuple[Scatter, ...]:
        taken = spatial(ins[0], "max_unpool")

        def along(value: Any, field: str) -> tuple[Any, ...]:
            return per_axis(value, len(taken), f"{field} of 'max_unpool'")

        kernels, strides = along(self.kernel, "kernel"), along(self.stride or self.kernel, "stride")
        paddings, made = along(self.padding, "padding"), along(self.size, "size")
        if not all(isinstance(padding, int) for padding in paddings):
            raise ShapeError("padding of 'max_unpool' must be one number for each axis")
        found = []
        for given, size, *window in zip(taken, made, kernels, strides, paddings, strict=True):
            axis = Scatter(*window)
            least = axis.slide(given)
            found.append(structs.replace(axis, extra=(size or least) - least))
        return tuple(found)

    def shape(self, *ins: Shape) -> Shape:
        x, index = ins
        if x != index:
            raise ShapeError(
                f"'max_unpool' needs an index for each of {text_of(x)}, got {text_of(index)}"
            )
        return x[0], *slid(self.window(*ins), x)

    def saved(self, *ins: Shape) -> Saved:
        """State nothing for the indices, which torch's pool keeps already where it gives them."""
        return Saved(least=True)

    def torch(self, *ins: Shape) -> Call:
        windows, sizes = self.window(*ins), self.shape(*ins)[1:]
        of_pool = (
            short(getattr(w, name) for w in windows) for name in ("kernel", "stride", "padding")
        )
        return call("archscope.nn.MaxUnpool", *of_pool, short(sizes))

    def onnx(self, *ins: Shape) -> Value:
        (channels, *sizes), made = ins[0], self.shape(*ins)
        values, places = (node("Reshape", Input(i), ints(0, channels, prod(sizes))) for i in (0, 1))
        one = node("Slice", values, ints(0), ints(1), ints(2))
        zeros = node("Expand", node("Mul", one, scalar(0.0)), ints(1, channels, prod(made[1:])))
        places = node("Cast", places, to=INT64)
        filled = node("ScatterElements", zeros, places, values, axis=2)
        return node("Reshape", filled, ints(0, *made))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        def example(*shape: int, **window: Any) -> Example:
            places = MaxPoolIndices(**window)
            return Example(cls(**window), (shape, shape), positive=True, places=places)

        return (
            example(8, 6, 5, kernel=2),
            example(4, 5, 6, kernel=3, stride=2, padding=1),
            example(4, 7, kernel=2),
        )


@recognises("aten.max_unpool2d.default", "aten.max_unpool3d.default")
def max_unpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise unpooling to the places that a pool of the same model found."""
    x, index = foreign.args["self"], foreign.args["indices"]
    pool = index.made if isinstance(index, Tensor) else None
    if len(foreign.ins) != 2 or not isinstance(pool, Foreign) or "max_pool" not in pool.target:
        return None
    given = pool_of_torch(pool)
    given.pop("ceil")
    if torch_numbers(pool, "dilation")["dilation"] != 1:
        return None
    found = MaxUnpool(**given, size=per_axis_or_one(foreign.args["output_size"]))
    return Recognised(found, (x, index))


@recognises("aten.max_pool2d_with_indices.default", "aten.max_pool3d_with_indices.default")
def maxpool_with_indices_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's maximum pooling, or the places of its maxima."""
    found = MaxPoolIndices if foreign.get("result", 0) == 1 else MaxPool
    return Recognised(
        found(**pool_of_torch(foreign), **torch_numbers(foreign, "dilation")), foreign.ins
    )


@recognises("onnx.MaxPoolIndices")
def onnx_indices(foreign: Foreign) -> Recognised | None:
    """Recognise the positions within each map that a maximum pool found."""
    given = windows_of_onnx(foreign)
    even = isinstance(given["padding"], int | tuple) and not foreign.get("storage_order")
    return Recognised(MaxPoolIndices(**given), foreign.ins) if even else None


@recognises("onnx.Unpool")
def onnx_unpool(foreign: Foreign) -> Recognised | None:
    """Recognise unpooling to the positions that a pool of the same model found."""
    given = windows_of_onnx(foreign)
    window = {word: given[word] for word in ("kernel", "stride", "padding")}
    return Recognised(MaxUnpool(**window, size=per_axis_or_one(foreign.args["size"])), foreign.ins)
