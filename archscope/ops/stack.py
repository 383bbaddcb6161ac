"""Stack inputs along a new axis, overwrite a range, and recognise torch's concatenations."""

from __future__ import annotations

from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Input, Value, ints, node
from archscope.ops.attributes import RANK, Count, Positive
from archscope.ops.facts import Rearrangement
from archscope.ops.fill import filled
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.geometry import short_padding
from archscope.ops.index_select import attached
from archscope.ops.merge import Concat, texts_of
from archscope.ops.pad import Pad
from archscope.ops.registry import op
from archscope.ops.reshape import Identity, Reshape

SPATIAL = 3
"""The most spatial axes that a pad has."""


@op("stack")
class Stack(Rearrangement, frozen=True, kw_only=True):
    """Stack inputs of the same shape along a new axis."""

    principal = "axis"
    arity = (2, None)

    axis: Annotated[Count, "the new axis; 0 puts it before the channels"] = 0

    def shape(self, *ins: Shape) -> Shape:
        (x, *others) = ins
        if any(other != x for other in others):
            raise ShapeError(f"'stack' needs equal shapes, got {texts_of(ins)}")
        if self.axis > len(x) or len(x) >= RANK:
            raise ShapeError(
                f"'stack' makes one of {len(x) + 1} axes of {text_of(x)}, got axis {self.axis}"
            )
        return *x[: self.axis], len(ins), *x[self.axis :]

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input, as an upper bound: there is a new axis."""
        return WHOLE

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Stack", self.axis + 1)

    def onnx(self, *ins: Shape) -> Value:
        shape = (*ins[0][: self.axis], 1, *ins[0][self.axis :])
        apart = (node("Reshape", Input(i), ints(0, *shape)) for i in range(len(ins)))
        return node("Concat", *apart, axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((4, 6), (4, 6))),
            Example(cls(axis=2), ((4, 5), (4, 5), (4, 5))),
        )


@op("slice_scatter")
class SliceScatter(Rearrangement, frozen=True, kw_only=True):
    """Overwrite a range of the first input with the second: `y[:, 0:4] = part` in torch.

    A second input without the axis fills a single place.
    """

    arity = (2, 2)

    start: Annotated[Count, "start along the axis"] = 0
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0
    step: Annotated[Positive, "distance from one place to the next"] = 1

    def shape(self, *ins: Shape) -> Shape:
        x, part = ins[0], self._part(ins)
        axis = self.axis
        if axis >= len(x) or len(x) != len(part):
            raise ShapeError(f"'slice_scatter' along axis {axis} cannot put {texts_of(ins[::-1])}")
        last = self.start + (part[axis] - 1) * self.step
        if (*part[:axis], *part[axis + 1 :]) != (*x[:axis], *x[axis + 1 :]) or last >= x[axis]:
            raise ShapeError(
                f"'slice_scatter' along axis {axis} from {self.start} cannot put {text_of(part)}"
                f" into {text_of(x)}"
            )
        return x

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input if positions are overwritten, as an upper bound."""
        return WHOLE if self.axis else POINTWISE

    def torch(self, *ins: Shape) -> Call:
        words = {"step": self.step} if self.step > 1 else {}
        return call(
            "archscope.nn.SliceScatter", self.start, self._stop(ins), self.axis + 1, **words
        )

    def _part(self, ins: tuple[Shape, ...]) -> Shape:
        """Return the shape of the second input, with the axis added if it lacks it."""
        x, part = ins
        if len(part) == len(x) - 1:
            return *part[: self.axis], 1, *part[self.axis :]
        return part

    def _stop(self, ins: tuple[Shape, ...]) -> int:
        return self.start + (self._part(ins)[self.axis] - 1) * self.step + 1

    def onnx(self, *ins: Shape) -> Value:
        x, part = ins[0], self._part(ins)
        axis = ints(self.axis + 1)
        source_part: Value = Input(1)
        if part != ins[1]:
            source_part = node("Unsqueeze", Input(1), axis)
        if self.step > 1:  # part by part, each with the values after it
            pieces: list[Value] = []
            for place in range(x[self.axis]):
                turn, rest = divmod(place - self.start, self.step)
                inside = rest == 0 and 0 <= turn < part[self.axis]
                source, at = (source_part, turn) if inside else (Input(0), place)
                pieces.append(node("Slice", source, ints(at), ints(at + 1), axis))
            return node("Concat", *pieces, axis=self.axis + 1)
        stop = self._stop(ins)
        joined: list[Value] = [source_part]
        if self.start:
            joined.insert(0, node("Slice", Input(0), ints(0), ints(self.start), axis))
        if stop < x[self.axis]:
            joined.append(node("Slice", Input(0), ints(stop), ints(x[self.axis]), axis))
        return node("Concat", *joined, axis=self.axis + 1) if len(joined) > 1 else source_part

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(start=2), ((8, 6, 5), (3, 6, 5))),
            Example(cls(start=1, axis=1, step=2), ((4, 6), (4, 2))),
            Example(cls(start=3), ((8, 6), (6,))),
        )


