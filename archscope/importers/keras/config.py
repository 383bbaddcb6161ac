"""Parse the configuration of a model of Keras 2 or 3: its layers and their inputs."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import LimitError, SpecError, UnavailableError, quoted, reason_of
from archscope.importers.file_graph import MOST_BYTES, read_text

MODELS = ("Functional", "Model", "Sequential")
MOST_CALLS = 10_000  # of one layer
SEEN = 1 << 10  # a JSON file must name its class within this many characters

Call = list[tuple[str, int, int]]
"""A value that a call of a layer reads: layer, number of its call, index of the output."""


class KerasLayer(Struct):
    """A layer, which may itself be a model."""

    name: str
    kind: str
    config: dict[str, Any]
    calls: list[Call]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of its configuration; None counts as missing."""
        found = self.config.get(name)
        return default if found is None else found


class KerasModel(Struct):
    """A model: layers in any order, the inputs and the outputs."""

    name: str
    layers: list[KerasLayer]
    inputs: Call
    outputs: Call
    late: bool  # of Keras 3


def is_model(source: str) -> bool:
    """Return whether a file is a model: an archive, or JSON that starts with its class."""
    if source.endswith(".keras"):
        return True
    try:
        with Path(source).open(encoding="utf-8", errors="replace") as file:
            start = file.read(SEEN)
    except (OSError, ValueError):
        return False
    return any(f'"{kind}"' in start for kind in MODELS)


def read(path: Path) -> KerasModel:
    """Return the model of a file. Raises ArchscopeError."""
    where = path.as_posix()
    text = _archived(path) if path.suffix == ".keras" else read_text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise SpecError(f"its configuration is not JSON: {said}", where) from None
    if not isinstance(data, dict):
        raise SpecError("is not the configuration of a Keras model", where)
    late = not str(data.get("keras_version", "3")).startswith(("1", "2"))
    return model_of(data, late, where)


def _archived(path: Path) -> str:
    """Return the configuration in an archive of Keras, without unpacking anything else."""
    where = path.as_posix()
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("config.json").file_size
            if size > MOST_BYTES:
                raise LimitError(
                    f"a configuration larger than the limit of {MOST_BYTES} bytes", where
                )
            with archive.open("config.json") as file:
                return file.read(MOST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        raise UnavailableError(f"{where}: there is no such file") from None
    except OSError as error:
        raise UnavailableError(f"{where}: cannot be read: {reason_of(error)}") from None
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise SpecError(f"is not a Keras model: {type(error).__name__}", where) from None
    except Exception as error:  # zlib and others raise various errors for damaged archives
        if isinstance(error, LimitError):
            raise
        raise SpecError(f"is damaged: {type(error).__name__}", where) from None


def model_of(data: dict[str, Any], late: bool, where: str) -> KerasModel:
    """Return a model from its configuration. Raises SpecError."""
    kind, config = data.get("class_name"), data.get("config")
    if kind not in MODELS or not isinstance(config, dict | list):
        raise SpecError(
            f"is not the configuration of a Keras model: its class is {quoted(kind)}", where
        )
    given = config if isinstance(config, list) else config.get("layers")
    if not isinstance(given, list):
        raise SpecError("a Keras model needs a list of layers", where)
    layers = [_layer(entry, where) for entry in given]
    name = str(config.get("name", "model")) if isinstance(config, dict) else "model"
    if kind == "Sequential":
        return _sequential(name, layers, config, late)
    assert isinstance(config, dict)
    starts, ends = (_ends(config.get(key), where) for key in ("input_layers", "output_layers"))
    return KerasModel(name, layers, starts, ends, late)


def _sequential(name: str, layers: list[KerasLayer], config: Any, late: bool) -> KerasModel:
    """Turn a chain of layers into a model whose layers name their inputs."""
    shape = config.get("build_input_shape") if isinstance(config, dict) else None
    if layers and layers[0].kind != "InputLayer":
        own = layers[0].get("batch_input_shape", layers[0].get("batch_shape", shape))
        layers = [KerasLayer("input", "InputLayer", {"batch_shape": own}, []), *layers]
    for before, layer in pairwise(layers):
        layer.calls = [[(before.name, 0, 0)]]
    if not layers:
        return KerasModel(name, [], [], [], late)
    return KerasModel(name, layers, [(layers[0].name, 0, 0)], [(layers[-1].name, 0, 0)], late)


def _layer(entry: Any, where: str) -> KerasLayer:
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict | list):
        raise SpecError(
            f"a Keras layer needs a class and a configuration, got {quoted(entry)}", where
        )
    config = entry["config"] if isinstance(entry["config"], dict) else {}
    kind = str(entry.get("class_name"))[:60]
    name = str(entry.get("name") or config.get("name") or kind)[:100]
    if kind in MODELS:
        config = {"class_name": kind, "config": entry["config"]}
    nodes = entry.get("inbound_nodes") or []
    if not isinstance(nodes, list) or len(nodes) > MOST_CALLS:
        raise SpecError(f"the layer '{name}' states its inputs in an unknown form", where)
    return KerasLayer(name, kind, config, [_call(node) for node in nodes])


def wrapped(layer: KerasLayer) -> KerasLayer:
    """Return the layer within a layer such as TimeDistributed, with the name of the outer."""
    inner = layer.config["layer"]
    return KerasLayer(layer.name, str(inner["class_name"])[:60], dict(inner["config"]), layer.calls)


def _call(node: Any) -> Call:
    """Return the values that a call reads, in the notation of Keras 2 or 3, in order."""
    found: Call = []
    left = [node]
    while left and len(found) < MOST_CALLS:
        part = left.pop()
        if isinstance(part, dict):
            left += reversed([value for value in part.values() if isinstance(value, dict | list)])
        elif isinstance(part, list) and _is_history(part):
            found.append((part[0][:100], part[1], part[2]))
            left += reversed(part[3:])  # values passed by keyword
        elif isinstance(part, list):
            left += reversed([value for value in part if isinstance(value, dict | list)])
    return found


def _is_history(part: list[Any]) -> bool:
    return (
        len(part) >= 3
        and isinstance(part[0], str)
        and all(type(number) is int and 0 <= number < MOST_CALLS for number in part[1:3])
    )


def _ends(given: Any, where: str) -> Call:
    """Return the inputs or outputs of a model."""
    found = _call(given)
    if not found:
        raise SpecError("a Keras model needs input_layers and output_layers", where)
    return found
