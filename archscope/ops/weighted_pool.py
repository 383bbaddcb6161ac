"""Pooling that weighs the values of a window by their size: Lp norms and stochastic pooling."""

from __future__ import annotations

from math import prod

from archscope.axes import Window
from archscope.ir import Call, Example, Op, Saved, Shape, call, free, moved
from archscope.ops.attributes import Flag, Positive, Size
from archscope.ops.conv import onnx_pads
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.geometry import short, sliding
from archscope.ops.registry import op


@op("lp_pool")
class LpPool(Op, frozen=True, kw_only=True):
    """Root of the sum of powers of each window, Sermanet et al. 2012; L2 pooling unless said.

    kernel: window size
    stride: step of the window; the kernel, unless said
    norm: the power p; an odd one above 1 is for inputs that are not negative
    ceil: keep a last window that hangs over the edge
    """

    principal = "kernel"

    kernel: Size
    stride: Size | None = None
    norm: Positive = 2
    ceil: Flag = False

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        stride = self.stride or self.kernel
        return sliding("lp_pool", ins[0], self.kernel, stride, 0, 1, self.ceil)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        return x[0], *(w.slide(size) for w, size in zip(self.window(x), x[1:], strict=True))

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a power for each value, and for each window the additions and the root."""
        taps = prod(window.kernel for window in self.window(*ins))
        return prod(ins[0]) + prod(self.shape(*ins)) * taps

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        # The powers, then torch's mean, its sign and size, and their product times the taps.
        return Saved(input=True, elements=prod(ins[0]) + 4 * prod(self.shape(*ins)))

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        kernel, stride = short(w.kernel for w in windows), short(w.stride for w in windows)
        words = {"ceil_mode": True} if self.ceil else {}
        return call(f"nn.LPPool{len(windows)}d", self.norm, kernel, stride=stride, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=2, ceil=True), ((8, 10, 10),)),
            Example(cls(kernel=(3, 2), stride=1, norm=4), ((4, 7, 9),)),
            Example(cls(kernel=4), ((8, 64),)),
            Example(cls(kernel=2), ((4, 4, 6, 6),)),
        )


@op("stochastic_pool")
class StochasticPool(Op, frozen=True, kw_only=True):
    """Stochastic pooling, Zeiler and Fergus 2013.

    While training a value of each window is drawn, with a probability in proportion to it; at
    inference the values are averaged with these probabilities. Negative values have none.

    kernel: window size
    stride: step of the window; the kernel, unless said
    """

    principal = "kernel"

    kernel: Size
    stride: Size | None = None

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding("stochastic_pool", ins[0], self.kernel, self.stride or self.kernel, 0)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        return x[0], *(w.slide(size) for w, size in zip(self.window(x), x[1:], strict=True))

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count for each value of a window its share of the sum, and the weighted sum."""
        taps = prod(window.kernel for window in self.window(*ins))
        return prod(self.shape(*ins)) * (4 * taps - 2)

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        taps = prod(window.kernel for window in self.window(*ins))
        out = prod(self.shape(*ins))
        return Saved(elements=out * taps, indices=out)

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        return call(
            "archscope.nn.StochasticPool",
            tuple(w.kernel for w in windows),
            tuple(w.stride for w in windows),
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=2), ((8, 11, 12),)),
            Example(cls(kernel=3, stride=2), ((8, 21),)),
            Example(cls(kernel=2), ((4, 2, 6, 6),)),
        )


@recognises("onnx.LpPool")
def onnx_lp_pool(foreign: Foreign) -> Recognised | None:
    """Recognise Lp pooling without padding or gaps, of an even norm."""
    (x,) = foreign.ins
    rank = len(x.shape) - 2
    norm = foreign.get("p", 2)
    if onnx_pads(foreign, rank) != 0 or set(foreign.get("dilations") or [1]) != {1} or norm % 2:
        return None
    found = LpPool(
        kernel=short(foreign.get("kernel_shape")),
        stride=short(foreign.get("strides") or (1,) * rank),
        norm=norm,
        ceil=bool(foreign.get("ceil_mode", 0)),
    )
    return Recognised(found, (x,))
