"""Convolutions, plain and transposed, in 1, 2 and 3 dimensions."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Scatter, Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, by_rank, call
from archscope.ops.attributes import Flag, Padding, Positive, Size
from archscope.ops.facts import free, moved, saves_input
from archscope.ops.foreign import Foreign, Recognised, per_axis_or_one, recognises, with_bias
from archscope.ops.geometry import per_axis, short, sliding, spatial, symmetric, torch_pad
from archscope.ops.registry import op


def check_groups(name: str, channels: int, out: int, groups: int) -> None:
    """Raise ShapeError unless `groups` divides the channels on both sides."""
    for side, count in (("input", channels), ("output", out)):
        if count % groups:
            raise ShapeError(
                f"'{name}' with groups {groups} needs {side} channels divisible by {groups},"
                f" got {count}"
            )


@op("conv")
class Conv(Op, frozen=True, kw_only=True):
    """Convolution over 1 to 3 spatial axes, optionally grouped and dilated."""

    principal = "out"
    modules = (*by_rank("nn.Conv{}d"), *by_rank("archscope.nn.PaddedConv{}d"))
    convolution = absorbs_scale = True

    out: Annotated[Positive, "output channels"]
    kernel: Annotated[Size, "size of the window"] = 1
    stride: Annotated[Size, "step of the window"] = 1
    padding: Annotated[
        Padding, "zeros around the input; `same` keeps ceil(size / stride) positions"
    ] = 0
    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    groups: Annotated[
        Positive,
        "groups of channels convolved separately; the channel count makes it depthwise",
    ] = 1
    bias: Annotated[Flag, "add a learned bias to each output channel"] = True

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding("conv", ins[0], self.kernel, self.stride, self.padding, self.dilation)

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        windows = self.window(x)
        check_groups("conv", x[0], self.out, self.groups)
        return self.out, *(w.slide(size) for w, size in zip(windows, x[1:], strict=True))

    def taps(self, x: Shape) -> int:
        """Return the weights that one output reads: input channels of its group times window."""
        return x[0] // self.groups * prod(window.kernel for window in self.window(x))

    def params(self, *ins: Shape) -> int:
        return self.out * (self.taps(ins[0]) + self.bias)

    buffers = free

    def macs(self, *ins: Shape) -> int:
        return prod(self.shape(*ins)) * self.taps(ins[0])

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions of the bias."""
        return prod(self.shape(*ins)) if self.bias else 0

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        windows = self.window(x)
        if symmetric(windows):
            return Saved(input=True)
        padded = (w.before + size + w.after for w, size in zip(windows, x[1:], strict=True))
        return Saved(elements=x[0] * prod(padded))

    def torch(self, *ins: Shape) -> Call:
        (x,) = ins
        windows = self.window(x)
        words: dict[str, object] = {
            "stride": short(w.stride for w in windows),
            "padding": short(w.before for w in windows) if symmetric(windows) else 0,
            "dilation": short(w.dilation for w in windows),
            "groups": self.groups,
        }
        words = {word: value for word, value in words.items() if value != (word != "padding")}
        if not self.bias:
            words["bias"] = False
        target = f"nn.Conv{len(windows)}d"
        if not symmetric(windows):
            target = f"archscope.nn.PaddedConv{len(windows)}d"
            words["pad"] = torch_pad(windows)
        return call(target, x[0], self.out, short(w.kernel for w in windows), **words)

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


