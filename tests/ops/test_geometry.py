"""Sizes for attributes at random: what we accept, torch makes, and of the size that we say."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from archscope.axes import Resample, Scatter, Window
from archscope.build import make
from archscope.errors import ShapeError
from archscope.ir import Op, Shape
from archscope.ops import OPS

small = st.integers(1, 5)
pads = st.integers(0, 3)


def per_axis(rank: int, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.tuples(*[values] * rank)


@st.composite
def sliding(draw: st.DrawFn) -> tuple[Op, Shape]:
    rank = draw(st.sampled_from((1, 2, 2, 3)))
    pad: Any = per_axis(rank, pads | st.tuples(pads, pads))
    name = draw(st.sampled_from(("conv", "maxpool", "avgpool", "conv_transpose")))
    fields: dict[str, Any] = {
        "kernel": draw(per_axis(rank, small)),
        "stride": draw(per_axis(rank, small)),
    }
    if name == "conv_transpose":
        fields["padding"] = draw(per_axis(rank, pads))
        fields["output_padding"] = draw(per_axis(rank, pads))
    else:
        fields["padding"] = draw(st.just("same") | pad)
    if name != "avgpool":
        fields["dilation"] = draw(per_axis(rank, st.integers(1, 3)))
    if name in ("maxpool", "avgpool"):
        fields["ceil"] = draw(st.booleans())
    else:
        fields["out"], fields["groups"] = draw(st.sampled_from(((4, 1), (4, 2), (6, 2))))
    return OPS[name](**fields), (4, *draw(st.tuples(*[st.integers(1, 12)] * rank)))


def accepted(op: Op, x: Shape) -> Shape:
    """Return the output shape; leave the example out if there is none."""
    try:
        out = op.shape(x)
    except ShapeError:
        assume(False)
    assume(min(out) >= 1)  # a graph refuses the others
    return out


@given(sliding())
def test_sizes_are_torch_s(case: tuple[Op, Shape]) -> None:
    op, x = case
    out = accepted(op, x)
    with torch.device("meta"):
        assert make(op.torch(x))(torch.empty(2, *x)).shape == (2, *out)


@given(sliding())
def test_taps_lie_within_the_reach_of_the_window(case: tuple[Op, Shape]) -> None:
    op, x = case
    out = accepted(op, x)
    windows = op.window(x)
    assert windows
    for axis, positions in zip(windows, out[1:], strict=True):
        for position in range(positions):
            near, far = axis.taps(position), axis.taps(position + axis.period)
            assert tuple(tap + axis.step for tap in near) == far
            if isinstance(axis, Window):
                assert len(near) == axis.kernel
                assert far[-1] - far[0] + 1 == axis.extent


@given(st.integers(1, 40), st.integers(1, 60), st.sampled_from(("adaptive", "nearest", "linear")))
def test_resampling_reads_from_one_end_to_the_other(size: int, out: int, how: str) -> None:
    op = (
        OPS["adaptive_avgpool"](size=(out, 2))
        if how == "adaptive"
        else OPS["upsample"](size=(out, 2), mode=how)
    )
    windows = op.window((1, size, 3))
    assert windows
    axis = windows[0]
    assert isinstance(axis, Resample)
    assert axis.step * out == axis.period * size
    reads = [axis.taps(position) for position in range(out)]
    assert all(one[0] <= next_[0] and one[-1] <= next_[-1] for one, next_ in pairwise(reads))
    if out >= size:  # nothing is left out
        assert reads[0][0] <= 0 and reads[-1][-1] >= size - 1
    if how == "adaptive":
        assert reads == [range(u * size // out, -(-(u + 1) * size // out)) for u in range(out)]


def test_windows_worked_out_by_hand() -> None:
    assert Window(3, 2, 1, 1).taps(4) == (7, 8, 9)
    assert Window(3, 1, 2, 2, dilation=2).taps(0) == (-2, 0, 2)
    assert Window(3, 2, ceil=True).slide(16) == 8  # 7 without, and one that hangs over
    assert Window(2, 2, 1, 1, ceil=True).slide(3) == 2  # a third would start behind the input
    assert Window(11, 4).slide(227) == 55
    # Kernel 4, stride 2: each output is painted by two inputs.
    assert [Scatter(4, 2, 1).taps(u) for u in range(4)] == [(-1, 0), (0, 1), (0, 1), (1, 2)]
    # Kernel 2, stride 3: every third output is painted by none.
    assert [Scatter(2, 3).taps(u) for u in range(4)] == [(0,), (0,), (), (1,)]


@pytest.mark.parametrize("size", range(1, 18))
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 1), (3, 2), (2, 3), (5, 3)])
def test_same_keeps_the_rounded_up_share_of_positions(size: int, kernel: int, stride: int) -> None:
    op = OPS["conv"](out=1, kernel=kernel, stride=stride, padding="same")
    (window,) = op.window((1, size)) or ()
    assert isinstance(window, Window)
    assert op.shape((1, size)) == (1, -(-size // stride))
    assert window.after - window.before in (0, 1)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(
    ("name", "cls"), [("maxpool", torch.nn.MaxPool2d), ("avgpool", torch.nn.AvgPool2d)]
)
def test_pools_take_the_maps_that_torch_takes(name: str, cls: Any, ceil: bool) -> None:
    """With `ceil`, a window may be wider than its map."""
    for kernel, stride, size in product(range(1, 6), range(1, 5), range(1, 6)):
        op = OPS[name](kernel=kernel, stride=stride, ceil=ceil)
        shape = (2, size, size)
        try:
            ours = op.shape(shape)
        except ShapeError:
            ours = ()
        try:
            theirs = tuple(cls(kernel, stride, ceil_mode=ceil)(torch.rand(1, *shape)).shape[1:])
        except RuntimeError:
            theirs = ()
        assert ours == theirs, (kernel, stride, size)
