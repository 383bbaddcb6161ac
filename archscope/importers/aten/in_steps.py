"""Layers that become several operators, because ours take fewer axes or no constant bias."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from msgspec import structs

from archscope.importers.aten.absorbed import PERMUTE
from archscope.importers.aten.canonical import RECURRENT
from archscope.importers.aten.names import name_of
from archscope.ops.foreign import Foreign, Tensor

BIASED = {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)} | {"linear"}
"""Layers with a bias."""

NORMS = {"layer_norm": True, "rms_norm": True, "group_norm": False}
"""Norms, and whether their weights are those of the last axes, not of the channels."""

AXES = 5
"""The maximum number of axes of a feature map: batch, channels and three spatial axes."""

Translate = Callable[[Foreign], Tensor]
"""Adds the layers of an operator and returns their result."""


def in_steps(form: Foreign) -> Callable[[Translate, Foreign], Tensor] | None:
    """Return the function that translates a layer in steps, None if it needs none."""
    name = name_of(form.target)
    if name in BIASED:
        bias = form.args["bias"]
        if isinstance(bias, Tensor) and bias.constant and not bias.learned:
            return _with_fixed_bias
    if form.target == "aten.linear.default" and len(form.out) > AXES:
        return _along_positions
    behind = name in RECURRENT and not form.args["batch_first"]
    return _along_rows if behind and len(form.args["input"].shape) > 3 else None


def _with_fixed_bias(translate: Translate, form: Foreign) -> Tensor:
    """Add a constant bias to the result of a layer without one."""
    bias, rank = form.args["bias"], len(form.out)
    before = rank - 1 if name_of(form.target) == "linear" else 1
    shape = (*(1,) * before, *bias.shape, *(1,) * (rank - 1 - before))
    plain = translate(Foreign(form.target, {**form.args, "bias": None}, form.out))
    args = {"self": plain, "other": structs.replace(bias, shape=shape), "alpha": 1}
    return translate(Foreign("aten.add.Tensor", args, form.out))


def norm_in_steps(form: Foreign) -> Callable[[Translate, Foreign], Tensor] | None:
    """Return the function that translates a norm with constant weights, None for other layers."""
    held = (form.get("weight"), form.get("bias")) if name_of(form.target) in NORMS else ()
    fixed = [t for t in held if isinstance(t, Tensor) and t.constant and not t.learned]
    return _with_fixed_weights if fixed else None


def _with_fixed_weights(translate: Translate, form: Foreign) -> Tensor:
    """Multiply and shift the result of a norm without weights."""
    rank, last = len(form.out), NORMS[name_of(form.target)]
    args = {**form.args, "weight": None, "bias": None}
    result = translate(Foreign(form.target, args, form.out))
    for word, target in (("weight", "aten.mul.Tensor"), ("bias", "aten.add.Tensor")):
        held = form.get(word)
        if isinstance(held, Tensor):
            behind = 0 if last else rank - 2  # weights of channels, or of the last axes
            shape = (*(1,) * (rank - len(held.shape) - behind), *held.shape, *(1,) * behind)
            words = {"self": result, "other": structs.replace(held, shape=shape), "alpha": 1}
            result = translate(Foreign(target, words, form.out))
    return result


def _along_positions(translate: Translate, form: Foreign) -> Tensor:
    """Apply a linear layer to positions along more axes than maps have, as along one."""
    (x,) = form.ins
    batch, *sizes, channels = x.shape
    flat = Foreign("aten.reshape.default", {"self": x}, (batch, prod(sizes), channels))
    args = {**form.args, "input": translate(flat)}
    out = translate(Foreign(form.target, args, (*flat.out[:2], form.out[-1])))
    return translate(Foreign("aten.reshape.default", {"self": out}, form.out))


def _along_rows(translate: Translate, form: Foreign) -> Tensor:
    """Apply a recurrent layer with its positions behind the rows, not before them."""
    x = form.args["input"]
    last = len(x.shape) - 1
    order, back = (0, *range(2, last), 1, last), (0, last - 1, *range(1, last - 1), last)
    shape = tuple(x.shape[axis] for axis in order)
    x = translate(Foreign(PERMUTE, {"self": x, "dims": order}, shape))
    args = {**form.args, "input": x, "batch_first": True}
    if form.args["result"]:  # the last state has no positions
        return translate(Foreign(form.target, args, form.out))
    sequence = translate(Foreign(form.target, args, (*shape[:-1], form.out[-1])))
    return translate(Foreign(PERMUTE, {"self": sequence, "dims": back}, form.out))
