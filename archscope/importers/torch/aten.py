"""Facts about aten operators and the nodes that call them, and their costs: exact, or None.

Matrix products in any layout, attention and data movement are counted, so that a network that
cannot be rebuilt can still be analysed.
"""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

import torch
from msgspec import Struct
from torch import fx

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.names import name_of
from archscope.ir import Source
from archscope.ops.foreign import Foreign, Tensor

INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages."""

COPIES = {
    "aten.contiguous.default", "aten.clone.default", "aten.alias.default", "aten.detach.default",
    "aten.lift_fresh_copy.default", "aten.detach_.default", "aten.positive.default",
}  # fmt: skip
"""Operators whose result equals their input."""

SAME: dict[str, tuple[str, dict[str, object]]] = {
    "aten._native_batch_norm_legit_no_training.default":
        ("aten.batch_norm.default", {"training": False}),
    "aten._unsafe_view.default": ("aten.view.default", {}),
}  # fmt: skip
"""Operators by their usual names, with additional arguments."""

OVERWRITES = {"aten.copy.default", "aten.slice_scatter.default"}
"""Operators that write a source over a part of their input, or over all of it."""

RESHAPES = {"aten.view.default", "aten.reshape.default", "aten.flatten.using_ints"}
SPLITS = {
    "aten.split.Tensor", "aten.chunk.default", "aten.split_with_sizes.default", "aten.split.sizes",
    "aten.tensor_split.sections", "aten.tensor_split.indices", "aten.unsafe_split.Tensor",
    "aten.unsafe_chunk.default",
}  # fmt: skip
"""Operators that split an axis into consecutive parts."""
DROPOUTS = {
    "aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default",
    "aten.feature_alpha_dropout.default",
    "archscope.stochastic_depth.default",
}  # fmt: skip
WRAPPERS = {"wrap_with_autocast", "wrap_with_set_grad_enabled"}
"""Operators that run a subgraph in another mode."""

VIEWS = {
    "permute", "transpose", "view", "unflatten", "unsqueeze", "squeeze", "select", "slice",
    "narrow", "chunk", "split", "tensor_split", "split_with_sizes", "expand", "expand_as",
    "unbind", "t", "movedim", "swapaxes", "swapdims", "alias", "mT", "numpy_T", "diagonal",
    "view_as", "mH", "adjoint", "conj", "resolve_conj", "squeeze_", "detach", "positive",
}  # fmt: skip
"""Operators whose result is a view of their input."""

MOVES = VIEWS | {
    "reshape", "flatten", "reshape_as", "repeat", "repeat_interleave", "tile", "cat", "stack",
    "roll", "flip", "index", "index_select", "gather", "embedding", "pad", "constant_pad_nd",
    "reflection_pad2d", "replication_pad2d", "contiguous", "clone", "channel_shuffle",
    "pixel_shuffle", "pixel_unshuffle", "unfold", "im2col", "new_zeros", "new_ones", "new_full",
    "new_empty", "zeros_like", "ones_like", "full_like", "empty_like", "zeros", "ones", "full",
    "empty", "arange", "eye", "scalar_tensor", "lift_fresh_copy", "to", "_to_copy", "type_as",
    "dropout", "feature_dropout", "alpha_dropout", "detach_", "copy", "slice_scatter",
    "select_scatter", "diagonal_scatter", "as_strided_scatter", "index_put", "index_copy",
    "index_fill", "masked_scatter", "scatter", "fill", "zero", "upsample_nearest2d", "tril", "triu",
    "meshgrid", "rot90", "diag", "diag_embed", "diagflat", "block_diag", "hstack", "vstack",
    "dstack", "column_stack", "tril_indices", "triu_indices", "cartesian_prod",
}  # fmt: skip
"""Operators that compute nothing at inference."""

OTHER = {
    "max_unpool2d", "glu", "log_sigmoid", "rand", "randn", "rand_like", "randn_like", "bernoulli",
    "grid_sampler", "grid_sampler_2d", "log_softmax", "cumsum", "cumprod", "topk", "sort",
    "argsort", "one_hot", "linspace", "softmin", "nonzero", "masked_select", "take",
    "take_along_dim", "kthvalue", "median", "nanmedian", "mode", "quantile", "cummax", "cummin",
    "logcumsumexp", "unique", "bucketize", "searchsorted", "histc", "cosine_similarity",
    "pairwise_distance", "diff", "trace", "multinomial", "normal", "fft_fft", "fft_ifft",
    "fft_rfft", "fft_irfft", "fft_fft2", "fft_ifft2", "fft_rfft2", "fft_irfft2", "fft_fftn",
    "fft_ifftn", "fft_rfftn", "fft_irfftn", "complex", "real", "imag", "view_as_real",
    "view_as_complex", "polar", "angle", "embedding_bag", "col_indices",
    "_fused_moving_avg_obs_fq_helper", "_fused_moving_avg_obs_fq_helper_functional",
    "fused_moving_avg_obs_fake_quant", "outer", "ger", "kron", "isnan", "isinf", "isfinite",
    "hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window",
    "logspace", "fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine",
    "affine_grid_generator",
}  # fmt: skip
"""Operators without products, of those that torch does not tag as element-wise or reductions."""

POOL_PREFIXES = ("upsample_", "avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
"""Prefixes of the names of more such operators."""

ELEMENTWISE = {
    **dict.fromkeys((
        "add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "square",
        "pow", "relu", "clamp", "clamp_min", "clamp_max", "maximum", "minimum", "tanh", "where",
        "masked_fill", "erf", "sin", "cos", "log1p", "expm1", "log2", "reciprocal", "sign", "floor",
        "ceil", "round", "eq", "ne", "lt", "le", "gt", "ge", "floor_divide", "remainder", "fmod",
        "logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or", "bitwise_not",
        "atan2",
    ), 1),
    "relu6": 2, "leaky_relu": 2, "hardtanh": 2, "prelu": 2, "addcmul": 2, "batch_norm": 2,
    "elu": 3, "softplus": 3, "lerp": 3, "sigmoid": 4, "hardsigmoid": 4, "gelu": 5, "silu": 5,
    "softmax": 5, "mish": 5, "hardswish": 5,
}  # fmt: skip
"""Operations per element of the result, as our own operators count them."""


def place_of(node: fx.Node) -> Source | None:
    """Return the line of the user's code that calls an operator, None if there is none.

    Lines of installed packages do not count.
    """
    frames = re.findall(r'File "([^"\n]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [frame for frame in frames if not INSTALLED & {*Path(frame[0]).parts}]
    return Source(own[-1][0], int(own[-1][1]), 1) if own else None


def module_path(node: fx.Node) -> str:
    """Return the path of the module that made a call."""
    stack = node.meta.get("nn_module_stack") or {}
    return str([*stack.values()][-1][0]) if stack else ""


def passed_on(foreign: Foreign) -> Tensor | None:
    """Return the input that an operator returns unchanged, None if there is none."""
    first = foreign.ins[0]
    if foreign.target in COPIES:
        return first
    if foreign.target in ("aten.pad.default", "aten.constant_pad_nd.default"):
        return None if any(foreign.args["pad"]) else first
    if foreign.target in DROPOUTS:
        return None if foreign.args["p"] else first
    if foreign.target in OVERWRITES:
        first = foreign.args["src"]
        return first if isinstance(first, Tensor) and first.shape == foreign.out else None
    casts = foreign.target.startswith(("aten.to.", "aten._to_copy.", "aten.type_as."))
    if casts or foreign.target in ("aten.expand.default", "aten.slice.Tensor", *RESHAPES):
        return first if first.shape == foreign.out else None
    return None


def is_pointwise(foreign: Foreign, batch: Batch) -> bool:
    """Return whether each position of a result depends only on that position of the inputs."""
    name = name_of(foreign.target)
    if name == "batch_norm" and foreign.args["training"]:
        return False
    if name == "softmax" and foreign.args["dim"] % len(foreign.out) != 1:
        return False
    out = foreign.out
    return name in ELEMENTWISE and all(
        len(tensor.shape) == len(out) > 1
        and batch.leads(tensor.shape)
        and batch.leads(out)
        and all(size in (1, most) for size, most in zip(tensor.shape[2:], out[2:], strict=True))
        for tensor in foreign.ins
    )


def is_view(node: fx.Node, foreign: Foreign) -> bool:
    """Return whether the result of an operator shares memory with its input."""
    name = name_of(foreign.target)
    if name not in ("reshape", "flatten"):
        return name in VIEWS
    try:
        node.args[0].meta["val"].view(foreign.out)  # type: ignore[union-attr]
    except (RuntimeError, ValueError):
        return False
    return True


def shuffled_groups(node: fx.Node) -> tuple[fx.Node, tuple[int, ...]] | None:
    """Return the node and the grouped shape of what a reshape shuffles by its channels.

    A view to groups of channels, a transposition and a view back spell a channel shuffle; None
    for a reshape that ends no such row.
    """
    transposed = node.args[0]
    while isinstance(transposed, fx.Node) and str(transposed.target) in COPIES:
        transposed = transposed.args[0]
    if not isinstance(transposed, fx.Node) or not _swaps_groups(transposed):
        return None
    grouped = transposed.args[0]
    if not isinstance(grouped, fx.Node) or str(grouped.target) not in RESHAPES:
        return None
    shape = tuple(map(int, grouped.meta["val"].shape))
    return (grouped.args[0], shape) if len(shape) > 2 else None  # type: ignore[return-value]


def _swaps_groups(node: fx.Node) -> bool:
    """Return whether a node swaps the two axes after the batch, and only these."""
    if str(node.target) == "aten.transpose.int":
        return set(node.args[1:3]) == {1, 2}
    if str(node.target) == "aten.permute.default":
        order = list(node.args[1])  # type: ignore[arg-type]
        return order[:3] == [0, 2, 1] and order[3:] == list(range(3, len(order)))
    return False


class Cost(Struct, frozen=True):
    """Multiply-accumulates and other arithmetic operations; None if unknown."""

    macs: int | None
    work: int | None

    def per_image(self, batch: int) -> Cost:
        """Return the share of one image of the batch, rounded up."""
        return Cost(*(n if n is None else -(-n // batch) for n in (self.macs, self.work)))

    @property
    def numbers(self) -> tuple[int, int]:
        """Both numbers, 0 if unknown."""
        return self.macs or 0, self.work or 0

    @property
    def known(self) -> Cost:
        """The known part."""
        return Cost(*self.numbers)

    def __add__(self, other: Cost) -> Cost:
        return Cost(_sum(self.macs, other.macs), _sum(self.work, other.work))


FREE = Cost(0, 0)


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def aten_cost(foreign: Foreign) -> Cost:
    """Return the cost of an operator for the whole batch."""
    library, _, rest = foreign.target.partition(".")
    if foreign.target == "torchvision.deform_conv2d.default":  # its sampling is other work
        return Cost(prod(foreign.out) * prod(foreign.args["weight"].shape[1:]), None)
    if foreign.target == "archscope.attention.default":  # queries, keys and values in one tensor
        *batch, positions, channels = foreign.out
        scores = prod(batch) * positions**2
        return Cost(2 * scores * channels, 6 * scores * foreign.args["heads"])
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
    if name.startswith(("linalg_", "matrix_exp")) and not foreign.ins:
        return Cost(0, None)  # no counting tool counts those of weights
    if name in ("mean", "sum", "amax", "amin", "max", "min", "any", "all", "col2im"):
        return Cost(0, prod(foreign.tensors[0].shape))
    if name in ("index_add", "scatter_add", "index_reduce", "scatter_reduce"):
        return Cost(0, prod(foreign.args.get("source", foreign.args.get("src")).shape))
    if name in ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"):
        weights = sum(prod(foreign.args[word].shape) for word in ("w_ih", "w_hh"))
        return Cost(prod(foreign.out[:-1]) * weights, None)
    if name == "linalg_vector_norm":  # a square and a sum for each element, a root for each result
        return Cost(0, 2 * prod(foreign.tensors[0].shape) + out)
    if name == "_weight_norm":  # the same of the weights, a factor for each slice, and a product
        weight, sizes = (prod(foreign.args[word].shape) for word in ("v", "g"))
        return Cost(0, 3 * weight + 2 * sizes)
    return Cost(0, None) if _has_no_products(rest) else _products(name, foreign)


def _has_no_products(operator: str) -> bool:
    """Return whether torch says that an operator, as `tan.default`, is element-wise or reduces."""
    name, _, overload = operator.partition(".")
    found = getattr(getattr(torch.ops.aten, name, None), overload, None)
    return not {torch.Tag.pointwise, torch.Tag.reduction}.isdisjoint(getattr(found, "tags", ()))


def _products(name: str, foreign: Foreign) -> Cost:
    """Return the cost of an operator that multiplies matrices."""
    out = prod(foreign.out)
    bias = out if isinstance(foreign.get("bias"), Tensor) else 0
    if name == "linear":
        return Cost(out * foreign.args["weight"].shape[1], bias)
    if name in ("conv1d", "conv2d", "conv3d") or (
        name in ("convolution", "_convolution") and not foreign.get("transposed")
    ):
        return Cost(out * prod(foreign.args["weight"].shape[1:]), bias)
    if name.startswith("conv_transpose") or name in ("convolution", "_convolution"):
        taps = prod(foreign.args["weight"].shape[1:])
        return Cost(prod(foreign.args["input"].shape) * taps, bias)
    tensors = foreign.tensors
    if name in ("matmul", "bmm", "mm") and len(tensors) == 2:
        return Cost(out * tensors[0].shape[-1], 0)
    if name in ("addmm", "baddbmm") and len(tensors) == 3:
        return Cost(out * tensors[1].shape[-1], out)
    if name in ("mv", "dot", "vdot", "linalg_vecdot") and len(tensors) == 2:
        products = prod(tensors[0].shape)
        # On weights alone they are norms, as in spectral normalisation; no tool counts these.
        return Cost(products, 0) if foreign.ins else Cost(0, 2 * products)
    if name == "einsum" and len(tensors) == 2:
        return _einsum(foreign.args["equation"], tensors)
    if name == "scaled_dot_product_attention":
        return _attention(foreign)
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        matrices = sum(prod(t.shape) for t in tensors if t.constant and len(t.shape) == 2)
        return Cost(prod(tensors[0].shape[:2]) * matrices, None)
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
    sizes = {axis: size for axis, size in sizes.items() if size > 1}  # torch does the same
    kept = {axis for axis in sizes if axis in result or all(axis in axes for axes in operands)}
    products = prod(sizes[axis] for axis in kept)
    sums = sum(
        prod(tensor.shape)
        for axes, tensor in zip(operands, tensors, strict=True)
        if set(axes) & sizes.keys() - kept
    )
    return Cost(0, products + sums) if kept <= set(result) else Cost(products, sums)


def _attention(foreign: Foreign) -> Cost:
    """Count the scores and their products with the values; scale, mask and softmax are work.

    Every score is computed, also in causal attention, as torch's counter assumes.
    """
    query, key, value = (foreign.args[name].shape for name in ("query", "key", "value"))
    scores = prod(foreign.out[:-1]) * key[-2]  # a fixed query is the same for each image
    masked = isinstance(foreign.get("attn_mask"), Tensor)
    return Cost(scores * (query[-1] + value[-1]), scores * (5 + 1 + masked))
