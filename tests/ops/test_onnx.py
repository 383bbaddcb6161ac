"""The ONNX forms of operators, run in onnxruntime and compared with their torch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archscope.contracts.op_facts import graph_of
from archscope.contracts.op_onnx import FORMS
from archscope.exporters.onnx_writer import write_onnx
from archscope.importers.onnx import from_file
from archscope.ir import Example, facts
from tests.ops.cases import CASES

WRITTEN = [case for case in CASES if case.values[0].op.onnx(*case.values[0].ins) is not None]
every_form = pytest.mark.parametrize("case", WRITTEN)


@pytest.mark.parametrize("check", FORMS, ids=[check.__name__ for check in FORMS])
@every_form
def test_onnx_form_is_the_module_s(case: Example, check: Callable[[Example], None]) -> None:
    check(case)


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
