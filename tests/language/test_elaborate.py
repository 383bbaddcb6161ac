"""The walk through a document, in a domain written for the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import pytest

from archscope.errors import LimitError, SpecError
from archscope.language import document
from archscope.language.document import Block, Chain, Document, Layer
from archscope.language.elaborate import Elaborator, Instance, Walk
from archscope.language.limits import LIMITS, Limits, StepCounter
from tests.language.texts import INPUT

Last = frozenset[str]
"""The operators that may come last; scopes are the paths of instances."""


class LastOperators:
    """A domain that knows no value: loops turn twice, conditions are true or false."""

    def __init__(self, steps: int = 1000) -> None:
        self.steps = StepCounter(steps)
        self.visited: list[str] = []

    def layers(self, chain: Chain) -> Iterable[Layer]:
        return chain

    def enter(self, layer: Layer, instance: Instance, scope: str, flow: Last) -> None:
        self.visited.append(instance.hole_paths(layer).own)

    def sources(self, layer: Layer, instance: Instance, flow: Last) -> Last:
        return frozenset().union(*(instance.names[name] for name in layer.sources or ()))

    def turns(self, layer: Layer, instance: Instance, scope: str) -> Iterator[str]:
        return repeat(scope, 2)

    def condition(
        self, layer: Layer, instance: Instance, scope: str
    ) -> tuple[str | None, str | None]:
        return scope, scope

    def either(self, then: Last, otherwise: Last) -> Last:
        return then | otherwise

    def branches(self, layer: Layer, instance: Instance, scope: str, flow: Last) -> Iterable[Last]:
        return repeat(flow, len(layer.branches or ()))

    def merge(self, layer: Layer, ends: Iterable[Last]) -> Last:
        return frozenset().union(*ends)

    def operator(self, layer: Layer, instance: Instance, scope: str, flow: Last) -> Last:
        if layer.word == "softmax":
            raise SpecError("no softmax here", layer.at)
        return flow if layer.branches is not None else frozenset({layer.word})

    def call(
        self, layer: Layer, block: Block, instance: Instance, scope: str, flow: Last
    ) -> tuple[Instance, str]:
        path = instance.hole_paths(layer).own
        return Instance(block, path, prefix=path), path

    def body(self, instance: Instance, scope: str, flow: Last, walk: Walk[str, Last]) -> Last:
        return walk(instance.block.layers, instance, scope, flow)

    def output(self, layer: Layer, scope: str, flow: Last) -> None:
        self.visited.append("output")


def read(text: str) -> Document:
    return document("spec.yaml", text=(INPUT + text).encode())


def last(found: Document, domain: LastOperators, limits: Limits = LIMITS) -> Last:
    walk = Elaborator(found.blocks, limits, domain)
    return walk.chain(found.body.layers, Instance(found.body), "", frozenset())


def test_both_sides_of_a_condition_are_walked_and_joined() -> None:
    text = "layers: [conv: 4, {relu: {}, when: =x.channels > 2, then: [gelu], else: [tanh]}]"
    assert last(read(text), LastOperators()) == {"gelu", "tanh"}
    text = "layers: [conv: 4, {relu: {}, when: =x.channels > 2}]"
    assert last(read(text), LastOperators()) == {"conv", "relu"}


def test_branches_names_and_outputs() -> None:
    domain = LastOperators()
    text = """
layers:
  - conv: 4
    name: stem
  - add: [relu, identity, gelu]
  - tanh: {}
    output: aside
  - relu: {}
    from: stem
    output: main
"""
    assert last(read(text), domain) == {"conv", "relu", "gelu"}, "an output leaves the chain"
    assert domain.visited.count("output") == 2


def test_loops_and_blocks_have_paths() -> None:
    domain = LastOperators()
    text = """
blocks: {unit: {layers: [conv: 4, relu]}}
layers: [{unit: {}, repeat: 5}, softsign]
"""
    assert last(read(text), domain) == {"softsign"}
    assert domain.visited == [
        "unit.", "unit0.", "unit0.conv.", "unit0.relu.", "unit1.", "unit1.conv.", "unit1.relu.",
        "softsign.",
    ]  # fmt: skip


def test_errors_name_the_layer_and_limits_hold() -> None:
    found = read("blocks: {unit: {layers: [relu, softmax]}}\nlayers: [unit]")
    with pytest.raises(SpecError) as caught:
        last(found, LastOperators())
    assert caught.value.path == "blocks.unit.layers[1] in unit"
    with pytest.raises(LimitError, match="more work than the limit of 2 steps"):
        last(found, LastOperators(steps=2))
    with pytest.raises(LimitError, match="nested deeper than the limit of 1"):
        last(found, LastOperators(), Limits(depth=1))
