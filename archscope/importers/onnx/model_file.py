"""Read an ONNX file, and check what the importer relies on."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, json

from archscope.errors import DataError, LimitError, UnavailableError
from archscope.importers.file_content import Content, content_of
from archscope.importers.onnx.headers import without_numbers
from archscope.importers.onnx.limits import check_functions
from archscope.importers.onnx.tensor_data import TensorData
from archscope.onnx_form import LEARNED
from archscope.signatures import BEGIN, described

OLDEST = 7
"""The oldest supported opset; onnx's converter supports none before it."""

PLAIN = 11
"""Older opsets are converted to this one; before it, some of today's inputs were attributes."""


def library(format: str = "ONNX") -> Any:
    """Return the onnx package, to read a format. Raises UnavailableError if it is missing."""
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.inliner
        import onnx.reference
        import onnx.shape_inference
        import onnx.version_converter
    except ImportError as error:
        raise UnavailableError(
            f"reading {format} needs the package onnx: pip install 'archscope[onnx]'"
        ) from error
    return onnx


def read_model(path: Path) -> tuple[Any, TensorData]:
    """Return the model of a file, with its functions inlined, and the data of its tensors.

    The domain of ONNX's own operators is always "" in it, never `ai.onnx`. Raises ArchscopeError
    for a file that is not ONNX, is damaged, or uses an unsupported feature.
    """
    onnx = library()
    content = content_of(path)
    model, data = _parsed(onnx, content, path.name), TensorData(onnx, path, content)
    if not model.graph.node:
        raise DataError("the model has no operators")
    _check_names(model)
    imports = chain(model.opset_import, *(function.opset_import for function in model.functions))
    for entry in (*imports, *_nodes(model)):
        if entry.domain == "ai.onnx":
            entry.domain = ""
    _check_opset(onnx, model)
    if model.functions:
        check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # the inliner raises various exceptions
            raise DataError(f"its functions cannot be inlined: {error}") from None
    if opsets(model).get("", PLAIN) < PLAIN:
        for tensor in filter(data.is_external, model.graph.initializer):
            tensor.CopyFrom(data.loaded(tensor))
        model = _converted(onnx, model)
    for node in _nodes(model):
        if any(attribute.type == attribute.SPARSE_TENSOR for attribute in node.attribute):
            raise DataError(f"{named(node)} has a sparse tensor, which is not supported")
    if model.graph.sparse_initializer:
        raise DataError("sparse weights are not supported")
    return model, data


def named(node: Any) -> str:
    """Return the name of an operator in messages: `Conv '/stem/Conv'`."""
    return f"{node.op_type} '{(node.name or next(iter(node.output), ''))[-100:]}'"


def opsets(model: Any) -> dict[str, int]:
    """Return the version of each domain that a model imports."""
    return {entry.domain: entry.version for entry in model.opset_import}


def learned_of(model: Any) -> dict[str, int]:
    """Return how many numbers of initializers were learned, if the file tells. Raises DataError."""
    for entry in model.metadata_props:
        if entry.key == LEARNED:
            try:
                return json.decode(entry.value, type=dict[str, Annotated[int, Meta(ge=0)]])
            except MsgspecError:
                raise DataError(
                    f"the metadata '{LEARNED}' need a number for each name in JSON,"
                    f" got {entry.value[:60]!r}"
                ) from None
    return {}


def first_line(error: Exception) -> str:
    """Return the first line of an error of another package."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _nodes(model: Any) -> list[Any]:
    """Return all operators, those of functions and of graphs inside operators too."""
    nodes = [*chain(model.graph.node, *(function.node for function in model.functions))]
    for node in nodes:  # the list grows
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                nodes += graph.node
    return nodes


def _parsed(onnx: Any, content: Content, name: str) -> Any:
    """Parse the content of a file with that name. Raises DataError or LimitError."""
    model = onnx.ModelProto()
    try:
        large = not isinstance(content, bytes)
        model.ParseFromString(without_numbers(content, name) if large else content)
    except LimitError:
        raise
    except Exception:  # protobuf's DecodeError, whose package has no types
        # A model starts with its version; what starts so and does not parse is damaged.
        if content[:1] == b"\x08" and b"\x01" <= content[1:2] <= b"\x40":
            raise DataError(
                f"the ONNX file is damaged or truncated, at {len(content)} bytes"
            ) from None
        raise DataError(_no_model(content)) from None
    if not model.ir_version or not model.HasField("graph"):
        raise DataError(_no_model(content))
    return model


def _no_model(content: Content) -> str:
    what = described(content[:BEGIN])
    return f"is not an ONNX file, but {what}" if what else "is not an ONNX file"


def _check_names(model: Any) -> None:
    """Check that names are single lines of text, which protobuf does not guarantee."""
    graph = model.graph
    names = [entry.domain for entry in model.opset_import]
    values = chain(graph.input, graph.output, graph.initializer, graph.value_info)
    names += [value.name for value in values]
    for node in _nodes(model):
        names += [node.op_type, node.domain, node.name, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    for name in names:
        if not isinstance(name, str) or not name.isprintable():
            raise DataError(f"the ONNX file is damaged: {name[:60]!r} is not a name")


def _check_opset(onnx: Any, model: Any) -> None:
    newest = onnx.defs.onnx_opset_version()
    version = opsets(model).get("")
    if version is None:
        raise DataError("the model states no version of ONNX's operators")
    if version < OLDEST:
        raise DataError(f"opset {version} is too old, expected {OLDEST} to {newest}")
    if version > newest:
        raise DataError(
            f"opset {version} is newer than the installed onnx {onnx.__version__}, which supports"
            f" opsets up to {newest}"
        )


def _converted(onnx: Any, model: Any) -> Any:
    """Convert a model to a newer opset with onnx. Raises DataError."""
    try:
        made = onnx.version_converter.convert_version(model, PLAIN)
    except Exception as error:  # its own errors and those of C++
        raise DataError(
            f"cannot be converted from opset {opsets(model)['']} to {PLAIN}: {first_line(error)}"
        ) from None
    old = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in made.graph.node:
        if node.domain == "" and node.op_type == "Resize":  # the converter leaves out what it meant
            node.attribute.extend(onnx.helper.make_attribute(*given) for given in old.items())
    return made