@recognises("aten.cat.default", "aten.concat.default", "aten.concatenate.default")
def concat_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a concatenation; channels of zeros at the ends are padding."""
    axis = foreign.args["dim"] % len(foreign.out)
    tensors: list[Tensor] = list(foreign.args["tensors"])
    if axis == 0:
        return None
    if len(foreign.ins) != len(tensors):
        zeros = _with_zeros(tensors) if axis == 1 else None
        return zeros or attached(tensors, axis)
    if len(tensors) == 1:
        return Recognised(Identity(), foreign.ins)
    return Recognised(Concat(axis=axis - 1), foreign.ins)


def _with_zeros(tensors: list[Tensor]) -> Recognised | None:
    places = [place for place, tensor in enumerate(tensors) if not tensor.constant]
    value = next((tensor.value for tensor in tensors if tensor.constant), None)
    if len(places) != 1 or not isinstance(value, int | float):
        return None
    if any(tensor.constant and tensor.value != value for tensor in tensors):
        return None
    before = sum(tensor.shape[1] for tensor in tensors[: places[0]])
    after = sum(tensor.shape[1] for tensor in tensors[places[0] + 1 :])
    found = Pad(channels=(before, after), value=float(value))
    return Recognised(found, (tensors[places[0]],))


@recognises("aten.stack.default")
def stack_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise stacking along a new axis."""
    axis = foreign.args["dim"] % len(foreign.out)
    if axis == 0 or not foreign.ins or len(foreign.ins) != len(foreign.tensors):
        return None
    if len(foreign.ins) == 1:
        return Recognised(Reshape(size=foreign.out[1:]), foreign.ins)
    return Recognised(Stack(axis=axis - 1), foreign.ins)


@recognises("aten.slice_scatter.default")
def slice_scatter_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the overwriting of a range."""
    axis = foreign.args["dim"] % len(foreign.out)
    x, part = foreign.args.get("self", foreign.args.get("input")), foreign.args["src"]
    if axis == 0:
        return None
    size, start = x.shape[axis], foreign.get("start") or 0
    start = max(0, start + size) if start < 0 else start
    if part.constant and foreign.get("step", 1) == 1:
        return filled(x, part, start, start + part.shape[axis], axis - 1)
    if x.constant and foreign.get("step", 1) == 1:
        padding = _surrounded(x, part, start, axis)
        return Recognised(padding, (part,)) if padding else None
    if x.constant or part.constant:
        return None
    found = SliceScatter(start=start, axis=axis - 1, step=foreign.get("step", 1))
    return Recognised(found, (x, part))


def _surrounded(x: Tensor, part: Tensor, start: int, axis: int) -> Pad | None:
    """Return the padding that makes an input a part of what one number fills, else None."""
    if not isinstance(x.value, int | float) or not abs(x.value) < 1e300:
        return None
    single = len(part.shape) < len(x.shape)
    after = x.shape[axis] - start - (1 if single else part.shape[axis])
    value = float(x.value)
    if axis == 1:
        return Pad(channels=(start, after), value=value)
    rank = len(x.shape) - 2
    if rank > SPATIAL:
        return None
    sides = tuple((start, after) if axis == place + 2 else (0, 0) for place in range(rank))
    return Pad(padding=short_padding(sides), value=value)


@recognises("aten.select_scatter.default")
def select_scatter_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the overwriting of one element along an axis."""
    axis, index = foreign.args["dim"] % len(foreign.out), foreign.args["index"]
    x, part = foreign.args.get("self", foreign.args.get("input")), foreign.args["src"]
    if axis == 0:
        return None
    start = index + x.shape[axis] if index < 0 else index
    if part.constant:
        return filled(x, part, start, start + 1, axis - 1)
    if x.constant:
        padding = _surrounded(x, part, start, axis)
        apart = Reshape(size=(*part.shape[1:axis], 1, *part.shape[axis:]))
        return Recognised(apart, (part,), then=(padding,)) if padding else None
    return Recognised(SliceScatter(start=start, axis=axis - 1), (x, part))
