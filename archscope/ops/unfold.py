"""Unfold the windows of a map into channels, and fold channels into a map: im2col and col2im."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import WHOLE, Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, floats, ints, node
from archscope.ops.attributes import Dimensions, Padding, Size
from archscope.ops.conv import onnx_pads, onnx_steps
from archscope.ops.facts import Rearrangement, Weightless, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, recognises
from archscope.ops.geometry import onnx_windows, short, slid, sliding, symmetric, taps
from archscope.ops.registry import op
from archscope.ops.reshape import Reshape


def _words(windows: tuple[Window, ...]) -> dict[str, Any]:
    """Return the arguments of torch's modules."""
    return {
        "kernel_size": tuple(window.kernel for window in windows),
        "dilation": tuple(window.dilation for window in windows),
        "padding": tuple(window.before for window in windows),
        "stride": tuple(window.stride for window in windows),
    }


def _sliding(
    name: str, image: Shape, kernel: Size, stride: Size, padding: Padding, dilation: Size
) -> tuple[Window, ...]:
    if len(image) != 3:
        raise ShapeError(f"'{name}' needs 2 spatial axes, got {text_of(image)}")
    windows = sliding(name, image, kernel, stride, padding, dilation)
    if not symmetric(windows):
        raise ShapeError(f"'{name}' pads equally on both sides; put 'pad' before it")
    return windows


@op("unfold")
class Unfold(Rearrangement, frozen=True, kw_only=True):
    """Turn the values of each window into channels, ordered by input channel."""

    principal = "kernel"

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size, "step of the window"] = 1
    padding: Annotated[Padding, "zeros around the input"] = 0
    dilation: Annotated[Size, "spacing between the elements of the window"] = 1

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        (x,) = ins
        return _sliding("unfold", x, self.kernel, self.stride, self.padding, self.dilation)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        windows = self.window(x)
        return x[0] * taps(windows), *slid(windows, x)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Unfold", **_words(self.window(*ins)))

    def onnx(self, *ins: Shape) -> Value:
        """Describe it as a convolution with one-hot kernels."""
        words = onnx_windows(self.window(*ins))
        height, width = words["kernel_shape"]
        each = tuple(
            (tuple(tuple(float(place == (y, x)) for x in range(width)) for y in range(height)),)
            for place in ((y, x) for y in range(height) for x in range(width))
        )
        return node("Conv", X, floats(*each * ins[0][0]), group=ins[0][0], **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=3, padding=1), ((2, 6, 5),)),
            Example(cls(kernel=(2, 3), stride=2), ((3, 6, 7),)),
            Example(cls(kernel=2, dilation=2), ((2, 5, 6),)),
        )


@op("fold")
class Fold(Weightless, frozen=True, kw_only=True):
    """Put the values of windows from channels into a map, adding up where windows overlap."""

    principal = "size"
    keeps_zero = may_see_less = True
    saved = saves_nothing

    size: Annotated[Dimensions, "height and width of the map"]
    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size, "step of the window"] = 1
    padding: Annotated[Padding, "positions around the map to crop"] = 0
    dilation: Annotated[Size, "spacing between the elements of the window"] = 1

    def windows(self) -> tuple[Window, ...]:
        """Return the window along each axis of the map."""
        image = (1, *self.size)
        return _sliding("fold", image, self.kernel, self.stride, self.padding, self.dilation)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        windows = self.windows()
        each, count = taps(windows), prod(slid(windows, (1, *self.size)))
        if len(x) != 2 or x[0] % each or x[1] != count:
            raise ShapeError(
                f"'fold' to {text_of(self.size)} needs channels divisible by {each} and {count}"
                f" windows, got {text_of(x)}"
            )
        return x[0] // each, *self.size

    def elementwise(self, *ins: Shape) -> int:
        """Count an addition for each value."""
        return prod(ins[0])

    def window(self, *ins: Shape) -> Windows:
        return WHOLE

    def torch(self, *ins: Shape) -> Call:
        return call("nn.Fold", self.size, **_words(self.windows()))

    def onnx(self, *ins: Shape) -> Value:
        words = onnx_windows(self.windows())
        kernel = words.pop("kernel_shape")
        return node("Col2Im", X, ints(*self.size), ints(*kernel), **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(4, 6), kernel=2, stride=2), ((8, 6),)),
            Example(cls(size=(4, 5), kernel=3, padding=1), ((18, 20),)),
        )


def _given(foreign: Foreign) -> dict[str, Any]:
    names = {"kernel": "kernel_size", "stride": "stride", "padding": "padding"}
    words = {name: per_axis_or_one(foreign.args[word]) for name, word in names.items()}
    return {**words, "dilation": per_axis_or_one(foreign.args["dilation"])}


@recognises("aten.im2col.default")
def unfold_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise windows as columns: channels whose positions are in a row."""
    return Recognised(Unfold(**_given(foreign)), foreign.ins, then=(Reshape(size=foreign.out[1:]),))


@recognises("onnx.Unfold")
def unfold_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a convolution with one-hot kernels, as prepared by the importer."""
    kernel = foreign.args["kernel_shape"]
    padding = onnx_pads(foreign, kernel)
    if padding is None:
        return None
    found = Unfold(kernel=short(kernel), padding=padding, **onnx_steps(foreign, len(kernel)))
    return Recognised(found, foreign.ins)


@recognises("aten.col2im.default")
def fold_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise columns folded into a map."""
    return Recognised(Fold(size=tuple(foreign.args["output_size"]), **_given(foreign)), foreign.ins)
