"""Rewrite operators on tensors whose batch is not the first axis, or is merged with another.

Attention brings heads before the batch, and windows into it: (3, N, heads, T, d), (N * windows, T,
C), (T, N, C). Of one image these are tensors like others; here an operator on them becomes the same
operator on tensors (N, axes of the image...).
"""

from __future__ import annotations

from math import prod
from typing import Any

from msgspec import Struct, structs

from archscope.importers.aten.batch import Batch
from archscope.importers.aten.names import name_of
from archscope.ops.foreign import Foreign, Tensor
from archscope.ops.torch_layout import order_of_torch

POINTWISE = {
    "relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "dropout", "add", "sub",
    "mul", "div", "leaky_relu", "elu", "relu6", "hardtanh", "softplus", "exp", "neg", "sqrt", "abs",
    "square", "reciprocal", "rsqrt", "log", "clamp", "clamp_min", "clamp_max", "stochastic_depth",
    "erf", "sin", "cos", "pow", "rsub", "maximum", "minimum", "feature_dropout", "alpha_dropout",
    "atan2", "gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_not",
    "trunc", "floor", "ceil", "round", "sign",
}  # fmt: skip
"""Element-wise operators on one or two tensors."""

LAST = {"linear", "layer_norm", "rms_norm", "attention"}
"""Operators along the last axis."""

ALONG = {
    "softmax", "log_softmax", "mean", "sum", "amax", "amin", "max", "min", "select", "slice",
    "narrow", "unbind", "split", "chunk", "split_with_sizes", "roll", "flip", "glu",
    "linalg_vector_norm", "std", "var", "tensor_split", "normalize",
    "prod", "cumsum", "cumprod", "argmax", "argmin", "sort", "argsort", "topk", "median",
    "kthvalue", "logsumexp", "index_select", "slice_scatter",
}  # fmt: skip
"""Operators along given axes."""

BEHIND = {"pad", "constant_pad_nd", "expand"}
"""Operators whose sizes refer to the last axes, or to all."""

ROWS_NORM = "rows.batch_norm_last.default"
"""Batch norm of vectors that stand in the batch, `(N * positions, C)`: along the last axis."""

