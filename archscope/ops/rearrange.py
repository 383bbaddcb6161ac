"""Operators that rearrange numbers among channels and positions."""

from __future__ import annotations

from typing import Annotated

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Positive, choice
from archscope.ops.facts import Rearrangement, pointwise
from archscope.ops.foreign import recognises_as
from archscope.ops.registry import op


@op("channel_shuffle")
class ChannelShuffle(Rearrangement, frozen=True, kw_only=True):
    """Interleave the channels of groups, which mixes the groups, Zhang et al. 2017."""

    principal = "groups"
    modules = ("nn.ChannelShuffle",)

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

    def onnx(self, *ins: Shape) -> Value:
        channels, *sizes = ins[0]
        split = node("Reshape", X, ints(0, self.groups, channels // self.groups, *sizes))
        mixed = node("Transpose", split, perm=(0, 2, 1, *range(3, 3 + len(sizes))))
        return node("Reshape", mixed, ints(0, channels, *sizes))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(groups=2), ((8, 6, 6),)),
            Example(cls(groups=4), ((8, 5),)),
        )


BlockOrder = Annotated[str, choice("channel", "row", "column")]


def _image(name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ShapeError(f"'{name}' needs 2 spatial axes, got {text_of(shape)}")


@op("space_to_depth")
class SpaceToDepth(Rearrangement, frozen=True, kw_only=True):
    """Rearrange blocks of positions into channels, as in the patch merging of Liu et al. 2021."""

    principal = "block"
    modules = ("nn.PixelUnshuffle", "archscope.nn.SpaceToDepth")

    block: Annotated[
        Positive, "size of a block along each axis; the channels are multiplied by its square"
    ] = 2
    order: Annotated[
        BlockOrder,
        "what lies together: the positions of a `channel`, as torch has them; or all channels of a"
        " position, block row by `row`, as TensorFlow has them, or by `column`, as Swin has",
    ] = "channel"

    def window(self, *ins: Shape) -> Windows:
        return (Window(self.block, self.block),) * 2

    def torch(self, *ins: Shape) -> Call:
        if self.order == "channel":
            return call("nn.PixelUnshuffle", self.block)
        return call("archscope.nn.SpaceToDepth", self.block, self.order)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        _image("space_to_depth", x)
        if x[1] % self.block or x[2] % self.block:
            raise ShapeError(
                f"'space_to_depth' needs sizes divisible by its block {self.block},"
                f" got {text_of(x)}"
            )
        return x[0] * self.block**2, x[1] // self.block, x[2] // self.block

    def onnx(self, *ins: Shape) -> Value:
        channels, height, width = self.shape(*ins)
        split = ints(0, ins[0][0], height, self.block, width, self.block)
        inside = {"channel": (1, 3, 5), "row": (3, 5, 1), "column": (5, 3, 1)}[self.order]
        blocks = node("Transpose", node("Reshape", X, split), perm=(0, *inside, 2, 4))
        return node("Reshape", blocks, ints(0, channels, height, width))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((3, 16, 16),)),
            Example(cls(block=3), ((2, 9, 12),)),
            Example(cls(order="row"), ((3, 4, 6),)),
            Example(cls(order="column"), ((3, 4, 6),)),
        )


@op("pixel_shuffle")
class PixelShuffle(Rearrangement, frozen=True, kw_only=True):
    """Rearrange channels into blocks of positions, for upsampling, Shi et al. 2016."""

    principal = "block"
    modules = ("nn.PixelShuffle",)

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

    def onnx(self, *ins: Shape) -> Value:
        return node("DepthToSpace", X, blocksize=self.block, mode="CRD")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(block=3), ((9, 4, 5),)),
        )


recognises_as(
    ChannelShuffle, "onnx.ChannelShuffle", "aten.channel_shuffle.default", groups="groups"
)
recognises_as(PixelShuffle, "aten.pixel_shuffle.default", block="upscale_factor")
recognises_as(SpaceToDepth, "aten.pixel_unshuffle.default", block="downscale_factor")
recognises_as(SpaceToDepth, "onnx.Unshuffle", block="block", order="order")
recognises_as(  # ONNX's default order is another
    PixelShuffle, "onnx.DepthToSpace", when=lambda f: f.get("mode") == "CRD", block="blocksize"
)
