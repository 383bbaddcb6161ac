"""Which blocks and names of `let` a document uses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archscope.language.document import Block, Document, layers_in

_NAME = re.compile(r"[A-Za-z_]\w*")


def blocks_used(blocks: Mapping[str, Block], root: Block) -> set[str]:
    """Return the names of the blocks that a block uses, directly or through others."""
    used: set[str] = set()
    waiting = [root]
    while waiting:
        words = {layer.word for layer in layers_in(waiting.pop().layers)}
        new = words & blocks.keys() - used
        used |= new
        waiting += [blocks[name] for name in new]
    return used


def names_used(document: Document) -> set[str]:
    """Return the names of `let` that inputs and layers read, directly or through others.

    A word of an expression counts as a name even where it is an attribute, so that a name that
    something might use is never called unused.
    """
    used: set[str] = set()
    blocks = [document.blocks[name] for name in blocks_used(document.blocks, document.body)]
    waiting = [value for block in (document.body, *blocks) for value in block.values()]
    waiting += document.inputs.values()
    while waiting:
        expressions = list(waiting.pop().expressions())
        words = {word for part in expressions for word in _NAME.findall(part.text)}
        new = words & document.let.keys() - used
        used |= new
        waiting += [document.let[name] for name in new]
    return used
