"""The built module: names, shared weights, outputs, and that it behaves as modules do."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from msgspec import structs
from torch import Tensor, nn
from torch.nn import functional

from archscope import load
from archscope.build import Network, build
from archscope.ir import Graph, Output
from archscope.module_names import TAKEN, attribute_name, module_path
from archscope.verify import verify
from tests.nets import Net, chain


def small() -> Graph:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name="stem.conv", out=4, kernel=3, padding=1)
    two = net("relu", net("batchnorm", one, name="stem.batchnorm"), name="stem.relu")
    flat = net("flatten", net("global_avgpool", two, name="pool"), name="flatten")
    return net.graph(net("linear", flat, name="classifier", out=2))


def image(batch: int = 2) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(batch, 3, 8, 8)


def test_state_dict_follows_the_nodes() -> None:
    assert list(build(small()).state_dict()) == [
        "stem.conv.weight",
        "stem.conv.bias",
        "stem.batchnorm.weight",
        "stem.batchnorm.bias",
        "stem.batchnorm.running_mean",
        "stem.batchnorm.running_var",
        "stem.batchnorm.num_batches_tracked",
        "classifier.weight",
        "classifier.bias",
    ]


def test_every_node_hangs_at_its_path() -> None:
    graph = load("googlenet_bn")
    network = build(graph, device="meta")
    for node in graph.nodes:
        if node.inputs:
            assert network.get_submodule(module_path(node.name)) is network.part(node.name)


@pytest.mark.parametrize(
    "name",
    ["half", "type", "training", "forward", "to", "graph", "plans", "paths", "run", "part"],
)
def test_taken_names_get_an_underscore(name: str) -> None:
    net = Net(x=(3, 8, 8))
    inner = net("conv", "x", name=f"{name}.conv", out=3)
    graph = net.graph(net("conv", inner, name=f"block.{name}", out=3))
    network = build(graph)
    holders = {key.rpartition(".")[0] for key in network.state_dict()}
    assert holders == {f"{name}_.conv", f"block.{name}_"}
    assert network.eval()(image()).shape == (2, 3, 8, 8)
    assert network.half().part(f"block.{name}").weight.dtype == torch.float16


def test_names_never_meet() -> None:
    net = Net(x=(3, 8, 8))
    last = "x"
    names = ["half", "half_", "half__", "conv", "conv_"]
    for name in names:
        last = net("conv", last, name=name, out=3)
    network = build(net.graph())
    assert sum(p.numel() for p in network.parameters()) == len(names) * 12
    assert len({attribute_name(name) for name in names}) == len(names)


def test_every_attribute_of_a_network_is_taken() -> None:
    network = build(small())
    assert set(dir(network)) - set(network._modules) <= TAKEN


def test_shared_modules_are_one() -> None:
    network = build(load("siamese"))
    assert network.part("a.conv0") is network.part("b.conv0")
    assert not [name for name in network.state_dict() if name.startswith("b.")]
    left, right = torch.rand(2, 2, 1, 28, 28)
    assert torch.allclose(network(left, right), network(right, left))
    assert network(left, left).abs().max() == 0
    network(left, right).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def two_heads(train_only: bool) -> Graph:
    net = Net(x=(3, 8, 8))
    trunk = net("conv", "x", name="trunk", out=4)
    side = net("conv", trunk, name="side", out=1)
    last = net("conv", trunk, name="last", out=2)
    return net.graph(Output("aux", side, 0.5, train_only), Output("main", last))


def test_one_output_is_a_tensor_several_are_a_dict() -> None:
    network = build(two_heads(train_only=False))
    for mode in (True, False):
        out = network.train(mode)(image())
        assert isinstance(out, dict)
        assert {name: value.shape[1] for name, value in out.items()} == {"aux": 1, "main": 2}
    assert isinstance(build(small()).eval()(image()), Tensor)


def test_heads_for_training_run_only_while_training() -> None:
    network = build(two_heads(train_only=True))
    ran: list[str] = []
    network.part("side").register_forward_hook(lambda *_: ran.append("side"))
    out = network.eval()(image())
    assert isinstance(out, Tensor) and out.shape[1] == 2
    assert not ran
    assert set(network.train()(image())) == {"aux", "main"}
    assert ran == ["side"]


def test_an_output_may_stand_in_the_middle_or_be_the_input() -> None:
    net = Net(x=(3, 8, 8))
    middle = net("conv", "x", name="middle", out=3)
    net("relu", middle, name="last")
    graph = net.graph("x", "middle", "last", Output("again", "middle"))
    x = image()
    out = build(graph).eval()(x)
    assert isinstance(out, dict) and out["x"] is x and out["middle"] is out["again"]
    assert out["middle"].min() < 0, "relu did not work over it"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_wrong_number_of_inputs_is_told(count: int) -> None:
    with pytest.raises(TypeError, match=f"takes 2 inputs, got {count}"):
        build(load("siamese"))(*[torch.rand(1, 1, 28, 28)] * count)


def test_a_part_that_is_replaced_is_used() -> None:
    """Fine-tuning swaps the classifier; the swap must not go unnoticed."""
    network = build(small()).eval()
    network.classifier = nn.Linear(4, 7)
    assert network(image()).shape == (2, 7)
    assert network.part("classifier") is network.classifier


def same(one: nn.Module, other: nn.Module) -> bool:
    return torch.equal(one.eval()(image()), other.eval()(image()))


def test_state_dict_round_trip() -> None:
    one, other = build(small()), build(small())
    one(image())  # in training, so that statistics move
    assert not same(one, other)
    other.load_state_dict(one.state_dict())
    assert same(one, other)


def test_copies_are_whole_and_independent() -> None:
    one = build(small())
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert isinstance(other, Network)
        assert same(one, other)
        with torch.no_grad():
            other.part("classifier").bias += 1
        assert not same(one, other)
        assert other.graph == one.graph


def test_weights_survive_a_safe_file() -> None:
    one, other = build(small()), build(small())
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same(one, other)


def test_meta_module_becomes_real() -> None:
    network = build(small(), device="meta")
    assert all(p.is_meta for p in network.parameters())
    network = network.to_empty(device="cpu")
    network.load_state_dict(build(small()).state_dict())
    assert network.eval()(image()).isfinite().all()


def test_it_can_be_exported() -> None:
    graph = load("shufflenet_v2_x1_0", input=(3, 32, 32), set={"depths": [1, 2, 1]})
    network = build(graph).eval()
    x = torch.rand(1, 3, 32, 32)
    program = torch.export.export(network, (x,))
    assert torch.allclose(program.module()(x), network(x), atol=1e-5)
    weights = {name for name in program.state_dict if not name.endswith("batches_tracked")}
    assert weights == {n for n in network.state_dict() if not n.endswith("batches_tracked")}


def test_every_weight_learns() -> None:
    network = build(load("mobilenet_v2", input=(3, 32, 32)))
    network(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_gradient_steps_lower_the_loss() -> None:
    torch.manual_seed(0)
    network = build(chain(("conv", {"out": 4, "kernel": 3}), ("relu", {}), ("flatten", {}),
                          ("linear", {"out": 1}), x=(3, 8, 8)))  # fmt: skip
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    x, wanted = image(16), image(16).mean(dim=(1, 2, 3))[:, None]
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(network(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


def test_weights_shared_by_other_modules() -> None:
    """They are the owner's, in copies, in other types and while training, too."""
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", name="a", out=3, kernel=3, padding=1)
    net("batchnorm", net("conv", first, name="b", out=3, kernel=3, stride=2), name="norm")
    graph = net.graph("norm")
    nodes = [structs.replace(n, shares="a") if n.name == "b" else n for n in graph.nodes]
    graph = structs.replace(graph, nodes=tuple(nodes))
    network = build(graph)
    assert set(network.state_dict()) == {
        "a.weight", "a.bias", "norm.weight", "norm.bias", "norm.running_mean",
        "norm.running_var", "norm.num_batches_tracked",
    }  # fmt: skip
    for made in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        made.double().train()
        made(image().double()).sum().backward()
        assert made.get_submodule("b").weight is made.get_submodule("a").weight
        wanted = functional.conv2d(image().double(), made.get_submodule("a").weight, stride=2)
        torch.testing.assert_close(
            made.get_submodule("b")(image().double()),
            wanted + made.get_submodule("a").bias.view(-1, 1, 1),
        )
    assert verify(graph).agrees
