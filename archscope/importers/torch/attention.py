"""Trace torch's attention module as a few operators: products, and attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def _attention(qkv: Tensor, heads: int) -> Tensor:
    """Return attention of (N, T, 3C) with queries, keys and values along the last axis."""
    q, k, v = torch.unflatten(qkv, 2, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    mixed = functional.scaled_dot_product_attention(q, k, v)
    return mixed.transpose(1, 2).flatten(2).contiguous()


_OPERATORS: Any = torch.library.Library("archscope", "FRAGMENT")  # type: ignore[no-untyped-call]
_OPERATORS.define("attention(Tensor qkv, int heads) -> Tensor")
_OPERATORS.impl("attention", _attention, "CompositeExplicitAutograd")


_OPERATORS.define("attention_weights(Tensor weights) -> Tensor")
_OPERATORS.impl("attention_weights", lambda weights: weights.clone(), "CompositeExplicitAutograd")
WEIGHTS = "archscope.attention_weights.default"
"""Marks the weights that an attention module returns beside its result."""


def show_attention(part: nn.Module, images: int, with_weights: bool = False) -> None:
    """Make nn.MultiheadAttention use operators that can be followed, in usual configurations.

    torch's own code moves the batch after the positions and merges it with the heads. The weights
    that it returns are computed separately from the result, as they are seldom read;
    `with_weights` computes the result from them. Attention within rows or windows, of which the
    batch has several for each of its `images`, is traced as its products.
    """
    if type(part) is not nn.MultiheadAttention:
        return
    before = part.forward

    def forward(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        if query.dim() != 3:
            given = (key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
            return before(query, key, value, *given)
        inputs = [query, key, value]
        if not part.batch_first:
            turned = {id(x): x.transpose(0, 1) for x in inputs}
            inputs = [turned[id(x)] for x in inputs]
        mask = _added(attn_mask, query)
        if mask is not None and mask.dim() == 3:  # of each image and head
            mask = torch.unflatten(mask, 0, (-1, part.num_heads))
        same = inputs[0] is inputs[1] is inputs[2] and key_padding_mask is None
        plain = same and _is_usual(part) and len(inputs[0]) == images
        if plain and not need_weights:
            out = _self_attention(part, inputs[0], mask)
            return (out if part.batch_first else out.transpose(0, 1)), None
        plain = plain and not with_weights
        heads = _projected(part, *inputs)
        weights = None
        if need_weights or key_padding_mask is not None:
            weights = _weights(heads[0], heads[1], mask, key_padding_mask)
            if not (with_weights or key_padding_mask is not None):
                weights = torch.ops.archscope.attention_weights(weights)
        if plain:
            out = _self_attention(part, inputs[0], mask)
        else:
            read = with_weights or key_padding_mask is not None
            out = _mixed(part, heads, mask, weights if read else None)
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        out = out if part.batch_first else out.transpose(0, 1)
        return out, (weights if need_weights else None)

    part.forward = forward  # type: ignore[method-assign]


def _is_usual(part: nn.MultiheadAttention) -> bool:
    """Return whether queries, keys and values come from one product, without added ones."""
    return part.in_proj_weight is not None and part.bias_k is None and not part.add_zero_attn


def _added(mask: Tensor | None, x: Tensor) -> Tensor | None:
    """Return a mask as numbers that are added to the scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=x.dtype).masked_fill(mask, -torch.inf)


def _self_attention(part: nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the attention of (N, T, C) to itself, projected."""
    qkv = functional.linear(x, part.in_proj_weight, part.in_proj_bias)
    if mask is None:
        mixed: Tensor = torch.ops.archscope.attention(qkv, part.num_heads)
    else:
        heads = torch.unflatten(qkv, 2, (3, part.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed.transpose(1, 2).flatten(2)
    return functional.linear(mixed, part.out_proj.weight, part.out_proj.bias)


def _projected(
    part: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values as (N, heads, T, C / heads)."""
    names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
    weights = [getattr(part, name) for name in names]
    if part.in_proj_weight is not None:
        weights = [*part.in_proj_weight.chunk(3)]
    biases = [None] * 3 if part.in_proj_bias is None else [*part.in_proj_bias.chunk(3)]
    q, k, v = (
        functional.linear(x, weight, bias)
        for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    if part.bias_k is not None and part.bias_v is not None:
        k = torch.cat([k, part.bias_k.expand(len(k), -1, -1)], 1)
        v = torch.cat([v, part.bias_v.expand(len(v), -1, -1)], 1)
    if part.add_zero_attn:
        k, v = functional.pad(k, (0, 0, 0, 1)), functional.pad(v, (0, 0, 0, 1))
    q, k, v = (torch.unflatten(x, 2, (part.num_heads, -1)).transpose(1, 2) for x in (q, k, v))
    return q, k, v


def _more_keys(mask: Tensor | None, keys: Tensor) -> Tensor | None:
    """Return a mask with zeros for the keys that the module adds itself."""
    if mask is None or mask.shape[-1] == keys.shape[-2]:
        return mask
    return functional.pad(mask, (0, keys.shape[-2] - mask.shape[-1]))


def _weights(q: Tensor, k: Tensor, mask: Tensor | None, no_keys: Tensor | None) -> Tensor:
    """Return the weights of all values, (N, heads, queries, keys).

    `no_keys`, (N, keys), is true for keys that are padding, or has numbers to add.
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    more = _more_keys(mask, k)
    scores = scores if more is None else scores + more
    if no_keys is not None:
        padding = _more_keys(no_keys[:, None, None], k)
        assert padding is not None
        if padding.dtype == torch.bool:
            scores = scores.masked_fill(padding, -torch.inf)
        else:
            scores = scores + padding
    weights: Tensor = scores.softmax(-1)
    return weights


def _mixed(
    part: nn.MultiheadAttention,
    heads: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None,
    weights: Tensor | None,
) -> Tensor:
    """Return the weighted values, projected."""
    q, k, v = heads
    if weights is None:
        more = _more_keys(mask, k)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=more)
    else:
        mixed = weights @ v
    mixed = mixed.transpose(1, 2).flatten(2)
    return functional.linear(mixed, part.out_proj.weight, part.out_proj.bias)
