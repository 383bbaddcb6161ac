"""Cost polynomials agree with exact analyses that were not used to derive them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from archscope import analyze, load
from archscope.analysis.polynomials import Formula, Symbolic
from archscope.analysis.symbolic import symbolic
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Shape
from archscope.ops.opaque import Opaque
from archscope.transforms.input_shapes import with_inputs
from tests.nets import Net, chain
from tests.strategies import graphs

KEYS = ("params", "macs", "elementwise", "activations", "memory_access")


def of(name: str) -> Callable[[dict[str, Shape]], Graph]:
    return lambda shapes: load(name, input=next(iter(shapes.values()))).inference()


def value(formula: Formula, **variables: int) -> Fraction:
    total = Fraction(0)
    for term in formula.terms:
        part = Fraction(term.coefficient)
        for name, power in term.powers.items():
            part *= variables[name] ** power
        total += part
    return total


def check(found: Symbolic, graph: Graph, batch: int) -> None:
    sides = dict(zip([side.name for side in found.sides], graph.inputs[0].out[1:], strict=True))
    totals = analyze(graph, batch=batch).totals
    for key in KEYS:
        if key in found.formulas:
            assert value(found.formulas[key], N=batch, **sides) == getattr(totals, key), key
    if "peak_activations" in found.formulas:
        peak = value(found.formulas["peak_activations"], N=batch, **sides)
        assert 4 * peak == totals.peak_activation_bytes


def test_by_hand() -> None:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": 1}),
        ("global_avgpool", {}),
        ("flatten", {}),
        ("linear", {"out": 5}),
        x=(3, 8, 10),
    )
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    assert [(side.name, side.every, side.offset, side.least) for side in found.sides] == [
        ("H", 2, 0, 2),
        ("W", 2, 0, 4),
    ]
    assert found.formulas["params"].text == "137"
    assert found.formulas["macs"].text == "27*H*W*N + 20*N"
    assert found.formulas["activations"].text == "H*W*N + 5*N"
    assert found.unknown == {}


@pytest.mark.parametrize(
    ("name", "every", "sides"),
    [
        ("resnet18", 32, (160, 992)),
        ("inception_v3", 32, (299 + 640, 75)),
        ("deit_tiny", 16, (48, 400)),
        ("lenet5", 4, (100, 44)),
        ("shufflenet_v2_x0_5", 32, (64, 320)),
    ],
)
def test_networks_of_the_zoo(name: str, every: int, sides: tuple[int, int]) -> None:
    graph = load(name).inference()
    found = symbolic(graph, of(name))
    assert [side.every for side in found.sides] == [every, every]
    assert all(
        size >= side.least and size % every == side.offset
        for size, side in zip(sides, found.sides, strict=True)
    )
    assert sides not in found.tried
    (node,) = graph.inputs
    check(found, load(name, input=(node.out[0], *sides)).inference(), 3)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(graphs(), st.integers(0, 11), st.integers(1, 3))
def test_any_network(graph: Graph, more: int, batch: int) -> None:
    graph = graph.inference()
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    check(found, graph, batch)
    shapes = {
        node.name: (
            node.out[0],
            *(
                size + side.every * more
                for size, side in zip(node.out[1:], found.sides, strict=False)
            ),
        )
        for node in graph.inputs
    }
    assume(found.sides and found.sides[0].every)
    try:
        larger = with_inputs(graph, shapes)
    except ArchscopeError:
        assume(False)
    check(found, larger, batch)


def test_a_network_of_one_size_says_so() -> None:
    graph = chain(("flatten", {}), ("reshape", {"size": (3, 64)}), x=(3, 8, 8))
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    assert [(side.every, side.least) for side in found.sides] == [(0, 8), (0, 8)]
    assert found.unknown["sides"].startswith("it takes no other sides: ")
    assert found.formulas["memory_access"].text == "0"


def test_inputs_without_sides_have_polynomials_of_the_batch() -> None:
    graph = chain(("linear", {"out": 5}), x=(10,))
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    assert found.sides == ()
    assert found.formulas["macs"].text == "50*N"
    assert found.formulas["memory_access"].text == "15*N + 55"


def test_what_is_not_recognised_has_no_polynomial() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=4)
    net.builder.add("odd", Opaque(kind="odd", size=(4, 8, 8)), (first,))
    graph = net.graph()
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    assert found.unknown["macs"] == "operators that are not recognised"
    assert "macs" not in found.formulas
    assert found.formulas["params"].text == "16"


def test_what_changes_with_the_size_is_unknown() -> None:
    """A kernel that grows with the side: the costs are two polynomials."""

    def make(shapes: dict[str, Shape]) -> Graph:
        size = shapes["x"][1]
        kernel = 3 if size > 40 else 1
        return chain(("conv", {"out": 4, "kernel": kernel, "padding": kernel // 2}), x=shapes["x"])

    found = symbolic(make({"x": (3, 38, 38)}), make)
    assert found.sides[0].every == 0
    assert found.unknown["sides"] == "not a polynomial"


def test_a_peak_that_moves_between_layers_is_no_polynomial() -> None:
    """Of the sums 3 s^2 + 2 (s + 4)^2 and 4 (s + 4)^2, the first is larger from s = 10 on."""
    graph = chain(
        ("conv", {"out": 2, "kernel": 1, "padding": 2}),
        ("conv", {"out": 2, "kernel": 1}),
        x=(3, 8, 8),
    )
    found = symbolic(graph, lambda shapes: with_inputs(graph, shapes))
    assert found.unknown == {"peak_activations": "not of one layer for all sides"}
    assert found.formulas["macs"].text == "10*H*W*N + 40*H*N + 40*W*N + 160*N"