RESHAPES = {
    "view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "_unsafe_view",
}  # fmt: skip
ORDERS = {"permute", "transpose", "movedim", "swapaxes", "swapdims", "mT", "adjoint", "t"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
PRODUCTS = {"matmul", "bmm", "scaled_dot_product_attention"}
WRITING = {"slice_scatter", "select_scatter", "where", "masked_fill"}
"""Operators that select between the elements of tensors."""
JOINING = {"cat", "concat", "concatenate", "stack"}


class Layout(Struct, frozen=True):
    """The axis of the batch of a tensor, and what is merged into it."""

    axis: int
    folded: int
    rank: int

    def places(self, axis: int) -> tuple[int, ...]:
        """Return the axes of (N, axes of the image) that an axis stands for, without the batch."""
        if axis < self.axis:
            return (axis + 1,)
        more = 1 if self.folded > 1 else 0
        if axis == self.axis:
            return (self.axis + 1,) if more else ()
        return (axis + more,)

    def shape(self, sizes: tuple[int, ...], batch: int) -> tuple[int, ...]:
        """Return a shape with the batch as a separate first axis."""
        folded = (self.folded,) if self.folded > 1 else ()
        return (batch, *sizes[: self.axis], *folded, *sizes[self.axis + 1 :])


def layout_of(shape: tuple[int, ...], batch: Batch) -> Layout | None:
    """Return where the batch of a shape is, None unless it is in one axis."""
    found = [axis for axis, size in enumerate(shape) if size and size % batch.size == 0]
    if len(found) != 1:
        return None
    return Layout(found[0], shape[found[0]] // batch.size, len(shape))


def canonical(foreign: Foreign, batch: Batch) -> Foreign | None:
    """Return an operator with the batch first in all tensors, None if that is not possible.

    It is the operator itself if the batch already is first.
    """
    if not batch.alike:
        return foreign
    values = [foreign.out, *(tensor.shape for tensor in foreign.ins)]
    if all(batch.leads(shape) for shape in values):
        return foreign
    layouts = [layout_of(shape, batch) for shape in values]
    if None in layouts:
        return None
    out, *ins = layouts
    assert out is not None
    name = name_of(foreign.target)
    first = ins[0]
    assert first is not None
    pairs = zip(foreign.ins, ins, strict=True)
    shapes = {t.name: where.shape(t.shape, batch.size) for t, where in pairs if where}
    result = out.shape(foreign.out, batch.size)
    if name in ORDERS:
        return _reordered(foreign, first, out, shapes, result)
    if name in RESHAPES:
        x = foreign.ins[0]
        if prod(x.shape[: first.axis]) != prod(foreign.out[: out.axis]):
            return None
        args = {"self": _with(x, shapes[x.name])}
        return Foreign("aten.reshape.default", args, result)
    if name in RECURRENT:
        args = {key: _placed(value, shapes) for key, value in foreign.args.items()}
        axis = 0 if foreign.args["batch_first"] else 1
        return Foreign(foreign.target, args, result) if first.axis == axis else None
    same = all(where == first for where in ins)
    if not same:
        return None
    args = {key: _placed(value, shapes) for key, value in foreign.args.items()}
    if name in POINTWISE:
        if out != first:
            return None
        constants = _constants(args, first, batch)
        return None if constants is None else Foreign(foreign.target, constants, result)
    if name == "attention" and first.axis:  # it would mix images
        return None
    if name in LAST or name in BEHIND or name == "batch_norm":
        target = _beside_batch(foreign.target, first, out)
        return None if target is None else Foreign(target, args, result)
    if name in PRODUCTS:
        if first.axis >= first.rank - 2 or out != first:
            return None
        constants = _constants(args, first, batch)
        target = "aten.matmul.default" if name == "bmm" else foreign.target
        return None if constants is None else Foreign(target, constants, result)
    if name in ALONG or name in JOINING:
        return _along(foreign, args, out if name == "stack" else first, result)
    return None


def _beside_batch(target: str, before: Layout, after: Layout) -> str | None:
    """Return an operator whose axes do not include the batch, None if one of them does."""
    name = name_of(target)
    if name in LAST:
        return target if before.axis < before.rank - 1 else None
    if name in BEHIND:
        same = before.axis == after.axis
        return target if same and (name == "expand" or not after.axis) else None
    return ROWS_NORM if before == after == Layout(0, before.folded, 2) else None


def _with(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    return structs.replace(tensor, shape=shape)


def _placed(value: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    if isinstance(value, Tensor) and not value.constant:
        return _with(value, shapes[value.name])
    if isinstance(value, tuple | list):
        return tuple(_placed(part, shapes) for part in value)
    return value


def _constants(args: dict[str, Any], layout: Layout, batch: Batch) -> dict[str, Any] | None:
    """Return arguments whose constants broadcast to the new axes; None if they cannot."""
    placed = {}
    for key, value in args.items():
        if isinstance(value, Tensor) and value.constant and value.shape:
            shape = (1,) * (layout.rank - len(value.shape)) + value.shape
            if len(shape) != layout.rank:
                return None
            each, more = divmod(shape[layout.axis], batch.size)
            if shape[layout.axis] == 1:
                each = 1
            elif more or each not in (1, layout.folded):
                return None
            folded = (each,) if layout.folded > 1 else ()
            rest = (*shape[: layout.axis], *folded, *shape[layout.axis + 1 :])
            value = _with(value, (1, *rest))
        placed[key] = value
    return placed


def _along(
    foreign: Foreign, args: dict[str, Any], layout: Layout, result: tuple[int, ...]
) -> Foreign | None:
    """Return an operator along axes of the image, None if they are merged with the batch."""
    found = {}
    for key, value in args.items():
        if key in ("dim", "dims") and value is not None:
            axes = (value,) if isinstance(value, int) else tuple(value)
            places = [layout.places(axis % layout.rank) for axis in axes]
            if any(axis % layout.rank == layout.axis for axis in axes):
                return None
            flat = [place for part in places for place in part]
            value = flat[0] if isinstance(value, int) else tuple(flat)
        found[key] = value
    return Foreign(foreign.target, found, result)


def _reordered(
    foreign: Foreign,
    before: Layout,
    after: Layout,
    shapes: dict[str, tuple[int, ...]],
    result: tuple[int, ...],
) -> Foreign | None:
    """Return a permutation of the axes of the image."""
    (x,) = foreign.ins
    order = order_of_torch(foreign, before.rank)
    if order is None:
        return None
    axes = [place for axis in order for place in before.places(axis)]
    args = {"self": _with(x, shapes[x.name]), "dims": (0, *axes)}
    return Foreign("aten.permute.default", args, result)
