"""Networks pruned to budgets: met, exact, in widths that hardware likes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archscope import analyze, load
from archscope.build import build
from archscope.compress import Pruned, prune
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.latency.predict import predict
from archscope.latency.profile import load as load_profile
from archscope.space.costs import costs_of
from tests.compress.exactness import difference, lively
from tests.nets import Net, chain

LANES = 8


def small() -> Graph:
    """A network of plain layers, with a batch norm each."""
    return chain(
        ("conv", {"out": 32, "kernel": 3, "padding": 1, "bias": False}),
        ("batchnorm", {}),
        ("relu", {}),
        ("conv", {"out": 64, "kernel": 3, "padding": 1, "bias": False}),
        ("batchnorm", {}),
        ("relu", {}),
        ("global_avgpool", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(3, 16, 16),
    )


def all_widths(pruned: Pruned) -> set[int]:
    """Return the widths of all convolutions."""
    return {node.out[0] for node in pruned.graph.nodes if node.op.convolution}


def widths_off_lanes(pruned: Pruned) -> list[str]:
    """Return the layers of changed width that is no multiple of the lanes."""
    whole = pruned.groups.graph.by_name
    return [
        node.name
        for node in pruned.graph.nodes
        if node.facts.macs and node.out[0] != whole[node.name].out[0] and node.out[0] % LANES
    ]


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_half_of_the_macs(name: str, scope: str, tmp_path: Path) -> None:
    graph = load(name)
    pruned = prune(graph, budget="50%", importance="random", scope=scope, lanes=LANES)  # type: ignore[arg-type]
    assert 0.98 * 0.5 <= pruned.after["macs"] / pruned.before["macs"] <= 0.5
    assert widths_off_lanes(pruned) == []
    text, weights = pruned.spec()
    assert weights is None
    path = tmp_path / "pruned.yaml"
    path.write_text(text, encoding="utf-8")
    assert costs_of(load(path)) == pruned.after == costs_of(pruned.graph)
    assert analyze(load(path)).totals.macs == pruned.after["macs"]


def test_a_cluster_behind_splits_and_shuffles_is_narrowed_together() -> None:
    """ShuffleNetV2 becomes a narrower ShuffleNetV2, though half of 116 is no multiple of 8."""
    graph = load("shufflenet_v2_x1_0")
    pruned = prune(graph, budget="30%", importance="random", scope="layer")
    # The last units of the second stage mix all of its channels, which then stay.
    assert {width for width in all_widths(pruned) if width % LANES} == {116}
    assert pruned.after["macs"] <= 0.3 * pruned.before["macs"]


def test_several_budgets_hold_together() -> None:
    graph = load("mobilenet_v2_035", input=(3, 96, 96))
    pruned = prune(graph, budget=["70%", "50% params", "peak 250KiB"], importance="random")
    assert pruned.after["macs"] <= 0.7 * pruned.before["macs"]
    assert 0.97 * 0.5 <= pruned.after["params"] / pruned.before["params"] <= 0.5
    assert pruned.after["peak"] <= 250 * 1024


@pytest.mark.parametrize("budget", ["60%", "peak 120KiB"])
def test_a_spec_has_the_stated_peak_in_its_own_order(budget: str, tmp_path: Path) -> None:
    """A shortcut that is computed first is written first, since another order has another peak."""
    net = Net(x=(3, 16, 16))
    net("conv", "x", name="stem", out=48, kernel=3, padding=1)
    net("conv", "stem", name="shortcut", out=64)
    net("conv", "stem", name="wide", out=8, kernel=3, padding=1)
    net("conv", "wide", name="branch", out=64, kernel=3, padding=1)
    net("add", "branch", "shortcut", name="sum")
    net("conv", "sum", name="last", out=4)
    pruned = prune(net.graph(), budget=budget, importance="random")
    path = tmp_path / "pruned.yaml"
    path.write_text(pruned.spec()[0], encoding="utf-8")
    assert costs_of(load(path)) == costs_of(pruned.graph) == pruned.after
    assert "from: [" not in pruned.spec()[0]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_transformer_loses_heads_and_their_width(scope: str, tmp_path: Path) -> None:
    graph = load("deit_tiny", input=(3, 32, 32))
    weights = lively(graph).float().state_dict()
    for layer in range(12):  # the first head of three, which has the first third of each part
        weights[f"encoder_layer{layer}.self_attention.conv0.weight"].unflatten(0, (3, 3, 64))[
            :, 0
        ] *= 0.01
    pruned = prune(graph, weights, budget="40%", scope=scope, lanes=LANES)  # type: ignore[arg-type]
    assert 0.98 * 0.4 <= pruned.after["macs"] / pruned.before["macs"] <= 0.4
    assert widths_off_lanes(pruned) == []
    gone = {
        (layer, place)
        for group in pruned.groups.groups
        for unit in group.units
        if unit.root in pruned.removed
        for layer, place in unit.channels
    }
    text, sliced = pruned.spec()
    (tmp_path / "pruned.yaml").write_text(text, encoding="utf-8")
    written = load(tmp_path / "pruned.yaml")
    assert costs_of(written) == pruned.after == costs_of(pruned.graph)
    assert sliced is not None
    build(written).load_state_dict(sliced, strict=True)
    for layer in range(12):
        op = pruned.graph.by_name[f"encoder_layer{layer}.self_attention.dot_product_attention"].op
        name = f"encoder_layer{layer}.self_attention.conv0"
        width = pruned.graph.by_name[name].out[0] // (3 * op.heads)  # type: ignore[attr-defined]
        assert width % LANES == 0
        assert op.scale == (None if width == 64 else 0.125)  # type: ignore[attr-defined]
        if op.heads < 3:  # type: ignore[attr-defined]
            assert {(name, place) for place in range(64)} <= gone


def test_hidden_units_of_little_weight_go_first() -> None:
    graph = chain(("gru", {"hidden": 32}), ("conv", {"out": 4}), x=(3, 5))
    weights = build(graph).state_dict()
    for word in ("ih", "hh"):
        weights[f"gru1.weight_{word}_l0"].unflatten(0, (3, 32))[:, 8:] *= 0.1
    pruned = prune(graph, weights, budget="50% params", lanes=4)
    assert pruned.weights is not None
    left = pruned.weights["gru1.weight_ih_l0"]
    hidden = len(left) // 3
    assert hidden % 4 == 0 and hidden < 32
    whole = weights["gru1.weight_ih_l0"].unflatten(0, (3, 32))
    assert torch.equal(left.unflatten(0, (3, hidden))[:, :8], whole[:, :8])


def test_longer_filters_of_weight_norm_stay() -> None:
    net = Net(x=(3, 8, 8))
    net("weight_norm_conv", "x", name="first", out=16)
    net("weight_norm_conv", "first", name="last", out=4)
    graph = net.graph()
    weights = build(graph).state_dict()
    weights["first.weight_g"][8:] = 9.0
    pruned = prune(graph, weights, budget="60%")
    assert pruned.weights is not None
    assert (pruned.weights["first.weight_g"] == 9).all()


def test_a_predicted_latency_is_kept() -> None:
    """Latency need not fall with every channel, but the result keeps the budget."""
    graph = load("resnet18", input=(3, 64, 64))
    profile = load_profile("i7-12700h")
    whole = predict(profile, graph).milliseconds
    text = f"{whole / 2:.4f}ms@i7-12700h"
    pruned = prune(graph, budget=[text, "9M params"], importance="random")
    assert pruned.before["latency@i7-12700h"] == whole
    left = predict(profile, pruned.graph).milliseconds
    assert pruned.after["latency@i7-12700h"] == left
    assert 0.95 * whole / 2 < left <= whole / 2
    assert pruned.after["params"] <= 9e6


def test_a_peak_alone_prunes_only_what_makes_it() -> None:
    graph = load("mobilenet_v2_035", input=(3, 96, 96))
    pruned = prune(graph, budget="90% peak", importance="random")
    assert pruned.after["peak"] <= 0.9 * pruned.before["peak"]
    assert pruned.after["params"] > 0.95 * pruned.before["params"]


def test_weights_are_sliced_for_the_spec(tmp_path: Path) -> None:
    graph = load("mobilenet_v2_035", input=(3, 64, 64))
    network = lively(graph).float()
    pruned = prune(graph, network.state_dict(), budget="50%")
    text, weights = pruned.spec()
    assert weights is not None and pruned.weights is not None
    path = tmp_path / "pruned.yaml"
    path.write_text(text, encoding="utf-8")
    written = build(load(path)).eval()
    written.load_state_dict(weights, strict=True)
    named = build(pruned.graph).eval()
    named.load_state_dict(pruned.weights, strict=True)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(written(x), named(x))
    assert difference(pruned.groups, pruned.removed, lively(graph)) < 1e-9


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_smallest_filters_go(norm: str) -> None:
    graph = small()
    weights = build(graph).state_dict()
    weights["conv1.weight"][[13, 17, 19]] *= 0.01
    weights["conv1.weight"][[2, 3, 5, 7, 11]] *= 0.0001
    pruned = prune(graph, weights, budget="80%", norm=norm, lanes=1)  # type: ignore[arg-type]
    gone = {
        place
        for group in pruned.groups.groups
        for unit in group.units
        if unit.root in pruned.removed
        for layer, place in unit.channels
        if layer == "conv1"
    }
    assert {2, 3, 5, 7, 11} <= gone


def test_the_smallest_scales_go() -> None:
    graph = small()
    weights = build(graph).state_dict()
    weights["batchnorm5.weight"][:24] = 0.01
    pruned = prune(graph, weights, budget="70%", importance="bn-scale")
    assert pruned.weights is not None
    assert pruned.weights["batchnorm5.weight"].min() == 1


def test_layer_scope_takes_equal_shares() -> None:
    pruned = prune(small(), budget="40% params", importance="random", scope="layer", lanes=1)
    one, other = (pruned.graph.by_name[name].out[0] for name in ("conv1", "conv4"))
    assert abs(one / 32 - other / 64) < 0.1


def test_chance_is_repeatable() -> None:
    graph = small()
    first, second, other = (
        prune(graph, budget="50%", importance="random", lanes=1, seed=seed).removed
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_min_width() -> None:
    pruned = prune(small(), budget="60%", importance="random", min_width=24, lanes=4)
    widths = [pruned.graph.by_name[name].out[0] for name in ("conv1", "conv4")]
    assert min(widths) >= 24 and all(width % 4 == 0 for width in widths)


@pytest.mark.parametrize(
    ("budget", "words", "message"),
    [
        (
            "1%",
            {},
            r"the budget '1%' cannot be kept: with every channel removed that may be, 'net'",
        ),
        ("0%", {}, "cannot take the budget '0%': the share is 0"),
        (
            "macs 2.48M..2.49M",
            {"lanes": 16},
            "leaves too little room: with widths that are multiples of 16",
        ),
        ("100%", {}, "nothing to prune: the network is already within its budget with"),
        ("5ms@cpu", {}, "the budget '5ms@cpu' is measured, and pruning counts"),
        ("macs>=1", {}, "the budget 'macs>=1' has no upper end to prune to"),
        ("50%", {"lanes": 128}, "'net' has nothing to prune to widths that are multiples of 128"),
        ("50%", {"lanes": 0}, "'lanes' must be at least 1, got 0"),
        ("50%", {"norm": "L1"}, "unknown norm 'L1', did you mean 'l1'?"),
        ("50%", {"scope": "block"}, "unknown scope 'block'; there are global, layer"),
        ("50%", {"dtype": "int3"}, "unknown dtype 'int3', did you mean 'int8'"),
        ("50% of vgg16", {}, "no network can be looked up here: 'vgg16'"),
        ("fifty", {}, "cannot take the budget 'fifty'.* write for example 50%, '60% params'"),
        ("5ms", {}, "cannot take the budget '5ms': latency needs a device: 8ms@PROFILE;"),
        ((), {}, "pruning needs a target"),
    ],
)
def test_refusals(budget: str, words: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        prune(small(), budget=budget, importance="random", **words)  # type: ignore[arg-type]


def test_networks_and_weights_that_cannot_be_pruned() -> None:
    flat = chain(("linear", {"out": 10}), x=(8,))
    with pytest.raises(OptionError, match="'net' has nothing to prune: all its channels reach"):
        prune(flat, budget="50%")
    nothing = chain(("relu", {}), x=(8,))
    with pytest.raises(OptionError, match="nothing to prune: the network has no params"):
        prune(nothing, budget="50%")
    plain = chain(("linear", {"out": 64}), ("linear", {"out": 10}), x=(8,))
    with pytest.raises(OptionError, match="no batch norm with a scale"):
        prune(plain, budget="50%", importance="bn-scale")
    with pytest.raises(OptionError, match=r"must be a text such as '50%', or several, got 0.5"):
        prune(small(), budget=0.5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="bn-scale needs trained weights"):
        prune(small(), budget="50%", importance="bn-scale")
    broken = {name: w * float("nan") for name, w in build(plain).state_dict().items()}
    with pytest.raises(
        OptionError, match=r"the weight 'linear1\.weight' holds values that are not"
    ):
        prune(plain, broken, budget="50%")
    weights = build(plain).state_dict()
    weights["linear1.weight"] = torch.zeros(32, 8)
    with pytest.raises(
        OptionError, match=r"w: 'linear1\.weight' has shape 32x8, the network expects"
    ):
        prune(plain, weights, budget="50%", source="w")
