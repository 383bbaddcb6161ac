"""int8 models: close to float32, measured layer by layer, and mixed to keep accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from archscope.build import build
from archscope.compress.int8 import CALIBRATIONS, Calibration, Quantizer, quantize_int8
from archscope.errors import OptionError
from archscope.exporters.formats import FORMATS, OPSET
from archscope.fused import fused_network
from tests.nets import chain

LAYERS = ["conv1", "conv4", "linear6"]


@pytest.fixture(scope="module")
def model() -> bytes:
    torch.manual_seed(0)
    graph = chain(
        ("conv", {"out": 8, "kernel": 3}),
        ("batchnorm", {}),
        ("relu", {}),
        ("conv", {"out": 8, "kernel": 3}),
        ("flatten", {}),
        ("linear", {"out": 5}),
        x=(3, 8, 8),
    )
    return FORMATS["onnx"].exporter()(fused_network(build(graph).eval()), OPSET)


def batches() -> list[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal((4, 3, 8, 8), np.float32) for _ in range(3)]


def outputs(model: bytes) -> torch.Tensor:
    run = FORMATS["onnx"].loader()(model, {})
    return torch.cat([run(torch.from_numpy(batch)) for batch in batches()])


def in_int8(model: bytes) -> set[str]:
    """Return the layers whose weights are int8 in a model."""
    graph = onnx.load_from_string(model).graph
    return {
        layer
        for layer in LAYERS
        for tensor in graph.initializer
        if tensor.name.startswith(f"{layer}.weight")
        and tensor.data_type == onnx.TensorProto.INT8
        and np.prod(tensor.dims) > 8
    }


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_outputs_stay_near(model: bytes, calibration: Calibration) -> None:
    found = quantize_int8(model, batches(), calibration=calibration)
    assert [layer.name for layer in found.layers] == LAYERS
    assert in_int8(found.model) == {*LAYERS}
    expected, got = outputs(model), outputs(found.model)
    assert 0 < (got - expected).norm() < 0.2 * expected.norm()
    weights = [
        tensor.dims
        for tensor in onnx.load_from_string(found.model).graph.initializer
        if tensor.name.startswith("conv1.weight") and tensor.name.endswith("scale")
    ]
    assert weights == [[8]]  # a scale for each channel


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_transposed_convolutions(groups: int) -> None:
    torch.manual_seed(0)
    graph = chain(
        ("conv", {"out": 8, "kernel": 3}),
        ("conv_transpose", {"out": 16, "kernel": 2, "groups": groups}),
        ("relu", {}),
        ("conv", {"out": 4, "kernel": 3}),
        x=(3, 8, 8),
    )
    model = FORMATS["onnx"].exporter()(fused_network(build(graph).eval()), OPSET)
    before, after = outputs(model), outputs(quantize_int8(model, batches()).model)
    assert (after - before).norm() < 0.1 * before.norm()
    weights = onnx.load_from_string(quantize_int8(model, batches()).model).graph.initializer
    (transposed,) = [each for each in weights if each.name.startswith("conv_transpose2.weight_q")]
    assert transposed.data_type == onnx.TensorProto.INT8


def test_layers_are_called_as_their_nodes() -> None:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3}),
        ("weight_norm_conv", {"out": 4, "kernel": 3}),
        ("locally_connected", {"out": 4, "kernel": 1}),
        x=(3, 8, 8),
    )
    model = FORMATS["onnx"].exporter()(fused_network(build(graph).eval()), OPSET)
    names = {layer.name for layer in quantize_int8(model, batches()).layers}
    assert names == {node.name for node in graph.nodes[1:]}


def test_layers_alone_and_left_out(model: bytes, tmp_path: Path) -> None:
    quantizer = Quantizer(tmp_path, model, batches(), "minmax")
    for layer in LAYERS:
        assert in_int8(quantizer.model(only=[layer])) == {layer}
        assert in_int8(quantizer.model(but=[layer])) == {*LAYERS} - {layer}


def test_the_worst_layers_stay_in_float32(model: bytes) -> None:
    costs = {"conv1": 0.01, "conv4": 0.2, "linear6": 0.05}

    def score(model: bytes) -> tuple[float, float]:
        lost = sum(costs[layer] for layer in in_int8(model))
        return 0.9 - lost, lost

    def left(keep: float | None, *, sensitivity: bool = False) -> list[str]:
        found = quantize_int8(
            model, batches(), score=score, keep_accuracy=keep, sensitivity=sensitivity
        )
        assert found.before == 0.9
        assert found.after == pytest.approx(score(found.model)[0])
        ints = [layer.name for layer in found.layers if layer.int8]
        assert in_int8(found.model) == {*ints}
        if sensitivity:
            assert [layer.lost for layer in found.layers] == pytest.approx([*costs.values()])
        return ints

    assert left(None, sensitivity=True) == LAYERS
    assert left(0.3) == LAYERS
    assert left(0.1) == ["conv1", "linear6"]
    assert left(0.02, sensitivity=True) == ["conv1"]
    assert left(0.0) == []


def test_refusals(model: bytes) -> None:
    with pytest.raises(OptionError, match="calibration needs images"):
        quantize_int8(model, [])
    with pytest.raises(OptionError, match="needs images with labels"):
        quantize_int8(model, batches(), sensitivity=True)
    with pytest.raises(OptionError, match="cannot be kept within 0 points"):
        scores = iter([0.9, *[0.5] * 9])
        quantize_int8(model, batches(), score=lambda model: (next(scores), 0.0), keep_accuracy=0.0)
