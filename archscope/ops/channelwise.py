"""Norms over the channels of a position or over groups of channels, and learned factors."""

from __future__ import annotations

from math import prod

from archscope.errors import ShapeError
from archscope.ir import (
    POINTWISE,
    WHOLE,
    Call,
    Example,
    Op,
    Saved,
    Shape,
    Windows,
    call,
    free,
    moved,
)  # fmt: skip
from archscope.ops.attributes import Flag, Number, Positive
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises, round_float, with_bias
from archscope.ops.registry import op

STANDARDISE = 5
"""Work on an element: sum, centre, square, sum of squares, divide by the deviation."""


@op("layernorm")
class LayerNorm(Op, frozen=True, kw_only=True):
    """Each position brought to mean 0 and deviation 1 over its channels, Ba et al. 2016.

    Its statistics are of one position, as in ConvNeXt, Liu et al. 2022; so it sees no other.

    eps: added to the variance before the root
    affine: learn a scale and a shift for each channel
    """

    eps: Number = 1e-5
    affine: Flag = True

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return ins[0]

    def params(self, *ins: Shape) -> int:
        return 2 * ins[0][0] if self.affine else 0

    buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count what each element goes through, with the scale and the shift."""
        return (STANDARDISE + 2 * self.affine) * prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        """State the input, and a mean and a deviation for each position."""
        return Saved(input=True, elements=2 * prod(ins[0][1:]))

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.affine else {"elementwise_affine": False}
        return call("archscope.nn.LayerNorm", ins[0][0], eps=self.eps, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(eps=1e-6), ((8,),)),
            Example(cls(affine=False), ((8, 12),)),
        )


@op("groupnorm")
class GroupNorm(Op, frozen=True, kw_only=True):
    """Groups of channels brought to mean 0 and deviation 1 over all positions, Wu and He 2018.

    Its statistics are of the image at hand, also at inference: every output sees the whole input.

    groups: parts of the channels; 1 takes all together, the channel count each alone
    eps: added to the variance before the root
    affine: learn a scale and a shift for each channel
    """

    principal = "groups"

    groups: Positive = 32
    eps: Number = 1e-5
    affine: Flag = True

    def window(self, *ins: Shape) -> Windows:
        return WHOLE

    def shape(self, *ins: Shape) -> Shape:
        if ins[0][0] % self.groups:
            raise ShapeError(
                f"'groupnorm' of {self.groups} groups needs channels divisible by it,"
                f" got {ins[0][0]}"
            )
        return ins[0]

    def params(self, *ins: Shape) -> int:
        return 2 * ins[0][0] if self.affine else 0

    buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count what each element goes through, with the scale and the shift."""
        return (STANDARDISE + 2 * self.affine) * prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        """State the input, and a mean and a deviation for each group."""
        return Saved(input=True, elements=2 * self.groups)

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.affine else {"affine": False}
        return call("nn.GroupNorm", self.groups, ins[0][0], eps=self.eps, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(groups=4), ((8, 6, 5),)),
            Example(cls(groups=1, eps=1e-6), ((8, 12),)),
            Example(cls(groups=2, affine=False), ((8, 3, 4, 5),)),
        )


@op("scale")
class Scale(Op, frozen=True, kw_only=True):
    """A learned factor for each channel: layer scale, Touvron et al. 2021, and Caffe's scale.

    initial: value of the factors before training
    bias: learn a shift for each channel as well
    """

    principal = "initial"

    initial: Number = 1.0
    bias: Flag = False

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return ins[0]

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * (1 + self.bias)

    buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        return prod(ins[0]) * (1 + self.bias)

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True)

    def torch(self, *ins: Shape) -> Call:
        words = {"bias": True} if self.bias else {}
        return call("archscope.nn.Scale", ins[0][0], self.initial, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(initial=0.5, bias=True), ((8, 12),)),
            Example(cls(initial=0.1), ((8,),)),
        )


