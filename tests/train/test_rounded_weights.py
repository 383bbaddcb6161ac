"""Training in few bits: what is rounded, how, and that the exact weights move behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archscope.build import build
from archscope.datasets import load
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.nn import FakeQuantize
from archscope.nn.rounding import best_scales, rounded_weights
from archscope.train import Recipe, train
from archscope.train.quantization_aware import rounded_graph
from archscope.train.rounded_weights import RoundedWeights
from archscope.transforms.round_inputs import SUFFIX
from tests.nets import Net, chain


def net() -> Graph:
    return chain(
        ("conv", {"out": 4, "kernel": 3}),
        ("relu", {}),
        ("conv", {"out": 6, "kernel": 3}),
        ("relu", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(1, 8, 8),
    )


def test_one_bit_is_the_sign_times_the_mean_size() -> None:
    weights = torch.tensor([[1.0, -3.0, 0.0], [0.5, 0.5, -0.5]])
    expected = torch.tensor([[4 / 3, -4 / 3, 4 / 3], [0.5, 0.5, -0.5]])
    assert torch.allclose(rounded_weights(weights, 1), expected)


@pytest.mark.parametrize("levels", [(-1, 1), (0, 3), (-7, 7), (0, 1)])
def test_no_other_scale_of_the_grid_is_better(levels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    rows = torch.randn(5, 200) if levels[0] else torch.rand(5, 200)

    def error(scales: torch.Tensor) -> torch.Tensor:
        column = scales[:, None]
        return ((rows / column).round().clamp(*levels) * column - rows).square().sum(1)

    best = error(best_scales(rows, *levels))
    top = rows.abs().amax(1) / levels[1]
    for share in (0.1, 0.3, 0.5, 0.8, 1.0):
        assert (best <= error(top * share) * (1 + 1e-5)).all()
    assert (best_scales(torch.zeros(2, 3), *levels) > 0).all()


def test_rounding_is_taken_back() -> None:
    network = build(net())
    before = {name: w.clone() for name, w in network.state_dict().items()}
    rounded = RoundedWeights(network, 2)
    with pytest.raises(ZeroDivisionError), rounded.applied():
        inside = network.state_dict()
        assert all(len(channel.unique()) <= 3 for channel in inside["conv3.weight"])
        assert len(inside["conv1.weight"].unique()) > 12
        assert torch.equal(inside["conv3.bias"], before["conv3.bias"])
        raise ZeroDivisionError
    assert all(torch.equal(w, before[name]) for name, w in network.state_dict().items())


def test_a_training_keeps_rounded_weights(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, weight_bits=2)
    result = train(net(), load("digits"), recipe, device="cpu", run_dir=tmp_path / "run")
    kept = result.network.state_dict()["conv3.weight"]
    assert all(len(channel.unique()) <= 3 for channel in kept)
    state = torch.load(tmp_path / "run" / "state.pt")["network"]["conv3.weight"]
    assert len(state.unique()) == state.numel()
    assert result.summary.test is not None and result.summary.test["top1"] > 0.5


def test_gradients_pass_between_the_outermost_levels() -> None:
    x = torch.tensor([-2.0, -0.4, 0.2, 0.9, 5.0], requires_grad=True)
    out = FakeQuantize(0.5, 1, 4)(x)
    assert out.tolist() == [-0.5, -0.5, 0.0, 1.0, 1.0]
    out.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_what_layers_read_is_rounded_and_nothing_else() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=4, kernel=1, name="first")
    active = net("relu", first, name="active")
    second = net("conv", active, out=4, kernel=1, name="second")
    total = net("add", active, second, name="total")
    net("linear", net("flatten", total, name="flat"), out=10, name="last")
    torch.manual_seed(0)
    network = build(net.graph())
    graph = rounded_graph(network, [torch.randn(8, 3, 8, 8)], 2)
    read = {node.name: node.inputs for node in graph.nodes}
    assert read["first"] == ("x",)
    assert read["second"] == (f"active{SUFFIX}",)
    assert read["total"] == ("active", "second")
    assert read["last"] == (f"flat{SUFFIX}",)
    ops = {node.name: node.op for node in graph.nodes if node.name.endswith(SUFFIX)}
    assert {name: (op.zero, op.levels) for name, op in ops.items()} == {  # type: ignore[attr-defined]
        f"active{SUFFIX}": (0, 4),  # never negative
        f"flat{SUFFIX}": (127, 255),  # of the last layer
    }
    fresh = build(graph)
    fresh.load_state_dict(network.state_dict(), strict=True)


def test_refusals() -> None:
    with pytest.raises(OptionError, match="goes with neither ema nor keep"):
        Recipe(weight_bits=2, ema=0.9)
    with pytest.raises(OptionError, match="goes with neither ema nor keep"):
        Recipe(weight_bits=2, keep="zeros")
