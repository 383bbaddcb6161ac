"""Batch norms behind layers that have none."""

from __future__ import annotations

from archscope.transforms.fuse import fuse
from archscope.transforms.insert_norms import insert_norms, layers_without_norm
from tests.nets import Net


def test_norms_are_inserted_where_they_can_be_folded() -> None:
    made = Net(x=(3, 8, 8))
    stem = made("conv", "x", out=4, kernel=3, padding=1, name="stem")
    normed = made("layernorm", made("conv", stem, out=4, kernel=1, name="normed"))
    total = made("add", stem, normed, name="total")
    made("linear", made("flatten", total), out=10, name="last")
    graph = made.graph()
    layers = layers_without_norm(graph)
    assert layers == ["stem"], "nothing normalises what the layer norm does, or outputs"
    found, norms = insert_norms(graph, layers)
    assert found.by_name["normed"].inputs == (norms["stem"],)
    assert found.by_name["total"].inputs[0] == norms["stem"]
    folded = fuse(found)
    assert [node.name for node in folded.nodes] == [node.name for node in graph.nodes]
    assert [node.inputs for node in folded.nodes] == [node.inputs for node in graph.nodes]
