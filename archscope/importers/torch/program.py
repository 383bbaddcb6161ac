"""Convert a PyTorch module to a graph: the nodes of its exported program become our layers."""

from __future__ import annotations

from collections.abc import Mapping
from operator import getitem
from typing import Any

import torch
from msgspec import structs
from torch import fx, nn
from torch.utils._pytree import tree_unflatten

from archscope.errors import GraphError, OptionError
from archscope.importers.formats import Imported
from archscope.importers.names import first_few
from archscope.importers.torch.arguments import Arguments, arguments_of
from archscope.importers.torch.assembly import assemble
from archscope.importers.torch.aten import SAME, SPLITS, WRAPPERS
from archscope.importers.torch.computed import other_names
from archscope.importers.torch.functional import remove_dead_code, written
from archscope.importers.torch.layers import is_name
from archscope.importers.torch.tracing import Trace, quiet, traces, with_known_sizes
from archscope.importers.torch.translation import OperatorTranslator
from archscope.importers.torch.weight_table import WeightTable
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Tensor


def from_module(model: nn.Module, input: Any, name: str | None = None, batch: int = 1) -> Imported:
    """Import a module at inference: its graph and its weights. Raises ArchscopeError.

    `input` is a shape without the batch, several of them, shapes by the names of forward's
    arguments, or tensors with the batch instead of shapes; they may be in lists and dicts as
    forward accepts them, together with other values. The graph is that of one image. If the cost
    of a module is not proportional to the batch, as for products that mix images, it is the share
    of one image in a batch of `batch`, and `about` says so.
    """
    if not isinstance(model, nn.Module):
        raise OptionError(f"expected a torch.nn.Module, got {type(model).__name__}")
    arguments = arguments_of(model, input)
    model = with_known_sizes(model, arguments)
    uneven: dict[str, None] = {}
    for trace in traces(model, arguments, batch):
        importer = ProgramImporter(trace, model, arguments)
        importer.run()
        if importer.translator.opaque.alike:
            break
        uneven |= importer.translator.opaque.uneven
    why = trace.reason
    if uneven and not trace.batch.alike:
        listed = ", ".join([*uneven][:3]) + (", ..." if len(uneven) > 3 else "")
        why = f"the cost of {listed} is not proportional to the batch"
    remark = f"counted at batch {trace.batch.size}: {why}" if why else ""
    return importer.imported(name or type(model).__name__, remark)


