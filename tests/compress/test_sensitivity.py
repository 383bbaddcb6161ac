"""Groups removed alone, and the first-order importance against derivatives of the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor

from archscope.build import build
from archscope.compress import channel_groups, prune
from archscope.compress.pruning import Choice
from archscope.compress.sensitivity import group_sensitivities
from archscope.compress.tensors import taylor
from archscope.errors import OptionError
from archscope.ir import Graph
from tests.nets import Net, chain


def net() -> Graph:
    return chain(
        ("conv", {"out": 8, "kernel": 3, "bias": False}),
        ("relu", {}),
        ("conv", {"out": 12, "kernel": 3}),
        ("global_avgpool", {}),
        ("flatten", {}),
        ("linear", {"out": 5}),
        x=(3, 8, 8),
    )


def residual() -> Graph:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=6, kernel=1, name="first", bias=False)
    second = net("conv", first, out=6, kernel=3, padding=1, name="second", bias=False)
    total = net("add", first, second)
    net("linear", net("flatten", total), out=4, name="last")
    return net.graph()


def heads() -> Graph:
    return chain(
        ("conv", {"out": 24, "bias": False}),
        ("dot_product_attention", {"heads": 2}),
        ("conv", {"out": 4}),
        ("flatten", {}),
        ("linear", {"out": 5}),
        x=(3, 8, 8),
    )


@pytest.mark.parametrize("graph", [net(), residual(), heads()], ids=["chain", "residual", "heads"])
def test_taylor_is_the_derivative_along_each_unit(graph: Graph) -> None:
    torch.manual_seed(0)
    network = build(graph).double().eval()
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)

    def loss() -> Tensor:
        return network(images).square().mean()

    loss().backward()
    weights = {name: w.clone() for name, w in network.state_dict().items()}
    gradient = {name: w.grad for name, w in network.named_parameters() if w.grad is not None}
    groups = channel_groups(graph)
    found = taylor(groups, weights, [gradient])
    step = 1e-6
    for group in groups.groups:
        if not group.removable:
            continue
        for unit in group.units:
            values = []
            for factor in (1 + step, 1 - step):
                network.load_state_dict(weights)
                with torch.no_grad():
                    for layer, place in unit.channels:
                        network.get_parameter(f"{layer}.weight")[place] *= factor
                    values.append(float(loss()))
            slope = (values[0] - values[1]) / (2 * step)
            assert found[unit.root] == pytest.approx(slope**2, rel=1e-4, abs=1e-12)


def test_taylor_of_a_hidden_unit_counts_all_its_gates() -> None:
    graph = chain(
        ("lstm", {"hidden": 4, "layers": 2, "bidirectional": True, "bias": False}),
        ("flatten", {}),
        ("linear", {"out": 3}),
        x=(3, 5),
    )
    torch.manual_seed(0)
    network = build(graph).double().eval()
    signal = torch.randn(4, 3, 5, dtype=torch.float64)
    network(signal).square().mean().backward()
    weights = {name: w.clone() for name, w in network.state_dict().items()}
    gradient = {name: w.grad for name, w in network.named_parameters() if w.grad is not None}
    groups = channel_groups(graph)
    found = taylor(groups, weights, [gradient])
    (group,) = [group for group in groups.groups if group.removable]
    for unit in group.units:
        ((_, place),) = unit.channels
        change = sum(
            float((weights[name] * gradient[name]).unflatten(0, (4, 4))[:, place].sum())
            for name in weights
            if name.startswith("lstm1.")
        )
        assert found[unit.root] == pytest.approx(change**2)


def test_units_that_do_not_matter_go_first() -> None:
    torch.manual_seed(0)
    weights = dict(build(net()).state_dict())
    dead = {1, 4, 6}
    for place in dead:
        weights["conv3.weight"][:, place] = 0.0  # nobody reads these channels

    def gradients(graph: Graph, state: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
        network = build(graph)
        network.load_state_dict(dict(state))
        for _ in range(2):
            network.zero_grad()
            network(torch.randn(4, 3, 8, 8)).square().mean().backward()
            yield {name: w.grad for name, w in network.named_parameters() if w.grad is not None}

    pruned = prune(net(), weights, budget="99%", importance="taylor", gradients=gradients, lanes=1)
    first = pruned.groups.groups[1]
    gone = {u.channels[0][1] for u in first.units if u.root in pruned.removed}
    assert gone and gone <= dead
    with pytest.raises(OptionError, match="taylor needs images"):
        prune(net(), weights, budget="50%", importance="taylor")


def test_groups_that_are_not_ranked_are_left_out() -> None:
    graph = chain(
        ("conv", {"out": 8}), ("conv", {"out": 6}), ("batchnorm", {}), ("flatten", {}),
        ("linear", {"out": 5}), x=(3, 4, 4),
    )  # fmt: skip
    found = group_sensitivities(
        graph, build(graph).state_dict(), lambda *_: 1.0, choice=Choice(importance="bn-scale")
    )
    assert [entry.group.layers[0] for entry in found.groups] == ["conv2"]


def test_shares_of_each_group_alone() -> None:
    torch.manual_seed(0)
    weights = build(net()).state_dict()
    seen: list[tuple[int, ...]] = []

    def accuracy(graph: Graph, state: Mapping[str, Tensor]) -> float:
        build(graph).load_state_dict(dict(state), strict=True)
        widths = tuple(graph.by_name[name].out[0] for name in ("conv1", "conv3"))
        seen.append(widths)
        return sum(widths) / 20

    found = group_sensitivities(net(), weights, accuracy, shares=(0.5, 1.0))
    assert found.accuracy == 1.0
    assert seen == [(8, 12), (4, 12), (1, 12), (8, 6), (8, 1)]
    assert [each.lost for each in found.groups] == [
        pytest.approx((0.2, 0.35)),
        pytest.approx((0.3, 0.55)),
    ]
    assert all(0 < saved < 1 for each in found.groups for saved in each.macs_saved)
    with pytest.raises(OptionError, match="has nothing to prune"):
        group_sensitivities(chain(("relu", {}), x=(3, 8, 8)), {}, accuracy)
