"""Distances to learned feature vectors."""

from __future__ import annotations

from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, call, text_of
from archscope.onnx_form import Value, X, ints, node, weight
from archscope.ops.attributes import Positive, choice
from archscope.ops.facts import free, moved, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

KINDS = {"euclidean": ("ReduceL2", 2.0), "manhattan": ("ReduceL1", 1.0)}


@op("prototypes")
class Prototypes(Op, frozen=True, kw_only=True):
    """Distances of a feature vector to learned prototypes, one per class, Snell et al. 2017."""

    principal = "out"

    out: Annotated[Positive, "number of learned vectors"]
    metric: Annotated[str, choice(*KINDS), "euclidean (L2) or manhattan (L1)"] = "euclidean"

    buffers = macs = free
    access = moved
    window = whole

    def shape(self, *ins: Shape) -> Shape:
        if len(ins[0]) != 1:
            raise ShapeError(f"'prototypes' needs a flat input, got {text_of(ins[0])}")
        return (self.out,)

    def params(self, *ins: Shape) -> int:
        return self.out * ins[0][0]

    def elementwise(self, *ins: Shape) -> int:
        """Count the difference, its square or absolute value, and the sum."""
        return 3 * self.out * ins[0][0] - (self.out if self.metric == "manhattan" else 0)

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.metric == "euclidean" else {"norm": 1.0}
        return call("archscope.nn.Prototypes", ins[0][0], self.out, **words)

    def onnx(self, *ins: Shape) -> Value:
        held = weight("weight", self.out, ins[0][0], spread=1.7)
        difference = node("Sub", node("Unsqueeze", X, ints(1)), held)
        return node(KINDS[self.metric][0], difference, ints(2), keepdims=0)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(out=5), ((8,),)), Example(cls(out=30, metric="manhattan"), ((6,),)))


@recognises("aten.cdist.default")
def cdist_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the distances of feature vectors to weights."""
    x, held = foreign.args["x1"], foreign.args["x2"]
    metric = {1.0: "manhattan", 2.0: "euclidean"}.get(foreign.args["p"])
    if metric is None or x.constant or not held.constant or len(x.shape) != 2:
        return None
    return Recognised(Prototypes(out=held.shape[0], metric=metric), (x,), {"weight": held})
