"""Compute the weights of a network with folded batch norms, as numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from archscope.analysis.batch_norms import foldable
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.conv import ConvTranspose
from archscope.ops.norm import BatchNorm

if TYPE_CHECKING:
    from numpy.typing import NDArray


def multiplied(array: NDArray[Any], factors: NDArray[Any]) -> NDArray[Any]:
    """Return a product, computed in double precision, in the precision of the array."""
    import numpy as np

    product = np.empty_like(array)
    np.multiply(array, factors, out=product, dtype=np.float64, casting="same_kind")
    return product


def fused_arrays(
    graph: Graph,
    weights: Mapping[str, Any],
    product: Callable[[Any, NDArray[Any]], Any] = multiplied,
) -> dict[str, Any]:
    """Return the weights with which `fuse(graph)` computes the same as `graph` with `weights`.

    Computed in double precision, so that only the result is rounded. `product` multiplies the
    kernel of a layer, of any type with a shape, by factors that broadcast over it.
    """
    graph = graph.inference()
    owners = {node.name for node in graph.nodes if node.shares is None}
    left = dict(weights)
    norms = foldable(graph)
    for norm, layer in norms.items():
        if norm not in owners:
            continue
        scale, shift = norm_scale(graph, norm, left)
        node = graph.by_name[layer]
        at = module_path(node.shares or layer)
        weight = left[f"{at}.weight"]
        bias = left.get(f"{at}.bias")
        factors = scale.reshape(-1, *(1 for _ in weight.shape[1:]))
        if isinstance(node.op, ConvTranspose):
            # (in, out / groups, ...), with the groups one after another along `in`.
            rows = weight.shape[0]
            each = rows // node.op.groups
            parts = scale.reshape(node.op.groups, -1).repeat(each, axis=0)
            factors = parts.reshape(rows, -1, *(1 for _ in weight.shape[2:]))
        left[f"{at}.weight"] = product(weight, factors)
        before = 0.0 if bias is None else bias.astype("float64")
        left[f"{at}.bias"] = (before * scale + shift).astype(weight.dtype)
    dropped = {module_path(norm) for norm in norms}
    kept = {module_path(node.name) for node in graph.nodes} - dropped
    return {name: value for name, value in left.items() if name.rpartition(".")[0] in kept}


def norm_scale(
    graph: Graph, norm: str, weights: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the factor and the shift of a batch norm for each channel."""
    at = module_path(norm)
    op = graph.by_name[norm].op
    assert isinstance(op, BatchNorm)
    mean = weights[f"{at}.running_mean"].astype("float64")
    scale = (weights[f"{at}.running_var"].astype("float64") + op.eps) ** -0.5
    if f"{at}.weight" in weights:
        scale = scale * weights[f"{at}.weight"].astype("float64")
        return scale, weights[f"{at}.bias"].astype("float64") - mean * scale
    return scale, -mean * scale
