"""Convolutions, plain and transposed, in 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any

from archscope.axes import Scatter, Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, by_rank, call
from archscope.onnx_form import Value, X, node
from archscope.ops.attributes import Flag, Padding, Positive, Size
from archscope.ops.facts import Weighted, saves_input, stated
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, with_bias
from archscope.ops.geometry import (
    onnx_windows,
    padded,
    per_axis,
    short,
    short_padding,
    slid,
    sliding,
    spatial,
    symmetric,
    taps,
    torch_pad,
)
from archscope.ops.registry import op
from archscope.ops.reshape import Slice


def check_groups(name: str, channels: int, out: int, groups: int) -> None:
    """Raise ShapeError unless `groups` divides the channels on both sides."""
    for side, count in (("input", channels), ("output", out)):
        if count % groups:
            raise ShapeError(
                f"'{name}' with groups {groups} needs {side} channels divisible by {groups},"
                f" got {count}"
            )


class Convolution(Weighted, frozen=True, kw_only=True):
    """The base class of convolutions with sliding windows; not an operator itself."""

    kernel: Annotated[Size, "size of the window"] = 1
    stride: Annotated[Size, "step of the window"] = 1
    padding: Annotated[
        Padding, "zeros around the input; `same` keeps ceil(size / stride) positions"
    ] = 0

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        raise NotImplementedError

    def taps(self, x: Shape) -> int:
        """Return the weights per output value: input channels of its group times window size."""
        return x[0] * taps(self.window(x))

    def shape(self, *ins: Shape) -> Shape:
        return self.out, *slid(self.window(*ins), ins[0])

    def macs(self, *ins: Shape) -> int:
        return prod(self.shape(*ins)) * self.taps(ins[0])


@op("conv")
class Conv(Convolution, frozen=True, kw_only=True):
    """Convolution over 1 to 3 spatial axes, optionally grouped and dilated."""

    modules = (*by_rank("nn.Conv{}d"), *by_rank("archscope.nn.PaddedConv{}d"))
    convolution = absorbs_scale = True

    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    groups: Annotated[
        Positive,
        "groups of channels convolved separately; the channel count makes it depthwise",
    ] = 1
    bias: Annotated[Flag, "add a learned bias to each output channel"] = True

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding("conv", ins[0], self.kernel, self.stride, self.padding, self.dilation)

    def shape(self, *ins: Shape) -> Shape:
        out = Convolution.shape(self, *ins)
        check_groups("conv", ins[0][0], self.out, self.groups)
        return out

    def taps(self, x: Shape) -> int:
        return x[0] // self.groups * taps(self.window(x))

    def params(self, *ins: Shape) -> int:
        return self.out * (self.taps(ins[0]) + self.bias)

    def saved(self, *ins: Shape) -> Saved:
        windows = self.window(*ins)
        if symmetric(windows):
            return Saved(input=True)
        return Saved(elements=padded(windows, ins[0]))

    def weights_key(self, *ins: Shape) -> object:
        """Return the shape of the weights and the number of biases."""
        sizes = per_axis(self.kernel, len(ins[0]) - 1, "kernel")
        return (self.out, ins[0][0] // self.groups, *sizes), self.out * self.bias

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        words = stated(
            stride=short(w.stride for w in windows),
            padding=short(w.before for w in windows) if symmetric(windows) else 0,
            dilation=short(w.dilation for w in windows),
            groups=self.groups,
            bias=self.bias,
        )
        target = "nn.Conv"
        if not symmetric(windows):
            target, words["pad"] = "archscope.nn.PaddedConv", torch_pad(windows)
        kernel = short(w.kernel for w in windows)
        return call(f"{target}{len(windows)}d", ins[0][0], self.out, kernel, **words)

    def onnx(self, *ins: Shape) -> Value:
        words = onnx_windows(self.window(*ins))
        weights = self.onnx_weights(self.out, ins[0][0] // self.groups, *words["kernel_shape"])
        return node("Conv", X, *weights, group=self.groups, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=16, kernel=3, padding=1), ((8, 16, 16),)),
            Example(cls(out=64, kernel=7, stride=2, padding=3, bias=False), ((3, 32, 32),)),
            Example(cls(out=8, kernel=3, padding=1, groups=8), ((8, 16, 16),)),
            Example(cls(out=16, kernel=3, padding=2, dilation=2, groups=4), ((8, 16, 16),)),
            Example(cls(out=16, kernel=4, padding="same"), ((8, 16, 16),)),
            Example(cls(out=16, kernel=3, stride=2, padding="same"), ((8, 16, 15),)),
            Example(cls(out=6, kernel=(1, 7), padding=(0, 3)), ((4, 9, 11),)),
            Example(cls(out=6, kernel=3, padding=((0, 1), (2, 0))), ((4, 9, 11),)),
            Example(cls(out=16, kernel=3, padding=1), ((8, 64),)),
            Example(cls(out=4, kernel=3, stride=2, padding=1), ((2, 8, 9, 10),)),
        )


def by_output(weights: Any, groups: int | None) -> Any:
    """Return weights, of torch or numpy, as rows (out, N) with those of each output channel.

    `groups` are those of a transposed convolution, whose weights are (in, out / groups, ...); None
    for weights (out, ...).
    """
    if groups is None:
        return weights.reshape(len(weights), -1)
    split = weights.reshape(groups, len(weights) // groups, *weights.shape[1:])
    return split.swapaxes(1, 2).reshape(groups * weights.shape[1], -1)


@op("conv_transpose")
class ConvTranspose(Weighted, frozen=True, kw_only=True):
    """Transposed convolution: each input position adds a window to the output."""

    modules = by_rank("nn.ConvTranspose{}d")
    absorbs_scale = True

    kernel: Annotated[Size, "size of the window"] = 2
    stride: Annotated[Size, "step of the output windows: the factor of upsampling"] = 2
    padding: Annotated[Padding, "output positions cropped on each side"] = 0
    output_padding: Annotated[Padding, "output positions added at the end"] = 0
    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    groups: Annotated[Positive, "groups of channels convolved separately"] = 1
    bias: Annotated[Flag, "add a learned bias to each output channel"] = True

    def window(self, *ins: Shape) -> tuple[Scatter, ...]:
        rank = len(spatial(ins[0], "conv_transpose"))
        axes = []
        for field in ("kernel", "stride", "padding", "dilation", "output_padding"):
            values = per_axis(getattr(self, field), rank, f"{field} of 'conv_transpose'")
            if not all(isinstance(value, int) for value in values):
                raise ShapeError(f"{field} of 'conv_transpose' must be one number for each axis")
            axes.append(values)
        windows = tuple(Scatter(*values) for values in zip(*axes, strict=True))
        for window in windows:
            if window.extra >= max(window.stride, window.dilation):
                raise ShapeError(
                    f"output_padding of 'conv_transpose' must be below its stride or dilation,"
                    f" got {window.extra}"
                )
        return windows

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        check_groups("conv_transpose", x[0], self.out, self.groups)
        return self.out, *slid(self.window(x), x)

    def taps(self, x: Shape) -> int:
        """Return the weights per input value."""
        return self.out // self.groups * taps(self.window(x))

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * self.taps(ins[0]) + self.out * self.bias

    def macs(self, *ins: Shape) -> int:
        return prod(ins[0]) * self.taps(ins[0])

    saved = saves_input

    def weights_key(self, *ins: Shape) -> object:
        sizes = per_axis(self.kernel, len(ins[0]) - 1, "kernel")
        return (ins[0][0], self.out // self.groups, *sizes), self.out * self.bias

    def torch(self, *ins: Shape) -> Call:
        (x,) = ins
        windows = self.window(x)
        return call(
            f"nn.ConvTranspose{len(windows)}d",
            x[0],
            self.out,
            short(w.kernel for w in windows),
            stride=short(w.stride for w in windows),
            padding=short(w.padding for w in windows),
            output_padding=short(w.extra for w in windows),
            groups=self.groups,
            bias=self.bias,
            dilation=short(w.dilation for w in windows),
        )

    def onnx(self, *ins: Shape) -> Value:
        windows = self.window(*ins)
        words = onnx_windows(windows)
        weights = self.onnx_weights(ins[0][0], self.out // self.groups, *words["kernel_shape"])
        extra = tuple(window.extra for window in windows)
        words["output_padding"] = extra if any(extra) else None
        return node("ConvTranspose", X, *weights, group=self.groups, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=16, kernel=4, stride=2, padding=1), ((8, 16, 16),)),
            Example(cls(out=16, kernel=4, stride=2, padding=1, groups=4), ((8, 16, 16),)),
            Example(cls(out=8, kernel=3, stride=2, padding=1, output_padding=1), ((8, 9, 7),)),
            Example(cls(out=4, kernel=2, stride=3, output_padding=2, bias=False), ((4, 5, 6),)),
            Example(cls(out=4, kernel=3, stride=2, dilation=2), ((4, 12),)),
        )


def onnx_pads(foreign: Foreign, kernel: Sequence[int]) -> Padding | None:
    """Return the padding of an ONNX operator; None if it is given by another rule."""
    rank, auto = len(kernel), foreign.get("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        return "same"
    if auto == "VALID":
        return 0
    if auto == "SAME_LOWER":  # more before than behind
        steps = onnx_steps(foreign, rank)
        strides, dilations = (per_axis(steps[name], rank, name) for name in steps)
        sizes = zip(foreign.ins[0].shape[2:], foreign.out[2:], strict=True)
        missing = [
            max(0, (out - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1 - taken)
            for axis, (taken, out) in enumerate(sizes)
        ]
        return short_padding([(total - total // 2, total // 2) for total in missing])
    if auto != "NOTSET":
        return None
    pads = foreign.get("pads") or [0] * 2 * rank
    if min(pads) < 0:
        return None
    return short_padding([*zip(pads[:rank], pads[rank:], strict=True)])


def onnx_steps(foreign: Foreign, rank: int) -> dict[str, Any]:
    """Return the stride and dilation of an ONNX operator."""
    names = {"stride": "strides", "dilation": "dilations"}
    return {name: short(foreign.get(other) or (1,) * rank) for name, other in names.items()}


def conv_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a convolution with constant weights."""
    held = with_bias(foreign, "W", "B")
    out, _, *kernel = held["weight"].shape
    padding = onnx_pads(foreign, kernel)
    if padding is None or not all(value.constant for value in held.values()):
        return None
    found = Conv(
        out=out,
        kernel=short(kernel),
        padding=padding,
        groups=foreign.get("group", 1),
        bias="bias" in held,
        **onnx_steps(foreign, len(kernel)),
    )
    return Recognised(found, (foreign.get("X"),), held)