@op("conv_transpose")
class ConvTranspose(Op, frozen=True, kw_only=True):
    """Transposed convolution: each input position adds a window to the output."""

    principal = "out"
    modules = by_rank("nn.ConvTranspose{}d")
    absorbs_scale = True

    out: Annotated[Positive, "output channels"]
    kernel: Annotated[Size, "size of the window"] = 2
    stride: Annotated[Size, "step of the output windows: the factor of upsampling"] = 2
    padding: Annotated[Padding, "output positions cropped on each side"] = 0
    output_padding: Annotated[Padding, "output positions added at the end"] = 0
    dilation: Annotated[Size, "spacing between the elements of the kernel"] = 1
    groups: Annotated[Positive, "groups of channels convolved separately"] = 1
    bias: Annotated[Flag, "add a learned bias to each output channel"] = True

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

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
        return self.out, *(w.slide(n) for w, n in zip(self.window(x), x[1:], strict=True))

    def taps(self, x: Shape) -> int:
        """Return the weights that one input value meets."""
        return self.out // self.groups * prod(window.kernel for window in self.window(x))

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * self.taps(ins[0]) + self.out * self.bias

    buffers = free

    def macs(self, *ins: Shape) -> int:
        return prod(ins[0]) * self.taps(ins[0])

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions of the bias."""
        return prod(self.shape(*ins)) if self.bias else 0

    access = moved
    saved = saves_input

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

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=16, kernel=4, stride=2, padding=1), ((8, 16, 16),)),
            Example(cls(out=16, kernel=4, stride=2, padding=1, groups=4), ((8, 16, 16),)),
            Example(cls(out=8, kernel=3, stride=2, padding=1, output_padding=1), ((8, 9, 7),)),
            Example(cls(out=4, kernel=2, stride=3, output_padding=2, bias=False), ((4, 5, 6),)),
            Example(cls(out=4, kernel=3, stride=2, dilation=2), ((4, 12),)),
        )


def onnx_pads(foreign: Foreign, rank: int) -> Padding | None:
    """Return the padding that an ONNX operator states; None where it goes by another rule."""
    auto = foreign.get("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        return "same"
    if auto == "VALID":
        return 0
    if auto != "NOTSET":
        return None
    pads = foreign.get("pads") or [0] * 2 * rank
    if min(pads) < 0:
        return None
    pairs = tuple(zip(pads[:rank], pads[rank:], strict=True))
    if all(before == after for before, after in pairs):
        return short(before for before, _ in pairs)
    return pairs


@recognises("onnx.Conv")
def onnx_conv(foreign: Foreign) -> Recognised | None:
    """Recognise a convolution whose weights are constant."""
    x, weight, bias = foreign.get("X"), foreign.get("W"), foreign.get("B")
    rank = len(x.shape) - 2
    padding = onnx_pads(foreign, rank)
    held = {"weight": weight, "bias": bias} if bias is not None else {"weight": weight}
    if padding is None or not all(value.constant for value in held.values()):
        return None
    found = Conv(
        out=weight.shape[0],
        kernel=short(weight.shape[2:]),
        stride=short(foreign.get("strides") or (1,) * rank),
        padding=padding,
        dilation=short(foreign.get("dilations") or (1,) * rank),
        groups=foreign.get("group", 1),
        bias=bias is not None,
    )
    return Recognised(found, (x,), held)


@recognises("onnx.ConvTranspose")
def onnx_conv_transpose(foreign: Foreign) -> Recognised | None:
    """Recognise a transposed convolution that cuts as much away before as behind."""
    x, weight, bias = foreign.get("X"), foreign.get("W"), foreign.get("B")
    rank = len(x.shape) - 2
    padding = onnx_pads(foreign, rank)
    held = {"weight": weight, "bias": bias} if bias is not None else {"weight": weight}
    if foreign.get("output_shape") or not all(value.constant for value in held.values()):
        return None
    if (
        padding is None
        or padding == "same"
        or (isinstance(padding, tuple) and any(isinstance(side, tuple) for side in padding))
    ):
        return None
    groups = foreign.get("group", 1)
    found = ConvTranspose(
        out=weight.shape[1] * groups,
        kernel=short(weight.shape[2:]),
        stride=short(foreign.get("strides") or (1,) * rank),
        padding=padding,
        output_padding=short(foreign.get("output_padding") or (0,) * rank),
        dilation=short(foreign.get("dilations") or (1,) * rank),
        groups=groups,
        bias=bias is not None,
    )
    return Recognised(found, (x,), held)


@recognises(
    "aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default",
    "aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding",
)  # fmt: skip
def conv_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's convolution; importers may give pairs [before, after] as its padding."""
    weight = foreign.args["weight"]
    padding = foreign.args["padding"]
    if padding == "valid":
        padding = 0
    elif padding != "same" and all(isinstance(side, int) for side in padding):
        padding = per_axis_or_one(padding)
    stride, kernel = foreign.args["stride"], per_axis_or_one(weight.shape[2:])
    return Recognised(
        Conv(
            out=weight.shape[0],
            kernel=kernel,
            stride=per_axis_or_one(stride),
            padding=padding,
            dilation=per_axis_or_one(foreign.args["dilation"]),
            groups=foreign.args["groups"],
            bias=foreign.get("bias") is not None,
        ),
        (foreign.args["input"],),
        with_bias(foreign),
    )


@recognises("channels.linear")
def conv_of_linear(foreign: Foreign) -> Recognised | None:
    """Recognise a linear layer of each position whose channels importers brought to the front."""
    op = Conv(out=foreign.args["weight"].shape[0], kernel=1, bias=foreign.get("bias") is not None)
    return Recognised(op, (foreign.args["input"],), with_bias(foreign))


@recognises(
    "aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input"
)  # fmt: skip
def conv_transpose_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's transposed convolution."""
    weight = foreign.args["weight"]
    numbers = {
        name: per_axis_or_one(foreign.args[name])
        for name in ("stride", "padding", "output_padding", "dilation")
    }
    op = ConvTranspose(
        out=weight.shape[1] * foreign.args["groups"],
        kernel=per_axis_or_one(weight.shape[2:]),
        groups=foreign.args["groups"],
        bias=foreign.get("bias") is not None,
        **numbers,
    )
    return Recognised(op, (foreign.args["input"],), with_bias(foreign))
