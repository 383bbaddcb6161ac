"""The bytes and bits of a network's weights as a file holds them.

Files of runs are read without torch.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from archscope.errors import OptionError
from archscope.ir import Graph, Node, Shape
from archscope.module_names import module_path
from archscope.ops.conv import ConvTranspose, by_output
from archscope.records.run_folder import weights_file
from archscope.weights import COUNTER, is_weight

if TYPE_CHECKING:
    from torch import Tensor

GIVEN = "weights"
"""How weights that are in no file are called."""


class HeldTensor(Struct, frozen=True):
    """A tensor as it is held, whose numbers are read only if they may be even levels."""

    shape: Shape
    bits: int  # of an element
    numbers: Callable[[], Any] | None  # a numpy array, for float32 only


class StoredTensor(Struct, frozen=True):
    """What a tensor takes, in its type or as even levels with their scales."""

    elements: int
    bytes: int
    bits: int  # of an element
    kernel: bool  # or matrix, of which products are computed


def with_stored_weights(graph: Graph, file: Path) -> Graph:
    """Return the graph with the bytes and bits of its weights in a .safetensors file.

    Weights on a few even levels count as such, as in the form `levels` of `storage.sizes`. The
    names of tensors are those of the network. Raises OptionError for a file that cannot be read or
    does not fit.
    """
    with _opened(file) as held:
        return _with_held(graph, held, file.as_posix())


def with_given_weights(graph: Graph, weights: Path | Mapping[str, Tensor]) -> Graph:
    """Return the graph with the bytes and bits of weights: a file, a run or a state dict.

    Files are those of `pretrained.given_weights`. Raises OptionError for what cannot be read, or
    has other names or shapes than the network.
    """
    from archscope.build import build  # loads torch
    from archscope.pretrained import given_weights
    from archscope.weights import check_fit

    state = given_weights(weights, graph) if isinstance(weights, Path) else _checked(weights)
    source = weights_file(weights).as_posix() if isinstance(weights, Path) else GIVEN
    wanted = build(graph, device="meta").state_dict()
    check_fit(_shapes(state), _shapes(wanted), f"'{source}'")
    return _with_held(graph, {name: _held(tensor) for name, tensor in state.items()}, source)


def _checked(weights: Any) -> Mapping[str, Tensor]:
    """Return a state dict. Raises OptionError for anything else."""
    import torch

    if isinstance(weights, Mapping) and all(map(torch.is_tensor, weights.values())):
        return weights
    raise OptionError(
        "weights are a file, the folder of a run or a state dict of tensors, got a"
        f" {type(weights).__name__}"
    )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _held(tensor: Tensor) -> HeldTensor:
    plain = str(tensor.dtype) == "torch.float32"
    numbers = (lambda: tensor.detach().cpu().numpy()) if plain else None
    return HeldTensor(tuple(tensor.shape), 8 * tensor.element_size(), numbers)


@contextmanager
def _opened(file: Path) -> Iterator[dict[str, HeldTensor]]:
    """Open a .safetensors file as tensors by name. Raises OptionError."""
    from safetensors import SafetensorError, safe_open

    from archscope.weights import why_unreadable

    try:
        with safe_open(file, "numpy") as opened:
            names = opened.keys()  # it is no mapping
            yield {name: _of_file(opened, name) for name in names}
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{file}': {why_unreadable(file, error)}") from None


def _of_file(opened: Any, name: str) -> HeldTensor:
    part = opened.get_slice(name)
    kind = part.get_dtype()
    digits = re.search(r"\d+", kind)
    bits = int(digits.group()) if digits else 8
    numbers = (lambda: opened.get_tensor(name)) if kind == "F32" else None
    return HeldTensor(tuple(part.get_shape()), bits, numbers)


def _with_held(graph: Graph, held: Mapping[str, HeldTensor], source: str) -> Graph:
    names: dict[str, list[str]] = defaultdict(list)
    for name in held:
        module, _, word = name.rpartition(".")
        if word != COUNTER:
            names[module].append(name)
    nodes = []
    for node in graph.nodes:
        own = names[module_path(node.name)] if node.shares is None else ()
        nodes.append(_as_stored(node, [_stored(held[name], name, node) for name in own], source))
    return structs.replace(graph, nodes=tuple(nodes), weights=source)


def _stored(tensor: HeldTensor, name: str, node: Node) -> StoredTensor:
    from archscope.compress.even_levels import level_bytes  # loads numpy

    elements, bits = prod(tensor.shape), tensor.bits
    stored, learned = elements * bits // 8, node.facts.params > node.facts.biases
    kernel = bool(node.facts.macs) and learned and is_weight(name, len(tensor.shape))
    if kernel and tensor.numbers is not None:
        groups = node.op.groups if isinstance(node.op, ConvTranspose) else None
        found, of_level = level_bytes(by_output(tensor.numbers(), groups))
        if of_level is not None:
            stored, bits = found, of_level
    return StoredTensor(elements, stored, bits, kernel)


def _as_stored(node: Node, held: Iterable[StoredTensor], source: str) -> Node:
    """Return a node with the bytes and bits of its weights. Raises OptionError."""
    elements = sum(tensor.elements for tensor in held)
    wanted = node.facts.params + node.facts.buffers if node.shares is None else 0
    if elements != wanted:
        raise OptionError(
            f"'{source}' does not fit the network: '{node.name}' has {wanted:,} weights, in the"
            f" file {elements:,}"
        )
    kernels = [tensor for tensor in held if tensor.kernel]
    largest = max(kernels, key=lambda tensor: tensor.elements, default=None)
    return structs.replace(
        node,
        weight_bytes=sum(tensor.bytes for tensor in held) if wanted else None,
        weight_bits=None if largest is None else largest.bits,
    )
