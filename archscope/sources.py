"""Turns what users call a network, a spec or a model to import, into its graph and document.

`torchvision.models:resnet50` names an attribute of a Python module: an `nn.Module`, or a class
or function that returns one, optionally with literals as arguments: `mynet.py:Net(width=32)`.
Importing it runs that module's code. `mynet` means the file `mynet.py` if there is no spec with
this name. A path that ends in `.onnx` is an ONNX file; TensorFlow Lite, darknet, Caffe and ncnn
have suffixes of their own. Anything else is passed to `archscope.language`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from archscope import language, space
from archscope.errors import OptionError, WordError
from archscope.importers import import_strings
from archscope.importers.formats import FORMATS, Inputs, format_of
from archscope.importers.other_files import refuse, refuse_without_suffix
from archscope.ir import Graph, Node, Shape
from archscope.language import LIMITS, Limits
from archscope.language.document import Document
from archscope.language.flatten import flat_document, with_places
from archscope.units import parse_shape

if TYPE_CHECKING:
    from archscope.importers.formats import Imported


GivenInputs = Shape | str | Mapping[str, Shape | str] | None
"""The shape of a network's input without the batch, or of each by name; also as text, 3x224x224."""


def is_foreign(word: str) -> bool:
    """Return whether a word names a model to import rather than a spec."""
    return format_of(resolved(word)) is not None


def resolved(word: str) -> str:
    """Return the file that a word such as `mynet` refers to, or the word if it names a spec."""
    file = import_strings.file_of(word)
    if file is None or Path(word).is_file() or language.shipped(word):
        return word
    return file.as_posix()


def imported(word: str, input: Inputs = None, batch: int = 1) -> Imported:
    """Import the model that a word names. Raises ArchscopeError.

    `batch` matters if a model treats images of a batch differently: the graph is that of one image
    in such a batch.
    """
    word = resolved(word)
    found = format_of(word)
    if found is None:
        refuse(word)
        if Path(word).is_file() or language.shipped(word):
            raise OptionError(f"'{word}' is already a spec, not a model to import")
        _refuse(word)
        expected = " or ".join(entry.about for entry in FORMATS.values())
        raise OptionError(f"'{word}' is not a model to import: expected {expected}")
    words = {"batch": batch} if found.batched else {}
    return found.importer()(word, input, **words)


def own_module(word: str, input: Inputs = None) -> tuple[Any, tuple[Any, ...]] | None:
    """Return the torch module that a word names, with inputs for one image.

    Return None for specs, and for formats without a torch module. Raises ArchscopeError.
    """
    word = resolved(word)
    found = format_of(word)
    loader = found.module_loader() if found else None
    return loader(word, input) if loader else None


def document(
    word: str | Path,
    limits: Limits = LIMITS,
    text: bytes | None = None,
    unsaved: Mapping[str, str] = {},
    *,
    input: Inputs = None,
) -> Document:
    """Return the document of a spec or of a model. Raises ArchscopeError.

    The document of a model is flat and uses the model's names of layers. `input` gives the input
    shapes, without the batch, of a model that does not state them.
    """
    if _is_model(word, text):
        graph = imported(str(word), input).graph
        return flat_document(graph, _file_name(str(word), graph))
    if text is None:
        _refuse(str(word))
    return language.document(word, limits, text, unsaved)


def read(
    word: str | Path,
    limits: Limits = LIMITS,
    text: bytes | None = None,
    unsaved: Mapping[str, str] = {},
    *,
    set: Mapping[str, Any] | None = None,
    input: Inputs = None,
    batch: int = 1,
) -> tuple[Graph, Document]:
    """Return the graph of a spec or of a model, and its document. Raises ArchscopeError.

    `batch` is described in `imported`.
    """
    if not _is_model(word, text):
        if text is None:
            _refuse(str(word))
        found = language.document(word, limits, text, unsaved)
        return space.graph(found, set=set, input=input, limits=limits), found
    graph = imported(str(word), input, batch).graph
    found = flat_document(graph, _file_name(str(word), graph))
    if set or not is_plain(graph, limits):
        return _as_stored(language.graph(found, set=set, limits=limits), graph), found
    return with_places(graph, found), found


