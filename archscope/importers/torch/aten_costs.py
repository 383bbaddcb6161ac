"""The cost of aten operators that have no operator of ours: exact, or None.

Matrix products in any layout, attention and movements of data are counted, so that a network
that cannot be rebuilt can still be analysed.
"""

from __future__ import annotations

from math import prod

from msgspec import Struct

from archscope.importers.torch.tracing import BATCH
from archscope.ops.foreign import Foreign, Tensor

VIEWS = {
    "permute", "transpose", "view", "unflatten", "unsqueeze", "squeeze", "select", "slice",
    "narrow", "chunk", "split", "tensor_split", "split_with_sizes", "expand", "expand_as",
    "unbind", "t", "movedim", "swapaxes", "swapdims", "alias", "mT", "numpy_T", "diagonal",
    "view_as", "squeeze_", "detach", "positive",
}  # fmt: skip
"""Operators whose result is another view of their input."""

MOVES = VIEWS | {
    "reshape", "flatten", "reshape_as", "repeat", "repeat_interleave", "tile", "cat", "stack",
    "roll", "flip", "index", "index_select", "gather", "embedding", "pad", "constant_pad_nd",
    "reflection_pad2d", "replication_pad2d", "contiguous", "clone", "channel_shuffle",
    "pixel_shuffle", "pixel_unshuffle", "unfold", "im2col", "new_zeros", "new_ones", "new_full",
    "new_empty", "zeros_like", "ones_like", "full_like", "empty_like", "zeros", "ones", "full",
    "empty", "arange", "eye", "scalar_tensor", "lift_fresh_copy", "to", "_to_copy", "type_as",
    "dropout", "feature_dropout", "alpha_dropout", "detach_", "copy", "slice_scatter",
    "select_scatter", "upsample_nearest2d", "tril", "triu", "meshgrid", "rot90",
}  # fmt: skip
"""Operators that compute nothing at inference."""

OTHER = {
    "max_unpool2d", "glu", "log_sigmoid", "selu", "celu", "rand", "randn", "rand_like",
    "randn_like", "bernoulli", "grid_sampler", "grid_sampler_2d", "log_softmax", "logsumexp",
    "cumsum", "cumprod", "topk", "sort", "argsort", "argmax", "argmin", "one_hot", "linspace",
    "var", "std", "var_mean", "std_mean", "norm", "prod",
}  # fmt: skip
"""Operators without matrix products, whose other arithmetic is not known."""

