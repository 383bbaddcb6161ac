"""Maximum over windows to a given size, and over everything."""

from __future__ import annotations

from math import prod

from archscope.ir import WHOLE, Call, Example, Op, Saved, Shape, Windows, call, free, moved
from archscope.ops.attributes import Size
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, recognises
from archscope.ops.geometry import per_axis, short, spatial
from archscope.ops.pool import adaptive, elements_read
from archscope.ops.registry import op


@op("adaptive_maxpool")
class AdaptiveMaxPool(Op, frozen=True, kw_only=True):
    """Largest value of windows chosen so that the output has the given size.

    size: output positions
    """

    principal = "size"

    size: Size

    def window(self, *ins: Shape) -> Windows:
        sizes, outs = ins[0][1:], self.shape(*ins)[1:]
        if all(out == 1 for out in outs):
            return WHOLE
        return tuple(adaptive(size, out) for size, out in zip(sizes, outs, strict=True))

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        rank = len(spatial(x, "adaptive_maxpool"))
        return x[0], *per_axis(self.size, rank, "size of 'adaptive_maxpool'")

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a window but the first."""
        (x,) = ins
        out = self.shape(x)
        return x[0] * prod(map(elements_read, x[1:], out[1:])) - prod(out)

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, indices=prod(self.shape(*ins)))

    def torch(self, *ins: Shape) -> Call:
        outs = self.shape(*ins)[1:]
        return call(f"nn.AdaptiveMaxPool{len(outs)}d", short(outs))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=5), ((8, 16, 16),)),
            Example(cls(size=(3, 1)), ((8, 7, 9),)),
            Example(cls(size=1), ((8, 16, 16),)),
            Example(cls(size=3), ((8, 10),)),
        )


@op("global_maxpool")
class GlobalMaxPool(Op, frozen=True, kw_only=True):
    """Largest value of all positions, which leaves one for each channel."""

    def window(self, *ins: Shape) -> Windows:
        return WHOLE

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        return x[0], *(1 for _ in spatial(x, "global_maxpool"))

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a channel but the first."""
        return prod(ins[0]) - ins[0][0]

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, indices=ins[0][0])

    def torch(self, *ins: Shape) -> Call:
        return call(f"nn.AdaptiveMaxPool{len(ins[0]) - 1}d", 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 16, 16),)),
            Example(cls(), ((8, 16),)),
            Example(cls(), ((4, 3, 4, 5),)),
        )


@recognises("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default",
            "aten.adaptive_max_pool3d.default")  # fmt: skip
def adaptive_maxpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's maximum pooling to a given size."""
    if foreign.get("result", 0) != 0:
        return None
    size = per_axis_or_one(foreign.out[2:])
    op = GlobalMaxPool() if size == 1 else AdaptiveMaxPool(size=size)
    return Recognised(op, foreign.ins)
