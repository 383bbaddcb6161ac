"""Assemble the graph of the layers that outputs need, named after their modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from torch import nn

from archscope.analysis.cost import DTYPES
from archscope.graph_builder import GraphBuilder
from archscope.importers.names import first_few
from archscope.importers.torch.layers import names_of
from archscope.importers.torch.translation import OperatorTranslator
from archscope.ir import Graph, Output, Shape
from archscope.ops.foreign import Tensor
from archscope.ops.input import Input
from archscope.ops.reshape import Identity
from archscope.scopes import scopes_of
from archscope.transforms.shorten_moves import shorten_moves


def assemble(
    name: str,
    model: nn.Module,
    inputs: Mapping[str, Shape],
    translator: OperatorTranslator,
    ends: Sequence[Tensor],
    output_names: Mapping[str, str],
) -> tuple[Graph, dict[str, str]]:
    """Return the graph of everything that the outputs need, and the names of its layers."""
    wanted = {end.name for end in ends}
    for key, layer in reversed(translator.layers.items()):
        if key in wanted:
            wanted.update(layer.inputs)
    kept = {key: layer for key, layer in translator.layers.items() if key in wanted}
    leaves = {path for path, part in model.named_modules() if not part._modules}
    names = names_of(kept, leaves, list(inputs))
    builder = GraphBuilder()
    for input_, shape in inputs.items():
        builder.add(input_, Input(size=shape))
    for key, layer in kept.items():
        sources = [names.get(source, source) for source in layer.inputs]
        owner = names.get(translator.shared.get(key, ""))
        builder.add(names[key], layer.op, sources, owner, layer.at)
        params = translator.weights.new_params.get(key)
        usual = params == builder.nodes[names[key]].facts.params
        macs, stored = translator.weights.macs.get(key, 0), translator.weights.stored.get(key)
        builder.count(names[key], None if usual else params, stored, weight_macs=macs)
    outputs: list[Output] = []
    for index, end in enumerate(ends):
        node = names.get(end.name, end.name)
        if node in inputs or any(output.node == node for output in outputs):
            copy = f"output{index}"
            while copy in builder.nodes:
                copy += "_"
            node = builder.add(copy, Identity(), [node])
        default = "output" if len(ends) == 1 else f"output{index}"
        outputs.append(Output(output_names.get(end.name, default), node))
    read = {tensor.name for layer in kept.values() for tensor in layer.weights.values()}
    held = {t.name for layer in translator.layers.values() for t in layer.weights.values()}
    about = unused_params(model, translator.weights.claimed - (held - read))
    nodes = tuple(builder.nodes.values())
    graph = Graph(name, nodes, tuple(outputs), about, dtype=_dtype(model))
    return shorten_moves(graph), names


def _dtype(model: nn.Module) -> str:
    """Return the type of most parameters, "" for float32."""
    numbers: Counter[str] = Counter()
    for parameter in model.parameters():
        numbers[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
    found = max(numbers, key=numbers.__getitem__, default="")
    return found if found in DTYPES and found != "float32" else ""


def unused_params(model: nn.Module, read: Collection[str]) -> str:
    """Return a sentence on the parameters that inference does not read, "" if it reads all."""
    # Tied parameters have several paths, of which a program has one.
    paths = dict(model.named_parameters(remove_duplicate=False))
    ids = {id(paths[path]) for path in read if path in paths}
    parameters = dict(model.named_parameters())
    used = {path for path, parameter in parameters.items() if id(parameter) in ids}
    occupied = {scope for path in used for scope in scopes_of(path)}
    unused = {path: p.numel() for path, p in parameters.items() if path not in used}
    if not unused:
        return ""
    scopes: list[str] = []  # the outermost modules without parameters in use
    for path in unused:
        free = [scope for scope in (path, *scopes_of(path)) if scope not in occupied]
        if free[-1] not in scopes:
            scopes.append(free[-1])
    count = sum(unused.values())
    return f"{count:,} params are not used at inference and left out: {first_few(scopes)}"
