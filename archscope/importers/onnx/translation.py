"""Translate operators of torch, in which ONNX operators are expressed, to nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import structs

from archscope.importers.aten.absorbed import AbsorbedMaps, turning
from archscope.importers.aten.batch import Batch
from archscope.importers.aten.canonical import RESHAPES, canonical
from archscope.importers.aten.in_steps import in_steps
from archscope.importers.aten.names import name_of
from archscope.importers.aten.parameters import parameters_of
from archscope.importers.aten.recognition import recognised
from archscope.importers.onnx.forms import LAST
from archscope.ops.foreign import Foreign, Recognised, Tensor


class Add(Protocol):
    """Adds the nodes of a recognised operator, and returns the name of the last."""

    def __call__(self, found: Recognised, before: str | None = None) -> str:
        """Add nodes, named after the current operator or after the node before them."""


class UnknownFormError(LookupError):
    """An operator has no equivalent."""


class AtenTranslator:
    """Translates operators of torch to nodes.

    A value is a tensor with the name of a node, or of a map that is another node's with channels
    last; `materialise` makes that a node of its own.
    """

    def __init__(self, images: int, add: Add) -> None:
        self.batch = Batch(images)
        self.absorbed = AbsorbedMaps(self.batch)
        self.add = add
        self.materialised: dict[str, Tensor] = {}
        # What grows with each operator, so that it can be undone.
        self.made: tuple[dict[str, Any], ...] = (
            self.materialised, self.absorbed.turned, self.absorbed.maps
        )  # fmt: skip

    def translate(self, steps: Sequence[Foreign]) -> Tensor:
        """Add the steps of an operator and return the last result. Raises UnknownFormError."""
        results: list[Tensor] = []
        for step in steps:
            args = {key: _replaced(value, results) for key, value in step.args.items()}
            found = self._step(Foreign(step.target, args, step.out))
            same = found.shape == step.out
            results.append(found if same else structs.replace(found, shape=step.out))
        if not results:
            raise UnknownFormError
        return results[-1]

    def _step(self, foreign: Foreign) -> Tensor:
        if foreign.target == "aten.alias.default":
            return foreign.ins[0]
        form = canonical(foreign, self.batch)
        if form is None or not form.ins:
            raise UnknownFormError
        reshapes = name_of(form.target) in RESHAPES
        if reshapes and form.ins[0].shape == form.out:
            return form.ins[0]
        if (value := self.absorbed.permuted(form)) is not None:
            return value
        steps = in_steps(form)
        if steps is not None:
            return steps(self._step, form)
        for tensor in self.absorbed.wants_first(form):
            self._turn(tensor)
        first = self.absorbed.as_channels_first(form)
        found = self._recognised(first)
        if first is not None and found is not None:
            added = Tensor(self.add(found), first.out)
            return self.absorbed.channels_last(added) if len(first.out) > 2 else added
        args = {key: self.materialise(value) for key, value in form.args.items()}
        form = Foreign(form.target, args, form.out)
        found = self._recognised(form) or self._recognised(self._with_parameters(form))
        if found is not None:
            return Tensor(self.add(found), form.out)
        raise UnknownFormError

    def materialise(self, value: Any) -> Any:
        """Return a value; a map with channels last becomes a node."""
        if isinstance(value, tuple):
            return tuple(map(self.materialise, value))
        found = self.absorbed.find(value)
        if found is None:
            return value
        if value.name not in self.materialised:
            inner = self.materialise(found.inner)
            name = self.add(found.layer(inner), inner.name)
            self.materialised[value.name] = Tensor(name, value.shape)
        return self.materialised[value.name]

    def _turn(self, tensor: Tensor) -> None:
        """Add a node that brings the last axis of a value to the front."""
        layer, shape = turning(tensor)
        self.absorbed.turned[tensor.name] = Tensor(self.add(layer, tensor.name), shape)

    def _with_parameters(self, form: Foreign) -> Foreign | None:
        """Return an operator that reads its constants from nodes of their own, or None."""
        found = parameters_of(form, self.batch.size)
        values = {name: value for name, (_, value) in found.items()}
        if not found or self._recognised(form.with_tensors(values)) is None:
            return None
        made = {
            name: Tensor(self.add(layer), value.shape) for name, (layer, value) in found.items()
        }
        return form.with_tensors(made)

    def _recognised(self, foreign: Foreign | None) -> Recognised | None:
        """Return our form of an operator, None if there is none."""
        try:
            return recognised(foreign, self.batch)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None  # its attributes are not as ONNX specifies them


def _replaced(value: Any, results: Sequence[Tensor]) -> Any:
    """Return an argument, in which results of earlier steps stand for their names."""
    if isinstance(value, tuple):
        return tuple(_replaced(part, results) for part in value)
    if isinstance(value, Tensor) and value.name.startswith(LAST):
        return results[-int(value.name.removeprefix(LAST))]
    return value
