"""Out of archscope and back: the same analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs

from archscope.analysis import analyze
from archscope.build import build
from archscope.exporters.export import export_network
from archscope.importers.torch import from_module
from archscope.ir import Graph
from archscope.sources import load

NAMED = ("peak_node",)  # names are those of the other framework
LONGER = ("width", "longest_path", "layers")  # a file says some layers in more steps,
INFERENCE = ("saved_bytes", "training_bytes")  # and has no dropout


def totals(graph: Graph, *less: str) -> dict[str, Any]:
    """Return every total, and the receptive field."""
    found = analyze(graph)
    rows = structs.asdict(found.totals)
    for name in (*NAMED, *less):
        del rows[name]
    field = found.receptive_field
    return {**rows, "field": (field.size, field.stride, field.padding) if field else None}


@pytest.mark.parametrize(
    "name",
    ["lenet5", "resnet18", "mobilenet_v2", "shufflenet_v1_g3", "squeezenet1_1", "regnet_y_400mf"],
)
def test_spec_to_module_to_spec(name: str) -> None:
    graph = load(name)
    inputs = tuple(torch.zeros(1, *node.out, device="meta") for node in graph.inputs)
    assert totals(from_module(build(graph, device="meta"), inputs).graph) == totals(graph)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lenet5", {}), ("squeezenet1_1", {}), ("shufflenet_v2_x0_5", {"depths": [2, 3, 2]}),
        ("resnet18", {"depths": [1, 2, 1, 1], "width": 0.5}),
    ],
)  # fmt: skip
def test_spec_to_onnx_to_spec(name: str, values: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch writes ONNX with onnxscript")
    graph = load(name, set=values)
    path = tmp_path / "net.onnx"
    path.write_bytes(export_network(graph, "onnx").content)
    assert totals(load(path.as_posix()), *LONGER, *INFERENCE) == totals(graph, *LONGER, *INFERENCE)
