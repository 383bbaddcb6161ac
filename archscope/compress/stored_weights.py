"""The bytes and bits of a network's weights as a file holds them, without torch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope.compress.weight_names import is_weight
from archscope.errors import OptionError
from archscope.ir import Graph, Node
from archscope.module_names import module_path

COUNTER = "num_batches_tracked"
"""The step counter of torch's batch norms, which does not count."""


class StoredTensor(Struct, frozen=True):
    """What a tensor takes, in its type or as even levels with their scales."""

    elements: int
    bytes: int
    bits: int  # of an element
    kernel: bool  # or matrix, of which products are computed


def with_stored_weights(graph: Graph, file: Path) -> Graph:
    """Return the graph with the bytes and bits of its weights in a .safetensors file.

    Weights on a few even levels count as such, as in the form `levels` of `storage.sizes`. Raises
    OptionError for a file that cannot be read or does not fit.
    """
    from safetensors import SafetensorError, safe_open

    names: dict[str, list[str]] = defaultdict(list)
    nodes = []
    try:
        with safe_open(file, "numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                module, _, word = name.rpartition(".")
                if word != COUNTER:
                    names[module].append(name)
            for node in graph.nodes:
                held = names[module_path(node.name)] if node.shares is None else ()
                nodes.append(_as_stored(node, [_stored(opened, name, node) for name in held], file))
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{file}': {error}") from None
    return structs.replace(graph, nodes=tuple(nodes))


def _stored(opened: Any, name: str, node: Node) -> StoredTensor:
    from archscope.compress.even_levels import level_bytes  # loads numpy

    part = opened.get_slice(name)
    shape, kind = part.get_shape(), part.get_dtype()
    digits = re.search(r"\d+", kind)
    bits = int(digits.group()) if digits else 8
    elements = prod(shape)
    stored, learned = elements * bits // 8, node.facts.params > node.facts.biases
    kernel = bool(node.facts.macs) and learned and is_weight(name, len(shape))
    if kernel and kind == "F32":
        found, of_level = level_bytes(opened.get_tensor(name))
        if of_level is not None:
            stored, bits = found, of_level
    return StoredTensor(elements, stored, bits, kernel)


def _as_stored(node: Node, held: Iterable[StoredTensor], file: Path) -> Node:
    """Return a node with the bytes and bits of its weights. Raises OptionError."""
    elements = sum(tensor.elements for tensor in held)
    wanted = node.facts.params + node.facts.buffers if node.shares is None else 0
    if elements != wanted:
        raise OptionError(
            f"'{file}' does not fit the network: '{node.name}' has {wanted:,} weights, in the file"
            f" {elements:,}"
        )
    kernels = [tensor for tensor in held if tensor.kernel]
    largest = max(kernels, key=lambda tensor: tensor.elements, default=None)
    return structs.replace(
        node,
        weight_bytes=sum(tensor.bytes for tensor in held) if wanted else None,
        weight_bits=None if largest is None else largest.bits,
    )
