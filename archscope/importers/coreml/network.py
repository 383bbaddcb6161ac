"""Convert a model of Core ML to a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from archscope.errors import ArchscopeError, DataError
from archscope.importers.coreml import layers as own_layers
from archscope.importers.coreml import operations
from archscope.importers.coreml.features import checked, features_of, sized, titles_of
from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.model_file import read_model
from archscope.importers.coreml.neural_network import NeuralNetwork, layers_of
from archscope.importers.coreml.preprocessing import prepare
from archscope.importers.coreml.program import Program, operations_of
from archscope.importers.coreml.schema import NETWORKS
from archscope.importers.coreml.stored import INDEX, INDICES, TYPES, WeightStore, tensor_type
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import name_part
from archscope.importers.onnx.conversion import graph_of
from archscope.importers.onnx.model_file import library
from archscope.importers.onnx.operator_writer import FLOAT

assert all((operations, own_layers))  # they register themselves

LABELS = "the labels of its classes are left out"


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Import a `.mlmodel` file, or the folder of an `.mlpackage`, with its weights.

    `input` is the input shape without the batch, or the shapes of several inputs by name, if the
    file allows several sizes. Raises ArchscopeError.
    """
    path = Path(path)
    library("Core ML")
    try:
        model, weights = read_model(path)
        convert = _program if "mlProgram" in model else _network
        made, notes = convert(model, weights, input)
        found = graph_of(made, weights.data, input, name_part(path.stem, "network"))
    except ArchscopeError as error:
        raise type(error)(f"{path.as_posix()}: {error}") from None
    if not notes:
        return found
    return Imported(replace(found.graph, about="; ".join(notes)), found.weights)


def _program(model: Message, weights: WeightStore, given: Inputs) -> tuple[Any, list[str]]:
    """Return a program as a model of ONNX, and notes."""
    description = model.message("description")
    t = Program(weights)
    functions = model.message("mlProgram").entries("functions")
    name = description.text("defaultFunctionName") or "main"
    function = functions.get(name) or next(iter(functions.values()), None)
    if function is None:
        raise DataError("its program has no function")
    if len(functions) > 1:
        read = next(key for key, value in functions.items() if value is function)
        t.note(f"of its {len(functions)} functions only '{read[:60]}' is read")
    blocks = function.entries("block_specializations")
    block = blocks.get(function.text("opset")) or next(iter(blocks.values()), None)
    if block is None:
        raise DataError("its program has no operations")
    features = features_of(description)
    inputs = []
    entries = function.messages("inputs")
    for entry in entries:
        title = entry.text("name")
        element, dims = tensor_type(entry.message("type"))
        feature = features.get(title)
        shape = list(dims)
        if feature is not None and len(feature.shape) == len(dims):
            wanted = sized(feature, given, len(entries) == 1)
            shape = [wanted[at] if size < 0 else size for at, size in enumerate(dims)]
        onnx = TYPES[element].onnx if element in TYPES else 1
        inputs.append(t.input(title, INDEX if onnx in INDICES else onnx, checked(title, shape)))
        t.values[title] = title
    outputs = block.texts("outputs")
    for operation in operations_of(block, weights):
        if operation.kind == "classify":
            t.note(LABELS)
            names = [out[0] for out in operation.outputs]
            (source,) = operation.inputs["probabilities"]
            outputs = [out for out in outputs if out not in names]
            if isinstance(source, str) and source not in outputs:
                outputs.append(source)
        else:
            t.write(operation)
    return t.model(inputs, {_title(out, inputs): t.value_of(out) for out in outputs}), [*t.notes]


def _title(name: str, inputs: list[Any]) -> str:
    """Return the name of an output, which no input has."""
    return f"{name}_output" if any(info.name == name for info in inputs) else name


def _network(model: Message, weights: WeightStore, given: Inputs) -> tuple[Any, list[str]]:
    """Return a neural network as a model of ONNX, and notes."""
    word = next(name for name in NETWORKS.values() if name in model)
    network, description = model.message(word), model.message("description")
    t = NeuralNetwork(weights, bool(network.integer("arrayInputShapeMapping")))
    features = features_of(description)
    inputs = []
    for feature in features.values():
        shape = sized(feature, given, len(features) == 1)
        shape = checked(feature.name, shape if feature.is_image else t.shape_of(shape))
        if not t.exact and shape[2:] == [1, 1]:
            shape = shape[:2]
        inputs.append(t.input(feature.name, FLOAT, shape))
        t.values[feature.name] = feature.name
    for entry in network.messages("preprocessing"):
        prepare(t, entry, features)
    layers = layers_of(network)
    for layer in layers:
        t.write(layer)
    if not layers:
        raise DataError("the network has no layers")
    titles = [title for title in titles_of(description) if title in t.values]
    if word == "neuralNetwork" and len(titles) < len(titles_of(description)):
        lost = next(title for title in titles_of(description) if title not in t.values)
        raise DataError(f"nothing produces its output '{lost[-60:]}'")
    if network.text("labelProbabilityLayerName") in t.values:
        titles = list(dict.fromkeys((*titles, network.text("labelProbabilityLayerName"))))
    titles = titles or layers[-1].outputs[:1]
    if word == "neuralNetworkClassifier":
        t.note(LABELS)
    return t.model(inputs, {_title(name, inputs): t.values[name] for name in titles}), [*t.notes]
