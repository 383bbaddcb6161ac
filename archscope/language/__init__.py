"""Specs: YAML text, a zoo name or a one-line pattern -> Graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import OptionError, SpecError, did_you_mean, quoted, shortened
from archscope.ir import Graph, Shape
from archscope.language.document import Document
from archscope.language.expand import expand
from archscope.language.files import Collector, document_of, is_file, spaces, specs_in, zoo
from archscope.language.limits import LIMITS, Limits
from archscope.language.overrides import input_shapes, settings
from archscope.language.yaml_items import decode

__all__ = ["LIMITS", "Limits", "document", "graph", "load", "spaces", "zoo"]


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


def document(
    source: str | Path,
    limits: Limits = LIMITS,
    text: bytes | None = None,
    unsaved: Mapping[str, str] = {},
) -> Document:
    """Return the document of a spec, read from `text` in place of the source if that is given.

    `unsaved` has texts that stand for those of files, by resolved path. Raises ArchscopeError.
    """
    name = str(source)
    collector = Collector(limits, unsaved)
    if text is not None:
        shown = "<stdin>" if name == "-" else name
        content = decode(text, shown, limits)
        if _is_pattern(content.strip()):
            return _pattern(content.strip(), limits)
        return document_of(collector.text(content, shown, Path()), shown, "stdin")
    if isinstance(source, str) and _is_pattern(name):
        return _pattern(name, limits)
    path = Path(source)
    if not is_file(path):
        path = zoo().get(name) or spaces().get(name) or _present(path)
    return document_of(collector.file(path), path.as_posix(), path.stem)


def _present(path: Path) -> Path:
    """Return the path if something is there: a pipe, or a directory, which reading refuses."""
    name = path.as_posix()
    named = path.suffix in (".yaml", ".yml")
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = named  # reading it will say what is wrong
    if there:
        return path
    if not named:
        hint = did_you_mean(name, [*zoo(), *spaces()])
        raise OptionError(f"{quoted(name)} is no file, no pattern and no network of the zoo{hint}")
    hint = did_you_mean(path.name, [spec.name for spec in specs_in(path.parent)])
    raise SpecError(f"there is no such file{hint}", shortened(name, 1000))


def _is_pattern(text: str) -> bool:
    begins = text.lower().startswith("input ")  # whatever stands for the arrows then
    return (begins or "->" in text) and "\n" not in text


def _pattern(text: str, limits: Limits) -> Document:
    from archscope.language.pattern import document_of_pattern  # few commands need it

    return document_of_pattern(text, limits)


def graph(
    document: Document,
    *,
    set: Mapping[str, Any] | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    choices: Mapping[str, Any] = {},
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a document. Raises ArchscopeError.

    `choices` gives the holes of a search space their values, by path. They are taken as they are;
    `archscope.space.graph` checks them first.
    """
    shapes = {} if input is None else input_shapes(document, input)
    if set:
        document = structs.replace(document, let={**document.let, **settings(document, set)})
    if set or choices or shapes:
        document = structs.replace(document, reference={})  # it speaks of another network
    return expand(document, limits, choices=choices, shapes=shapes)
