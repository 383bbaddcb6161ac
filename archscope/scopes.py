"""Names of nodes, `block.inner.conv`, and the blocks that they are in."""

from __future__ import annotations

from collections.abc import Iterator


def scopes_of(name: str) -> Iterator[str]:
    """Yield the names of the blocks that a node is in, from inner to outer."""
    while name := name.rpartition(".")[0]:
        yield name
