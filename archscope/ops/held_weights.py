"""Layers whose weights are computed from direction and length, or are constant."""

from __future__ import annotations

from typing import Annotated

from msgspec import structs

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape
from archscope.onnx_form import Input, Value, ints, node, weight
from archscope.ops.attributes import Flag
from archscope.ops.conv import (
    Conv,
    ConvTranspose,
    conv_of_linear,
    conv_of_onnx,
    conv_of_torch,
    conv_transpose_of_onnx,
    conv_transpose_of_torch,
)
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises, with_bias
from archscope.ops.geometry import onnx_windows, symmetric
from archscope.ops.linear import Linear, linear_of_onnx, linear_of_torch
from archscope.ops.registry import op


def _renamed(described: Call, prefix: str) -> Call:
    """Return the call of our module in place of the torch module that it extends."""
    name = described.target.rpartition(".")[2]
    return Call(f"archscope.nn.{prefix}{name}", described.args, described.kwargs)


def _fixed(described: Call, bias: bool) -> Call:
    """Return the call of our module with constant weights, which says whether it has a bias."""
    words = {**dict(described.kwargs), "bias": bias}
    return Call(_renamed(described, "Fixed").target, described.args, tuple(words.items()))


def _normed(*shape: int) -> Value:
    """Describe weights as their direction times their length, for each first index."""
    direction = weight("weight_v", *shape)
    length = weight("weight_g", shape[0], *(1 for _ in shape[1:]), centre=1.0, spread=0.0)
    norm = node("ReduceL2", direction, ints(*range(1, len(shape))))
    return node("Mul", direction, node("Div", length, norm))


def _biases(op: FixedConv | FixedLinear | FixedConvTranspose, *ins: Shape) -> int:
    return op.out * op.bias


def _of_input(op: Op, *ins: Shape, needed: tuple[bool, ...]) -> int:
    """Count the gradient of the input only, as constant weights have none."""
    return op.macs(*ins) * sum(needed)


@op("weight_norm_conv")
class WeightNormConv(Conv, frozen=True, kw_only=True):
    """Convolution with weight normalisation (direction and length), Salimans and Kingma 2016."""

    modules = ()
    convolution = absorbs_scale = False

    def shape(self, *ins: Shape) -> Shape:
        if not symmetric(self.window(*ins)):
            raise ShapeError("'weight_norm_conv' pads equally on both sides; put 'pad' before it")
        return Conv.shape(self, *ins)

    def params(self, *ins: Shape) -> int:
        return Conv.params(self, *ins) + self.out

    def elementwise(self, *ins: Shape) -> int:
        """Count the bias, and for the weights their norm, a factor each and the product."""
        return Conv.elementwise(self, *ins) + 3 * self._numbers(*ins) + self.out

    def _numbers(self, *ins: Shape) -> int:
        return self.out * self.taps(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        """State the input, the computed weights and their norms."""
        return Saved(input=True, fixed=self._numbers(*ins) + self.out)

    weights_key = Op.weights_key

    def torch(self, *ins: Shape) -> Call:
        return _renamed(Conv.torch(self, *ins), "WeightNorm")

    def onnx(self, *ins: Shape) -> Value:
        words = onnx_windows(self.window(*ins))
        held = _normed(self.out, ins[0][0] // self.groups, *words["kernel_shape"])
        bias = weight("bias", self.out) if self.bias else None
        return node("Conv", Input(), held, bias, group=self.groups, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=6, kernel=3, padding=1), ((4, 8, 9),)),
            Example(cls(out=4, kernel=3, dilation=2, groups=2, bias=False), ((4, 12),)),
        )


@op("weight_norm_linear")
class WeightNormLinear(Linear, frozen=True, kw_only=True):
    """Fully connected layer with weight normalisation (direction and length)."""

    modules = ()
    absorbs_scale = False

    def params(self, *ins: Shape) -> int:
        return Linear.params(self, *ins) + self.out

    def elementwise(self, *ins: Shape) -> int:
        """Count the bias, and for the weights their norm, a factor each and the product."""
        return Linear.elementwise(self, *ins) + 3 * self.out * ins[0][0] + self.out

    def saved(self, *ins: Shape) -> Saved:
        """State the input, the computed weights and their norms."""
        return Saved(input=True, fixed=self.out * ins[0][0] + self.out)

    def torch(self, *ins: Shape) -> Call:
        return _renamed(Linear.torch(self, *ins), "WeightNorm")

    def onnx(self, *ins: Shape) -> Value:
        bias = weight("bias", self.out) if self.bias else None
        return node("Gemm", Input(), _normed(self.out, ins[0][0]), bias, transB=1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=10), ((8,),)),
            Example(cls(out=4, bias=False), ((6,),)),
        )


