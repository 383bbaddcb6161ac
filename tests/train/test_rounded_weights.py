"""Training in few bits: what is rounded, how, and that the exact weights move behind it."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from archscope import analyze
from archscope.build import build
from archscope.datasets import load
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.nn import FakeQuantize, rounding
from archscope.nn.rounding import best_scales, level_range, rounded
from archscope.ops.fake_quantize import FakeQuantize as FakeQuantizeOp
from archscope.train import Recipe, train
from archscope.train.loop import Diverged, Loop
from archscope.train.quantization_aware import rounded_network
from archscope.train.rounded_weights import RoundedWeights
from archscope.train.state import TrainingState
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


@pytest.mark.parametrize(
    ("bits", "signed", "expected"),
    [
        (1, True, [-0.5, 0.5]),
        (2, True, [-1.5, -0.5, 0.5, 1.5]),
        (3, True, [-3, -2, -1, 0, 1, 2, 3]),
        (1, False, [0, 1]),
        (2, False, [0, 1, 2, 3]),
    ],
)
def test_levels(bits: int, signed: bool, expected: list[float]) -> None:
    zero, levels = level_range(bits, signed=signed)
    values = torch.linspace(-20, 20, 4001)
    values = values if signed else values.clamp(min=0)
    found = rounded(values, 0.25, zero, levels)
    assert (found / 0.25).unique().tolist() == expected
    # The nearest level, by brute force.
    distances = (values[:, None] - 0.25 * torch.tensor(expected)).abs()
    assert torch.allclose((values - found).abs(), distances.amin(1), atol=1e-5)


@pytest.mark.parametrize(("zero", "levels"), [(1, 3), (0, 4), (7, 15), (0, 2), (0.5, 2), (1.5, 4)])
def test_no_other_scale_of_the_grid_is_better(zero: float, levels: int) -> None:
    torch.manual_seed(0)
    rows = torch.randn(5, 200) if zero else torch.rand(5, 200)

    def error(scales: torch.Tensor) -> torch.Tensor:
        column = scales[:, None]
        places = torch.arange(levels) - zero
        found = column[:, :, None] * places
        return (rows[:, :, None] - found).square().amin(2).sum(1)

    best = error(best_scales(rows, zero, levels))
    top = rows.abs().amax(1) / (levels - 1 - zero)
    for share in (0.1, 0.3, 0.5, 0.8, 1.0):
        assert (best <= error(top * share) * (1 + 1e-5)).all()
    assert (best_scales(torch.zeros(2, 3), zero, levels) > 0).all()


@pytest.mark.parametrize(("zero", "levels"), [(1.5, 4), (7, 15), (0, 4)])
def test_gradients_of_learned_steps(zero: float, levels: int) -> None:
    """Torch's own learned steps are the oracle where zero is a level, differences elsewhere."""
    torch.manual_seed(0)
    x = torch.randn(4, 50, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn(4, 50, dtype=torch.float64)
    module = FakeQuantize(0.4, zero, levels, learned=True).double()
    with torch.no_grad():
        module.exponent.fill_(0.3)
    (module(x) * weigh).sum().backward()
    step, shift = 0.4 * math.exp(0.3), zero % 1
    places = x.detach() / step + shift
    inside = (places.round() >= shift - zero) & (places.round() <= shift - zero + levels - 1)
    assert x.grad is not None and torch.allclose(x.grad, weigh * inside)
    # Where a value keeps its place the slope of the step is that place; rounding stands for x.
    level = rounded(x.detach(), step, zero, levels) / step
    slope = (weigh * (level - inside * x.detach() / step)).sum() * step
    factor = (50 * max(zero, levels - 1 - zero)) ** -0.5
    assert module.exponent.grad is not None
    assert module.exponent.grad.item() == pytest.approx(slope.item() * factor)


@pytest.mark.parametrize("zero", [0.5, 0])
def test_the_step_between_two_levels_has_the_smallest_squared_error(zero: float) -> None:
    torch.manual_seed(0)
    values = torch.randn(4, 50, dtype=torch.float64)
    weigh = torch.randn(4, 50, dtype=torch.float64)
    module = FakeQuantize(0.4, zero, 2, learned=True).double()
    exponent = module.exponent
    assert exponent is not None
    for share in (torch.tensor(0.25), None):
        x = values.clone().requires_grad_()
        module.share, exponent.grad = share, None
        (module(x) * weigh).sum().backward()
        # A triangle about the threshold between the levels.
        slope = (1 - (values / 0.4 - (0.5 - zero)).abs() / 0.6).clamp(min=0)
        slope = slope if share is None else 1 + share * (slope - 1)
        assert x.grad is not None and torch.allclose(x.grad, weigh * slope)
        # The derivative of the squared error, relative to the size of the levels.
        length = torch.tensor(math.log(0.4), dtype=torch.float64, requires_grad=True)
        place = rounded(values, 0.4, zero, 2) / 0.4
        (length.exp() * place - values).square().sum().div(2).backward()
        assert exponent.grad is not None and length.grad is not None
        size = (0.4 * place).square().sum()
        assert exponent.grad.item() == pytest.approx((length.grad / size).item())
    for _ in range(500):
        exponent.grad = None
        module(values.clone().requires_grad_()).sum().backward()
        with torch.no_grad():
            exponent -= 0.1 * exponent.grad
    found = torch.tensor([0.4 * exponent.exp().item()], dtype=torch.float64)
    if zero:
        assert found.item() == pytest.approx(2 * values.abs().mean().item())
    rows = values.flatten()[None]
    for other in (0.9, 1.1):
        errors = [(rounded(rows, s, zero, 2) - rows).square().sum() for s in (found, found * other)]
        assert errors[0] <= errors[1]
    module(torch.full((4, 5), -1e-3, dtype=torch.float64, requires_grad=True)).sum().backward()
    assert exponent.grad is not None and exponent.grad.isfinite()


def test_the_step_between_two_levels_is_learned_from_many_halves() -> None:
    """Their sum of squares is beyond float16."""
    module = FakeQuantize(2.0, 0.5, 2, learned=True)
    assert module.exponent is not None
    many = torch.full((2, 100_000), 3.0, dtype=torch.float16, requires_grad=True)
    module(many).sum().backward()
    assert module.exponent.grad is not None
    assert module.exponent.grad.item() == pytest.approx(1 - 3, abs=0.01)


def test_values_may_move_part_of_the_way_to_their_levels() -> None:
    """Output and gradients are between those of exact and of rounded values."""
    torch.manual_seed(0)
    x, weigh = torch.randn(4, 20), torch.randn(4, 20)
    module = FakeQuantize(0.4, 0.5, 2, learned=True)
    outputs, slopes = [], []
    for share in (0.0, 1.0, 0.25):
        module.share = torch.tensor(share)
        values = x.clone().requires_grad_()
        outputs.append(module(values))
        (outputs[-1] * weigh).sum().backward()
        assert values.grad is not None
        slopes.append(values.grad)
    assert torch.equal(outputs[0], x) and outputs[1].abs().allclose(torch.tensor(0.2))
    assert torch.equal(slopes[0], weigh)
    for none, full, some in (outputs, slopes):
        assert torch.allclose(some, 0.75 * none + 0.25 * full, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(module(x), outputs[1]), "only training rounds in part"
    half = x.bfloat16().requires_grad_()  # as under autocast
    module(half).sum().backward()
    assert half.grad is not None and half.grad.dtype == torch.bfloat16


def test_new_roundings_replace_those_that_are_there() -> None:
    network = build(net())
    batch = torch.randn(4, 1, 8, 8)
    once = rounded_network(network, [batch], 4).graph
    again = rounded_network(build(once), [batch], 3).graph
    assert [node.name for node in again.nodes] == [node.name for node in once.nodes]
    levels = [node.op.levels for node in again.nodes if isinstance(node.op, FakeQuantizeOp)]
    assert levels == [8, 256]  # the last layer's input has 8 bits


def test_with_few_bits_layers_get_norms_that_change_nothing_at_first() -> None:
    made = Net(x=(3, 8, 8))
    plain = made("conv", "x", out=4, kernel=3, name="plain")
    normed = made("batchnorm", made("conv", plain, out=4, kernel=1, name="normed"))
    made("linear", made("flatten", normed), out=10, name="last")
    torch.manual_seed(0)
    network, batch = build(made.graph()).eval(), torch.randn(64, 3, 8, 8)
    with torch.no_grad():
        before = network(batch)
    assert not rounded_network(network, [batch], 3).norms
    found = rounded_network(network, [batch], 1)
    assert found.norms == ("plain_norm",)
    after = build(found.graph)
    after.load_state_dict(network.state_dict() | found.weights, strict=False)
    for module in after.modules():
        if isinstance(module, FakeQuantize):
            module.forward = lambda x: x  # type: ignore[method-assign]
    norm = after.get_submodule("plain_norm")
    for training in (False, True):  # with its own statistics, and with those of the batch
        after.eval()
        norm.train(training)
        with torch.no_grad():
            assert torch.allclose(after(batch), before, atol=1e-4)


def test_roundings_that_others_read_stay() -> None:
    made = Net(x=(1, 8, 8))
    first = made("conv", "x", out=4, kernel=1)
    small = made("fake_quantize", first, scale=0.1, zero=8, levels=16)
    second = made("conv", small, out=4, kernel=1)
    made("conv", made("add", second, small), out=2, kernel=1)
    graph = made.graph()
    found = rounded_network(build(graph), [torch.randn(4, 1, 8, 8)], 2).graph
    reads = {node.name: node.inputs for node in found.nodes}
    assert small in reads and reads[second] == (f"{first}{SUFFIX}",)
    assert small in next(reads[name] for name in reads if name.startswith("add"))
    # An image that is rounded before the first layer stays as it is.
    image = chain(("fake_quantize", {"scale": 0.1}), ("conv", {"out": 4, "kernel": 1}), x=(1, 4, 4))
    same = rounded_network(build(image), [torch.randn(2, 1, 4, 4)], 1).graph
    assert [node.op for node in same.nodes] == [node.op for node in image.nodes]


def test_rounding_is_taken_back() -> None:
    network = build(net())
    before = {name: w.clone() for name, w in network.state_dict().items()}
    rounded = RoundedWeights(network, 2)
    with pytest.raises(ZeroDivisionError), rounded.applied():
        inside = network.state_dict()
        assert all(len(channel.unique()) <= 4 for channel in inside["conv3.weight"])
        assert len(inside["conv1.weight"].unique()) > 12
        assert torch.equal(inside["conv3.bias"], before["conv3.bias"])
        raise ZeroDivisionError
    assert all(torch.equal(w, before[name]) for name, w in network.state_dict().items())


def test_only_kernels_and_matrices_are_rounded() -> None:
    graph = chain(
        ("conv", {"out": 8, "kernel": 2, "stride": 2, "padding": 0}),
        ("reshape", {"size": (8, 16)}), ("class_token", {}), ("position_embedding", {}),
        ("flatten", {}), ("linear", {"out": 10}),
        x=(1, 8, 8),
    )  # fmt: skip
    network = build(graph)
    state = TrainingState(network, Recipe(weight_bits=1), torch.device("cpu"), "float32", 1)
    assert state.rounded is not None
    held = {id(weight) for weight, _ in state.rounded.held}
    names = {name for name, weight in network.named_parameters() if id(weight) in held}
    assert names == {"conv1.weight", "linear6.weight"}


def test_gradients_pass_to_exact_weights_and_to_steps() -> None:
    layer = nn.Linear(50, 3, bias=False)
    held = RoundedWeights(nn.Sequential(nn.Linear(2, 2), layer, nn.Linear(2, 2)), 2)
    exact, x = layer.weight.detach().clone(), torch.randn(7, 50)
    with held.applied():
        layer(x).square().sum().backward()
        assert layer.weight.grad is not None
        gradient = layer.weight.grad.clone()
    held.pass_gradients()
    steps = held.exponents[1].detach().exp()[:, None]
    inside = exact.abs() <= 2 * steps
    assert torch.equal(layer.weight.grad, gradient)
    moved = gradient * (rounded(exact, steps, 1.5, 4) - exact * inside)
    expected = moved.sum(1) / (50 * 1.5) ** 0.5
    assert torch.allclose(held.exponents[1].grad, expected, atol=1e-6)  # type: ignore[arg-type]
    assert held.exponents[0].grad is None, "of a layer that was not computed"
    assert not any(p is layer.weight for p in held.parameters())


def test_weights_of_one_bit_are_the_sign_times_the_mean_size() -> None:
    layer = nn.Linear(3, 3, bias=False)
    weights = torch.tensor([[1.0, -3.0, 0.5], [0.5, 0.5, -0.5], [0.0, 0.0, 0.0]])
    layer.weight.data = weights
    held = RoundedWeights(nn.Sequential(nn.Linear(2, 2), layer, nn.Linear(2, 2)), 1)
    with held.applied():
        expected = torch.tensor([[1.5, -1.5, 1.5], [0.5, 0.5, -0.5]])
        assert torch.allclose(layer.weight.data[:2], expected)
        assert layer.weight.data[2].abs().max() < 1e-30
        layer(torch.ones(1, 3)).sum().backward()
    held.pass_gradients()
    assert layer.weight.grad is not None and layer.weight.grad.eq(1).all()
    assert held.exponents[1].grad is None


def test_one_bit_is_rounded_gradually() -> None:
    network = build(rounded_network(build(net()), [torch.randn(4, 1, 8, 8)], 1).graph)
    exact = {name: w.clone() for name, w in network.state_dict().items()}
    held = RoundedWeights(network, 1)
    inputs = [module for module in network.modules() if isinstance(module, FakeQuantize)]

    def distances(progress: float) -> list[float]:
        with held.applied(progress):
            now = network.state_dict()["conv3.weight"]
            shares = [1.0 if m.share is None else float(m.share) for m in inputs]
            return [float((now - exact["conv3.weight"]).norm()), *shares]

    first, early, middle, late, last = (distances(p) for p in (0, 0.1, 0.3, 0.6, 1))
    assert first == [0, 0, 1], "inputs of the last layer have 8 bits"
    assert first[0] < early[0] < middle[0] < late[0]
    assert late == last and last[1:] == [1, 1]
    assert all(module.share is None for module in inputs)
    with held.applied(0):
        assert len(network.state_dict()["linear6.weight"][0].unique()) < 256
        assert torch.equal(network.state_dict()["conv3.bias"], exact["conv3.bias"])
    with RoundedWeights(network, 2).applied(0):
        assert len(network.state_dict()["conv3.weight"][0].unique()) <= 4


def test_a_loss_that_rises_with_the_rounding_is_no_divergence() -> None:
    state = SimpleNamespace(first_loss=None, rounded=object(), steps=0)
    loop = SimpleNamespace(state=state, progress=0.1)
    for loss in (0.001, 2.0, 1.0):
        Loop._check(loop, loss)  # type: ignore[arg-type]
    loop.progress = 0.7
    Loop._check(loop, 150.0)  # type: ignore[arg-type]
    with pytest.raises(Diverged, match=r"up from 2$"):
        Loop._check(loop, 201.0)  # type: ignore[arg-type]


def test_a_training_keeps_rounded_weights(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, weight_bits=2)
    result = train(net(), load("digits"), recipe, device="cpu", run_dir=tmp_path / "run")
    kept = result.network.state_dict()["conv3.weight"]
    assert all(len(channel.unique()) <= 4 for channel in kept)
    state = torch.load(tmp_path / "run" / "state.pt")
    exact = state["network"]["conv3.weight"]
    assert len(exact.unique()) == exact.numel()
    torch.manual_seed(0)
    first = best_scales(build(net()).state_dict()["conv3.weight"].flatten(1), 1.5, 4)
    assert not torch.allclose(state["rounded"]["exponents.1"].exp(), first, rtol=1e-3)
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
    graph = rounded_network(network, [torch.randn(8, 3, 8, 8)], 3).graph
    read = {node.name: node.inputs for node in graph.nodes}
    assert read["first"] == ("x",)
    assert read["second"] == (f"active{SUFFIX}",)
    assert read["total"] == ("active", "second")
    assert read["last"] == (f"flat{SUFFIX}",)
    ops = {node.name: node.op for node in graph.nodes if node.name.endswith(SUFFIX)}
    assert {name: (op.zero, op.levels) for name, op in ops.items()} == {  # type: ignore[attr-defined]
        f"active{SUFFIX}": (0, 8),  # never negative
        f"flat{SUFFIX}": (127, 255),  # of the last layer
    }
    fresh = build(graph)
    missing = fresh.load_state_dict(network.state_dict(), strict=False)
    assert missing.missing_keys == [f"{name}.exponent" for name in ops]
    assert not missing.unexpected_keys
    assert analyze(graph).totals.params == analyze(net.graph()).totals.params + len(ops)


def test_rounding_is_imported_where_tensors_have_no_numbers() -> None:
    with torch.device("meta"):  # where networks are built for their shapes
        runpy.run_path(rounding.__file__)


def test_refusals() -> None:
    for knob in ({"ema": 0.9}, {"keep": "zeros"}, {"interpolate": True}):
        with pytest.raises(OptionError, match="cannot be combined with ema, keep or interpolate"):
            Recipe(weight_bits=2, **knob)  # type: ignore[arg-type]
