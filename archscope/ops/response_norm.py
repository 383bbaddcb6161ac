"""Normalisation over neighbouring channels."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, call, text_of
from archscope.onnx_form import Value, X, ints, node, scalar
from archscope.ops.attributes import Number, Positive
from archscope.ops.facts import Weightless, pointwise
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.registry import op


@op("lrn")
class LocalResponseNorm(Weightless, frozen=True, kw_only=True):
    """Local response normalisation, Krizhevsky et al. 2012.

    Each value is divided by (k + alpha * mean of the squares)^beta over neighbouring channels.
    The paper's alpha weighs the sum, so it is that of torch and Caffe divided by the size.
    """

    principal = "size"
    modules = ("nn.LocalResponseNorm",)
    normalises = keeps_zero = True

    size: Annotated[Positive, "number of neighbouring channels, centred on the channel itself"] = 5
    alpha: Annotated[Number, "weight of the mean square"] = 1e-4
    beta: Annotated[Number, "exponent"] = 0.75
    k: Annotated[Number, "constant added to the weighted mean square"] = 1.0

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) == 1:
            raise ShapeError(f"'lrn' needs 1 to 3 spatial axes, got {text_of(x)}")
        return x

    def elementwise(self, *ins: Shape) -> int:
        """Count a square, the mean over the window, a scale, a shift, a power and a division."""
        return (self.size + 5) * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        padded = (x[0] + self.size - 1) * prod(x[1:])
        return Saved(input=True, elements=padded + 2 * prod(x))  # squares, base and its power

    def torch(self, *ins: Shape) -> Call:
        return call("nn.LocalResponseNorm", self.size, alpha=self.alpha, beta=self.beta, k=self.k)

    def onnx(self, *ins: Shape) -> Value:
        alpha, beta, k = float(self.alpha), float(self.beta), float(self.k)
        channels, *sizes = ins[0]
        if self.size % 2 and len(sizes) == 2:
            return node("LRN", X, size=self.size, alpha=alpha, beta=beta, bias=k)
        # ONNX centres even sizes differently, and runtimes support only two axes.
        squares = node("Reshape", node("Mul", X, X), ints(0, 1, channels, -1))
        pads = (self.size // 2, 0, (self.size - 1) // 2, 0)
        kernel = (self.size, 1)
        mean = node("AveragePool", squares, kernel_shape=kernel, pads=pads, count_include_pad=1)
        mean = node("Reshape", mean, ints(0, channels, *sizes))
        base = node("Add", node("Mul", mean, scalar(alpha)), scalar(k))
        return node("Div", X, node("Pow", base, scalar(beta)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(size=4, alpha=0.5, beta=0.5, k=2.0), ((8, 12),)),
            Example(cls(size=3), ((4, 3, 4, 5),)),
        )


@recognises("onnx.LRN")
def onnx_lrn(foreign: Foreign) -> Recognised | None:
    """Recognise a local response norm of an odd size, whose centre is the same everywhere."""
    if foreign.get("size") % 2 == 0:
        return None
    found = LocalResponseNorm(
        size=foreign.get("size"),
        alpha=round_float(foreign.get("alpha", 1e-4)),
        beta=round_float(foreign.get("beta", 0.75)),
        k=round_float(foreign.get("bias", 1.0)),
    )
    return Recognised(found, (foreign.get("X"),))


@recognises("archscope.lrn.default")
def lrn_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's local response norm, as prepared by the importer."""
    words = {word: foreign.args[word] for word in ("size", "alpha", "beta", "k")}
    return Recognised(LocalResponseNorm(**words), foreign.ins)
