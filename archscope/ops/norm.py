"""Normalisation over the batch, channels and groups of channels."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, by_rank, call
from archscope.onnx_form import Value, X, floats, ints, node, per_channel, weight
from archscope.ops.attributes import Flag, Number, Positive
from archscope.ops.facts import free, moved, pointwise, same_shape, stated, whole
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises, round_float, with_bias
from archscope.ops.registry import op


class Normalisation(Op, frozen=True, kw_only=True):
    """The base class of norms with an optional scale and shift; not an operator itself."""

    normalises = True

    @property
    def affine(self) -> bool:
        """Whether it learns a scale and a shift for each channel; the last attribute."""
        raise NotImplementedError

    @property
    def keeps_zero(self) -> bool:
        return not self.affine

    def params(self, *ins: Shape) -> int:
        return 2 * ins[0][0] if self.affine else 0

    def biases(self, *ins: Shape) -> int:
        """Return the number of shifts."""
        return self.params(*ins) // 2

    def weights_key(self, *ins: Shape) -> object:
        return type(self), ins[0][0], self.affine

    def onnx_affine(self, channels: int) -> tuple[Value, Value]:
        """Describe the scale and the shift of each channel: ones and zeros if not learned."""
        if not self.affine:
            return floats(*(1.0,) * channels), floats(*(0.0,) * channels)
        return (
            weight("weight", channels, centre=1.0, spread=0.0),
            weight("bias", channels, spread=0.0),
        )

    macs = free
    access = moved


STANDARDISE = 5
"""Work per element: sum, centre, square, sum of squares, division by the deviation."""


class Standardisation(Normalisation, frozen=True):
    """The base class of norms with statistics of the image; not an operator itself."""

    buffers = free

    def elementwise(self, *ins: Shape) -> int:
        """Count 5 operations for each element, and 2 more for a scale and a shift."""
        return (STANDARDISE + 2 * self.affine) * prod(ins[0])


@op("batchnorm")
class BatchNorm(Normalisation, frozen=True, kw_only=True):
    """Batch normalisation, Ioffe and Szegedy 2015; at inference a scale and a shift."""

    modules = by_rank("nn.BatchNorm{}d")
    valuewise = scales_channels = True
    keeps_zero = False

    eps: Annotated[Number, "added to the variance before the square root"] = 1e-5
    momentum: Annotated[Number, "weight of each batch in the running statistics"] = 0.1
    affine: Annotated[Flag, "learn a scale and a shift for each channel"] = True

    window = pointwise
    shape = same_shape

    def buffers(self, *ins: Shape) -> int:
        return 2 * ins[0][0]

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication and an addition for each element."""
        return 2 * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, fixed=2 * ins[0][0])

    def torch(self, *ins: Shape) -> Call:
        words = stated(eps=self.eps, momentum=self.momentum, affine=self.affine)
        rank = max(len(ins[0]) - 1, 1)
        return call(f"nn.BatchNorm{rank}d", ins[0][0], **words)

    def onnx(self, *ins: Shape) -> Value:
        channels = ins[0][0]
        mean = weight("running_mean", channels, spread=0.0, learned=False)
        variance = weight("running_var", channels, centre=1.0, spread=0.0, learned=False)
        scale, shift = self.onnx_affine(channels)
        eps = float(self.eps)
        return node("BatchNormalization", X, scale, shift, mean, variance, epsilon=eps)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 16, 16),)),
            Example(cls(eps=0.001), ((8,),)),
            Example(cls(affine=False), ((8, 12),)),
            Example(cls(momentum=0.01), ((2, 3, 4, 5),)),
        )


