"""Receptive fields worked out by hand, and against every derivative of small networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from archscope import load
from archscope.analysis import analyze
from archscope.analysis.receptive_field import Clash, Field, receptive_fields
from archscope.build import build
from archscope.errors import ShapeError
from archscope.ir import Graph, Output
from archscope.report.tables.analysis import field_text, summary_table
from tests.nets import Net, chain

Layers = list[tuple[str, dict[str, Any]]]
CONV3 = ("conv", {"out": 1, "kernel": 3, "padding": 1})


def field_of(graph: Graph, node: str | None = None) -> Field:
    return receptive_fields(graph).fields[node or graph.nodes[-1].name]


def numbers(graph: Graph, node: str | None = None) -> tuple[int, int | str, int]:
    """Return size, stride and padding along the first axis."""
    axes = field_of(graph, node).axes
    assert axes
    return axes[0].size, axes[0].stride, axes[0].padding


def test_three_windows_of_3_are_one_of_7() -> None:
    seven = ("conv", {"out": 1, "kernel": 7, "padding": 3})
    assert numbers(chain(CONV3, CONV3, CONV3, x=(1, 32, 32))) == (7, 1, 3)
    assert numbers(chain(seven, x=(1, 32, 32))) == (7, 1, 3)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([("conv", {"out": 1, "kernel": 3, "dilation": 4, "padding": 4})], (9, 1, 4)),
        ([("conv", {"out": 1, "kernel": 2}), ("conv", {"out": 1, "kernel": 2})], (3, 1, 0)),
        ([("conv", {"out": 1, "kernel": 4, "padding": "same"})], (4, 1, 1)),
        ([("conv", {"out": 1, "kernel": 3, "stride": 2, "padding": 1}), CONV3], (7, 2, 3)),
        ([("maxpool", {"kernel": 2}), CONV3, ("avgpool", {"kernel": 2})], (8, 4, 2)),
        ([("conv", {"out": 1, "kernel": 1, "stride": 3}), CONV3], (7, 3, 3)),  # with holes
        ([("upsample", {"scale": 2})], (1, "1/2", 0)),
        ([CONV3, ("upsample", {"scale": 2}), CONV3], (4, "1/2", 2)),
        ([("conv_transpose", {"out": 1, "kernel": 4, "padding": 1})], (2, "1/2", 1)),
        ([("maxpool", {"kernel": 2}), ("upsample", {"scale": 2})], (2, 1, 0)),
        ([("upsample", {"scale": 3}), ("maxpool", {"kernel": 2})], (2, "2/3", 0)),
        ([("upsample", {"scale": 2, "mode": "linear"})], (2, "1/2", 1)),
        ([("adaptive_avgpool", {"size": 8})], (4, 4, 0)),
        ([("adaptive_avgpool", {"size": 5})], (8, "32/5", 0)),  # uneven: 7 or 8 of 32
        ([("batchnorm", {}), ("relu", {}), ("dropout", {}), ("identity", {})], (1, 1, 0)),
    ],
)
def test_size_stride_and_padding(layers: Layers, expected: tuple[int, int | str, int]) -> None:
    assert numbers(chain(*layers, x=(1, 32, 32))) == expected
    assert numbers(chain(*layers, x=(1, 32))) == expected


def test_axes_are_independent() -> None:
    wide = ("conv", {"out": 1, "kernel": (1, 7), "stride": (1, 2), "padding": (0, 3)})
    axes = field_of(chain(wide, CONV3, x=(1, 32, 32))).axes
    assert axes
    assert [(axis.size, axis.stride, axis.padding) for axis in axes] == [(3, 1, 1), (11, 2, 5)]


def test_shifted_branches_see_the_union() -> None:
    net = Net(x=(1, 16))
    left = net("conv", "x", name="left", out=1, kernel=3, padding=((1, 1),))
    right = net("conv", "x", name="right", out=1, kernel=3, padding=((0, 2),))
    graph = net.graph(net("add", left, right, name="sum"))
    assert numbers(graph) == (4, 1, 1)
    found = receptive_fields(graph)
    assert found.clashes == (Clash("sum", "shifted centre", ("left", "right")),)
    assert found.fields["sum"].known


def test_unequal_strides_have_no_common_field() -> None:
    net = Net(x=(1, 9))
    coarse = net("conv", "x", name="coarse", out=1, stride=2)
    fine = net("conv", "x", name="fine", out=1, kernel=5)
    merged = net("add", coarse, fine, name="sum")
    graph = net.graph(net("conv", merged, name="behind", out=1, kernel=3))
    found = receptive_fields(graph)
    assert found.clashes == (Clash("sum", "unequal stride", ("coarse", "fine")),)
    assert [found.fields[name].known for name in ("coarse", "fine", "sum", "behind")] == [
        True, True, False, False,
    ]  # fmt: skip
    view = analyze(graph).receptive_field
    assert view and not view.known


@pytest.mark.parametrize("order", [("exact", "unknown"), ("unknown", "exact")])
def test_what_merges_with_the_unknown_is_unknown(order: tuple[str, str]) -> None:
    net = Net(x=(1, 9))
    coarse = net("conv", "x", out=1, stride=2)
    net("conv", "x", name="exact", out=1, stride=2)
    net("add", coarse, net("conv", "x", out=1, kernel=5), name="unknown")
    graph = net.graph(net("add", *order, name="sum"))
    assert not field_of(graph, "sum").known


def test_each_clash_is_told_once() -> None:
    net = Net(x=(1, 16))
    tops = [
        net("conv", "x", out=1, kernel=3, padding=((before, 2 - before),)) for before in range(3)
    ]
    assert len(receptive_fields(net.graph(net("add", *tops))).clashes) == 1


@pytest.mark.parametrize("gate", ["global_avgpool", "conv"])
def test_gate_leaves_the_local_field_and_is_told(gate: str) -> None:
    """A gate is global whether it pools, or convolves until one position is left."""
    net = Net(x=(4, 12, 12))
    trunk = net("conv", "x", name="trunk", out=4, kernel=3, padding=1)
    attributes = {"out": 4, "kernel": 12} if gate == "conv" else {}
    pooled = net(gate, trunk, name="pooled", **attributes)
    weight = net("sigmoid", net("conv", pooled, out=4), name="weight")
    scaled = net("mul", trunk, weight, name="scaled")
    graph = net.graph(net("conv", scaled, name="last", out=4, kernel=3))
    fields = receptive_fields(graph).fields
    assert numbers(graph, "scaled") == (3, 1, 1)
    assert numbers(graph, "last") == (5, 1, 1)
    assert [fields[name].gated for name in ("trunk", "scaled", "last")] == [False, True, True]
    assert receptive_fields(graph).clashes == ()
    view = analyze(graph).receptive_field
    assert view and view.size == (5, 5) and view.sees_all and view.node == "last"


def test_pool_and_classifier_see_everything() -> None:
    graph = chain(
        CONV3, ("global_avgpool", {}), ("flatten", {}), ("linear", {"out": 3}), x=(1, 8, 8)
    )
    for node in graph.nodes[2:]:
        assert field_of(graph, node.name).axes is None
    view = analyze(graph).receptive_field
    assert view and (view.size, view.node) == ((3, 3), "conv1")
    assert analyze(graph).layers[-1].receptive_field is not None


def test_narrowest_path_is_the_identity_of_a_residual() -> None:
    net = Net(x=(2, 16, 16))
    x = net("conv", "x", out=2, kernel=3, padding=1)
    for _ in range(3):
        deep = net("conv", net("conv", x, out=2, kernel=3, padding=1), out=2, kernel=3, padding=1)
        x = net("add", deep, x)
    graph = net.graph(net("conv", x, out=2, kernel=3, padding=1))
    view = analyze(graph).receptive_field
    assert view and (view.size, view.smallest) == ((17, 17), (5, 5))
    plain = analyze(chain(CONV3, CONV3, x=(1, 16, 16))).receptive_field
    assert plain and plain.smallest is None, "said only where it differs"


def test_each_input_has_its_own_fields() -> None:
    net = Net(image=(1, 16, 16), mask=(1, 16, 16))
    seen = net("conv", "image", name="seen", out=1, kernel=5, padding=2)
    both = net("mul", seen, net("conv", "mask", out=1, kernel=3, padding=1), name="both")
    graph = net.graph(both)
    image, mask = receptive_fields(graph, "image"), receptive_fields(graph, "mask")
    assert "seen" in image.fields and "seen" not in mask.fields
    assert [f.fields["both"].axes[0].size for f in (image, mask) if f.fields["both"].axes] == [5, 3]
    assert {name: view and view.size for name, view in analyze(graph).receptive_fields.items()} == {
        "image": (5, 5), "mask": (3, 3),
    }  # fmt: skip


def test_flat_input_has_no_field() -> None:
    analysis = analyze(chain(("linear", {"out": 2}), x=(4,)))
    assert analysis.receptive_field is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", (212, 32, 90)),
        ("resnet50", (427, 32, 213)),
        ("shufflenet_v2_x1_0", (527, 32, 263)),
        ("densenet121", (2071, 32, 1021)),
    ],
)
def test_published_fields(name: str, expected: tuple[int, int, int]) -> None:
    view = analyze(load(name)).receptive_field
    assert view and view.size and view.stride and view.padding
    assert (view.size[0], view.stride[0], view.padding[0]) == expected


def test_trunk_of_a_net_with_heads_is_that_of_the_main_output() -> None:
    view = analyze(load("googlenet_bn"), training=True).receptive_field
    assert view and view.size == (379, 379)


def derivatives(graph: Graph) -> torch.Tensor:
    """Return which outputs (rows) of a network on one axis depend on which inputs."""
    torch.manual_seed(0)
    network = build(graph).double().eval()
    for parameter in network.parameters():
        parameter.data.uniform_(0.5, 1.5)
    x = torch.ones(1, *graph.nodes[0].out, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(network, x)
    assert isinstance(jacobian, torch.Tensor)
    return jacobian[0, :, :, 0].abs().sum(dim=(0, 2)) > 1e-9


layer = st.one_of(
    st.fixed_dictionaries(
        {
            "out": st.just(1),
            "kernel": st.integers(1, 4),
            "stride": st.integers(1, 3),
            "padding": st.integers(0, 2),
            "dilation": st.integers(1, 2),
        }
    ).map(lambda fields: ("conv", fields)),
    st.fixed_dictionaries(
        {
            "out": st.just(1),
            "kernel": st.integers(1, 4),
            "stride": st.integers(1, 3),
            "padding": st.integers(0, 2),
        }
    ).map(lambda fields: ("conv_transpose", fields)),
    st.fixed_dictionaries({"kernel": st.integers(1, 3), "stride": st.integers(1, 3)}).map(
        lambda fields: ("avgpool", fields)
    ),
    st.fixed_dictionaries(
        {"scale": st.integers(1, 3), "mode": st.sampled_from(("nearest", "linear"))}
    ).map(lambda fields: ("upsample", fields)),
    st.fixed_dictionaries({"size": st.integers(2, 9)}).map(
        lambda fields: ("adaptive_avgpool", fields)
    ),
)


def away_from_borders(graph: Graph) -> set[int]:
    """Return the outputs that read no padding, at no layer of a chain."""
    whole = set(range(graph.nodes[0].out[1]))
    for node in graph.nodes[1:]:
        (axis,) = node.facts.window or ()
        whole = {u for u in range(node.out[1]) if whole.issuperset(axis.taps(u))}
    return whole


@given(st.lists(layer, min_size=1, max_size=4), st.integers(20, 40))
def test_intervals_are_exact_for_every_output(layers: Layers, size: int) -> None:
    try:
        graph = chain(*layers, x=(1, size))
    except ShapeError:
        assume(False)
    assume(max(node.out[1] for node in graph.nodes) <= 300)
    axes = field_of(graph).axes
    assert axes
    seen = [row.nonzero().flatten().tolist() for row in derivatives(graph)]
    for position in away_from_borders(graph):
        first_and_last = (seen[position][0], seen[position][-1]) if seen[position] else None
        assert axes[0].at(position) == first_and_last


@pytest.mark.parametrize("pool", ["maxpool", "avgpool", "lp_pool", "stochastic_pool"])
def test_a_pool_of_the_whole_map_is_global(pool: str) -> None:
    strided = ("conv", {"out": 1, "kernel": 3, "stride": 2, "padding": 1})
    for kernel, field in ((8, None), (7, 15), (4, 9)):
        graph = chain(strided, (pool, {"kernel": kernel}), x=(1, 16, 16))
        axes = field_of(graph).axes
        assert (axes[0].size if axes else None) == (field and 2 * (kernel - 1) + 3)
    result = analyze(chain(strided, (pool, {"kernel": 8}), ("flatten", {}), x=(1, 16, 16)))
    assert result.receptive_field is not None
    assert (result.receptive_field.size, result.receptive_field.stride) == ((3, 3), (2, 2))


def test_a_pool_beyond_the_map_or_of_a_part_of_it() -> None:
    beyond = {"kernel": 6, "padding": 1, "stride": 1}
    assert field_of(chain(("maxpool", beyond), x=(1, 4, 4))).axes is None
    assert field_of(chain(("maxpool", {"kernel": (4, 1)}), x=(1, 4, 8))).axes  # rows, not all
    assert field_of(chain(("maxpool", {"kernel": 3, "dilation": 2}), x=(1, 5, 5))).axes  # holes
    assert field_of(chain(("conv", {"out": 1, "kernel": 4}), x=(1, 4, 4))).axes  # has weights
    assert field_of(chain(("maxpool", {"kernel": 1}), x=(1, 1, 1))).axes  # nothing to pool


def test_each_output_has_its_field() -> None:
    net = Net(x=(1, 32, 32))
    first = net("conv", "x", out=1, kernel=5)
    last = net("conv", first, out=1, kernel=3, stride=2)
    result = analyze(net.graph(Output("side", first), Output("main", last)))
    sizes = [head.receptive_field and head.receptive_field.size for head in result.outputs]
    assert sizes == [(5, 5), (7, 7)]
    table = [row[:2] for row in summary_table(result).rows]
    assert ("receptive field", "7") in table and ("  of side", "5") in table


@pytest.mark.parametrize(
    ("layers", "status"),
    [
        ([CONV3], "exact"),
        ([CONV3, ("global_avgpool", {})], "exact"),
        ([CONV3, ("reshape", {"size": (2, 32)})], "at most"),
        ([CONV3, ("permute", {"order": (1, 2, 0)}), ("relu", {})], "at most"),
        ([("permute", {"order": (1, 2, 0)}), ("global_avgpool", {})], "exact"),
        ([("global_avgpool", {}), ("permute", {"order": (1, 2, 0)})], "exact"),
        ([("reshape", {"size": (2, 32)}), ("flatten", {}), ("linear", {"out": 2})], "exact"),
        ([("cumsum", {"axis": 1})], "exact"),
        ([("argmax", {"axis": 1, "keep": False})], "at most"),
        ([("opaque", {"kind": "a.b", "size": (1, 8, 8)}), CONV3], "unknown"),
    ],
)
def test_a_field_says_whether_it_is_exact(layers: Layers, status: str) -> None:
    view = analyze(chain(*layers, x=(1, 8, 8))).layers[-1].receptive_field
    assert view is not None
    assert view.status == status
    assert (field_text(view) == "<= all") is (status == "at most")


def test_positions_side_by_side_see_at_most_everything() -> None:
    net = Net(x=(1, 8, 8))
    net("conv", "x", name="a", out=1, kernel=3)
    net("conv", "x", name="b", out=1, kernel=3)
    layers = analyze(net.graph(net("concat", "a", "b", axis=1))).layers
    assert layers[-1].receptive_field is not None
    assert layers[-1].receptive_field.status == "at most"
