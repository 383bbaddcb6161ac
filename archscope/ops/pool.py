"""Pooling over sliding windows: maximum, mean, Lp norm and stochastic pooling."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from msgspec import structs

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, by_rank, call, text_of
from archscope.onnx_form import OnnxNode, Value, X, node, scalar
from archscope.ops.attributes import Flag, Padding, Positive, Size
from archscope.ops.conv import onnx_pads, onnx_steps, torch_numbers
from archscope.ops.facts import Weightless, stated
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, recognises
from archscope.ops.geometry import (
    onnx_windows,
    padded,
    per_axis,
    short,
    slid,
    sliding,
    symmetric,
    taps,
    torch_pad,
)
from archscope.ops.registry import op
from archscope.ops.scale import MulScalar


class Pool(Weightless, frozen=True, kw_only=True):
    """The base class of pools over sliding windows; not an operator itself."""

    principal = "kernel"
    keeps_zero = pools = True

    kernel: Annotated[Size, "size of the window"]
    stride: Annotated[Size | None, "step of the window; defaults to the kernel"] = None

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return self.sliding(ins[0])

    def sliding(
        self, x: Shape, padding: Padding = 0, dilation: Size = 1, ceil: bool = False
    ) -> tuple[Window, ...]:
        """Return the window along each spatial axis. Raises ShapeError."""
        return sliding(
            self.name, x, self.kernel, self.stride or self.kernel, padding, dilation, ceil
        )

    def shape(self, *ins: Shape) -> Shape:
        sizes = slid(self.window(*ins), ins[0])
        return ins[0][0], *sizes

    def onnx_pool(self, kind: str, x: Value, *ins: Shape, **attributes: Any) -> OnnxNode:
        """Describe ONNX's pool over the same windows."""
        windows = self.window(*ins)
        sizes = zip(windows, ins[0][1:], strict=True)
        # Runtimes differ in overhanging windows, unless the last window of all overhangs.
        over = any(structs.replace(w, ceil=False).slide(n) != w.slide(n) for w, n in sizes)
        words = onnx_windows(windows) | attributes
        return node(kind, x, **words, ceil_mode=1 if over else None)


class Maxima(Pool, frozen=True, kw_only=True):
    """The base class of operators on the maximum of each window; not an operator itself."""

    padding: Annotated[Padding, "padding by minus infinity; at most half the kernel"] = 0
    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    ceil: Annotated[
        Flag, "round the output size up: the last window may extend beyond the input"
    ] = False

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        windows = self.sliding(ins[0], self.padding, self.dilation, self.ceil)
        _check_padding(self.name, windows)
        if self.ceil and not symmetric(windows):
            # The window beyond the edge might see nothing but padding.
            raise ShapeError(
                f"'{self.name}' with ceil needs the same padding on both sides of an axis"
            )
        return windows

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a window except the first."""
        return prod(self.shape(*ins)) * (taps(self.window(*ins)) - 1)

    def words(self, *ins: Shape) -> dict[str, Any]:
        """Return the arguments of torch's pools, whose padding is the same on both sides."""
        windows = self.window(*ins)
        return stated(
            padding=short(w.before for w in windows) if symmetric(windows) else 0,
            dilation=short(w.dilation for w in windows),
            ceil_mode=self.ceil,
        )


