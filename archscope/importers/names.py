"""Names of nodes, from the titles of layers in files of other frameworks, and lists of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from archscope.module_names import PUBLIC

LONGEST = 60
"""The maximum number of characters of each part of a name."""


SHOWN = 3
"""The number of names that a note lists."""


def first_few(names: Sequence[str]) -> str:
    """List the first names of many, and count the others: `a, b, c and 4 more`."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def take_name(name: str, used: dict[str, int], scopes: Collection[str] = ()) -> str:
    """Return the name, with a number appended if it is taken, and add it to those used.

    `used` has the last number of each name, so that many equal names are not slower than others.
    """
    candidate, number = name, used.get(name, 1)
    while candidate in used or candidate in scopes:
        number += 1
        candidate = f"{name}_{number}"
    used[name] = number
    used.setdefault(candidate, 1)
    return candidate


def name_part(text: str, default: str = "op") -> str:
    """Turn a text into a part of a name: letters, digits and underscores."""
    part = re.sub(r"[^A-Za-z0-9_]+", "_", text[: 4 * LONGEST]).strip("_")[:LONGEST]
    return f"{part}_op" if part in PUBLIC or f"{part}_" in PUBLIC else part or default


def valid_start(name: str) -> str:
    """Make a name start with a letter or underscore."""
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def snake(word: str) -> str:
    """Return `GlobalAveragePool` as `global_average_pool`."""
    word = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", word[: 4 * LONGEST])
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", word).lower()
