"""Changes to the ONNX graphs that torch writes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any


def drop_computed_biases(graph: Any) -> None:
    """Remove the zero biases that torch computes for convolutions without bias.

    For convolutions over three axes, runtimes also reject their shape.
    """
    held = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        convolves = node.op_type in ("Conv", "ConvTranspose")
        if convolves and len(node.input) > 2 and node.input[2] not in held:
            del node.input[2]
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def rename_ends(graph: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rename inputs and outputs; internal values that already have these names get others."""
    ends = dict(zip((end.name for end in graph.input), inputs, strict=True))
    ends |= dict(zip((end.name for end in graph.output), outputs, strict=True))
    values = chain.from_iterable((*node.input, *node.output) for node in graph.node)
    used = {*values, *ends.values(), *(tensor.name for tensor in graph.initializer)}
    names: dict[str, str] = {}
    for name in ends.values():
        if name in used and name not in ends:
            other = f"{name}_inside"
            while other in used:
                other += "_"
            used.add(other)
            names[name] = other
    names |= ends
    for node in graph.node:
        for field in (node.input, node.output):
            renamed = [names.get(name, name) for name in field]
            del field[:]
            field.extend(renamed)
    named = (graph.input, graph.output, graph.value_info, graph.initializer)
    for entry in chain.from_iterable(named):
        entry.name = names.get(entry.name, entry.name)
