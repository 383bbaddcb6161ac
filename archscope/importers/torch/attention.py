"""torch's attention module as a few operators that a trace shows: products, and attention."""

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


def show_attention(part: nn.Module) -> None:
    """Let nn.MultiheadAttention compute in operators that are followed, where it does usual things.

    What torch runs instead brings the batch behind the positions and folds it with the heads.
    """
    if type(part) is not nn.MultiheadAttention:
        return
    usual = part.in_proj_weight is not None and part.bias_k is None and not part.add_zero_attn
    if not usual:
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
        given = (key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
        masked = attn_mask is not None and attn_mask.dim() != 2
        if query.dim() != 3 or key_padding_mask is not None or masked or key is not value:
            return before(query, key, value, *given)
        if query is not key:
            return before(query, key, value, *given)
        weights = before(query, key, value, *given)[1] if need_weights else None
        x = query if part.batch_first else query.transpose(0, 1)
        out = _self_attention(part, x, attn_mask)
        return (out if part.batch_first else out.transpose(0, 1)), weights

    part.forward = forward  # type: ignore[method-assign]


def _self_attention(part: nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the attention of (N, T, C) to itself, projected."""
    qkv = functional.linear(x, part.in_proj_weight, part.in_proj_bias)
    if mask is None:
        mixed: Tensor = torch.ops.archscope.attention(qkv, part.num_heads)
    else:
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=x.dtype).masked_fill(mask, -torch.inf)
        heads = torch.unflatten(qkv, 2, (3, part.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed.transpose(1, 2).flatten(2)
    return functional.linear(mixed, part.out_proj.weight, part.out_proj.bias)
