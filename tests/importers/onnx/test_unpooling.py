"""Unpooling comes back from ONNX files, in each of the ways in which they write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from archscope import load
from archscope.exporters.export import export_network
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_aten_forms import check
from tests.importers.onnx.test_onnx_ops import ints, node

POOL = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}
SPEC = """
input: [3, 9, 8]
layers:
  - {conv: {out: 4, kernel: 1}, name: stem}
  - {maxpool: {kernel: 2, stride: 2}, name: pool}
  - {maxpool_indices: {kernel: 2, stride: 2}, from: stem, name: places}
  - {conv: {out: 4, kernel: 3, padding: 1}, from: pool, name: body}
  - {max_unpool: {kernel: 2, size: [9, 8]}, from: [body, places]}
"""


def words(path: Path) -> list[str]:
    return [made.op.name for made in from_file(path).graph.nodes[1:]]


def test_our_own_file(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    graph = load(tmp_path / "net.yaml")
    path = tmp_path / "net.onnx"
    path.write_bytes(export_network(graph, "onnx").content)
    found = from_file(path)
    assert sorted(made.op.name for made in found.graph.nodes) == sorted(
        made.op.name for made in graph.nodes
    )
    (ours,) = (made for made in found.graph.nodes if made.op.name == "max_unpool")
    (made,) = (made for made in graph.nodes if made.op.name == "max_unpool")
    assert ours.op.window(*ours.ins) == made.op.window(*made.ins)
    numpy.testing.assert_allclose(*outputs(found, path), atol=1e-5)


def first_of_each_map(places: str) -> list[Any]:
    """Return the nodes by which torch's exporters make positions those of one map."""
    return [
        node("MaxPool", "x", "same all", kernel_shape=[1, 1], strides=[1, 1]),
        node("Slice", "all zeros ones axes", "first"),
        node("Sub", f"{places} first", "inside"),
    ]


BEGINNING = {"zeros": ints(0, 0), "ones": ints(1, 1), "axes": ints(2, 3)}


@pytest.mark.parametrize("images", [1, 2])
def test_scattering_of_torch(images: int, tmp_path: Path) -> None:
    """Positions are counted through all maps of the batch, and written at once."""
    starts = 72 * numpy.arange(4 * images).reshape(images, 4, 1, 1)
    nodes = [
        node("MaxPool", "x", "most place", kernel_shape=[2, 2], strides=[2, 2]),
        *first_of_each_map("place"),
        node("Conv", "most w", "made", pads=[1, 1, 1, 1]),
        node("Add", "inside starts", "at"), node("Reshape", "at all_in_one", "flat"),
        node("Unsqueeze", "flat last", "columns"), node("Reshape", "made all_in_one", "values"),
        node("ScatterND", "empty columns values", "full"), node("Reshape", "full shape"),
    ]  # fmt: skip
    weights = {
        "w": numbers(4, 4, 3, 3), "starts": starts, "all_in_one": ints(-1), "last": ints(-1),
        "empty": numpy.zeros(images * 4 * 72, "float32"), "shape": ints(images, 4, 9, 8),
        **BEGINNING,
    }  # fmt: skip
    path = saved(model(nodes, (images, 4, 9, 8), weights), tmp_path)
    assert sorted(words(path)) == ["conv", "max_unpool", "maxpool", "maxpool_indices"]
    check(path)


@pytest.mark.parametrize("images", [1, 3])
def test_unpooling_of_onnx(images: int, tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", "x", "most place", **POOL), node("Relu", "most", "made"),
        node("MaxUnpool", "made place", "a", **POOL), node("MaxUnpool", "most place", "b", **POOL),
        node("Sub", "a b"),
    ]  # fmt: skip
    path = saved(model(nodes, (images, 4, 9, 8)), tmp_path)
    assert words(path).count("maxpool_indices") == 1
    check(path)


def test_positions_alone(tmp_path: Path) -> None:
    nodes = [node("MaxPool", "x", "most place", **POOL), *first_of_each_map("place")]
    nodes.append(node("Cast", "inside", to=1))
    path = saved(model(nodes, (2, 4, 9, 8), BEGINNING), tmp_path)
    assert words(path)[0] == "maxpool_indices"
    check(path)


@pytest.mark.parametrize(
    ("pool", "unpool"),
    [
        ({**POOL, "storage_order": 1}, POOL),  # positions numbered column by column
        (POOL, {"kernel_shape": [2, 2], "strides": [2, 2]}),  # a map of another size
    ],
)
def test_other_positions_stay_opaque(
    pool: dict[str, Any], unpool: dict[str, Any], tmp_path: Path
) -> None:
    nodes = [node("MaxPool", "x", "most place", **pool), node("MaxUnpool", "most place", **unpool)]
    assert "max_unpool" not in words(saved(model(nodes, (1, 4, 9, 8)), tmp_path))
