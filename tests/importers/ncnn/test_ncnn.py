"""Parameter files of ncnn: published counts, its defaults, and what the file states."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.importers.formats import Inputs
from archscope.ir import Graph
from archscope.sources import imported
from tests.importers.files import NCNN


def load(where: Path, lines: list[str], input: Inputs = None) -> Graph:
    text = f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines)
    (where / "net.param").write_text(text)
    return imported(str(where / "net.param"), input).graph


def data(width: int, height: int, channels: int) -> str:
    return f"Input data 0 1 data 0={width} 1={height} 2={channels}"


def squeezenet() -> list[str]:
    lines = [data(227, 227, 3)]

    def conv(name: str, bottom: str, before: int, out: int, size: int, more: str = "") -> None:
        weights = before * out * size**2
        lines.append(
            f"Convolution {name} 1 1 {bottom} {name} 0={out} 1={size} 5=1 6={weights} 9=1 {more}"
        )

    conv("conv1", "data", 3, 64, 3, "3=2")
    lines.append("Pooling pool1 1 1 conv1 pool1 1=3 2=2")
    last, before = "pool1", 64
    for number, thin in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        name, wide = f"fire{number}", 4 * thin
        conv(f"{name}/squeeze", last, before, thin, 1)
        lines.append(f"Split {name}_split 1 2 {name}/squeeze {name}_0 {name}_1")
        conv(f"{name}/one", f"{name}_0", thin, wide, 1)
        conv(f"{name}/three", f"{name}_1", thin, wide, 3, "4=1")
        lines.append(f"Concat {name} 2 1 {name}/one {name}/three {name} 0=0")
        last, before = name, 2 * wide
        if number in (3, 5):
            lines.append(f"Pooling pool{number} 1 1 {last} pool{number} 1=3 2=2")
            last = f"pool{number}"
    lines.append(f"Dropout drop9 1 1 {last} drop9")
    conv("conv10", "drop9", before, 1000, 1)
    return [*lines, "Pooling pool10 1 1 conv10 pool10 0=1 4=1", "Softmax prob 1 1 pool10 prob 0=0"]


def test_squeezenet(tmp_path: Path) -> None:
    graph = load(tmp_path, squeezenet())
    totals = archscope.analyze(graph).totals
    assert (totals.params, totals.macs) == (1_235_496, 387_747_520)
    assert graph.nodes[-1].out == (1000,)


@pytest.mark.parametrize("side", [6, 7, 8])
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("counts", [0, 1])
def test_mean_pooling_rounds_up(side: int, pad: int, counts: int, tmp_path: Path) -> None:
    graph = load(tmp_path, [data(side, side, 1), f"Pooling p 1 1 data p 0=1 1=3 2=2 3={pad}"
                            f" 6={counts}"])  # fmt: skip
    tail = -(side + 2 * pad - 3) % 2
    out = (side + 2 * pad + tail - 3) // 2 + 1
    assert graph.nodes[-1].out == (1, out, out)
    if graph.nodes[-1].op.unknown or (counts and tail):
        return
    x = torch.randn(1, 1, side, side)
    ones = torch.ones_like(x)
    sides = (pad, pad + tail) * 2
    total, area = (functional.avg_pool2d(functional.pad(t, sides), 3, 2) for t in (x, ones))
    wanted = total if counts else total / area
    assert torch.allclose(build(graph).eval()(x), wanted, atol=1e-6)


def test_defaults_of_width_and_height(tmp_path: Path) -> None:
    graph = load(tmp_path, [
        data(10, 12, 4),
        "Convolution a 1 1 data a 0=6 1=3 11=5 3=1 13=2 4=1 14=2 5=0 6=360",
        "Deconvolution b 1 1 a b 0=2 1=2 3=2 5=1 6=48",
    ])  # fmt: skip
    a, b = graph.nodes[1:]
    assert a.op.torch(*a.ins).args == (4, 6, (5, 3))
    assert a.out == (6, 6, 10)
    assert b.out == (2, 12, 20)
    assert b.facts.params == 6 * 2 * 4 + 2


def test_shuffles_cuts_and_shapes_as_torch(tmp_path: Path) -> None:
    graph = load(tmp_path, [
        data(4, 4, 6),
        "ShuffleChannel s 1 1 data s 0=2",
        "ShuffleChannel r 1 1 s r 0=2 1=1",  # the inverse
        "Slice cut 1 3 r x y z -23300=3,1,-233,-233 1=0",
        "Crop tail 1 1 z tail -23309=1,1 -23310=1,2147483647 -23311=1,0",
        "Reshape flat 1 1 tail flat 0=-1",
        "BinaryOp twice 1 1 flat twice 0=2 1=1 2=2",
    ])  # fmt: skip
    outs = {output.name: output.node for output in graph.outputs}
    assert list(outs) == ["cut", "cut_2", "twice"]
    x = torch.randn(1, 6, 4, 4)
    made = build(graph).eval()(x)
    assert torch.equal(made["cut"], x[:, :1])
    assert torch.equal(made["twice"], 2 * x[:, 4:].flatten(1))


def test_attention_is_counted_by_its_products(tmp_path: Path) -> None:
    graph = load(tmp_path, [
        "Input data 0 1 data 0=64 1=10",
        "MemoryData position 0 1 position 0=64 1=10",
        "BinaryOp add 2 1 data position add",
        "LayerNorm norm 1 1 add norm 0=64",
        "MultiHeadAttention mha 1 1 norm mha 0=64 1=4 2=4096",
        "Gemm up 1 1 mha up 3=1 5=1 6=1 8=128 9=64 10=4",
    ])  # fmt: skip
    facts = {node.name: node.facts for node in graph.nodes}
    assert facts["add"].params == 640
    assert facts["norm"].params == 128
    inside = [each for name, each in facts.items() if name.startswith("mha")]
    module = torch.nn.MultiheadAttention(64, 4)
    assert sum(each.params for each in inside) == sum(p.numel() for p in module.parameters())
    assert sum(each.macs for each in inside) == 4 * 10 * 64 * 64 + 2 * 10 * 10 * 64
    assert (facts["up"].params, facts["up"].macs) == (64 * 128 + 128, 10 * 64 * 128)
    assert graph.nodes[-1].out == (10, 128)
    permuted = [node.name for node in graph.nodes if type(node.op).__name__ == "Permute"]
    assert len(permuted) == 2  # to channels first, and back at the end


def test_outputs_are_bounded(tmp_path: Path) -> None:
    tops = " ".join(f"x{place}" for place in range(1500))
    with pytest.raises(ArchscopeError, match="more outputs than the limit of 1000"):
        load(tmp_path, [data(1, 1, 1500), f"Slice s 1 1500 data {tops} -23302=1499,"
                        + ",".join(map(str, range(1, 1500)))])  # fmt: skip


def test_int8_layers_hold_bytes(tmp_path: Path) -> None:
    graph = load(tmp_path, [data(8, 8, 3), "Convolution a 1 1 data a 0=4 1=3 5=1 6=108 8=2"])
    assert graph.nodes[1].weight_bytes == 108 + 4 * 4
    assert graph.nodes[1].weight_bits == 8


def test_heads_and_unknown_layers_are_listed(tmp_path: Path) -> None:
    lines = [data(8, 8, 3), "Convolution a 1 1 data a 0=4 1=1 6=12"]
    graph = load(tmp_path, [*lines, "Yolov3DetectionOutput boxes 1 1 a boxes 0=80"])
    assert graph.about == "not counted: boxes (Yolov3DetectionOutput)"
    graph = load(tmp_path, [*lines, "Fancy f 1 1 a f", "ReLU g 1 1 f g"])
    assert graph.about == "not counted after unknown layers: g (ReLU)"
    assert "macs" in graph.nodes[-1].op.unknown
    graph = load(tmp_path, [*lines, "Fancy f 1 1 a f -23330=4,3,8,4,6", "ReLU g 1 1 f g"])
    assert graph.nodes[-1].out == (6, 4, 8)  # whose shape the file states


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("6=216", "6=217"), "'conv1' has 216 weights by its sizes, the file states 217"),
        (("11 13", "12 13"), "is truncated: it states 12 layers but has 11"),
        (("dw pool1_1", "concat pool1_1"), "reads 'concat', which only a later layer produces"),
        (("conv1 pool1 ", "conb1 pool1 "), "reads 'conb1', which no layer produces, did you mean"),
        (("2=3\nConv", "2=x\nConv"), "expected a number, got 'x'"),
        (("-23300=2,-233,-233", "-23300=3,-233,-233"), "does not have the length that it states"),
        (("0=8 1=3 3=2", "0=8 1=3.5 3=2"), "parameter 1 of 'conv1' must be an integer"),
        (("Pooling          pool1", "Pooling"), "two counts of blobs"),
        (("shuffle 0=2", "shuffle 0=3"), r"net\.param:9:1: 'channel_shuffle' of 3 groups"),
        (("split_0  1 2", "split_0  1 9"), "names fewer than 1 [+] 9 blobs"),
    ],
)
def test_errors(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    assert change[0] in NCNN
    (tmp_path / "net.param").write_text(NCNN.replace(*change, 1))
    with pytest.raises(ArchscopeError, match=said):
        imported(str(tmp_path / "net.param"))


def test_detectors_of_two_stages_are_counted_for_one_region(tmp_path: Path) -> None:
    graph = load(tmp_path, [
        data(16, 16, 3),
        "Input im_info 0 1 im_info 0=3",
        "Convolution map 1 1 data map 0=8 1=3 4=1 6=216",
        "Split copies 1 3 map map0 map1 map2",
        "Convolution scores 1 1 map0 scores 0=4 1=1 6=32",
        "Convolution boxes 1 1 map1 boxes 0=8 1=1 6=64",
        "Proposal proposal 3 1 scores boxes im_info rois",
        "ROIPooling pool 2 1 map2 rois pool 0=6 1=5",
        "InnerProduct fc 1 1 pool fc 0=10 2=2400",
    ])  # fmt: skip
    assert graph.about == (
        "not counted: proposal (Proposal);"
        " counted for one region, which is an input: pool (ROIPooling)"
    )
    shapes = {node.name: node.out for node in graph.nodes}
    assert shapes["pool"] == (8, 5, 6)
    assert {output.node for output in graph.outputs} == {"map", "scores", "boxes", "fc"}
    assert not any(node.op.unknown for node in graph.nodes)
