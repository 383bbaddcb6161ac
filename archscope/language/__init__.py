"""Read specs: from YAML text, a zoo name or a one-line pattern to a Graph.

A spec passes through these files:

* `yaml_items` parses text to items that know their line;
* `files` follows `extends` and `use`; `pattern` reads a one-line pattern instead;
* `read_layers` and `read_values` turn items into a `document` of blocks and layers, in which each
  `value` is a constant, an `expression` or a hole;
* `elaborate` walks through a document; `expand` is the walk that makes its graph, with the help of
  `checks` and `node_builder`.

`flatten` and `write` turn graphs and documents back into text, `edit` changes text in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import OptionError, SpecError, did_you_mean, quoted, shortened
from archscope.ir import Graph, Shape
from archscope.language.document import Document
from archscope.language.expand import expand
from archscope.language.files import (
    Collector,
    document_of,
    is_file,
    shipped,
    spaces,
    specs_in,
    zoo,
)
from archscope.language.limits import LIMITS, Limits
from archscope.language.overrides import input_shapes, settings
from archscope.language.yaml_items import decode

__all__ = ["LIMITS", "Limits", "document", "graph", "is_text", "load", "shipped", "spaces", "zoo"]


def load(
    source: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a spec: a path, a zoo name, a pattern `INPUT 3x32x32 -> ...`, or YAML.

    `set` overrides values of the spec's `let`; `input` replaces the shape of its input, channels
    first, or the shapes of several inputs by name. Raises ArchscopeError.
    """
    return graph(document(source, limits), set=set, input=input, limits=limits)


def document(
    source: str | Path,
    limits: Limits = LIMITS,
    text: bytes | None = None,
    unsaved: Mapping[str, str] = {},
) -> Document:
    """Return the document of a spec. Raises ArchscopeError.

    If `text` is given, it is read, and `source` only names it. `unsaved` maps resolved paths to
    texts that replace the files' contents, such as unsaved buffers of an editor.
    """
    name = str(source)
    collector = Collector(limits, unsaved)
    if is_text(source):
        return document_of(collector.text(name, "<text>", Path()), "<text>", "spec")
    if text is not None:
        file = "<stdin>" if name == "-" else name
        content = decode(text, file, limits)
        if _is_pattern(content.strip()):
            return _pattern(content.strip(), limits)
        return document_of(collector.text(content, file, Path()), file, "stdin")
    if isinstance(source, str) and _is_pattern(name.rstrip()):
        return _pattern(name.rstrip(), limits)
    if not name.strip():
        raise OptionError("the name of the network is empty")
    path = Path(source)
    if not is_file(path):
        path = shipped(name) or _present(path)
    return document_of(collector.file(path), path.as_posix(), path.stem)


def is_text(source: str | Path) -> bool:
    """Return whether a source is the text of a spec, which has several lines, and not a name."""
    return isinstance(source, str) and "\n" in source.strip()


def _present(path: Path) -> Path:
    """Return the path if it exists; directories are included, as reading them reports the error.

    Raises ArchscopeError if there is none.
    """
    name = path.as_posix()
    named = path.suffix in (".yaml", ".yml")
    try:
        there = path.exists()
        link = path.readlink() if not there and path.is_symlink() else None
    except (OSError, ValueError):
        there, link = named, None  # reading it will report the error
    if there:
        return path
    if link is not None:
        raise SpecError(f"this is a link to {link}, which leads to no file", name)
    if not named:
        hint = did_you_mean(name, [*zoo(), *spaces(), *_beside(path)])
        raise OptionError(f"{quoted(name)} is no file, no pattern and no network of the zoo{hint}")
    hint = did_you_mean(path.name, [spec.name for spec in specs_in(path.parent)])
    for kind, known in (("network of the zoo", zoo()), ("space", spaces())):
        if path.stem in known and path.parent == Path():
            hint = f"; the {kind} is called '{path.stem}', without a suffix"
    raise SpecError(f"there is no such file{hint}", shortened(name, 1000))


def _beside(path: Path) -> list[str]:
    """Return the names of what is in the folder of a path, for a suggestion."""
    try:
        return [other.as_posix() for other in path.parent.iterdir()]
    except (OSError, ValueError):
        return []


def _is_pattern(text: str) -> bool:
    begins = text.lower().startswith("input ")  # even if the arrows are wrong
    return (begins or "->" in text) and "\n" not in text


def _pattern(text: str, limits: Limits) -> Document:
    from archscope.language.pattern import document_of_pattern  # rarely needed

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

    `choices` gives the values of the holes of a search space, by path. They are not checked here
    but by `archscope.space.graph`.
    """
    shapes = {} if input is None else input_shapes(document, input)
    if set:
        document = structs.replace(document, let={**document.let, **settings(document, set)})
    if set or choices or shapes:
        document = structs.replace(document, reference={})  # it describes another network
    return expand(document, limits, choices=choices, shapes=shapes)
