"""Post-training quantization of weights and activations to int8 by onnxruntime.

Models are ONNX files of networks with folded batch norms. Activations are quantized with a scale
and zero point from calibration, weights with a scale for each channel (Jacob et al. 2018).
"""

from __future__ import annotations

import io
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct, structs

from archscope.errors import OptionError, UnavailableError, check_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

Calibration = Literal["minmax", "percentile", "entropy"]
CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)
METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")

Score = Callable[[bytes], tuple[float, float]]
"""Returns the accuracy, a fraction, and the loss of an ONNX model on held-out images."""


class Int8Layer(Struct, frozen=True):
    """A layer with weights, and whether it computes in int8."""

    name: str
    int8: bool
    lost: float | None = None  # of the accuracy, a share, with this layer alone in int8
    loss: float | None = None  # what is added to the loss then


class Int8(Struct, frozen=True):
    """A model in int8, and the accuracy that decided which layers are in int8."""

    model: bytes
    layers: tuple[Int8Layer, ...]
    before: float | None  # accuracy in float32 on the held-out images
    after: float | None


def quantize_int8(
    model: bytes,
    batches: Sequence[NDArray[Any]],
    *,
    calibration: Calibration = "minmax",
    full_range: bool = False,
    score: Score | None = None,
    sensitivity: bool = False,
    keep_accuracy: float | None = None,
) -> Int8:
    """Quantize an ONNX model of one input; `batches` (N, ...) are what it is calibrated on.

    `score` measures models. With `sensitivity` it measures each layer alone in int8; with
    `keep_accuracy`, the share of accuracy that may be lost, the worst layers stay in float32, one
    after the other, until no more is lost. Weights have 7 bits, because the kernels of x86
    processors without VNNI overflow at 8, which `full_range` takes.

    Raises OptionError where no images are given or the accuracy cannot be kept, and
    UnavailableError without the extra `onnx`.
    """
    check_known("calibration", calibration, CALIBRATIONS)
    if not batches:
        raise OptionError("calibration needs images, got none")
    if (sensitivity or keep_accuracy is not None) and score is None:
        raise OptionError("measuring the accuracy of layers needs images with labels")
    with TemporaryDirectory() as folder, _quiet():
        quantizer = Quantizer(Path(folder), model, batches, calibration, full_range)
        whole = quantizer.model()
        layers = [Int8Layer(name, True) for name in quantizer.layers]
        if score is None:
            return Int8(whole, tuple(layers), None, None)
        before, after = score(model), score(whole)
        most = 1.0 if keep_accuracy is None else keep_accuracy
        if sensitivity or before[0] - after[0] > most:
            layers = [_alone(quantizer, name, before, score) for name in quantizer.layers]
        worst = sorted(layers, key=lambda layer: (layer.lost, layer.loss))
        kept: list[str] = []
        while before[0] - after[0] > most:
            if not worst:
                raise OptionError(
                    f"the accuracy cannot be kept within {100 * most:g} points: with every layer"
                    f" in float32 {100 * (before[0] - after[0]):.2g} are lost"
                )
            kept.append(worst.pop().name)
            whole = quantizer.model(but=kept)
            after = score(whole)
    found = (structs.replace(layer, int8=layer.name not in kept) for layer in layers)
    return Int8(whole, tuple(found), before[0], after[0])


def _alone(quantizer: Quantizer, name: str, before: tuple[float, float], score: Score) -> Int8Layer:
    """Measure the model with one layer in int8."""
    accuracy, loss = score(quantizer.model(only=[name]))
    return Int8Layer(name, True, before[0] - accuracy, loss - before[1])


class Quantizer:
    """Quantizes a model in many ways; it is calibrated once, by the first."""

    def __init__(
        self,
        folder: Path,
        model: bytes,
        batches: Sequence[NDArray[Any]],
        calibration: Calibration,
        full_range: bool = False,
    ) -> None:
        try:
            import onnx
            from onnxruntime import quantization
        except ImportError as error:
            raise UnavailableError(
                f"int8 needs the package {error.name}: pip install 'archscope[onnx]'"
            ) from None
        from archscope.bench.onnx_session import weights_with_one_scale  # which loads numpy

        proto = onnx.load_from_string(model)
        _named_nodes(proto.graph)
        self.layers = _layers(proto.graph)
        if not self.layers:
            raise OptionError("the network has no layer with weights to quantize")
        self.overrides = {
            name: [{"quant_type": quantization.QuantType.QInt8, "reduce_range": not full_range}]
            for name in weights_with_one_scale(proto.graph)
        }
        self.folder, self.batches, self.full_range = folder, batches, full_range
        self.input = proto.graph.input[0].name
        self.method = quantization.CalibrationMethod[METHODS[calibration]]
        (folder / "float32.onnx").write_bytes(proto.SerializeToString())

    def model(self, only: Collection[str] = (), but: Collection[str] = ()) -> bytes:
        """Return the model in int8: all of it, some layers only, or all but some layers."""
        from onnxruntime import quantization

        path = self.folder / "int8.onnx"
        quantization.quantize_static(
            self.folder / "float32.onnx",
            path,
            _reader(self.input, self.batches),
            per_channel=True,
            reduce_range=not self.full_range,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=[node for name in only for node in self.layers[name]],
            nodes_to_exclude=[node for name in but for node in self.layers[name]],
            calibrate_method=self.method,
            # One batch at a time; otherwise the activations of all would be in memory at once.
            extra_options={"CalibStridedMinMax": 1, "TensorQuantOverrides": self.overrides},
            calibration_cache_path=self.folder / "ranges.json",
        )
        return path.read_bytes()


def _named_nodes(graph: Any) -> None:
    """Give every node a unique name."""
    times = Counter(node.name for node in graph.node)
    for number, node in enumerate(graph.node):
        if not node.name or times[node.name] > 1:
            node.name = f"{node.op_type}:{number}"


def _layers(graph: Any) -> dict[str, list[str]]:
    """Return the nodes that compute with the weights of each layer."""
    held = {tensor.name for tensor in graph.initializer}
    found: dict[str, list[str]] = defaultdict(list)
    for node in graph.node:
        if node.op_type in WEIGHTED:
            for name in node.input[:2]:
                if name in held:
                    layer, _, weight = name.rpartition(".")
                    found[layer if weight.startswith("weight") else name].append(node.name)
    return dict(found)


def _reader(name: str, batches: Sequence[NDArray[Any]]) -> Any:
    """Return the reader of calibration data for onnxruntime."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        def __init__(self) -> None:
            self.left: list[NDArray[Any]] = list(batches)

        def __len__(self) -> int:
            return len(batches)

        def set_range(self, start_index: int, end_index: int) -> None:
            self.left = list(batches[start_index:end_index])

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return {name: self.left.pop(0)} if self.left else None

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress onnxruntime's messages in the log and the output."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
