"""What a foreign operator costs, where it has no word of ours: exact, or None.

Matrix products in any layout, attention and movements of data are counted here, so that a
network that cannot be rebuilt can still be analysed.
"""

from __future__ import annotations

from math import prod

from msgspec import Struct

from archscope.ops.foreign import Foreign, Tensor

MOVED = frozenset(
    [
        "permute",
        "transpose",
        "view",
        "reshape",
        "unflatten",
        "flatten",
        "unsqueeze",
        "squeeze",
        "select",
        "slice",
        "narrow",
        "chunk",
        "split",
        "split_with_sizes",
        "expand",
        "expand_as",
        "repeat",
        "cat",
        "stack",
        "roll",
        "flip",
        "index",
        "index_select",
        "pad",
        "constant_pad_nd",
        "unbind",
        "t",
        "movedim",
        "contiguous",
        "clone",
        "alias",
        "channel_shuffle",
        "pixel_shuffle",
        "pixel_unshuffle",
        "unfold",
        "im2col",
        "new_zeros",
        "zeros_like",
        "ones_like",
    ]
)
"""Operators that compute nothing."""

ELEMENTWISE = {
    "add": 1, "sub": 1, "rsub": 1, "mul": 1, "div": 1, "neg": 1, "abs": 1, "exp": 1, "log": 1,
    "sqrt": 1, "rsqrt": 1, "square": 1, "pow": 1, "relu": 1, "clamp": 1, "clamp_min": 1,
    "maximum": 1, "minimum": 1, "sigmoid": 4, "tanh": 1, "gelu": 5, "silu": 5, "softmax": 5,
    "mish": 5, "where": 1, "masked_fill": 1,
}  # fmt: skip
"""Operations on each element of the result, as our own operators count them."""


class Known(Struct, frozen=True):
    """The macs and the other arithmetic of the whole batch; None where they are not known."""

    macs: int | None
    work: int | None


def counted(foreign: Foreign) -> Known:
    """Return what is known of a foreign operator."""
    name = foreign.target.split(".")[1]
    out = prod(foreign.out)
    if name in MOVED:
        return Known(0, 0)
    if name in ELEMENTWISE:
        return Known(0, ELEMENTWISE[name] * out)
    if name in ("layer_norm", "group_norm", "instance_norm"):
        return Known(0, (5 + 2 * isinstance(foreign.get("weight"), Tensor)) * out)
    if name in ("mean", "sum", "amax", "amin", "max", "min"):
        return Known(0, prod(foreign.tensors[0].shape))
    bias = out if isinstance(foreign.get("bias"), Tensor) else 0
    if name == "linear":
        return Known(out * foreign.args["weight"].shape[1], bias)
    if name in ("conv1d", "conv2d", "conv3d"):
        return Known(out * prod(foreign.args["weight"].shape[1:]), bias)
    if name.startswith("conv_transpose"):
        taps = prod(foreign.args["weight"].shape[1:])
        return Known(prod(foreign.args["input"].shape) * taps, bias)
    tensors = foreign.tensors
    if name in ("matmul", "bmm", "mm") and len(tensors) == 2:
        return Known(out * tensors[0].shape[-1], 0)
    if name in ("addmm", "baddbmm") and len(tensors) == 3:
        return Known(out * tensors[1].shape[-1], out)
    if name == "einsum" and len(tensors) == 2:
        return Known(_einsum(foreign.args["equation"], tensors), 0)
    if name == "scaled_dot_product_attention":
        return _attention(foreign)
    return Known(None, None)


def _einsum(equation: str, tensors: tuple[Tensor, ...]) -> int | None:
    """Return the product of all sizes: each pair of numbers that meet is multiplied once."""
    words = equation.replace(" ", "").partition("->")[0].split(",")
    if "." in equation or len(words) != len(tensors):
        return None
    sizes: dict[str, int] = {}
    for word, tensor in zip(words, tensors, strict=True):
        for letter, size in zip(word, tensor.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return prod(sizes.values())


def _attention(foreign: Foreign) -> Known:
    """Count scores and their mix of the values; the scale, a mask and the softmax are other work.

    Every score is computed, of causal attention too, as torch's counter has it.
    """
    query, key, value = (foreign.args[name].shape for name in ("query", "key", "value"))
    scores = prod(query[:-1]) * key[-2]
    masked = isinstance(foreign.get("attn_mask"), Tensor)
    return Known(scores * (query[-1] + value[-1]), scores * (5 + 1 + masked))
