"""Names of imported nodes: the paths of the modules that made them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct


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
        words = [*step.path.split("."), *([] if alone else [step.word])]
        base = ".".join(re.sub(r"\W", "_", word) for word in words if word)
        if not base[:1].isalpha() and base[:1] != "_":
            base = f"layer{base}"
        bases[key] = base
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


def _scopes(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