@op("layernorm")
class LayerNorm(Standardisation, frozen=True, kw_only=True):
    """Normalise each position to mean 0 and variance 1 over its channels, Ba et al. 2016.

    Its statistics are those of a single position, as in ConvNeXt, Liu et al. 2022.
    """

    modules = ("archscope.nn.LayerNorm",)

    eps: Annotated[Number, "added to the variance before the square root"] = 1e-5
    affine: Annotated[Flag, "learn a scale and a shift for each channel"] = True
    bias: Annotated[Flag, "learn a shift as well as a scale"] = True

    window = pointwise
    shape = same_shape

    @property
    def known_to_tools(self) -> bool:  # type: ignore[override]
        return self.shifts or not self.affine

    @property
    def shifts(self) -> bool:
        """Whether it learns a shift."""
        return self.affine and self.bias

    @property
    def keeps_zero(self) -> bool:
        return not self.shifts

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * (self.affine + self.shifts)

    def biases(self, *ins: Shape) -> int:
        return ins[0][0] * self.shifts

    def elementwise(self, *ins: Shape) -> int:
        """Count 5 operations for each element, and 1 more for a scale and for a shift."""
        return (STANDARDISE + self.affine + self.shifts) * prod(ins[0])

    def weights_key(self, *ins: Shape) -> object:
        return type(self), ins[0][0], self.affine, self.shifts

    def saved(self, *ins: Shape) -> Saved:
        """State the input, and a mean and a deviation for each position."""
        return Saved(input=True, elements=2 * prod(ins[0][1:]))

    def torch(self, *ins: Shape) -> Call:
        words = stated(elementwise_affine=self.affine)
        if self.affine and not self.bias:
            words["bias"] = False
        return call("archscope.nn.LayerNorm", ins[0][0], eps=self.eps, **words)

    def onnx(self, *ins: Shape) -> Value:
        rank, (scale, shift) = len(ins[0]), self.onnx_affine(ins[0][0])
        affine = (scale, shift if self.shifts or not self.affine else None)
        x = node("Transpose", X, perm=(0, *range(2, rank + 1), 1)) if rank > 1 else X
        norm = node("LayerNormalization", x, *affine, axis=-1, epsilon=float(self.eps))
        return node("Transpose", norm, perm=(0, rank, *range(1, rank))) if rank > 1 else norm

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(eps=1e-6), ((8,),)),
            Example(cls(affine=False), ((8, 12),)),
            Example(cls(bias=False), ((8, 12),)),
        )


@op("groupnorm")
class GroupNorm(Standardisation, frozen=True, kw_only=True):
    """Normalise groups of channels to mean 0 and variance 1 over all positions, Wu and He 2018.

    Its statistics are those of the image, even at inference: every output sees the whole input.
    """

    principal = "groups"
    modules = ("nn.GroupNorm",)

    groups: Annotated[
        Positive, "groups of channels; 1 for all together, the channel count for each separately"
    ] = 32
    eps: Annotated[Number, "added to the variance before the square root"] = 1e-5
    affine: Annotated[Flag, "learn a scale and a shift for each channel"] = True

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        if ins[0][0] % self.groups:
            raise ShapeError(
                f"'groupnorm' of {self.groups} groups needs channels divisible by it,"
                f" got {ins[0][0]}"
            )
        return ins[0]

    def saved(self, *ins: Shape) -> Saved:
        """State the input, and a mean and a deviation for each group."""
        return Saved(input=True, elements=2 * self.groups)

    def torch(self, *ins: Shape) -> Call:
        words = stated(affine=self.affine)
        return call("nn.GroupNorm", self.groups, ins[0][0], eps=self.eps, **words)

    def onnx(self, *ins: Shape) -> Value:
        channels, *sizes = ins[0]
        scale, shift = self.onnx_affine(channels)
        eps = float(self.eps)
        if self.groups == channels and sizes:
            return node("InstanceNormalization", X, scale, shift, epsilon=eps)
        groups = node("Reshape", X, ints(0, self.groups, -1))
        ones, zeros = floats(*(1.0,) * self.groups), floats(*(0.0,) * self.groups)
        normal = node("InstanceNormalization", groups, ones, zeros, epsilon=eps)
        whole = node("Reshape", normal, ints(0, channels, *sizes))
        if not self.affine:
            return whole
        scale, shift = (per_channel(value, channels, len(sizes)) for value in (scale, shift))
        return node("Add", node("Mul", whole, scale), shift)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(groups=4), ((8, 6, 5),)),
            Example(cls(groups=1, eps=1e-6), ((8, 12),)),
            Example(cls(groups=2, affine=False), ((8, 3, 4, 5),)),
        )


