"""Small models of TensorFlow Lite, written operator by operator with the package's own builders."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy
import tflite

Array = numpy.ndarray[Any, Any]

KINDS = {"float32": "FLOAT32", "float16": "FLOAT16", "int8": "INT8", "uint8": "UINT8",
         "int32": "INT32", "int64": "INT64", "int16": "INT16"}  # fmt: skip
OPTIONS = {
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions", "TRANSPOSE_CONV": "TransposeConvOptions",
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
    "CONCATENATION": "ConcatenationOptions", "SOFTMAX": "SoftmaxOptions",
    "RESHAPE": "ReshapeOptions", "SQUEEZE": "SqueezeOptions", "LEAKY_RELU": "LeakyReluOptions",
    "GELU": "GeluOptions", "MEAN": "ReducerOptions", "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions", "REDUCE_MIN": "ReducerOptions", "PACK": "PackOptions",
    "UNPACK": "UnpackOptions", "SPLIT": "SplitOptions", "SPLIT_V": "SplitVOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "GATHER": "GatherOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions", "CONV_3D": "Conv3DOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions", "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "BATCH_MATMUL": "BatchMatMulOptions", "MIRROR_PAD": "MirrorPadOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "L2_NORMALIZATION": "L2NormOptions", "ARG_MAX": "ArgMaxOptions",
    "CUMSUM": "CumsumOptions",
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
}  # fmt: skip


def numbers(*shape: int, seed: int = 0) -> Array:
    """Return random weights in single precision."""
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


class Writer:
    """A model in the making; tensors are named by their numbers."""

    def __init__(self, *shape: int, kind: str = "FLOAT32", **quantized: Any) -> None:
        """Begin with an input `x` of a shape with the batch in front and the channels last."""
        self.tensors: list[dict[str, Any]] = []
        self.buffers: list[bytes] = [b""]
        self.codes: list[str] = []
        self.operators: list[tuple[int, list[int], list[int], str, dict[str, Any]]] = []
        self.inputs = [self.tensor("x", shape, kind=kind, **quantized)]

    def tensor(
        self, name: str, shape: tuple[int, ...], data: Array | None = None, kind: str = "",
        scale: Any = None, zero: Any = 0, axis: int = 0, signature: Any = None,
    ) -> int:  # fmt: skip
        """Add a tensor and return its number."""
        buffer = 0
        if data is not None:
            self.buffers.append(data.tobytes())
            buffer = len(self.buffers) - 1
            kind = kind or KINDS[data.dtype.name]
        self.tensors.append({
            "name": name, "shape": shape, "kind": kind or "FLOAT32", "buffer": buffer,
            "scale": scale, "zero": zero, "axis": axis, "signature": signature,
        })  # fmt: skip
        return len(self.tensors) - 1

    def constant(self, data: Any, **given: Any) -> int:
        """Add a tensor with numbers and return its number."""
        array = data if isinstance(data, numpy.ndarray) else numpy.array(data, numpy.int32)
        return self.tensor(f"constant{len(self.tensors)}", array.shape, array, **given)

    def op(
        self, kind: str, inputs: list[int], *shapes: tuple[int, ...], name: str = "",
        as_kind: str = "", quantized: dict[str, Any] | None = None, **options: Any,
    ) -> int:  # fmt: skip
        """Add an operator that gives tensors of shapes; return the number of the first."""
        if kind == "CONV_2D" and len(inputs) == 2:  # the runtime demands a bias
            out = self.tensors[inputs[1]]["shape"][0]
            inputs = [*inputs, self.constant(numpy.zeros(out, numpy.float32))]
        if kind not in self.codes:
            self.codes.append(kind)
        kinds = [self.tensors[at]["kind"] for at in inputs if 0 <= at < len(self.tensors)]
        like = next((kind for kind in kinds if kind != "INT32"), "FLOAT32")
        first = len(self.tensors)
        for place, shape in enumerate(shapes):
            title = name or f"{kind.lower()}{first}"
            self.tensor(f"{title}:{place}" if place else title, shape, kind=as_kind or like,
                        **(quantized or {}))  # fmt: skip
        outputs = [*range(first, len(self.tensors))]
        entry = self.codes.index(kind), inputs, outputs, OPTIONS.get(kind, ""), options
        self.operators.append(entry)
        return first

    def content(self, *outputs: int) -> bytes:
        """Return the model with these outputs, the last tensor by default."""
        b = flatbuffers.Builder(1024)
        buffers = self._vector(b, [
            _table(b, "Buffer", **({"Data": b.CreateByteVector(data)} if data else {}))
            for data in self.buffers
        ])  # fmt: skip
        codes = self._vector(b, [self._code(b, kind) for kind in self.codes])
        tensors = self._vector(b, [self._tensor(b, tensor) for tensor in self.tensors])
        operators = self._vector(b, [self._operator(b, *entry) for entry in self.operators])
        graph = _table(
            b, "SubGraph", Tensors=tensors, Operators=operators, Inputs=_ints(b, self.inputs),
            Outputs=_ints(b, list(outputs) or [len(self.tensors) - 1]),
        )  # fmt: skip
        model = _table(b, "Model", Version=3, OperatorCodes=codes, Buffers=buffers,
                       Subgraphs=self._vector(b, [graph]))  # fmt: skip
        b.Finish(model, b"TFL3")
        return bytes(b.Output())

    def _code(self, b: Any, kind: str) -> int:
        number = getattr(tflite.BuiltinOperator, kind, tflite.BuiltinOperator.CUSTOM)
        words = {"CustomCode": b.CreateString(kind)} if number == 32 else {}
        return _table(b, "OperatorCode", BuiltinCode=number, Version=1,
                      DeprecatedBuiltinCode=min(number, 127), **words)  # fmt: skip

    def _tensor(self, b: Any, given: dict[str, Any]) -> int:
        words: dict[str, Any] = {"Shape": _ints(b, given["shape"])}
        if given["signature"] is not None:
            words["ShapeSignature"] = _ints(b, given["signature"])
        if given["scale"] is not None:
            scale = numpy.atleast_1d(numpy.asarray(given["scale"], numpy.float32))
            zero = numpy.broadcast_to(numpy.asarray(given["zero"], numpy.int64), scale.shape)
            words["Quantization"] = _table(
                b, "QuantizationParameters", Scale=b.CreateNumpyVector(scale),
                ZeroPoint=b.CreateNumpyVector(zero.copy()), QuantizedDimension=given["axis"],
            )  # fmt: skip
        return _table(b, "Tensor", Name=b.CreateString(given["name"]), Buffer=given["buffer"],
                      Type=getattr(tflite.TensorType, given["kind"]), **words)  # fmt: skip

    def _operator(
        self, b: Any, code: int, inputs: list[int], outputs: list[int], name: str,
        options: dict[str, Any],
    ) -> int:  # fmt: skip
        words = {"OpcodeIndex": code, "Inputs": _ints(b, inputs), "Outputs": _ints(b, outputs)}
        if name:
            ready = {key: _ints(b, value) if isinstance(value, list) else value
                     for key, value in options.items()}  # fmt: skip
            words["BuiltinOptions"] = _table(b, name, **ready)
            words["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, name)
        return _table(b, "Operator", **words)

    @staticmethod
    def _vector(b: Any, tables: list[int]) -> int:
        b.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            b.PrependUOffsetTRelative(table)
        return int(b.EndVector())


def _ints(b: Any, values: Any) -> int:
    return int(b.CreateNumpyVector(numpy.array(values, numpy.int32)))


def _table(b: Any, name: str, **fields: Any) -> int:
    getattr(tflite, f"{name}Start")(b)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(b, value)
    return int(getattr(tflite, f"{name}End")(b))
