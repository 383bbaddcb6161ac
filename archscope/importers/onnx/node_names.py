"""Turn the names of operators in an ONNX file into names of nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from archscope.importers.names import name_part, snake, take_name, valid_start
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel

DEEPEST = 16
"""The number of innermost parts of a name that are kept."""


def names_of(model: ResolvedModel, taken: Iterable[str] = ()) -> list[str]:
    """Return a name for each operator: the path of its module if the file has it.

    No name is the scope of another one, and all are different.
    """
    paths = [_path(model, operator) for operator in model.operators]
    operators_of = Counter(path for path, _ in paths)
    scopes = {".".join(path[:end]) for path, _ in paths for end in range(1, len(path))}
    used = dict.fromkeys(taken, 1)
    names = []
    for path, own in paths:
        alone = path and operators_of[path] == 1 and ".".join(path) not in scopes
        name = ".".join(path if alone else (*path, own))
        names.append(take_name(name, used, scopes))
    return names


def _path(model: ResolvedModel, operator: OnnxOperator) -> tuple[tuple[str, ...], str]:
    """Return the module path of an operator, and its own name within that module."""
    kind = snake(operator.kind.rpartition(".")[2])
    for name in operator.inputs:
        bare = name.partition("|")[0]
        if name in model.initializers and bare.endswith((".weight", ".bias")):
            return _cut(bare.split(".")[:-1]), kind
    if len(operator.scopes) > 1:  # from '' over modules to the operator, each with its whole path
        return _cut(operator.scopes[-2].split(".") if operator.scopes[-2] else []), kind
    if operator.name.startswith("/"):
        path: list[str] = []
        *segments, last = operator.name.strip("/").split("/")
        for segment in segments:
            # A list of modules passes its own name on: /layer1/layer1.0/layer1.0.2/conv1.
            outer = [".".join(path[start:]) for start in range(len(path))]
            known = next((name for name in outer if segment.startswith(f"{name}.")), None)
            path += (segment if known is None else segment[len(known) + 1 :]).split(".")
        return _cut(path), name_part(snake(last))
    if operator.name and not re.search(r"[/.]", operator.name):
        return (), valid_start(name_part(snake(operator.name)))
    return _cut(re.split(r"[/.]", operator.name)) if operator.name else (), kind


def _cut(parts: Sequence[str]) -> tuple[str, ...]:
    kept = [name_part(part) for part in parts if part][-DEEPEST:]
    return (valid_start(kept[0]), *kept[1:]) if kept else ()
