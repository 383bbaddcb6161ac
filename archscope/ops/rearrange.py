"""Operators that rearrange numbers among channels and positions."""

from __future__ import annotations

from typing import Annotated

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Shape, Windows, call, text_of
from archscope.ops.attributes import Positive
from archscope.ops.facts import free, moved, pointwise, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op


@op("channel_shuffle")
class ChannelShuffle(Op, frozen=True, kw_only=True):
    """Interleave the channels of groups, so that the groups mix, Zhang et al. 2017."""

    principal = "groups"
    modules = ("nn.ChannelShuffle",)
    keeps_zero = True

    groups: Annotated[Positive, "number of groups to interleave"]

    def is_identity(self, *ins: Shape) -> bool:
        return self.groups in (1, ins[0][0])

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        if ins[0][0] % self.groups:
            raise ShapeError(
                f"'channel_shuffle' of {self.groups} groups needs channels divisible by it,"
                f" got {ins[0][0]}"
            )
        return ins[0]

    params = buffers = macs = elementwise = free
    access = moved
    saved = saves_nothing

    def torch(self, *ins: Shape) -> Call:
        return call("nn.ChannelShuffle", self.groups)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(groups=2), ((8, 6, 6),)),
            Example(cls(groups=4), ((8, 5),)),
        )


def _image(name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ShapeError(f"'{name}' needs 2 spatial axes, got {text_of(shape)}")


@op("space_to_depth")
class SpaceToDepth(Op, frozen=True, kw_only=True):
    """Rearrange blocks of positions into channels; with 2 it is the Focus layer of YOLOv5."""

    principal = "block"
    modules = ("nn.PixelUnshuffle",)
    keeps_zero = True

    block: Annotated[
        Positive, "size of a block along each axis; the channels are multiplied by its square"
    ] = 2

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
    saved = saves_nothing

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
    """Rearrange channels into blocks of positions, for upsampling, Shi et al. 2016."""

    principal = "block"
    modules = ("nn.PixelShuffle",)
    keeps_zero = True

    block: Annotated[
        Positive, "size of a block along each axis; the channels are divided by its square"
    ] = 2

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
    saved = saves_nothing

    def torch(self, *ins: Shape) -> Call:
        return call("nn.PixelShuffle", self.block)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(block=3), ((9, 4, 5),)),
        )


@recognises("onnx.ChannelShuffle")
def onnx_shuffle(foreign: Foreign) -> Recognised | None:
    """Recognise a channel shuffle, as the importer brings it."""
    return Recognised(ChannelShuffle(groups=foreign.get("groups")), foreign.ins)


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


@recognises("aten.channel_shuffle.default")
def channel_shuffle_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's channel shuffle."""
    return Recognised(ChannelShuffle(groups=foreign.args["groups"]), foreign.ins)


@recognises("aten.pixel_shuffle.default")
def pixel_shuffle_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's pixel shuffle."""
    return Recognised(PixelShuffle(block=foreign.args["upscale_factor"]), foreign.ins)


@recognises("aten.pixel_unshuffle.default")
def space_to_depth_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's pixel unshuffle."""
    return Recognised(SpaceToDepth(block=foreign.args["downscale_factor"]), foreign.ins)
