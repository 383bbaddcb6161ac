"""Weights as numpy arrays, without torch: which a network has, random ones, and given ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.errors import GraphError
from archscope.ir import Graph, Node
from archscope.module_names import module_path
from archscope.onnx_form import OnnxNode, Value, Weight
from archscope.weights import COUNTER, check_fit

Arrays = dict[str, NDArray[Any]]
"""Arrays by the names that weights have in the state dict of `archscope.build`."""


def form_of(node: Node) -> Value:
    """Return what a node is in ONNX. Raises GraphError if nothing states it."""
    form = node.op.onnx(*node.ins)
    if form is None:
        raise GraphError(f"'{node.name}': the operator '{node.op.label}' has no form in ONNX")
    return form


def stated_weights(graph: Graph) -> dict[str, Weight]:
    """Return the weights and running statistics of a network by name."""
    return {
        f"{module_path(node.name)}.{weight.name}": weight
        for node in graph.nodes
        if node.shares is None
        for weight in _weights_in(form_of(node))
    }


def _weights_in(form: Value | None) -> Iterator[Weight]:
    if isinstance(form, Weight):
        yield form
    elif isinstance(form, OnnxNode):
        for part in form.inputs:
            yield from _weights_in(part)


def random_arrays(graph: Graph, seed: int = 0) -> Arrays:
    """Return untrained weights: the same for the same graph and seed."""
    generator = np.random.Generator(np.random.SFC64(seed))
    arrays: Arrays = {}
    for name, weight in stated_weights(graph).items():
        fan_in = max(1, int(np.prod(weight.shape[1:])))
        spread = (6 / fan_in) ** 0.5 if weight.spread is None else weight.spread
        if not spread:
            arrays[name] = np.full(weight.shape, weight.centre, np.float32)
            continue
        values = generator.random(weight.shape, np.float32)
        values *= np.float32(2 * spread)
        values += np.float32(weight.centre - spread)
        arrays[name] = values
    return arrays


def fitted(graph: Graph, weights: Mapping[str, NDArray[Any]], source: str) -> Arrays:
    """Return given weights in single precision; errors call them `source`.

    Raises OptionError unless names and shapes are those of the network.
    """
    wanted = {name: weight.shape for name, weight in stated_weights(graph).items()}
    given = {name: value for name, value in weights.items() if not name.endswith(COUNTER)}
    check_fit({name: value.shape for name, value in given.items()}, wanted, source)
    return {name: np.asarray(given[name], np.float32) for name in wanted}
