"""What an importer met and could not say in operators."""

from __future__ import annotations

from typing import Annotated, Any

from archscope.errors import GraphError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Op, Saved, Shape, Storage, Windows, moved
from archscope.ops.attributes import POSITIVE, Count, Flag, Kind
from archscope.ops.registry import op


def _word(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ValueError
    return value


def _any_shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 8:
        raise ValueError
    return tuple(map(POSITIVE.read, value))


Word = Annotated[
    str, Kind("a word of at most 200 letters", _word, {"type": "string", "minLength": 1})
]
AnyShape = Annotated[
    tuple[int, ...],
    Kind(
        "a list of 1 to 8 whole numbers of at least 1",
        _any_shape,
        {"type": "array", "items": POSITIVE.schema, "minItems": 1, "maxItems": 8},
    ),
]


@op("opaque")
class Opaque(Op, frozen=True, kw_only=True):
    """A foreign operator that has no word here; what is not said of it counts as unknown.

    Totals that it may add to read `>=`, and it cannot be built.
    """

    arity = (1, None)

    kind: Annotated[Word, "its name where it comes from"]
    size: Annotated[AnyShape, "shape of its result, without the batch"]
    learned: Annotated[Count, "learnable numbers that it holds"] = 0
    kept: Annotated[Count, "statistics that it keeps"] = 0
    products: Annotated[Count | None, "its multiply-accumulates, where they are known"] = None
    work: Annotated[Count | None, "its other arithmetic, where it is known"] = None
    view: Annotated[Flag, "its result is its input, looked at differently"] = False
    pointwise: Annotated[
        Flag, "each position of its result depends on that position of its inputs alone"
    ] = False

    @property
    def storage(self) -> Storage:  # type: ignore[override]
        return Storage.VIEW if self.view else Storage.NEW

    @property
    def unknown(self) -> tuple[str, ...]:
        given = {"macs": self.products, "elementwise": self.work}
        missing = tuple(fact for fact, number in given.items() if number is None)
        return (*missing, "torch") if self.pointwise else (*missing, "window", "torch")

    def window(self, *ins: Shape) -> Windows:
        """Return the most that it may see, which is unknown unless it is pointwise."""
        return POINTWISE if self.pointwise else WHOLE

    def shape(self, *ins: Shape) -> Shape:
        return self.size

    def params(self, *ins: Shape) -> int:
        return self.learned

    def buffers(self, *ins: Shape) -> int:
        return self.kept

    def macs(self, *ins: Shape) -> int:
        """Return what is known of them, at least."""
        return self.products or 0

    def elementwise(self, *ins: Shape) -> int:
        """Return what is known of it, at least."""
        return self.work or 0

    def access(self, *ins: Shape) -> int:
        return 0 if self.view else moved(self, *ins)

    def saved(self, *ins: Shape) -> Saved:
        """State the input, if it multiplies by it; autograd may keep more."""
        return Saved(input=self.products != 0)

    def torch(self, *ins: Shape) -> Call:
        raise GraphError(
            f"'{self.kind}' is no operator of archscope: a network with it can be analysed,"
            " not built"
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return none: there is nothing that it could be held against."""
        return ()
