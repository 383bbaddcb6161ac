"""Feature maps in memory: published sums, the rules of working in place, liveness."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from archscope import load
from archscope.analysis import analyze
from archscope.analysis.memory import OPTIMIZERS, in_place, memory, storages
from archscope.build import build
from archscope.ir import Graph, Output, Storage
from tests.nets import Net, chain
from tests.strategies import graphs

RELU: tuple[str, dict[str, Any]] = ("relu", {})
CONV = ("conv", {"out": 3, "kernel": 3, "padding": 1})


@pytest.mark.parametrize(
    ("name", "peak"),
    [("resnet50", 9_633_792), ("mobilenet_v2", 9_633_792), ("shufflenet_v2_x1_0", 2_408_448)],
)
def test_peak_of_published_networks(name: str, peak: int) -> None:
    totals = analyze(load(name)).totals
    assert totals.peak_activation_bytes == peak
    assert analyze(load(name), batch=4, dtype="float16").totals.peak_activation_bytes == 2 * peak


def test_feature_maps_of_vgg16_add_up_as_cs231n_does() -> None:
    convolutions = [64 * 224**2] * 2 + [128 * 112**2] * 2
    convolutions += [256 * 56**2] * 3 + [512 * 28**2] * 3 + [512 * 14**2] * 3
    pools = [64 * 112**2, 128 * 56**2, 256 * 28**2, 512 * 14**2, 512 * 7**2]
    flat = [4096, 4096, 1000]
    everything = 3 * 224**2 + sum(convolutions) + sum(pools) + sum(flat)
    assert everything == 15_237_608
    assert memory(load("vgg16")).activations == everything


def test_peak_of_a_chain_is_its_widest_pair() -> None:
    graph = chain(("conv", {"out": 2}), ("conv", {"out": 6}), ("conv", {"out": 5}), x=(3, 4, 4))
    maps = memory(graph)
    assert maps.timeline == (3 * 16, 5 * 16, 8 * 16, 11 * 16)
    assert (maps.peak, maps.peak_node) == (11 * 16, "conv3")


def test_branch_keeps_what_the_merge_reads() -> None:
    net = Net(x=(2, 4, 4))
    trunk = net("conv", "x", out=4)
    deep = net("conv", net("conv", trunk, out=1), out=4)
    maps = memory(net.graph(net("add", deep, trunk)))
    # The sum is the peak: two branches and what they give.
    assert maps.timeline == (2 * 16, 6 * 16, 5 * 16, 9 * 16, 12 * 16)


def placed(graph: Graph) -> set[str]:
    return set(in_place(graph))


@pytest.mark.parametrize("maker", ["conv", "batchnorm", "maxpool", "gelu", "hardswish", "upsample"])
def test_activation_works_in_place_where_nothing_else_needs_its_input(maker: str) -> None:
    attributes = {"conv": {"out": 3}, "maxpool": {"kernel": 2}, "upsample": {"scale": 2}}
    graph = chain((maker, attributes.get(maker, {})), RELU, x=(3, 8, 8))
    assert placed(graph) == {"relu2"}
    assert memory(graph).timeline[2] == memory(graph).timeline[1] - 3 * 64


@pytest.mark.parametrize("maker", ["sigmoid", "tanh", "relu", "softmax", "leaky_relu", "elu"])
def test_not_over_a_value_that_its_maker_keeps_for_the_gradient(maker: str) -> None:
    graph = chain(CONV, (maker, {}), RELU, x=(3, 8, 8))
    assert "relu3" not in placed(graph)
    build(graph)(torch.rand(2, 3, 8, 8)).sum().backward()


@pytest.mark.parametrize("maker", ["slice", "identity", "dropout"])
def test_not_over_a_view(maker: str) -> None:
    attributes = {"start": 1, "stop": 3} if maker == "slice" else {}
    assert not placed(chain(CONV, (maker, attributes), RELU, x=(3, 8, 8)))


def test_not_over_a_flattened_value() -> None:
    assert not placed(chain(CONV, ("flatten", {}), RELU, x=(3, 8, 8)))


def test_not_over_the_input() -> None:
    graph = chain(RELU, x=(3, 8, 8))
    assert not placed(graph)
    x = torch.randn(1, 3, 8, 8)
    kept = x.clone()
    build(graph)(x)
    assert x.equal(kept)


def test_not_over_a_value_that_is_read_twice() -> None:
    net = Net(x=(3, 8, 8))
    made = net("conv", "x", out=3)
    graph = net.graph(net("add", net("relu", made), made))
    assert not placed(graph)


def test_not_over_a_value_that_another_node_views() -> None:
    net = Net(x=(3, 8, 8))
    made = net("conv", "x", out=3)
    view = net("slice", made, start=0, stop=1)
    over = net("relu", made)
    assert not placed(net.graph(net("concat", view, over)))


@pytest.mark.parametrize("train_only", [False, True])
def test_not_over_an_output(train_only: bool) -> None:
    net = Net(x=(3, 8, 8))
    made = net("conv", "x", name="made", out=3)
    last = net("relu", made)
    graph = net.graph(Output("early", made, 1.0, train_only), Output("late", last))
    assert not placed(graph)


def test_one_after_another() -> None:
    """relu6 keeps a copy of what it overwrites, so its own output may be overwritten, too."""
    graph = chain(CONV, ("relu6", {}), ("relu6", {}), RELU, x=(3, 8, 8))
    assert placed(graph) == {"relu62", "relu63", "relu4"}
    assert set(storages(graph, in_place(graph), training=True).values()) == {"x", "conv1"}
    build(graph)(torch.rand(2, 3, 8, 8)).sum().backward()


def test_dropout_is_a_view_at_inference_and_a_map_while_training() -> None:
    graph = chain(CONV, ("dropout", {}), ("dropout", {"p": 0.0}), x=(3, 8, 8))
    assert storages(graph, frozenset(), training=False)["dropout3"] == "conv1"
    assert storages(graph, frozenset(), training=True)["dropout3"] == "dropout2"


def simulated(graph: Graph) -> tuple[int, ...]:
    """Return the elements alive at each node, asking anew at each what is still needed."""
    over = in_place(graph)
    root: dict[str, str] = {}
    for node in graph.nodes:
        same = node.name in over or node.op.storage is Storage.VIEW
        root[node.name] = root[node.inputs[0]] if same else node.name
    timeline = []
    for now, node in enumerate(graph.nodes):
        needed = {root[node.name], *(root[name] for name in node.inputs)}
        for later in graph.nodes[now:]:
            needed |= {root[name] for name in later.inputs}
        needed |= {root[output.node] for output in graph.outputs}
        made = {root[done.name] for done in graph.nodes[: now + 1]}
        timeline.append(sum(graph.facts[name].elements for name in needed & made))
    return tuple(timeline)


@given(graphs())
def test_liveness_is_what_a_simulation_finds(graph: Graph) -> None:
    maps = memory(graph)
    assert maps.timeline == simulated(graph)
    assert maps.peak == max(maps.timeline)
    assert maps.peak_node == graph.nodes[maps.timeline.index(maps.peak)].name
    assert maps.activations >= maps.peak


def measured(graph: Graph) -> tuple[int, ...]:
    """Return the bytes of all values, inputs left out, that the module holds at each node."""
    network = build(graph).eval()
    held: dict[int, tuple[StorageWeakRef, int]] = {}
    timeline = []

    def probe(name: str, value: Tensor) -> Tensor:
        for key in [key for key, (ref, _) in held.items() if ref.expired()]:
            del held[key]
        storage = value.untyped_storage()
        held.setdefault(storage._cdata, (StorageWeakRef(storage), storage.nbytes()))
        timeline.append(sum(size for _, size in held.values()))
        return value

    with torch.inference_mode():
        inputs = tuple(torch.rand(1, *node.out) for node in graph.inputs)
        for storage in (tensor.untyped_storage() for tensor in inputs):
            held[storage._cdata] = (StorageWeakRef(storage), 0)
        network.run(inputs, probe)
    return tuple(timeline)


@given(graphs(heads=False))
def test_liveness_is_what_the_module_holds(graph: Graph) -> None:
    maps = memory(graph)
    roots = storages(graph, maps.in_place, training=False)
    last = max(
        place
        for place, node in enumerate(graph.nodes)
        if "input" in {roots[name] for name in (node.name, *node.inputs)}
    )
    if roots[graph.main.node] == "input":
        last = len(graph.nodes)
    ours = graph.facts["input"].elements
    expected = tuple(
        (alive - ours if place <= last else alive) * 4 for place, alive in enumerate(maps.timeline)
    )
    assert measured(graph) == expected


@given(
    st.sampled_from(["siamese", "shufflenet_v2_x1_0", "vgg16"]),
    st.integers(0, 10**10),
    st.sampled_from((1, 2, 4)),
    st.sampled_from((None, *OPTIMIZERS)),
)
def test_largest_batch_fits_and_one_more_does_not(
    name: str, room: int, size: int, optimizer: str | None
) -> None:
    graph = load(name)
    maps, totals = memory(graph), analyze(graph).totals
    params, buffers = totals.params, totals.buffers

    def need(batch: int) -> int:
        if optimizer is None:
            return maps.inference_bytes(params + buffers, batch, size)
        return maps.training_bytes(params, buffers, optimizer, batch, size)

    batch = maps.largest_batch(room, params, buffers, size, optimizer)
    assert batch >= 0
    assert need(batch) <= room or batch == 0
    assert need(batch + 1) > room


def test_training_memory_is_weights_gradients_state_and_saved_maps() -> None:
    graph = chain(CONV, ("batchnorm", {}), RELU, ("maxpool", {"kernel": 2}), x=(3, 8, 8))
    maps = memory(graph)
    # conv keeps the input, batchnorm conv's output and 2 numbers a channel, relu its own
    # output, which is the pool's input, too, and the pool where its maxima stood.
    assert maps.saved == 3 * (3 * 64)
    assert (maps.saved_indices, maps.saved_fixed) == (3 * 16, 6)
    totals = analyze(graph, batch=5).totals
    assert totals.saved_bytes == 5 * (9 * 64 * 4 + 48 * 8) + 6 * 4
    params, buffers = 3 * 3 * 9 + 3 + 6, 6
    for optimizer, copies in {"sgd": 0, "momentum": 1, "adam": 2}.items():
        held = (params * (2 + copies) + buffers) * 4
        found = analyze(graph, batch=5, optimizer=optimizer).totals.training_bytes
        assert found == held + totals.saved_bytes


def test_nothing_is_kept_where_no_gradient_flows() -> None:
    graph = chain(("avgpool", {"kernel": 2}), ("sigmoid", {}), CONV, RELU, x=(3, 8, 8))
    kept = memory(graph).kept
    assert set(kept) == {"conv3", "relu4"}, "nothing learns before them"
    assert kept["conv3"].maps == ("sigmoid2",)


def test_factors_are_kept_for_the_gradient_of_the_others_only() -> None:
    net = Net(x=(3, 8, 8))
    made = net("conv", "x", name="made", out=3)
    one = net("mul", made, "x", name="one")
    both = net("mul", one, made, name="both")
    three = net("mul", "x", "x", made, name="three")
    kept = memory(net.graph(both, three)).kept
    assert kept["one"].maps == ("x",)
    assert kept["both"].maps == ("one", "made")
    assert (kept["three"].maps, kept["three"].elements) == ((), 3 * 64)
