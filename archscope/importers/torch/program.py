"""A program of aten operators -> Graph.

Each operator is offered to the recogniser in the file of ours. What none takes becomes `opaque`,
with what can still be counted of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from operator import getitem
from typing import Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_unflatten

import archscope.ops
from archscope.errors import GraphError, ShapeError
from archscope.importers.imported import Imported
from archscope.importers.torch.aten import (
    DROPOUTS,
    SAME,
    SHAPED,
    SPLITS,
    VIEWS,
    WRAPS,
    idle,
    is_pointwise,
    is_view,
    long_axes,
    name_of,
    path_of,
    share,
    sum_known,
    swaps_groups,
    without_batch,
)
from archscope.importers.torch.aten_costs import Known, counted
from archscope.importers.torch.channels_last import Layout
from archscope.importers.torch.module_names import Named, is_name, names_of
from archscope.importers.torch.pads import PAD, Pads
from archscope.importers.torch.trace import BATCH
from archscope.ir import Builder, Graph, Op, Output, Shape
from archscope.ops.foreign import RECOGNISERS, Foreign, Recognised, Tensor
from archscope.ops.input import Input
from archscope.ops.opaque import Opaque
from archscope.ops.reshape import ChannelShuffle, Identity

MOVE = "aten.permute.default"


class Step(Named, frozen=True):
    """An operator of ours on values of others."""

    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, Tensor]


class Reader:
    """Goes through a program once, node by node."""

    def __init__(self, program: torch.export.ExportedProgram, model: nn.Module) -> None:
        self.program, self.model = program, model
        signature = program.graph_signature
        self.held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.lifted = dict(signature.inputs_to_lifted_tensor_constants)
        self.params = set(signature.inputs_to_parameters.values())
        self.statistics = set(signature.inputs_to_buffers.values())
        self.state = dict(program.state_dict)
        self.values: dict[fx.Node, Any] = {}
        self.roots: dict[str, frozenset[str]] = {}
        self.steps: dict[str, Step] = {}
        self.shapes: dict[str, Shape] = {}
        self.owned: set[str] = set()
        self.prices: dict[str, Known] = {}  # of what is computed of weights alone
        self.owners: dict[tuple[str, ...], tuple[Op, str]] = {}
        self.shared: dict[str, str] = {}
        self.inputs: list[str] = []
        self.met: set[fx.Node] = set()  # what has several results, one of which was counted
        self.layout = Layout()
        self.pads = Pads()
        self.settled: dict[str, Tensor] = {}  # moved and padded maps that others had to read
        self.count = 0

    def imported(self, name: str) -> Imported:
        """Return the graph with its weights."""
        self.program.graph.eliminate_dead_code()
        outputs = self._run(self.program.graph_module)
        graph, names = self._graph(name, outputs)
        found = {
            f"{names[key]}.{suffix}": tensor.name
            for key, step in self.steps.items()
            if key in names and key not in self.shared
            for suffix, tensor in step.weights.items()
        }
        return Imported(graph, lambda: {key: self.state[path] for key, path in found.items()})

    def _run(self, module: fx.GraphModule) -> list[Any]:
        """Return the values that a graph gives, having noted its operators."""
        for node in module.graph.nodes:
            if node.op == "placeholder" and node not in self.values:
                self._placeholder(node)
            elif node.op == "get_attr":
                self.values[node] = getattr(module, str(node.target), None)
            elif node.op == "call_function":
                self.values[node] = self._value(node)
            elif node.op == "output":
                return [self._settled(node, self._plain(one)) for one in node.args[0]]
        return []

    def _wrapped(self, node: fx.Node) -> Any:
        """Return the values that a wrapped graph gives for the arguments behind it."""
        arguments = [self._plain(one) for one in node.args]
        place = next(i for i, one in enumerate(arguments) if isinstance(one, fx.GraphModule))
        inner: fx.GraphModule = arguments[place]
        holders = [node for node in inner.graph.nodes if node.op == "placeholder"]
        self.values |= dict(zip(holders, arguments[place + 1 :], strict=True))
        return self._run(inner)

    def _placeholder(self, node: fx.Node) -> None:
        shape = tuple(map(int, getattr(node.meta.get("val"), "shape", ())))
        if node.name in self.held:
            path = self.held[node.name]
            self.roots[path] = frozenset({path})
            self.values[node] = Tensor(path, shape, True)
        elif node.name in self.lifted:
            constant: Any = self.program.constants[self.lifted[node.name]]
            value = constant.item() if constant.numel() == 1 else None
            self.roots[node.name] = frozenset()
            self.values[node] = Tensor(node.name, shape, True, value)
        elif isinstance(node.meta.get("val"), torch.Tensor):
            self.inputs.append(node.name)
            self.shapes[node.name] = without_batch(shape)
            self.values[node] = Tensor(node.name, shape)

    def _value(self, node: fx.Node) -> Any:
        """Return the value of a call, having noted the operator that makes it."""
        if node.target is getitem:
            return self._part(node)
        target = str(node.target)
        if target in WRAPS:
            return self._wrapped(node)
        made = node.meta.get("val")
        arguments = self._arguments(node)
        if not isinstance(made, torch.Tensor):
            if isinstance(made, torch.SymInt | torch.SymFloat | torch.SymBool):
                raise GraphError(
                    f"'{type(self.model).__name__}' cannot be traced: it reads a number of its"
                    f" input, by '{target}'"
                )
            if isinstance(made, tuple | list):
                return Foreign(target, arguments, ())
            return made
        shape = tuple(map(int, made.shape))
        changed = node.target._schema.is_mutable if hasattr(node.target, "_schema") else False
        if changed:
            overload = target.split(".")
            target = ".".join([overload[0], overload[1].rstrip("_"), *overload[2:]])
            if isinstance(node.args[0], fx.Node):
                self._check_views(node, node.args[0])
        value = self._made(node, Foreign(target, arguments, shape))
        if changed and isinstance(node.args[0], fx.Node):
            self.values[node.args[0]] = value  # who reads it from now on reads what it became
        return value

    def _check_views(self, node: fx.Node, changed: fx.Node) -> None:
        """Refuse work in place on a part of something that is read later."""
        old = self.values.get(changed)
        base = changed
        parts = [user for user in changed.users if str(user.target) in VIEWS and user < node]
        while str(base.target) in VIEWS or base.target is getitem:
            base = base.args[0]  # type: ignore[assignment]
            parts.append(base)
        if isinstance(old, Tensor) and old.constant:
            return
        if any(user > node for part in parts for user in part.users):
            raise GraphError(
                f"'{node.target}' works in place on a part of a tensor that is read again,"
                " which cannot be followed"
            )

    def _arguments(self, node: fx.Node) -> dict[str, Any]:
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return {str(index): self._plain(arg) for index, arg in enumerate(node.args)}
        names = [argument.name for argument in schema.arguments]
        given = {
            argument.name: argument.default_value
            for argument in schema.arguments
            if argument.has_default_value()
        }
        given |= dict(zip(names, map(self._plain, node.args), strict=False))
        given |= {key: self._plain(value) for key, value in node.kwargs.items()}
        return {name: given[name] for name in names if name in given}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return self.values.get(value)
        if isinstance(value, list | tuple):
            return tuple(map(self._plain, value))
        return value

    def _part(self, node: fx.Node) -> Any:
        """Return one of several results."""
        source, index = node.args
        foreign = self.values[source]  # type: ignore[index]
        if not isinstance(foreign, Foreign):
            return foreign[index] if isinstance(foreign, list) else foreign  # type: ignore[index]
        all_ = source.meta["val"]  # type: ignore[union-attr]
        made = all_[index]
        if not isinstance(made, torch.Tensor):
            return made
        more: dict[str, Any] = {"result": index}
        if foreign.target in SPLITS:
            axis = foreign.args["dim"]
            more["start"] = sum(int(one.shape[axis]) for one in all_[:index])
        shape = tuple(map(int, made.shape))
        return self._made(node, Foreign(foreign.target, {**foreign.args, **more}, shape))

    def _made(self, node: fx.Node, foreign: Foreign) -> Tensor:
        nothing = foreign.target.startswith(("aten.new_", "aten.zeros_like")) or 0 in foreign.out
        if nothing or not foreign.ins:
            return self._constant(node, foreign)
        if foreign.target in SAME or self._nothing(foreign):
            return foreign.ins[0]
        value = self._shuffled(node, foreign) or self.layout.move(foreign) or self.pads.put(foreign)
        if value is not None:
            return value
        first = self.layout.in_front(foreign)
        found = None if first is None else self._recognised(first)
        if first is not None and found is not None:
            return self.layout.turn(self._note(node, first, found))
        first = self.pads.into_convolution(foreign)
        found = None if first is None else self._recognised(first)
        if first is not None and found is not None:
            return self._note(node, first, found)
        args = {key: self._settled(node, value) for key, value in foreign.args.items()}
        foreign = Foreign(foreign.target, args, foreign.out)
        recognised = self._recognised(foreign)
        if recognised is not None:
            return self._note(node, foreign, recognised)
        if foreign.target in DROPOUTS:
            return foreign.ins[0]
        return self._note(node, foreign, Recognised(self._opaque(node, foreign), foreign.ins))

    def _settled(self, node: fx.Node, value: Any) -> Any:
        """Return a value with the moves of channels that it was spared."""
        if isinstance(value, tuple):
            return tuple(self._settled(node, one) for one in value)
        moved = value in self.layout
        if not moved and value not in self.pads:
            return value
        if value.name not in self.settled:
            before = self.layout.before[value.name] if moved else self.pads.inside[value.name][0]
            kind, size = MOVE if moved else PAD, without_batch(value.shape)
            op = Opaque(kind=kind, size=size, products=0, work=0, view=moved)
            found = Recognised(op, (self._settled(node, before),))
            self.settled[value.name] = self._note(node, Foreign(kind, {}, value.shape), found)
        return self.settled[value.name]

    def _opaque(self, node: fx.Node, foreign: Foreign) -> Opaque:
        """Return what can be said of an operator that is none of ours."""
        known = counted(foreign)
        if "result" in foreign.args and node.args[0] in self.met:
            known = Known(0, 0)  # counted with the first result that is read
        elif "result" in foreign.args:
            self.met.add(node.args[0])  # type: ignore[arg-type]
        read = (self.roots[tensor.name] for tensor in foreign.tensors if tensor.constant)
        roots = frozenset().union(*read) - self.owned
        self.owned |= roots
        # What is computed of weights alone costs its first reader, as nobody keeps it.
        prices = [self.prices[root] for root in roots if root in self.prices]
        kept = foreign.target == "aten.batch_norm.default"
        return Opaque(
            kind=foreign.target,
            size=without_batch(foreign.out) or (1,),
            learned=sum(prod(self.state[path].shape) for path in roots & self.params),
            kept=sum(prod(self.state[path].shape) for path in roots & self.statistics)
            if kept
            else 0,
            products=sum_known(share(known.macs), *(price.macs for price in prices)),
            work=sum_known(share(known.work), *(price.work for price in prices)),
            view=is_view(node, foreign),
            pointwise=is_pointwise(foreign),
        )

    def _constant(self, node: fx.Node, foreign: Foreign) -> Tensor:
        """Return what no input decides: numbers, and what is computed of weights alone."""
        tensors = foreign.tensors if not foreign.ins else ()
        if foreign.target in SAME and tensors:
            return tensors[0]
        if foreign.target in SHAPED and tensors[0].name in self.state:
            path, shape = tensors[0].name, tensors[0].shape
            if long_axes(shape) == long_axes(foreign.out):
                return Tensor(path, foreign.out, True)  # the same numbers along the same axes
        roots = frozenset().union(*(self.roots[tensor.name] for tensor in tensors))
        price = Known(0, 0) if foreign.ins else counted(foreign)
        if without_batch(foreign.out) != foreign.out:
            price = Known(share(price.macs), share(price.work))
        if price != Known(0, 0):
            self.prices[node.name] = price
            roots |= {node.name}
        self.roots[node.name] = roots
        return Tensor(node.name, foreign.out, True)

    def _nothing(self, foreign: Foreign) -> bool:
        """Return whether an operator gives back its input."""
        if foreign.target == "aten.pad.default":
            return not any(foreign.args["pad"])
        if foreign.target in DROPOUTS:
            return not foreign.args["p"]
        same = foreign.ins[0].shape == foreign.out
        if foreign.target in ("aten.expand.default", "aten.slice.Tensor", *SHAPED):
            return same
        return foreign.target.startswith(("aten.to.", "aten._to_copy.")) and same

    def _recognised(self, foreign: Foreign) -> Recognised | None:
        """Return what a recogniser makes of it, if that has the same shapes and weights."""
        recogniser = RECOGNISERS.get(foreign.target)
        if recogniser is None or any(tensor.shape[:1] != (BATCH,) for tensor in foreign.ins):
            return None
        found = recogniser(foreign)
        if found is None or foreign.out[:1] != (BATCH,):
            return None
        ins = tuple(without_batch(name.shape) for name in found.inputs)
        try:
            out = found.op.shape(*ins)
            for op in found.then:
                out = op.shape(out)
        except ShapeError:
            return None
        paths = tuple(weight.name for weight in found.weights.values())
        if out != foreign.out[1:] or not all(path in self.state for path in paths):
            return None
        known = self.owners.get(paths)
        if paths and known is None and self.owned.intersection(paths):
            return None  # tied to another kind of operator
        if known is not None and known[0] != found.op:
            return None
        return found

    def _note(self, node: fx.Node, foreign: Foreign, found: Recognised) -> Tensor:
        key = ""
        inputs = tuple(entry.name for entry in found.inputs)
        paths = tuple(weight.name for weight in found.weights.values())
        for index, op in enumerate((found.op, *found.then)):
            self.count += 1
            key = f"{node.name}/{self.count}"
            weights = found.weights if index == 0 else {}
            word = name_of(op.kind) if isinstance(op, Opaque) else op.name
            self.steps[key] = Step(path_of(node), word, op, inputs, weights)
            inputs = (key,)
            if weights and paths in self.owners:
                self.shared[key] = self.owners[paths][1]
            elif weights:
                self.owners[paths] = op, key
                self.owned.update(paths)
        return Tensor(key, foreign.out)

    def _shuffled(self, node: fx.Node, foreign: Foreign) -> Tensor | None:
        """Return the channel shuffle that a view, a transposition and a view spell."""
        if foreign.target not in SHAPED or not foreign.ins:
            return None
        turned = node.args[0]
        while isinstance(turned, fx.Node) and str(turned.target) in SAME:
            turned = turned.args[0]
        if not isinstance(turned, fx.Node) or not swaps_groups(turned):
            return None
        parted = turned.args[0]
        if not isinstance(parted, fx.Node) or str(parted.target) not in SHAPED:
            return None
        source = self.values.get(parted.args[0])  # type: ignore[arg-type]
        shape = tuple(map(int, parted.meta["val"].shape))
        if (
            not isinstance(source, Tensor)
            or source in self.layout
            or source in self.pads
            or len(shape) < 3
        ):
            return None
        if source.shape != foreign.out:
            return None
        if (shape[0], shape[1] * shape[2], *shape[3:]) != source.shape:
            return None
        shuffle = ChannelShuffle(groups=shape[1])
        return self._note(node, foreign, Recognised(shuffle, (source,)))

    def _called(self, outputs: list[Any]) -> dict[str, str]:
        """Return what a model that gives a dict calls its tensors."""
        spec = self.program.call_spec.out_spec
        if spec is None or spec.num_leaves != len(outputs):
            return {}
        given = tree_unflatten(outputs, spec)
        if not isinstance(given, Mapping) or not all(map(is_name, given)):
            return {}
        return {one.name: word for word, one in given.items() if isinstance(one, Tensor)}

    def _graph(self, name: str, outputs: list[Any]) -> tuple[Graph, dict[str, str]]:
        """Return the graph of what the outputs need, and the names of the steps."""
        ends = [output for output in outputs if isinstance(output, Tensor) and not output.constant]
        if not ends:
            raise GraphError(f"'{name}' gives nothing that depends on its input")
        wanted = {end.name for end in ends}
        for key, step in reversed(self.steps.items()):
            if key in wanted:
                wanted.update(step.inputs)
        kept = {key: step for key, step in self.steps.items() if key in wanted}
        leaves = {path for path, part in self.model.named_modules() if not part._modules}
        names = names_of(kept, leaves, self.inputs)
        builder = Builder()
        for input_ in self.inputs:
            builder.add(input_, Input(size=self.shapes[input_]))
        for key, step in kept.items():
            read = [names.get(name, name) for name in step.inputs]
            builder.add(names[key], step.op, read, names.get(self.shared.get(key, "")))
        heads: list[Output] = []
        called = self._called(outputs)
        for index, one in enumerate(ends):
            node = names.get(one.name, one.name)
            if node in self.inputs or any(head.node == node for head in heads):
                again = f"output{index}"
                while again in builder.nodes:
                    again += "_"
                node = builder.add(again, Identity(), [node])
            word = "output" if len(ends) == 1 else f"output{index}"
            heads.append(Output(called.get(one.name, word), node))
        about = idle(self.model, self.owned)
        return Graph(name, tuple(builder.nodes.values()), tuple(heads), about), names


assert archscope.ops  # its files fill RECOGNISERS
