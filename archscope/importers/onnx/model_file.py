"""An ONNX file -> its model, checked as far as the importer relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archscope.errors import ArchscopeError, DataError, UnavailableError

OLDEST = 11
"""The oldest opset that is read; before it, some of today's inputs were attributes."""

BRANCHING = ("If", "Loop", "Scan", "SequenceMap")
DOMAIN = ""
"""The domain of ONNX's own operators; `ai.onnx` is another spelling of it."""


def library() -> Any:
    """Return the onnx package. Raises UnavailableError where it is missing."""
    try:
        import onnx
        import onnx.inliner
        import onnx.reference
        import onnx.shape_inference
    except ImportError as error:
        raise UnavailableError(
            "reading ONNX needs the package onnx: pip install 'archscope[onnx]'"
        ) from error
    return onnx


def read_model(path: Path) -> Any:
    """Return the model of a file, with its external data loaded and its functions inlined.

    Raises ArchscopeError for a file that is not ONNX, is damaged, or has what is not supported.
    """
    onnx = library()
    model = _parsed(onnx, path)
    if not model.graph.node:
        raise DataError(f"{path}: the model has no operators")
    _check_names(model, path)
    _check_opset(onnx, model, path)
    _load_external(onnx, model, path)
    if model.functions:
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # the inliner raises what it likes
            raise DataError(f"{path}: its functions cannot be written out: {error}") from None
    for node in model.graph.node:
        if any(attribute.type == attribute.SPARSE_TENSOR for attribute in node.attribute):
            raise DataError(f"{path}: {named(node)} has a sparse tensor, which is not supported")
    if model.graph.sparse_initializer:
        raise DataError(f"{path}: sparse weights are not supported")
    return model


def named(node: Any) -> str:
    """Return an operator as messages name it: `Conv '/stem/Conv'`."""
    return f"{node.op_type} '{(node.name or next(iter(node.output), ''))[-100:]}'"


def domain_of(node: Any) -> str:
    """Return the domain of an operator, in one spelling."""
    return DOMAIN if node.domain == "ai.onnx" else str(node.domain)


def opsets(model: Any) -> dict[str, int]:
    """Return the version of each domain that a model asks for."""
    return {
        DOMAIN if entry.domain == "ai.onnx" else str(entry.domain): int(entry.version)
        for entry in model.opset_import
    }


def _parsed(onnx: Any, path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnavailableError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # protobuf's DecodeError, whose package has no types
        # A model starts with its version; what starts so and does not parse is damaged.
        if content[:1] == b"\x08" and b"\x01" <= content[1:2] <= b"\x40":
            raise DataError(
                f"{path}: the ONNX file is damaged or cut short, at {len(content)} bytes"
            ) from None
        raise DataError(f"{path}: is not an ONNX file") from None
    if not model.ir_version or not model.HasField("graph"):
        raise DataError(f"{path}: is not an ONNX file")
    return model


def _check_names(model: Any, path: Path) -> None:
    """Check that names are text of one line, which protobuf does not promise."""
    for holder in (model.graph, *model.functions):
        names = [entry.domain for entry in model.opset_import]
        for node in holder.node:
            names += [node.op_type, node.domain, node.name, *node.input, *node.output]
            names += [attribute.name for attribute in node.attribute]
        if holder is model.graph:
            for values in (holder.input, holder.output, holder.initializer, holder.value_info):
                names += [value.name for value in values]
        for name in names:
            if not isinstance(name, str) or not name.isprintable():
                raise DataError(f"{path}: the ONNX file is damaged: {name[:60]!r} is not a name")


def _check_opset(onnx: Any, model: Any, path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    version = opsets(model).get(DOMAIN)
    if version is None:
        raise DataError(f"{path}: the model names no version of ONNX's operators")
    if version < OLDEST:
        raise DataError(
            f"{path}: opset {version} is too old, opsets {OLDEST} to {newest} are read;"
            " onnx.version_converter.convert_version brings a model up to date"
        )
    if version > newest:
        raise DataError(
            f"{path}: opset {version} is newer than the installed onnx"
            f" {onnx.__version__}, which knows opsets to {newest}"
        )
    for node in model.graph.node:
        if domain_of(node) == DOMAIN and node.op_type in BRANCHING:
            raise DataError(
                f"{path}: {named(node)} decides at run time what is computed;"
                " archscope analyses networks whose operators are fixed"
            )


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for holder in (model.graph, *model.functions):
        for node in holder.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t


def _load_external(onnx: Any, model: Any, path: Path) -> None:
    """Read the weights that stand in files of their own, beside the model."""
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

    for tensor in _tensors(model):
        if not uses_external_data(tensor):
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        name = where.get("location", "")
        try:
            load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
        except ArchscopeError:
            raise
        except Exception as error:  # missing, outside the folder, a link: onnx raises each its own
            missing = not (path.parent / name).exists()
            reason = "is missing" if missing else f"cannot be used: {_line(error)}"
            raise UnavailableError(
                f"{path}: the weights of '{tensor.name}' are in '{name}' beside it, which {reason}"
            ) from None


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
