"""Weights as numpy arrays, without torch: names and shapes, random values, and given values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.errors import GraphError, OptionError
from archscope.ir import Graph, Node
from archscope.module_names import module_path
from archscope.onnx_form import OnnxNode, Value, Weight
from archscope.weights import COUNTER, check_fit

BLOCK = 2**16
"""How many random numbers are generated at a time."""

Arrays = dict[str, NDArray[Any]]
"""Arrays by their names in the state dict of `archscope.build`."""


def form_of(node: Node) -> Value:
    """Return the ONNX form of a node. Raises GraphError if it has none."""
    form = node.op.onnx(*node.ins)
    if form is None:
        raise GraphError(f"'{node.name}': the operator '{node.op.label}' has no form in ONNX")
    return form


def stated_weights(graph: Graph) -> dict[str, Weight]:
    """Return the weights and running statistics of a network, by name."""
    return {
        f"{module_path(node.name)}.{weight.name}": weight
        for node in graph.nodes
        if node.shares is None
        for weight in _weights_in(form_of(node))
    }


def _weights_in(form: Value | None) -> Iterator[Weight]:
    if isinstance(form, Weight):
        yield form
    elif isinstance(form, OnnxNode):
        for part in form.inputs:
            yield from _weights_in(part)


def random_arrays(graph: Graph, seed: int = 0) -> Arrays:
    """Return untrained weights, the same for the same graph and seed."""
    generator = np.random.Generator(np.random.SFC64(seed))
    arrays: Arrays = {}
    for name, weight in stated_weights(graph).items():
        fan_in = max(1, int(np.prod(weight.shape[1:])))
        spread = (3 / fan_in) ** 0.5 if weight.spread is None else weight.spread
        arrays[name] = np.empty(weight.shape, np.float32)
        if spread:
            _draw(arrays[name].reshape(-1), generator, weight.centre, spread)
        else:
            arrays[name].fill(weight.centre)
    return arrays


def _draw(
    values: NDArray[Any], generator: np.random.Generator, centre: float, spread: float
) -> None:
    """Write uniform random numbers within `spread` of `centre`, in steps of 2 ** -15 of it.

    Each draw yields four numbers, and blocks fit in the cache: for large networks, this and writing
    the file dominate the time of an export.
    """
    step = np.float32(spread / 2**15)
    for start in range(0, values.size, BLOCK):
        part = values[start : start + BLOCK]
        bits = generator.integers(2**64, size=-(-part.size // 4), dtype=np.uint64)
        np.multiply(bits.view(np.int16)[: part.size], step, out=part)
        if centre:
            part += np.float32(centre)


def read_arrays(path: Path) -> Arrays:
    """Read the weights of a safetensors file, without torch. Raises OptionError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if path.suffix != ".safetensors":
        raise OptionError(f"expected weights in a .safetensors file, got '{path}'")
    with suppress(ImportError):
        import ml_dtypes  # noqa: F401 - which lets numpy know bfloat16
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{path}': {error}") from None
    except TypeError as error:
        raise OptionError(f"cannot read '{path}' without the package ml_dtypes: {error}") from None


def imported_arrays(graph: Graph, weights: Mapping[str, Any]) -> Arrays:
    """Return the weights of an imported model, by node, under the names of the state dict.

    Tensors of torch become arrays. Raises GraphError if the graph has other weights.
    """
    arrays: Arrays = {}
    stated = stated_weights(graph)
    for key, value in weights.items():
        node, _, name = key.rpartition(".")
        path = f"{module_path(node)}.{name}"
        if name == COUNTER:
            continue
        if path not in stated:
            raise GraphError(f"the network has no weight '{path}'")
        array = np.asarray(value.detach().cpu().float() if hasattr(value, "detach") else value)
        # A factor per channel has the same numbers with and without axes of size 1.
        if array.squeeze().shape != tuple(size for size in stated[path].shape if size != 1):
            raise GraphError(
                f"the weight '{path}' needs shape {stated[path].shape}, got {array.shape}"
            )
        arrays[path] = array.reshape(stated[path].shape)
    return arrays


def fitted(graph: Graph, weights: Mapping[str, NDArray[Any]], source: str) -> Arrays:
    """Return given weights in single precision; errors refer to them as `source`.

    Raises OptionError unless names and shapes are those of the network.
    """
    wanted = {name: weight.shape for name, weight in stated_weights(graph).items()}
    given = {name: value for name, value in weights.items() if not name.endswith(COUNTER)}
    check_fit({name: value.shape for name, value in given.items()}, wanted, source)
    return {name: np.asarray(given[name], np.float32) for name in wanted}