def load(
    word: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a spec, or of a model to import. Raises ArchscopeError.

    A spec is a path, a zoo name, a pattern `INPUT 3x32x32 -> ...`, or YAML text; a model is
    `package.module:name`, whose code is run, or a path that ends in `.onnx`. `set` overrides values
    of the spec's `let`; `input` replaces the shape of its input, channels first, `(3, 224, 224)`
    or `"3x224x224"`, or of several inputs by name.
    """
    return read(word, limits, set=set, input=shapes_of(input))[0]


def shapes_of(input: GivenInputs) -> Inputs:
    """Return shapes that may be written as text, 3x224x224, as tuples. Raises OptionError."""
    if isinstance(input, Mapping):
        return {name: _shape_of(shape) for name, shape in input.items()}
    return None if input is None else _shape_of(input)


def _shape_of(given: Shape | str) -> Shape:
    if not isinstance(given, str):
        return given
    shape = parse_shape(given)
    if shape is None:
        raise OptionError(f"input is a shape such as 3x224x224 or (3, 224, 224), got '{given}'")
    return shape


def run_of(word: object) -> tuple[str, Path | None] | None:
    """Return the spec of a run whose folder is named, and its best weights if there are some yet.

    Return None for other words.
    """
    if not isinstance(word, str | Path) or not os.path.isdir(word):  # noqa: PTH112 - long patterns
        return None
    from archscope.records.run_folder import BEST, is_run  # slow to import

    run = Path(word)
    if not is_run(run):
        return None
    return (run / "spec.yaml").as_posix(), run / BEST if (run / BEST).is_file() else None


def _is_model(word: str | Path, text: bytes | None) -> bool:
    if text is not None or (isinstance(word, str) and language.is_text(word)):
        return False
    word = resolved(str(word))
    return is_foreign(word) and (is_package(word) or not Path(word).is_dir())


def is_package(word: str) -> bool:
    """Return whether a word names a model whose format allows folders."""
    found = format_of(word)
    return found is not None and found.folders


def _refuse(word: str) -> None:
    """Raise OptionError for a word that is no spec, if it is known what it is."""
    if language.is_text(word):
        return
    refuse(word)
    if not language.shipped(word):
        refuse_without_suffix(word)
        if (right := import_strings.with_colon(word)) is not None:
            raise WordError(f"'{word}' is no file", word, right)


def _file_name(word: str, graph: Graph) -> str:
    """Return the name of the text of an imported graph, which is not a file with lines."""
    return f"{word}:{graph.name}" if word.endswith(".py") else word


def is_plain(graph: Graph, limits: Limits) -> bool:
    """Return whether a graph already equals its document, which then need not be expanded."""
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    outputs = [places[output.node] for output in graph.outputs]
    used = {output.node for output in graph.outputs}.union(*(n.inputs for n in graph.nodes))
    return (
        len(graph.nodes) <= limits.nodes
        and outputs == sorted(outputs)
        and all(graph.nodes[place].inputs for place in outputs)
        and all(node.name in used for node in graph.nodes if node.inputs)
        and all(prod(node.out) <= limits.number for node in graph.nodes)
        and all(_has_weights(node) for node in graph.nodes if node.shares)
    )


def _as_stored(made: Graph, graph: Graph) -> Graph:
    """Copy what specs cannot express, types of numbers, from the original graph."""
    known = graph.by_name
    nodes = tuple(
        structs.replace(
            node,
            weight_bytes=known[node.name].weight_bytes,
            weight_bits=known[node.name].weight_bits,
        )
        if node.name in known
        else node
        for node in made.nodes
    )
    return structs.replace(made, nodes=nodes, dtype=graph.dtype)


def _has_weights(node: Node) -> bool:
    return bool(node.op.params(*node.ins) or node.op.buffers(*node.ins))
