"""The order of a spec: that of its graph, so that the peak of memory is the same."""

from __future__ import annotations

import random

import pytest
from msgspec import structs

import archscope
from archscope.analysis.memory import peak_of
from archscope.folding.fold import readable
from archscope.ir import Graph
from archscope.language import document, graph


def of(text: str) -> Graph:
    return graph(document("net", text=text.encode()))


def reordered(net: Graph, seed: int | None) -> Graph:
    """Return a graph whose branches are executed in another order: the last first, or any."""
    draw = random.Random(seed)
    order = [node.name for node in net.inputs]
    seen = {*order}
    for output in net.outputs:
        ways = [(output.node, False)]
        while ways:
            name, done = ways.pop()
            if done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                node = net.by_name[name]
                first = [*node.inputs, *([node.shares] if node.shares else [])]
                if seed is not None:
                    draw.shuffle(first)
                ways += [(name, True), *((other, False) for other in first)]
    return structs.replace(net, nodes=tuple(net.by_name[name] for name in order))


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "shufflenet_v2_x0_5", "unet", "siamese", "mobilenet_v3_small"]
)
def test_specs_of_networks_keep_the_peak(name: str, seed: int | None) -> None:
    net = reordered(archscope.load(name), seed)
    assert peak_of(readable(net).graph) == peak_of(net)


def test_sums_are_written_in_the_order_of_execution() -> None:
    net = of("""
input: [4, 8, 8]
layers:
  - add:
      - - conv: 8
        - conv: 8
      - - conv: {out: 8, kernel: 3, padding: 1}
""")
    # The shortcut first, as in networks that name it before their layers.
    last = structs.replace(net, nodes=tuple(net.nodes[place] for place in (0, 3, 1, 2, 4)))
    folded = readable(last)
    assert [folded.names[node.name] for node in last.nodes] == [n.name for n in folded.graph.nodes]
    assert folded.text.index("kernel: 3") < folded.text.rindex("conv: 8")
    assert folded.text.count("from") == 0


def test_branches_of_a_concat_stand_before_it_where_their_order_matters() -> None:
    net = of("""
input: [4, 8, 8]
layers:
  - concat:
      - - conv: 64
      - - conv: 200
        - conv: 8
""")
    other = structs.replace(net, nodes=tuple(net.nodes[place] for place in (0, 2, 3, 1, 4)))
    assert peak_of(other) < peak_of(net)
    for wanted, lines in ((net, 0), (other, 1)):
        folded = readable(wanted)
        assert peak_of(folded.graph) == peak_of(wanted)
        assert ("from: [" in folded.text) == bool(lines)
    # A peak that is the same in both orders leaves the branches in their merge.
    same = of("input: [4, 8, 8]\nlayers:\n  - concat:\n      - - conv: 8\n      - - conv: 8\n")
    same = structs.replace(same, nodes=tuple(same.nodes[place] for place in (0, 2, 1, 3)))
    assert "from" not in readable(same).text