@recognises("onnx.LayerNormalization")
def onnx_layernorm(foreign: Foreign) -> Recognised | None:
    """Recognise a layer norm of flat descriptions, whose last axis are the channels."""
    x, scale, bias = foreign.get("X"), foreign.get("Scale"), foreign.get("B")
    if len(x.shape) != 2 or foreign.get("axis", -1) % 2 != 1 or bias is None:
        return None
    if not (scale.constant and bias.constant):
        return None
    found = LayerNorm(eps=round_float(foreign.get("epsilon", 1e-5)))
    return Recognised(found, (x,), {"weight": scale, "bias": bias})


@recognises("onnx.ChannelNorm")
def onnx_channel_norm(foreign: Foreign) -> Recognised | None:
    """Recognise a layer norm between two transposes, as the importer brings it."""
    held = {"weight": foreign.get("scale"), "bias": foreign.get("bias")}
    found = LayerNorm(eps=round_float(foreign.get("epsilon", 1e-5)))
    return Recognised(found, (foreign.get("X"),), held)


@recognises("onnx.InstanceNormalization", "onnx.GroupNormalization")
def onnx_groupnorm(foreign: Foreign) -> Recognised | None:
    """Recognise a group norm; an instance norm takes each channel alone."""
    x, *held = foreign.tensors
    scale, bias = held
    if not (scale.constant and bias.constant and scale.shape == bias.shape == x.shape[1:2]):
        return None  # opset 18 has a factor for each group
    found = GroupNorm(
        groups=foreign.get("num_groups", x.shape[1]),
        eps=round_float(foreign.get("epsilon", 1e-5)),
    )
    return Recognised(found, (x,), {"weight": scale, "bias": bias})


@recognises("onnx.Scale")
def onnx_scale(foreign: Foreign) -> Recognised | None:
    """Recognise a factor for each channel, and a shift, as the importer brings them."""
    x, scale, bias = foreign.get("X"), foreign.get("scale"), foreign.get("bias")
    held = {"weight": scale, "bias": bias} if bias is not None else {"weight": scale}
    return Recognised(Scale(bias=bias is not None), (x,), held)


@recognises("aten.layer_norm.default")
def layernorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's layer norm where the channels come last: on flat inputs."""
    x = foreign.args["input"]
    given = with_bias(foreign)
    if len(x.shape) != 2 or len(foreign.args["normalized_shape"]) != 1 or len(given) == 1:
        return None
    return Recognised(LayerNorm(eps=foreign.args["eps"], affine=bool(given)), (x,), given)


@recognises("channels.layer_norm")
def layernorm_of_channels(foreign: Foreign) -> Recognised | None:
    """Recognise a layer norm of the channels that importers brought to the front."""
    x, given = foreign.args["input"], with_bias(foreign)
    if tuple(foreign.args["normalized_shape"]) != x.shape[1:2] or len(given) == 1:
        return None
    return Recognised(LayerNorm(eps=foreign.args["eps"], affine=bool(given)), (x,), given)


@recognises("aten.group_norm.default")
def groupnorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's group norm."""
    given = with_bias(foreign)
    if len(given) == 1:
        return None
    op = GroupNorm(groups=foreign.args["num_groups"], eps=foreign.args["eps"], affine=bool(given))
    return Recognised(op, (foreign.args["input"],), given)


@recognises("aten.instance_norm.default")
def instancenorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's instance norm: a group norm of one channel in each group."""
    given = with_bias(foreign)
    if len(given) == 1 or not foreign.args["use_input_stats"]:
        return None
    x = foreign.args["input"]
    op = GroupNorm(groups=x.shape[1], eps=foreign.args["eps"], affine=bool(given))
    return Recognised(op, (x,), given)


def scale_of(x: Tensor, factors: Tensor) -> Recognised | None:
    """Return the product of a tensor and a learned factor for each of its channels."""
    shape = (1,) * (len(x.shape) - len(factors.shape)) + factors.shape
    if len(shape) != len(x.shape) or shape[0] != 1 or shape[1] != x.shape[1]:
        return None
    if any(size != 1 for size in shape[2:]):
        return None
    return Recognised(Scale(), (x,), {"weight": factors})
