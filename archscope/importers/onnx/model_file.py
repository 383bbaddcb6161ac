"""An ONNX file -> its model, checked as far as the importer relies on it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from archscope.errors import DataError, LimitError, UnavailableError
from archscope.importers.onnx.limits import COMPUTED_BYTES, check_functions

OLDEST = 7
"""The oldest opset that is read; onnx's converter knows none before it."""

PLAIN = 11
"""The opset that older ones are converted to; before it, some of today's inputs were attributes."""


def library() -> Any:
    """Return the onnx package. Raises UnavailableError where it is missing."""
    try:
        import onnx
        import onnx.inliner
        import onnx.reference
        import onnx.shape_inference
        import onnx.version_converter
    except ImportError as error:
        raise UnavailableError(
            "reading ONNX needs the package onnx: pip install 'archscope[onnx]'"
        ) from error
    return onnx


def read_model(path: Path) -> Any:
    """Return the model of a file, with its external data loaded and its functions inlined.

    The domain of ONNX's own operators is "" in it, never `ai.onnx`. Raises ArchscopeError for a
    file that is not ONNX, is damaged, or uses a feature that is not supported.
    """
    onnx = library()
    model = _parsed(onnx, path)
    if not model.graph.node:
        raise DataError("the model has no operators")
    _check_names(model)
    imports = chain(model.opset_import, *(function.opset_import for function in model.functions))
    for entry in (*imports, *_nodes(model)):
        if entry.domain == "ai.onnx":
            entry.domain = ""
    _check_opset(onnx, model)
    _load_external(onnx, model, path.parent)
    if model.functions:
        check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # the inliner raises what it likes
            raise DataError(f"its functions cannot be written out: {error}") from None
    if opsets(model).get("", PLAIN) < PLAIN:
        model = _converted(onnx, model)
    for node in _nodes(model):
        if any(attribute.type == attribute.SPARSE_TENSOR for attribute in node.attribute):
            raise DataError(f"{named(node)} has a sparse tensor, which is not supported")
    if model.graph.sparse_initializer:
        raise DataError("sparse weights are not supported")
    return model


def named(node: Any) -> str:
    """Return an operator as messages name it: `Conv '/stem/Conv'`."""
    return f"{node.op_type} '{(node.name or next(iter(node.output), ''))[-100:]}'"


def opsets(model: Any) -> dict[str, int]:
    """Return the version of each domain that a model asks for."""
    return {entry.domain: entry.version for entry in model.opset_import}


def first_line(error: Exception) -> str:
    """Return the first line of what another package says of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _nodes(model: Any) -> list[Any]:
    """Return all operators, those of functions and of graphs inside operators too."""
    nodes = [*chain(model.graph.node, *(function.node for function in model.functions))]
    for node in nodes:  # which grows
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                nodes += graph.node
    return nodes


def _parsed(onnx: Any, path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnavailableError("there is no such file") from None
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # protobuf's DecodeError, whose package has no types
        # A model starts with its version; what starts so and does not parse is damaged.
        if content[:1] == b"\x08" and b"\x01" <= content[1:2] <= b"\x40":
            raise DataError(
                f"the ONNX file is damaged or cut short, at {len(content)} bytes"
            ) from None
        raise DataError("is not an ONNX file") from None
    if not model.ir_version or not model.HasField("graph"):
        raise DataError("is not an ONNX file")
    return model


def _check_names(model: Any) -> None:
    """Check that names are text of one line, which protobuf does not promise."""
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
        raise DataError("the model names no version of ONNX's operators")
    if version < OLDEST:
        raise DataError(f"opset {version} is too old, opsets {OLDEST} to {newest} are read")
    if version > newest:
        raise DataError(
            f"opset {version} is newer than the installed onnx {onnx.__version__}, which knows"
            f" opsets to {newest}"
        )


def _converted(onnx: Any, model: Any) -> Any:
    """Return a model in a newer opset, as onnx converts it. Raises DataError."""
    try:
        made = onnx.version_converter.convert_version(model, PLAIN)
    except Exception as error:  # its errors and those of C++
        raise DataError(
            f"cannot be converted from opset {opsets(model)['']} to {PLAIN}: {first_line(error)}"
        ) from None
    old = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in made.graph.node:
        if node.domain == "" and node.op_type == "Resize":  # the converter leaves out what it meant
            node.attribute.extend(onnx.helper.make_attribute(*given) for given in old.items())
    return made


def _load_external(onnx: Any, model: Any, folder: Path) -> None:
    """Read the weights that stand in files of their own, beside the model."""
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

    attributes = (attribute for node in _nodes(model) for attribute in node.attribute)
    constants = (attribute.t for attribute in attributes if attribute.HasField("t"))
    left, files = COMPUTED_BYTES, set[Path]()
    for tensor in filter(uses_external_data, (*model.graph.initializer, *constants)):
        location = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        path = folder / location
        if path not in files and path.is_file():
            files.add(path)
            left += path.stat().st_size
        try:
            load_external_data_for_tensor(tensor, str(folder))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
            left -= len(tensor.raw_data)
        except Exception as error:  # missing, outside the folder, a link: onnx raises each its own
            reason = f"cannot be used: {first_line(error)}" if path.exists() else "is missing"
            raise UnavailableError(
                f"the weights of '{tensor.name}' are in '{location}' beside it, which {reason}"
            ) from None
        if left < 0:
            raise LimitError(
                f"its weights take the same bytes more than once, beyond the limit of"
                f" {COMPUTED_BYTES:,} more than there are"
            )
