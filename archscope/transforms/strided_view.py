"""Views: which numbers of a tensor a chain of permutations, reshapes and slices selects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from msgspec import Struct

from archscope.ir import Op, Shape
from archscope.ops.attributes import RANK
from archscope.ops.layout import Permute, Select
from archscope.ops.reshape import Flatten, Reshape, Slice

Part = tuple[int, int]
"""A size above 1 and a stride."""
Parts = tuple[Part, ...]


class StridedView(Struct, frozen=True):
    """An order of numbers in the memory of another tensor.

    Each axis has parts, of which the last varies fastest: an axis of heads and their width has
    two. Parts at equal distances are joined, and an axis of size 1 has none, so that equal views
    compare equal.
    """

    axes: tuple[Parts, ...]
    offset: int = 0

    @classmethod
    def whole(cls, sizes: Shape) -> StridedView:
        """Return the view of a tensor as it is."""
        return cls(tuple(_joined([part]) for part in zip(sizes, _strides(sizes), strict=True)))

    @property
    def sizes(self) -> Shape:
        """The shape of the view."""
        return tuple(prod(size for size, _ in axis) for axis in self.axes)

    def covers(self, sizes: Shape) -> bool:
        """Return whether it has all numbers of a tensor of this shape; a view repeats none."""
        return prod(self.sizes) == prod(sizes)

    def moved(self, op: Op) -> StridedView | None:
        """Return the view behind an operator; None if that is not a view, or not a move."""
        match op:
            case Permute():
                return StridedView(tuple(self.axes[axis] for axis in op.order), self.offset)
            case Select():
                axes = self.axes[: op.axis] + self.axes[op.axis + 1 :]
                return StridedView(axes, self.offset + _place(self.axes[op.axis], op.index))
            case Slice():
                return self._sliced(op)
            case Reshape() | Flatten():
                return self._reshaped(op.shape(self.sizes))
        return None

    def _sliced(self, op: Slice) -> StridedView | None:
        axis = self.axes[op.axis]
        kept = len(range(op.start, op.stop, op.step))
        inner = prod(size for size, _ in axis[1:])
        if not axis or op.start % inner or kept % inner or (op.step > 1 and inner > 1):
            return None
        (_, stride), rest = axis[0], axis[1:]
        parts = _joined([(kept // inner, stride * op.step), *rest])
        axes = (*self.axes[: op.axis], parts, *self.axes[op.axis + 1 :])
        return StridedView(axes, self.offset + _place(axis, op.start))

    def _reshaped(self, sizes: Shape) -> StridedView | None:
        left = [part for axis in self.axes for part in axis]
        axes = []
        for wanted in reversed(sizes):
            parts: list[Part] = []
            while wanted > 1:
                size, stride = left.pop()
                if wanted % size == 0:
                    wanted //= size
                elif size % wanted == 0:
                    left.append((size // wanted, stride * wanted))
                    size, wanted = wanted, 1
                else:
                    return None
                parts.append((size, stride))
            axes.append(_joined(parts[::-1]))
        return StridedView(tuple(axes[::-1]), self.offset)

    def moves_from(self, sizes: Shape) -> list[Op] | None:
        """Return a slice, a reshape, a permutation and a reshape that give it, where needed.

        `sizes` are those of the tensor. None if these do not suffice.
        """
        moves: list[Op] = []
        count, row = prod(self.sizes), prod(sizes[1:])
        if not self.covers(sizes):
            if self.offset % row or count % row:
                return None
            start, kept = self.offset // row, count // row
            moves.append(Slice(start=start, stop=start + kept))
            sizes = (kept, *sizes[1:])
        parts = [part for axis in self.axes for part in axis]
        ways = [_permuted(found, sizes, self.sizes) for found in (parts, _joined(parts))]
        found = min((way for way in ways if way is not None), key=len, default=None)
        return None if found is None else moves + found


def _strides(sizes: Shape) -> list[int]:
    """Return the strides of a tensor whose last axis varies fastest."""
    return [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]


def _joined(parts: Iterable[Part]) -> Parts:
    """Return parts with those joined whose places are at equal distances, without sizes of 1."""
    joined: list[Part] = []
    for size, stride in parts:
        if size == 1:
            continue
        if joined and joined[-1][1] == size * stride:
            joined[-1] = (joined[-1][0] * size, stride)
        else:
            joined.append((size, stride))
    return tuple(joined)


def _place(axis: Parts, index: int) -> int:
    """Return where an element of an axis is, relative to its first."""
    place = 0
    for size, stride in reversed(axis):
        index, digit = divmod(index, size)
        place += digit * stride
    return place


def _permuted(parts: Sequence[Part], sizes: Shape, wanted: Shape) -> list[Op] | None:
    """Return the moves from a tensor to its parts in another order, None if they are not whole."""
    inside = sorted(parts, key=lambda part: -part[1])
    split = tuple(size for size, _ in inside)
    if _strides(split) != [stride for _, stride in inside] or len(split) > RANK:
        return None
    order = tuple(map(inside.index, parts))
    if order == tuple(sorted(order)):
        return _reshaped(sizes, wanted)
    turned = tuple(size for size, _ in parts)
    return [*_reshaped(sizes, split), Permute(order=order), *_reshaped(turned, wanted)]


def _reshaped(sizes: Shape, wanted: Shape) -> list[Op]:
    if sizes == wanted:
        return []
    return [Flatten() if len(wanted) == 1 else Reshape(size=wanted)]
