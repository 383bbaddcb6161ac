"""Operators that trade positions for channels, or give the numbers another shape."""

from __future__ import annotations

from math import prod

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import (
    WHOLE,
    Call,
    Example,
    Op,
    Saved,
    Shape,
    Storage,
    Windows,
    call,
    free,
    moved,
    text_of,
)
from archscope.ops.attributes import Positive
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op
from archscope.ops.reshape import Flatten, Identity


def _image(name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ShapeError(f"'{name}' needs 2 spatial axes, got {text_of(shape)}")


@op("space_to_depth")
class SpaceToDepth(Op, frozen=True, kw_only=True):
    """Positions of each block as channels; with 2 it is the Focus layer of YOLOv5.

    block: positions along each axis of a block; the channels grow by its square
    """

    principal = "block"

    block: Positive = 2

    def window(self, *ins: Shape) -> Windows:
        return (Window(self.block, self.block),) * 2

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        _image("space_to_depth", x)
        if x[1] % self.block or x[2] % self.block:
            raise ShapeError(
                f"'space_to_depth' needs sizes divisible by its block {self.block},"
                f" got {text_of(x)}"
            )
        return x[0] * self.block**2, x[1] // self.block, x[2] // self.block

    params = buffers = macs = elementwise = free
    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return call("nn.PixelUnshuffle", self.block)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((3, 16, 16),)),
            Example(cls(block=3), ((2, 9, 12),)),
        )


@op("pixel_shuffle")
class PixelShuffle(Op, frozen=True, kw_only=True):
    """Channels as positions of blocks, for upsampling, Shi et al. 2016.

    block: positions along each axis of a block; the channels shrink by its square
    """

    principal = "block"

    block: Positive = 2

    def window(self, *ins: Shape) -> Windows:
        return (Resample(1, (range(1),) * self.block),) * 2

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        _image("pixel_shuffle", x)
        if x[0] % self.block**2:
            raise ShapeError(
                f"'pixel_shuffle' needs channels divisible by {self.block**2}, got {x[0]}"
            )
        return x[0] // self.block**2, x[1] * self.block, x[2] * self.block

    params = buffers = macs = elementwise = free
    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return call("nn.PixelShuffle", self.block)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(block=3), ((9, 4, 5),)),
        )


@op("reshape")
class Reshape(Op, frozen=True, kw_only=True):
    """The same numbers in another shape.

    size: channels, then the spatial axes
    """

    principal = "size"
    storage = Storage.VIEW

    size: Shape

    def window(self, *ins: Shape) -> Windows:
        return WHOLE

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if prod(x) != prod(self.size):
            raise ShapeError(
                f"'reshape' to {text_of(self.size)} needs {prod(self.size)} numbers,"
                f" got {prod(x)} of {text_of(x)}"
            )
        return self.size

    params = buffers = macs = elementwise = access = free

    def saved(self, *ins: Shape) -> Saved:
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Reshape", *self.size)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(16, 4, 4)), ((256,),)),
            Example(cls(size=(4, 18)), ((2, 6, 6),)),
        )


@recognises("onnx.DepthToSpace")
def onnx_depth_to_space(foreign: Foreign) -> Recognised | None:
    """Recognise a pixel shuffle; ONNX's default order is another."""
    if foreign.get("mode", "DCR") != "CRD":
        return None
    return Recognised(PixelShuffle(block=foreign.get("blocksize")), foreign.ins)


@recognises("onnx.Unshuffle")
def onnx_unshuffle(foreign: Foreign) -> Recognised | None:
    """Recognise blocks whose positions become channels, as the importer brings them."""
    return Recognised(SpaceToDepth(block=foreign.get("block")), foreign.ins)


@recognises("onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze")
def onnx_reshape(foreign: Foreign) -> Recognised | None:
    """Recognise another shape for the same numbers of each image."""
    x = foreign.ins[0]
    if foreign.out == x.shape:
        return Recognised(Identity(), (x,))
    if len(foreign.out) == 2:
        return Recognised(Flatten(), (x,))
    return Recognised(Reshape(size=foreign.out[1:]), (x,)) if len(foreign.out) <= 5 else None


@recognises("aten.pixel_shuffle.default")
def pixel_shuffle_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's pixel shuffle."""
    return Recognised(PixelShuffle(block=foreign.args["upscale_factor"]), foreign.ins)


@recognises("aten.pixel_unshuffle.default")
def space_to_depth_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's pixel unshuffle."""
    return Recognised(SpaceToDepth(block=foreign.args["downscale_factor"]), foreign.ins)


@recognises("aten.view.default", "aten.reshape.default", "aten.unflatten.int",
            "aten.flatten.using_ints")  # fmt: skip
def reshape_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise another shape of the same image: flat, or up to 4 axes."""
    (x,) = foreign.ins
    if x.shape[0] != foreign.out[0] or len(foreign.out) > 5:
        return None
    op = Flatten() if len(foreign.out) == 2 else Reshape(size=foreign.out[1:])
    return Recognised(op, (x,))
