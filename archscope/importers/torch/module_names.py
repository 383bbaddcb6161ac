"""Names of imported nodes: the paths of the modules that made them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

LONGEST = 80
"""Characters of a name; a spec takes a few more."""


class Named(Struct, frozen=True):
    """What a node can be named after."""

    path: str  # of the module
    word: str  # what it does


def names_of(
    steps: Mapping[str, Named], leaves: Collection[str], taken: Sequence[str]
) -> dict[str, str]:
    """Return a name for each step: its module's path, or a word within that of its module.

    A module that holds others, or that makes several nodes, becomes a scope.
    """
    made = Counter(step.path for step in steps.values())
    kinds = {
        path: {step.word for step in steps.values() if step.path == path}
        for path, number in made.items()
        if number > 1 and path in leaves
    }
    bases = {}
    for key, step in steps.items():
        # A module without parts that always does the same one thing is applied more than once.
        alone = step.path in leaves and len(kinds.get(step.path, {step.word})) == 1
        bases[key] = _plain([*step.path.split("."), *([] if alone else [step.word])])
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


def _plain(words: Sequence[str]) -> str:
    """Return words as a name that a spec takes: not too long, the innermost are kept."""
    parts = [re.sub(r"\W", "_", word, flags=re.ASCII)[:LONGEST] for word in words if word]
    while len(".".join(parts)) > LONGEST:
        del parts[0]
    name = ".".join(parts)
    if name == "in":
        return "in_"  # to a spec, what enters a block
    return name if name[:1].isalpha() or name[:1] == "_" else f"layer{name}"


def _scopes(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
