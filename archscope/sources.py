"""What people call a network -> its document: a spec, or a model that is imported.

`torchvision.models:resnet50` names an attribute of a Python module: an `nn.Module`, or a class
or function without arguments that returns one. Importing it runs that module's code. A path
that ends in `.onnx` is an ONNX file. Anything else is what `archscope.language` takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope import language, space
from archscope.errors import OptionError
from archscope.importers.formats import FORMATS, Inputs, format_of
from archscope.ir import Graph
from archscope.language import LIMITS, Limits
from archscope.language.document import Document
from archscope.language.write import to_yaml

if TYPE_CHECKING:
    from archscope.importers.imported import Imported


def is_foreign(word: str) -> bool:
    """Return whether a word names a model to import rather than a spec."""
    return format_of(word) is not None


def imported(word: str, input: Inputs = None) -> Imported:
    """Return the model that a word names. Raises ArchscopeError."""
    found = format_of(word)
    if found is None:
        expected = " or ".join(entry.about for entry in FORMATS)
        raise OptionError(f"'{word}' is not a model to import: expected {expected}")
    return found.importer()(word, input)


def document(
    word: str | Path,
    limits: Limits = LIMITS,
    text: bytes | None = None,
    unsaved: Mapping[str, str] = {},
    *,
    input: Inputs = None,
) -> Document:
    """Return the document of a spec or of a model. Raises ArchscopeError.

    `input` gives shapes, without the batch, to a model that does not know them.
    """
    if text is None and isinstance(word, str) and is_foreign(word) and not Path(word).is_dir():
        graph = imported(word, input).graph
        return document_of(graph, word, limits)
    return language.document(word, limits, text, unsaved)


def document_of(graph: Graph, word: str, limits: Limits = LIMITS) -> Document:
    """Return a graph as a document, so that all that reads specs can take it.

    It is flat: what is said of a layer names it as the model does.
    """
    return document_of_text(to_yaml(graph), word, limits)


def document_of_text(text: str, word: str, limits: Limits = LIMITS) -> Document:
    """Return the document of an imported model's spec, which errors call by the model's word."""
    return language.document(word, limits, text.encode())


def load(
    word: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    input: Inputs = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a spec, or of a model to import. Raises ArchscopeError.

    A spec is a path, a zoo name, or a pattern `INPUT 3x32x32 -> ...`; a model is
    `package.module:name`, whose code is run, or a path that ends in `.onnx`. `set` gives values
    to names of the spec's `let`; `input` replaces the shape of its input, channels first, or of
    several inputs by name.
    """
    foreign = isinstance(word, str) and is_foreign(word)
    read = document(word, limits, input=input)
    return space.graph(read, set=set, input=None if foreign else input, limits=limits)
