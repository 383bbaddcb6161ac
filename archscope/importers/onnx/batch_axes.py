"""Find the axis of each value that is the batch, or that the batch is merged into."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from archscope.importers.aten.batch import PRIMES
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel

RESHAPING = frozenset({"Reshape", "Flatten"})
REDUCING = frozenset({
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "Squeeze", "ArgMax", "ArgMin",
})  # fmt: skip
"""Operators that may leave out axes."""
LEADING = frozenset({"AffineGrid", "Col2Im", "STFT"})
"""Operators with other axes behind the batch than before."""
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})


def marked_shapes(model: ResolvedModel) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return a number of images that no layer has as a size, and all shapes for that many.

    The shapes of a file may be those for one image, where the batch is an axis of size 1 like
    others. Values in which it is not found keep their shape.
    """
    sizes = {size for shape in model.shapes.values() for size in shape}
    images = next((n for n in PRIMES if not any(size % n == 0 for size in sizes if size)), 0)
    axes = _batch_axes(model) if images else {}
    shapes = dict(model.shapes)
    for name, axis in axes.items():
        shape = shapes[name]
        size = shape[axis] // model.batch * images
        shapes[name] = (*shape[:axis], size, *shape[axis + 1 :])
    return images, shapes


def _batch_axes(model: ResolvedModel) -> dict[str, int]:
    """Return the axis of the batch by value, following the operators."""
    axes: dict[str, int] = {}
    for name in model.inputs:
        shape = model.shapes[name]
        if shape and shape[0] and shape[0] % model.batch == 0:
            axes[name] = 0
    for operator in model.operators:
        source = next((name for name in operator.inputs if name in axes), None)
        if source is None:
            continue
        for place, name in enumerate(operator.outputs):
            out = model.shapes.get(name)
            if not name or not out:
                continue
            axis = _axis_after(operator, place, axes, source, model)
            if axis is not None and 0 <= axis < len(out) and out[axis] % model.batch == 0:
                axes[name] = axis
    return axes


def _axis_after(
    operator: OnnxOperator, place: int, axes: Mapping[str, int], source: str, model: ResolvedModel
) -> int | None:
    """Return the axis of the batch in a result of an operator, None if there is none."""
    shape, out, axis = model.shapes[source], model.shapes[operator.outputs[place]], axes[source]
    kind, rank = operator.kind, len(model.shapes[source])
    if kind == "Transpose":
        order = operator.attributes.get("perm") or [*range(rank)][::-1]
        return int(list(order).index(axis))
    if kind in RESHAPING:
        return _after_reshape(shape, axis, out, model.batch)
    if kind == "Unsqueeze":
        added = {at % len(out) for at in _axes_of(operator, model, [])}
        kept = [at for at in range(len(out)) if at not in added]
        return kept[axis]
    if kind in REDUCING:
        if len(out) == rank:
            return axis
        default = [at for at, size in enumerate(shape) if size == 1 and at != axis]
        gone = {at % rank for at in _axes_of(operator, model, default)}
        if axis in gone or len(out) != rank - len(gone):
            return None
        return axis - sum(at < axis for at in gone)
    if kind == "Gather":
        at = int(operator.attributes.get("axis", 0)) % rank
        if source != operator.inputs[0] or at == axis:
            return axis if source != operator.inputs[0] and at == 0 else None
        return axis + (len(model.shapes[operator.inputs[1]]) - 1) * (at < axis)
    if kind in LEADING:
        return 0 if axis == 0 else None
    if kind == "MatMul" and len(out) == rank - 1:
        return axis  # a product with a vector
    if kind == "OneHot":
        at = int(operator.attributes.get("axis", -1)) % len(out)
        return axis + (at <= axis)
    if kind == "GatherND" and source == operator.inputs[0]:
        *given, depth = model.shapes[operator.inputs[1]]
        return axis - depth + len(given) if axis >= depth else axis
    if kind in RECURRENT:
        fits = axis == 1 and not operator.attributes.get("layout")
        return (1 if place else 2) if fits else None
    if kind == "Einsum":
        return _in_equation(operator, axes)
    # Shapes are aligned at their ends where operands have a different number of axes.
    return axis + len(out) - rank


def _after_reshape(
    shape: tuple[int, ...], axis: int, out: tuple[int, ...], batch: int
) -> int | None:
    """Return the axis after as many values as before, if possible one of the batch alone."""
    before = prod(shape[:axis])
    fitting = [at for at in range(len(out)) if prod(out[:at]) == before and out[at] % batch == 0]
    alone = [at for at in fitting if out[at] == batch]
    return next(iter(alone or fitting), None)


def _axes_of(operator: OnnxOperator, model: ResolvedModel, default: list[int]) -> list[int]:
    """Return the axes that an operator names, as an attribute or an input."""
    if "axis" in operator.attributes or operator.kind in ("ArgMax", "ArgMin"):
        return [int(operator.attributes.get("axis", 0))]
    given: Any = operator.attributes.get("axes")
    if given is None and len(operator.inputs) > 1:
        constant = model.constants.get(operator.inputs[1])
        given = None if constant is None else constant.reshape(-1).tolist()
    return default if given is None else [int(at) for at in given]


def _in_equation(operator: OnnxOperator, axes: Mapping[str, int]) -> int | None:
    """Return the place of the batch's letter in the result of an Einsum."""
    left, _, right = operator.attributes["equation"].replace(" ", "").partition("->")
    for letters, name in zip(left.split(","), operator.inputs, strict=True):
        if name in axes and "." not in letters:
            found = int(right.find(letters[axes[name]]))
            return found if found >= 0 else None
    return None
