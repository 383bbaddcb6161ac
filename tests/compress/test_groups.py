"""Which channels go together, written out by hand."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope import load
from archscope.compress import ChannelGroups, Group, channel_groups
from archscope.ir import Graph, Output
from archscope.ops import OPS
from tests.nets import Net, chain


def group_of(groups: ChannelGroups, layer: str) -> Group:
    (found,) = [group for group in groups.groups if layer in group.layers]
    return found


def test_a_residual_and_its_branch() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=16)
    net("conv", "stem", name="inside", out=24)
    net("batchnorm", "inside", name="norm")
    net("conv", "norm", name="back", out=16)
    net("add", "back", "stem", name="sum")
    net("global_avgpool", "sum", name="pool")
    net("flatten", "pool", name="flat")
    net("linear", "flat", name="classes", out=10)
    groups = channel_groups(net.graph())
    assert [(g.layers, len(g.units), g.why_fixed) for g in groups.groups] == [
        (("x",), 3, "input 'x'"),
        (("stem", "back"), 16, ""),
        (("inside",), 24, ""),
        (("classes",), 10, "output 'output'"),
    ]


def test_a_gate_goes_with_what_it_gates() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="features", out=16)
    net("global_avgpool", "features", name="pool")
    net("conv", "pool", name="squeeze", out=4)
    net("conv", "squeeze", name="excite", out=16)
    net("sigmoid", "excite", name="gate")
    net("mul", "features", "gate", name="gated")
    net("conv", "gated", name="last", out=2)
    groups = channel_groups(net.graph())
    assert group_of(groups, "excite").layers == ("features", "excite")
    assert len(group_of(groups, "squeeze").units) == 4


def test_a_split_makes_groups_of_its_parts() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=12)
    net("slice", "stem", name="low", start=0, stop=4)
    net("slice", "stem", name="high", start=4, stop=12)
    net("conv", "low", name="a", out=2)
    net("conv", "high", name="b", out=2)
    net("add", "a", "b", name="sum")
    groups = channel_groups(net.graph())
    assert [len(g.units) for g in groups.groups if g.layers == ("stem",)] == [4, 8]


@pytest.mark.parametrize(
    ("out", "groups", "units", "widths", "left"),
    [
        (32, 4, 8, (4,), 4),  # a channel of each group
        (32, 16, 16, (2, 2), 8),  # whole groups
        (32, 32, 32, (1, 1), 16),  # depthwise
        (64, 32, 32, (1, 2), 16),
    ],
)
def test_grouped_convolutions_keep_groups_of_one_size(
    out: int, groups: int, units: int, widths: tuple[int, ...], left: int
) -> None:
    graph = chain(
        ("conv", {"out": 32}),
        ("conv", {"out": out, "groups": groups}),
        ("conv", {"out": 2}),
        x=(3, 8, 8),
    )
    found = channel_groups(graph)
    group = found.groups[1]
    assert (len(group.units), group.widths) == (units, widths)
    removed = [unit.root for unit in group.units[: units // 2]]
    narrowed = found.narrow(removed).nodes[2]
    assert getattr(narrowed.op, "groups") == left  # noqa: B009
    assert narrowed.ins[0][0] == 16


def test_shared_weights_and_every_head_are_followed() -> None:
    towers = {group.layers: group.why_fixed for group in channel_groups(load("siamese")).groups}
    assert towers["a.conv1", "b.conv1"] == ""
    assert towers["a.linear", "b.linear"] == ""
    assert towers["left", "right"] == "input 'left'"
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="trunk", out=8)
    net("conv", "trunk", name="aside", out=4)
    net("conv", "trunk", name="main", out=4)
    found = channel_groups(net.graph(Output("aside", "aside", train_only=True), "main"))
    assert group_of(found, "aside").why_fixed == "output 'aside'"
    assert group_of(found, "trunk").removable


def test_an_operator_without_a_rule_fixes_what_it_reads() -> None:
    graph = chain(("conv", {"out": 8}), ("lrn", {}), ("conv", {"out": 2}), x=(3, 8, 8))
    found = channel_groups(graph)
    assert group_of(found, "conv1").why_fixed == "'lrn2' (lrn) needs all its channels"


def test_an_operator_that_was_not_recognised_is_fixed() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="first", out=8)
    net.builder.add("strange", OPS["opaque"](kind="aten.roll", size=(8, 8, 8)), ("first",))
    net("conv", "strange", name="last", out=2)
    assert not any(group.removable for group in channel_groups(net.graph()).groups)


def test_weights_that_an_earlier_layer_holds_in_another_form_count_on_their_own() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="first", out=8)
    net("conv", "first", name="last", out=2)
    net.builder.count("last", 2)
    found = channel_groups(net.graph())
    narrowed = found.narrow([unit.root for unit in group_of(found, "first").units[:4]])
    assert narrowed.by_name["last"].own_params == 2 * 4 + 2


Row = tuple[tuple[str, ...], tuple[int, ...], int, str]


def rows(graph: Graph) -> list[Row]:
    """Return the groups but those of inputs and outputs."""
    return [
        (group.layers, group.widths, len(group.units), group.why_fixed)
        for group in channel_groups(graph).groups
        if not group.fixed.startswith(("input", "output"))
    ]


def test_heads_and_their_channels() -> None:
    net = Net(x=(3, 4, 4))
    net("conv", "x", name="q", out=24)
    net("conv", "x", name="k", out=12)
    net("conv", "x", name="v", out=20)
    net("dot_product_attention", "q", "k", "v", name="mixed", heads=4, key_heads=2)
    net("conv", "mixed", name="last", out=3)
    assert rows(net.graph()) == [
        (("q", "k", "v"), (12, 6, 10), 2, ""),  # two heads of queries with one of keys
        (("q", "k"), (4, 2), 6, ""),
        (("v",), (2,), 10, ""),
    ]


def test_heads_of_windows_share_their_width() -> None:
    graph = chain(
        ("conv", {"out": 24}), ("window_attention", {"heads": 2, "size": 2}), ("conv", {"out": 3}),
        x=(3, 4, 4),
    )  # fmt: skip
    assert rows(graph) == [(("conv1",), (12,), 2, ""), (("conv1",), (6,), 4, "")]
    found = channel_groups(graph)
    heads, width = found.groups[1:3]
    narrow = found.narrow([heads.units[0].root, width.units[1].root, width.units[3].root])
    assert narrow.by_name["conv1"].out[0] == 3 * 1 * 2
    op = narrow.by_name["window_attention2"].op
    assert repr(op) == repr(structs.replace(op, heads=1, scale=0.5))


def test_the_scale_of_scores_stays_if_heads_keep_their_width() -> None:
    graph = chain(
        ("conv", {"out": 24}), ("dot_product_attention", {"heads": 2}), ("conv", {"out": 3}),
        x=(3, 4, 4),
    )  # fmt: skip
    found = channel_groups(graph)
    op = found.narrow([found.groups[1].units[0].root]).by_name["dot_product_attention2"].op
    assert repr(op) == repr(structs.replace(op, heads=1, scale=None))


def test_hidden_units_go_with_what_reads_them() -> None:
    net = Net(x=(3, 5))
    net("gru", "x", name="encoder", hidden=6, layers=2, bidirectional=True)
    net("lstm", "encoder", name="projected", hidden=8, projection=4)
    net("conv", "projected", name="last", out=3)
    graph = net.graph()
    assert rows(graph) == [(("encoder",), (1,), 6, ""), (("projected",), (1,), 4, "")]
    found = channel_groups(graph)
    narrow = found.narrow([group.units[0].root for group in found.groups[1:3]])
    assert narrow.by_name["encoder"].out == (10, 5)
    assert narrow.by_name["projected"].own_params == 32 * (10 + 3 + 2) + 3 * 8


def test_the_state_of_cells_goes_with_the_layer_that_makes_it() -> None:
    net = Net(x=(5,))
    net("linear", "x", name="state", out=6)
    net("gru_cell", "x", "state", name="cell", hidden=6)
    net("linear", "cell", name="last", out=3)
    assert rows(net.graph()) == [(("state", "cell"), (1, 1), 6, "")]


def test_stacked_branches_keep_their_number() -> None:
    net = Net(x=(3, 4, 4))
    net("conv", "x", name="a", out=8)
    net("conv", "x", name="b", out=8)
    net("stack", "a", "b", name="both")
    net("global_avgpool", "a", name="pool")
    net("conv", "pool", name="select", out=16)
    net("reshape", "select", name="branches", size=(2, 8, 1, 1))
    net("softmax", "branches", name="shares")
    net("mul", "both", "shares", name="weighted")
    net("reduce", "weighted", name="sum", function="sum", axes=(0,), keep=False)
    net("conv", "sum", name="last", out=3)
    assert rows(net.graph()) == [(("a", "b", "select"), (1, 1, 2), 8, "")]


def test_channels_that_contradicting_reshapes_divide_stay_together() -> None:
    net = Net(x=(3, 4))
    net("conv", "x", name="stem", out=24)
    net("reshape", "stem", name="a", size=(4, 6, 4))
    net("reshape", "stem", name="b", size=(6, 4, 4))
    net("flatten", "a", name="c")
    net("flatten", "b", name="d")
    net("add", "c", "d", name="sum")
    net("linear", "sum", name="last", out=3)
    assert rows(net.graph()) == [(("stem",), (6,), 4, "'b' (reshape) divides them otherwise")]
