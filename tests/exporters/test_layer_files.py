"""Darknet and Caffe files have the same counts and outputs when read back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from archscope import analyze, load
from archscope.build import build
from archscope.cli import main
from archscope.errors import GraphError
from archscope.exporters.export import export_network
from archscope.exporters.formats import FORMATS
from archscope.ir import Graph
from archscope.sources import imported
from archscope.weights import state_dict_of
from tests.nets import Net, chain

DARKNET19 = """\
name: darknet19
inputs: {x: [3, 64, 64]}
blocks:
  conv_bn: {with: {out: , kernel: 3}, layers: [
    {conv: {out: =out, kernel: =kernel, padding: same, bias: false}}, batchnorm,
    {leaky_relu: 0.1}]}
layers:
  - {conv_bn: {out: 8}}
  - {maxpool: 2}
  - {conv_bn: {out: 16}}
  - {conv_bn: {out: 8, kernel: 1}}
  - {maxpool: {kernel: 3, stride: 2, padding: same}}
  - {conv: {out: 10}}
  - global_avgpool
  - flatten
  - softmax
"""

DENSE = """\
name: dense
inputs: {x: [3, 32, 32]}
layers:
  - {conv: {out: 8, kernel: 3, padding: 1, bias: false}}
  - batchnorm
  - relu
  - concat:
      - identity
      - [{conv: {out: 4, kernel: 3, padding: 1, bias: false}}, batchnorm, relu]
    repeat: 3
  - {maxpool: {kernel: 3, stride: 2, ceil: true}}
  - {dropout: 0.3}
  - {conv: {out: 6, kernel: 3, dilation: 2, padding: 2, groups: 2}}
  - flatten
  - {linear: 7}
  - {dropout: 0.5}
  - {linear: 5}
