"""What operators state as their form in ONNX, run in onnxruntime beside their torch modules."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch

from archscope.exporters.onnx_writer import write_onnx
from archscope.exporters.weight_arrays import stated_weights
from archscope.importers.onnx import from_file
from archscope.ir import Builder, Example, Graph, Output, facts
from archscope.ops import OPS
from archscope.weights import COUNTER
from tests.ops.cases import CASES, inputs_of, trained_module

WRITTEN = [case for case in CASES if case.values[0].op.onnx(*case.values[0].ins) is not None]
every_form = pytest.mark.parametrize("case", WRITTEN)


def graph_of(case: Example) -> Graph:
    builder = Builder()
    names = [
        builder.add(f"x{place}", OPS["input"](size=shape)) for place, shape in enumerate(case.ins)
    ]
    builder.add("op", case.op, names)
    return Graph("alone", tuple(builder.nodes.values()), (Output("y", "op"),))


@every_form
def test_onnx_form_computes_what_torch_does(case: Example) -> None:
    module, graph = trained_module(case), graph_of(case)
    weights = {f"op.{name}": tensor.numpy() for name, tensor in module.state_dict().items()}
    model = write_onnx(graph, weights)
    model.check()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.content(), options)
    for batch in (1, 3):
        inputs = [tensor.detach() for tensor in inputs_of(case, batch)]
        with torch.no_grad():
            expected = module(*(tensor.clone() for tensor in inputs))
        feeds = {f"x{place}": tensor.numpy() for place, tensor in enumerate(inputs)}
        (found,) = session.run(["y"], feeds)
        scale = max(1.0, expected.abs().max().item())
        tolerance = max(1e-5, case.op.step) * scale
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=tolerance)


@every_form
def test_onnx_form_has_the_weights_of_the_module(case: Example) -> None:
    held = {
        f"op.{name}": tuple(tensor.shape)
        for name, tensor in trained_module(case).state_dict().items()
        if not name.endswith(COUNTER)
    }
    stated = {name: weight.shape for name, weight in stated_weights(graph_of(case)).items()}
    assert stated == held


WHOLE = {
    "channel_max", "channel_mean", "channel_shuffle", "distance", "global_maxpool", "maxout",
    "pixel_shuffle", "space_to_depth", *(f"pad-{number}" for number in range(7)),
    *(f"upsample-{number}" for number in range(4)),
}  # fmt: skip
"""Operators, or examples of them, that the importer finds again in ONNX's and their constants."""


@pytest.mark.parametrize(
    "case", [case for case in CASES if {case.id, case.values[0].op.name} & WHOLE]
)
def test_onnx_form_is_read_as_the_operator(case: Example, tmp_path: Path) -> None:
    path = tmp_path / "op.onnx"
    path.write_bytes(write_onnx(graph_of(case)).content())
    read = [node for node in from_file(path).graph.nodes if node.inputs]
    assert [(node.op.name, node.facts) for node in read] == [
        (case.op.name, facts(case.op, case.ins))
    ]
