"""Convert a Keras model to a graph."""

from __future__ import annotations

from heapq import heappop, heappush
from pathlib import Path

from archscope.errors import ArchscopeError, OptionError
from archscope.importers.file_graph import MOST_NODES, FileGraph, named, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.keras.config import (
    MODELS,
    Call,
    KerasLayer,
    KerasModel,
    model_of,
    read,
    wrapped,
)
from archscope.importers.keras.conversion import Conversion, Value
from archscope.importers.keras.layers import LAYERS, MERGES, PADDED, SAME, zeros
from archscope.importers.names import first_few
from archscope.ir import Shape

AT_EACH_STEP = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Dropout",
                "BatchNormalization", "LayerNormalization", "Rescaling", *SAME)  # fmt: skip
"""Layers that do the same to each step as to all steps together."""

DEEPEST = 16  # nesting depth of models

Known = dict[tuple[str, int], list[Value | None]]
"""The result of each call of a layer; None if unknown."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a Keras model, without weights.

    `input` is the input shape, channels first and without the batch, or the shapes of several
    inputs by name; it is required if the model leaves them open, and otherwise replaces them.
    Raises ArchscopeError.
    """
    path = Path(path)
    try:
        model = read(path)
        made = FileGraph(path)
        net = Conversion(made, model.late)
        by_name = {layer.name: layer for layer in model.layers}
        stated: dict[str, Shape] = {}
        for name, _, _ in model.inputs:
            if name not in by_name:
                raise OptionError(f"names '{name}' as its input, which is not one of its layers")
            stated[name] = _input_shape(by_name[name])
        sizes = sizes_of(stated, input)
        given = [Value(made.input(name, size, 1)) for name, size in sizes.items()]
        after_unknown: list[str] = []
        for value in _run(net, model, given, "", after_unknown, 0):
            if value is not None:
                net.plain("output", value)
        if after_unknown:
            made.notes.append(f"not counted after unknown layers: {first_few(after_unknown)}")
        return Imported(made.graph(), dict)
    except ArchscopeError as error:
        raise named(path, error) from None


def _input_shape(layer: KerasLayer) -> Shape:
    """Return the shape of an input with the channels first, () if a part of it is open."""
    shape = layer.get("batch_shape", layer.get("batch_input_shape"))
    if not isinstance(shape, list) or len(shape) < 2:
        return ()
    sizes = shape[1:]
    if not all(type(size) is int and 0 < size < 2**31 for size in sizes):
        return ()
    return (sizes[-1], *sizes[:-1])


def _run(
    net: Conversion, model: KerasModel, given: list[Value], prefix: str, after_unknown: list[str],
    depth: int,
) -> list[Value | None]:  # fmt: skip
    """Add the layers of a model in topological order."""
    net.made.check(depth, DEEPEST, "models nested deeper than", 1)
    known: Known = {}
    for (name, number, place), value in zip(model.inputs, given, strict=False):
        known[name, number] = [None] * place + [value]
    calls = [
        (layer, number, call)
        for layer in model.layers
        for number, call in enumerate(layer.calls)
        if (layer.name, number) not in known
    ]
    order = _ordered(calls, set(known))
    if len(order) < len(calls):
        stuck = min({*range(len(calls))} - {*order})
        raise net.error(calls[stuck][0], "reads a value that no earlier layer produces")
    for layer, number, call in (calls[at] for at in order):
        values = [_taken(known, *source) for source in call]
        known[layer.name, number] = _add(
            net, layer, prefix + layer.name, values, after_unknown, depth
        )
    return [_end(net, known, *end) for end in model.outputs]


def _ordered(calls: list[tuple[KerasLayer, int, Call]], given: set[tuple[str, int]]) -> list[int]:
    """Return the calls in topological order, without those that are in a cycle.

    The order of the file is kept as far as possible.
    """
    readers: dict[tuple[str, int], list[int]] = {}
    missing: list[int] = []
    for at, (_, _, call) in enumerate(calls):
        needs = {(name, number) for name, number, _ in call}
        missing.append(len(needs - given) if needs else 1)
        for need in needs - given:
            readers.setdefault(need, []).append(at)
    ready = [at for at, number in enumerate(missing) if not number]
    order: list[int] = []
    while ready:
        at = heappop(ready)
        order.append(at)
        for reader in readers.pop((calls[at][0].name, calls[at][1]), ()):
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, reader)
    return order


def _taken(known: Known, name: str, number: int, place: int) -> Value | None:
    values = known[name, number]
    return values[place] if 0 <= place < len(values) else None


def _end(net: Conversion, known: Known, name: str, number: int, place: int) -> Value | None:
    if (name, number) not in known:
        raise net.made.error(
            f"names '{name[:60]}' as its output, which is not one of its layers", 1
        )
    return _taken(known, name, number, place)


def _add(
    net: Conversion, layer: KerasLayer, title: str, values: list[Value | None],
    after_unknown: list[str], depth: int,
) -> list[Value | None]:  # fmt: skip
    """Add a call of a layer and return its result."""
    net.calls += 1
    net.made.check(net.calls, MOST_NODES, "more calls of layers than", 1)
    there = [value for value in values if value is not None]
    if len(there) < len(values):
        after_unknown.append(f"{layer.name} ({layer.kind})")
        return [None]
    if layer.kind in MODELS:
        inner = model_of(layer.config, net.late, net.made.path.as_posix())
        return _run(net, inner, there, f"{title}/", after_unknown, depth + 1)
    if layer.kind.startswith("ZeroPadding"):
        return [zeros(net, layer, there[0])]
    first = len(net.made.builder.nodes)
    try:
        node = _node(net, layer, title, there)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        raise net.error(layer, "has a configuration of an unknown form") from None
    if node is None:
        sources = [value.node for value in there]
        net.made.opaque(title, 1, f"keras.{layer.kind}", sources, size=(1,))
        return [None]
    _share(net, title, first)
    return [Value(node)]


def _node(net: Conversion, layer: KerasLayer, title: str, values: list[Value]) -> str | None:
    """Add the operators of a layer and return the last one, None if the layer is unknown."""
    if layer.get("data_format") == "channels_first":
        raise net.error(layer, "has its channels first, which is not supported")
    if layer.kind in PADDED:
        return PADDED[layer.kind](net, layer, title, values[0])
    nodes = [net.plain(title, value) for value in values]
    if layer.kind in MERGES:
        return MERGES[layer.kind](net, layer, title, nodes)
    if layer.kind == "TimeDistributed":
        layer = wrapped(layer)
        if layer.kind not in AT_EACH_STEP:
            return None
    if layer.kind in LAYERS:
        return LAYERS[layer.kind](net, layer, title, nodes[0])
    return nodes[0] if layer.kind in SAME else None


def _share(net: Conversion, title: str, first: int) -> None:
    """Make the nodes of a later call of a layer share the weights of the first call."""
    nodes = list(net.made.builder.nodes.values())[first:]
    weighted = [n.name for n in nodes if n.op.params(*n.ins) or n.op.buffers(*n.ins)]
    owners = net.owners.setdefault(title, weighted)
    if owners is not weighted:
        for node, owner in zip(weighted, owners, strict=False):
            net.made.builder.share(node, owner)
