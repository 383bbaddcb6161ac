"""Imported layers, and their names: the paths of the modules that made them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from archscope.ir import Op, Source
from archscope.ops.foreign import Tensor

LONGEST = 80
"""Characters of a name; a spec takes a few more."""


class ImportedLayer(Struct, frozen=True):
    """An operator of ours, on values of the program."""

    path: str  # of the module that made it
    kind: str  # the operator's name, or that of the opaque operator that it stands for
    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, Tensor]  # by their names in the state_dict of the torch module
    at: Source | None = None  # the line of Python that calls it


def names_of(
    layers: Mapping[str, ImportedLayer], leaves: Collection[str], taken: Sequence[str]
) -> dict[str, str]:
    """Return a name for each layer: its module's path, or its kind within that of its module.

    A module that has parts, or that makes several kinds of layers, becomes a scope.
    """
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for layer in layers.values():
        kinds[layer.path].add(layer.kind)
    bases = {}
    for key, layer in layers.items():
        # A module without parts that makes one kind of layer is applied more than once.
        alone = layer.path in leaves and len(kinds[layer.path]) == 1
        bases[key] = _valid_name([*layer.path.split("."), *([] if alone else [layer.kind])])
    scopes = {scope for base in bases.values() for scope in _scopes(base)}
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
    """Return whether a word can stand in a spec as it is."""
    return isinstance(word, str) and re.fullmatch(r"[A-Za-z_]\w{,79}", word, re.ASCII) is not None


def _valid_name(words: Sequence[str]) -> str:
    """Return words as a name that a spec takes, the innermost words where all are too long."""
    parts = [re.sub(r"\W", "_", word, flags=re.ASCII)[:LONGEST] for word in words if word]
    while len(".".join(parts)) > LONGEST:
        del parts[0]
    name = ".".join(parts)
    if name == "in":
        return "in_"  # in a spec `in` is what enters a block
    return name if name[:1].isalpha() or name[:1] == "_" else f"layer{name}"


def _scopes(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
