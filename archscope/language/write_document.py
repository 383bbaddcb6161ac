"""Document -> YAML text, with its blocks, expressions and holes. Comments are not kept."""

from __future__ import annotations

import re
from typing import Any

import yaml
from msgspec import structs

from archscope.errors import SpecError
from archscope.language.document import GROUP, Block, Chain, Document, Layer, layers_in
from archscope.language.expression import Expression
from archscope.language.value import CHOICE, Hole, Value

WIDTH = 120
SHORT = 84  # characters of what may stand in braces or brackets on one line
_TAG = "tag:yaml.org,2002:"
_TYPES = {bool: "bool", int: "int", float: "float", str: "str"}


class _Lines(dict[str, Any]):
    """A mapping that always has lines of its own."""


class _Words(_Lines):
    """A layer, which has lines of its own unless it stands in a short chain."""


class _Dumper(yaml.SafeDumper):
    """Sets lists in by two, as the specs do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def document_text(document: Document) -> str:
    """Return a spec that reads as the document, with the blocks that it uses.

    Raises SpecError for a pattern, whose brackets have no word in a spec.
    """
    rows = _Lines({"name": document.name})
    for key in ("about", "paper"):
        if getattr(document, key):
            rows[key] = getattr(document, key)
    if document.reference:
        rows["reference"] = document.reference
    if set(document.inputs) == {"input"}:
        rows["input"] = document.inputs["input"]
    else:
        rows["inputs"] = document.inputs
    if document.let:
        rows["let"] = document.let
    parts = [_text(rows)]
    blocks = [document.blocks[name] for name in used_blocks(document)]
    if blocks:
        named = _Lines({block.name: _block(block) for block in blocks})
        parts.append(_text(_Lines({"blocks": named})))
    parts.append(_text(_Lines({"layers": [_layer(layer) for layer in document.body.layers]})))
    # A parameter without a default is written as such, which YAML's writer does not do.
    return re.sub(r"^( +(?:with: \{.*|\w+: null)$)", _without_null, "\n".join(parts), flags=re.M)


def _without_null(line: re.Match[str]) -> str:
    return re.sub(r": null(?=[,}])", ": ", re.sub(r": null$", ":", line[1]))


def used_blocks(document: Document) -> list[str]:
    """Return the names of the blocks that the network uses, in the order of the document."""
    used: set[str] = set()
    todo = [document.body]
    while todo:
        for layer in layers_in(todo.pop().layers):
            if layer.word in document.blocks and layer.word not in used:
                used.add(layer.word)
                todo.append(document.blocks[layer.word])
    return [name for name in document.blocks if name in used]


def _text(rows: dict[str, Any]) -> str:
    return str(yaml.serialize(_node(rows), Dumper=_Dumper, width=WIDTH))


def _node(content: Any) -> yaml.Node:
    """Return the YAML node of plain data that may hold values."""
    if isinstance(content, Value):
        return _node(content.content)
    if isinstance(content, Expression):
        return _node(content.text)
    if isinstance(content, Hole):
        return _hole(content)
    if isinstance(content, dict):
        pairs = [(_node(str(key)), _node(value)) for key, value in content.items()]
        flow = _fits(sum(_size(key) + _size(value) + 4 for key, value in pairs), pairs)
        if isinstance(content, _Lines):
            flow = False
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=flow)
    if isinstance(content, list | tuple):
        items = [_node(item) for item in content]
        if all(not isinstance(item, _Words) or len(item) == 1 for item in content):
            for item, node in zip(content, items, strict=True):
                if isinstance(item, _Words) and isinstance(node, yaml.MappingNode):
                    node.flow_style = _fits(_size(node), node.value)
        flow = _fits(sum(_size(item) + 2 for item in items), [(item,) for item in items])
        if not flow:
            for item, node in zip(content, items, strict=True):
                if isinstance(item, _Words) and isinstance(node, yaml.MappingNode):
                    node.flow_style = False
        return yaml.SequenceNode(f"{_TAG}seq", items, flow_style=flow)
    if content is None:
        return yaml.ScalarNode(f"{_TAG}null", "null")
    text = str(content)
    if isinstance(content, bool):
        text = text.lower()
    elif isinstance(content, float):
        mantissa, e, exponent = repr(content).partition("e")
        text = mantissa + ("" if "." in mantissa else ".0" if e else "") + e + exponent
    return yaml.ScalarNode(f"{_TAG}{_TYPES[type(content)]}", text)


def _fits(size: int, children: list[Any]) -> bool:
    """Return whether a list or mapping goes on one line: if short, and all in it are."""
    return size <= SHORT and all(
        not isinstance(node, yaml.CollectionNode) or node.flow_style
        for row in children
        for node in row
    )


def _size(node: yaml.Node) -> int:
    tag = len(node.tag) + 1 if node.tag.startswith("!") else 0
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + tag
    if isinstance(node, yaml.MappingNode):
        return sum(_size(key) + _size(value) + 4 for key, value in node.value) + tag
    return sum(_size(item) + 2 for item in node.value) + tag


def _hole(hole: Hole) -> yaml.Node:
    rows: dict[str, Any] = {}
    if hole.kind == CHOICE:
        rows["of"] = list(hole.alternatives)
    else:
        rows |= {"low": hole.low, "high": hole.high}
        if hole.step not in (None, 1):
            rows["step"] = hole.step
        if hole.log:
            rows["log"] = True
    if hole.shared:
        rows["shared"] = True
    node = _node(rows["of"] if list(rows) == ["of"] else rows)
    node.tag = f"!{hole.kind}"
    return node


def _block(block: Block) -> dict[str, Any]:
    rows: dict[str, Any] = {"with": block.defaults} if block.defaults else {}
    return _Lines({**rows, "layers": [_layer(layer) for layer in block.layers]})


def _layer(layer: Layer) -> Any:
    """Return a layer as plain data."""
    if layer.word == GROUP:
        raise SpecError("a bracket of a pattern cannot be written as a spec", layer.at)
    content: Any = dict(layer.args)
    if layer.alone:
        (content,) = layer.args.values()
    if layer.branches is not None:
        content = [_chain(branch) if branch else "identity" for branch in layer.branches]
    rows = _Words({layer.word: content})
    for key in ("name", "sources", "share", "each", "repeat", "when", "split"):
        value = getattr(layer, key)
        if value is not None:
            rows["from" if key == "sources" else key] = (
                value[0] if key == "sources" and len(value) == 1 else value
            )
    if layer.output is not None:
        head = structs.asdict(layer.output)
        plain = layer.output.weight.content == 1 and layer.output.train_only.content is False
        rows["output"] = layer.output.name if plain else head
    if layer.then:
        rows["then"] = _chain(layer.then)
    if layer.otherwise:
        rows["else"] = _chain(layer.otherwise)
    if content == {}:
        return layer.word if len(rows) == 1 else rows
    return rows


def _chain(chain: Chain) -> Any:
    layers = [_layer(layer) for layer in chain]
    return layers[0] if len(layers) == 1 else layers
