"""Rewrite operators that read only the sizes or the type of another tensor.

`w.expand_as(x)` does not depend on the numbers of `x`, so it stays a weight: it becomes an
expansion to known sizes. What broadcasts anyway needs no expansion before it.
"""

from __future__ import annotations

from operator import getitem
from typing import Any

import torch
from torch import fx

from archscope.importers.aten.names import name_of

aten = torch.ops.aten

BROADCASTS = {
    "add", "sub", "mul", "div", "maximum", "minimum", "where", "atan2", "eq", "ne", "lt", "le",
    "gt", "ge", "logical_and", "logical_or", "masked_fill",
}  # fmt: skip
"""Operators that broadcast their tensors."""


def without_others(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Return a program whose operators read no tensor only for its sizes or its type."""
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        _of_known_sizes(node)
        if name_of(str(node.target)).rstrip("_") in BROADCASTS:
            _broadcast(node)
    return program


def _shape(node: Any) -> tuple[int, ...] | None:
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _of_known_sizes(node: fx.Node) -> None:
    """Replace a tensor that an operator reads for its sizes or its type."""
    if node.target is getitem:
        source: Any = node.args[0]
        if str(source.target) != "aten.broadcast_tensors.default":
            return
        _become(node, aten.expand.default, source.args[0][node.args[1]], _shape(node))
    elif node.target is aten.expand_as.default:
        _become(node, aten.expand.default, node.args[0], _shape(node))
    elif node.target is aten.broadcast_to.default:
        _become(node, aten.expand.default, *node.args)
    elif node.target in (aten.view_as.default, aten.reshape_as.default):
        _become(node, aten.reshape.default, node.args[0], _shape(node))
    elif node.target in (aten.type_as.default, aten.to.other):
        _become(node, aten.to.dtype, node.args[0], node.meta["val"].dtype)


def _become(node: fx.Node, target: Any, source: Any, given: Any) -> None:
    """Make a node another operator with the same result."""
    node.target, node.args, node.kwargs = target, (source, given), {}


def _broadcast(node: fx.Node) -> None:
    """Read tensors as they are before their expansion, if the result has the same sizes."""
    shape = _shape(node)
    for place, value in enumerate(node.args):
        if not isinstance(value, fx.Node) or value.target is not aten.expand.default:
            continue
        args = [*node.args]
        args[place] = value.args[0]
        if place == 0 and str(node.target).split(".")[1].endswith("_"):
            continue
        sizes = [size for size in map(_shape, args) if size is not None]
        # torch gives this function no types
        together: Any = torch.broadcast_shapes(*sizes)  # type: ignore[no-untyped-call]
        if together == shape:
            node.args = tuple(args)
