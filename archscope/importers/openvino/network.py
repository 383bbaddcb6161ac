"""Convert an OpenVINO IR to a graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from archscope.errors import ArchscopeError, DataError, UnavailableError
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import name_part
from archscope.importers.onnx.conversion import graph_of
from archscope.importers.onnx.model_file import library
from archscope.importers.openvino import (
    moving,
    pointwise,
    products,
    quantization,
    windows,
)
from archscope.importers.openvino.ir_file import Layer, read_layers
from archscope.importers.openvino.translation import Translation
from archscope.importers.openvino.weights_file import WeightsFile, onnx_type

assert all((moving, pointwise, products, quantization, windows))  # they register their layers


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Import the XML file of an IR, with the weights of the `.bin` file beside it.

    Without that file the network is read, but has no weights. `input` is the input shape without
    the batch, or the shapes of several inputs by name, if the file leaves them open. Raises
    ArchscopeError.
    """
    path = Path(path)
    library("OpenVINO IR")
    try:
        layers = read_layers(path)
        weights = WeightsFile(path.with_suffix(".bin"))
        model = _model(layers, weights)
        found = graph_of(model, weights.data, input, name_part(path.stem, "network"))
    except ArchscopeError as error:
        raise type(error)(f"{path.as_posix()}: {error}") from None
    if not weights.missing:
        return found
    graph = replace(
        found.graph, about=f"{weights.path.name} is missing: the network has no weights"
    )
    return Imported(graph, lambda: _missing(path))


def _missing(path: Path) -> Mapping[str, Any]:
    bin_file = path.with_suffix(".bin")
    raise UnavailableError(
        f"{path.as_posix()}: its weights are in '{bin_file.name}', which is missing beside it"
    )


def _model(layers: list[Layer], weights: WeightsFile) -> Any:
    """Return layers as a model of ONNX."""
    translation = Translation(layers, weights)
    helper = library().helper
    inputs: list[Any] = []
    outputs: dict[str, str] = {}
    for entry in layers:
        if entry.kind == "Parameter":
            port = next(iter(entry.outputs.values()))
            title = _title(entry.name, port.names)
            name = translation.fresh(title)
            dims = [None if size < 0 else size for size in port.dims]
            kind = onnx_type(entry.attributes.get("element_type", "f32"))
            inputs.append(helper.make_tensor_value_info(name, kind, dims))
            translation.values[entry.id, next(iter(entry.outputs))] = name
        elif entry.kind == "Result":
            key = next(iter(entry.sources.values()))
            source = translation.layers[key[0]]
            title = _title(source.name, source.outputs[key[1]].names)
            outputs[translation.fresh(f"{title}")] = translation.values[key]
        else:
            translation.write(entry)
    if not outputs:
        raise DataError("the network has no output")
    return translation.model(inputs, outputs)


def _title(name: str, names: str) -> str:
    """Return the name of an input or output: the first of its tensor that is a word, if any."""
    words = [word for word in names.split(",") if word and not word.isdigit()]
    return words[0] if words else name