POOL_PREFIXES = ("upsample_", "avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
"""Prefixes of the names of more such operators."""

ELEMENTWISE = {
    **dict.fromkeys((
        "add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "square",
        "pow", "relu", "clamp", "clamp_min", "clamp_max", "maximum", "minimum", "tanh", "where",
        "masked_fill", "erf", "sin", "cos", "log1p", "expm1", "log2", "reciprocal", "sign", "floor",
        "ceil", "round", "eq", "ne", "lt", "le", "gt", "ge", "floor_divide", "remainder", "fmod",
        "logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or", "bitwise_not",
    ), 1),
    "relu6": 2, "leaky_relu": 2, "hardtanh": 2, "prelu": 2, "addcmul": 2, "batch_norm": 2,
    "elu": 3, "softplus": 3, "lerp": 3, "sigmoid": 4, "hardsigmoid": 4, "gelu": 5, "silu": 5,
    "softmax": 5, "mish": 5, "hardswish": 5,
}  # fmt: skip
"""Operations on each element of the result, as our own operators count them."""


class Cost(Struct, frozen=True):
    """Multiply-accumulates and other arithmetic operations; None where they are not known."""

    macs: int | None
    work: int | None

    def per_image(self) -> Cost:
        """Return the share of one image of the batch, rounded up."""
        return Cost(*(n if n is None else -(-n // BATCH) for n in (self.macs, self.work)))

    def __add__(self, other: Cost) -> Cost:
        return Cost(_sum(self.macs, other.macs), _sum(self.work, other.work))


FREE = Cost(0, 0)


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def aten_cost(foreign: Foreign) -> Cost:
    """Return the cost of an operator for the whole batch."""
    library, _, rest = foreign.target.partition(".")
    if library != "aten":
        return Cost(None, None)
    name = rest.partition(".")[0]
    out = prod(foreign.out)
    if name == "batch_norm" and foreign.get("training"):
        return Cost(0, 7 * out)  # by the batch's own statistics
    if name in MOVES:
        return FREE
    if name in ELEMENTWISE:
        return Cost(0, ELEMENTWISE[name] * out)
    if name in ("layer_norm", "group_norm", "instance_norm"):
        return Cost(0, (5 + 2 * isinstance(foreign.get("weight"), Tensor)) * out)
    if name == "rms_norm":  # a square, a sum and a division, and the factor
        return Cost(0, (3 + isinstance(foreign.get("weight"), Tensor)) * out)
    if name in OTHER or name.lstrip("_").startswith(POOL_PREFIXES):
        return Cost(0, None)
    if name in ("mean", "sum", "amax", "amin", "max", "min", "any", "all", "col2im"):
        return Cost(0, prod(foreign.tensors[0].shape))
    if name == "linalg_vector_norm":  # a square and a sum for each element, a root for each result
        return Cost(0, 2 * prod(foreign.tensors[0].shape) + out)
    if name == "_weight_norm":  # the same of the weights, a factor for each slice, and a product
        weight, sizes = (prod(foreign.args[word].shape) for word in ("v", "g"))
        return Cost(0, 3 * weight + 2 * sizes)
    return _products(name, foreign)


def _products(name: str, foreign: Foreign) -> Cost:
    """Return the cost of an operator that multiplies matrices."""
    out = prod(foreign.out)
    bias = out if isinstance(foreign.get("bias"), Tensor) else 0
    if name == "linear":
        return Cost(out * foreign.args["weight"].shape[1], bias)
    if name in ("conv1d", "conv2d", "conv3d"):
        return Cost(out * prod(foreign.args["weight"].shape[1:]), bias)
    if name.startswith("conv_transpose"):
        taps = prod(foreign.args["weight"].shape[1:])
        return Cost(prod(foreign.args["input"].shape) * taps, bias)
    tensors = foreign.tensors
    if name in ("matmul", "bmm", "mm") and len(tensors) == 2:
        return Cost(out * tensors[0].shape[-1], 0)
    if name in ("addmm", "baddbmm") and len(tensors) == 3:
        return Cost(out * tensors[1].shape[-1], out)
    if name in ("mv", "dot") and len(tensors) == 2:
        return Cost(prod(tensors[0].shape), 0)
    if name == "einsum" and len(tensors) == 2:
        return _einsum(foreign.args["equation"], tensors)
    if name == "scaled_dot_product_attention":
        return _attention(foreign)
    return Cost(None, None)


def _einsum(equation: str, tensors: tuple[Tensor, ...]) -> Cost:
    """Return the cost of a product of two tensors over named axes.

    Axes that only one tensor has, and not the result, are summed first. Where no sum is left then
    torch multiplies element by element, which is not a matrix product.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    operands = left.split(",")
    if "." in equation or not arrow or any(len(set(axes)) < len(axes) for axes in operands):
        return Cost(None, None)
    sizes: dict[str, int] = {}
    for axes, tensor in zip(operands, tensors, strict=True):
        for axis, size in zip(axes, tensor.shape, strict=True):
            sizes[axis] = max(size, sizes.get(axis, 1))
    kept = {axis for axis in sizes if axis in result or all(axis in axes for axes in operands)}
    products = prod(sizes[axis] for axis in kept)
    sums = sum(
        prod(tensor.shape)
        for axes, tensor in zip(operands, tensors, strict=True)
        if set(axes) - kept
    )
    return Cost(0, products + sums) if kept <= set(result) else Cost(products, sums)


def _attention(foreign: Foreign) -> Cost:
    """Count the scores and their products with the values; scale, mask and softmax are work.

    Every score is computed, of causal attention too, as torch's counter has it.
    """
    query, key, value = (foreign.args[name].shape for name in ("query", "key", "value"))
    scores = prod(query[:-1]) * key[-2]
    masked = isinstance(foreign.get("attn_mask"), Tensor)
    return Cost(scores * (query[-1] + value[-1]), scores * (5 + 1 + masked))
