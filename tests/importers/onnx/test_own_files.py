"""Files of our own writer: what was learned of them comes back, operator by operator."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch

from archscope.analysis.analyzer import analyze
from archscope.build import build
from archscope.contracts.op_facts import graph_of
from archscope.errors import DataError
from archscope.exporters.onnx_writer import write_onnx
from archscope.exporters.weight_arrays import random_arrays
from archscope.importers.onnx import from_file
from archscope.ir import Example, Graph, Node
from archscope.onnx_form import LEARNED
from archscope.weights import load_weights, state_dict_of
from tests.nets import chain
from tests.ops.cases import CASES

Counts = tuple[int, int, int]
"""Params, buffers and macs."""

MASK = "a mask computed of positions is an array in the file, so that it counts as a buffer"
STATE = "the products with a first state of 0 are left out, and so are their weights"
NORMED = "the file has the weights that direction and length make, not these"
OTHERWISE = {
    **dict.fromkeys(("scaled_dot_product_attention-1", "dot_product_attention-2"), MASK),
    **dict.fromkeys(("window_attention-1", "window_attention-4"), MASK),
    **dict.fromkeys(("gru_cell-1", "gru_cell-2", "lstm_cell-1", "rnn_cell-2"), STATE),
    **dict.fromkeys(("weight_norm_conv-0", "weight_norm_conv-1"), NORMED),
    **dict.fromkeys(("weight_norm_linear-0", "weight_norm_linear-1"), NORMED),
    **dict.fromkeys(("atan2-0", "atan2-1", "atan2-2"),
                    "the constants it chooses from are values of their own"),
    "einsum-1": "ONNX has no order of its products",
    "fake_quantize-4": "ONNX's step is a setting of the operators that round",
}  # fmt: skip
"""The examples whose ONNX form does not have their numbers, and why."""


ALONE = "positions that no pool of the file found have no window"
EACH = "a matrix for each position is not recognised"
STARTS = "first states that are inputs are not read"
OPAQUE = {
    **{f"max_unpool-{number}": ALONE for number in range(3)},
    **{f"locally_connected-{number}": EACH for number in range(6)},
    **dict.fromkeys(("gru-4", "lstm-5", "rnn-4"), STARTS),
}
"""The examples that come back as opaque operators, and why."""


def counts(graph: Graph) -> Counts:
    totals = analyze(graph).totals
    return totals.params, totals.buffers, totals.macs


def read(graph: Graph, folder: Path) -> Graph:
    path = folder / "net.onnx"
    path.write_bytes(write_onnx(graph).content())
    return from_file(path).graph


WRITTEN = [case for case in CASES if case.values[0].op.onnx(*case.values[0].ins) is not None]


@pytest.mark.parametrize("case", WRITTEN)
def test_numbers_of_an_operator_come_back(
    case: Example, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    graph = graph_of(case)
    same = counts(read(graph, tmp_path)) == counts(graph)
    reason = OTHERWISE.get(request.node.callspec.id)
    assert same == (reason is None), reason


@pytest.mark.parametrize("case", WRITTEN)
def test_what_comes_back_computes_the_same(
    case: Example, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    graph = graph_of(case)
    content = write_onnx(graph, random_arrays(graph, seed=1)).content()
    (tmp_path / "net.onnx").write_bytes(content)
    found = from_file(tmp_path / "net.onnx")
    reason = OPAQUE.get(request.node.callspec.id)
    assert ("opaque" in [node.op.name for node in found.graph.nodes]) == (reason is not None)
    if reason is not None:
        return
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    torch.manual_seed(1)
    given = [torch.randn(2, *node.out) for node in graph.inputs]
    given = [x.abs() for x in given] if case.positive else given
    session = onnxruntime.InferenceSession(content)
    feed = {one.name: x.numpy() for one, x in zip(session.get_inputs(), given, strict=True)}
    theirs = torch.from_numpy(session.run(None, feed)[0]).float()
    with torch.no_grad():
        ours = network(*map(_in_place, given, found.graph.inputs)).float()
    ours = ours if ours.shape == theirs.shape else ours.movedim(1, -1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)


def _in_place(x: torch.Tensor, node: Node) -> torch.Tensor:
    """Return an input with its channels first, if the file that was read has them last."""
    return x if tuple(x.shape[1:]) == node.out else x.movedim(-1, 1)


def test_exceptions_are_examples() -> None:
    assert OTHERWISE.keys() | OPAQUE.keys() <= {case.id for case in CASES}


CONSTANT = chain(
    ("conv", {"out": 12, "kernel": 1}),
    ("window_attention", {"heads": 2, "size": 4}),
    ("fixed_conv", {"out": 4, "kernel": 3, "padding": 1, "groups": 4}),
    ("unfold", {"kernel": 2, "stride": 2}),
    ("learned", {"size": (16, 1, 1), "function": "div", "fixed": True}),
    ("learned", {"size": (1, 1, 1), "function": "maximum"}),
    x=(3, 8, 8),
)


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC"])
def test_learned_numbers_survive_onnxruntime(level: str, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(write_onnx(CONSTANT).content(), options)
    found = from_file(tmp_path / "optimised.onnx").graph
    assert counts(found) == counts(CONSTANT)


def test_constant_weights_are_read(tmp_path: Path) -> None:
    graph = chain(
        ("frozen_batchnorm", {}),
        ("fixed_conv", {"out": 6, "kernel": 3, "bias": True}),
        ("fixed_conv_transpose", {"out": 2, "kernel": 2}),
        ("flatten", {}),
        ("fixed_linear", {"out": 5}),
        x=(3, 6, 6),
    )
    content = write_onnx(graph, random_arrays(graph, seed=1)).content()
    (tmp_path / "net.onnx").write_bytes(content)
    found = from_file(tmp_path / "net.onnx")
    assert [node.op.name for node in found.graph.nodes] == [node.op.name for node in graph.nodes]
    network = build(found.graph).eval()
    weights = {name: torch.as_tensor(array) for name, array in found.weights().items()}
    load_weights(network, weights, "the file")
    images = torch.rand(2, 3, 6, 6)
    (theirs,) = onnxruntime.InferenceSession(content).run(None, {"x": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(network(images), torch.from_numpy(theirs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("told", ["[]", '{"op.weight": -1}', '{"op.weight": "all"}', "{"])
def test_broken_counts_are_refused(told: str, tmp_path: Path) -> None:
    model = onnx.load_from_string(write_onnx(CONSTANT).content())
    onnx.helper.set_model_props(model, {LEARNED: told})
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(DataError, match=f"net.onnx: the metadata '{LEARNED}' need a number"):
        from_file(tmp_path / "net.onnx")
