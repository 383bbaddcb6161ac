"""Activation functions. Each arithmetic operation or function call counts as one."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, Call, Example, Saved, Shape, Storage, Windows, call, text_of
from archscope.onnx_form import Value, X, node, per_channel, scalar, weight
from archscope.ops.attributes import Count, Flag, Number, Positive
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
    """The base class of activation functions; not an operator itself."""

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

    selects = True
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

    slopes: Annotated[Positive, "number of learned slopes: 1, or one per channel"] = 1

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

    principal = "alpha"
    modules = ("nn.ELU",)
    storage, keeps = Storage.IN_PLACE, INPUT

    alpha: Annotated[Number, "negative of the limit for decreasing x"] = 1.0

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison, a function call and a shift, and a product unless alpha is 1."""
        return (3 + (self.alpha != 1)) * prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        return call("nn.ELU", self.alpha) if self.alpha != 1 else call("nn.ELU")

    def onnx(self, *ins: Shape) -> Value:
        return node("Elu", X, alpha=self.alpha if self.alpha != 1 else None)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(), ((10,),)),
            Example(cls(alpha=0.5), ((8, 6),)),
        )


@op("gelu")
class GELU(Activation, frozen=True):
    """x times the normal cumulative distribution function of x, Hendrycks and Gimpel 2016."""

    modules = ("nn.GELU",)
    keeps = INPUT

    tanh: Annotated[Flag, "use the approximation by tanh"] = False

    def elementwise(self, *ins: Shape) -> int:
        """Count 5 operations for each element, 9 for the approximation."""
        return (9 if self.tanh else 5) * prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        return call("nn.GELU", approximate="tanh") if self.tanh else call("nn.GELU")

    def onnx(self, *ins: Shape) -> Value:
        return node("Gelu", X, approximate="tanh" if self.tanh else None)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(), ((10,),)),
            Example(cls(tanh=True), ((8, 6),)),
        )


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
    keeps = INPUT

    beta: Annotated[Number, "sharpness: log(1 + exp(beta * x)) / beta"] = 1.0

    def elementwise(self, *ins: Shape) -> int:
        """Count 3 operations for each element, and 2 more for a sharpness."""
        return (3 + 2 * (self.beta != 1)) * prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        return call("nn.Softplus", self.beta) if self.beta != 1 else call("nn.Softplus")

    def onnx(self, *ins: Shape) -> Value:
        if self.beta == 1:
            return node("Softplus", X)
        return node("Div", node("Softplus", node("Mul", X, scalar(self.beta))), scalar(self.beta))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(), ((10,),)),
            Example(cls(beta=2.0), ((8, 6),)),
        )


@op("softsign")
class Softsign(Activation, frozen=True):
    """x / (1 + |x|), Bergstra et al. 2009."""

    modules = ("nn.Softsign",)
    onnx_kind = "Softsign"
    cost, keeps = 3, INPUT

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, elements=prod(ins[0]))  # 1 + |x|


@op("softmax")
class Softmax(Activation, frozen=True, kw_only=True):
    """exp(x) over its sum along an axis, shifted by the maximum for stability."""

    principal = "axis"
    valuewise = keeps_zero = False
    modules = ("nn.Softmax",)
    cost, keeps = 5, OUTPUT

    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0

    @property
    def known_to_tools(self) -> bool:  # type: ignore[override]
        return self.axis == 0

    def shape(self, *ins: Shape) -> Shape:
        if self.axis >= len(ins[0]):
            raise ShapeError(
                f"'softmax' along axis {self.axis} needs that axis, got {text_of(ins[0])}"
            )
        return ins[0]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        return tuple(
            Resample(size, (range(size),) * size) if place == self.axis else Window()
            for place, size in enumerate(x[1:], start=1)
        )

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0], dim=self.axis + 1)

    def onnx(self, *ins: Shape) -> Value:
        return node("Softmax", X, axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(), ((10,),)),
            Example(cls(axis=2), ((3, 5, 6),)),
        )


recognises_as(ReLU, "onnx.Relu", "aten.relu.default")
recognises_as(ReLU6, "aten.relu6.default")
recognises_as(LeakyReLU, "aten.leaky_relu.default", slope="negative_slope")
recognises_as(ELU, "onnx.Elu", when=lambda f: f.get("alpha", 1.0) == 1)
recognises_as(GELU, "onnx.Gelu", when=lambda f: f.get("approximate", "none") == "none")
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
recognises_as(Softsign, "onnx.Softsign")
recognises_as(  # over the channels
    Softmax,
    "onnx.Softmax",
    when=lambda f: f.get("dim", f.get("axis", -1)) % len(f.out) == 1,
)


@recognises("onnx.LeakyRelu")
def onnx_leaky_relu(foreign: Foreign) -> Recognised | None:
    """Recognise a leaky ReLU with its slope."""
    return Recognised(LeakyReLU(slope=round_float(foreign.get("alpha", 0.01))), foreign.ins)


@recognises("onnx.PRelu")
def onnx_prelu(foreign: Foreign) -> Recognised | None:
    """Recognise a PReLU with a single slope or one per channel."""
    x, slope = foreign.get("X"), foreign.get("slope")
    if not slope.constant or len(slope.shape) != 1 or slope.shape[0] not in (1, x.shape[1]):
        return None
    return Recognised(PReLU(slopes=slope.shape[0]), (x,), {"weight": slope})


@recognises("onnx.Clip")
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


@recognises("aten.elu.default")
def elu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise an exponential linear unit without additional scales."""
    if any(foreign.args[name] != 1 for name in ("scale", "input_scale")):
        return None
    return Recognised(ELU(alpha=float(foreign.args["alpha"])), foreign.ins)


@recognises("aten.gelu.default")
def gelu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the exact function and its approximation."""
    return Recognised(GELU(tanh=foreign.args["approximate"] == "tanh"), foreign.ins)


@recognises("aten.softplus.default")
def softplus_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a softplus of any sharpness with torch's default threshold."""
    if foreign.args["threshold"] != 20 or foreign.args["beta"] <= 0:
        return None
    return Recognised(Softplus(beta=float(foreign.args["beta"])), foreign.ins)
