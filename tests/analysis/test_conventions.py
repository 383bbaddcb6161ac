"""Conventions of tools, compared with the tools' own counts of small modules."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import archscope.analysis.conventions
from archscope import analyze, load
from archscope.analysis.conventions.convention import Term
from archscope.analysis.count import COUNTS, TOOLS, convention, counted
from archscope.analysis.reconcile import reconcile
from archscope.contracts.conventions import NETWORKS, terms_lead_to_the_count
from archscope.errors import GraphError
from archscope.ir import Call, Graph, Shape, call
from archscope.ops import OPS
from archscope.report.tables.analysis import summary_table
from archscope.report.tables.reconciliation import headline, tables
from tests.nets import Net, chain

TRAPS = Path(__file__).parents[1] / "reference" / "analyzer_traps.csv"
COLUMNS = {
    "fvcore": "fvcore",
    "ptflops": "ptflops_pt",
    "ptflops-aten": "ptflops_aten",
    "torchinfo": "torchinfo",
    "thop": "thop_orig",
    "torchprofile": "torchprofile",
    "torch": "torch_fcm",  # halved in the file
}
IMAGE = (8, 16, 16)


def conv(x: Shape = IMAGE, **attributes: Any) -> Graph:
    given = {"out": 16, "kernel": 3, "padding": 1, "bias": False} | attributes
    return chain(("conv", given), x=x)


def transposed(out: int, groups: int = 1) -> Graph:
    given = {"out": out, "kernel": 4, "stride": 2, "padding": 1, "groups": groups, "bias": False}
    return chain(("conv_transpose", given), x=IMAGE)


def one(op: str, x: Shape = IMAGE, **attributes: Any) -> Graph:
    return chain((op, attributes), x=x)


def two(op: str) -> Graph:
    net = Net(a=IMAGE, b=IMAGE)
    net(op, "a", "b")
    return net.graph()


def shared() -> Graph:
    net = Net(x=IMAGE)
    words = {"out": 8, "kernel": 3, "padding": 1, "bias": False}
    net("conv", net("conv", "x", name="first", **words), shares="first", **words)
    return net.graph()


def split() -> Graph:
    net = Net(x=IMAGE)
    left, right = net("slice", "x", start=0, stop=4), net("slice", "x", start=4, stop=8)
    net("concat", left, net("conv", right, out=4, bias=False))
    return net.graph()


EXPRESSED = {
    "conv3x3 nobias": conv(),
    "conv3x3 bias": conv(bias=True),
    "depthwise conv": conv(out=8, groups=8),
    "grouped conv g=4": conv(groups=4),
    "dilated conv d=2": conv(dilation=2, padding=2),
    "conv padding='same' k=4": conv(kernel=4, padding="same"),
    "transposed conv s2 k4 8->16": transposed(16),
    "transposed conv s2 k4 8->8": transposed(8),
    "grouped transposed g=4 8->16": transposed(16, groups=4),
    "depthwise transposed g=8": transposed(8, groups=8),
    "linear 2D bias": one("linear", (8,), out=10),
    "shared conv called twice": shared(),
    "BN eval": one("batchnorm"),
    "ReLU module": one("relu"),
    "SiLU module": one("silu"),
    "torch.add": two("add"),
    "x*x operator (SE gate)": two("mul"),
    "cat": two("concat"),
    "MaxPool 2": one("maxpool", kernel=2),
    "AvgPool 2": one("avgpool", kernel=2),
    "AdaptiveAvgPool(1)": one("global_avgpool"),
    "AdaptiveAvgPool(5) uneven": one("adaptive_avgpool", size=5),
    "Upsample bilinear x2": one("upsample", scale=2, mode="linear"),
    "F.interpolate nearest": one("upsample", scale=2),
    "channel shuffle": one("channel_shuffle", groups=2),
    "split+identity": split(),
    "subclass of Conv2d": conv(padding=((2, 0), (1, 1))),
    "Conv1d": conv((8, 256)),
    "Conv3d": conv((8, 1, 16, 16), kernel=(1, 3, 3), padding=(0, 1, 1)),
}
"""Traps that our operators can express, each as a network."""

OTHERWISE = {
    # build pads by numbers, in a subclass of nn.Conv2d; these traps have padding="same"
    ("conv padding='same' k=4", "fvcore"): 524288,
    ("conv padding='same' k=4", "ptflops"): 0,
    ("conv padding='same' k=4", "thop"): 0,
    ("conv padding='same' k=4", "torchprofile"): 524288,
    # the trap takes the mean of an image first
    ("linear 2D bias", "torchprofile"): 80,
    # build multiplies by torch.mul, the trap by an operator
    ("x*x operator (SE gate)", "ptflops"): 2048,
    # build resizes by a module, the trap by a function
    ("F.interpolate nearest", "ptflops"): 2 * 8192,
    ("F.interpolate nearest", "thop"): 8192,
}
"""What a tool counts where build writes the trap otherwise than the one who measured it."""


def answers() -> dict[str, dict[str, str]]:
    with TRAPS.open(encoding="utf-8", newline="") as file:
        return {row["trap"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("tool", COLUMNS)
@pytest.mark.parametrize("trap", EXPRESSED)
def test_traps_are_counted_as_the_tool_does(trap: str, tool: str) -> None:
    cell = answers()[trap][COLUMNS[tool]].rstrip("W")
    measured = int(cell) * (2 if tool == "torch" else 1)
    ours = sum(counted(EXPRESSED[trap], tool).values())
    if (trap, tool) in OTHERWISE:
        assert ours == OTHERWISE[trap, tool] != measured
    else:
        assert ours == measured


@pytest.mark.parametrize("tool", COLUMNS)
def test_a_batch_of_four(tool: str) -> None:
    cell = int(answers()["conv batch=4"][COLUMNS[tool]])
    ours = analyze(conv(), count=tool, batch=4).totals.counted
    assert ours == cell * (2 if tool == "torch" else 1)


def check(count: str, name: str) -> None:
    """Check one convention on one network, by its terms, as a whole and where it is printed."""
    terms_lead_to_the_count(count, name)
    whole = analyze(load(name), count=count)
    if count != "macs":
        printed = [row for row in summary_table(whole).rows if f"{whole.totals.counted:,}" in row]
        assert printed and f"count {count}" in str(printed)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", COUNTS)
def test_terms_lead_from_macs_to_the_count(count: str, name: str) -> None:
    check(count, name)


def test_every_file_is_in_the_table() -> None:
    folder = Path(archscope.analysis.conventions.__file__).parent
    helpers = {"__init__", "convention", "ours", "terms"}
    files = {path.stem for path in folder.glob("*.py")} - helpers
    assert files == {tool.replace("-", "_") for tool in TOOLS}
    assert set(COLUMNS) <= set(TOOLS), "what was measured is of a tool that is there"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"about": ""},
        {"always": (Term("less than nothing", lambda layer: -2 * layer.macs),)},
        {"always": (Term("half", lambda layer: layer.macs / 2),)},
        {"always": (Term("", lambda layer: layer.macs),)},
        {"modules": {}},
    ],
)
def test_a_broken_convention_is_found(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "archscope.analysis.conventions.thop"
    broken = structs.replace(convention("thop"), **change)
    check("thop", "lenet5")
    monkeypatch.setattr(f"{module}.CONVENTION", broken)
    with pytest.raises((AssertionError, GraphError)):
        check("thop", "mobilenet_v3_small")
        assert sum(counted(load("mobilenet_v3_small"), "thop").values()) == 62_477_944


def test_an_unknown_module_is_no_silent_zero() -> None:
    class Strange(type(OPS["relu"]()), frozen=True):  # type: ignore[misc]
        name = "strange"

        def torch(self, *ins: Shape) -> Call:
            return call("nn.Strange")

    net = Net(x=IMAGE)
    net.builder.add("strange", Strange(), [net("conv", "x", out=16, bias=False)])
    graph = net.graph()
    for tool in TOOLS:
        with pytest.raises(
            GraphError, match=r"count of 'strange' \(nn.Strange\) in \S+ is unknown"
        ):
            counted(graph, tool)
    assert sum(counted(graph, "strict").values()) == 2 * 8 * 16 * 16 * 16 + 16 * 16 * 16


def test_what_cannot_be_built_is_unknown() -> None:
    class Foreign(type(OPS["relu"]()), frozen=True):  # type: ignore[misc]
        name = "foreign"
        unknown = ("macs",)

        def torch(self, *ins: Shape) -> Call:
            raise GraphError("not built")

    net = Net(x=IMAGE)
    net.builder.add("foreign", Foreign(), [net("conv", "x", out=16, bias=False)])
    graph = net.graph()
    for count in list(COUNTS)[1:]:
        with pytest.raises(GraphError, match=r"their count in \S+ is unknown"):
            counted(graph, count)
    result = reconcile(graph)
    assert result.unknown == ("foreign",)
    assert all(tool.counted is tool.difference is None for tool in result.tools)
    assert {tool.unknown for tool in result.tools} == {("foreign (foreign)",)}
    assert "macs >= 32,768" in headline(result)
    assert "fvcore: not known what it counts of foreign (foreign)" in tables(result)


def test_a_tool_counts_no_training() -> None:
    with pytest.raises(GraphError, match="--count thop is for inference"):
        analyze(load("googlenet"), count="thop", training=True)
