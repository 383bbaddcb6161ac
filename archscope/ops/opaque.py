"""Foreign operators without an equivalent in archscope."""

from __future__ import annotations

from typing import Annotated, Any

from archscope.errors import GraphError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Op, Saved, Shape, Storage, Windows
from archscope.ops.attributes import POSITIVE, RANK, Count, Flag, Kind, list_of
from archscope.ops.facts import moved
from archscope.ops.registry import op


def _word(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ValueError
    return value


Word = Annotated[
    str, Kind("a word of at most 200 letters", _word, {"type": "string", "minLength": 1})
]
AnyShape = Annotated[tuple[int, ...], list_of(POSITIVE, RANK, "whole numbers of at least 1", 0)]
"""The shape of a value; without axes for one number per image."""


@op("opaque")
class Opaque(Op, frozen=True, kw_only=True):
    """A foreign operator without an equivalent here; facts that it does not state are unknown.

    Totals that it may add to are shown as `>=`, and it cannot be built.
    """

    arity = (1, None)

    kind: Annotated[Word, "its name in the original framework"]
    size: Annotated[AnyShape, "shape of its output, without the batch"]
    learned: Annotated[Count, "number of learnable parameters"] = 0
    kept: Annotated[Count, "number of running statistics"] = 0
    products: Annotated[Count | None, "multiply-accumulates, if known"] = None
    work: Annotated[Count | None, "other arithmetic, if known"] = None
    least: Annotated[Flag, "`products` is only a lower bound"] = False
    view: Annotated[Flag, "its output is a view of its input"] = False
    pointwise: Annotated[
        Flag, "each output position depends only on the same position of the inputs"
    ] = False

    @property
    def storage(self) -> Storage:  # type: ignore[override]
        return Storage.VIEW if self.view else Storage.NEW

    @property
    def label(self) -> str:
        return self.kind

    @property
    def unknown(self) -> tuple[str, ...]:
        given = {"macs": None if self.least else self.products, "elementwise": self.work}
        missing = tuple(fact for fact, number in given.items() if number is None)
        return (*missing, "torch") if self.pointwise else (*missing, "window", "torch")

    def window(self, *ins: Shape) -> Windows:
        """Return an upper bound of its windows, which are unknown unless it is pointwise."""
        return POINTWISE if self.pointwise else WHOLE

    def shape(self, *ins: Shape) -> Shape:
        return self.size

    def params(self, *ins: Shape) -> int:
        return self.learned

    def buffers(self, *ins: Shape) -> int:
        return self.kept

    def macs(self, *ins: Shape) -> int:
        """Return what is known."""
        return self.products or 0

    def elementwise(self, *ins: Shape) -> int:
        """Count what is known."""
        return self.work or 0

    def access(self, *ins: Shape) -> int:
        return 0 if self.view else moved(self, *ins)

    def saved(self, *ins: Shape) -> Saved:
        """State the input, if it multiplies by it; autograd may keep more."""
        return Saved(input=self.products != 0)

    def torch(self, *ins: Shape) -> Call:
        raise GraphError(
            f"'{self.kind}' is not an operator of archscope: a network with it can be analysed"
            " but not built"
        )

    def onnx(self, *ins: Shape) -> None:
        """Return nothing: it cannot be written."""

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return no examples, as there is nothing to compare with."""
        return ()
