"""Activation functions. `cost` counts one for each arithmetic operation or function call."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, Storage, call
from archscope.ops.attributes import Number, Positive
from archscope.ops.facts import free, moved, pointwise, same_shape
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.registry import op

INPUT = Saved(input=True)
OUTPUT = Saved(output=True)


class Activation(Op, frozen=True, kw_only=True):
    """What all activation functions share; not an operator itself."""

    valuewise = nonlinear = keeps_zero = True

    cost: ClassVar[int]
    keeps: ClassVar[Saved]

    window = pointwise
    shape = same_shape
    params = buffers = macs = free
    access = moved

    def elementwise(self, *ins: Shape) -> int:
        """Count the operations and function calls of its formula for each element."""
        return self.cost * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        return self.keeps

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(), ((10,),)))


@op("relu")
class ReLU(Activation, frozen=True):
    """max(x, 0)."""

    modules = ("nn.ReLU",)
    cost, keeps, storage = 1, OUTPUT, Storage.IN_PLACE


@op("relu6")
class ReLU6(Activation, frozen=True):
    """min(max(x, 0), 6)."""

    modules = ("nn.ReLU6",)
    cost, storage = 2, Storage.IN_PLACE
    keeps = Saved(input=True, copied=True)


@op("leaky_relu")
class LeakyReLU(Activation, frozen=True):
    """x where positive, a small slope where negative."""

    principal = "slope"
    modules = ("nn.LeakyReLU",)
    cost, keeps, storage = 2, INPUT, Storage.IN_PLACE

    slope: Annotated[Number, "slope of negative values"] = 0.01

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0], self.slope)


@op("prelu")
class PReLU(Activation, frozen=True):
    """Leaky ReLU with a learned slope, He et al. 2015."""

    principal = "slopes"
    modules = ("nn.PReLU",)
    cost, keeps = 2, INPUT

    slopes: Annotated[Positive, "number of learned slopes: 1, or one for each channel"] = 1

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.slopes not in (1, x[0]):
            raise ShapeError(
                f"'prelu' takes 1 slope or one for each of {x[0]} channels, got {self.slopes}"
            )
        return x

    def params(self, *ins: Shape) -> int:
        return self.slopes

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0], self.slopes)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(slopes=10), ((10,),)))


@op("elu")
class ELU(Activation, frozen=True):
    """x where positive, exp(x) - 1 where negative, Clevert et al. 2015."""

    modules = ("nn.ELU",)
    cost, keeps, storage = 3, INPUT, Storage.IN_PLACE


@op("gelu")
class GELU(Activation, frozen=True):
    """x times the normal cumulative distribution function of x, Hendrycks and Gimpel 2016."""

    modules = ("nn.GELU",)
    cost, keeps = 5, INPUT


@op("silu")
class SiLU(Activation, frozen=True):
    """x times sigmoid(x), also called swish."""

    modules = ("nn.SiLU",)
    cost, keeps = 5, INPUT


@op("hardswish")
class Hardswish(Activation, frozen=True):
    """x times relu6(x + 3) / 6, Howard et al. 2019."""

    modules = ("nn.Hardswish",)
    cost, keeps = 5, INPUT


@op("hardsigmoid")
class Hardsigmoid(Activation, frozen=True):
    """relu6(x + 3) / 6."""

    keeps_zero = False
    modules = ("nn.Hardsigmoid",)
    cost, keeps = 4, INPUT


@op("sigmoid")
class Sigmoid(Activation, frozen=True):
    """1 / (1 + exp(-x))."""

    keeps_zero = False
    modules = ("nn.Sigmoid",)
    cost, keeps = 4, OUTPUT


@op("tanh")
class Tanh(Activation, frozen=True):
    """Hyperbolic tangent."""

    modules = ("nn.Tanh",)
    cost, keeps = 1, OUTPUT


@op("softplus")
class Softplus(Activation, frozen=True):
    """log(1 + exp(x)), a smooth ReLU."""

    keeps_zero = False
    modules = ("nn.Softplus",)
    cost, keeps = 3, INPUT


@op("softsign")
class Softsign(Activation, frozen=True):
    """x / (1 + |x|), Bergstra et al. 2009."""

    modules = ("nn.Softsign",)
    cost, keeps = 3, INPUT

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, elements=prod(ins[0]))  # 1 + |x|


@op("softmax")
class Softmax(Activation, frozen=True):
    """exp(x) over its sum along the channels, shifted by the maximum for stability."""

    valuewise = keeps_zero = False
    modules = ("nn.Softmax",)
    cost, keeps = 5, OUTPUT

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0], dim=1)


def onnx_plain(target: str, found: Op) -> None:
    """Recognise an ONNX activation function without attributes."""

    def recognise(foreign: Foreign) -> Recognised | None:
        return Recognised(found, foreign.ins) if len(foreign.ins) == 1 else None

    recognises(f"onnx.{target}")(recognise)


for _target, _found in {
    "Relu": ReLU(), "Sigmoid": Sigmoid(), "Tanh": Tanh(), "HardSwish": Hardswish(),
    "Softplus": Softplus(), "Softsign": Softsign(),
}.items():  # fmt: skip
    onnx_plain(_target, _found)


@recognises("onnx.LeakyRelu")
def onnx_leaky_relu(foreign: Foreign) -> Recognised | None:
    """Recognise a leaky ReLU with its slope."""
    return Recognised(LeakyReLU(slope=round_float(foreign.get("alpha", 0.01))), foreign.ins)


@recognises("onnx.PRelu")
def onnx_prelu(foreign: Foreign) -> Recognised | None:
    """Recognise a PReLU of one slope, or of one for each channel."""
    x, slope = foreign.get("X"), foreign.get("slope")
    if not slope.constant or len(slope.shape) != 1 or slope.shape[0] not in (1, x.shape[1]):
        return None
    return Recognised(PReLU(slopes=slope.shape[0]), (x,), {"weight": slope})


@recognises("onnx.Elu")
def onnx_elu(foreign: Foreign) -> Recognised | None:
    """Recognise an ELU of alpha 1."""
    return Recognised(ELU(), foreign.ins) if foreign.get("alpha", 1.0) == 1 else None


@recognises("onnx.Gelu")
def onnx_gelu(foreign: Foreign) -> Recognised | None:
    """Recognise the exact GELU, not its approximation by tanh."""
    exact = foreign.get("approximate", "none") == "none"
    return Recognised(GELU(), foreign.ins) if exact else None


@recognises("onnx.Swish")
def onnx_swish(foreign: Foreign) -> Recognised | None:
    """Recognise a swish without a factor inside."""
    return Recognised(SiLU(), foreign.ins) if foreign.get("alpha", 1.0) == 1 else None


@recognises("onnx.HardSigmoid")
def onnx_hard_sigmoid(foreign: Foreign) -> Recognised | None:
    """Recognise the hard sigmoid of slope 1/6; ONNX's own default is 0.2."""
    slope, shift = foreign.get("alpha", 0.2), foreign.get("beta", 0.5)
    if abs(slope - 1 / 6) > 1e-6 or shift != 0.5:
        return None
    return Recognised(Hardsigmoid(), foreign.ins)


