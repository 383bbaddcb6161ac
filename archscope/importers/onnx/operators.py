"""An operator of an ONNX model as plain data."""

from __future__ import annotations

import ast
from typing import Any

from msgspec import Struct


class OnnxOperator(Struct, frozen=True):
    """An operator with its attributes as plain data and absent inputs as empty names."""

    kind: str  # the operator type, behind its domain where that is not ONNX's own
    name: str  # of the node in the file
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    scopes: tuple[str, ...] = ()  # module paths, outermost first, where the exporter wrote them


class SplitList(Struct, frozen=True):
    """A value split along an axis into a list of parts, which end at `ends`."""

    source: str
    axis: int
    ends: tuple[int, ...]


def scopes_of(node: Any) -> tuple[str, ...]:
    """Return the module paths that torch's exporter writes on an operator, outermost first."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            try:
                found = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError):
                return ()
            return tuple(map(str, found)) if isinstance(found, list) else ()
    return ()