"""

TEXTS = {"darknet19": DARKNET19, "dense": DENSE}
BOTH = ("resnet18", "resnext50_32x4d", "vgg16", "mobilenet_v2", "squeezenet1_1", "googlenet",
        "alexnet", "dense")  # fmt: skip
CASES = [
    *((to, name) for to in ("darknet", "prototxt") for name in BOTH),
    ("darknet", "darknet19"), ("prototxt", "densenet121"), ("prototxt", "vgg11_bn"),
    ("prototxt", "shufflenet_v2_x0_5"), ("prototxt", "inception_v3"),
]  # fmt: skip


def network(name: str, folder: Path, **words: Any) -> Graph:
    if name not in TEXTS:
        return load(name, **words)
    path = folder / f"{name}.yaml"
    path.write_text(TEXTS[name])
    return load(str(path), **words)


def text(graph: Graph, to: str) -> str:
    """Return the file of a network, which is made of its graph alone."""
    return FORMATS[to].exporter()(SimpleNamespace(graph=graph), 0).decode()  # type: ignore[arg-type]


def again(graph: Graph, to: str, folder: Path) -> Graph:
    path = folder / f"net{FORMATS[to].suffix}"
    path.write_text(text(graph, to))
    return load(str(path))


@pytest.mark.parametrize(("to", "name"), CASES)
def test_a_network_counts_the_same_when_it_is_read_back(to: str, name: str, tmp_path: Path) -> None:
    graph = network(name, tmp_path).inference()
    ours, theirs = graph, again(graph, to, tmp_path)
    found, expected = (analyze(each).totals for each in (theirs, ours))
    for total in ("params", "buffers", "macs", "activations", "weight_bytes", "depth"):
        assert getattr(found, total) == getattr(expected, total), total
    rows = [
        [(node.op.name, node.facts.params, node.facts.macs, node.out)
         for node in each.nodes if node.facts.params or node.facts.macs]
        for each in (ours, theirs)
    ]  # fmt: skip
    assert rows[0] == rows[1]
    assert theirs.inputs[0].out == ours.inputs[0].out


@pytest.mark.parametrize("to", ["darknet", "prototxt"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet18", {"set": {"depths": [1, 1, 1, 1], "width": 0.25}, "input": (3, 64, 64)}),
        ("squeezenet1_1", {"input": (3, 64, 64)}), ("dense", {}),
    ],
)  # fmt: skip
def test_a_network_computes_the_same_when_it_is_read_back(
    to: str, name: str, words: dict[str, Any], tmp_path: Path
) -> None:
    graph = network(name, tmp_path, **words)
    exported = export_network(graph, to, weights=trained(graph))
    assert exported.difference is not None and exported.difference < 1e-5
    exported = export_network(graph, to, weights=trained(graph), fused=True)
    assert exported.norms_folded == sum(node.op.name == "batchnorm" for node in graph.nodes)


def trained(graph: Graph) -> dict[str, torch.Tensor]:
    """Return weights with statistics that matter."""
    torch.manual_seed(3)
    built = build(graph)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.01, 1.5)
    return built.state_dict()


def test_weights_of_darknet_are_those_that_are_read(tmp_path: Path) -> None:
    """The file beside the configuration has what the importer of it takes for weights."""
    net = Net(x=(3, 16, 16))
    stem = net("relu", net("batchnorm", net("conv", "x", out=4, kernel=3, bias=False), eps=0.01))
    up = net("conv_transpose", net("conv", stem, out=6, groups=2), out=5, kernel=3)
    up = net("upsample", up, scale=2)
    norm = net("batchnorm", net("linear", net("flatten", up), out=7, bias=False))
    graph = net.graph(net("linear", norm, out=2))
    exported = export_network(graph, "darknet", weights=trained(graph))
    (tmp_path / "net.cfg").write_bytes(exported.content)
    (tmp_path / "net.weights").write_bytes(exported.weights())
    found = imported(str(tmp_path / "net.cfg"))
    other = build(found.graph).eval()
    other.load_state_dict(state_dict_of(found.graph, found.weights()))
    x = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(other(x), exported.network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("suffix", "beside"), [("cfg", "weights"), ("prototxt", "safetensors")])
def test_the_suffix_says_the_format_and_weights_lie_beside(
    suffix: str, beside: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.yaml").write_text(DENSE)
    out = tmp_path / f"out.{suffix}"
    assert not main(["export", str(tmp_path / "net.yaml"), "-o", str(out)])
    assert "not in the file" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"net.yaml", out.name}
    assert not main(["export", str(tmp_path / "net.yaml"), "-o", str(out), "--seed", "1"])
    assert (tmp_path / f"out.{beside}").is_file()
    assert load(str(out)).nodes


def test_sections_of_darknet_are_as_people_write_them(tmp_path: Path) -> None:
    lines = text(network("dense", tmp_path), "darknet").splitlines()
    assert lines[:13] == [
        "[net]", "batch=1", "channels=3", "height=32", "width=32", "",
        "# conv0 and batchnorm0, variances plus 9e-06", "[convolutional]", "batch_normalize=1",
        "filters=8", "size=3", "stride=1", "pad=1",
    ]  # fmt: skip
    assert lines[13] == "activation=relu"
    assert "layers=-2,-1" in lines and "layers=-1" not in lines


def split_in_three() -> Graph:
    net = Net(x=(6, 8, 8))
    parts = [net("slice", "x", start=start, stop=stop) for start, stop in ((0, 1), (1, 3), (3, 6))]
    return net.graph(net("concat", *parts[::-1]))


def read_output() -> Graph:
    net = Net(x=(4, 8, 8))
    first = net("relu", net("conv", "x", out=4))
    return net.graph(first, net("conv", first, out=4))


def shared() -> Graph:
    net = Net(x=(4, 6, 6))
    once = net("conv", "x", name="conv", out=4)
    return net.graph(net("conv", once, out=4, shares="conv"))


def one(word: str, **given: Any) -> Callable[[], Graph]:
    return lambda: chain(("conv", {"out": 4}), (word, given), x=(4, 8, 8))


REFUSED = [
    ("darknet", one("conv", out=4, kernel=(1, 3)), "only the same kernel on both axes, got"),
    ("darknet", one("conv", out=4, bias=False), "need a bias or a batch norm"),
    ("darknet", one("conv", out=4, kernel=2, padding="same"), "only equal padding on all sides"),
    ("darknet", one("avgpool", kernel=2), "no such layer"),
    ("darknet", one("groupnorm", groups=2), "no such layer"),
    ("darknet", one("batchnorm"), "batch norms only directly after a layer"),
    ("darknet", one("flatten"), "flattens only the inputs of fully connected"),
    ("darknet", one("leaky_relu", slope=0.3), "no such layer"),
    ("darknet", one("upsample", scale=2, mode="linear"), "only nearest upsampling"),
    ("darknet", split_in_three, "only into equal parts"),
    ("darknet", shared, "cannot share weights"),
    ("prototxt", one("conv", out=4, kernel=2, padding="same"), "equal padding on both sides"),
    ("prototxt", one("groupnorm", groups=2), "no such layer"),
    ("prototxt", one("avgpool", kernel=3, padding=1, count_padding=False), "counts the zeros"),
    ("prototxt", one("elu", alpha=0.5), "alpha 1"),
    ("prototxt", one("maxpool", kernel=2, dilation=2), "no dilation"),
    ("prototxt", one("slice", start=1, stop=3), "splits all channels into"),
    ("prototxt", read_output, "cannot be the input of another layer"),
    ("darknet", read_output, "cannot be the input of another layer"),
]


@pytest.mark.parametrize(("to", "make", "why"), REFUSED)
def test_what_a_format_cannot_say_is_refused_with_the_node(
    to: str, make: Callable[[], Graph], why: str
) -> None:
    with pytest.raises(GraphError, match=why) as caught:
        text(make(), to)
    assert "cannot express '" in str(caught.value) and "\n" not in str(caught.value)


def test_parts_and_shared_weights_in_caffe(tmp_path: Path) -> None:
    for graph in (split_in_three(), shared()):
        found = again(graph, "prototxt", tmp_path)
        assert analyze(found).totals.params == analyze(graph).totals.params
        assert not analyze(found).opaque
        assert export_network(graph, "prototxt").difference == 0


@pytest.mark.parametrize("to", ["darknet", "prototxt"])
def test_pools_keep_their_sizes_or_are_refused(to: str, tmp_path: Path) -> None:
    said = 0
    for side, kernel, stride, padding, ceil in product(
        (7, 8, 9, 12), (2, 3), (1, 2, 3), (0, 1), (False, True)
    ):
        net = Net(x=(2, side, side))
        pool = net("maxpool", "x", kernel=kernel, stride=stride, padding=padding, ceil=ceil)
        graph = net.graph(pool)
        try:
            found = again(graph, to, tmp_path)
        except GraphError:
            continue
        said += 1
        assert found.nodes[-1].out == graph.nodes[-1].out
        assert found.nodes[-1].op.name == "maxpool"
    assert said > 70
