"""Layers of classic networks compute the formulas of their papers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.build import make
from archscope.errors import ShapeError
from archscope.ir import Shape
from archscope.ops import OPS


def module_of(name: str, shape: Shape, **attributes: Any) -> nn.Module:
    return make(OPS[name](**attributes).torch(shape)).eval()


def blocks(x: Tensor) -> Tensor:
    """Return the 2x2 blocks of an image, the four values last."""
    return x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)


def test_lrn_divides_by_the_mean_square_of_neighbours() -> None:
    x = torch.randn(2, 7, 3, 3)
    mean = (
        sum(nn.functional.pad(x.square(), (0, 0, 0, 0, 2, 2))[:, i : i + 7] for i in range(5)) / 5
    )
    expected = x / (2 + 0.5 * mean) ** 0.75
    got = module_of("lrn", (7, 3, 3), size=5, alpha=0.5, k=2.0)(x)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("norm", [1, 2, 3, 4])
def test_lp_pool_is_the_norm_of_each_window(norm: int) -> None:
    x = torch.rand(2, 3, 6, 6)
    got = module_of("lp_pool", (3, 6, 6), kernel=2, norm=norm)(x)
    torch.testing.assert_close(got, torch.linalg.vector_norm(blocks(x), ord=norm, dim=-1))


def test_stochastic_pool_averages_by_size_at_inference() -> None:
    x = torch.rand(2, 3, 6, 6)
    window = blocks(x)
    expected = window.square().sum(dim=-1) / window.sum(dim=-1)
    torch.testing.assert_close(module_of("stochastic_pool", (3, 6, 6), kernel=2)(x), expected)


def test_stochastic_pool_draws_in_proportion_while_training() -> None:
    torch.manual_seed(0)
    pool = module_of("stochastic_pool", (1, 2, 2), kernel=2).train()
    window = torch.tensor([[[[1.0, 3.0], [-5.0, 0.0]]]])
    drawn = pool(window.expand(4000, 1, 2, 2)).flatten()
    assert set(drawn.tolist()) == {1.0, 3.0}
    assert (drawn == 3).float().mean().item() == pytest.approx(0.75, abs=0.03)


def test_stochastic_pool_hands_the_gradient_to_what_was_drawn() -> None:
    x = torch.rand(2, 3, 4, 4, requires_grad=True)
    out = module_of("stochastic_pool", (3, 4, 4), kernel=2).train()(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad.unique(), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(x.detach()[x.grad == 1].sum(), out.sum().detach())


def test_stochastic_pool_of_dead_units_is_their_mean() -> None:
    pool = module_of("stochastic_pool", (1, 4, 4), kernel=2)
    assert pool(torch.zeros(2, 1, 4, 4)).eq(0).all()
    assert pool.train()(torch.zeros(2, 1, 4, 4)).eq(0).all()


@pytest.mark.parametrize(
    ("name", "shape"), [("global_maxpool", (3, 4, 5)), ("global_maxpool", (3, 7))]
)
def test_global_maximum(name: str, shape: Shape) -> None:
    x = torch.randn(2, *shape)
    got = module_of(name, shape)(x)
    assert torch.equal(got.flatten(1), x.flatten(2).amax(dim=2))


def test_maxout_takes_neighbouring_channels() -> None:
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert module_of("maxout", (6, 1, 1), pieces=3)(x).flatten().tolist() == [2, 5]


@pytest.mark.parametrize(("shape", "padding"), [((3, 8, 9), 1), ((3, 8, 9), 0), ((4, 12), "same")])
def test_locally_connected_with_equal_weights_is_a_convolution(shape: Shape, padding: Any) -> None:
    words = {"out": 5, "kernel": 3, "padding": padding}
    conv: Any = module_of("conv", shape, **words)
    local: Any = module_of("locally_connected", shape, **words)
    x = torch.randn(2, *shape)
    with torch.no_grad():
        local.weight.copy_(conv.weight.flatten(1).T)
        local.bias.copy_(conv.bias.reshape(-1, *[1] * (len(shape) - 1)))
    torch.testing.assert_close(local(x), conv(x))


def test_locally_connected_weights_belong_to_their_position() -> None:
    local: Any = module_of("locally_connected", (1, 2, 3), out=1, bias=False)
    with torch.no_grad():
        local.weight.copy_(torch.arange(6.0).reshape(6, 1, 1))
    assert local(torch.ones(1, 1, 2, 3)).tolist() == [[[[0, 1, 2], [3, 4, 5]]]]


def test_space_to_depth_is_focus_and_pixel_shuffle_undoes_it() -> None:
    x = torch.randn(2, 3, 8, 6)
    deep = module_of("space_to_depth", (3, 8, 6))(x)
    assert deep.shape == (2, 12, 4, 3)
    for channel in range(3):
        for place in range(4):
            taken = x[:, channel, place // 2 :: 2, place % 2 :: 2]
            assert torch.equal(deep[:, 4 * channel + place], taken)
    assert torch.equal(module_of("pixel_shuffle", (12, 4, 3))(deep), x)


def test_reshape_keeps_the_order() -> None:
    x = torch.arange(24.0).reshape(2, 12)
    assert torch.equal(module_of("reshape", (12,), size=(3, 2, 2))(x).flatten(1), x)


@pytest.mark.parametrize(
    ("name", "attributes", "shape", "words"),
    [
        ("lrn", {}, (8,), "needs 1 to 3 spatial axes, got 8"),
        ("lp_pool", {"kernel": 7}, (8, 6, 6), "window of 7 but its input 8x6x6"),
        ("stochastic_pool", {"kernel": 2}, (8,), "1 to 3 spatial axes"),
        ("adaptive_maxpool", {"size": (2, 2)}, (8, 6), "has 2 values, the input has 1"),
        ("global_maxpool", {}, (8,), "1 to 3 spatial axes"),
        ("maxout", {"pieces": 3}, (8, 6, 6), "channels divisible by it, got 8"),
        ("locally_connected", {"out": 4, "kernel": 9}, (8, 6, 6), "window of 9"),
        ("space_to_depth", {}, (3, 7, 8), "divisible by its block 2, got 3x7x8"),
        ("space_to_depth", {}, (3, 8), "needs 2 spatial axes, got 3x8"),
        ("pixel_shuffle", {}, (6, 4, 4), "channels divisible by 4, got 6"),
        ("pixel_shuffle", {}, (8,), "needs 2 spatial axes, got 8"),
        ("reshape", {"size": (4, 4)}, (15,), "to 4x4 needs 16 numbers, got 15 of 15"),
    ],
)
def test_refusals_say_expected_and_got(
    name: str, attributes: dict[str, Any], shape: Shape, words: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        OPS[name](**attributes).shape(shape)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "attributes", "shape", "params", "macs", "elementwise"),
    [
        ("lrn", {}, (8, 4, 4), 0, 0, 10 * 128),
        ("lp_pool", {"kernel": 2}, (8, 4, 4), 0, 0, 128 + 32 * 4),
        ("stochastic_pool", {"kernel": 2}, (8, 4, 4), 0, 0, 32 * (3 + 4 + 4 + 3)),
        ("adaptive_maxpool", {"size": 3}, (8, 4), 0, 0, 8 * 3),
        ("global_maxpool", {}, (8, 4, 4), 0, 0, 8 * 15),
        ("maxout", {"pieces": 4}, (8, 4, 4), 0, 0, 32 * 3),
        ("softsign", {}, (8, 4, 4), 0, 0, 3 * 128),
        ("locally_connected", {"out": 5, "kernel": 3}, (2, 4, 4), 4 * 5 * 19, 4 * 5 * 18, 20),
        ("space_to_depth", {}, (3, 4, 4), 0, 0, 0),
        ("pixel_shuffle", {}, (8, 4, 4), 0, 0, 0),
        ("reshape", {"size": (2, 4)}, (8,), 0, 0, 0),
    ],
)
def test_counts_by_hand(
    name: str, attributes: dict[str, Any], shape: Shape, params: int, macs: int, elementwise: int
) -> None:
    op = OPS[name](**attributes)
    assert (op.params(shape), op.macs(shape), op.elementwise(shape)) == (params, macs, elementwise)
