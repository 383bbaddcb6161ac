"""Small models of Core ML, written field by field: neural networks and programs."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy

from archscope.importers.coreml.schema import MESSAGES

Array = numpy.ndarray[Any, Any]
Fields = dict[str, Any]

CODES = {"float16": 10, "float32": 11, "int8": 21, "int32": 23, "uint8": 31, "bool": 1, "int4": 25,
         "uint4": 35, "uint1": 37, "uint2": 36, "uint32": 33}  # fmt: skip


def varint(value: int) -> bytes:
    """Return a whole number as protocol buffers have it."""
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def encoded(kind: str, fields: Fields) -> bytes:
    """Return a message of these fields; numbers in lists are packed."""
    table = {name: (number, inner) for number, (name, inner) in MESSAGES.get(kind, {}).items()}
    made = b""
    for name, given in fields.items():
        number, inner = table[name]
        if inner in ("f", "F", "d", "") and isinstance(given, list | numpy.ndarray):
            made += _sized(number, _packed(inner, given))
            continue
        for value in given if isinstance(given, list) else [given]:
            if inner == "":
                made += varint(number << 3) + varint(int(value))
            elif inner == "f":
                made += varint(number << 3 | 5) + struct.pack("<f", value)
            elif inner in ("s", "t"):
                made += _sized(number, str(value).encode())
            elif inner == "b":
                made += _sized(number, bytes(value))
            else:
                made += _sized(number, encoded(inner, value))
    return made


def _sized(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def _packed(inner: str, values: Any) -> bytes:
    if inner == "":
        return b"".join(varint(int(value)) for value in values)
    return numpy.asarray(values, "<f8" if inner == "d" else "<f4").tobytes()


def array_feature(name: str, shape: tuple[int, ...], **flexible: Any) -> Fields:
    """Return the description of an input that is an array."""
    given = {"shape": list(shape), "dataType": 65568, **flexible}
    return {"name": name, "type": {"multiArrayType": given}}


def floats(array: Any) -> Fields:
    """Return weights in single precision."""
    return {"floatValue": numpy.asarray(array, "<f4").reshape(-1)}


class Network:
    """Collects the layers of a neural network, each with one output of its name."""

    def __init__(self, *shape: int, exact: bool = False, **description: Any) -> None:
        self.layers: list[Fields] = []
        self.fields: Fields = {"arrayInputShapeMapping": 1} if exact else {}
        self.inputs = [array_feature("x", shape)]
        self.description = description

    def layer(self, kind: str, *inputs: str, outputs: int = 1, **settings: Any) -> str:
        """Add a layer and return its first output; the others end in their number."""
        name = f"{kind}{len(self.layers)}"
        names = [name, *(f"{name}_{place}" for place in range(1, outputs))]
        self.layers.append(
            {"name": name, "input": list(inputs or ("x",)), "output": names, kind: settings}
        )
        return name

    def constant(self, values: list[float]) -> str:
        """Add a layer that gives these numbers."""
        name = f"numbers{len(self.layers)}"
        given = {"shape": [len(values)], "data": floats(values)}
        self.layers.append({"name": name, "output": [name], "loadConstantND": given})
        return name

    def save(self, folder: Path, *outputs: str, word: str = "neuralNetwork") -> Path:
        """Write the file with these outputs."""
        described = {"input": self.inputs, "output": [array_feature(name, ()) for name in outputs]}
        model = {"specificationVersion": 4, "description": described | self.description,
                 word: {"layers": self.layers, **self.fields}}  # fmt: skip
        path = folder / "net.mlmodel"
        path.write_bytes(encoded("model", model))
        return path


def tensor_type(word: str, shape: tuple[int, ...]) -> Fields:
    """Return the type of a value in a program; -1 is an axis of any size."""
    dims = [{"unknown": {}} if size < 0 else {"constant": {"size": size}} for size in shape]
    return {"tensorType": {"dataType": CODES[word], "rank": len(shape), "dimensions": dims}}


def text(word: str) -> Fields:
    """Return a constant text."""
    kind = {"tensorType": {"dataType": 2}}
    return {"type": kind, "immediateValue": {"tensor": {"strings": {"values": word}}}}


class Program:
    """Collects the operations of a program, and the numbers of its file of weights."""

    def __init__(self, *shape: int, default: tuple[int, ...] = (), word: str = "float32") -> None:
        self.operations: list[Fields] = []
        self.weights = struct.pack("<II", 0, 2) + bytes(56)
        self.inputs = [{"name": "x", "type": tensor_type(word, shape)}]
        self.features = [array_feature("x", default or shape)]

    def value(self, given: Any) -> Fields:
        """Return a constant in the program itself."""
        if isinstance(given, str):
            return text(given)
        array = numpy.asarray(given)
        if array.dtype == bool:
            word, field = "bool", "bools"
        elif array.dtype.kind == "f":
            word, field = "float32", "floats"
        else:
            word, field = "int32", "ints"
        flat = array.reshape(-1)
        content = {field: {"values": flat if field == "floats" else flat.astype(int).tolist()}}
        return {"type": tensor_type(word, array.shape), "immediateValue": {"tensor": content}}

    def blob(self, content: bytes, word: str, shape: tuple[int, ...]) -> Fields:
        """Add numbers to the file of weights, and return the constant."""
        offset = len(self.weights)
        head = struct.pack("<IIQQQ", 0xDEADBEEF, 0, len(content), offset + 64, 0) + bytes(32)
        self.weights += head + content + bytes(-len(content) % 64)
        place = {"fileName": "@model_path/weights/weight.bin", "offset": offset}
        return {"type": tensor_type(word, shape), "blobFileValue": place}

    def constant(self, array: Any, name: str, word: str = "") -> str:
        """Add a constant of the file of weights."""
        array = numpy.asarray(array)
        word = word or array.dtype.name
        value = self.blob(array.tobytes(), word, array.shape)
        out = {"name": name, "type": tensor_type(word, array.shape)}
        self.operations.append(
            {"type": "const", "outputs": [out],
             "attributes": [{"key": "name", "value": text(name)}, {"key": "val", "value": value}]}
        )  # fmt: skip
        return name

    def add(
        self, kind: str, out: tuple[int, ...], *, word: str = "float32", name: str = "",
        more: tuple[tuple[int, ...], ...] = (), **inputs: Any,
    ) -> str:  # fmt: skip
        """Add an operation; inputs are names, lists of names, or constants in tuples."""
        name = name or f"{kind}_{len(self.operations)}"
        outs = [(name, out), *((f"{name}_{at}", shape) for at, shape in enumerate(more, 1))]
        arguments = [
            {"key": key, "value": {"arguments": [self._binding(part) for part in _listed(given)]}}
            for key, given in inputs.items()
        ]
        made = [{"name": title, "type": tensor_type(word, shape)} for title, shape in outs]
        named = {"key": "name", "value": text(name)}
        self.operations.append(
            {"type": kind, "inputs": arguments, "outputs": made, "attributes": [named]}
        )
        return name

    def _binding(self, given: Any) -> Fields:
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, dict):
            return {"value": given}
        return {"value": self.value(given[0])}

    def save(self, folder: Path, *outputs: str, functions: tuple[str, ...] = ("main",)) -> Path:
        """Write the package with these outputs."""
        block = {"outputs": list(outputs), "operations": self.operations}
        function = {
            "inputs": self.inputs, "opset": "CoreML7",
            "block_specializations": [{"key": "CoreML7", "value": block}],
        }  # fmt: skip
        entries = [{"key": key, "value": function} for key in functions]
        described = {"input": self.features, "output": [array_feature(out, ()) for out in outputs]}
        model = {
            "specificationVersion": 8,
            "description": described,
            "mlProgram": {"version": 1, "functions": entries},
        }
        path = folder / "net.mlpackage"
        data = path / "Data" / "com.apple.CoreML"
        (data / "weights").mkdir(parents=True)
        (data / "model.mlmodel").write_bytes(encoded("model", model))
        (data / "weights" / "weight.bin").write_bytes(self.weights)
        items = {"a": {"path": "com.apple.CoreML/model.mlmodel"},
                 "b": {"path": "com.apple.CoreML/weights"}}  # fmt: skip
        manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": items,
                    "rootModelIdentifier": "a"}  # fmt: skip
        (path / "Manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return path


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
