"""Modules that torch lacks, compared with equivalent torch operations."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from archscope.build import make
from archscope.ir import call
from archscope.nn import (
    Add,
    Concat,
    Distance,
    Mul,
    PaddedConv1d,
    PaddedConv2d,
    PaddedConv3d,
    PaddedMaxPool1d,
    PaddedMaxPool2d,
    PaddedMaxPool3d,
    Slice,
)


def test_merges() -> None:
    a, b, c = torch.rand(3, 2, 4, 5, 5)
    assert torch.equal(Add()(a, b, c), a + b + c)
    assert torch.equal(Mul()(a, b, c[..., :1, :1]), a * b * c[..., :1, :1])
    assert torch.equal(Concat()(a, b, c), torch.cat((a, b, c), 1))


def test_slice_is_a_view() -> None:
    x = torch.rand(2, 6, 3)
    part = Slice(2, 5)(x)
    assert torch.equal(part, x[:, 2:5])
    part.zero_()
    assert x[:, 2:5].abs().sum() == 0


@pytest.mark.parametrize(("metric", "p"), [("euclidean", 2.0), ("manhattan", 1.0)])
def test_distance(metric: str, p: float) -> None:
    a, b = torch.rand(2, 4, 7)
    wanted = functional.pairwise_distance(a, b, p=p, eps=0, keepdim=True)
    assert torch.allclose(Distance(metric)(a, b), wanted)
    assert Distance(metric)(a, b).shape == (4, 1)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_distance_of_equals_has_a_finite_gradient(metric: str) -> None:
    a = torch.rand(2, 3, requires_grad=True)
    Distance(metric)(a, a.detach().clone()).sum().backward()
    assert a.grad is not None and a.grad.isfinite().all()


@pytest.mark.parametrize(
    ("padded", "plain", "rank"),
    [(PaddedConv1d, nn.Conv1d, 1), (PaddedConv2d, nn.Conv2d, 2), (PaddedConv3d, nn.Conv3d, 3)],
)
def test_even_padding_is_torch_s_own(
    padded: type[nn.Module], plain: type[nn.Module], rank: int
) -> None:
    torch.manual_seed(0)
    uneven = padded(2, 3, 3, stride=2, pad=(1, 1) * rank)
    even = plain(2, 3, 3, stride=2, padding=1)
    even.load_state_dict(uneven.state_dict())
    x = torch.randn(2, 2, *(7, 8, 9)[:rank])
    assert torch.allclose(uneven(x), even(x), atol=1e-6)


@pytest.mark.parametrize(
    ("padded", "plain", "rank"),
    [
        (PaddedMaxPool1d, nn.MaxPool1d, 1),
        (PaddedMaxPool2d, nn.MaxPool2d, 2),
        (PaddedMaxPool3d, nn.MaxPool3d, 3),
    ],
)
def test_padding_never_wins(padded: type[nn.Module], plain: type[nn.Module], rank: int) -> None:
    x = -1 - torch.rand(1, 2, *(6, 7, 8)[:rank])  # zeros would win
    even = padded(3, stride=2, pad=(1, 1) * rank)
    assert torch.equal(even(x), plain(3, stride=2, padding=1)(x))
    behind = padded(2, stride=1, pad=(0, 1) * rank)(x)
    assert behind.shape == x.shape and behind.max() < 0


def test_uneven_padding_is_on_the_side_that_it_says() -> None:
    conv = PaddedConv2d(1, 1, 1, bias=False, pad=(1, 2, 3, 0))  # left, right, top, bottom
    nn.init.ones_(conv.weight)
    out = conv(torch.ones(1, 1, 2, 2))
    assert out.shape == (1, 1, 5, 5)
    assert out[0, 0].nonzero().tolist() == [[3, 1], [3, 2], [4, 1], [4, 2]]


def test_a_call_is_made_as_it_is_printed() -> None:
    described = call("nn.Conv2d", 3, 8, 5, stride=2, padding=(1, 2), groups=1, bias=False)
    assert str(described) == ("nn.Conv2d(3, 8, 5, stride=2, padding=(1, 2), groups=1, bias=False)")
    module = make(described)
    assert isinstance(module, nn.Conv2d) and module.bias is None
    assert (module.stride, module.padding) == ((2, 2), (1, 2))
    assert isinstance(make(call("archscope.nn.Slice", 0, 2)), Slice)


def test_printing_shows_what_a_module_does() -> None:
    assert "Slice(0, 2)" in repr(nn.Sequential(Slice(0, 2)))
    assert "Distance(euclidean)" in repr(Distance("euclidean"))
    assert "kernel_size=(3, 3)" in repr(PaddedConv2d(1, 1, 3, pad=(0, 1, 0, 1)))
    assert "pad=(0, 1, 0, 1)" in repr(PaddedConv2d(1, 1, 3, pad=(0, 1, 0, 1)))
