"""Specs: YAML text, a zoo name or a one-line pattern -> Graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import OptionError, did_you_mean
from archscope.ir import Graph, Shape, Source
from archscope.spec.expand import Document, Expander
from archscope.spec.files import Collector, document_of, zoo
from archscope.spec.limits import LIMITS, Limits
from archscope.spec.read import decode
from archscope.spec.syntax import Value

__all__ = ["LIMITS", "Limits", "document", "graph", "load", "zoo"]


def load(
    source: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a spec: a path, a zoo name, or a pattern `INPUT 3x32x32 -> ...`.

    `set` gives values to names of the spec's `let`; `input` replaces the shape of its input,
    channels first, or of several inputs by name. Raises ArchscopeError.
    """
    return graph(document(source, limits), set=set, input=input, limits=limits)


def document(source: str | Path, limits: Limits = LIMITS, text: bytes | None = None) -> Document:
    """Return the document of a spec, read from `text` in place of the source if that is given.

    Raises ArchscopeError.
    """
    name = str(source)
    collector = Collector(limits)
    if text is not None:
        shown = "<stdin>" if name == "-" else name
        content = decode(text, shown, limits)
        if _is_pattern(content.strip()):
            return _pattern(content.strip(), limits)
        return document_of(collector.text(content, shown, Path()), shown, "stdin")
    if isinstance(source, str) and _is_pattern(name):
        return _pattern(name, limits)
    path = Path(source)
    if name in zoo() and not path.is_file():
        path = zoo()[name]
    elif not path.exists() and path.suffix not in (".yaml", ".yml"):
        hint = did_you_mean(name, zoo())
        raise OptionError(f"'{name}' is no file, no pattern and no network of the zoo{hint}")
    return document_of(collector.file(path), path.as_posix(), path.stem)


def _is_pattern(text: str) -> bool:
    return "->" in text and "\n" not in text


def _pattern(text: str, limits: Limits) -> Document:
    from archscope.spec.pattern import document_of_pattern  # few commands need it

    return document_of_pattern(text, limits)


def graph(
    document: Document,
    *,
    set: Mapping[str, Any] | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a document. Raises ArchscopeError."""
    if set:
        at = Source("--set", 1, 1)
        for name in set:
            if name not in document.let:
                known = ", ".join(document.let) or "none"
                hint = did_you_mean(name, document.let) or f"; the spec lets you set {known}"
                raise OptionError(f"cannot set '{name}': no such name in 'let'{hint}")
        changed = {name: Value(value, at, True) for name, value in set.items()}
        document = structs.replace(document, let={**document.let, **changed})
    shapes = input if isinstance(input, Mapping) else {}
    if input is not None and not isinstance(input, Mapping):
        if len(document.inputs) != 1:
            names = ", ".join(document.inputs)
            raise OptionError(f"the spec has several inputs; give a shape by name: {names}")
        shapes = {next(iter(document.inputs)): tuple(input)}
    return Expander(document, limits).graph(shapes)
