"""Recurrent layers of ONNX: their macs agree with torch's counter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from archscope.exporters.onnx_writer import write_onnx
from archscope.importers.onnx import from_file
from archscope.ir import Graph
from archscope.ops import OPS
from tests.nets import chain


def written(graph: Graph, path: Path) -> Graph:
    path.write_bytes(write_onnx(graph).content())
    return from_file(path).graph


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("settings", [{}, {"layers": 2, "bidirectional": True}])
def test_macs_are_known(kind: str, settings: dict[str, int], tmp_path: Path) -> None:
    graph = chain((kind, {"hidden": 6, **settings}), x=(5, 7))
    found = written(graph, tmp_path / "net.onnx")
    layers = [node for node in found.nodes if node.facts.macs]
    assert not any("macs" in node.op.unknown for node in found.nodes)
    assert sum(node.facts.macs for node in layers) == graph.nodes[-1].facts.macs


@pytest.mark.parametrize("projection", [0, 3])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_macs_of_an_lstm_are_torch_s(projection: int) -> None:
    op = OPS["lstm"](hidden=6, layers=2, bidirectional=True, projection=projection)
    theirs = nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True, proj_size=projection)
    assert op.params((5, 7)) == sum(parameter.numel() for parameter in theirs.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        theirs.to("meta")(torch.rand(1, 7, 5, device="meta"))
    assert 2 * op.macs((5, 7)) == counter.get_total_flops()
