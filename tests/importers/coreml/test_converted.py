"""Networks that coremltools converts, in both kinds, compute and count as the original."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.build import build
from archscope.sources import imported
from archscope.weights import state_dict_of

pytest.importorskip("onnx", reason="needs archscope[onnx]")


class Small(nn.Module):
    """A network with a norm, a branch, a gate and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16))
        self.deep = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.gate = nn.Conv2d(16, 16, 1)
        self.head = nn.Linear(32, 10)
        self.stem[1].bias.data.uniform_(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        y = nn.functional.hardswish(self.deep(x))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        x = torch.cat((x, y), 1).unflatten(1, (2, 16)).transpose(1, 2).flatten(1, 2)
        y = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="bilinear")
        return self.head(y.mean((2, 3)))  # type: ignore[no-any-return]


def converted(network: nn.Module, x: Tensor, kind: str, folder: Path) -> Path:
    """Convert a network with coremltools."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tools = pytest.importorskip("coremltools", reason="needs coremltools")
        given: dict[str, Any] = {}
        if kind == "mlprogram":
            given["compute_precision"] = tools.precision.FLOAT32
        traced = torch.jit.trace(network, x)
        inputs = [tools.TensorType(shape=x.shape)]
        model = tools.convert(traced, inputs=inputs, convert_to=kind, **given)
        path = folder / ("net.mlpackage" if kind == "mlprogram" else "net.mlmodel")
        model.save(str(path))
    return path


@pytest.mark.parametrize("kind", ["mlprogram", "neuralnetwork"])
def test_a_converted_network_computes_and_counts_the_same(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, x = Small().eval(), torch.randn(1, 3, 32, 32)
    found = imported(str(converted(network, x, kind, tmp_path)))
    ours = build(found.graph).eval()
    ours.load_state_dict(state_dict_of(found.graph, found.weights()))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), network(x), rtol=1e-4, atol=1e-5)
    norms = 2 * 16 - 16  # the batch norm becomes the bias of the convolution before it
    totals = archscope.analyze(found.graph).totals
    assert totals.params == sum(part.numel() for part in network.parameters()) - norms
    assert not any(node.op.unknown for node in found.graph.nodes)
