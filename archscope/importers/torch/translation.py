"""Translate aten operators to our layers.

Each operator is offered to the recognisers of our operators. If none accepts it, it becomes
`opaque`, with the costs that are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import structs
from torch import fx

from archscope.importers.aten.absorbed import AbsorbedMaps, turning
from archscope.importers.aten.canonical import RECURRENT, canonical
from archscope.importers.aten.in_steps import in_steps, norm_in_steps
from archscope.importers.aten.names import name_of
from archscope.importers.aten.parameters import parameters_of
from archscope.importers.aten.recognition import recognised
from archscope.importers.torch.aten import (
    DROPOUTS,
    RESHAPES,
    module_path,
    passed_on,
    place_of,
    shuffled_groups,
)
from archscope.importers.torch.computed import FILLS
from archscope.importers.torch.layers import ImportedLayer
from archscope.importers.torch.opaque import OpaqueLayers
from archscope.importers.torch.recurrent import Adder, Results, StackedStates
from archscope.importers.torch.tracing import Trace
from archscope.importers.torch.weight_table import WeightTable
from archscope.ops.foreign import Foreign, Recognised, Tensor
from archscope.ops.opaque import Opaque
from archscope.ops.rearrange import ChannelShuffle
from archscope.ops.recurrent import starts_from_zeros
from archscope.ops.reshape import Slice


class OperatorTranslator:
    """Translates the operators of a program one by one.

    `values` are those of earlier nodes; permutations of channels and padding become layers only
    if a reader of their result cannot absorb them.
    """

    def __init__(self, trace: Trace, values: Mapping[fx.Node, Any]) -> None:
        self.values = values
        self.batch = trace.batch
        self.weights = WeightTable(trace.program, trace.batch)
        self.layers: dict[str, ImportedLayer] = {}
        self.shared: dict[str, str] = {}  # layers by those that have the same weights
        self.absorbed = AbsorbedMaps(trace.batch)
        self.materialised: dict[str, Tensor] = {}  # permuted and padded maps that became layers
        self.states = StackedStates()
        self.recurrent: dict[fx.Node, Results | None] = {}
        self.cells: dict[fx.Node, Tensor] = {}  # state and cell of a step
        self.opaque = OpaqueLayers(self.batch, self.weights)

    def translate(self, node: fx.Node, foreign: Foreign) -> Tensor:
        """Add the layer of an operator and return its result."""
        filled = name_of(foreign.target) in (*FILLS, "fill")
        if filled or 0 in foreign.out or not foreign.ins:
            return self.weights.constant(node, foreign)
        factors = (foreign.get(name) for name in ("other", "alpha", "value"))
        if not self.batch.suits(foreign.out) or any(map(self.batch.has, factors)):
            self.opaque.alike = False
        same = passed_on(foreign)
        if same is not None:
            return same
        part = self.states.part(node.name, foreign)
        if part is not None:
            return part
        if name_of(foreign.target) not in RECURRENT:
            args = {key: self._of_states(node, value) for key, value in foreign.args.items()}
            foreign = Foreign(foreign.target, args, foreign.out)
        form = canonical(foreign, self.batch)
        value = self._translated(node, foreign, form) if form else self._fallback(node, foreign)
        return value if value.shape == foreign.out else structs.replace(value, shape=foreign.out)

    def _translated(self, node: fx.Node, foreign: Foreign, form: Foreign) -> Tensor:
        """Return the result of an operator whose tensors all have the batch first."""
        if form is not foreign and form.target in RESHAPES and form.ins[0].shape == form.out:
            return form.ins[0]
        value = self._shuffled(node, foreign) if form is foreign else None
        value = value or self.absorbed.permuted(form)
        if value is None and len(node.users) == 1:  # with several readers, each would keep a copy
            value = self.absorbed.padded(form)
        if value is not None:
            return value
        steps = in_steps(form)
        if steps is not None:
            return steps(partial(self.translate, node), form)
        if name_of(form.target) in RECURRENT and _returns_more(node, form):
            return self._recurrent(node, form) or self._fallback(node, foreign)
        if name_of(form.target) == "lstm_cell":
            return self._part_of_cell(node, form) or self._fallback(node, foreign)
        for tensor in self.absorbed.wants_first(form):
            self._turn(node, tensor)
        first = self.absorbed.as_channels_first(form)
        found = self._recognised(first)
        if first is not None and found is not None:
            added = self._add(node, first.out, found)
            return self.absorbed.channels_last(added) if len(first.out) > 2 else added
        found = self._recognised(self.absorbed.into_window(form))
        if found is not None:
            return self._add(node, form.out, found)
        args = {key: self.materialise(node, value) for key, value in form.args.items()}
        form = Foreign(form.target, args, form.out)
        found = self._recognised(form) or self._recognised(self._with_parameters(node, form))
        if found is not None:
            return self._add(node, form.out, found)
        steps = norm_in_steps(form)
        if steps is not None:
            return steps(partial(self.translate, node), form)
        return self._fallback(node, foreign)

    def _with_parameters(self, node: fx.Node, form: Foreign) -> Foreign | None:
        """Return an operator that reads its constants from layers of their own, or None."""
        found = parameters_of(form, self.batch.size)
        if not found or not all(self.weights.fit(layer) for layer, _ in found.values()):
            return None
        values = {name: value for name, (_, value) in found.items()}
        if self._recognised(form.with_tensors(values)) is None:
            return None
        made = {name: self._add(node, value.shape, layer) for name, (layer, value) in found.items()}
        return form.with_tensors(made)

    def _part_of_cell(self, node: fx.Node, form: Foreign) -> Tensor | None:
        """Return the state or the cell of a step, which one operator gives together, or None."""
        source: Any = node.args[0]
        images, hidden = form.out
        both = self.cells.get(source)
        if both is None:
            args = {key: self.materialise(node, value) for key, value in form.args.items()}
            found = self._recognised(Foreign(form.target, args, (images, 2 * hidden)))
            if found is None:
                return None
            both = self.cells[source] = self._add(node, (images, 2 * hidden), found)
        start = form.args["result"] * hidden
        part = Recognised(Slice(start=start, stop=start + hidden), (both,))
        return self._add(node, form.out, part)

    def _recurrent(self, node: fx.Node, form: Foreign) -> Tensor | None:
        """Return a result of a recurrent module, all of whose layers are added at once, or None."""
        source: Any = node.args[0]
        if source not in self.recurrent:
            args = {key: value for key, value in form.args.items() if key != "hx"}
            rank = len(form.args["input"].shape)
            plain = Foreign(form.target, args, (self.batch.size, *(1,) * (rank - 1)))
            for tensor in self.absorbed.wants_first(plain):
                self._turn(node, tensor)
            first = self.absorbed.as_channels_first(plain)
            if first is not None:
                first = Foreign(first.target, {**first.args, "hx": form.args["hx"]}, first.out)
                self.recurrent[source] = self.states.results(first, _read(node), self._adder(node))
        found = self.recurrent.get(source)
        if found is None:
            return None
        place = form.args["result"]
        if place == 0:
            return None if found.sequence is None else self.absorbed.channels_last(found.sequence)
        rows = found.states if place == 1 else found.cells
        return self.states.stacked(f"{source.name}:{place}", rows) if rows else None

    def _adder(self, node: fx.Node) -> Adder:
        return Adder(
            self._recognised,
            lambda shape, found: self._add(node, shape, found),
            lambda value: self.materialise(node, value),
            self.weights.fit,
        )

    def _turn(self, node: fx.Node, tensor: Tensor) -> None:
        """Add a layer that brings the last axis of a value to the front."""
        layer, shape = turning(tensor)
        self.absorbed.turned[tensor.name] = self._add(node, shape, layer)

    def _fallback(self, node: fx.Node, foreign: Foreign) -> Tensor:
        """Return the result of an unrecognised operator with known costs."""
        args = {key: self.materialise(node, value) for key, value in foreign.args.items()}
        foreign = Foreign(foreign.target, args, foreign.out)
        if foreign.target in DROPOUTS:
            return foreign.ins[0]
        found = Recognised(self.opaque.layer(node, foreign), foreign.ins)
        return self._add(node, foreign.out, found)

    def _of_states(self, node: fx.Node, value: Any) -> Any:
        """Return a value; states that are still by themselves become a layer."""
        if isinstance(value, tuple):
            return tuple(self._of_states(node, part) for part in value)
        if self.states.find(value) is None:
            return value
        if value.name not in self.materialised:
            self.materialised[value.name] = self.states.together(value, self._adder(node))
        return self.materialised[value.name]

    def materialise(self, node: fx.Node, value: Any) -> Any:
        """Return a value; a pending permutation or padding becomes a layer, and so do states."""
        if isinstance(value, tuple):
            return tuple(self.materialise(node, part) for part in value)
        value = self._of_states(node, value)
        absorbed = self.absorbed.find(value)
        if absorbed is None:
            return value
        if value.name not in self.materialised:
            inner = self.materialise(node, absorbed.inner)
            self.materialised[value.name] = self._add(node, value.shape, absorbed.layer(inner))
        return self.materialised[value.name]

    def _shuffled(self, node: fx.Node, foreign: Foreign) -> Tensor | None:
        """Return the result of the channel shuffle that a reshape ends, or None."""
        found = shuffled_groups(node) if foreign.target in RESHAPES else None
        if found is None:
            return None
        source, (batch, groups, each, *positions) = self.values.get(found[0]), found[1]
        if not isinstance(source, Tensor) or self.absorbed.find(source):
            return None
        if not source.shape == foreign.out == (batch, groups * each, *positions):
            return None
        shuffle = Recognised(ChannelShuffle(groups=groups), (source,))
        return self._add(node, foreign.out, shuffle)

    def _recognised(self, foreign: Foreign | None) -> Recognised | None:
        """Return our form of an operator, None if there is none for its shape and weights."""
        found = recognised(foreign, self.batch)
        return found if found is not None and self.weights.fit(found) else None

    def _add(self, node: fx.Node, shape: tuple[int, ...], found: Recognised) -> Tensor:
        """Add the layers of a recognised operator and return their result."""
        key, inputs = "", tuple(tensor.name for tensor in found.inputs)
        for op, weights in ((found.op, found.weights), *((op, {}) for op in found.then)):
            key = f"{node.name}/{len(self.layers) + 1}"
            kind = name_of(op.kind) if isinstance(op, Opaque) else op.name
            self.layers[key] = ImportedLayer(
                module_path(node), kind, op, inputs, weights, place_of(node)
            )
            inputs = (key,)
            owner = self.weights.own(key, found) if weights else None
            if owner is not None:
                self.shared[key] = owner
        return Tensor(key, shape)


def _read(node: fx.Node) -> set[int]:
    """Return which results of the node's input are read."""
    source: Any = node.args[0]
    return {user.args[1] for user in source.users}


def _returns_more(node: fx.Node, form: Foreign) -> bool:
    """Return whether a recurrent module is more than one operator that gives a sequence."""
    drops = form.args["dropout"] and form.args["num_layers"] > 1
    return _read(node) != {0} or bool(drops) or not starts_from_zeros(form)
