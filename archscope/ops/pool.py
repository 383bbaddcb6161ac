"""Pooling over sliding windows: maximum, mean, Lp norm and stochastic pooling."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, by_rank, call, text_of
from archscope.ops.attributes import Flag, Padding, Positive, Size
from archscope.ops.conv import onnx_pads
from archscope.ops.facts import free, moved, saves_input
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, recognises
from archscope.ops.geometry import short, sliding, symmetric, torch_pad
from archscope.ops.registry import op


def _slid(shape: Shape, windows: tuple[Window, ...]) -> Shape:
    return shape[0], *(w.slide(size) for w, size in zip(windows, shape[1:], strict=True))


@op("maxpool")
class MaxPool(Op, frozen=True, kw_only=True):
    """Maximum over each window."""

    principal = "kernel"
    modules = (*by_rank("nn.MaxPool{}d"), *by_rank("archscope.nn.PaddedMaxPool{}d"))
    keeps_zero = True

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None
    padding: Annotated[Padding, "padding, which is never the maximum; at most half the kernel"] = 0
    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    ceil: Annotated[Flag, "round the output size up: a last window may reach beyond the input"] = (
        False
    )

    def is_identity(self, *ins: Shape) -> bool:
        return all(axis.kernel == axis.stride == 1 for axis in self.window(*ins))

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        windows = sliding(
            "maxpool",
            ins[0],
            self.kernel,
            self.stride or self.kernel,
            self.padding,
            self.dilation,
            self.ceil,
        )
        _check_padding("maxpool", windows)
        if self.ceil and not symmetric(windows):
            # The window that hangs over the edge might see nothing but padding.
            raise ShapeError("'maxpool' with ceil needs the same padding on both sides of an axis")
        return windows

    def shape(self, *ins: Shape) -> Shape:
        return _slid(ins[0], self.window(*ins))

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a window but the first."""
        taps = prod(window.kernel for window in self.window(*ins))
        return prod(self.shape(*ins)) * (taps - 1)

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        indices = prod(self.shape(x))
        windows = self.window(x)
        if symmetric(windows):
            return Saved(input=True, indices=indices)
        padded = (w.before + size + w.after for w, size in zip(windows, x[1:], strict=True))
        return Saved(elements=x[0] * prod(padded), indices=indices)

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        even = symmetric(windows)
        words: dict[str, object] = {"stride": short(w.stride for w in windows)}
        if even and any(w.before for w in windows):
            words["padding"] = short(w.before for w in windows)
        if any(w.dilation > 1 for w in windows):
            words["dilation"] = short(w.dilation for w in windows)
        if self.ceil:
            words["ceil_mode"] = True
        if not even:
            words["pad"] = torch_pad(windows)
        target = "nn.MaxPool" if even else "archscope.nn.PaddedMaxPool"
        return call(f"{target}{len(windows)}d", short(w.kernel for w in windows), **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=2, padding=1), ((8, 15, 16),)),
            Example(cls(kernel=3, stride=2, ceil=True), ((8, 16, 15),)),
            Example(cls(kernel=2, stride=1, padding="same"), ((4, 9, 9),)),
            Example(cls(kernel=3, stride=1, padding=1, dilation=1), ((4, 20),)),
        )


