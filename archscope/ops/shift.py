"""Roll and flip positions and channels."""

from __future__ import annotations

from typing import Annotated

from archscope.axes import Axis, Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import LARGEST, RANK, Axes, Kind, list_of, whole
from archscope.ops.facts import Rearrangement
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

Steps = Annotated[
    tuple[int, ...],
    list_of(Kind("", whole(-LARGEST), {"type": "integer"}), RANK, "whole numbers"),
]


def _checked(name: str, axes: tuple[int, ...], shape: Shape) -> None:
    if len(set(axes)) < len(axes) or max(axes) >= len(shape):
        raise ShapeError(
            f"'{name}' needs different axes from 0 to {len(shape) - 1} of {text_of(shape)},"
            f" got {list(axes)}"
        )


@op("roll")
class Roll(Rearrangement, frozen=True, kw_only=True):
    """Shift values along axes; those that leave at one end re-enter at the other."""

    steps: Annotated[Steps, "number of positions to shift by, for each axis"]
    axes: Annotated[Axes, "the axes; 0 is the channel axis"]

    def shape(self, *ins: Shape) -> Shape:
        _checked("roll", self.axes, ins[0])
        if len(self.axes) != len(self.steps):
            raise ShapeError(
                f"'roll' needs a step for each axis, got {len(self.steps)} steps and"
                f" {len(self.axes)} axes"
            )
        return ins[0]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        steps = dict(zip(self.axes, self.steps, strict=True))
        if not any(steps.get(axis, 0) % x[axis] for axis in range(1, len(x))):
            return POINTWISE
        return tuple(_turned(size, steps.get(axis + 1, 0)) for axis, size in enumerate(x[1:]))

    def torch(self, *ins: Shape) -> Call:
        axes = tuple(axis + 1 for axis in self.axes)
        return call("archscope.nn.Roll", self.steps, axes)

    def onnx(self, *ins: Shape) -> Value:
        value: Value = X
        for axis, step in zip(self.axes, self.steps, strict=True):
            cut = -step % ins[0][axis]
            if cut:
                place = ints(axis + 1)
                head = node("Slice", value, ints(0), ints(cut), place)
                tail = node("Slice", value, ints(cut), ints(LARGEST), place)
                value = node("Concat", tail, head, axis=axis + 1)
        return value

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(steps=(1, -2), axes=(1, 2)), ((4, 6, 7),)),
            Example(cls(steps=(3,), axes=(0,)), ((8, 5),)),
        )


def _turned(size: int, step: int) -> Axis:
    if not step % size:
        return Window()
    return Resample(size, tuple(_at((place - step) % size) for place in range(size)))


def _at(place: int) -> range:
    return range(place, place + 1)


@op("flip")
class Flip(Rearrangement, frozen=True, kw_only=True):
    """Reverse the order of the values along axes."""

    principal = "axes"

    axes: Annotated[Axes, "the axes; 0 is the channel axis"]

    def shape(self, *ins: Shape) -> Shape:
        _checked("flip", self.axes, ins[0])
        return ins[0]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axes == (0,):
            return POINTWISE
        windows: list[Axis] = []
        for axis, size in enumerate(x[1:], start=1):
            turned = Resample(size, tuple(_at(size - 1 - place) for place in range(size)))
            windows.append(turned if axis in self.axes else Window())
        return tuple(windows)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Flip", *(axis + 1 for axis in self.axes))

    def onnx(self, *ins: Shape) -> Value:
        count = len(self.axes)
        first, last = ints(*(-1,) * count), ints(*(-LARGEST,) * count)
        return node("Slice", X, first, last, ints(*(a + 1 for a in self.axes)), first)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(axes=(2,)), ((4, 6, 7),)),
            Example(cls(axes=(0, 1)), ((8, 5),)),
            Example(cls(axes=(0,)), ((8, 5),)),
        )


@recognises("aten.roll.default")
def roll_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a roll along named axes other than the batch."""
    x, axes, steps = foreign.ins[0], foreign.get("dims"), foreign.get("shifts")
    places = tuple(axis % len(x.shape) - 1 for axis in axes or ())
    if not places or -1 in places or len(set(places)) < len(places):
        return None
    return Recognised(Roll(steps=tuple(steps), axes=places), (x,))


@recognises("aten.flip.default")
def flip_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a flip of axes other than the batch."""
    x = foreign.ins[0]
    places = tuple(axis % len(x.shape) - 1 for axis in foreign.get("dims") or ())
    return Recognised(Flip(axes=places), (x,)) if places and -1 not in places else None
