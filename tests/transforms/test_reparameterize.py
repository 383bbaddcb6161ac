"""Parallel branches merged into one convolution compute the same, and only what they can."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archscope import analyze, load
from archscope.build import build
from archscope.cli import main
from archscope.errors import GraphError
from archscope.fused import reparameterized_weights
from archscope.ir import Graph
from archscope.transforms.reparameterize import reparameterize
from archscope.weights import load_weights, read_weights, write_weights
from tests.nets import Net
from tests.transforms.test_fuse import close, lively


def outputs(graph: Graph) -> tuple[torch.Tensor, torch.Tensor, Graph]:
    network, merged = lively(graph), reparameterize(graph)
    deployed = build(merged).double().eval()
    deployed.load_state_dict(reparameterized_weights(graph, network.state_dict()))
    torch.manual_seed(1)
    inputs = [torch.randn(2, *node.out, dtype=torch.float64) for node in graph.inputs]
    with torch.no_grad():
        plain = network(*[x.clone() for x in inputs])
        return plain, deployed(*inputs), merged


def test_repvgg_is_deployed_with_the_published_size() -> None:
    """Ding et al. 2021, table 4: 8.30 M params; timm's reparameterize_model has 8,309,384."""
    merged = reparameterize(load("repvgg_a0"))
    assert analyze(merged).totals.params == 8309384
    assert [node.op.name for node in merged.nodes[1:4]] == ["conv", "relu", "conv"]
    plain, deployed, _ = outputs(load("repvgg_a0", input=(3, 32, 32)))
    assert close(plain, deployed, 1e-10)


MERGED = {
    "identity": [("conv", {"out": 6, "kernel": 3, "padding": 1}), None],
    "identity twice": [("conv", {"out": 6, "kernel": 3, "padding": 1}), None, None],
    "norm": [("conv", {"out": 6, "kernel": 3, "padding": 1}), ("batchnorm", {})],
    "bare norm": [("conv", {"out": 6}), ("batchnorm", {"affine": False})],
    "depthwise": [("conv", {"out": 6, "kernel": 5, "padding": 2, "groups": 6}), None],
    "groups": [
        ("conv", {"out": 6, "kernel": 3, "padding": 1, "groups": 2}),
        ("conv", {"out": 6, "groups": 2, "bias": False}),
        None,
    ],
    "asymmetric": [
        ("conv", {"out": 4, "kernel": 3, "padding": 1}),
        ("conv", {"out": 4, "kernel": (1, 3), "padding": (0, 1)}),
        ("conv", {"out": 4, "kernel": (3, 1), "padding": (1, 0), "bias": False}),
    ],
    "off centre": [
        ("conv", {"out": 4, "kernel": 3, "padding": ((0, 2), (1, 1))}),
        ("conv", {"out": 4, "kernel": 2, "padding": ((0, 1), (1, 0))}),
    ],
    "dilated": [
        ("conv", {"out": 4, "kernel": 3, "padding": 2, "dilation": 2}),
        ("conv", {"out": 4}),
    ],
    "dilated within": [
        ("conv", {"out": 4, "kernel": 5, "padding": 2}),
        ("conv", {"out": 4, "kernel": 3, "padding": 2, "dilation": 2}),
    ],
    "stride": [
        ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": 1}),
        ("conv", {"out": 4, "stride": 2}),
    ],
}

APART = {
    "kernels of which none has room": [
        ("conv", {"out": 6, "kernel": (1, 3), "padding": (0, 1)}),
        ("conv", {"out": 6, "kernel": (3, 1), "padding": (1, 0)}),
    ],
    "groups": [("conv", {"out": 6, "kernel": 3, "padding": 1, "groups": 6}), ("conv", {"out": 6})],
    "weights with a norm": [
        ("weight_norm_conv", {"out": 6, "kernel": 3, "padding": 1}),
        ("weight_norm_conv", {"out": 6}),
    ],
    "constant weights": [("fixed_conv", {"out": 6, "kernel": 3, "padding": 1}), None],
    "no convolution": [("batchnorm", {}), None],
    "non-linear": [("relu", {}), None],
}


def branched(branches: list[tuple[str, dict[str, object]] | None]) -> Graph:
    net = Net(x=(6, 9, 8))
    ends = ["x" if branch is None else net(branch[0], "x", **branch[1]) for branch in branches]
    net("relu", net("add", *ends))
    return net.graph()


@pytest.mark.parametrize("name", MERGED)
def test_branches_become_one_convolution(name: str) -> None:
    plain, deployed, merged = outputs(branched(MERGED[name]))
    assert [node.op.name for node in merged.nodes] == ["input", "conv", "relu"]
    assert close(plain, deployed, 1e-12)


@pytest.mark.parametrize("name", APART)
def test_other_branches_stay(name: str) -> None:
    with pytest.raises(GraphError, match="no parallel branches"):
        reparameterize(branched(APART[name]))


def test_what_others_read_or_share_stays() -> None:
    net = Net(x=(4, 8, 8))
    a, b = net("conv", "x", out=4, kernel=3, padding=1), net("conv", "x", out=4)
    net("concat", a, net("add", a, b))
    with pytest.raises(GraphError):
        reparameterize(net.graph())
    net = Net(x=(4, 8, 8))
    a = net("conv", "x", out=4)
    net("add", a, net("conv", net("relu", "x"), out=4, shares=a), "x")
    with pytest.raises(GraphError):
        reparameterize(net.graph())


def test_sums_of_sums_and_other_terms() -> None:
    net = Net(x=(4, 8, 8))
    inner = net("add", net("conv", "x", out=4, kernel=3, padding=1), net("conv", "x", out=4))
    net("add", inner, "x", net("relu", "x"))
    plain, deployed, merged = outputs(net.graph())
    assert sorted(node.op.name for node in merged.nodes) == ["add", "conv", "input", "relu"]
    assert close(plain, deployed, 1e-12)


@pytest.mark.parametrize("fold", [[], ["--fold"]])
def test_convert_takes_weights_along(tmp_path: Path, fold: list[str]) -> None:
    graph = load("repvgg_a0", input=(3, 32, 32))
    network = lively(graph, torch.float32)
    before, after, spec = (str(tmp_path / name) for name in ("a.safetensors", "b.safetensors", "s"))
    write_weights(network.state_dict(), Path(before))
    options = ["--weights", before, "--weights-output", after, "-o", spec, *fold]
    line = ["convert", "repvgg_a0", "--input", "3x32x32", "--reparameterize", *options]
    assert main(line) == 0
    deployed = build(load(spec)).eval()
    load_weights(deployed, read_weights(Path(after)), "the file")
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert close(network(x), deployed(x), 1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--reparameterize", "--weights", "a.safetensors"], "go together"),
        (["--flat", "--weights", "a", "--weights-output", "b", "-o", "c"], "changes weights"),
        (["--fused", "--weights", "a", "--weights-output", "b"], "needs -o"),
        (["--reparameterize", "--fully-convolutional"], "convert twice"),
    ],
)
def test_options_that_do_not_go_together(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "repvgg_a0", *options]) == 2
    assert words in capsys.readouterr().err
