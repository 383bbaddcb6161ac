"""Small questions to a graph of aten operators."""

from __future__ import annotations

from collections.abc import Collection

from torch import fx, nn

from archscope.importers.torch.aten_costs import ELEMENTWISE, VIEWED
from archscope.importers.torch.trace import BATCH
from archscope.ir import Shape
from archscope.ops.foreign import Foreign

SAME = {
    "aten.contiguous.default", "aten.clone.default", "aten.alias.default", "aten.detach.default",
    "aten.lift_fresh_copy.default", "aten.detach_.default", "aten.positive.default",
}  # fmt: skip
SHAPED = {"aten.view.default", "aten.reshape.default", "aten.flatten.using_ints"}
SPLITS = {"aten.split.Tensor", "aten.chunk.default", "aten.split_with_sizes.default"}
WRAPS = {"wrap_with_autocast", "wrap_with_set_grad_enabled"}
"""Operators that run a graph of their own in another mode."""
DROPOUTS = {
    "aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default",
}  # fmt: skip
VIEWS = {
    *SHAPED, *SPLITS, "aten.slice.Tensor", "aten.select.int", "aten.transpose.int",
    "aten.permute.default", "aten.narrow.default", "aten.unsqueeze.default",
}  # fmt: skip


def path_of(node: fx.Node) -> str:
    """Return the path of the module that made a call."""
    stack = node.meta.get("nn_module_stack") or {}
    return str([*stack.values()][-1][0]) if stack else ""


def without_batch(shape: tuple[int, ...]) -> Shape:
    """Return a shape without the batch, wherever that stands and whatever was folded into it."""
    for axis, size in enumerate(shape):
        if size == BATCH:
            return shape[:axis] + shape[axis + 1 :]
        if size and size % BATCH == 0:
            return (*shape[:axis], size // BATCH, *shape[axis + 1 :])
    return shape


def name_of(target: str) -> str:
    """Return the name of an operator within its library: `relu` of `aten.relu.default`."""
    return target.partition(".")[2].partition(".")[0] or target


def long_axes(shape: tuple[int, ...]) -> list[int]:
    """Return the sizes of a shape but those of one position."""
    return [size for size in shape if size != 1]


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
    """Return whether an operator leaves its result where its input is."""
    name = name_of(foreign.target)
    if name not in ("reshape", "flatten"):
        return name in VIEWED
    try:
        node.args[0].meta["val"].view(foreign.out)  # type: ignore[union-attr]
    except (RuntimeError, ValueError):
        return False
    return True


def sum_known(*numbers: int | None) -> int | None:
    """Return a sum, None if a part of it is unknown."""
    return None if None in numbers else sum(number or 0 for number in numbers)


def idle(model: nn.Module, read: Collection[str]) -> str:
    """Return a sentence on parameters that inference does not read, "" if it reads them all."""
    # Tied parameters have several paths, of which a trace has any one.
    paths = dict(model.named_parameters(remove_duplicate=False))
    used = {id(paths[path]) for path in read if path in paths}
    held = {path: one.numel() for path, one in model.named_parameters()}
    read = {path for path in held if id(paths[path]) in used}
    left = {path: number for path, number in held.items() if path not in read}
    if not left:
        return ""
    parts: list[str] = []
    for path in left:
        words = path.split(".")
        scopes = [".".join(words[:end]) for end in range(1, len(words) + 1)]
        busy = [
            any(one in read for one in held if f"{one}.".startswith(f"{scope}."))
            for scope in scopes
        ]
        parts.append(scopes[busy.index(False)])
    parts = list(dict.fromkeys(parts))
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    names = ", ".join(parts[:3]) + more
    return f"{sum(left.values()):,} params take no part in inference and are left out: {names}"


def share(number: int | None) -> int | None:
    """Return the part of one image; work that the batch shares is rounded up."""
    return None if number is None else -(-number // BATCH)


def swaps_groups(node: fx.Node) -> bool:
    """Return whether a node swaps the two axes behind the batch, and only these."""
    if str(node.target) == "aten.transpose.int":
        return set(node.args[1:3]) == {1, 2}
    if str(node.target) == "aten.permute.default":
        order = list(node.args[1])  # type: ignore[arg-type]
        return order[:3] == [0, 2, 1] and order[3:] == list(range(3, len(order)))
    return False