def _foreign(target: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> Foreign:
    """Return an operator by its usual name."""
    usual, more = SAME.get(target, (target, {}))
    return Foreign(usual, {**arguments, **more}, shape)


CASTS = ("aten.to.", "aten._to_copy.", "aten.type_as.")
"""Prefixes of operators that change the type of a tensor."""


def _cast(node: fx.Node, target: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a cast as the function that it computes; all our values have the same type."""
    source: Any = node.args[0]
    before, after = source.meta["val"].dtype, node.meta["val"].dtype
    value = next(iter(arguments.values()))
    x = {"self": value}
    if not isinstance(value, Tensor) or value.constant:
        return target, arguments
    if after == torch.bool and before != torch.bool:
        return "aten.ne.Scalar", {**x, "other": 0}
    if before.is_floating_point and not (after.is_floating_point or after.is_complex):
        return "aten.trunc.default", x
    return target, arguments


def _of_folded(weights: WeightTable) -> str:
    """Return a sentence on the weights that are computed from parameters, "" if none are.

    Reordered parameters, and parts of them, do not count as computed.
    """
    folded = {key: paths for key, paths in weights.folded.items() if key not in weights.moved}
    paths = sorted({path for paths in folded.values() for path in paths})
    if not paths:
        return ""
    return f"these parameters are replaced by what is computed from them: {first_few(paths)}"


def _of_copied(weights: WeightTable) -> str:
    """Return a sentence on the parameters that several layers hold, "" if there are none."""
    paths = sorted(weights.copied)
    return f"several layers have copies of these parameters: {first_few(paths)}" if paths else ""


def _of_constants(outputs: list[Any]) -> str:
    """Return a sentence on the outputs that are the same for every input, "" if there are none."""
    count = sum(isinstance(output, Tensor) and output.constant for output in outputs)
    return f"outputs that do not depend on the input are left out: {count}" if count else ""


class ProgramImporter:
    """Goes through a program once and keeps the value of each node."""

    def __init__(self, trace: Trace, model: nn.Module, arguments: Arguments) -> None:
        self.program, self.batch, self.model = trace.program, trace.batch, model
        signature = self.program.graph_signature
        self.weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.constants = dict(signature.inputs_to_lifted_tensor_constants)
        self.shapes = {part.sizes(self.batch.size): part.shape for part in arguments.given}
        self.inputs: dict[str, Shape] = {}
        self.values: dict[fx.Node, Any] = {}
        self.outputs: list[Any] = []
        self.translator = OperatorTranslator(trace, self.values)

    def run(self) -> None:
        """Translate all operators that the outputs depend on."""
        remove_dead_code(self.program.graph)
        with quiet():  # torch logs what it cannot compute of constants
            self.outputs = self._run(self.program.graph_module)
        self.translator.weights.finish()

    def imported(self, name: str, remark: str) -> Imported:
        """Return the graph with its weights."""
        outputs, translator = self.outputs, self.translator
        ends = [output for output in outputs if isinstance(output, Tensor) and not output.constant]
        if not ends:
            raise GraphError(f"'{name}' returns nothing that depends on its input")
        graph, names = assemble(
            name, self.model, self.inputs, translator, ends, self._output_names(outputs)
        )
        weights = translator.weights
        parts = (
            graph.about, remark, _of_folded(weights), _of_copied(weights), _of_constants(outputs),
        )  # fmt: skip
        about = "; ".join(filter(None, parts))
        paths = {
            f"{names[key]}.{suffix}": tensor.name
            for key, layer in translator.layers.items()
            if key in names and key not in translator.shared
            for suffix, tensor in layer.weights.items()
        }
        tensors = translator.weights.tensors
        return Imported(
            structs.replace(graph, about=about),
            lambda: {key: tensors[path] for key, path in paths.items()},
        )

    def _run(self, module: fx.GraphModule) -> list[Any]:
        """Return the outputs of a graph, having translated its operators."""
        for node in module.graph.nodes:
            if node.op == "placeholder" and node not in self.values:
                self._placeholder(node)
            elif node.op == "get_attr":
                self.values[node] = getattr(module, str(node.target), None)
            elif node.op == "call_function":
                self.values[node] = self._value(node)
            elif node.op == "output":
                outputs = (self._plain(value) for value in node.args[0])
                return [self.translator.materialise(node, value) for value in outputs]
        return []

    def _run_wrapped(self, node: fx.Node) -> Any:
        """Return the outputs of a wrapped graph for the arguments behind it."""
        arguments = [self._plain(value) for value in node.args]
        place = next(i for i, value in enumerate(arguments) if isinstance(value, fx.GraphModule))
        inner: fx.GraphModule = arguments[place]
        placeholders = [node for node in inner.graph.nodes if node.op == "placeholder"]
        self.values |= dict(zip(placeholders, arguments[place + 1 :], strict=True))
        return self._run(inner)

    def _placeholder(self, node: fx.Node) -> None:
        shape = tuple(map(int, getattr(node.meta.get("val"), "shape", ())))
        path = self.weights.get(node.name) or self.constants.get(node.name)
        if path is not None:
            self.values[node] = self.translator.weights.placeholder(node, path, shape)
        elif isinstance(node.meta.get("val"), torch.Tensor):
            self.inputs[node.name] = self.shapes.get(shape, shape) or (1,)
            self.values[node] = Tensor(node.name, shape)

    def _value(self, node: fx.Node) -> Any:
        """Return the value of a call, having translated its operator."""
        if node.target is getitem:
            return self._result(node)
        target = str(node.target)
        if target in WRAPPERS:
            return self._run_wrapped(node)
        result = node.meta.get("val")
        arguments = self._arguments(node)
        if not isinstance(result, torch.Tensor):
            if isinstance(result, torch.SymInt | torch.SymFloat | torch.SymBool):
                raise GraphError(
                    f"'{type(self.model).__name__}' cannot be traced: it reads a value of its"
                    f" input, by '{target}'"
                )
            if isinstance(result, tuple | list):
                return _foreign(target, arguments, ())
            return result
        shape = self._sizes(result, target)
        changed = written(node)
        if changed:
            library, operator, *overload = target.split(".")
            target = ".".join([library, operator.rstrip("_"), *overload])
        if target.startswith(CASTS):
            target, arguments = _cast(node, target, arguments)
        value = self.translator.translate(node, _foreign(target, arguments, shape))
        if changed and value.constant:
            self._change(node, changed[0], value)
        self.values |= dict.fromkeys(changed, value)  # who reads it next reads what it became
        return value

    def _change(self, change: fx.Node, part: fx.Node, written: Tensor) -> None:
        """Replace the other names of a constant that is changed through one of them."""
        for node in other_names(part):
            value = self.values.get(node)
            if isinstance(value, Tensor) and value.constant and node is not part:
                weights = self.translator.weights
                self.values[node] = weights.changed(node, value, change, written)

    def _sizes(self, result: torch.Tensor, target: str) -> tuple[int, ...]:
        """Return the shape of a result. Raises GraphError if it depends on values of the input."""
        if all(isinstance(size, int) for size in result.shape):
            return tuple(result.shape)
        raise GraphError(
            f"'{type(self.model).__name__}' cannot be traced: the output sizes of"
            f" '{target}' depend on values of its input"
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

    def _result(self, node: fx.Node) -> Any:
        """Return one of several results of an operator."""
        source, index = node.args
        foreign = self.values[source]  # type: ignore[index]
        if not isinstance(foreign, Foreign):
            return foreign[index] if isinstance(foreign, list) else foreign  # type: ignore[index]
        results = source.meta["val"]  # type: ignore[union-attr]
        result = results[index]
        if not isinstance(result, torch.Tensor):
            return result
        result_args: dict[str, Any] = {"result": index}
        if foreign.target in SPLITS:
            axis = foreign.args["dim"]
            result_args["start"] = sum(int(part.shape[axis]) for part in results[:index])
        shape = self._sizes(result, foreign.target)
        foreign = Foreign(foreign.target, {**foreign.args, **result_args}, shape)
        value = self.translator.translate(node, foreign)
        return value if value.constant else structs.replace(value, made=foreign)

    def _output_names(self, outputs: list[Any]) -> dict[str, str]:
        """Return the keys of a model's dict of outputs, by value."""
        spec = self.program.call_spec.out_spec
        if spec is None or spec.num_leaves != len(outputs):
            return {}
        returned = tree_unflatten(outputs, spec)
        if not isinstance(returned, Mapping) or not all(map(is_name, returned)):
            return {}
        return {value.name: key for key, value in returned.items() if isinstance(value, Tensor)}
