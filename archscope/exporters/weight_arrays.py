"""Weights as numpy arrays, without torch: names and shapes, random values, and given values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from math import prod
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from archscope.errors import GraphError, OptionError
from archscope.exporters.streamed_arrays import BLOCK, RandomArray, StreamedArray
from archscope.ir import Graph, Node, Op, Shape
from archscope.module_names import module_path
from archscope.onnx_form import OnnxNode, Value, Weight
from archscope.weights import COUNTER, check_fit, why_unreadable

Arrays = dict[str, NDArray[Any]]
"""Arrays by their names in the state dict of `archscope.build`."""

Streamed = Mapping[str, NDArray[Any] | StreamedArray]
"""The same, where large arrays may be computed while they are written."""


def form_of(node: Node) -> Value:
    """Return the ONNX form of a node. Raises GraphError if it has none."""
    form = _form(node.op, node.ins)
    if form is None:
        raise GraphError(f"'{node.name}': the operator '{node.op.label}' has no form in ONNX")
    return form


@lru_cache(maxsize=512)
def _form(op: Op, ins: tuple[Shape, ...]) -> Value | None:
    """Return the ONNX form of an operator; an export needs each several times."""
    return op.onnx(*ins)


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
    return {name: np.asarray(array) for name, array in untrained(graph, seed).items()}


def untrained(graph: Graph, seed: int) -> dict[str, NDArray[Any] | StreamedArray]:
    """Return the weights of `random_arrays`, of which large ones are streamed."""
    arrays: dict[str, NDArray[Any] | StreamedArray] = {}
    for place, (name, weight) in enumerate(stated_weights(graph).items()):
        fan_in = max(1, prod(weight.shape[1:]))
        spread = (3 / fan_in) ** 0.5 if weight.spread is None else weight.spread
        if not spread or 0 in weight.shape:
            arrays[name] = np.full(weight.shape, weight.centre, np.float32)
            continue
        drawn = RandomArray(weight.shape or (1,), weight.centre, spread, (seed, place))
        large = len(weight.shape) > 1 and prod(weight.shape) >= BLOCK
        arrays[name] = drawn if large else np.asarray(drawn).reshape(weight.shape)
    return arrays


def read_arrays(path: Path) -> Arrays:
    """Read the weights of a safetensors file, without torch. Raises OptionError."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        raise OptionError(f"expected weights in a .safetensors file, got '{path}'")
    with suppress(ImportError):
        import ml_dtypes  # noqa: F401 - which lets numpy know bfloat16
    try:
        with safe_open(path, "numpy") as file:  # also checks the file
            mapped = _mapped(path)
            rest = [name for name in file.keys() if name not in mapped]  # noqa: SIM118
            return mapped | {name: file.get_tensor(name) for name in rest}
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{path}': {why_unreadable(path, error)}") from None
    except TypeError as error:
        raise OptionError(f"cannot read '{path}' without the package ml_dtypes: {error}") from None


def _mapped(path: Path) -> Arrays:
    """Return the arrays in single precision of a valid safetensors file, read when needed.

    Changes of them stay in memory.
    """
    with path.open("rb") as file:
        content = mmap(file.fileno(), 0, access=ACCESS_COPY)
    start = 8 + int.from_bytes(content[:8], "little")
    return {
        name: np.frombuffer(
            content, "<f4", prod(entry["shape"]), start + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in msgspec.json.decode(content[8:start]).items()
        if entry.get("dtype") == "F32" and 0 not in entry["shape"]
    }


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


def fitted(graph: Graph, weights: Streamed, source: str) -> dict[str, NDArray[Any] | StreamedArray]:
    """Return given weights in single precision; errors refer to them as `source`.

    Raises OptionError unless names and shapes are those of the network.
    """
    wanted = {name: weight.shape for name, weight in stated_weights(graph).items()}
    given = {name: value for name, value in weights.items() if not name.endswith(COUNTER)}
    check_fit({name: value.shape for name, value in given.items()}, wanted, source)
    return {
        name: value if isinstance(value, StreamedArray) else np.asarray(value, np.float32)
        for name, value in ((name, given[name]) for name in wanted)
    }