def batchnorm_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a batch normalisation; ONNX's momentum is the weight of the old statistics."""
    words = {
        "weight": "scale", "bias": "B", "running_mean": "input_mean", "running_var": "input_var",
    }  # fmt: skip
    held = {word: foreign.get(name) for word, name in words.items()}
    if not all(value is not None and value.constant for value in held.values()):
        return None
    found = BatchNorm(
        eps=round_float(foreign.get("epsilon", 1e-5)),
        momentum=round(1 - round_float(foreign.get("momentum", 0.9)), 9),
    )
    return Recognised(found, (foreign.get("X"),), held)


@recognises("onnx.LayerNormalization")
def onnx_layernorm(foreign: Foreign) -> Recognised | None:
    """Recognise a layer norm of flat inputs, whose last axis is the channels."""
    x, scale, bias = foreign.get("X"), foreign.get("Scale"), foreign.get("B")
    if len(x.shape) != 2 or foreign.get("axis", -1) % 2 != 1:
        return None
    held = {"weight": scale} if bias is None else {"weight": scale, "bias": bias}
    if not all(tensor.constant for tensor in held.values()):
        return None
    found = LayerNorm(eps=round_float(foreign.get("epsilon", 1e-5)), bias=bias is not None)
    return Recognised(found, (x,), held)


@recognises("onnx.ChannelNorm")
def onnx_channel_norm(foreign: Foreign) -> Recognised | None:
    """Recognise a layer norm between two transposes, as prepared by the importer."""
    scale, bias = foreign.get("scale"), foreign.get("bias")
    held = {"weight": scale} if bias is None else {"weight": scale, "bias": bias}
    found = LayerNorm(eps=round_float(foreign.get("epsilon", 1e-5)), bias=bias is not None)
    return Recognised(found, (foreign.get("X"),), held)


@recognises("onnx.InstanceNormalization", "onnx.GroupNormalization")
def onnx_groupnorm(foreign: Foreign) -> Recognised | None:
    """Recognise a group norm; an instance norm has one channel per group."""
    x, scale, bias = foreign.tensors
    if not (scale.constant and bias.constant and scale.shape == bias.shape == x.shape[1:2]):
        return None  # opset 18 has a factor for each group
    found = GroupNorm(
        groups=foreign.get("num_groups", x.shape[1]),
        eps=round_float(foreign.get("epsilon", 1e-5)),
    )
    return Recognised(found, (x,), {"weight": scale, "bias": bias})


def _affine_of_torch(foreign: Foreign) -> dict[str, Tensor] | None:
    """Return the scale and the shift, both or none; None if there is only one of them."""
    held = with_bias(foreign)
    return held if len(held) != 1 else None


@recognises("aten.batch_norm.default")
def batchnorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's batch normalisation with running statistics."""
    given = _affine_of_torch(foreign)
    kept = {name: foreign.get(name) for name in ("running_mean", "running_var")}
    if given is None or None in kept.values() or foreign.args["training"]:
        return None
    op = BatchNorm(eps=foreign.args["eps"], momentum=foreign.args["momentum"], affine=bool(given))
    return Recognised(op, (foreign.args["input"],), {**given, **kept})


@recognises("aten.layer_norm.default", "channels.layer_norm")
def layernorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's layer norm of flat inputs, or of channels moved to the front."""
    x, given = foreign.args["input"], with_bias(foreign)
    normalised = tuple(foreign.args["normalized_shape"])
    if foreign.target == "channels.layer_norm":
        fits = normalised == x.shape[1:2]
    else:
        fits = len(x.shape) == 2 and len(normalised) == 1
    if not fits or [*given] == ["bias"]:
        return None
    words = {} if not given or "bias" in given else {"bias": False}
    op = LayerNorm(eps=foreign.args["eps"], affine=bool(given), **words)
    return Recognised(op, (x,), given)


@recognises("aten.group_norm.default", "aten.instance_norm.default")
def groupnorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's group norm; an instance norm has one channel per group."""
    x, given = foreign.args["input"], _affine_of_torch(foreign)
    if given is None or not foreign.get("use_input_stats", True):
        return None
    groups = foreign.get("num_groups", x.shape[1])
    op = GroupNorm(groups=groups, eps=foreign.args["eps"], affine=bool(given))
    return Recognised(op, (x,), given)
