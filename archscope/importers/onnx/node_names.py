"""Names of nodes, made of what an ONNX file calls its operators."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from archscope.importers.onnx.resolve import OnnxOperator, ResolvedModel

LONGEST = 60
"""Characters that are kept of each part of a name."""

RESERVED = frozenset({
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
    "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
    "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
    "graph", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers",
    "named_children", "named_modules", "named_parameters", "parameters", "part", "paths",
    "plans", "register_backward_hook", "register_buffer", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook", "register_module", "register_parameter",
    "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "run",
    "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty",
    "train", "training", "type", "xpu", "zero_grad",
})  # fmt: skip
"""Attributes of torch's modules, which no part of a name may be, so that weights keep theirs."""

DEEPEST = 16
"""Parts that are kept of a name, the innermost."""


def names_of(model: ResolvedModel, taken: Iterable[str] = ()) -> list[str]:
    """Return a name for each operator: the path of its module where the file tells it.

    No name is another's scope, and none is taken twice.
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


def take_name(name: str, used: dict[str, int], scopes: Collection[str] = ()) -> str:
    """Return the name, with a number behind it if it is taken, and add it to those used.

    `used` has the last number of each name, so that many equal names cost no more than others.
    """
    candidate, number = name, used.get(name, 1)
    while candidate in used or candidate in scopes:
        number += 1
        candidate = f"{name}_{number}"
    used[name] = number
    used.setdefault(candidate, 1)
    return candidate


def name_part(text: str, default: str = "op") -> str:
    """Return a text as one part of a name: letters, digits and underscores."""
    part = re.sub(r"[^A-Za-z0-9_]+", "_", text[: 4 * LONGEST]).strip("_")[:LONGEST]
    return f"{part}_op" if part in RESERVED or f"{part}_" in RESERVED else part or default


def valid_start(name: str) -> str:
    """Return a name that begins as it must, with a letter or underscore."""
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


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


def snake(word: str) -> str:
    """Return `GlobalAveragePool` as `global_average_pool`."""
    word = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", word[: 4 * LONGEST])
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", word).lower()
