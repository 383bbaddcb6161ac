"""Convert a graph to a document with one layer per node, each under the node's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from archscope.errors import GraphError
from archscope.ir import Graph, Op, Output, Source
from archscope.language.document import Block, Chain, Document, Head, Layer
from archscope.language.value import Value
from archscope.ops.attributes import attributes


def flat_document(graph: Graph, file: str = "") -> Document:
    """Return a document that lists a graph node by node; blocks are visible in the names only.

    Locations refer to the text that `write` makes of the document, in a file called `file`.
    Raises GraphError for a node that is two outputs at once, which the language cannot express.
    """
    outputs = _outputs(graph)
    owners = {node.shares for node in graph.nodes}
    layers: list[Layer] = []
    first_line = len(_fields(graph)) + _input_lines(graph) + 2  # below `layers:`
    line = first_line
    before: str | None = None
    for node in graph.nodes:
        if not node.inputs:
            continue
        at = Source(file, line, 5)
        args, alone = arguments(node.op, at)
        layer = Layer(
            node.op.name,
            at,
            f"layers[{len(layers)}]",
            args,
            alone,
            name=node.name,
            sources=None if node.inputs == (before,) else node.inputs,
            share=node.shares or (node.name if node.name in owners else None),
            params=None if node.new_params is None else Value(node.new_params, at, True),
            weight_macs=Value(node.weight_macs, at, True) if node.weight_macs else None,
            output=head_of(outputs[node.name], at) if node.name in outputs else None,
        )
        layers.append(layer)
        beside = (layer.sources, layer.share, layer.params, layer.weight_macs, layer.output)
        line += 2 + sum(part is not None for part in beside)
        # A layer that is an output ends the chain: the next one must state what it reads.
        before = None if node.name in outputs else node.name
    return document_of(graph, tuple(layers), file=file, at=Source(file, first_line, 3))


def with_places(graph: Graph, document: Document) -> Graph:
    """Return a graph whose nodes without a location get that in the flat document."""
    places = {name: value.at for name, value in document.inputs.items()}
    places.update((str(layer.name), layer.at) for layer in document.body.layers)
    nodes = tuple(structs.replace(node, at=node.at or places[node.name]) for node in graph.nodes)
    return structs.replace(graph, nodes=nodes)


def document_of(
    graph: Graph,
    layers: Chain,
    blocks: Mapping[str, Block] = {},
    file: str = "",
    at: Source | None = None,
) -> Document:
    """Return a document with the fields of a graph that precede its layers."""
    line = len(_fields(graph)) + 1
    if _has_plain_input(graph):
        places = [Source(file, line, 8)]
    else:
        places = [
            Source(file, line + number, len(node.name) + 5)
            for number, node in enumerate(graph.inputs, start=1)
        ]
    inputs = {
        node.name: Value(list(node.out), place, True)
        for node, place in zip(graph.inputs, places, strict=True)
    }
    body = Block("", at or Source(file, 1, 1), {}, layers)
    return Document(
        inputs=inputs, let={}, blocks=dict(blocks), body=body, file=file, **_fields(graph)
    )


def _fields(graph: Graph) -> dict[str, Any]:
    """Return the fields that precede the inputs, each a line of the text."""
    fields = {
        "name": graph.name,
        "about": graph.about,
        "paper": graph.paper,
        "reference": dict(graph.reference),
    }
    return {key: value for key, value in fields.items() if value or key == "name"}


def _has_plain_input(graph: Graph) -> bool:
    return [node.name for node in graph.inputs] == ["input"]


def _input_lines(graph: Graph) -> int:
    return 1 if _has_plain_input(graph) else 1 + len(graph.inputs)


def _outputs(graph: Graph) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for output in graph.outputs:
        if output.node in outputs:
            raise GraphError(
                f"'{output.node}' is two outputs, '{outputs[output.node].name}' and '{output.name}'"
            )
        outputs[output.node] = output
    return outputs


def arguments(op: Op, at: Source) -> tuple[dict[str, Value], bool]:
    """Return the attributes that a layer must state, and whether the only one needs no name."""
    given = {
        name: Value(plain(getattr(op, name)), at, True)
        for name, attribute in attributes(type(op)).items()
        if attribute.required or getattr(op, name) != attribute.default
    }
    return given, list(given) == [op.principal]


def plain(value: Any) -> Any:
    """Return a value as in YAML, with lists for tuples."""
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def head_of(output: Output, at: Source) -> Head:
    """Return the value of `output:`."""
    weight, train_only = Value(output.weight, at, True), Value(output.train_only, at, True)
    return Head(output.name, weight, train_only)