@op("maxpool")
class MaxPool(Maxima, frozen=True, kw_only=True):
    """Maximum over each window."""

    selects = True
    modules = (*by_rank("nn.MaxPool{}d"), *by_rank("archscope.nn.PaddedMaxPool{}d"))

    def is_identity(self, *ins: Shape) -> bool:
        return all(axis.kernel == axis.stride == 1 for axis in self.window(*ins))

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        indices = prod(self.shape(x))
        windows = self.window(x)
        if symmetric(windows):
            return Saved(input=True, indices=indices)
        return Saved(elements=padded(windows, x), indices=indices)

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        even, words = symmetric(windows), self.words(*ins)
        if not even:
            words["pad"] = torch_pad(windows)
        target = "nn.MaxPool" if even else "archscope.nn.PaddedMaxPool"
        kernel, stride = short(w.kernel for w in windows), short(w.stride for w in windows)
        return call(f"{target}{len(windows)}d", kernel, stride=stride, **words)

    def onnx(self, *ins: Shape) -> Value:
        return self.onnx_pool("MaxPool", X, *ins)

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
class AvgPool(Pool, frozen=True, kw_only=True):
    """Mean over each window."""

    modules = (*by_rank("nn.AvgPool{}d"), *by_rank("archscope.nn.PaddedAvgPool{}d"))

    padding: Annotated[Padding, "zeros around the input; at most half the kernel"] = 0
    ceil: Annotated[
        Flag, "round the output size up: the last window may extend beyond the input"
    ] = False
    count_padding: Annotated[Flag, "include the zeros of the padding in the mean"] = True

    def is_identity(self, *ins: Shape) -> bool:
        return all(axis.kernel == axis.stride == 1 for axis in self.window(*ins))

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        windows = self.sliding(ins[0], self.padding, ceil=self.ceil)
        if self.ceil and not symmetric(windows):
            # The window beyond the edge might see nothing but padding.
            raise ShapeError("'avgpool' with ceil needs the same padding on both sides of an axis")
        _check_padding("avgpool", windows)
        if len(windows) == 3 and any(
            w.kernel > n for w, n in zip(windows, ins[0][1:], strict=True)
        ):
            raise ShapeError(  # torch checks the padding only for fewer axes
                f"'avgpool' on 3 axes needs an input as large as its kernel, got {text_of(ins[0])}"
            )
        return windows

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each window."""
        return prod(self.shape(*ins)) * taps(self.window(*ins))

    def saved(self, *ins: Shape) -> Saved:
        windows = self.window(*ins)
        if symmetric(windows):
            return Saved(input=True)
        shares = 0 if self.count_padding else prod(self.shape(*ins)[1:])
        return Saved(elements=padded(windows, ins[0]), fixed=shares)

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        even = symmetric(windows)
        words = stated(
            padding=short(w.before for w in windows) if even else 0,
            ceil_mode=self.ceil,
            count_include_pad=self.count_padding,
        )
        if not even:
            words["pad"] = torch_pad(windows)
        target = "nn.AvgPool" if even else "archscope.nn.PaddedAvgPool"
        kernel, stride = short(w.kernel for w in windows), short(w.stride for w in windows)
        return call(f"{target}{len(windows)}d", kernel, stride=stride, **words)

    def onnx(self, *ins: Shape) -> Value:
        counts = 1 if self.count_padding and self.padding else None
        return self.onnx_pool("AveragePool", X, *ins, count_include_pad=counts)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=1, padding=1, count_padding=False), ((8, 9, 9),)),
            Example(cls(kernel=3, stride=2, ceil=True), ((8, 10, 10),)),
            Example(cls(kernel=3, padding=((0, 1), (1, 0))), ((8, 9, 8),)),
            Example(cls(kernel=2, stride=1, padding="same", count_padding=False), ((8, 9, 9),)),
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
class LpPool(Pool, frozen=True, kw_only=True):
    """Lp norm of each window, Sermanet et al. 2012; L2 by default."""

    modules = by_rank("nn.LPPool{}d")

    norm: Annotated[Positive, "the exponent p; odd values above 1 require non-negative inputs"] = 2
    ceil: Annotated[
        Flag, "round the output size up: the last window may extend beyond the input"
    ] = False

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return self.sliding(ins[0], ceil=self.ceil)

    def elementwise(self, *ins: Shape) -> int:
        """Count a power for each value, and the additions and the root for each window."""
        return prod(ins[0]) + prod(self.shape(*ins)) * taps(self.window(*ins))

    def saved(self, *ins: Shape) -> Saved:
        # The powers, then torch's mean, its sign and magnitude, and their product times the taps.
        return Saved(input=True, elements=prod(ins[0]) + 4 * prod(self.shape(*ins)))

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        kernel, stride = short(w.kernel for w in windows), short(w.stride for w in windows)
        words = stated(ceil_mode=self.ceil)
        return call(f"nn.LPPool{len(windows)}d", self.norm, kernel, stride=stride, **words)

    def onnx(self, *ins: Shape) -> Value:
        if self.norm % 2 == 0 and not self.ceil:
            return self.onnx_pool("LpPool", X, *ins, p=self.norm)
        # Like torch, whose odd powers keep the sign.
        mean = self.onnx_pool("AveragePool", node("Pow", X, scalar(self.norm)), *ins)
        sums = node("Mul", mean, scalar(taps(self.window(*ins))))
        return node("Pow", sums, scalar(1 / self.norm))

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
class StochasticPool(Pool, frozen=True, kw_only=True):
    """Sample a value of each window in training, Zeiler and Fergus 2013.

    The probability of a value is its share of the sum of the window; at inference the values are
    averaged with these probabilities. Negative values have probability 0.
    """

    modules = ("archscope.nn.StochasticPool",)
    random = True

    def elementwise(self, *ins: Shape) -> int:
        """Count the share and the weighted sum for each value of a window."""
        return prod(self.shape(*ins)) * (4 * taps(self.window(*ins)) - 2)

    def saved(self, *ins: Shape) -> Saved:
        out = prod(self.shape(*ins))
        return Saved(elements=out * taps(self.window(*ins)), indices=out)

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        return call(
            "archscope.nn.StochasticPool",
            tuple(w.kernel for w in windows),
            tuple(w.stride for w in windows),
        )

    def onnx(self, *ins: Shape) -> Value:
        positive = node("Relu", X)
        mean, sums, squares = (
            self.onnx_pool("AveragePool", x, *ins)
            for x in (X, positive, node("Mul", positive, positive))
        )
        nothing = node("Equal", sums, scalar(0))  # is positive: all are equally likely
        return node("Where", nothing, mean, node("Div", squares, sums))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kernel=2), ((8, 16, 16),)),
            Example(cls(kernel=3, stride=2), ((8, 11, 12),)),
            Example(cls(kernel=3, stride=2), ((8, 21),)),
            Example(cls(kernel=2), ((4, 2, 6, 6),)),
        )


def windows_of_onnx(foreign: Foreign) -> dict[str, Any]:
    """Return the attributes that all ONNX pools have; the padding is None if unknown."""
    kernel = foreign.args["kernel_shape"]
    return {
        "kernel": short(kernel),
        "padding": onnx_pads(foreign, kernel),
        "ceil": bool(foreign.get("ceil_mode", 0)),
        **onnx_steps(foreign, len(kernel)),
    }


@recognises("onnx.MaxPool")
def onnx_maxpool(foreign: Foreign) -> Recognised | None:
    """Recognise a maximum over windows."""
    given = windows_of_onnx(foreign)
    return Recognised(MaxPool(**given), foreign.ins) if given["padding"] is not None else None


@recognises("onnx.AveragePool")
def onnx_avgpool(foreign: Foreign) -> Recognised | None:
    """Recognise a mean over windows without gaps."""
    given = windows_of_onnx(foreign)
    padding = given["padding"]
    if given.pop("dilation") != 1 or padding is None:
        return None
    counts = bool(foreign.get("count_include_pad", 0)) or padding == 0
    return Recognised(AvgPool(**given, count_padding=counts), foreign.ins)


@recognises("onnx.LpPool")
def onnx_lp_pool(foreign: Foreign) -> Recognised | None:
    """Recognise Lp pooling with an even norm, without padding or gaps."""
    given = windows_of_onnx(foreign)
    norm = foreign.get("p", 2)
    if given.pop("padding") != 0 or given.pop("dilation") != 1 or given.pop("ceil") or norm % 2:
        return None  # torch takes what is beyond the input for as large as the rest
    return Recognised(LpPool(**given, norm=norm), foreign.ins)


@recognises("aten.lp_pool.windows")
def lp_pool_of_windows(foreign: Foreign) -> Recognised | None:
    """Recognise Lp pooling of numbers that an importer has made positive, without padding."""
    given = {word: per_axis_or_one(foreign.args[word]) for word in ("norm", "kernel", "stride")}
    return Recognised(LpPool(**given), foreign.ins)


def pool_of_torch(foreign: Foreign) -> dict[str, Any]:
    """Return the attributes that all torch pools have."""
    given = torch_numbers(foreign, "stride", "padding")
    kernel = per_axis_or_one(foreign.args["kernel_size"])
    given["stride"] = given["stride"] or kernel
    return {"kernel": kernel, "ceil": foreign.args["ceil_mode"], **given}


@recognises("aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default")
def maxpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's maximum pooling, without indices."""
    found = MaxPool(**pool_of_torch(foreign), **torch_numbers(foreign, "dilation"))
    return Recognised(found, foreign.ins)


@recognises("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def avgpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's average pooling."""
    divisor = foreign.get("divisor_override")
    given, counts = pool_of_torch(foreign), foreign.args["count_include_pad"]
    if divisor is None:
        return Recognised(AvgPool(**given, count_padding=counts), foreign.ins)
    rank = len(foreign.out) - 2
    size = prod(per_axis(given["kernel"], rank, "kernel of 'avgpool'"))
    if given["ceil"]:  # the last window may be cut
        return None
    found = AvgPool(**given, count_padding=True)
    return Recognised(found, foreign.ins, then=(MulScalar(factor=size / divisor),))