def conv_transpose_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a transposed convolution; what one side loses more is a slice behind it."""
    held = with_bias(foreign, "W", "B")
    _, out, *kernel = held["weight"].shape
    steps = onnx_steps(foreign, len(kernel))
    strides, dilations = (per_axis(steps[name], len(kernel), name) for name in steps)
    if not all(value.constant for value in held.values()):
        return None
    paddings, extras, slices = [], [], []
    for axis, (before, behind) in enumerate(_crops(foreign, kernel, strides, dilations)):
        both, size = before, foreign.out[axis + 2]
        if before - behind >= max(strides[axis], dilations[axis]):  # an output padding is smaller
            both = behind
        if both < 0:
            return None
        if both < before or behind > before:
            slices.append(Slice(start=before - both, stop=before - both + size, axis=axis + 1))
        paddings.append(both)
        extras.append(max(both - behind, 0))
    groups = foreign.get("group", 1)
    found = ConvTranspose(
        out=out * groups,
        kernel=short(kernel),
        padding=short(paddings),
        output_padding=short(extras),
        groups=groups,
        bias="bias" in held,
        **steps,
    )
    return Recognised(found, (foreign.get("X"),), held, then=tuple(slices))


def _crops(
    foreign: Foreign, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """Return how many positions an ONNX transposed convolution crops before and behind each axis.

    It extends an axis behind where the number is negative.
    """
    rank, auto = len(kernel), foreign.get("auto_pad", "NOTSET")
    sizes, made = foreign.get("X").shape[2:], foreign.out[2:]
    pads = foreign.get("pads") or [0] * 2 * rank
    extra = foreign.get("output_padding") or [0] * rank
    crops = []
    for axis, (size, stride, dilation) in enumerate(zip(sizes, strides, dilations, strict=True)):
        whole = (size - 1) * stride + dilation * (kernel[axis] - 1) + 1
        before = pads[axis]
        if foreign.get("output_shape") or auto.startswith("SAME"):
            total = whole + extra[axis] - made[axis]
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
        elif auto == "VALID":
            before = 0
        crops.append((before, whole - before - made[axis]))
    return crops


def torch_numbers(foreign: Foreign, *names: str) -> dict[str, Any]:
    """Return arguments of torch by name, each as a number or as one per axis."""
    return {name: per_axis_or_one(foreign.args[name]) for name in names}


def conv_of_torch(foreign: Foreign) -> Recognised:
    """Return torch's convolution; importers may give pairs [before, after] as its padding."""
    held = with_bias(foreign)
    out, _, *kernel = held["weight"].shape
    padding = foreign.args["padding"]
    if padding == "valid":
        padding = 0
    elif padding != "same" and all(isinstance(side, int) for side in padding):
        padding = per_axis_or_one(padding)
    found = Conv(
        out=out,
        kernel=short(kernel),
        padding=padding,
        groups=foreign.args["groups"],
        bias="bias" in held,
        **torch_numbers(foreign, "stride", "dilation"),
    )
    return Recognised(found, (foreign.args["input"],), held)


def conv_of_linear(foreign: Foreign) -> Recognised:
    """Return the convolution of a linear layer on positions, with channels moved to the front."""
    held = with_bias(foreign)
    found = Conv(out=held["weight"].shape[0], kernel=1, bias="bias" in held)
    return Recognised(found, (foreign.args["input"],), held)


def conv_transpose_of_torch(foreign: Foreign) -> Recognised:
    """Return torch's transposed convolution."""
    held = with_bias(foreign)
    _, out, *kernel = held["weight"].shape
    groups = foreign.args["groups"]
    found = ConvTranspose(
        out=out * groups,
        kernel=short(kernel),
        groups=groups,
        bias="bias" in held,
        **torch_numbers(foreign, "stride", "padding", "output_padding", "dilation"),
    )
    return Recognised(found, (foreign.args["input"],), held)
