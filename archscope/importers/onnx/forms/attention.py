"""Attention, with its heads as an axis or in the channels."""

from __future__ import annotations

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form
from archscope.ops.foreign import Tensor

KNOWN = {"q_num_heads", "kv_num_heads", "scale", "is_causal", "softcap", "softmax_precision"}
"""The attributes that are read, or change the precision alone; newer ones narrow the keys."""


@form("Attention")
def _attention(applied: Applied) -> Steps:
    """Attention without keys and values of earlier steps; only its main result."""
    if applied.place or any(tensor is not None for tensor in applied.tensors[4:]):
        return ()
    if not applied.operator.attributes.keys() <= KNOWN or applied.attribute("softcap"):
        return ()
    chain, mask = Chain(), _mask(applied)
    flat = len(applied.x.shape) == 3
    counts = [applied.attribute(f"{word}_num_heads") for word in ("q", "kv", "kv")]
    q, k, v = (
        _with_heads(chain, applied.input(place), count) if flat else applied.input(place)
        for place, count in enumerate(counts)
    )
    k, v = (_repeated(chain, value, q.shape[1]) for value in (k, v))
    out = *q.shape[:-1], v.shape[-1]
    words = {"attn_mask": mask, "is_causal": bool(applied.attribute("is_causal"))}
    made = chain.add("scaled_dot_product_attention.default", out, query=q, key=k, value=v,
                     scale=applied.attribute("scale"), **words)  # fmt: skip
    if flat:
        images, heads, length, width = out
        turned = (images, length, heads, width)
        made = chain.add("permute.default", turned, self=made, dims=(0, 2, 1, 3))
        chain.add("reshape.default", applied.out, self=made)
    return chain.steps


def _mask(applied: Applied) -> Tensor | None:
    """Return what is added to the scores: minus infinity where truth values forbid a key.

    Raises LookupError if a query may read no key, of which implementations make different results.
    """
    import numpy

    mask = applied.given(3)
    if mask is None or not mask.constant:
        return mask
    array = applied.array(3)
    if array.dtype != bool:
        if applied.attribute("is_causal") and numpy.isneginf(array).any():
            raise LookupError("rows without a key")
        return mask
    if applied.attribute("is_causal") or not array.any(axis=-1).all():
        raise LookupError("rows without a key")
    return applied.made("|mask", numpy.where(array, 0, -numpy.inf).astype(numpy.float32))


def _with_heads(chain: Chain, x: Tensor, heads: int) -> Tensor:
    images, length, channels = x.shape
    apart = (images, length, heads, channels // heads)
    split = chain.add("reshape.default", apart, self=x)
    turned = (images, heads, length, channels // heads)
    return chain.add("permute.default", turned, self=split, dims=(0, 2, 1, 3))


def _repeated(chain: Chain, x: Tensor, heads: int) -> Tensor:
    """Return keys or values for each head of the queries, several of which may share them."""
    images, own, length, width = x.shape
    if own == heads:
        return x
    groups = (images, own, 1, length, width)
    many = (images, own, heads // own, length, width)
    x = chain.add("reshape.default", groups, self=x)
    x = chain.add("expand.default", many, self=x, size=many)
    return chain.add("reshape.default", (images, heads, length, width), self=x)
