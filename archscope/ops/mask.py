"""Masks: comparisons, which are 1 where true and 0 elsewhere, and selection by a mask."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.ir import Call, Example, Op, Saved, Shape, call
from archscope.onnx_form import Input, Value, X, node, scalar
from archscope.ops.arithmetic import Maximum, RSub, Sub
from archscope.ops.attributes import Number, choice
from archscope.ops.facts import Weightless, pointwise, same_shape, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.merge import Mul, broadcast
from archscope.ops.registry import op
from archscope.ops.torch_arithmetic import number_of

RELATIONS = {
    "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual", "eq": "Equal",
    "ne": "",
}  # fmt: skip
"""The relations by their names in torch, with their names in ONNX."""

SWAPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


@op("compare")
class Compare(Weightless, frozen=True, kw_only=True):
    """1 where a relation to a number holds, 0 elsewhere: `compare: {relation: gt, than: 0.5}`."""

    principal = "relation"
    valuewise = nonlinear = True
    without_slope = (0,)

    relation: Annotated[str, choice(*RELATIONS), "greater, greater or equal, less, ..."]
    than: Annotated[Number, "the number to compare with"] = 0.0

    window = pointwise
    shape = same_shape
    saved = saves_nothing

    @property
    def keeps_zero(self) -> bool:
        holds = {"gt": self.than < 0, "lt": self.than > 0, "eq": self.than == 0}
        holds |= {"le": self.than >= 0, "ge": self.than <= 0, "ne": self.than != 0}
        return not holds[self.relation]

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each element."""
        return prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Compare", self.relation, self.than)

    def onnx(self, *ins: Shape) -> Value:
        kind = RELATIONS[self.relation]
        if kind:
            return node("Cast", node(kind, X, scalar(self.than)), to=1)
        same = node("Cast", node("Equal", X, scalar(self.than)), to=1)
        return node("Sub", scalar(1), same)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(relation="gt"), ((4, 6, 5),)),
            Example(cls(relation="le", than=0.5), ((10,),)),
        )


@op("where")
class Where(Weightless, frozen=True, kw_only=True):
    """Select the second input where the first, a mask, is positive, and the third elsewhere."""

    arity = (3, 3)
    keeps_zero = True
    without_slope = (0,)

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        return broadcast("where", ins)

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each element of the mask."""
        return prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        """State only the mask, of one byte per element: a quarter of a number."""
        return Saved(elements=-(-prod(ins[0]) // 4))

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Where")

    def onnx(self, *ins: Shape) -> Value:
        return node("Where", node("Greater", Input(0), scalar(0)), Input(1), Input(2))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((4, 6, 6), (4, 6, 6), (4, 6, 6))),
            Example(cls(), ((1, 4), (8, 4), (8, 4))),
        )


COMPARISONS = {f"aten.{name}.{kind}": name for name in RELATIONS for kind in ("Scalar", "Tensor")}


@recognises(*COMPARISONS)
def compare_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a comparison with a number, or of two tensors by the sign of their difference."""
    relation = COMPARISONS[foreign.target]
    a, b = foreign.get("self", foreign.get("input")), foreign.args["other"]
    if isinstance(a, Tensor) and a.constant:
        relation, a, b = SWAPPED[relation], b, a
    number = number_of(b)
    if number is not None:
        return Recognised(Compare(relation=relation, than=number), (a,))
    if not isinstance(b, Tensor) or b.constant or len(a.shape) != len(b.shape):
        return None
    return Recognised(Sub(), (a, b), then=(Compare(relation=relation),))


@recognises("aten.where.self", "aten.where.ScalarOther", "aten.where.ScalarSelf")
def where_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a choice between two tensors."""
    parts: tuple[Any, ...] = (
        foreign.args["condition"], foreign.get("self", foreign.get("input")), foreign.args["other"],
    )  # fmt: skip
    if any(not isinstance(part, Tensor) or part.constant for part in parts):
        return None
    ranks = {len(part.shape) for part in parts}
    return Recognised(Where(), parts) if len(ranks) == 1 else None


BOTH: dict[str, type[Op]] = {
    "aten.logical_and.default": Mul, "aten.bitwise_and.Tensor": Mul, "aten.__and__.Tensor": Mul,
    "aten.logical_or.default": Maximum, "aten.bitwise_or.Tensor": Maximum,
    "aten.__or__.Tensor": Maximum,
}  # fmt: skip


@recognises(*BOTH)
def both_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the conjunction or disjunction of masks."""
    ins = foreign.ins
    fits = len(ins) == 2 and len(ins[0].shape) == len(ins[1].shape)
    return Recognised(BOTH[foreign.target](), ins) if fits else None


@recognises("aten.logical_not.default", "aten.bitwise_not.default")
def not_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the negation of a mask."""
    return Recognised(RSub(value=1), foreign.ins)
