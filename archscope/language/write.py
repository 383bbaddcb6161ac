"""Graph -> YAML text: a flat spec that reads back to the same graph."""

from __future__ import annotations

import json
import re
from typing import Any

from archscope.errors import GraphError
from archscope.ir import Graph, Node, Op, Output
from archscope.ops.attributes import attributes


def to_yaml(graph: Graph) -> str:
    """Return a spec with one layer for each node, every node and output under its own name.

    Blocks stay visible in the names. Raises GraphError for a node that is two outputs at once,
    which the language cannot say.
    """
    lines = head_lines(graph)
    lines.append("layers:")
    outputs = _outputs(graph)
    owners = {node.shares for node in graph.nodes}
    before: str | None = None
    for node in graph.nodes:
        if node.inputs:
            lines += _layer(node, before, outputs.get(node.name), node.name in owners)
            # A layer that is an output leaves the chain: the next must say what it reads.
            before = None if node.name in outputs else node.name
    return "\n".join(lines) + "\n"


def head_lines(graph: Graph) -> list[str]:
    """Return the lines above the layers: the name, what is known of it, the inputs."""
    lines = [f"name: {scalar_text(graph.name)}"]
    if graph.about:
        lines.append(f"about: {line_text(graph.about)}")
    if graph.paper:
        lines.append(f"paper: {line_text(graph.paper)}")
    if graph.reference:
        lines.append(f"reference: {flow_text(dict(graph.reference))}")
    if [node.name for node in graph.inputs] == ["input"]:
        return [*lines, f"input: {flow_text(graph.inputs[0].out)}"]
    lines.append("inputs:")
    lines += [f"  {scalar_text(node.name)}: {flow_text(node.out)}" for node in graph.inputs]
    return lines


def layer_text(op: Op) -> str:
    """Return an operator as a layer: `relu`, `maxpool: 2`, `conv: {out: 64, kernel: 3}`."""
    given = {
        name: getattr(op, name)
        for name, attribute in attributes(type(op)).items()
        if attribute.required or getattr(op, name) != attribute.default
    }
    if not given:
        return op.name
    if op.principal is not None and list(given) == [op.principal]:
        return f"{op.name}: {flow_text(given[op.principal])}"
    return f"{op.name}: {flow_text(given)}"


def _outputs(graph: Graph) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for output in graph.outputs:
        if output.node in outputs:
            raise GraphError(
                f"'{output.node}' is two outputs, '{outputs[output.node].name}' and '{output.name}'"
            )
        outputs[output.node] = output
    return outputs


def _layer(node: Node, before: str | None, output: Output | None, owner: bool) -> list[str]:
    text = layer_text(node.op)
    lines = [
        f"  - {text}" if ":" in text else f"  - {text}: {{}}",
        f"    name: {scalar_text(node.name)}",
    ]
    if node.inputs != (before,):
        lines.append(f"    from: {flow_text(node.inputs)}")
    if node.shares or owner:
        lines.append(f"    share: {scalar_text(node.shares or node.name)}")
    if output is not None:
        lines.append(f"    output: {output_text(output)}")
    return lines


def output_text(output: Output) -> str:
    """Return what stands behind `output:`."""
    head: dict[str, Any] = {"name": output.name}
    if output.weight != 1:
        head["weight"] = output.weight
    if output.train_only:
        head["train_only"] = True
    return flow_text(head if len(head) > 1 else output.name)


def flow_text(value: Any) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow_text, value))}]"
    return scalar_text(value)


def line_text(text: str) -> str:
    """Return text that has a line of its own, in quotes only if YAML needs them."""
    several = " " in text or "://" in text  # a word alone may be a constant
    plain = re.fullmatch(r"[A-Za-z][!-~]*( [!-\"$-~][!-~]*)*", text)
    if several and plain and ": " not in text and not text.endswith(":"):
        return text
    return scalar_text(text)


def scalar_text(value: Any) -> str:
    """Return a value that is no list or mapping."""
    if isinstance(value, str):
        # A plain word needs no quotes; what could be taken for anything else gets JSON's.
        plain = value.replace("_", "").replace(".", "").isalnum() and value[0].isalpha()
        constant = value.lower() in ("true", "false", "null", "yes", "no", "on", "off")
        return value if plain and not constant and value.isascii() else json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else repr(value)
