"""Views select the numbers that torch selects."""

from __future__ import annotations

from math import prod

import torch
from hypothesis import given
from hypothesis import strategies as st

from archscope.ir import Op, Shape
from archscope.ops.layout import Permute, Select
from archscope.ops.reshape import Flatten, Reshape, Slice
from archscope.transforms.strided_view import StridedView


def divided(data: st.DataObject, count: int) -> Shape:
    """Draw a shape of this many numbers."""
    sizes = []
    while count > 1 and len(sizes) < 4:
        size = data.draw(st.sampled_from([n for n in range(1, count + 1) if count % n == 0]))
        sizes.append(size)
        count //= size
    return (*sizes, count)


def drawn_move(data: st.DataObject, sizes: Shape) -> Op:
    """Draw a move of a tensor."""
    axis = data.draw(st.integers(0, len(sizes) - 1))
    kind = data.draw(st.sampled_from(["permute", "reshape", "flatten", "slice", "select"]))
    if kind == "permute":
        return Permute(order=tuple(data.draw(st.permutations(range(len(sizes))))))
    if kind == "reshape":
        return Reshape(size=divided(data, prod(sizes)))
    if kind == "select" and len(sizes) > 1:
        return Select(axis=axis, index=data.draw(st.integers(0, sizes[axis] - 1)))
    if kind == "slice":
        start = data.draw(st.integers(0, sizes[axis] - 1))
        stop = data.draw(st.integers(start + 1, sizes[axis]))
        return Slice(start=start, stop=stop, axis=axis, step=data.draw(st.integers(1, 3)))
    return Flatten()


def moved(x: torch.Tensor, op: Op) -> torch.Tensor:
    """Apply a move to the numbers of one image."""
    match op:
        case Permute():
            return x.permute(op.order)
        case Select():
            return x.select(op.axis, op.index)
        case Slice():
            return x.index_select(op.axis, torch.arange(op.start, op.stop, op.step))
    return x.reshape(op.shape(tuple(x.shape)))


def numbered(sizes: Shape) -> torch.Tensor:
    """Return a tensor in which each number is its place."""
    return torch.arange(prod(sizes)).reshape(sizes)


def places(view: StridedView) -> torch.Tensor:
    """Return where each number of a view is."""
    found = torch.tensor(view.offset)
    for axis in view.axes:
        along = torch.tensor([0])
        for size, stride in axis:
            along = (along[:, None] + stride * torch.arange(size)).flatten()
        found = found[..., None] + along
    return found


@given(st.data(), st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple))
def test_chains_of_moves(data: st.DataObject, sizes: Shape) -> None:
    x = numbered(sizes)
    view = StridedView.whole(sizes)
    for _ in range(data.draw(st.integers(0, 5))):
        op = drawn_move(data, view.sizes)
        after = view.moved(op)
        if after is None:
            break
        view, x = after, moved(x, op)
        assert view.sizes == tuple(x.shape)
        assert torch.equal(places(view), x)
    assert (view == StridedView.whole(sizes)) == torch.equal(x, numbered(sizes))
    ops = view.moves_from(sizes)
    if ops is not None:
        y = numbered(sizes)
        for op in ops:
            y = moved(y, op)
        assert torch.equal(x, y)
        assert len(ops) <= 4


def test_parts_of_an_axis_are_not_cut() -> None:
    turned = StridedView.whole((2, 3)).moved(Permute(order=(1, 0)))
    assert turned is not None
    flat = turned.moved(Flatten())
    assert flat == StridedView((((3, 1), (2, 3)),))
    assert flat.moved(Slice(start=1, stop=4)) is None
    assert flat.moved(Slice(start=2, stop=4)) == StridedView((((2, 3),),), 1)
    assert turned.moved(Reshape(size=(2, 3))) is None