@recognises("onnx.Clip")
def onnx_clip(foreign: Foreign) -> Recognised | None:
    """Recognise min(max(x, 0), 6), and max(x, 0)."""
    least, most = foreign.get("min"), foreign.get("max")
    if least is None or least.value != 0:
        return None
    if most is None:
        return Recognised(ReLU(), foreign.ins[:1])
    return Recognised(ReLU6(), foreign.ins[:1]) if most.value == 6 else None


@recognises("onnx.Softmax")
def onnx_softmax(foreign: Foreign) -> Recognised | None:
    """Recognise a softmax over the channels."""
    (x,) = foreign.ins
    axis = foreign.get("axis", -1) % len(x.shape)
    return Recognised(Softmax(), (x,)) if axis == 1 else None


def _plain(target: str, activation: type[Activation]) -> None:
    """Recognise an activation function that has no attributes."""

    @recognises(target)
    def recognised(foreign: Foreign) -> Recognised | None:
        return Recognised(activation(), foreign.ins)


for _target, _activation in {
    "relu": ReLU, "relu6": ReLU6, "silu": SiLU, "hardswish": Hardswish,
    "hardsigmoid": Hardsigmoid, "sigmoid": Sigmoid, "tanh": Tanh,
}.items():  # fmt: skip
    _plain(f"aten.{_target}.default", _activation)


@recognises("aten.hardtanh.default")
def hardtanh_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise what torch calls relu6 inside."""
    ends = foreign.args["min_val"], foreign.args["max_val"]
    return Recognised(ReLU6(), foreign.ins) if ends == (0, 6) else None


@recognises("aten.clamp.default", "aten.clamp_min.default")
def clamp_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a ReLU and a ReLU6 that are spelled as limits."""
    if foreign.get("min") != 0:
        return None
    most = foreign.get("max")
    if most is None:
        return Recognised(ReLU(), foreign.ins)
    return Recognised(ReLU6(), foreign.ins) if most == 6 else None


@recognises("aten.leaky_relu.default")
def leaky_relu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's leaky ReLU."""
    return Recognised(LeakyReLU(slope=foreign.args["negative_slope"]), foreign.ins)


@recognises("aten.prelu.default")
def prelu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's learned leaky ReLU."""
    weight = foreign.args["weight"]
    return Recognised(PReLU(slopes=weight.shape[0]), foreign.ins, {"weight": weight})


@recognises("aten.elu.default")
def elu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's ELU with its usual numbers."""
    usual = all(foreign.args[name] == 1 for name in ("alpha", "scale", "input_scale"))
    return Recognised(ELU(), foreign.ins) if usual else None


@recognises("aten.gelu.default")
def gelu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's exact GELU."""
    return Recognised(GELU(), foreign.ins) if foreign.args["approximate"] == "none" else None


@recognises("aten.softplus.default")
def softplus_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's softplus with its usual numbers."""
    usual = (foreign.args["beta"], foreign.args["threshold"]) == (1, 20)
    return Recognised(Softplus(), foreign.ins) if usual else None


@recognises("aten.softmax.int")
def softmax_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's softmax over the channels."""
    (x,) = foreign.ins
    return Recognised(Softmax(), (x,)) if foreign.args["dim"] % len(x.shape) == 1 else None
