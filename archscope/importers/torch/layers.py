"""Imported layers, and their names: the paths of their modules."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from archscope.ir import Op, Source
from archscope.ops.foreign import Tensor
from archscope.scopes import scopes_of

LONGEST = 80
"""The maximum length of a name; specs allow a few more characters."""


class ImportedLayer(Struct, frozen=True):
    """One of our operators, applied to values of the program."""

    path: str  # of the module that calls it
    kind: str  # the operator's name, or that of the foreign operator if opaque
    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, Tensor]  # by their names in the state_dict of the torch module
    at: Source | None = None  # the line of Python that calls it


def names_of(
    layers: Mapping[str, ImportedLayer], leaves: Collection[str], taken: Sequence[str]
) -> dict[str, str]:
    """Return a name for each layer: the path of its module, or its kind inside that path.

    A module with submodules, or with several kinds of layers, becomes a scope.
    """
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for layer in layers.values():
        kinds[layer.path].add(layer.kind)
    bases = {}
    for key, layer in layers.items():
        # A module without submodules and with one kind of layer is applied more than once.
        alone = layer.path in leaves and len(kinds[layer.path]) == 1
        bases[key] = _valid_name([*layer.path.split("."), *([] if alone else [layer.kind])])
    scopes = {scope for base in bases.values() for scope in scopes_of(base)}
    used = set(taken)
    names = {}
    for key, base in bases.items():
        name, number = base, 1
        while name in used or name in scopes:
            number += 1
            name = f"{base}_{number}"
        used.add(name)
        names[key] = name
    return names


def is_name(word: object) -> bool:
    """Return whether a word can be used in a spec without quoting."""
    return isinstance(word, str) and re.fullmatch(r"[A-Za-z_]\w{,79}", word, re.ASCII) is not None


def _valid_name(words: Sequence[str]) -> str:
    """Join words to a name valid in specs, dropping the outer words if it is too long."""
    parts = [re.sub(r"\W", "_", word, flags=re.ASCII)[:LONGEST] for word in words if word]
    while len(".".join(parts)) > LONGEST:
        del parts[0]
    name = ".".join(parts)
    if name == "in":
        return "in_"  # `in` is the input of a block in specs
    return name if name[:1].isalpha() or name[:1] == "_" else f"layer{name}"
