"""Small networks of OpenVINO IR, written layer by layer as XML and a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy

from tests.importers.running import numbers

Array = numpy.ndarray[Any, Any]
Value = tuple[int, int, tuple[int, ...], str]
"""A layer, its output, and the shape and precision of that."""

TYPES = {"float32": "f32", "float16": "f16", "int8": "i8", "uint8": "u8", "int64": "i64",
         "int32": "i32", "bool": "boolean"}  # fmt: skip

EXPLICIT: dict[str, Any] = {"auto_pad": "explicit"}
WINDOWS: dict[str, Any] = {
    "strides": (1, 1),
    "dilations": (1, 1),
    "pads_begin": (1, 1),
    "pads_end": (1, 1),
    **EXPLICIT,
}


class Network:
    """Collects the layers of a network; one of no operator of its own."""

    def __init__(self, *shape: int, kind: str = "f32", version: int = 11) -> None:
        self.layers: list[str] = []
        self.edges: list[str] = []
        self.weights = b""
        self.version = version
        self.x = self.input(*shape, kind=kind)

    def input(self, *shape: int, name: str = "x", kind: str = "f32") -> Value:
        """Add an input, whose axes may have any size (-1)."""
        text = ",".join("?" if size < 0 else str(size) for size in shape)
        (made,) = self.add("Parameter", [], [shape], name, kind, shape=text, element_type=kind)
        return made

    def constant(self, array: Any, name: str = "") -> Value:
        """Add a constant."""
        array = numpy.asarray(array)
        kind = TYPES[array.dtype.name]
        size = {"shape": ",".join(map(str, array.shape)), "offset": len(self.weights)}
        self.weights += array.tobytes()
        name = name or f"Constant_{len(self.layers)}"
        (made,) = self.add("Const", [], [array.shape], name, kind, element_type=kind,
                           size=array.nbytes, **size)  # fmt: skip
        return made

    def packed(self, content: bytes, shape: tuple[int, ...], kind: str) -> Value:
        """Add a constant of numbers that share bytes."""
        offset = len(self.weights)
        self.weights += content
        (made,) = self.add("Const", [], [shape], "self.fc.weight", kind, element_type=kind,
                           shape=",".join(map(str, shape)), offset=offset,
                           size=len(content))  # fmt: skip
        return made

    def layer(
        self, kind: str, *inputs: Value, out: tuple[int, ...], name: str = "",
        precision: str = "f32", opset: str = "opset1", **attributes: Any,
    ) -> Value:  # fmt: skip
        """Add a layer with one output."""
        (made,) = self.add(kind, list(inputs), [out], name, precision, opset, **attributes)
        return made

    def add(
        self, kind: str, inputs: list[Value], outs: list[tuple[int, ...]], name: str = "",
        precision: str = "f32", opset: str = "opset1", **attributes: Any,
    ) -> list[Value]:  # fmt: skip
        """Add a layer and return its outputs."""
        number = len(self.layers)
        data = " ".join(
            f"{key.replace('__', '-')}={quoteattr(_text(value))}"
            for key, value in attributes.items()
        )
        into = "".join(_port(at, shape, word) for at, (*_, shape, word) in enumerate(inputs))
        outof = "".join(_port(at, shape, precision) for at, shape in enumerate(outs, len(inputs)))
        self.layers.append(
            f'<layer id="{number}" name={quoteattr(name or f"{kind}_{number}")} type="{kind}"'
            f' version="{opset}">\n<data {data}/>\n<input>{into}</input>'
            f"<output>{outof}</output>\n</layer>\n"
        )
        for at, (source, port, *_) in enumerate(inputs):
            self.edges.append(
                f'<edge from-layer="{source}" from-port="{port}" to-layer="{number}"'
                f' to-port="{at}"/>\n'
            )
        return [(number, len(inputs) + at, out, precision) for at, out in enumerate(outs)]

    def text(self, *outputs: Value) -> str:
        """Return the XML of a network with these outputs."""
        for output in outputs:
            self.add("Result", [output], [])
        return (
            f'<?xml version="1.0"?>\n<net name="net" version="{self.version}">\n<layers>\n'
            f"{''.join(self.layers)}</layers>\n<edges>\n{''.join(self.edges)}</edges>\n</net>\n"
        )

    def save(self, folder: Path, *outputs: Value, name: str = "net") -> Path:
        """Write both files and return the path of the XML."""
        path = folder / f"{name}.xml"
        path.write_text(self.text(*outputs), encoding="utf-8")
        path.with_suffix(".bin").write_bytes(self.weights)
        return path


def _port(at: int, shape: tuple[int, ...], precision: str) -> str:
    dims = "".join(f"<dim>{size}</dim>" for size in shape)
    word = precision.upper().replace("F", "FP") if precision[0] == "f" else precision.upper()
    return f'<port id="{at}" precision="{word}">{dims}</port>'


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def small_network(net: Network | None = None) -> tuple[Network, Value]:
    """Return a small network with a shuffle, a pool and a classifier."""
    net = net or Network(-1, 8, 12, 12)
    y = net.layer("Convolution", net.x, net.constant(numbers(6, 8, 3, 3), "self.stem.weight"),
                  out=(1, 6, 12, 12), **WINDOWS)  # fmt: skip
    y = net.layer("Add", y, net.constant(numbers(8, seed=3)[:6].reshape(1, 6, 1, 1)), out=y[2])
    y = net.layer("ReLU", y, out=y[2], name="__module.stem.relu/aten::relu/Relu")
    y = net.layer("Reshape", y, net.constant(numpy.array([0, 2, 3, 12, 12])),
                  out=(-1, 2, 3, 12, 12), special_zero=True)  # fmt: skip
    y = net.layer("Transpose", y, net.constant(numpy.array([0, 2, 1, 3, 4])),
                  out=(-1, 3, 2, 12, 12))  # fmt: skip
    y = net.layer("Reshape", y, net.constant(numpy.array([0, 6, 12, 12])), out=(-1, 6, 12, 12),
                  special_zero=True)  # fmt: skip
    y = net.layer("ReduceMean", y, net.constant(numpy.array([2, 3])), out=(-1, 6), keep_dims=False)
    y = net.layer("MatMul", y, net.constant(numbers(10, 6), "self.head.weight"), out=(-1, 10),
                  transpose_a=False, transpose_b=True)  # fmt: skip
    return net, net.layer("Add", y, net.constant(numbers(1, 10)), out=(-1, 10))
