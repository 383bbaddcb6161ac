"""Activation functions. `cost` counts one for each arithmetic operation or function call."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, Storage, call
from archscope.onnx_form import Value, X, node, per_channel, scalar, weight
from archscope.ops.attributes import Number, Positive
from archscope.ops.facts import Weightless, pointwise, same_shape
from archscope.ops.foreign import (
    Foreign,
    Recognised,
    Tensor,
    recognises,
    recognises_as,
    round_float,
)
from archscope.ops.registry import op

INPUT = Saved(input=True)
OUTPUT = Saved(output=True)


class Activation(Weightless, frozen=True, kw_only=True):
    """What all activation functions share; not an operator itself."""

    valuewise = nonlinear = keeps_zero = True

    cost: ClassVar[int]
    keeps: ClassVar[Saved]
    onnx_kind: ClassVar[str] = ""

    window = pointwise
    shape = same_shape

    def elementwise(self, *ins: Shape) -> int:
        """Count the operations and function calls of its formula for each element."""
        return self.cost * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        return self.keeps

    def onnx(self, *ins: Shape) -> Value | None:
        return node(self.onnx_kind, X) if self.onnx_kind else None

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(), ((10,),)))


@op("relu")
class ReLU(Activation, frozen=True):
    """max(x, 0)."""

    modules = ("nn.ReLU",)
    onnx_kind = "Relu"
    cost, keeps, storage = 1, OUTPUT, Storage.IN_PLACE


@op("relu6")
class ReLU6(Activation, frozen=True):
    """min(max(x, 0), 6)."""

    modules = ("nn.ReLU6",)
    cost, storage = 2, Storage.IN_PLACE
    keeps = Saved(input=True, copied=True)

    def onnx(self, *ins: Shape) -> Value:
        return node("Clip", X, scalar(0), scalar(6))


@op("leaky_relu")
class LeakyReLU(Activation, frozen=True):
    """x where positive, a small slope where negative."""

    principal = "slope"
    modules = ("nn.LeakyReLU",)
    cost, keeps, storage = 2, INPUT, Storage.IN_PLACE

    slope: Annotated[Number, "slope of negative values"] = 0.01

    def onnx(self, *ins: Shape) -> Value:
        return node("LeakyRelu", X, alpha=float(self.slope))


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

    def onnx(self, *ins: Shape) -> Value:
        slopes = weight("weight", self.slopes, centre=0.25, spread=0.0)
        return node("PRelu", X, per_channel(slopes, self.slopes, len(ins[0]) - 1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(slopes=10), ((10,),)))


@op("elu")
class ELU(Activation, frozen=True):
    """x where positive, exp(x) - 1 where negative, Clevert et al. 2015."""

    modules = ("nn.ELU",)
    onnx_kind = "Elu"
    cost, keeps, storage = 3, INPUT, Storage.IN_PLACE


@op("gelu")
class GELU(Activation, frozen=True):
    """x times the normal cumulative distribution function of x, Hendrycks and Gimpel 2016."""

    modules = ("nn.GELU",)
    onnx_kind = "Gelu"
    cost, keeps = 5, INPUT


@op("silu")
class SiLU(Activation, frozen=True):
    """x times sigmoid(x), also called swish."""

    modules = ("nn.SiLU",)
    cost, keeps = 5, INPUT

    def onnx(self, *ins: Shape) -> Value:
        return node("Mul", X, node("Sigmoid", X))


@op("hardswish")
class Hardswish(Activation, frozen=True):
    """x times relu6(x + 3) / 6, Howard et al. 2019."""

    modules = ("nn.Hardswish",)
    onnx_kind = "HardSwish"
    cost, keeps = 5, INPUT


@op("hardsigmoid")
class Hardsigmoid(Activation, frozen=True):
    """relu6(x + 3) / 6."""

    keeps_zero = False
    modules = ("nn.Hardsigmoid",)
    cost, keeps = 4, INPUT

    def onnx(self, *ins: Shape) -> Value:
        return node("HardSigmoid", X, alpha=1 / 6, beta=0.5)


@op("sigmoid")
class Sigmoid(Activation, frozen=True):
    """1 / (1 + exp(-x))."""

    keeps_zero = False
    modules = ("nn.Sigmoid",)
    onnx_kind = "Sigmoid"
    cost, keeps = 4, OUTPUT


@op("tanh")
class Tanh(Activation, frozen=True):
    """Hyperbolic tangent."""

    modules = ("nn.Tanh",)
    onnx_kind = "Tanh"
    cost, keeps = 1, OUTPUT


@op("softplus")
class Softplus(Activation, frozen=True):
    """log(1 + exp(x)), a smooth ReLU."""

    keeps_zero = False
    modules = ("nn.Softplus",)
    onnx_kind = "Softplus"
    cost, keeps = 3, INPUT


@op("softsign")
class Softsign(Activation, frozen=True):
    """x / (1 + |x|), Bergstra et al. 2009."""

    modules = ("nn.Softsign",)
    onnx_kind = "Softsign"
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

    def onnx(self, *ins: Shape) -> Value:
        return node("Softmax", X, axis=1)


recognises_as(ReLU, "onnx.Relu", "aten.relu.default")
recognises_as(ReLU6, "aten.relu6.default")
recognises_as(LeakyReLU, "aten.leaky_relu.default", slope="negative_slope")
recognises_as(ELU, "onnx.Elu", when=lambda f: f.get("alpha", 1.0) == 1)
recognises_as(
    ELU,
    "aten.elu.default",
    when=lambda f: all(f.args[name] == 1 for name in ("alpha", "scale", "input_scale")),
)
recognises_as(  # the exact one, not its approximation by tanh
    GELU,
    "onnx.Gelu",
    "aten.gelu.default",
    when=lambda f: f.get("approximate", "none") == "none",
)
recognises_as(SiLU, "aten.silu.default")
recognises_as(SiLU, "onnx.Swish", when=lambda f: f.get("alpha", 1.0) == 1)
recognises_as(Hardswish, "onnx.HardSwish", "aten.hardswish.default")
recognises_as(Hardsigmoid, "aten.hardsigmoid.default")
recognises_as(  # ONNX's own default is a slope of 0.2
    Hardsigmoid,
    "onnx.HardSigmoid",
    when=lambda f: abs(f.get("alpha", 0.2) - 1 / 6) <= 1e-6 and f.get("beta", 0.5) == 0.5,
)
recognises_as(Sigmoid, "onnx.Sigmoid", "aten.sigmoid.default")
recognises_as(Tanh, "onnx.Tanh", "aten.tanh.default")
recognises_as(Softplus, "onnx.Softplus")
recognises_as(
    Softplus,
    "aten.softplus.default",
    when=lambda f: (f.args["beta"], f.args["threshold"]) == (1, 20),
)
recognises_as(Softsign, "onnx.Softsign")
recognises_as(  # over the channels
    Softmax,
    "onnx.Softmax",
    "aten.softmax.int",
    when=lambda f: f.get("dim", f.get("axis", -1)) % len(f.out) == 1,
)
recognises_as(  # what torch calls relu6 inside
    ReLU6,
    "aten.hardtanh.default",
    when=lambda f: (f.args["min_val"], f.args["max_val"]) == (0, 6),
)


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


@recognises("onnx.Clip", "aten.clamp.default", "aten.clamp_min.default")
def clamp(foreign: Foreign) -> Recognised | None:
    """Recognise max(x, 0), and min(max(x, 0), 6)."""
    least, most = foreign.get("min"), foreign.get("max")
    low, high = (end.value if isinstance(end, Tensor) else end for end in (least, most))
    if low != 0 or not (most is None or high == 6):
        return None
    return Recognised(ReLU() if most is None else ReLU6(), foreign.ins[:1])


@recognises("aten.prelu.default")
def prelu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's learned leaky ReLU."""
    weight = foreign.args["weight"]
    return Recognised(PReLU(slopes=weight.shape[0]), foreign.ins, {"weight": weight})