@op("fixed_conv")
class FixedConv(Conv, frozen=True, kw_only=True):
    """Convolution with constant weights, such as blurring, edges or wavelets."""

    modules = ()
    learns = False
    convolution = absorbs_scale = False

    bias: Annotated[Flag, "add a learned bias to each output channel"] = False

    params = _biases
    backward_macs = _of_input

    def shape(self, *ins: Shape) -> Shape:
        if not symmetric(self.window(*ins)):
            raise ShapeError("'fixed_conv' pads equally on both sides; put 'pad' before it")
        return Conv.shape(self, *ins)

    def buffers(self, *ins: Shape) -> int:
        return self.out * self.taps(ins[0])

    weights_key = Op.weights_key

    def torch(self, *ins: Shape) -> Call:
        return _fixed(Conv.torch(self, *ins), self.bias)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=4, kernel=3, stride=2, padding=1, groups=4), ((4, 8, 9),)),
            Example(cls(out=6, kernel=2), ((4, 9),)),
            Example(cls(out=6, kernel=3, bias=True), ((4, 5, 6),)),
        )


@op("fixed_linear")
class FixedLinear(Linear, frozen=True, kw_only=True):
    """Fully connected layer with constant weights, such as random Fourier features."""

    modules = ()
    learns = False
    absorbs_scale = False

    bias: Annotated[Flag, "add a learned bias to each output"] = False

    params = _biases
    backward_macs = _of_input

    def buffers(self, *ins: Shape) -> int:
        return self.out * ins[0][0]

    def saved(self, *ins: Shape) -> Saved:
        """State nothing: the gradient of the input needs the weights only."""
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return _fixed(Linear.torch(self, *ins), self.bias)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=10), ((8,),)),
            Example(cls(out=4, bias=True), ((6,),)),
        )


@op("fixed_conv_transpose")
class FixedConvTranspose(ConvTranspose, frozen=True, kw_only=True):
    """Transposed convolution with constant weights, such as inverse wavelets."""

    modules = ()
    learns = False
    absorbs_scale = False

    bias: Annotated[Flag, "add a learned bias to each output channel"] = False

    params = _biases
    backward_macs = _of_input

    def buffers(self, *ins: Shape) -> int:
        return ins[0][0] * self.taps(ins[0])

    weights_key = Op.weights_key

    def torch(self, *ins: Shape) -> Call:
        return _fixed(ConvTranspose.torch(self, *ins), self.bias)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=4, groups=4), ((4, 6, 5),)),
            Example(cls(out=3, kernel=4, padding=1, bias=True), ((4, 9),)),
        )


NORM = "aten._weight_norm.default"


def normed(foreign: Foreign) -> dict[str, Tensor] | None:
    """Return direction, length and bias if a layer uses weight normalisation."""
    held = with_bias(foreign)
    made = held["weight"].made
    if not isinstance(made, Foreign) or made.target != NORM or made.get("dim") != 0:
        return None
    del held["weight"]
    return {"weight_v": made.args["v"], "weight_g": made.args["g"], **held}


@recognises(
    "aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default",
    "aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding",
)  # fmt: skip
def any_conv_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a convolution and the form of its weights."""
    return _by_weights(conv_of_torch(foreign), normed(foreign))


@recognises("channels.linear")
def any_linear_on_positions(foreign: Foreign) -> Recognised | None:
    """Recognise a linear layer on each position and the form of its weights."""
    return _by_weights(conv_of_linear(foreign), normed(foreign))


@recognises("aten.linear.default")
def any_linear_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a linear layer and the form of its weights."""
    return _by_weights(linear_of_torch(foreign), normed(foreign))


@recognises(
    "aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input"
)  # fmt: skip
def any_conv_transpose_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a transposed convolution with learned or constant weights."""
    return _by_weights(conv_transpose_of_torch(foreign))


@recognises("onnx.Conv")
def any_conv_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a convolution with learned or constant weights."""
    found = conv_of_onnx(foreign)
    fixed = _by_weights(found)
    try:
        if fixed is not None:
            fixed.op.shape(fixed.inputs[0].shape[1:])
    except ShapeError:  # only an ordinary one may pad more on one side
        return found
    return fixed


@recognises("onnx.ConvTranspose")
def any_conv_transpose_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a transposed convolution with learned or constant weights."""
    return _by_weights(conv_transpose_of_onnx(foreign))


@recognises("onnx.Linear")
def any_linear_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a product with a learned or constant matrix."""
    return _by_weights(linear_of_onnx(foreign))


NORMED: dict[type[Op], type[Op]] = {Conv: WeightNormConv, Linear: WeightNormLinear}
FIXED: dict[type[Op], type[Op]] = {
    Conv: FixedConv, ConvTranspose: FixedConvTranspose, Linear: FixedLinear,
}  # fmt: skip
"""Layers whose weights are direction and length, or constant, by the ordinary ones."""


def _by_weights(
    found: Recognised | None, normed: dict[str, Tensor] | None = None
) -> Recognised | None:
    """Return a layer by the form of its weights, given those of a weight norm."""
    if found is None or (normed is None and found.weights["weight"].learned):
        return found
    kinds, held = (FIXED, found.weights) if normed is None else (NORMED, normed)
    op = kinds[type(found.op)](**structs.asdict(found.op))
    return structs.replace(found, op=op, weights=held)
