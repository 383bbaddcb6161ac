"""Every operator can be exported, or is refused with the reason."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope.errors import GraphError
from archscope.exporters.export import export_network
from archscope.exporters.formats import FORMATS
from archscope.ir import Example, Graph
from archscope.ops import OPS
from tests.nets import Net

NAMES = [name for name, cls in OPS.items() if any(example.ins for example in cls.examples())]


def network(example: Example) -> Graph:
    """Return a network of one operator, whose inputs are positive if it needs that."""
    net = Net(**{f"x{place}": shape for place, shape in enumerate(example.ins)})
    names = [f"x{place}" for place in range(len(example.ins))]
    if example.positive:
        names = [net("softplus", name) for name in names]
    net.builder.add("node", example.op, names)
    return net.graph()


@pytest.mark.parametrize("name", NAMES)
def test_a_traced_operator_takes_any_batch(name: str) -> None:
    for example in OPS[name].examples():
        export_network(network(example), "torchscript")


@pytest.mark.parametrize("to", [name for name, kind in FORMATS.items() if kind.partial])
@pytest.mark.parametrize("name", NAMES)
def test_a_format_of_few_layers_refuses_the_others(name: str, to: str) -> None:
    for example in OPS[name].examples():
        if name == "flatten" and len(example.ins[0]) == 1:
            continue  # which leaves no layer
        try:
            export_network(network(example), to)
        except GraphError as error:
            assert "cannot express" in str(error)


def test_a_name_that_torch_cannot_load_is_an_error_of_one_line() -> None:
    net = Net(x=(3,))
    net("linear", "x", out=2, name="None")
    with pytest.raises(GraphError, match="the exported-program file cannot be loaded: ") as caught:
        export_network(net.graph(), "exported-program")
    assert "\n" not in str(caught.value)


def test_a_name_may_have_quotes() -> None:
    graph = structs.replace(network(OPS["relu"].examples()[0]), name='my "net" \\ 1')
    assert export_network(graph, "prototxt").content.startswith(b"name: \"my 'net' / 1\"")
