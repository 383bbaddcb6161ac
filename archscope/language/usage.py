"""Which names and blocks of a document does anything use?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from archscope.ir import Source
from archscope.language.document import Document
from archscope.language.expression import Expression
from archscope.language.syntax import Layer, Value

_NAME = re.compile(r"[A-Za-z_]\w*")


def blocks_used(document: Document) -> set[str]:
    """Return the blocks that the layers ask for, also through other blocks."""
    used: set[str] = set()
    waiting: list[Any] = [document.body]
    while waiting:
        words = {part.word for part in _parts(waiting.pop()) if isinstance(part, Layer)}
        new = words & document.blocks.keys() - used
        used |= new
        waiting += [document.blocks[name] for name in new]
    return used


def names_used(document: Document) -> set[str]:
    """Return the names of `let` that the inputs and layers ask for, also through one another.

    A word of an expression counts as a name even where it is an attribute, so that a name that
    something might use is never called unused.
    """
    used: set[str] = set()
    blocks = [document.blocks[name] for name in blocks_used(document)]
    waiting: list[Any] = [document.body, *blocks, *document.inputs.values()]
    while waiting:
        texts = (part.text for part in _parts(waiting.pop()) if isinstance(part, Expression))
        words = {word for text in texts for word in _NAME.findall(text)}
        new = words & document.let.keys() - used
        used |= new
        waiting += [document.let[name] for name in new]
    return used


def _parts(value: Any) -> Iterator[Any]:
    """Return a record and all records and expressions within it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Value) and one.constant:
            continue
        yield one
        if isinstance(one, dict):
            held: Iterable[Any] = one.values()
        elif isinstance(one, Struct):
            held = [getattr(one, field) for field in one.__struct_fields__]
        else:
            held = one if isinstance(one, list | tuple) else ()
        waiting += [part for part in held if type(part) not in _LEAVES]


_LEAVES = {str, int, float, bool, type(None), Source, frozenset}
"""Most of what records hold, which holds nothing in turn."""
