"""Write a document as YAML text, with its blocks, expressions and holes but without comments.

The style is fixed: a layer per line with its arguments in braces; if that does not fit, a line for
each part. Chains are in brackets only if they are a few words, or follow in `then`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from archscope.errors import SpecError
from archscope.ir import Graph, Op, Source
from archscope.language.document import GROUP, Block, Chain, Document, Head, Layer, blocks_used
from archscope.language.expression import Expression
from archscope.language.flatten import arguments, flat_document
from archscope.language.value import CHOICE, Hole, Value

WIDTH = 120  # characters of a line
SHORT = 80  # most characters of layers in brackets after `then` or `else`
FEW = 3  # most words of a chain in brackets anywhere
CONSTANTS = ("true", "false", "null", "yes", "no", "on", "off")

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_SENTENCE = re.compile(r"[A-Za-z=][!-~]*( [!-\"$-~][!-~]*)*")
"""Words separated by single spaces, none of which begins a comment."""


def document_text(document: Document) -> str:
    """Return the document as the text of a spec, with the blocks that it uses.

    Raises SpecError for a pattern, whose brackets have no equivalent in a spec.
    """
    lines = [f"name: {_text(document.name)}"]
    more = {"about": document.about, "paper": document.paper}
    lines += [f"{key}: {_text(text)}" for key, text in more.items() if text]
    if document.reference:
        lines += _entry("reference", document.reference)
    if list(document.inputs) == ["input"]:
        lines += _entry("input", document.inputs["input"])
    else:
        lines += ["inputs:", *_indented(_entries(document.inputs))]
    if document.let:
        lines += ["let:", *_indented(_entries(document.let))]
    used = blocks_used(document.blocks, document.body)
    blocks = [block for name, block in document.blocks.items() if name in used]
    if blocks:
        lines += ["", "blocks:"]
        for block in blocks:
            lines += [f"  {block.name}:", *_indented(_block(block), 4)]
    if blocks or document.let:
        lines.append("")
    lines += ["layers:", *_indented(_chain(document.body.layers, 2))]
    return "\n".join(lines) + "\n"


def to_yaml(graph: Graph) -> str:
    """Return a spec with one layer per node, with every node and output under its own name.

    Blocks stay visible in the names. Raises GraphError for a node that is two outputs at once,
    which the language cannot express.
    """
    return document_text(flat_document(graph))


def layer_text(op: Op) -> str:
    """Return an operator as a layer: `relu`, `maxpool: 2`, `conv: {out: 64, kernel: 3}`."""
    at = Source("", 1, 1)
    return _layer(Layer(op.name, at, "", *arguments(op, at)), 0)[0]


def _block(block: Block) -> list[str]:
    lines = _entry("about", block.about, 4) if block.about else []
    if block.entries:
        lines += _entry("inputs", [*block.entries], 4)
    if block.defaults:
        lines += _entry("with", block.defaults, 4)
    words = [layer.word for layer in block.layers]
    if len(words) <= FEW and all(map(_is_word, block.layers)):
        return [*lines, f"layers: [{', '.join(words)}]"]
    return [*lines, "layers:", *_indented(_chain(block.layers, 6))]


def _chain(chain: Chain, column: int) -> list[str]:
    """Return layers as the items of a list that begins at a column."""
    return [line for layer in chain for line in _item(_layer(layer, column + 2))]


def _layer(layer: Layer, column: int) -> list[str]:
    """Return the lines of a layer that begins at a column. Raises SpecError."""
    if layer.word == GROUP:
        raise SpecError("a bracket of a pattern cannot be written as a spec", layer.at)
    more = _modifiers(layer, column)
    if layer.branches is not None:
        branches = [
            line for branch in layer.branches for line in _item(_branch(branch, column + 4))
        ]
        return [f"{layer.word}:", *_indented(branches), *more]
    if layer.args:
        return [*_entry(layer.word, _given(layer), column), *more]
    return [f"{layer.word}: {{}}", *more] if more else [layer.word]


def _branch(chain: Chain, column: int) -> list[str]:
    if not chain:
        return ["identity"]
    lines = _layer(chain[0], column)
    # Alone, `identity` is the empty branch; in a list it is the operator.
    return lines if len(chain) == 1 and lines != ["identity"] else _chain(chain, column)


def _modifiers(layer: Layer, column: int) -> list[str]:
    """Return the modifiers of a layer, in the order in which they are read."""
    lines: list[str] = []
    sources = layer.sources
    given: dict[str, Any] = {
        "name": layer.name,
        "from": sources[0] if sources and len(sources) == 1 else sources,
        "share": layer.share,
        "params": layer.params,
        "weight_macs": layer.weight_macs,
        "split": layer.split,
    }
    covering = {"each": layer.each, "repeat": layer.repeat, "when": layer.when}
    for key, value in given.items():
        lines += [] if value is None else _entry(key, value, column)
    lines += _following("then", layer.then, column)
    for key, value in covering.items():
        lines += [] if value is None else _entry(key, value, column)
    lines += _following("else", layer.otherwise, column)
    return (
        lines if layer.output is None else [*lines, *_entry("output", _head(layer.output), column)]
    )


def _following(key: str, chain: Chain, column: int) -> list[str]:
    """Return the lines of `then` or `else`, on one line if the layers are short."""
    if not chain:
        return []
    if all(map(_is_short, chain)):
        words = [
            f"{{{layer.word}: {inline(_given(layer))}}}" if layer.args else layer.word
            for layer in chain
        ]
        text = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
        if len(text) <= SHORT:
            return [f"{key}: {text}"]
    if len(chain) == 1:
        return [f"{key}:", *_indented(_layer(chain[0], column + 2))]
    return [f"{key}:", *_indented(_chain(chain, column + 2))]


def _given(layer: Layer) -> Any:
    """Return the arguments of a layer, or its only argument if that has no name."""
    return next(iter(layer.args.values())) if layer.alone else layer.args


def _is_word(layer: Layer) -> bool:
    return _is_short(layer) and not layer.args


def _is_short(layer: Layer) -> bool:
    """Return whether a layer has no modifiers."""
    parts = (
        layer.branches, layer.then or None, layer.repeat, layer.each, layer.when,
        layer.otherwise or None, layer.name, layer.sources, layer.share, layer.params,
        layer.weight_macs, layer.output, layer.split,
    )  # fmt: skip
    return layer.word != GROUP and all(part is None for part in parts)


def _head(head: Head) -> Any:
    """Return the value of `output:`, without defaults."""
    rows: dict[str, Any] = {"name": head.name}
    if head.weight.content != 1:
        rows["weight"] = head.weight
    if head.train_only.content is not False:
        rows["train_only"] = head.train_only
    return rows if len(rows) > 1 else head.name


def _entry(key: str, value: Any, column: int = 0) -> list[str]:
    """Return the lines of a key and its value: one, unless it is too long and can be split."""
    tag, content = _parts(value)
    begin = f"{key}: {tag}"
    if isinstance(content, str):
        return [begin + _text(content)]
    line = (begin + ("" if value is None else _inline_content(content))).rstrip()
    if column + len(line) <= WIDTH or not _has_parts(content):
        return [line]
    return [begin.rstrip(), *_indented(_lines(content, column + 2))]


def _entries(rows: Mapping[str, Any], column: int = 2) -> list[str]:
    return [line for key, value in rows.items() for line in _entry(_key(key), value, column)]


def _lines(content: Any, column: int) -> list[str]:
    """Return a mapping or list with a line for each part."""
    if isinstance(content, dict):
        return _entries(content, column)
    lines = []
    for part in content:
        tag, inside = _parts(part)
        line = tag + _inline_content(inside)
        if column + 2 + len(line) > WIDTH and _has_parts(inside):
            part_lines = _lines(inside, column + 2)
            lines += ["- " + tag.rstrip(), *_indented(part_lines)] if tag else _item(part_lines)
        else:
            lines.append(f"- {line}")
    return lines


def _has_parts(content: Any) -> bool:
    """Return whether long content is better split into lines, unlike a list of numbers."""
    if isinstance(content, list | tuple):
        return any(isinstance(_parts(part)[1], dict | list | tuple) for part in content)
    return isinstance(content, dict)


def _parts(value: Any) -> tuple[str, Any]:
    """Return the tag of a value, if it is a hole, and its content."""
    if isinstance(value, Value):
        return _parts(value.content)
    if isinstance(value, Expression):
        return "", value.text
    if not isinstance(value, Hole):
        return "", value
    rows: dict[str, Any] = {}
    if value.kind == CHOICE:
        rows["of"] = list(value.alternatives)
    else:
        rows |= {"low": value.low, "high": value.high}
        if value.step not in (None, 1):
            rows["step"] = value.step
        if value.log:
            rows["log"] = True
    if value.shared:
        rows["shared"] = True
    return f"!{value.kind} ", rows["of"] if list(rows) == ["of"] else rows


def inline(value: Any) -> str:
    """Return a value on one line, in braces and brackets."""
    tag, content = _parts(value)
    return tag + _inline_content(content)


def _inline_content(content: Any) -> str:
    if isinstance(content, dict):
        rows = (
            f"{_key(key)}: {'' if value is None else inline(value)}"
            for key, value in content.items()
        )
        return f"{{{', '.join(rows)}}}"
    if isinstance(content, list | tuple):
        return f"[{', '.join(map(inline, content))}]"
    if isinstance(content, str):
        plain = content.startswith("=") and not {*content} & {*",[]{}:?"}
        return _text(content) if plain else _quoted(content)
    if isinstance(content, bool):
        return str(content).lower()
    return "null" if content is None else repr(content)


def _key(key: str) -> str:
    return _quoted(str(key))


def _text(text: str) -> str:
    """Return a text that ends its line, quoted only if YAML requires it."""
    several = " " in text or "://" in text or text.startswith("=")  # a word may be a constant
    if several and _SENTENCE.fullmatch(text) and ": " not in text and not text.endswith(":"):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """Return a text in quotes, unless it is an unambiguous word."""
    if _WORD.fullmatch(text) and text.lower() not in CONSTANTS:
        return text
    return json.dumps(text, ensure_ascii=max(text, default="") < "\U00010000")


def _item(lines: list[str]) -> list[str]:
    """Return lines as an item of a list."""
    return [f"- {lines[0]}", *_indented(lines[1:])]


def _indented(lines: Iterable[str], by: int = 2) -> list[str]:
    space = " " * by
    return [space + line for line in lines]
