"""torchvision's networks, exported to ONNX, are the zoo's: numbers, and outputs of onnxruntime."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

pytest.importorskip("onnx", reason="needs archscope[onnx]")
pytest.importorskip("onnxscript", reason="torch's newer exporter needs onnxscript")

from archscope import analyze, language, load
from archscope.analysis import Analysis
from archscope.importers.onnx import from_file
from archscope.language.write import to_yaml
from tests.importers.onnx.models import outputs
from tests.zoo.oracle import torchvision

DAILY = ("mobilenet_v3_large", "shufflenet_v2_x1_0")
OTHERS = ("resnet50", "densenet121", "inception_v3", "efficientnet_b0")
EVERY = bool(os.environ.get("ARCHSCOPE_EVERY_MODEL"))
FIELDS = ("size", "stride", "padding", "smallest", "sees_all", "known")


def network(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """Return a network whose norms do something, and a batch for it.

    No two of its weights are equal: exporters write equal ones once.
    """
    torch.manual_seed(0)
    words = {"init_weights": False} if name == "inception_v3" else {}
    module = getattr(torchvision().models, name)(**words).eval()
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    size = 299 if name == "inception_v3" else 224
    return module, torch.zeros(2, 3, size, size)


def export(name: str, path: Path, **words: Any) -> None:
    """Export as torch does, without what it says about itself."""
    module, batch = network(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (batch,), str(path), input_names=["image"], verbose=False, **words
        )


def field(result: Analysis) -> list[Any]:
    return [getattr(result.receptive_field, name) for name in FIELDS]


def check(name: str, path: Path, folded: bool = False) -> None:
    """Hold the file against the zoo's network, and what we build of it against onnxruntime."""
    found = from_file(path)
    read = language.graph(language.document(path.name, text=to_yaml(found.graph).encode()))
    result, zoo = analyze(read), analyze(load(name))
    assert result.unknown == ()
    assert not any(node.op.name == "opaque" for node in read.nodes)
    assert result.totals.macs == zoo.totals.macs
    assert field(result) == field(zoo)
    if not folded:
        assert result.totals.params == zoo.totals.params
        assert result.totals.buffers == zoo.totals.buffers
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * float(abs(theirs).max()))


@pytest.mark.parametrize("name", DAILY + OTHERS)
def test_is_the_zoo_s_network(name: str, tmp_path: Path) -> None:
    if name in OTHERS and not EVERY:
        pytest.skip("runs where ARCHSCOPE_EVERY_MODEL is set; two others run")
    path = tmp_path / f"{name}.onnx"
    axes = {"image": {0: "batch"}}
    words = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    export(name, path, dynamo=False, opset_version=17, dynamic_axes=axes, **words)
    check(name, path)


@pytest.mark.parametrize("name", DAILY + OTHERS)
@pytest.mark.parametrize("opset", [18, 25])
def test_newer_exporter_s_unoptimised(name: str, opset: int, tmp_path: Path) -> None:
    if (name, opset) != ("shufflenet_v2_x1_0", 25) and not EVERY:
        pytest.skip("runs where ARCHSCOPE_EVERY_MODEL is set; another runs")
    path = tmp_path / f"{name}.onnx"
    export(name, path, dynamo=True, opset_version=opset, optimize=False, external_data=True)
    check(name, path)


@pytest.mark.parametrize("name", DAILY + OTHERS)
def test_exporter_that_folds_norms_into_convolutions(name: str, tmp_path: Path) -> None:
    """What is left is the file's network: the same work with fewer params."""
    if name != "mobilenet_v3_large" and not EVERY:
        pytest.skip("runs where ARCHSCOPE_EVERY_MODEL is set; another runs")
    path = tmp_path / f"{name}.onnx"
    export(name, path, dynamo=False, opset_version=17)
    check(name, path, folded=True)
    assert analyze(from_file(path).graph).totals.params < analyze(load(name)).totals.params
