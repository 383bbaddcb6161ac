"""Facts about aten operators, and about the nodes of a program that call them."""

from __future__ import annotations

from torch import fx

from archscope.importers.torch.aten_costs import ELEMENTWISE, VIEWS
from archscope.importers.torch.tracing import BATCH
from archscope.ops.foreign import Foreign

COPIES = {
    "aten.contiguous.default", "aten.clone.default", "aten.alias.default", "aten.detach.default",
    "aten.lift_fresh_copy.default", "aten.detach_.default", "aten.positive.default",
}  # fmt: skip
"""Operators whose result equals their input."""

RESHAPES = {"aten.view.default", "aten.reshape.default", "aten.flatten.using_ints"}
SPLITS = {"aten.split.Tensor", "aten.chunk.default", "aten.split_with_sizes.default"}
DROPOUTS = {
    "aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default",
}  # fmt: skip
WRAPPERS = {"wrap_with_autocast", "wrap_with_set_grad_enabled"}
"""Operators that run a graph of their own in another mode."""

WRITABLE_VIEWS = {
    *RESHAPES, *SPLITS, "aten.slice.Tensor", "aten.select.int", "aten.transpose.int",
    "aten.permute.default", "aten.narrow.default", "aten.unsqueeze.default",
}  # fmt: skip
"""Operators whose result shares the memory of their input, so that work in place changes both."""


def name_of(target: str) -> str:
    """Return the name of an operator within its library: `relu` of `aten.relu.default`."""
    return target.partition(".")[2].partition(".")[0] or target


def module_path(node: fx.Node) -> str:
    """Return the path of the module that made a call."""
    stack = node.meta.get("nn_module_stack") or {}
    return str([*stack.values()][-1][0]) if stack else ""


def returns_input(foreign: Foreign) -> bool:
    """Return whether an operator gives back its input as it is."""
    if foreign.target in COPIES:
        return True
    if foreign.target == "aten.pad.default":
        return not any(foreign.args["pad"])
    if foreign.target in DROPOUTS:
        return not foreign.args["p"]
    casts = foreign.target.startswith(("aten.to.", "aten._to_copy."))
    if casts or foreign.target in ("aten.expand.default", "aten.slice.Tensor", *RESHAPES):
        return foreign.ins[0].shape == foreign.out
    return False


def is_pointwise(foreign: Foreign) -> bool:
    """Return whether each position of a result depends on that position of the inputs alone."""
    name = name_of(foreign.target)
    if name == "batch_norm" and foreign.args["training"]:
        return False
    if name == "softmax" and foreign.args["dim"] % len(foreign.out) != 1:
        return False
    out = foreign.out
    return name in ELEMENTWISE and all(
        len(tensor.shape) == len(out) > 1
        and tensor.shape[0] == out[0] == BATCH
        and all(size in (1, most) for size, most in zip(tensor.shape[2:], out[2:], strict=True))
        for tensor in foreign.ins
    )


def is_view(node: fx.Node, foreign: Foreign) -> bool:
    """Return whether the result of an operator stays where its input is in memory."""
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
    """Return whether a node swaps the two axes behind the batch, and only these."""
    if str(node.target) == "aten.transpose.int":
        return set(node.args[1:3]) == {1, 2}
    if str(node.target) == "aten.permute.default":
        order = list(node.args[1])  # type: ignore[arg-type]
        return order[:3] == [0, 2, 1] and order[3:] == list(range(3, len(order)))
    return False
