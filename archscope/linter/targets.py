"""Collect the networks to lint from files, folders and names of the zoo."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph
from archscope.language import LIMITS, Limits
from archscope.language.document import Document
from archscope.language.yaml_items import HOLES
from archscope.linter.folders import spec_files
from archscope.sources import is_package, read
from archscope.transforms.fuse import fuse

_NETWORK = re.compile(r"^(layers|extends):", re.MULTILINE)
_HOLE = re.compile("|".join(HOLES))


class Target(Struct, frozen=True):
    """A network to lint, or the error that prevents it."""

    source: str
    graph: Graph | None = None
    document: Document | None = None
    error: ArchscopeError | None = None


def expand(words: Iterable[str]) -> Iterator[str]:
    """Yield the specs named by words; for a folder, all networks in it.

    Search spaces and files with only blocks are not networks; `spec_files` describes which files of
    a folder are skipped. Raises OptionError for a folder without networks.
    """
    for word in words:
        if not is_folder(word):
            yield word
            continue
        found = [path.as_posix() for path in sorted(spec_files(Path(word))) if _is_network(path)]
        if not found:
            raise OptionError(f"no spec in folder '{word}'")
        yield from found


def load(
    source: str,
    unsaved: Mapping[str, str] = {},
    limits: Limits = LIMITS,
    *,
    changes: Mapping[str, Any] = {},
    fused: bool = False,
    stored: Callable[[str, Graph], Graph] = lambda source, graph: graph,
) -> Target:
    """Read a spec as a target; errors are stored, so that other specs can still be linted.

    `changes` are the keyword arguments of `sources.read`; `fused` folds batch norms.
    `stored` adds the bytes of weights to the graph of a source.
    """
    try:
        text = _standard_input(limits) if source == "-" else None
        graph, document = read(source, limits, text, unsaved, **changes)
        graph = stored(source, graph)
        return Target(source, fuse(graph) if fused else graph, document)
    except ArchscopeError as error:
        return Target(source, error=error)


def _standard_input(limits: Limits) -> bytes:
    return _content(sys.stdin, limits)


@lru_cache(maxsize=1)
def _content(stream: TextIO, limits: Limits) -> bytes:
    """Return the content of standard input, which can be read only once."""
    return stream.buffer.read(limits.file_bytes + 1)


def is_folder(word: str) -> bool:
    """Return whether a word names a folder with files; False if it is no valid path, or a model."""
    try:
        return bool(word) and Path(word).is_dir() and not is_package(word)
    except (OSError, ValueError):
        return False


def _is_network(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return True  # reading it as a spec will report the error
    return bool(_NETWORK.search(text)) and not _HOLE.search(text)
