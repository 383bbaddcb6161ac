"""Rows of the layer table: sums over the layers of each block at every depth."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope import analyze, load
from archscope.latency.predict import predict
from archscope.latency.profile import load as load_profile
from archscope.report.tables.analysis import layer_records, layer_table

NET = """
input: [3, 32, 32]
blocks:
  body:
    layers:
      - conv_bn_relu: {out: 8, kernel: 3, padding: 1}
      - conv: {out: 8, kernel: 3, padding: 1}
use: [blocks/common.yaml]
layers:
  - {conv: {out: 8, kernel: 1}, name: stem}
  - {body: , name: start}
  - {body: , name: end}
  - global_avgpool
  - flatten
  - linear: {out: 10}
"""


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_rows_share_out_latency_and_flash(depth: int) -> None:
    graph = load(NET)
    latency = predict(load_profile("rtx4090"), graph)
    analysis = structs.replace(analyze(graph, target="mcu"), latency=latency)
    assert analysis.microcontroller is not None
    shown = layer_table(analysis, depth)
    assert sum(row[-1] or 0.0 for row in shown.rows) == pytest.approx(latency.milliseconds)
    records = layer_records(analysis, depth)
    place = {column.name: number for number, column in enumerate(records.columns)}
    times = [row[place["milliseconds"]] for row in records.rows]
    assert sum(times) == pytest.approx(latency.milliseconds)
    flash = sum(row[place["flash_bytes"]] for row in records.rows)
    assert flash == analysis.microcontroller.flash_bytes
    assert max(row[place["ram_bytes"]] for row in records.rows) == (
        analysis.microcontroller.ram_bytes
    )