@op("avgpool")
class AvgPool(Op, frozen=True, kw_only=True):
    """Mean over each window."""

    principal = "kernel"
    modules = by_rank("nn.AvgPool{}d")
    keeps_zero = True

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None
    padding: Annotated[Padding, "zeros around the input; at most half the kernel"] = 0
    ceil: Annotated[Flag, "round the output size up: a last window may reach beyond the input"] = (
        False
    )
    count_padding: Annotated[Flag, "include the zeros of the padding in the mean"] = True

    def is_identity(self, *ins: Shape) -> bool:
        return all(axis.kernel == axis.stride == 1 for axis in self.window(*ins))

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        stride = self.stride or self.kernel
        windows = sliding("avgpool", ins[0], self.kernel, stride, self.padding, 1, self.ceil)
        if not symmetric(windows):
            raise ShapeError("'avgpool' needs the same padding on both sides of an axis")
        _check_padding("avgpool", windows)
        if len(windows) == 3 and any(
            w.kernel > n for w, n in zip(windows, ins[0][1:], strict=True)
        ):
            raise ShapeError(  # torch looks at the padding on fewer axes only
                f"'avgpool' on 3 axes needs an input as large as its kernel, got {text_of(ins[0])}"
            )
        return windows

    def shape(self, *ins: Shape) -> Shape:
        return _slid(ins[0], self.window(*ins))

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each window."""
        return prod(self.shape(*ins)) * prod(window.kernel for window in self.window(*ins))

    access = moved
    saved = saves_input

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        words: dict[str, object] = {"stride": short(w.stride for w in windows)}
        if any(w.before for w in windows):
            words["padding"] = short(w.before for w in windows)
        if self.ceil:
            words["ceil_mode"] = True
        if not self.count_padding:
            words["count_include_pad"] = False
        return call(f"nn.AvgPool{len(windows)}d", short(w.kernel for w in windows), **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=1, padding=1, count_padding=False), ((8, 9, 9),)),
            Example(cls(kernel=3, stride=2, ceil=True), ((8, 10, 10),)),
            Example(cls(kernel=4), ((8, 64),)),
        )


def _check_padding(name: str, windows: tuple[Window, ...]) -> None:
    for window in windows:
        if 2 * max(window.before, window.after) > window.kernel:
            raise ShapeError(
                f"'{name}' takes a padding of at most half its kernel {window.kernel},"
                f" got {max(window.before, window.after)}"
            )


@op("lp_pool")
class LpPool(Op, frozen=True, kw_only=True):
    """Lp norm of each window, Sermanet et al. 2012; L2 by default."""

    principal = "kernel"
    modules = by_rank("nn.LPPool{}d")
    keeps_zero = True

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None
    norm: Annotated[Positive, "the exponent p; odd values above 1 are for non-negative inputs"] = 2
    ceil: Annotated[Flag, "round the output size up: a last window may reach beyond the input"] = (
        False
    )

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
    """Sample a value of each window while training, Zeiler and Fergus 2013.

    The probability of a value is its share of the sum of the window; at inference the values are
    averaged with these probabilities. Negative values have none.
    """

    principal = "kernel"
    modules = ("archscope.nn.StochasticPool",)
    random = keeps_zero = True

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None

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


@recognises("onnx.MaxPool")
def onnx_maxpool(foreign: Foreign) -> Recognised | None:
    """Recognise a maximum over windows."""
    (x,) = foreign.ins
    rank = len(x.shape) - 2
    padding = onnx_pads(foreign, rank)
    if padding is None:
        return None
    found = MaxPool(
        kernel=short(foreign.get("kernel_shape")),
        stride=short(foreign.get("strides") or (1,) * rank),
        padding=padding,
        dilation=short(foreign.get("dilations") or (1,) * rank),
        ceil=bool(foreign.get("ceil_mode", 0)),
    )
    return Recognised(found, (x,))


@recognises("onnx.AveragePool")
def onnx_avgpool(foreign: Foreign) -> Recognised | None:
    """Recognise a mean over windows without gaps."""
    (x,) = foreign.ins
    rank = len(x.shape) - 2
    padding = onnx_pads(foreign, rank)
    if padding is None or padding == "same" or set(foreign.get("dilations") or [1]) != {1}:
        return None
    count = bool(foreign.get("count_include_pad", 0)) or padding == 0
    found = AvgPool(
        kernel=short(foreign.get("kernel_shape")),
        stride=short(foreign.get("strides") or (1,) * rank),
        padding=padding,
        ceil=bool(foreign.get("ceil_mode", 0)),
        count_padding=count,
    )
    return Recognised(found, (x,))


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


@recognises("aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default")
def maxpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's maximum pooling."""
    given = foreign.args
    kernel = per_axis_or_one(given["kernel_size"])
    op = MaxPool(
        kernel=kernel,
        stride=per_axis_or_one(given["stride"]) or kernel,
        padding=per_axis_or_one(given["padding"]),
        dilation=per_axis_or_one(given["dilation"]),
        ceil=given["ceil_mode"],
    )
    return Recognised(op, foreign.ins)


@recognises("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def avgpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's average pooling."""
    given = foreign.args
    if foreign.get("divisor_override") is not None:
        return None
    kernel = per_axis_or_one(given["kernel_size"])
    op = AvgPool(
        kernel=kernel,
        stride=per_axis_or_one(given["stride"]) or kernel,
        padding=per_axis_or_one(given["padding"]),
        ceil=given["ceil_mode"],
        count_padding=given["count_include_pad"],
    )
    return Recognised(op, foreign.ins)
