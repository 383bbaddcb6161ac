"""Random networks: whatever a spec may hold, the numbers are torch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import load
from archscope.analysis import analyze
from archscope.analysis.cost import costs, total
from archscope.ir import Graph, Node, Shape
from archscope.ops import OPS
from archscope.verify import verify
from tests.nets import chain
from tests.strategies import chains, graphs, specs


@settings(max_examples=60)
@given(graphs())
def test_every_check_agrees(graph: Graph) -> None:
    for check in verify(graph).checks:
        assert not check.differences, check.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


@settings(max_examples=40)
@given(spec=specs())
def test_every_check_agrees_on_a_written_spec(spec: dict[str, Any], folder: Path) -> None:
    path = folder / "random.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    graph = load(path)
    assert graph.by_name[graph.main.node].out[0] == spec["let"]["classes"]
    only = ("shapes", "params", "macs-torch", "receptive-field", "saved")
    for check in verify(graph, only=only).checks:
        assert not check.differences, check.name


@given(chains(), st.integers(2, 4))
def test_wider_convolutions_cost_the_square(
    drawn: tuple[list[dict[str, Any]], Shape], factor: int
) -> None:
    layers, x = drawn
    wide = [{**layer, "out": layer["out"] * factor} for layer in layers]
    before = costs(chain(*(("conv", layer) for layer in layers), x=x))
    after = costs(chain(*(("conv", layer) for layer in wide), x=x))
    for place, (old, new) in enumerate(zip(before.values(), after.values(), strict=True)):
        times = 0 if place == 0 else factor if place == 1 else factor**2
        assert (new.macs, new.params) == (times * old.macs, times * old.params)
        assert new.activations == factor * old.activations


def with_identity(graph: Graph, name: str) -> Graph:
    """Return the graph with an identity behind a node, which all its readers read instead."""
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple("extra" if one == name else one for one in node.inputs)
        nodes.append(structs.replace(node, inputs=inputs))
        if node.name == name:
            nodes.append(Node("extra", OPS["identity"](), (name,), (node.out,), node.out))
    return Graph(graph.name, tuple(nodes), graph.outputs)


@given(graphs(), st.data())
def test_identity_changes_only_the_number_of_layers(graph: Graph, data: st.DataObject) -> None:
    before = analyze(graph, training=True)
    over = {layer.inputs[0] for layer in before.layers if layer.in_place}
    # Nothing works in place on a view, so that an identity there would cost memory.
    names = [node.name for node in graph.nodes if node.name not in over]
    after = analyze(with_identity(graph, data.draw(st.sampled_from(names))), training=True)
    assert after.totals.layers == before.totals.layers + 1
    assert after.totals.longest_path - before.totals.longest_path in (0, 1)
    changed = {"layers": 0, "longest_path": 0}
    assert structs.replace(after.totals, **changed) == structs.replace(before.totals, **changed)
    assert len(after.clashes) == len(before.clashes)
    if before.receptive_field and after.receptive_field:
        assert after.receptive_field.size == before.receptive_field.size


@given(graphs())
def test_totals_are_sums_and_the_order_of_a_batch_does_not_matter(graph: Graph) -> None:
    one, four = analyze(graph, training=True), analyze(graph, training=True, batch=4)
    assert total(costs(graph)).params == one.totals.params == four.totals.params
    assert four.totals.macs == 4 * one.totals.macs
    assert four.totals.peak_activation_bytes == 4 * one.totals.peak_activation_bytes
    fixed = 4 * one.totals.saved_bytes - four.totals.saved_bytes
    assert fixed >= 0 and fixed % 12 == 0, "4-byte numbers, three times too many"
